//! What the admin API takes and gives, as JSON. `docs/admin-api.md` says the same in prose.

use std::fmt;
use std::str::FromStr;

mod registry;

pub use registry::{
    AgentEntry, Edit, Edited, KeyEntry, NewAgent, NewServer, Noun, REGISTRY, Registration, Registry, ServerEntry,
    State, UNDO, Undo, Undone,
};

use portreeve_core::identity::Revocation;
use portreeve_core::jose::base64url;
use portreeve_core::time::UnixTime;
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
    /// Who tells it what became of sessions and users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<TransmitterStatus>,
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

/// How a transmitter of signals is. Times are seconds since 1970, numbers are since the start of the gate.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct TransmitterStatus {
    /// Its name in the configuration.
    pub name: String,
    /// The exact `iss` of its SETs.
    pub issuer: String,
    /// Usable keys in force; without any, all its SETs are refused.
    pub keys: usize,
    /// Where SETs are fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<String>,
    /// Where it may push SETs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<String>,
    /// SETs that were carried out.
    pub accepted: u64,
    /// SETs that came once more.
    pub repeated: u64,
    /// SETs that were refused.
    pub refused: u64,
    /// When one was carried out last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accepted: Option<u64>,
    /// The last refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<RefusedSet>,
    /// When it answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<u64>,
    /// Present while SETs cannot be fetched or carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
}

/// A SET that was refused.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct RefusedSet {
    /// When.
    pub at: u64,
    /// Why.
    pub error: String,
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
    /// Present while it does not say what opaque tokens are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<Failing>,
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
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// An agent, for every user.
    Agent {
        /// Its registered name.
        agent: String,
        /// Only its tokens that were issued before this moment, in seconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issued_before: Option<u64>,
    },
    /// A user, through every agent.
    User {
        /// The user's `iss`.
        issuer: String,
        /// The user's id there.
        user: String,
        /// Only tokens that were issued before this moment, in seconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issued_before: Option<u64>,
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
    /// All tokens of a login session.
    Session {
        /// The tokens' `iss`.
        issuer: String,
        /// Their `sid`.
        session: String,
    },
    /// All tokens that are bound to a key or certificate.
    Key {
        /// Its thumbprint.
        thumbprint: Thumbprint,
    },
    /// A server.
    Server {
        /// Its registered name.
        server: String,
    },
}

/// A SHA-256 thumbprint of a key or certificate; as text base64url.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thumbprint(pub [u8; 32]);

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
    /// Who did it.
    pub by: By,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Who shut something off: a user id, `{"transmitter": NAME}` or `{"server": NAME}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum By {
    /// Whoever asked through the admin API, by user id.
    Uid(u32),
    /// A transmitter of signals.
    Transmitter {
        /// Its name in the configuration.
        transmitter: String,
    },
    /// Whoever holds a token that was made for a server.
    Server {
        /// Its name in the configuration.
        server: String,
    },
}

impl By {
    /// Whether it is a transmitter.
    #[must_use]
    pub const fn is_transmitter(&self) -> bool {
        matches!(self, Self::Transmitter { .. })
    }
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
            Self::Agent { agent, .. } => vec![agent],
            Self::User { issuer, user, .. } => vec![issuer, user],
            Self::Delegation { agent, issuer, user } => vec![agent, issuer, user],
            Self::Token { issuer, id } => vec![issuer, id],
            Self::Session { issuer, session } => vec![issuer, session],
            Self::Key { .. } => Vec::new(),
            Self::Server { server } => vec![server],
        }
    }

    /// The moment, in seconds since 1970, where only tokens issued before it are meant.
    #[must_use]
    pub const fn issued_before(&self) -> Option<u64> {
        match self {
            Self::Agent { issued_before, .. } | Self::User { issued_before, .. } => *issued_before,
            _ => None,
        }
    }

    /// The same, whatever the moment before which tokens are meant.
    #[must_use]
    pub fn subject(&self) -> Self {
        let mut subject = self.clone();
        if let Self::Agent { issued_before, .. } | Self::User { issued_before, .. } = &mut subject {
            *issued_before = issued_before.map(|_| 0);
        }
        subject
    }
}

/// What an edit is about, as something that can be shut off.
impl From<&Edit> for What {
    fn from(edit: &Edit) -> Self {
        match edit.subject() {
            (Noun::Agent, name) => Self::Agent {
                agent: name.to_owned(),
                issued_before: None,
            },
            (Noun::Server, name) => Self::Server {
                server: name.to_owned(),
            },
        }
    }
}

impl From<&What> for Revocation {
    fn from(what: &What) -> Self {
        match what.clone() {
            What::Agent {
                agent,
                issued_before: None,
            } => Self::Agent { agent },
            What::Agent {
                agent,
                issued_before: Some(moment),
            } => Self::AgentBefore {
                agent,
                issued_before: UnixTime::from_secs(moment),
            },
            What::User {
                issuer,
                user,
                issued_before: None,
            } => Self::User { issuer, user },
            What::User {
                issuer,
                user,
                issued_before: Some(moment),
            } => Self::UserBefore {
                issuer,
                user,
                issued_before: UnixTime::from_secs(moment),
            },
            What::Delegation { agent, issuer, user } => Self::Delegation { agent, issuer, user },
            What::Token { issuer, id } => Self::Token { issuer, id },
            What::Session { issuer, session } => Self::Session { issuer, session },
            What::Key {
                thumbprint: Thumbprint(thumbprint),
            } => Self::Key { thumbprint },
            What::Server { server } => Self::Server { server },
        }
    }
}

impl From<&Revocation> for What {
    fn from(revocation: &Revocation) -> Self {
        match revocation.clone() {
            Revocation::Agent { agent } => Self::Agent {
                agent,
                issued_before: None,
            },
            Revocation::AgentBefore { agent, issued_before } => Self::Agent {
                agent,
                issued_before: Some(issued_before.secs()),
            },
            Revocation::User { issuer, user } => Self::User {
                issuer,
                user,
                issued_before: None,
            },
            Revocation::UserBefore {
                issuer,
                user,
                issued_before,
            } => Self::User {
                issuer,
                user,
                issued_before: Some(issued_before.secs()),
            },
            Revocation::Delegation { agent, issuer, user } => Self::Delegation { agent, issuer, user },
            Revocation::Token { issuer, id } => Self::Token { issuer, id },
            Revocation::Session { issuer, session } => Self::Session { issuer, session },
            Revocation::Key { thumbprint } => Self::Key {
                thumbprint: Thumbprint(thumbprint),
            },
            Revocation::Server { server } => Self::Server { server },
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent { agent, .. } => write!(f, "agent {}", agent.escape_debug()),
            Self::User { issuer, user, .. } => {
                write!(f, "user {} of {}", user.escape_debug(), issuer.escape_debug())
            }
            Self::Delegation { agent, issuer, user } => write!(
                f,
                "agent {} for user {} of {}",
                agent.escape_debug(),
                user.escape_debug(),
                issuer.escape_debug()
            ),
            Self::Token { issuer, id } => write!(f, "token {} of {}", id.escape_debug(), issuer.escape_debug()),
            Self::Session { issuer, session } => {
                write!(f, "session {} of {}", session.escape_debug(), issuer.escape_debug())
            }
            Self::Key { thumbprint } => write!(f, "key {thumbprint}"),
            Self::Server { server } => write!(f, "server {}", server.escape_debug()),
        }?;
        match self.issued_before() {
            Some(moment) => write!(f, " (tokens issued before {})", UnixTime::from_secs(moment)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "user id {uid}"),
            Self::Transmitter { transmitter } => write!(f, "transmitter {}", transmitter.escape_debug()),
            Self::Server { server } => write!(f, "server {}", server.escape_debug()),
        }
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl FromStr for Thumbprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = base64url::decode_array(text.as_bytes());
        bytes
            .map(Self)
            .map_err(|_| "a thumbprint is the base64url text of 32 bytes, 43 characters")
    }
}

impl TryFrom<String> for Thumbprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> Self {
        thumbprint.to_string()
    }
}
