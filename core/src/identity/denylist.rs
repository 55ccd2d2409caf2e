//! Whom and what is shut off: agents, users, one agent for one user, login sessions, single tokens, keys, servers; or of
//! an agent or user only what was issued before a moment.
//!
//! Stands beside [`super::Trust`] and is published by itself, so that shutting one agent off neither waits for the
//! configuration to be read nor empties the caches of everybody else. Asked on every request and on every open stream;
//! must never be answered from a cache.

use core::fmt;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Fault;
use super::IdentityError;
use super::Principal;
use super::Side;
use crate::limits::REVOCATIONS_MAX;
use crate::time::UnixTime;

/// Something that is shut off. Issuers are exact `iss` values, so that a renamed profile lets nobody back in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revocation {
    /// The agent registered under this name, for every user.
    Agent {
        /// Its registered name.
        agent: String,
    },
    /// A user, through every agent.
    User {
        /// The user's `iss`.
        issuer: String,
        /// The user's id there.
        user: String,
    },
    /// Tokens of the agent registered under this name that were issued before a moment; newer ones are good.
    AgentBefore {
        /// Its registered name.
        agent: String,
        /// The moment, compared with `iat`.
        issued_before: UnixTime,
    },
    /// Tokens of a user that were issued before a moment; newer ones are good.
    UserBefore {
        /// The user's `iss`.
        issuer: String,
        /// The user's id there.
        user: String,
        /// The moment, compared with `iat`.
        issued_before: UnixTime,
    },
    /// One agent for one user.
    Delegation {
        /// The agent's registered name.
        agent: String,
        /// The user's `iss`.
        issuer: String,
        /// The user's id there.
        user: String,
    },
    /// One token, on either side, by its `jti`.
    Token {
        /// The token's `iss`.
        issuer: String,
        /// The token's `jti`.
        id: String,
    },
    /// All tokens of one login session, on either side, by their `sid`.
    Session {
        /// The tokens' `iss`.
        issuer: String,
        /// The `sid`.
        session: String,
    },
    /// All tokens bound to one key or certificate.
    Key {
        /// Its SHA-256 thumbprint: RFC 7638 of a key, RFC 8705 3.1 of a certificate.
        thumbprint: [u8; 32],
    },
    /// A server behind the gate, for everybody.
    Server {
        /// Its registered name.
        server: String,
    },
}

/// More revocations than [`REVOCATIONS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenylistFull;

/// Issuer → what of it is shut off.
type OfIssuer = BTreeMap<String, BTreeSet<String>>;

/// Everything that is shut off at one moment.
#[derive(Clone, Debug, Default)]
pub struct Denylist {
    agents: BTreeSet<String>,
    servers: BTreeSet<String>,
    users: OfIssuer,
    tokens: OfIssuer,
    sessions: OfIssuer,
    keys: BTreeSet<[u8; 32]>,
    /// Agent → the moment before which nothing of it is good.
    agents_before: BTreeMap<String, UnixTime>,
    /// Issuer → user → the moment before which nothing of them is good.
    users_before: BTreeMap<String, BTreeMap<String, UnixTime>>,
    /// Agent → users it may not act for.
    delegations: BTreeMap<String, OfIssuer>,
}

impl Denylist {
    /// The list of these revocations; the same one twice counts once.
    ///
    /// # Errors
    /// [`DenylistFull`].
    pub fn new<'a>(revocations: impl IntoIterator<Item = &'a Revocation>) -> Result<Self, DenylistFull> {
        let mut list = Self::default();
        for (count, revocation) in revocations.into_iter().enumerate() {
            if count >= REVOCATIONS_MAX {
                return Err(DenylistFull);
            }
            list.add(revocation);
        }
        Ok(list)
    }

    fn add(&mut self, revocation: &Revocation) {
        let insert = |list: &mut OfIssuer, issuer: &String, what: &String| {
            list.entry(issuer.clone()).or_default().insert(what.clone());
        };
        // Of two moments the later one says all that the earlier one does.
        let raise = |list: &mut BTreeMap<String, UnixTime>, who: &String, to: UnixTime| {
            let moment = list.entry(who.clone()).or_insert(to);
            *moment = to.max(*moment);
        };
        match revocation {
            Revocation::Agent { agent } => {
                self.agents.insert(agent.clone());
            }
            Revocation::Server { server } => {
                self.servers.insert(server.clone());
            }
            Revocation::User { issuer, user } => insert(&mut self.users, issuer, user),
            Revocation::AgentBefore { agent, issued_before } => raise(&mut self.agents_before, agent, *issued_before),
            Revocation::UserBefore {
                issuer,
                user,
                issued_before,
            } => raise(
                self.users_before.entry(issuer.clone()).or_default(),
                user,
                *issued_before,
            ),
            Revocation::Token { issuer, id } => insert(&mut self.tokens, issuer, id),
            Revocation::Session { issuer, session } => insert(&mut self.sessions, issuer, session),
            Revocation::Key { thumbprint } => {
                self.keys.insert(*thumbprint);
            }
            Revocation::Delegation { agent, issuer, user } => {
                insert(self.delegations.entry(agent.clone()).or_default(), issuer, user);
            }
        }
    }

    /// Lets `principal` pass if nothing that makes it up is shut off.
    ///
    /// # Errors
    /// What is shut off, the agent first.
    pub fn check(&self, principal: &Principal) -> Result<(), IdentityError> {
        let found = self
            .of_agent(principal)
            .or_else(|| self.of_user(principal))
            .or_else(|| self.of_pair(principal));
        found.map_or(Ok(()), |(side, fault)| Err(IdentityError::new(side, fault)))
    }

    fn of_agent(&self, principal: &Principal) -> Option<(Side, Fault)> {
        let (agent, auth) = (principal.agent(), principal.auth());
        let before = self.agents_before.get(agent.name());
        let fault = if self.agents.contains(agent.name()) {
            Fault::AgentRevoked
        } else if before.is_some_and(|moment| auth.agent_issued < *moment) {
            Fault::Outdated
        } else {
            self.of_token(agent.issuer(), auth.agent_jti.as_ref(), auth.agent_sid.as_ref())?
        };
        Some((Side::Agent, fault))
    }

    fn of_user(&self, principal: &Principal) -> Option<(Side, Fault)> {
        let (user, auth) = (principal.user(), principal.auth());
        let before = self
            .users_before
            .get(user.issuer())
            .and_then(|users| users.get(user.id()));
        let fault = if listed(&self.users, user.issuer(), user.id()) {
            Fault::UserRevoked
        } else if before.is_some_and(|moment| auth.user_issued < *moment) {
            Fault::Outdated
        } else {
            self.of_token(user.issuer(), auth.user_jti.as_ref(), auth.user_sid.as_ref())?
        };
        Some((Side::User, fault))
    }

    fn of_pair(&self, principal: &Principal) -> Option<(Side, Fault)> {
        let (user, users) = (principal.user(), self.delegations.get(principal.agent().name()));
        if users.is_some_and(|users| listed(users, user.issuer(), user.id())) {
            return Some((Side::Pair, Fault::DelegationRevoked));
        }
        let revoked = principal.key().is_some_and(|key| self.keys.contains(&key));
        revoked.then_some((Side::Pair, Fault::KeyRevoked))
    }

    fn of_token(&self, issuer: &str, id: Option<&String>, session: Option<&String>) -> Option<Fault> {
        if id.is_some_and(|id| listed(&self.tokens, issuer, id)) {
            return Some(Fault::TokenRevoked);
        }
        let revoked = session.is_some_and(|session| listed(&self.sessions, issuer, session));
        revoked.then_some(Fault::SessionRevoked)
    }

    /// Whether the server of that name is shut off.
    #[must_use]
    pub fn closes(&self, server: &str) -> bool {
        self.servers.contains(server)
    }
}

fn listed(list: &OfIssuer, issuer: &str, what: &str) -> bool {
    list.get(issuer).is_some_and(|all| all.contains(what))
}

impl fmt::Display for DenylistFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {REVOCATIONS_MAX} revocations are in force")
    }
}

impl core::error::Error for DenylistFull {}
