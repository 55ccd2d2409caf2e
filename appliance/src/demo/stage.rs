//! The stage of the story: the sample server, a configuration with its keys and policies, and the real gate on it.
//!
//! Everything is made at start, in a directory that only this user can read and that goes when the stage does. The
//! gate is configured exactly as `portreeve serve` does it, and started by the caller, who knows how.

use std::fmt;
use std::fs;
use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use portreeve_core::credential::KeyError;
use portreeve_core::credential::SigningKey;
use portreeve_core::jose::jwks::JwksError;
use portreeve_core::jose::jwks::KeySet;
use portreeve_core::snapshot::Snapshot;

use super::cast::Agent;
use super::cast::User;
use super::server;
use super::server::Guard;
use super::server::Server;
use crate::clock;
use crate::config;
use crate::config::Config;
use crate::config::Diagnostic;
use crate::config::embedded;
use crate::config::embedded::Credentials;
use crate::config::keys;
use crate::config::keys::Role;
use crate::config::publish;

/// The server's name at the gate.
pub const SERVER: &str = "ledger";
/// Longest life of the callers' tokens.
pub const LIFETIME_MAX: Duration = Duration::from_secs(3600);

const CONFIG: &str = include_str!("portreeve.toml");
/// What stands in [`CONFIG`] for the address of the server.
const LEDGER: &str = "LEDGER";
const POLICIES: [(&str, &str); 3] = [
    ("hall.cedar", include_str!("policies/hall.cedar")),
    ("agents.cedar", include_str!("policies/agents.cedar")),
    ("arguments.cedar", include_str!("policies/arguments.cedar")),
];

/// What the demo needs of a gate that runs.
pub trait RunningGate: fmt::Debug {
    /// Where it listens; the real port where the configuration says 0.
    fn address(&self) -> SocketAddr;

    /// Puts another snapshot in force.
    ///
    /// # Errors
    /// Why it is not, in words.
    fn publish(&self, config: &Config, snapshot: Snapshot) -> Result<(), String>;

    /// Stops it, and returns when it has stopped.
    fn stop(self: Box<Self>);
}

/// Starts a gate; the error is in words.
pub type StartGate = fn(&Config, Snapshot) -> Result<Box<dyn RunningGate>, String>;

/// Why the stage does not stand.
#[derive(Debug)]
pub enum StageError {
    /// The sample server or the directory could not be made.
    Io(io::Error),
    /// The demo's own configuration was refused.
    Config(Vec<Diagnostic>),
    /// The gate's published keys were refused.
    Keys(JwksError),
    /// The gate did not start, or not with the demo's configuration.
    Gate(String),
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Config(faults) => faults.iter().try_for_each(|fault| writeln!(f, "{fault}")),
            Self::Keys(error) => error.fmt(f),
            Self::Gate(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for StageError {}

impl From<io::Error> for StageError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Vec<Diagnostic>> for StageError {
    fn from(faults: Vec<Diagnostic>) -> Self {
        Self::Config(faults)
    }
}

impl From<Diagnostic> for StageError {
    fn from(fault: Diagnostic) -> Self {
        Self::Config(vec![fault])
    }
}

/// Everything that stands while the story is told.
#[derive(Debug)]
pub struct Stage {
    gate: Box<dyn RunningGate>,
    /// The server behind the gate.
    pub server: Server,
    config: Config,
    issuer: SigningKey,
    folder: Folder,
}

impl Stage {
    /// Starts the server and the gate on free loopback ports.
    pub fn stand(start: StartGate) -> Result<Self, StageError> {
        let folder = Folder::new()?;
        let ledger = server::Bound::new()?;
        let mut config = configure(&folder.0, ledger.address())?;
        keys::ensure(&config)?;
        let gate = start(&config, publish::snapshot(&config)?).map_err(StageError::Gate)?;
        // Only now is the port known, and the gate's own name contains it.
        config.gate.public_url = format!("http://{}", gate.address());
        let open = publish::snapshot(&config)?;
        let guard = Guard {
            issuer: config.gate.public_url.clone(),
            audience: config
                .servers
                .first()
                .map(|server| server.audience.clone())
                .unwrap_or_default(),
            keys: KeySet::parse(&open.credentials.jwks_document()).map_err(StageError::Keys)?,
        };
        gate.publish(&config, open).map_err(StageError::Gate)?;
        let issuer = keys::load(&config, Role::Embedded)?;
        Ok(Self {
            gate,
            server: ledger.serve(guard)?,
            config,
            issuer,
            folder,
        })
    }

    /// Where the gate listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.gate.address()
    }

    /// The URL at which agents find the server.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}{}", self.config.gate.public_url, path())
    }

    /// What `agent` presents when it acts for `user`: two tokens of the embedded issuer, linked to each other.
    pub fn credentials(&self, agent: &Agent, user: &User, lifetime: Duration) -> Result<Credentials, KeyError> {
        let registered = self
            .config
            .agents
            .iter()
            .find(|registered| registered.name == agent.name);
        let order = embedded::Order {
            agent: registered.ok_or(KeyError::Signing)?,
            user: user.name,
            groups: self.groups(user),
            now: clock::now(),
            lifetime,
            entropy: [entropy(), entropy()],
            key: None,
        };
        embedded::issue(&self.issuer, &self.config.gate.public_url, &order)
    }

    /// Ends everything, the gate first.
    pub fn close(self) {
        self.gate.stop();
    }

    fn groups(&self, user: &User) -> &[String] {
        self.config
            .embedded
            .as_ref()
            .and_then(|issuer| issuer.users.get(user.name))
            .map_or(&[], Vec::as_slice)
    }

    /// The directory of the configuration, the policies and the state.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// The directory of the gate's audit.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.config.gate.state_dir.join("audit")
    }
}

/// The gate's path of the server.
#[must_use]
pub fn path() -> String {
    format!("/{SERVER}/mcp")
}

fn configure(folder: &Path, ledger: SocketAddr) -> Result<Config, StageError> {
    let directory = |name: &str| DirBuilder::new().mode(0o700).create(folder.join(name));
    directory("policies")?;
    directory("state")?;
    for (name, text) in POLICIES {
        fs::write(folder.join("policies").join(name), text)?;
    }
    let file = folder.join("portreeve.toml");
    fs::write(&file, CONFIG.replace(LEDGER, &ledger.to_string()))?;
    Ok(config::load(&file)?)
}

fn entropy() -> [u8; 16] {
    let mut bytes = [0; 16];
    clock::entropy(&mut bytes);
    bytes
}

/// A directory that only this user can read and that goes with the value.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let name = format!("portreeve-demo-{:032x}", u128::from_be_bytes(entropy()));
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed from the temporary directory is the system's to clear.
        drop(fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_configuration_and_policies_are_accepted_and_gone_afterwards() {
        let folder = Folder::new().unwrap();
        let path = folder.0.clone();
        let config = configure(&path, SocketAddr::from(([127, 0, 0, 1], 1))).unwrap();
        keys::ensure(&config).unwrap();
        let snapshot = publish::snapshot(&config).unwrap();
        assert_eq!(snapshot.server(SERVER).unwrap().path, super::path());
        for name in super::super::cast::AGENTS.map(|agent| agent.name) {
            assert!(config.agents.iter().any(|agent| agent.name == name), "{name}");
        }
        drop(folder);
        assert!(!path.exists());
    }
}
