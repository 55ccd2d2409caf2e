//! What each server is shown, as configured, and made ready for core. Reads keys and the sealed store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::credential::{Credentials, Means, MintKeys, Minting, Scopes, StaticCredential};

use super::keys::{self, Role};
use super::{Config, Diagnostic, Server};
use crate::secrets::Secret;

/// How a server is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// With tokens that the gate mints.
    Mint(Minted),
    /// With a secret out of the sealed store.
    Static(Held),
    /// With nothing.
    None,
}

/// What is particular to the tokens for one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minted {
    /// Their longest life, if not that of all.
    pub lifetime: Option<Duration>,
    /// The scope for each tool that has one of its own.
    pub scopes: BTreeMap<String, String>,
    /// The scope for everything else, if not the gate's own.
    pub scopes_default: Option<String>,
}

/// A secret out of the sealed store, and how it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name in the store.
    pub secret: String,
    /// The header, in lower case.
    pub header: String,
    /// What stands before it in the header.
    pub scheme: Option<String>,
    /// Where the configuration names it: line and column.
    pub position: Option<(usize, usize)>,
}

impl Server {
    /// The secret that it is shown.
    #[must_use]
    pub const fn held(&self) -> Option<&Held> {
        match &self.credential {
            Credential::Static(held) => Some(held),
            Credential::Mint(_) | Credential::None => None,
        }
    }
}

impl Config {
    /// The servers that are shown the secret of this name.
    #[must_use]
    pub fn users_of_secret(&self, name: &str) -> Vec<&str> {
        let users = self.servers.iter();
        users
            .filter(|server| server.held().is_some_and(|held| held.secret == name))
            .map(|server| server.name.as_str())
            .collect()
    }
}

/// What every server is shown.
///
/// # Errors
/// Keys and secrets that are missing or wrong.
pub fn credentials(config: &Config) -> Result<Credentials, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let servers = config.servers.iter().filter_map(|server| {
        let means = means(config, server).map_err(|fault| faults.push(fault)).ok()?;
        Some((server.name.clone(), means))
    });
    let credentials = Credentials::new(config.gate.public_url.clone(), servers.collect());
    if faults.is_empty() {
        Ok(credentials)
    } else {
        Err(faults)
    }
}

/// What is wrong with the secrets alone, where there are no keys yet.
#[must_use]
pub fn faults_of_secrets(config: &Config) -> Vec<Diagnostic> {
    let held = config.servers.iter().filter_map(Server::held);
    held.filter_map(|held| open(config, held).err()).collect()
}

/// Refuses a secret that a server which uses it could not be shown.
///
/// # Errors
/// Where the configuration names it.
pub fn refuse_unfit(config: &Config, name: &str, secret: &Secret) -> Result<(), Vec<Diagnostic>> {
    let held = config.servers.iter().filter_map(Server::held);
    let faults: Vec<_> = held
        .filter(|held| held.secret == name)
        .filter_map(|held| fit(config, held, secret).err())
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn means(config: &Config, server: &Server) -> Result<Means, Diagnostic> {
    Ok(match &server.credential {
        Credential::Mint(minted) => Means::Mint(Box::new(Minting {
            issuer: config.gate.public_url.clone(),
            audience: server.audience.clone(),
            keys: MintKeys {
                current: keys::load(config, Role::Mint(&server.name))?,
                next: keys::load(config, Role::MintNext(&server.name))?,
            },
            lifetime: minted.lifetime.unwrap_or(config.mint.lifetime),
            scopes: Scopes::new(minted.scopes.clone(), minted.scopes_default.clone()),
        })),
        Credential::Static(held) => Means::Static(Arc::new(open(config, held)?)),
        Credential::None => Means::None,
    })
}

fn open(config: &Config, held: &Held) -> Result<StaticCredential, Diagnostic> {
    match config.secret_store().get(&held.secret)? {
        Some(secret) => fit(config, held, &secret),
        None => Err(fault(config, held, &format!("there is no secret `{}`", held.secret))),
    }
}

fn fit(config: &Config, held: &Held, secret: &Secret) -> Result<StaticCredential, Diagnostic> {
    StaticCredential::new(&held.header, held.scheme.as_deref(), secret.expose())
        .map_err(|error| fault(config, held, &format!("secret `{}`: {error}", held.secret)))
}

fn fault(config: &Config, held: &Held, message: &str) -> Diagnostic {
    let command = format!(
        "portreeve secret set {} --config {}",
        held.secret,
        config.file.display()
    );
    Diagnostic {
        position: held.position,
        ..Diagnostic::of_file(&config.file, message).hint(command)
    }
}
