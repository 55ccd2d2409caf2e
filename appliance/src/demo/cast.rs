//! Who appears in the story. What each may do is in the demo's configuration and policies; this is how they are shown.

/// An agent.
#[derive(Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its name in the configuration.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
}

/// A user.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    /// The name in the configuration.
    pub name: &'static str,
    /// Who that is, in a few words.
    pub about: &'static str,
}

/// The assistant at the desk.
pub const QUILL: Agent = Agent {
    name: "quill",
    about: "assistant, works beside a person",
};
/// The job that runs at night.
pub const COURIER: Agent = Agent {
    name: "courier",
    about: "batch job, runs at night, alone",
};
/// Keeps the ledger.
pub const MARA: User = User {
    name: "mara",
    about: "clerk, keeps the ledger",
};
/// Reads the ledger.
pub const TOBIAS: User = User {
    name: "tobias",
    about: "inspector, reads the ledger",
};

/// Every agent.
pub const AGENTS: [&Agent; 2] = [&QUILL, &COURIER];
/// Every user.
pub const USERS: [&User; 2] = [&MARA, &TOBIAS];
