//! One way of getting a token for one server: whom the gate asks, as whom, and with what.
//!
//! The caller's tokens go into the form for the configured authorization server and nowhere else; the form is wiped.
//!
//! SPEC: RFC 6749 4.4, RFC 8693 2.1, RFC 7523 2.1 and 2.2, RFC 8705 2, RFC 8707 2; draft-ietf-oauth-identity-assertion-
//! authz-grant 4 and 5.

use std::time::Duration;

use portreeve_core::credential::{Asked, GrantFault, GrantRefusal, Kind, Mode, Obtained};
use portreeve_core::identity::AgentMethod;
use portreeve_core::mediation::TokenOrder;
use portreeve_core::time::UnixTime;

use crate::clock;
use crate::config::credential::{Actor, Fetched, Party};
use crate::standing::{Endpoint, Failed, Form, Proof, Standing};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
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
    at: Standing,
    idp: Option<Standing>,
}

impl Grant {
    pub(super) fn new(
        settings: &Fetched,
        resource: &str,
        mut proof: impl FnMut(&Party) -> Result<Proof, String>,
    ) -> Result<Self, String> {
        let mut side = |party: &Party| Standing::new(party, Endpoint::Token, proof(party)?);
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
        let names_agent = self.settings.actor == Actor::Agent && order.mode != Mode::ClientCredentials;
        if names_agent && order.method != AgentMethod::Token {
            return Err(Failure {
                means: GrantRefusal::Forbidden,
                reason: "this agent has no token that could be shown, so it cannot be named".to_owned(),
            });
        }
        match order.mode {
            Mode::ClientCredentials => self.own(order).await,
            Mode::IdJag => self.by_assertion(order).await,
            _ => self.exchange(order).await,
        }
    }

    async fn own(&self, order: &TokenOrder) -> Result<Obtained, Failure> {
        let mut form = Form::of_grant("client_credentials");
        self.name_target(&mut form, &order.scope);
        let asked = self.asked(Kind::Access, &order.scope, order.until);
        post(&self.at, form, &asked).await
    }

    async fn exchange(&self, order: &TokenOrder) -> Result<Obtained, Failure> {
        let mut form = Form::of_grant(EXCHANGE);
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
                let mut own = Form::of_grant("client_credentials");
                self.name_target(&mut own, "");
                let own = post(&self.at, own, &gateway()).await?;
                form.actor(own.expose());
            }
            (Actor::None, _) => {}
        }
        self.name_target(&mut form, &order.scope);
        post(&self.at, form, &asked).await
    }

    /// First an assertion by the identity provider for the server's authorization server, then a token for that.
    async fn by_assertion(&self, order: &TokenOrder) -> Result<Obtained, Failure> {
        let Some(idp) = &self.idp else {
            return Err(Failure::client("no identity provider is configured".to_owned()));
        };
        let mut form = Form::of_grant(EXCHANGE);
        form.add("subject_token", &order.subject)
            .add("subject_token_type", self.settings.subject_type.urn().as_bytes())
            .add("requested_token_type", ID_JAG.as_bytes())
            .add("audience", self.settings.at.issuer.as_bytes())
            .add("resource", self.resource.as_bytes());
        if let (Actor::Agent, Some(actor)) = (self.settings.actor, &order.actor) {
            form.actor(actor);
        }
        form.scope(&order.scope);
        let assertion = post(idp, form, &self.assertion(order)).await?;
        let mut form = Form::of_grant(JWT_BEARER);
        form.add("assertion", assertion.expose());
        self.name_target(&mut form, &order.scope);
        let mut asked = self.asked(Kind::Access, &order.scope, order.until);
        if self.settings.actor == Actor::Agent {
            asked.actor = Some(&order.agent);
        }
        post(&self.at, form, &asked).await
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

async fn post(standing: &Standing, form: Form, asked: &Asked<'_>) -> Result<Obtained, Failure> {
    let endpoint = standing.endpoint().await.map_err(Failure::unavailable)?;
    let answer = standing.ask(&endpoint, form).await.map_err(|failed| match failed {
        Failed::Identify(reason) => Failure::client(reason),
        Failed::Fetch(error) => Failure::unavailable(format!("{endpoint} {error}")),
    })?;
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

impl Failure {
    pub(super) fn unavailable(reason: String) -> Self {
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
