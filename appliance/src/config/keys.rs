//! The private keys of the gate: made once, kept in the state directory, readable by their owner only.
//!
//! Never overwrites a key and never prints one. A key that others could have read is refused, not repaired.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use portreeve_core::credential::{SigningAlgorithm, SigningKey};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};

use super::{Config, Diagnostic, MintAlgorithm, read};

/// A key of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role<'a> {
    /// Signs tokens for this server.
    Mint(&'a str),
    /// Will sign tokens for this server after the next rotation.
    MintNext(&'a str),
    /// Signs tokens of the embedded issuer.
    Embedded,
}

/// The keys this configuration needs.
#[must_use]
pub fn needed(config: &Config) -> Vec<Role<'_>> {
    let embedded = config.embedded.as_ref().map(|_| Role::Embedded);
    let servers = config.servers.iter();
    servers
        .filter(|server| server.has_keys())
        .map(|server| server.name.as_str())
        .flat_map(|server| [Role::Mint(server), Role::MintNext(server)])
        .chain(embedded)
        .collect()
}

/// Where a key is kept; its name says its algorithm, so that a change of algorithm means other keys.
#[must_use]
pub fn path(config: &Config, role: Role<'_>) -> PathBuf {
    let algorithm = match algorithm(config, role) {
        SigningAlgorithm::Ed25519 => "ed25519",
        SigningAlgorithm::Es256 => "es256",
    };
    let keys = config.gate.state_dir.join("keys");
    let (folder, role) = match role {
        Role::Mint(server) => (keys.join("servers").join(server), "mint"),
        Role::MintNext(server) => (keys.join("servers").join(server), "mint-next"),
        Role::Embedded => (keys, "embedded-issuer"),
    };
    folder.join(format!("{role}-{algorithm}.pk8"))
}

/// Makes every key that is needed and missing, and the directories for them. Returns the new files.
///
/// # Errors
/// A directory or key that cannot be made, or that others can read.
pub fn ensure(config: &Config) -> Result<Vec<PathBuf>, Diagnostic> {
    make_folder(&config.gate.state_dir.join("keys"))?;
    refuse_shared(&config.gate.state_dir, 0o700)?;
    let mut made = Vec::new();
    for role in needed(config) {
        let path = path(config, role);
        make_folder(path.parent().unwrap_or(Path::new(".")))?;
        let pkcs8 = generate(algorithm(config, role))
            .ok_or_else(|| Diagnostic::of_file(&path, "cannot be made: the system gives no randomness"))?;
        match write_new(&path, pkcs8.as_ref()) {
            Ok(()) => made.push(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Diagnostic::of_file(&path, format!("cannot be written: {error}"))),
        }
    }
    Ok(made)
}

/// Reads a key.
///
/// # Errors
/// It is missing, readable by others, or not a key of its algorithm.
pub fn load(config: &Config, role: Role<'_>) -> Result<SigningKey, Diagnostic> {
    let path = path(config, role);
    if !path.exists() {
        let hint = "`portreeve init` and `portreeve serve` make missing keys";
        return Err(Diagnostic::of_file(&path, "this key is missing").hint(hint));
    }
    refuse_shared(&config.gate.state_dir, 0o700)?;
    refuse_shared(&path, 0o600)?;
    let pkcs8 = zeroize::Zeroizing::new(read(&path)?);
    SigningKey::from_pkcs8(algorithm(config, role), &pkcs8, &SystemRandom::new()).map_err(|error| {
        Diagnostic::of_file(&path, error.to_string()).hint("restore it, or move it away to have a new one made")
    })
}

const fn algorithm(config: &Config, role: Role<'_>) -> SigningAlgorithm {
    match (role, config.mint.algorithm) {
        (Role::Mint(_) | Role::MintNext(_), MintAlgorithm::ES256) => SigningAlgorithm::Es256,
        _ => SigningAlgorithm::Ed25519,
    }
}

fn generate(algorithm: SigningAlgorithm) -> Option<ring::pkcs8::Document> {
    let random = SystemRandom::new();
    match algorithm {
        SigningAlgorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random).ok(),
        SigningAlgorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok(),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a directory for this user only, where it is missing.
pub(crate) fn make_folder(directory: &Path) -> Result<(), Diagnostic> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| Diagnostic::of_file(directory, format!("cannot be made: {error}")))
}

/// Refuses a file or directory that others can use; `wanted` is the mode it should have.
pub(crate) fn refuse_shared(path: &Path, wanted: u32) -> Result<(), Diagnostic> {
    let fault = |error: io::Error| Diagnostic::of_file(path, format!("cannot be read: {error}"));
    let mode = fs::metadata(path).map_err(fault)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let hint = format!("chmod {wanted:o} {}", path.display());
    Err(Diagnostic::of_file(path, format!("can be used by others (mode {mode:o})")).hint(hint))
}
