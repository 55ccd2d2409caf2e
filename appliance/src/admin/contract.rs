//! What the admin API takes and gives, as JSON. `docs/admin-api.md` says the same in prose.

use std::fmt;

mod registry;

pub use registry::{
    AgentEntry, Edit, Edited, KeyEntry, NewAgent, NewServer, Noun, REGISTRY, Registration, Registry, ServerEntry,
    State, UNDO, Undo, Undone,
};

use portreeve_core::identity::Revocation;
use serde::{Deserialize, Serialize};

/// What is shut off: GET lists it, POST adds to it.
pub const REVOCATIONS: &str = "/v1/revocations";
/// POST lets something back in.
pub const LIFT: &str = "/v1/revocations/lift";

/// GET says how the gate is.
pub const STATUS: &str = "/v1/status";
/// POST fetches an issuer's keys now.
pub const REFRESH: &str = "/v1/issuers/refresh";

/// How the gate is. Times are seconds since 1970.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its clock.
    pub now: u64,
    /// The generation in force.
    pub generation: u64,
    /// How clients reach it.
    pub public_url: String,
    /// The address it listens on.
    pub listening: String,
    /// Whom it believes.
    pub issuers: Vec<IssuerStatus>,
    /// What stands behind it.
    pub servers: Vec<ServerStatus>,
}

/// How a server's credentials are.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ServerStatus {
    /// Its name in the configuration.
    pub name: String,
    /// What it is shown: `mint`, `static`, `exchange`, `id_jag`, `client_credentials` or `none`.
    pub credential: String,
    /// Present while no token can be had for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
}

/// How an issuer is. Times are seconds since 1970.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct IssuerStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Its exact `iss`.
    pub issuer: String,
    /// Usable keys in force; without any, all its tokens are refused.
    pub keys: usize,
    /// Why further keys of its set are not used.
    pub dropped: Vec<String>,
    /// Whether its keys are fetched; the others are files, or the gate's own.
    pub fetches: bool,
    /// Where its keys were fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// When they were fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<u64>,
    /// Until when they stay in force while it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_until: Option<u64>,
    /// Present while it does not answer as it must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
}

/// Since when somebody does not answer as they must.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// Since when.
    pub since: u64,
    /// Requests since then.
    pub attempts: u32,
    /// What was wrong with the last one.
    pub error: String,
}

/// Fetches an issuer's keys now.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// Its name in the configuration.
    pub issuer: String,
}

/// What can be shut off. Issuers are exact `iss` values.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// An agent, for every user.
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
    /// One token.
    Token {
        /// The token's `iss`.
        issuer: String,
        /// The token's `jti`.
        id: String,
    },
    /// A server.
    Server {
        /// Its registered name.
        server: String,
    },
}

/// Shuts something off.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// What.
    pub what: What,
    /// Why, for whoever reads the list later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Lets something back in.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    /// What.
    pub what: What,
}

/// Something that is shut off, since when and by whom.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What.
    pub what: What,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// The user id of whoever did it.
    pub by: u32,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Everything that is shut off.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Oldest first.
    pub revocations: Vec<Entry>,
}

/// What came of an order.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Done {
    /// False where it was so already.
    pub changed: bool,
    /// The generation in force on every shard.
    pub generation: u64,
}

/// Why it was not done.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// A sentence for a person.
    pub error: String,
}

impl What {
    /// Every name and id in it.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Agent { agent } => vec![agent],
            Self::User { issuer, user } => vec![issuer, user],
            Self::Delegation { agent, issuer, user } => vec![agent, issuer, user],
            Self::Token { issuer, id } => vec![issuer, id],
            Self::Server { server } => vec![server],
        }
    }
}

/// What an edit is about, as something that can be shut off.
impl From<&Edit> for What {
    fn from(edit: &Edit) -> Self {
        match edit.subject() {
            (Noun::Agent, name) => Self::Agent { agent: name.to_owned() },
            (Noun::Server, name) => Self::Server {
                server: name.to_owned(),
            },
        }
    }
}

impl From<&What> for Revocation {
    fn from(what: &What) -> Self {
        match what.clone() {
            What::Agent { agent } => Self::Agent { agent },
            What::User { issuer, user } => Self::User { issuer, user },
            What::Delegation { agent, issuer, user } => Self::Delegation { agent, issuer, user },
            What::Token { issuer, id } => Self::Token { issuer, id },
            What::Server { server } => Self::Server { server },
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent { agent } => write!(f, "agent {}", agent.escape_debug()),
            Self::User { issuer, user } => write!(f, "user {} of {}", user.escape_debug(), issuer.escape_debug()),
            Self::Delegation { agent, issuer, user } => write!(
                f,
                "agent {} for user {} of {}",
                agent.escape_debug(),
                user.escape_debug(),
                issuer.escape_debug()
            ),
            Self::Token { issuer, id } => write!(f, "token {} of {}", id.escape_debug(), issuer.escape_debug()),
            Self::Server { server } => write!(f, "server {}", server.escape_debug()),
        }
    }
}
