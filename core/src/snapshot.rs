//! One immutable bundle of everything a decision reads: trust, policy, catalog, minting keys, servers.
//!
//! The control plane publishes a snapshot as one generation; a request reads one generation from start to end. Nothing
//! here changes after publication, and nothing here is learned from traffic. Its parts are shared, so that a generation
//! that differs in one of them costs only that one.

use std::sync::Arc;

use crate::credential::Credentials;
use crate::identity::{Denylist, Nonces, Principal, Trust};
use crate::policy::{Catalog, PolicySet};
use crate::signals::Standing;

/// A published configuration.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counts publications; a higher one replaces a lower one.
    pub generation: u64,
    /// Issuers, keys, registered agents.
    pub trust: Arc<Trust>,
    /// Whom and what the operator has shut off.
    pub denylist: Arc<Denylist>,
    /// What transmitters of signals said of users, for policies.
    pub standing: Arc<Standing>,
    /// The policies in force.
    pub policies: Arc<PolicySet>,
    /// What the operator says about each tool.
    pub catalog: Arc<Catalog>,
    /// What each server is shown.
    pub credentials: Arc<Credentials>,
    /// The servers behind the gate, at most [`crate::limits::SERVERS`].
    pub servers: Arc<[Server]>,
    /// How the gate is reached.
    pub front: Front,
    /// What is asked of proofs of possession.
    pub proofs: Proofs,
}

/// What is asked of proofs of possession.
#[derive(Clone, Debug)]
pub struct Proofs {
    /// Whether a proof needs a nonce of this gate.
    pub require_nonce: bool,
    /// The nonces; they stay when everything else is published anew.
    pub nonces: Arc<Nonces>,
}

impl Snapshot {
    /// The server whose gate path is exactly `path`.
    #[must_use]
    pub fn server_at(&self, path: &str) -> Option<&Server> {
        self.servers.iter().find(|server| server.path == path)
    }

    /// Whether the agent may reach that server at all: both are active, and the registration allows it.
    #[must_use]
    pub fn may_use(&self, principal: &Principal, server: &Server) -> bool {
        server.open && !self.denylist.closes(&server.name) && self.trust.may_use(principal.agent().name(), &server.name)
    }

    /// The server of this name.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|server| &*server.name == name)
    }
}

/// How the gate is reached from outside.
#[derive(Clone, Debug)]
pub struct Front {
    /// Scheme and authority, without a trailing slash. The issuer of minted tokens and the base of all metadata.
    pub public_url: String,
    /// The exact `Host` values that are answered, lower-case.
    pub allowed_hosts: Vec<String>,
    /// The exact `Origin` values that are answered; a request without `Origin` is no browser's.
    pub allowed_origins: Vec<String>,
    /// Issuers named as authorization servers in the protected resource metadata.
    pub authorization_servers: Vec<String>,
    /// Where transmitters of signals may push SETs.
    pub signals: Vec<SignalDoor>,
    /// Whether clients are asked for a certificate.
    pub certificates: bool,
}

/// Where one transmitter of signals may push SETs.
#[derive(Clone, PartialEq, Eq)]
pub struct SignalDoor {
    /// The operator's name of the transmitter.
    pub name: Arc<str>,
    /// Its path at the gate.
    pub path: String,
    /// The SHA-256 of the bearer token that it shows.
    pub token: [u8; 32],
}

impl core::fmt::Debug for SignalDoor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SignalDoor")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A server behind the gate.
#[derive(Debug)]
pub struct Server {
    /// The operator's name of it: the first half of a tool id in policy.
    pub name: Arc<str>,
    /// Its path at the gate, `/NAME/mcp`.
    pub path: String,
    /// `host[:port]` sent upstream as `Host`.
    pub authority: String,
    /// The path requested upstream.
    pub upstream_path: String,
    /// The audience of every token minted for it (RFC 8707 resource).
    pub audience: String,
    /// The protocol eras it serves.
    pub eras: Eras,
    /// Whether it is registered as active: one that is not refuses every request.
    pub open: bool,
}

/// Which protocol eras a server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eras {
    /// The initialize handshake only (2024-11-05 to 2025-11-25).
    Legacy,
    /// Per-request metadata only (2026-07-28).
    Modern,
    /// Both.
    Dual,
}

impl Eras {
    /// Whether the initialize handshake is served.
    #[must_use]
    pub const fn legacy(self) -> bool {
        matches!(self, Self::Legacy | Self::Dual)
    }

    /// Whether per-request metadata is served.
    #[must_use]
    pub const fn modern(self) -> bool {
        matches!(self, Self::Modern | Self::Dual)
    }

    /// The versions served, newest first.
    #[must_use]
    pub const fn versions(self) -> &'static [&'static str] {
        const ALL: [&str; 5] = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
        let (newest, rest) = ALL.split_at(1);
        match self {
            Self::Legacy => rest,
            Self::Modern => newest,
            Self::Dual => &ALL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_era_names_exactly_its_versions() {
        assert_eq!(Eras::Modern.versions(), ["2026-07-28"]);
        assert_eq!(Eras::Legacy.versions().len(), 4);
        assert_eq!(Eras::Dual.versions().len(), 5);
    }
}
