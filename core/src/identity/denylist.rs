//! Whom and what the operator has shut off: agents, users, one agent for one user, single tokens, servers.
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
        match revocation {
            Revocation::Agent { agent } => {
                self.agents.insert(agent.clone());
            }
            Revocation::Server { server } => {
                self.servers.insert(server.clone());
            }
            Revocation::User { issuer, user } => insert(&mut self.users, issuer, user),
            Revocation::Token { issuer, id } => insert(&mut self.tokens, issuer, id),
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
        let (agent, user, auth) = (principal.agent(), principal.user(), principal.auth());
        let listed = |list: &OfIssuer, issuer: &str, what: &str| list.get(issuer).is_some_and(|all| all.contains(what));
        let token = |issuer: &str, id: Option<&String>| id.is_some_and(|id| listed(&self.tokens, issuer, id));
        if self.agents.contains(agent.name()) {
            return Err(IdentityError::new(Side::Agent, Fault::AgentRevoked));
        }
        if token(agent.issuer(), auth.agent_jti.as_ref()) {
            return Err(IdentityError::new(Side::Agent, Fault::TokenRevoked));
        }
        if listed(&self.users, user.issuer(), user.id()) {
            return Err(IdentityError::new(Side::User, Fault::UserRevoked));
        }
        if token(user.issuer(), auth.user_jti.as_ref()) {
            return Err(IdentityError::new(Side::User, Fault::TokenRevoked));
        }
        let users = self.delegations.get(agent.name());
        if users.is_some_and(|users| listed(users, user.issuer(), user.id())) {
            return Err(IdentityError::new(Side::Pair, Fault::DelegationRevoked));
        }
        Ok(())
    }

    /// Whether the server of that name is shut off.
    #[must_use]
    pub fn closes(&self, server: &str) -> bool {
        self.servers.contains(server)
    }
}

impl fmt::Display for DenylistFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {REVOCATIONS_MAX} revocations are in force")
    }
}

impl core::error::Error for DenylistFull {}
