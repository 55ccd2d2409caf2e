//! The registered agents and servers on the admin API: what is listed and what can be changed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who and what is registered: GET lists it, POST changes one of it.
pub const REGISTRY: &str = "/v1/registry";

/// POST takes the last change back.
pub const UNDO: &str = "/v1/registry/undo";

/// Takes the last change back; there is nothing to say about it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {}

/// What was taken back.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// What had been done.
    pub what: String,
    /// The generation in force on every shard; none where no gate runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// The two things that are registered.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Noun {
    /// An agent.
    Agent,
    /// A server.
    Server,
}

/// Whether an agent may act, or a server be used.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It may.
    #[default]
    Active,
    /// Not now; expected back.
    Suspended,
    /// Never again.
    Revoked,
}

/// One change of the configuration file. Dates are written as in the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Registers an agent.
    AddAgent(NewAgent),
    /// Registers a server.
    AddServer(NewServer),
    /// Says whether one of them may act or be used.
    SetState {
        /// What it is.
        of: Noun,
        /// Its name.
        name: String,
        /// The state from then on.
        state: State,
    },
    /// Gives an agent one more API key; those of its keys that have expired go.
    AddKey {
        /// The agent's name.
        name: String,
        /// The SHA-256 of the key, 64 lower-case hexadecimal digits.
        sha256: String,
        /// Until when it is taken; for 90 days if it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<String>,
    },
    /// Ends an API key of an agent, for good.
    DropKey {
        /// The agent's name.
        name: String,
        /// The first eight digits of the key's SHA-256.
        id: String,
    },
    /// Records that its access was reviewed.
    Review {
        /// What it is.
        of: Noun,
        /// Its name.
        name: String,
        /// When the next review is due; in 90 days if it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
}

/// An agent to register; the keys of `[agents.NAME]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewAgent {
    /// Its name.
    pub name: String,
    /// The name of its issuer.
    pub issuer: String,
    /// Who it is at its issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The servers it may reach at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<Vec<String>>,
    /// Its groups in policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Until when it may act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When its access is to be reviewed next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
}

/// A server to register; the keys of `[servers.NAME]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewServer {
    /// Its name.
    pub name: String,
    /// Its MCP endpoint.
    pub url: String,
    /// The protocol eras it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub era: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// When its access is to be reviewed next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
}

/// What came of an edit.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Edited {
    /// False where the file said so already.
    pub changed: bool,
    /// What stood there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What stands there now.
    pub after: String,
    /// Where it stands.
    pub line: usize,
    /// The generation in force on every shard; none where no gate runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Whether it is shut off by an order, whatever the file says.
    pub shut_off: bool,
}

/// Who and what is registered.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Registry {
    /// The file it is written in.
    pub file: String,
    /// The generation in force; none where no gate runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// By name.
    pub agents: Vec<AgentEntry>,
    /// By name.
    pub servers: Vec<ServerEntry>,
}

/// What people want to know of an agent or server beside what it is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Registration {
    /// Its line in the file.
    pub line: usize,
    /// Whether it may act or be used, as the file says.
    pub state: State,
    /// Whether it is shut off by an order, whatever the file says.
    pub shut_off: bool,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// When its access is to be reviewed next.
    pub review: Option<String>,
    /// Whether that day has come.
    pub review_due: bool,
}

/// A registered agent.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct AgentEntry {
    /// Its name.
    pub name: String,
    /// What people want to know of it.
    #[serde(flatten)]
    pub registration: Registration,
    /// The name of its issuer.
    pub issuer: String,
    /// Who it is at its issuer.
    pub subject: String,
    /// Its groups in policies.
    pub groups: Vec<String>,
    /// The servers it may reach at all; none leaves that to the policies.
    pub servers: Option<Vec<String>>,
    /// Until when it may act, as the file says.
    pub expires: Option<String>,
    /// The first moment at which it is refused, in seconds since 1970.
    pub expires_at: Option<u64>,
    /// Whether that moment has passed.
    pub expired: bool,
    /// When it was last let in, in seconds since 1970; none where the gate does not remember it.
    pub last_seen: Option<u64>,
    /// Its API keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyEntry>,
}

/// An API key of an agent.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct KeyEntry {
    /// The first eight digits of its SHA-256.
    pub id: String,
    /// When it was made, if the file says so.
    pub created: Option<String>,
    /// Until when it is taken, as the file says.
    pub expires: String,
    /// The first moment at which it is refused, in seconds since 1970.
    pub expires_at: u64,
    /// Whether that moment has passed.
    pub expired: bool,
}

/// A registered server.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ServerEntry {
    /// Its name.
    pub name: String,
    /// What people want to know of it.
    #[serde(flatten)]
    pub registration: Registration,
    /// Its MCP endpoint.
    pub url: String,
    /// Its path at the gate.
    pub path: String,
    /// The protocol eras it serves.
    pub era: String,
    /// How many of its tools have been reviewed.
    pub tools: usize,
}

impl Noun {
    /// The word for one of them.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Server => "server",
        }
    }
}

impl State {
    /// As it is written in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

impl Edit {
    /// What is changed, and its name.
    #[must_use]
    pub fn subject(&self) -> (Noun, &str) {
        match self {
            Self::AddAgent(agent) => (Noun::Agent, &agent.name),
            Self::AddServer(server) => (Noun::Server, &server.name),
            Self::AddKey { name, .. } | Self::DropKey { name, .. } => (Noun::Agent, name),
            Self::SetState { of, name, .. } | Self::Review { of, name, .. } => (*of, name),
        }
    }

    /// What is done, in one word.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::AddAgent(_) | Self::AddServer(_) => "add",
            Self::AddKey { .. } => "key new",
            Self::DropKey { .. } => "key drop",
            Self::Review { .. } => "review",
            Self::SetState { state, .. } => match state {
                State::Active => "resume",
                State::Suspended => "suspend",
                State::Revoked => "revoke",
            },
        }
    }
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
