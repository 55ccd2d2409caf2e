//! The crate `oauth-as` as an authorization server in this process. Its cryptography is ring's, as everybody's here; its
//! protocol is its own, and another one than that of `oidc-provider`.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oauth_as::client::{Client as Registration, ClientAuth, ClientId};
use oauth_as::client_assertion::AssertionKeys;
use oauth_as::grant::GrantType;
use oauth_as::http::{ApprovalDecision, AuthorizationService, ServiceBuilder};
use oauth_as::jwt::{AccessTokenFormat, Jwk, JwsAlg, JwsSignature, JwsSigner, JwsVerifier, JwtConfig, SignerError};
use oauth_as::scope::ScopeSet;
use oauth_as::server::{AuthorizationServer, ResourceServerRegistration, ServerConfig, SystemClock};
use oauth_as::store::MemoryStorage;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::client::{Client, Proof, REDIRECT};
use crate::http::Http;
use crate::keys::Key;
use crate::town::{LEDGER, TOWN};

/// Everybody who logs in.
const USER: &str = "ada";

/// A running server; dropping it ends it.
pub(crate) struct Library {
    issuer: String,
    key: Arc<Key>,
    server: Arc<Server>,
    /// Requests to the token endpoint.
    asked: Arc<AtomicUsize>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Library {
    /// The clients are those of the other server: `clerk-bot` is an agent, `gateway` exchanges and
    /// introspects tokens, people use `console`.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = Arc::new(Key::new());
        let (end, ended) = oneshot::channel();
        let (up, is_up) = mpsc::channel();
        let asked = Arc::<AtomicUsize>::default();
        let (iss, jwk, count) = (issuer.clone(), jwk(&key, "client"), Arc::clone(&asked));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (server, service) = service(&iss, &jwk).await;
                up.send(server).unwrap();
                tokio::select! {
                    () = serve(listener, service, count) => {}
                    _ = ended => {}
                }
            });
        });
        Self {
            issuer,
            key,
            server: is_up.recv().unwrap(),
            asked,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Its `iss`.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Registers a client of these public keys (ES256), which may exchange tokens and have its own.
    pub(crate) fn register(&self, id: &str, keys: &[Value]) {
        let keys = keys.iter().map(|key| Jwk::from_json(key).unwrap()).collect();
        let auth = ClientAuth::ConfidentialAssertion {
            keys: AssertionKeys::PublicKeys {
                alg: JwsAlg::Es256,
                keys,
            },
        };
        let client = registration(id, auth, &[GrantType::ClientCredentials, GrantType::TokenExchange]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.server.register_client(client)).unwrap();
    }

    /// How often anybody asked it for a token.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// One of its clients; all but `console` have one key.
    pub(crate) fn client(&self, id: &str) -> Client {
        let proof = match id {
            "console" => Proof::Public,
            _ => Proof::PrivateKey(Arc::clone(&self.key)),
        };
        let metadata = format!("{}/.well-known/oauth-authorization-server", self.issuer);
        Client::new(id, proof, Http::plain(), &metadata)
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Server = AuthorizationServer<MemoryStorage, SystemClock>;
type Service = AuthorizationService<MemoryStorage, SystemClock>;

async fn serve(listener: TcpListener, service: Service, asked: Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (service, asked) = (service.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            let answer = service_fn(|request: hyper::Request<_>| {
                let service = service.clone();
                if request.uri().path() == "/token" {
                    asked.fetch_add(1, Ordering::SeqCst);
                }
                async move { Ok::<_, std::convert::Infallible>(service.handle(request).await) }
            });
            // A client that hangs up is no fault of the server.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn service(issuer: &str, client_key: &Jwk) -> (Arc<Server>, Service) {
    let mut config = ServerConfig::new(issuer, format!("{issuer}/device"));
    config.access_token_ttl = std::time::Duration::from_secs(600);
    config.issue_refresh_tokens = false;
    config.introspection_endpoint = Some(format!("{issuer}/introspect"));
    // Only whom a token is for may ask about it.
    let asks = ResourceServerRegistration::new(ClientId::new("gateway"), [TOWN]);
    config.resource_servers = Some([asks].into());
    config.allowed_resources = Some([TOWN, LEDGER].map(Into::into).into());
    let signing = JwtConfig::new(Signer(Key::new()), TOWN).with_jwks_uri(format!("{issuer}/jwks"));
    config.access_token_format = AccessTokenFormat::Jwt(Box::new(signing));
    let server = AuthorizationServer::new(config, MemoryStorage::new()).with_jws_verifier(Arc::new(Verifier));
    for registration in registrations(client_key) {
        server.register_client(registration).await.unwrap();
    }
    let server = Arc::new(server);
    let service = ServiceBuilder::new(Arc::clone(&server))
        .with_subject_resolver(|_| Some(USER.to_owned()))
        .with_approval_resolver(|_| ApprovalDecision::Approve)
        .build()
        .unwrap();
    (server, service)
}

fn registrations(key: &Jwk) -> [Registration; 3] {
    let by_key = || ClientAuth::ConfidentialAssertion {
        keys: AssertionKeys::PublicKeys {
            alg: JwsAlg::Es256,
            keys: vec![key.clone()],
        },
    };
    [
        registration("clerk-bot", by_key(), &[GrantType::ClientCredentials]),
        registration(
            "gateway",
            by_key(),
            &[GrantType::ClientCredentials, GrantType::TokenExchange],
        ),
        registration("console", ClientAuth::Public, &[GrantType::AuthorizationCode]),
    ]
}

fn registration(id: &str, auth: ClientAuth, grant_types: &[GrantType]) -> Registration {
    let scope = || ScopeSet::from_tokens(["mcp"]).unwrap();
    Registration {
        client_id: ClientId::new(id),
        auth,
        grant_types: grant_types.to_vec(),
        redirect_uris: vec![REDIRECT.to_owned()],
        allowed_scopes: scope(),
        default_scopes: scope(),
        name: None,
        registration: None,
    }
}

fn jwk(key: &Key, kid: &str) -> Jwk {
    let mut jwk = key.jwk();
    jwk["kid"] = json!(kid);
    Jwk::from_json(&jwk).unwrap()
}

/// Signs access tokens.
struct Signer(Key);

impl JwsSigner for Signer {
    fn alg(&self) -> JwsAlg {
        JwsAlg::Es256
    }

    async fn sign(&self, signing_input: &[u8]) -> Result<JwsSignature, SignerError> {
        Ok(JwsSignature::Es256(self.0.sign_bytes(signing_input)))
    }

    fn public_jwk(&self) -> Jwk {
        jwk(&self.0, "server")
    }
}

/// Checks client assertions and DPoP proofs.
struct Verifier;

impl JwsVerifier for Verifier {
    fn alg(&self) -> JwsAlg {
        JwsAlg::Es256
    }

    fn verify(&self, key: &Jwk, signing_input: &[u8], signature: &[u8]) -> bool {
        let Jwk::Ec { x, y, .. } = key else {
            return false;
        };
        let Some(point) = crate::keys::point(x, y) else {
            return false;
        };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(signing_input, signature)
            .is_ok()
    }
}
