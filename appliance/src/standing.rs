//! The gate as a client of one authorization server: who it is there, how it shows that, and forms it posts.
//!
//! Forms with credentials in them go to the configured server, or where its own metadata says, and nowhere else; each is
//! wiped. Must never run on a shard.
//!
//! SPEC: RFC 6749 2.3, RFC 7523 2.2, RFC 8705 2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portreeve_core::credential::{SigningKey, client_assertion};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::clock;
use crate::config::Discovery;
use crate::config::credential::{Client, Party};
use crate::fetch::{Answer, FetchError, Fetcher, Place};
use crate::issuers::metadata;
use crate::secrets::Secret;

const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What is asked of an authorization server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// For tokens.
    Token,
    /// What tokens are (RFC 7662).
    Introspection,
}

/// The gate as a client of one authorization server.
pub(crate) struct Standing {
    party: Party,
    wanted: Endpoint,
    fetcher: Fetcher,
    proof: Proof,
    endpoint: OnceCell<Place>,
}

/// How the gate shows who it is.
pub(crate) enum Proof {
    /// With an assertion that this key signs.
    Key(SigningKey),
    /// With a secret.
    Secret(Secret),
    /// With the certificate of its connection.
    Certificate,
}

/// Why a form was not answered.
pub(crate) enum Failed {
    /// The gate could not say who it is.
    Identify(String),
    /// Nothing came back.
    Fetch(FetchError),
}

impl Standing {
    /// As a client of `party`.
    ///
    /// # Errors
    /// Files that cannot be used.
    pub(crate) fn new(party: &Party, wanted: Endpoint, proof: Proof) -> Result<Self, String> {
        Ok(Self {
            fetcher: Fetcher::of(party)?,
            proof,
            party: party.clone(),
            wanted,
            endpoint: OnceCell::new(),
        })
    }

    /// Posts `form`, with who the gate is in it.
    ///
    /// # Errors
    /// [`Failed`], but never of a status.
    pub(crate) async fn ask(&self, endpoint: &Place, form: Form) -> Result<Answer, Failed> {
        match self.send(endpoint, form.clone()).await {
            // A connection that was kept may be closed just as it is used again. Nothing is lost by asking twice.
            Err(Failed::Fetch(FetchError::Broken(_))) => self.send(endpoint, form).await,
            answer => answer,
        }
    }

    /// Sends `form` once: an assertion of who the gate is counts once.
    async fn send(&self, endpoint: &Place, mut form: Form) -> Result<Answer, Failed> {
        let authorization = self.identify(&mut form).map_err(Failed::Identify)?;
        let answer = self.fetcher.form(endpoint, authorization.as_deref(), form.0).await;
        answer.map_err(Failed::Fetch)
    }

    /// Where to ask.
    ///
    /// # Errors
    /// It is not configured, and cannot be discovered.
    pub(crate) async fn endpoint(&self) -> Result<Place, String> {
        if let Some(place) = &self.party.endpoint {
            return Ok(place.clone());
        }
        let found = self.endpoint.get_or_try_init(|| async {
            let issuer = Place::parse(&self.party.issuer).map_err(|fault| format!("{} {fault}", self.party.issuer))?;
            let found = metadata::find(&self.fetcher, &issuer, &self.party.issuer, Discovery::Either).await;
            let found = found.map_err(|error| error.to_string())?;
            match self.wanted {
                Endpoint::Token => found.token_endpoint(),
                Endpoint::Introspection => found.introspection_endpoint(),
            }
        });
        found.await.cloned()
    }

    /// Puts into `form` who the gate is; gives back what belongs into `Authorization`.
    fn identify(&self, form: &mut Form) -> Result<Option<Zeroizing<String>>, String> {
        let id = &self.party.client_id;
        match (self.party.client, &self.proof) {
            (_, Proof::Key(key)) => {
                let mut entropy = [0; 16];
                clock::entropy(&mut entropy);
                let assertion = client_assertion(key, id, &self.party.issuer, clock::now(), entropy)
                    .map_err(|error| error.to_string())?;
                form.add("client_id", id.as_bytes())
                    .add("client_assertion_type", CLIENT_ASSERTION.as_bytes())
                    .add("client_assertion", &assertion);
                Ok(None)
            }
            (Client::SecretPost, Proof::Secret(secret)) => {
                form.add("client_id", id.as_bytes())
                    .add("client_secret", secret.expose());
                Ok(None)
            }
            (_, Proof::Secret(secret)) => Ok(Some(basic(id, secret))),
            (_, Proof::Certificate) => {
                form.add("client_id", id.as_bytes());
                Ok(None)
            }
        }
    }
}

/// SPEC: RFC 6749 2.3.1: both are form-encoded first.
fn basic(id: &str, secret: &Secret) -> Zeroizing<String> {
    let encode = |bytes: &[u8]| Zeroizing::new(form_urlencoded::byte_serialize(bytes).collect::<String>());
    let pair = Zeroizing::new(format!("{}:{}", *encode(id.as_bytes()), *encode(secret.expose())));
    let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    Zeroizing::new(format!("Basic {}", *encoded))
}

/// A form with credentials in it; wiped when it is dropped.
pub(crate) struct Form(Zeroizing<String>);

/// Bytes of a form with two tokens and an assertion: what grows leaves copies behind.
const FORM_ROOM: usize = 32 * 1024;

impl Clone for Form {
    fn clone(&self) -> Self {
        let mut form = Self::new();
        form.0.push_str(&self.0);
        form
    }
}

impl Form {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(Zeroizing::new(String::with_capacity(FORM_ROOM)))
    }

    /// One for a token endpoint (RFC 6749 4.5).
    pub(crate) fn of_grant(grant_type: &str) -> Self {
        let mut form = Self::new();
        form.add("grant_type", grant_type.as_bytes());
        form
    }

    /// Adds a field.
    pub(crate) fn add(&mut self, name: &str, value: &[u8]) -> &mut Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.extend(form_urlencoded::byte_serialize(name.as_bytes()));
        self.0.push('=');
        self.0.extend(form_urlencoded::byte_serialize(value));
        self
    }

    /// Adds the token of who acts (RFC 8693 2.1).
    pub(crate) fn actor(&mut self, token: &[u8]) {
        self.add("actor_token", token)
            .add("actor_token_type", b"urn:ietf:params:oauth:token-type:access_token");
    }

    /// Adds the scopes that are asked for, unless there are none.
    pub(crate) fn scope(&mut self, scope: &str) {
        if !scope.is_empty() {
            self.add("scope", scope.as_bytes());
        }
    }
}
