//! `portreeve.toml`: from text to a configuration whose every part is known to fit the others.
//!
//! Three steps, each in its own file: the text as written (`raw`), what it means (`resolve`), and what core needs of it
//! (`publish`). Only `load`, `keys` and `publish` touch files. A configuration that exists is a valid one; what is wrong
//! is reported as [`Diagnostic`]s, all of them at once where possible.

pub mod api_key;
pub mod certificates;
pub mod credential;
pub mod date;
pub mod diagnostic;
pub mod embedded;
pub mod introspection;
pub mod keys;
pub mod limits;
pub mod profile;
pub mod publish;
mod raw;
mod resolve;
pub mod value;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

pub use diagnostic::Diagnostic;
pub use limits::Limits;
pub use profile::Profile;
pub use raw::{AgentState, Algorithm, Class, Discovery, Era, MintAlgorithm, RequireBinding, ServerState};

use portreeve_core::identity::{ClaimNames, Dialect};
use portreeve_core::policy::Demands;

use certificates::{ClientCertificates, Vouching};
use date::{Day, Expiry};
use diagnostic::Source;
use portreeve_core::signals::SubjectIssuer;
use value::HttpUrl;

use crate::fetch::Place;
use crate::secrets::{KeySource, Store};

/// The name agents use for the embedded issuer.
pub const EMBEDDED: &str = "embedded";

/// Before the names of transmitters where they stand beside issuers.
const SIGNALS_PREFIX: &str = "signals.";

/// Largest configuration, policy, key or certificate file that is read.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A valid configuration. Paths are absolute or relative to the working directory, never to the file.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// How the gate is reached and where it keeps things.
    pub gate: Gate,
    /// Limits in force.
    pub limits: Limits,
    /// Issuers of agent tokens and user assertions.
    pub issuers: Vec<Issuer>,
    /// The issuer for a workstation without an identity provider.
    pub embedded: Option<Embedded>,
    /// The agents that may come; any other is refused.
    pub agents: Vec<Agent>,
    /// The servers behind the gate.
    pub servers: Vec<Server>,
    /// The tokens made for servers.
    pub mint: Mint,
    /// Where the key of the sealed store is kept.
    pub secrets: KeySource,
    /// What is asked of proofs of possession.
    pub proofs: Proofs,
    /// Who may say what became of sessions and users.
    pub signals: Vec<Signals>,
}

/// What is asked of proofs of possession.
#[derive(Clone, Copy, Debug)]
pub struct Proofs {
    /// Whether a proof needs a nonce of this gate.
    pub require_nonce: bool,
}

impl Config {
    /// The secrets that the gate holds for its servers.
    #[must_use]
    pub fn secret_store(&self) -> Store {
        Store::new(&self.gate.state_dir, self.secrets)
    }

    /// Everybody whose keys the gate needs: issuers, and transmitters of signals under a name that no issuer can have.
    pub fn signers(&self) -> impl Iterator<Item = Signer> {
        let issuers = self.issuers.iter().map(|issuer| Signer {
            name: issuer.name.clone(),
            issuer: issuer.issuer.clone(),
            keys: issuer.keys.clone(),
            ca_file: issuer.ca_file.clone(),
            max_stale: issuer.max_stale,
            require_at_start: issuer.require_at_start,
        });
        issuers.chain(self.signals.iter().map(|signals| signals.signer.clone()))
    }
}

/// How the gate is reached and where it keeps things.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Scheme and authority by which clients reach it, without a trailing slash.
    pub public_url: String,
    /// Executors of the data plane, one per core.
    pub shards: usize,
    /// The exact `Host` values that are answered.
    pub allowed_hosts: Vec<String>,
    /// The exact `Origin` values that are answered.
    pub allowed_origins: Vec<String>,
    /// Keys, audit and other state, mode 0700.
    pub state_dir: PathBuf,
    /// The directory of `*.cedar` files.
    pub policies: PathBuf,
    /// The gate's own certificate; without it the listener speaks plain HTTP.
    pub tls: Option<Tls>,
    /// The certificates that clients are asked for.
    pub client_certificates: Option<ClientCertificates>,
}

impl Gate {
    /// What the listener speaks.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The files that the listener's TLS is made of.
    pub(crate) fn listening_files(&self) -> impl Iterator<Item = &Path> {
        let own = self.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]);
        let vouching = self.client_certificates.as_ref().map(|asked| &asked.vouching);
        let clients = match vouching {
            Some(Vouching::Authorities { roots, revoked }) => [Some(roots), revoked.as_ref()],
            Some(Vouching::Nobody) | None => [None, None],
        };
        own.chain(clients.into_iter().flatten()).map(PathBuf::as_path)
    }
}

/// The gate's own certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM certificate chain, leaf first.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

impl Tls {
    pub(crate) fn files(&self) -> [&Path; 2] {
        [&self.certificate, &self.key]
    }
}

/// An issuer of agent tokens, of user assertions, or of both.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The operator's name of it.
    pub name: String,
    /// The exact `iss`.
    pub issuer: String,
    /// Where its keys are.
    pub keys: IssuerKeys,
    /// PEM certificates that its own must lead to, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// How old its keys may become while it does not answer.
    pub max_stale: Duration,
    /// Whether the gate must not start without its keys.
    pub require_at_start: bool,
    /// Whether it issues agent tokens.
    pub agents: bool,
    /// Whether it issues user assertions.
    pub users: bool,
    /// Any of these must be in `aud`.
    pub audiences: Vec<String>,
    /// The `typ` values that are read.
    pub types: Vec<String>,
    /// The algorithms that are read.
    pub algorithms: Vec<Algorithm>,
    /// The longest `exp` minus `iat`.
    pub max_lifetime: Duration,
    /// How far its clock may be off.
    pub leeway: Duration,
    /// How its tokens differ from RFC 9068.
    pub dialect: Dialect,
    /// Which claim means what.
    pub claims: ClaimNames,
    /// How it is asked about opaque tokens; without, it has none.
    pub introspection: Option<introspection::Introspection>,
    /// Names of issuers whose tokens may come beside its own without naming each other.
    pub unlinked_with: Vec<String>,
}

/// Whose keys the gate needs, and where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The operator's name of it.
    pub name: String,
    /// The exact `iss`.
    pub issuer: String,
    /// Where its keys are.
    pub keys: IssuerKeys,
    /// PEM certificates that its own must lead to, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// How old its keys may become while it does not answer.
    pub max_stale: Duration,
    /// Whether the gate must not start without its keys.
    pub require_at_start: bool,
}

/// A transmitter of shared signals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signals {
    /// The operator's name of it.
    pub name: String,
    /// Who signs its SETs.
    pub signer: Signer,
    /// The algorithms that are read.
    pub algorithms: Vec<Algorithm>,
    /// The `aud` of its SETs.
    pub audience: String,
    /// The issuers whose users and sessions it may speak about.
    pub subjects: Vec<SubjectIssuer>,
    /// Where SETs are fetched.
    pub poll: Option<Poll>,
    /// The file with the bearer token that it shows when it pushes SETs to the gate; without one it may not.
    pub push_token_file: Option<PathBuf>,
}

impl Signals {
    /// Where it pushes SETs at the gate.
    #[must_use]
    pub fn push_path(&self) -> String {
        format!("/signals/{}", self.name)
    }

    /// The name of a transmitter among those whose keys are kept.
    #[must_use]
    pub fn signer_name(name: &str) -> String {
        format!("{SIGNALS_PREFIX}{name}")
    }

    /// The name of the transmitter whose keys are kept under `signer`, if that is one.
    #[must_use]
    pub fn of_signer(signer: &str) -> Option<&str> {
        signer.strip_prefix(SIGNALS_PREFIX)
    }
}

/// Where SETs are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The endpoint of the stream (RFC 8936).
    pub place: Place,
    /// The file with the bearer token for it.
    pub token_file: Option<PathBuf>,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerKeys {
    /// In a file; nothing is fetched.
    File(PathBuf),
    /// At a place that the operator names.
    At(Place),
    /// Where the metadata of the issuer, which is such a place itself, says.
    Discovered(Place, Discovery),
}

/// The issuer for a workstation without an identity provider.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// The longest life of its tokens.
    pub max_lifetime: Duration,
    /// Groups by user name.
    pub users: BTreeMap<String, Vec<String>>,
}

/// A registered agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// The operator's name of it.
    pub name: String,
    /// The name of its issuer, [`EMBEDDED`], or [`api_key::API_KEY_ISSUER`].
    pub issuer: String,
    /// Who it is at its issuer.
    pub subject: String,
    /// Its groups, for policies.
    pub groups: Vec<String>,
    /// The servers it may reach; `None` leaves that to the policies.
    pub servers: Option<Vec<String>>,
    /// The client ids under which other issuers know it, by the name of the issuer: their assertions for those clients
    /// are for this agent.
    pub clients: BTreeMap<String, String>,
    /// Its API keys, as their digests.
    pub api_keys: Vec<api_key::ApiKey>,
    /// Whether it may act.
    pub state: AgentState,
    /// How firmly its requests must be bound to it.
    pub require_binding: RequireBinding,
    /// Whether its X.509-SVID is enough to say who it is.
    pub x509: bool,
    /// Until when it may act, whatever the state says.
    pub expires: Option<Expiry>,
    /// Who answers for it, for what it is, and where that stands.
    pub registration: Registration,
}

/// What people want to know of an agent or server; the gate decides nothing by it.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// When its access is to be reviewed next.
    pub review: Option<Day>,
    /// Its line in the file.
    pub line: usize,
}

/// A server behind the gate.
#[derive(Clone, Debug)]
pub struct Server {
    /// The operator's name of it.
    pub name: String,
    /// Its MCP endpoint.
    pub url: HttpUrl,
    /// PEM certificates that its own must lead to, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The gate's certificate for this server and no other.
    pub identity: Option<Tls>,
    /// The protocol eras it serves.
    pub era: Era,
    /// What it is shown.
    pub credential: credential::Credential,
    /// The audience of every token made for it.
    pub audience: String,
    /// Whether it may be used.
    pub state: ServerState,
    /// Who answers for it, for what it is, and where that stands.
    pub registration: Registration,
    /// What the operator says about its tools; a tool that is missing is treated as [`Class::Admin`].
    pub tools: Vec<Tool>,
    /// What callers of anything else must have besides a permit.
    pub demands: Demands,
}

impl Server {
    /// Its path at the gate.
    #[must_use]
    pub fn gate_path(&self) -> String {
        gate_path(&self.name)
    }

    /// The files that connections to it are made with.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let shown = self.identity.iter().flat_map(Tls::files);
        let parties = match &self.credential {
            credential::Credential::Fetched(fetched) => Some(fetched.parties()),
            _ => None,
        };
        let of_parties = parties.into_iter().flatten().flat_map(credential::Party::files);
        shown.chain(self.ca_file.as_deref()).chain(of_parties)
    }
}

fn gate_path(server: &str) -> String {
    format!("/{server}/mcp")
}

/// What the operator says about a tool.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its exact name at the server.
    pub name: String,
    /// What it can do at worst.
    pub class: Class,
    /// Free labels for policies.
    pub labels: Vec<String>,
    /// What its callers must have besides a permit.
    pub demands: Demands,
}

/// The tokens made for servers.
#[derive(Clone, Copy, Debug)]
pub struct Mint {
    /// Their algorithm.
    pub algorithm: MintAlgorithm,
    /// Their longest life.
    pub lifetime: Duration,
}

/// Reads and checks the file at `path`, without the files it names; those are for [`publish`].
///
/// # Errors
/// Everything that is wrong; a syntax error or an unknown key hides what comes after it.
pub fn load(path: &Path) -> Result<Config, Vec<Diagnostic>> {
    let text = read_text(path).map_err(|fault| {
        vec![fault.hint("`portreeve init` writes a configuration to start from; --config FILE names another place")]
    })?;
    of_text(path, text)
}

/// Checks `text` as [`load`] would if it stood in the file at `path`.
///
/// # Errors
/// As [`load`].
pub fn of_text(path: &Path, text: String) -> Result<Config, Vec<Diagnostic>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    parse(
        Source {
            path: path.to_owned(),
            text,
        },
        cores,
    )
}

/// Checks a configuration that was read before. `cores` is the default number of shards.
///
/// # Errors
/// As [`load`].
fn parse(source: Source, cores: usize) -> Result<Config, Vec<Diagnostic>> {
    let document = toml::from_str(&source.text).map_err(|error| vec![source.parse_fault(&error)])?;
    resolve::resolve(document, &source, cores)
}

fn read(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    let fault = |error: std::io::Error| Diagnostic::of_file(path, format!("cannot be read: {error}"));
    let size = fs::metadata(path).map_err(fault)?.len();
    if size > FILE_BYTES_MAX {
        return Err(Diagnostic::of_file(
            path,
            format!("is larger than {FILE_BYTES_MAX} bytes"),
        ));
    }
    fs::read(path).map_err(fault)
}

pub(crate) fn read_text(path: &Path) -> Result<String, Diagnostic> {
    String::from_utf8(read(path)?).map_err(|_| Diagnostic::of_file(path, "is not UTF-8 text"))
}

#[cfg(test)]
mod tests;
