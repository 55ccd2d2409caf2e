//! What each server is shown, as configured, and made ready for core. Reads keys and the sealed store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::credential::{
    ClaimShape, Credentials, Fetching, Means, MintKeys, Minting, Mode, Scopes, StaticCredential,
};
use serde::Deserialize;

use super::keys::{self, Role};
use super::{Config, Diagnostic, Server, Tls};
use crate::fetch::Place;
use crate::secrets::Secret;

/// How a server is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// With tokens that the gate mints.
    Mint(Minted),
    /// With a secret out of the sealed store.
    Static(Held),
    /// With tokens that an authorization server issues.
    Fetched(Box<Fetched>),
    /// With nothing.
    None,
}

/// How tokens are had from an authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// By which grant: [`Mode::Exchange`], [`Mode::IdJag`] or [`Mode::ClientCredentials`].
    pub mode: Mode,
    /// The authorization server whose tokens the server takes.
    pub at: Party,
    /// The identity provider that vouches for the user there; only with [`Mode::IdJag`].
    pub idp: Option<Party>,
    /// Who acts for the user in the token.
    pub actor: Actor,
    /// What the user's assertion is called.
    pub subject_type: SubjectType,
    /// The `resource` that is asked for, if not the server's audience (RFC 8707).
    pub resource: Option<String>,
    /// The `audience` that is asked for besides (RFC 8693).
    pub audience: Option<String>,
    /// The longest that a token is used.
    pub lifetime: Duration,
    /// The scope for each tool that has one of its own.
    pub scopes: BTreeMap<String, String>,
    /// The scope for everything else, if not the gate's own.
    pub scopes_default: Option<String>,
}

/// An authorization server, and who the gate is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its exact issuer identifier.
    pub issuer: String,
    /// Where it is asked, if that is not to be discovered.
    pub endpoint: Option<Place>,
    /// The gate's name there.
    pub client_id: String,
    /// How the gate shows that it is that.
    pub client: Client,
    /// The name of the client secret in the sealed store.
    pub secret: Option<String>,
    /// The gate's certificate there.
    pub identity: Option<Tls>,
    /// PEM certificates that its own must lead to, instead of the public ones.
    pub ca_file: Option<PathBuf>,
}

impl Party {
    /// The files that connections to it are made with.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let shown = self.identity.iter().flat_map(Tls::files);
        shown.chain(self.ca_file.as_deref())
    }
}

/// How the gate shows an authorization server who it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// With an assertion that this server's own key signs (RFC 7523).
    #[default]
    PrivateKeyJwt,
    /// With a secret in `Authorization` (RFC 6749 2.3.1).
    SecretBasic,
    /// With a secret in the form (RFC 6749 2.3.1).
    SecretPost,
    /// With a certificate (RFC 8705 2).
    Mtls,
}

/// Who acts for the user in an exchanged token.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The agent, shown by its own token; a token that does not say so is refused.
    #[default]
    Agent,
    /// The gate, shown by a token of its own; a token that does not say so is refused.
    Gateway,
    /// Nobody: the server cannot tell the token from one of the user's.
    None,
}

/// What an authorization server calls the user's assertion (RFC 8693 3).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// An access token.
    #[default]
    AccessToken,
    /// A JWT.
    Jwt,
    /// An ID token.
    IdToken,
}

impl SubjectType {
    /// Its URN.
    #[must_use]
    pub const fn urn(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
        }
    }
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
    /// What its claims are like.
    pub shape: ClaimShape,
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
            Credential::Mint(_) | Credential::Fetched(_) | Credential::None => None,
        }
    }

    /// How its tokens are had from an authorization server.
    #[must_use]
    pub const fn fetched(&self) -> Option<&Fetched> {
        match &self.credential {
            Credential::Fetched(fetched) => Some(fetched),
            Credential::Mint(_) | Credential::Static(_) | Credential::None => None,
        }
    }

    /// Whether it has keys of its own: to sign its tokens, or to say who the gate is where they are issued.
    #[must_use]
    pub const fn has_keys(&self) -> bool {
        matches!(self.credential, Credential::Mint(_) | Credential::Fetched(_))
    }
}

impl Fetched {
    /// Every authorization server that is asked.
    pub fn parties(&self) -> impl Iterator<Item = &Party> {
        std::iter::once(&self.at).chain(&self.idp)
    }
}

impl Config {
    /// The servers that are shown the secret of this name, and the issuers that are asked with it.
    #[must_use]
    pub fn users_of_secret(&self, name: &str) -> Vec<&str> {
        let issuers = self.issuers.iter().filter(|issuer| issuer.is_asked_with(name));
        let issuers = issuers.map(|issuer| issuer.name.as_str());
        let users = self.servers.iter();
        users
            .filter(|server| {
                let named = |party: &Party| party.secret.as_deref() == Some(name);
                server.held().is_some_and(|held| held.secret == name)
                    || server.fetched().is_some_and(|fetched| fetched.parties().any(named))
            })
            .map(|server| server.name.as_str())
            .chain(issuers)
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
            keys: mint_keys(config, server)?,
            lifetime: minted.lifetime.unwrap_or(config.mint.lifetime),
            scopes: Scopes::new(minted.scopes.clone(), minted.scopes_default.clone()),
            shape: minted.shape.clone(),
        })),
        Credential::Static(held) => Means::Static(Arc::new(open(config, held)?)),
        Credential::Fetched(fetched) => Means::Fetched(Box::new(Fetching {
            mode: fetched.mode,
            scopes: Scopes::new(fetched.scopes.clone(), fetched.scopes_default.clone()),
            keys: mint_keys(config, server)?,
        })),
        Credential::None => Means::None,
    })
}

fn mint_keys(config: &Config, server: &Server) -> Result<MintKeys, Diagnostic> {
    Ok(MintKeys {
        current: keys::load(config, Role::Mint(&server.name))?,
        next: keys::load(config, Role::MintNext(&server.name))?,
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
