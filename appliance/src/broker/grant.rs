//! One way of getting a token for one server: whom the gate asks, as whom, and with what.
//!
//! The caller's tokens go into the form for the configured authorization server and nowhere else; the form is wiped.
//!
//! SPEC: RFC 6749 4.4, RFC 8693 2.1, RFC 7523 2.1 and 2.2, RFC 8705 2, RFC 8707 2; draft-ietf-oauth-identity-assertion-
//! authz-grant 4 and 5.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portreeve_core::credential::{Asked, GrantFault, GrantRefusal, Kind, Mode, Obtained, SigningKey, client_assertion};
use portreeve_core::mediation::TokenOrder;
use portreeve_core::time::UnixTime;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::clock;
use crate::config::Discovery;
use crate::config::credential::{Actor, Client, Fetched, Party};
use crate::fetch::{Answer, FetchError, Fetcher, Place};
use crate::issuers::metadata;
use crate::secrets::Secret;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
/// Bytes of a form with two tokens and an assertion: what grows leaves copies behind.
const FORM_ROOM: usize = 32 * 1024;
/// The longest that an ID-JAG may live; it is used at once.
const ID_JAG_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Why there is no token: what it means, and the reason in words for the operator.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) means: GrantRefusal,
    pub(super) reason: String,
}

/// The way to tokens for one server.
pub(super) struct Grant {
    settings: Fetched,
    resource: String,
    /// What the `aud` of a readable token must name.
    targets: Vec<String>,
    at: Side,
    idp: Option<Side>,
}

/// The gate as a client of one authorization server.
struct Side {
    party: Party,
    fetcher: Fetcher,
    proof: Proof,
    endpoint: OnceCell<Place>,
}

/// How the gate shows who it is.
pub(super) enum Proof {
    Key(SigningKey),
    Secret(Secret),
    Certificate,
}

impl Grant {
    pub(super) fn new(
        settings: &Fetched,
        resource: &str,
        mut proof: impl FnMut(&Party) -> Result<Proof, String>,
    ) -> Result<Self, String> {
        let mut side = |party: &Party| {
            Ok::<_, String>(Side {
                fetcher: Fetcher::of(party)?,
                proof: proof(party)?,
                party: party.clone(),
                endpoint: OnceCell::new(),
            })
        };
        Ok(Self {
            at: side(&settings.at)?,
            idp: settings.idp.as_ref().map(side).transpose()?,
            settings: settings.clone(),
            targets: std::iter::once(resource.to_owned())
                .chain(settings.audience.clone())
                .collect(),
            resource: resource.to_owned(),
        })
    }

    /// Gets what `order` asks for.
    pub(super) async fn obtain(&self, order: &TokenOrder) -> Result<Obtained, Failure> {
        match order.mode {
            Mode::ClientCredentials => self.own(order).await,
            Mode::IdJag => self.by_assertion(order).await,
            _ => self.exchange(order).await,
        }
    }

    async fn own(&self, order: &TokenOrder) -> Result<Obtained, Failure> {
        let mut form = Form::new("client_credentials");
        self.name_target(&mut form, &order.scope);
        let asked = self.asked(Kind::Access, &order.scope, order.until);
        self.at.post(form, &asked).await
    }

    async fn exchange(&self, order: &TokenOrder) -> Result<Obtained, Failure> {
        let mut form = Form::new(EXCHANGE);
        form.add("subject_token", &order.subject)
            .add("subject_token_type", self.settings.subject_type.urn().as_bytes())
            .add("requested_token_type", ACCESS_TOKEN.as_bytes());
        let mut asked = self.asked(Kind::Exchanged, &order.scope, order.until);
        match (self.settings.actor, &order.actor) {
            (Actor::Agent, actor) => {
                asked.actor = Some(&order.agent);
                // A token that names its actor already stands alone.
                if let Some(actor) = actor {
                    form.actor(actor);
                }
            }
            (Actor::Gateway, _) => {
                asked.actor = Some(&self.settings.at.client_id);
                // For the same target: without one many servers give a token that is good for nothing, or none.
                let mut own = Form::new("client_credentials");
                self.name_target(&mut own, "");
                let own = self.at.post(own, &gateway()).await?;
                form.actor(own.expose());
            }
            (Actor::None, _) => {}
        }
        self.name_target(&mut form, &order.scope);
        self.at.post(form, &asked).await
    }

    /// First an assertion by the identity provider for the server's authorization server, then a token for that.
    async fn by_assertion(&self, order: &TokenOrder) -> Result<Obtained, Failure> {
        let Some(idp) = &self.idp else {
            return Err(Failure::client("no identity provider is configured".to_owned()));
        };
        let mut form = Form::new(EXCHANGE);
        form.add("subject_token", &order.subject)
            .add("subject_token_type", self.settings.subject_type.urn().as_bytes())
            .add("requested_token_type", ID_JAG.as_bytes())
            .add("audience", self.settings.at.issuer.as_bytes())
            .add("resource", self.resource.as_bytes());
        if let (Actor::Agent, Some(actor)) = (self.settings.actor, &order.actor) {
            form.actor(actor);
        }
        form.scope(&order.scope);
        let assertion = idp.post(form, &self.assertion(order)).await?;
        let mut form = Form::new(JWT_BEARER);
        form.add("assertion", assertion.expose());
        self.name_target(&mut form, &order.scope);
        self.at
            .post(form, &self.asked(Kind::Access, &order.scope, order.until))
            .await
    }

    fn assertion<'a>(&'a self, order: &'a TokenOrder) -> Asked<'a> {
        Asked {
            kind: Kind::IdJag,
            scope: &order.scope,
            targets: std::slice::from_ref(&self.settings.at.issuer),
            actor: None,
            until: order.until,
            max_lifetime: ID_JAG_LIFETIME,
        }
    }

    fn asked<'a>(&'a self, kind: Kind, scope: &'a str, until: UnixTime) -> Asked<'a> {
        Asked {
            kind,
            scope,
            targets: &self.targets,
            actor: None,
            until,
            max_lifetime: self.settings.lifetime,
        }
    }

    fn name_target(&self, form: &mut Form, scope: &str) {
        form.add("resource", self.resource.as_bytes());
        if let Some(audience) = &self.settings.audience {
            form.add("audience", audience.as_bytes());
        }
        form.scope(scope);
    }
}

/// What the gate asks for to act in its own name.
fn gateway() -> Asked<'static> {
    Asked {
        kind: Kind::Access,
        scope: "",
        targets: &[],
        actor: None,
        until: UnixTime::from_millis(u64::MAX),
        max_lifetime: ID_JAG_LIFETIME,
    }
}

impl Side {
    async fn post(&self, form: Form, asked: &Asked<'_>) -> Result<Obtained, Failure> {
        let endpoint = self.endpoint().await.map_err(Failure::unavailable)?;
        let answer = match self.send(&endpoint, form.clone()).await? {
            // A connection that was kept may be closed just as it is used again. Tokens can be asked for twice.
            Err(FetchError::Broken(_)) => self.send(&endpoint, form).await?,
            answer => answer,
        };
        let answer = answer.map_err(|error| Failure::unavailable(format!("{endpoint} {error}")))?;
        if answer.status != 200 {
            let means = GrantRefusal::read(answer.status, &answer.bytes);
            let reason = format!("{endpoint} answered {}: {}", answer.status, means.name());
            return Err(Failure { means, reason });
        }
        Obtained::accept(&answer.bytes, asked, clock::now()).map_err(|fault| Failure {
            means: match fault {
                GrantFault::Wider | GrantFault::Target | GrantFault::Unattributed => GrantRefusal::Forbidden,
                GrantFault::Expired => GrantRefusal::Stale,
                _ => GrantRefusal::Unavailable,
            },
            reason: format!("{endpoint}: {fault}"),
        })
    }

    /// Sends `form` once, with who the gate is: an assertion counts once.
    async fn send(&self, endpoint: &Place, mut form: Form) -> Result<Result<Answer, FetchError>, Failure> {
        let authorization = self.identify(&mut form)?;
        Ok(self.fetcher.form(endpoint, authorization.as_deref(), form.0).await)
    }

    async fn endpoint(&self) -> Result<Place, String> {
        if let Some(place) = &self.party.token_endpoint {
            return Ok(place.clone());
        }
        let found = self.endpoint.get_or_try_init(|| async {
            let issuer = Place::parse(&self.party.issuer).map_err(|fault| format!("{} {fault}", self.party.issuer))?;
            let found = metadata::find(&self.fetcher, &issuer, &self.party.issuer, Discovery::Either).await;
            found.map_err(|error| error.to_string())?.token_endpoint()
        });
        found.await.cloned()
    }

    /// Puts into `form` who the gate is; gives back what belongs into `Authorization`.
    fn identify(&self, form: &mut Form) -> Result<Option<Zeroizing<String>>, Failure> {
        let id = &self.party.client_id;
        match (self.party.client, &self.proof) {
            (_, Proof::Key(key)) => {
                let mut entropy = [0; 16];
                clock::entropy(&mut entropy);
                let assertion = client_assertion(key, id, &self.party.issuer, clock::now(), entropy)
                    .map_err(|error| Failure::client(error.to_string()))?;
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
struct Form(Zeroizing<String>);

impl Clone for Form {
    fn clone(&self) -> Self {
        let mut form = Zeroizing::new(String::with_capacity(FORM_ROOM));
        form.push_str(&self.0);
        Self(form)
    }
}

impl Form {
    fn new(grant_type: &str) -> Self {
        let mut form = Self(Zeroizing::new(String::with_capacity(FORM_ROOM)));
        form.add("grant_type", grant_type.as_bytes());
        form
    }

    fn add(&mut self, name: &str, value: &[u8]) -> &mut Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.extend(form_urlencoded::byte_serialize(name.as_bytes()));
        self.0.push('=');
        self.0.extend(form_urlencoded::byte_serialize(value));
        self
    }

    fn actor(&mut self, token: &[u8]) {
        self.add("actor_token", token)
            .add("actor_token_type", ACCESS_TOKEN.as_bytes());
    }

    fn scope(&mut self, scope: &str) {
        if !scope.is_empty() {
            self.add("scope", scope.as_bytes());
        }
    }
}

impl Failure {
    fn unavailable(reason: String) -> Self {
        Self {
            means: GrantRefusal::Unavailable,
            reason,
        }
    }

    fn client(reason: String) -> Self {
        Self {
            means: GrantRefusal::Client,
            reason,
        }
    }
}
