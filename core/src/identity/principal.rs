//! Who calls, proved: the end of identity and the beginning of every decision.
//!
//! A [`Principal`] is only built in this module's parent, after both tokens and the link between them were verified.
//! It owns everything it says; must never borrow from a token or hold one.

use ring::digest;

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
    auth: AuthFacts,
    expires: UnixTime,
    binding: [u8; 32],
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
    pub(super) fn new(user: User, agent: Agent, link: Link, auth: AuthFacts, expires: UnixTime) -> Self {
        let binding = bind([&user.issuer, &user.id, &agent.issuer, agent.subject()]);
        Self {
            user,
            agent,
            link,
            auth,
            expires,
            binding,
        }
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

    /// What the tokens say about the login.
    #[must_use]
    pub const fn auth(&self) -> &AuthFacts {
        &self.auth
    }

    /// The SHA-256 thumbprint of the key that the tokens are bound to (RFC 7638, RFC 8705 3.1).
    #[must_use]
    pub const fn key(&self) -> Option<[u8; 32]> {
        None
    }

    /// The earlier `exp` of the tokens, without leeway: nothing derived from this principal may live longer.
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
