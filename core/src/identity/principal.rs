//! Who calls, proved: the end of identity and the beginning of every decision.
//!
//! A [`Principal`] is only built in this module's parent, after both tokens and the link between them were verified.
//! It owns everything it says; must never borrow from a token or hold one.

use ring::digest;

use super::API_KEY_ISSUER;
use super::AgentMethod;
use super::Binding;
use super::link::Link;
use super::presented::finish;
use super::trust::RegisteredAgent;
use crate::time::UnixTime;

/// An agent acting for a user.
#[derive(Debug)]
pub struct Principal {
    user: User,
    agent: Agent,
    link: Link,
    possession: Possession,
    auth: AuthFacts,
    expires: UnixTime,
    binding: [u8; 32],
    assertion: [u8; 32],
}

/// What was shown to be in the caller's hands, besides the tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Possession {
    /// What the agent's token is bound to, which the caller has.
    pub(super) bound: Option<Binding>,
    /// Whether that extends to the user's assertion.
    pub(super) covered: bool,
    /// Whether it alone said who the agent is.
    pub(super) alone: bool,
}

/// The user for whom an agent acts.
#[derive(Debug)]
pub struct User {
    id: String,
    issuer: String,
    groups: Vec<String>,
}

/// The agent that calls.
#[derive(Debug)]
pub struct Agent {
    registration: RegisteredAgent,
    issuer: String,
    prior: Vec<Actor>,
}

/// A party of a delegation chain (RFC 8693 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The issuer that `subject` belongs to, if the token says so.
    pub issuer: Option<String>,
    /// The actor's `sub`.
    pub subject: String,
}

/// What the tokens say about the login, for policies and the audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthFacts {
    /// When the user logged in (`auth_time`).
    pub auth_time: Option<UnixTime>,
    /// How strongly, as the issuer names it (`acr`).
    pub acr: Option<String>,
    /// By which methods (`amr`).
    pub amr: Vec<String>,
    /// The scopes of the agent's token.
    pub scopes: Vec<String>,
    /// The identifier of the token that names the user.
    pub user_jti: Option<String>,
    /// The identifier of the token that names the agent.
    pub agent_jti: Option<String>,
    /// The login session that the user's token belongs to (`sid`, OpenID Connect Front-Channel Logout 1.0, 3).
    pub user_sid: Option<String>,
    /// The login session that the agent's token belongs to.
    pub agent_sid: Option<String>,
    /// When the token that names the user was issued (`iat`).
    pub user_issued: UnixTime,
    /// When the token that names the agent was issued (`iat`).
    pub agent_issued: UnixTime,
}

impl Principal {
    pub(super) fn new(
        user: User,
        agent: Agent,
        (link, possession): (Link, Possession),
        auth: AuthFacts,
        expires: UnixTime,
    ) -> Self {
        let binding = bind([&user.issuer, &user.id, &agent.issuer, agent.subject()]);
        let expires = agent.registration.expires.map_or(expires, |end| end.min(expires));
        Self {
            user,
            agent,
            link,
            possession,
            auth,
            expires,
            binding,
            assertion: [0; 32],
        }
    }

    /// The same, named as its user by the token with that digest.
    pub(super) const fn asserted_by(mut self, assertion: [u8; 32]) -> Self {
        self.assertion = assertion;
        self
    }

    /// The same, for no longer than what was shown beside the tokens lasts.
    pub(super) fn ending(mut self, shown: Option<UnixTime>) -> Self {
        self.expires = shown.map_or(self.expires, |end| end.min(self.expires));
        self
    }

    /// The digest of the very token that names the user: two assertions of one user differ in it.
    #[must_use]
    pub const fn assertion(&self) -> &[u8; 32] {
        &self.assertion
    }

    /// The user.
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// The agent.
    #[must_use]
    pub const fn agent(&self) -> &Agent {
        &self.agent
    }

    /// What ties the user's assertion to this agent.
    #[must_use]
    pub const fn link(&self) -> Link {
        self.link
    }

    /// What the agent's token is bound to; the caller was shown to have it.
    #[must_use]
    pub const fn bound(&self) -> Option<Binding> {
        self.possession.bound
    }

    /// The same, of an agent that came by its certificate alone.
    pub(super) const fn without_token(mut self) -> Self {
        self.possession.alone = true;
        self
    }

    /// Whether the agent came by its certificate alone, without a token.
    #[must_use]
    pub const fn is_without_token(&self) -> bool {
        self.possession.alone
    }

    /// Whether the user's assertion is bound to the same, named by the proof, or part of the agent's token.
    #[must_use]
    pub const fn is_covered(&self) -> bool {
        self.possession.covered
    }

    /// How possession was shown, in one word, for policies and the audit: `none` where the token is not bound.
    #[must_use]
    pub fn binding_name(&self) -> &'static str {
        self.bound().map_or("none", Binding::name)
    }

    /// How the agent showed who it is. Only keys are taken for an agent of that issuer, and for no other.
    #[must_use]
    pub fn agent_method(&self) -> AgentMethod {
        if self.agent.registration.issuer == API_KEY_ISSUER {
            AgentMethod::ApiKey
        } else if self.is_without_token() {
            AgentMethod::Certificate
        } else {
            AgentMethod::Token
        }
    }

    /// What the tokens say about the login.
    #[must_use]
    pub const fn auth(&self) -> &AuthFacts {
        &self.auth
    }

    /// The SHA-256 digest of the key or certificate that the agent's token is bound to (RFC 7638, RFC 8705 3.1).
    #[must_use]
    pub const fn key(&self) -> Option<[u8; 32]> {
        match self.bound() {
            Some(Binding::Key(digest) | Binding::Certificate(digest)) => Some(digest),
            None => None,
        }
    }

    /// The earliest of each token's `exp`, without leeway, the end of the agent's registration, and that of the certificate
    /// its token is bound to: nothing derived from this principal may live longer.
    #[must_use]
    pub const fn expires(&self) -> UnixTime {
        self.expires
    }

    /// A digest of (user issuer, user id, agent issuer, agent subject): stays the same when tokens are refreshed, and
    /// is what a session is bound to.
    #[must_use]
    pub const fn binding(&self) -> [u8; 32] {
        self.binding
    }
}

impl User {
    pub(crate) const fn new(id: String, issuer: String, groups: Vec<String>) -> Self {
        Self { id, issuer, groups }
    }

    /// The user's id at the issuer.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The exact `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The groups that the issuer says the user is in.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }
}

impl Agent {
    pub(super) const fn new(registration: RegisteredAgent, issuer: String, prior: Vec<Actor>) -> Self {
        Self {
            registration,
            issuer,
            prior,
        }
    }

    /// The name under which the agent is registered here.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.registration.name
    }

    /// The agent's id at its issuer.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.registration.subject
    }

    /// The exact `iss` of the agent's issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The groups under which the agent is registered here.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.registration.groups
    }

    /// The actors before this agent, latest first. Informational: RFC 8693 4.1 rules out decisions on them.
    #[must_use]
    pub fn prior(&self) -> &[Actor] {
        &self.prior
    }
}

fn bind(parts: [&str; 4]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_le_bytes());
        context.update(part.as_bytes());
    }
    finish(context)
}
