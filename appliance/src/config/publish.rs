//! What core needs of a configuration: trust, policies, catalog, minting keys, and the snapshot of them all.
//!
//! Reads the files that the configuration names, and nothing else. A file that is wrong is reported with its place; a
//! snapshot that exists is complete.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portreeve_core::audit::digest;
use portreeve_core::identity::{self, AgentClient, Nonces, RegisteredAgent, Roles, Trust};
use portreeve_core::jose;
use portreeve_core::jose::jwks::KeySet;
use portreeve_core::policy::{self, Catalog, PolicySet};
use portreeve_core::signals::Transmitter;
use portreeve_core::snapshot::{Eras, Front, Proofs, Server, SignalDoor, Snapshot};

use super::api_key;
use super::credential::credentials;
use super::date::Expiry;
use super::keys::{self, Role};
use super::{
    AgentState, Algorithm, Class, Config, Diagnostic, Era, Issuer, IssuerKeys, RequireBinding, ServerState, Signals,
    embedded, read, read_text,
};
use crate::clock;
use crate::signals::token;

/// The least that a token has by which others may be shut off.
const PUSH_TOKEN_BYTES: usize = 16;

/// Everything a decision reads, as the first generation. Neither revocations nor fetched keys are configuration: none is
/// in it.
///
/// # Errors
/// Everything that is wrong in the files the configuration names.
pub fn snapshot(config: &Config) -> Result<Snapshot, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let trust = noted(trust(config), &mut faults);
    let policies = noted(policies(config), &mut faults);
    let catalog = noted(catalog(config), &mut faults);
    let credentials = noted(credentials(config), &mut faults);
    let doors = noted(signal_doors(config), &mut faults);
    let (Some(trust), Some(policies), Some(catalog), Some(credentials), Some(doors)) =
        (trust, policies, catalog, credentials, doors)
    else {
        return Err(faults);
    };
    Ok(Snapshot {
        generation: trust.generation,
        trust: Arc::new(trust),
        denylist: Arc::default(),
        standing: Arc::default(),
        policies: Arc::new(policies),
        catalog: Arc::new(catalog),
        credentials: Arc::new(credentials),
        servers: config.servers.iter().map(server).collect(),
        front: front(config, doors),
        proofs: proofs(config),
    })
}

/// Gives the issuers of `snapshot` the keys that were fetched. Nobody may have it yet.
pub fn set_keys(snapshot: &mut Snapshot, sets: Vec<(String, KeySet)>) {
    if let Some(trust) = Arc::get_mut(&mut snapshot.trust) {
        for (issuer, keys) in sets {
            trust.set_keys(&issuer, keys);
        }
    }
}

fn noted<T>(result: Result<T, Vec<Diagnostic>>, faults: &mut Vec<Diagnostic>) -> Option<T> {
    result.map_err(|found| faults.extend(found)).ok()
}

/// Issuers, with their keys where those are in files, and the registered agents.
///
/// # Errors
/// Key sets that cannot be read or hold no usable key, and everything core refuses.
pub fn trust(config: &Config) -> Result<Trust, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let mut issuers = noted(issuers(config), &mut faults).unwrap_or_default();
    if let Some(settings) = &config.embedded {
        let profiles = keys::load(config, Role::Embedded).and_then(|key| {
            embedded::profiles(config, settings, &key)
                .map_err(|error| Diagnostic::of_file(&keys::path(config, Role::Embedded), error.to_string()))
        });
        match profiles {
            Ok(profiles) => issuers.extend(profiles),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    issuers.extend(api_key::profile(config));
    let agents = config.agents.iter().map(agent).collect();
    let trust = Trust::new(1, issuers, agents).and_then(|trust| trust.with_api_keys(api_key::keys(config)));
    let mut trust = trust.map_err(|error| vec![Diagnostic::of_file(&config.file, error.to_string())])?;
    for issuer in &config.issuers {
        if let Some(asked) = &issuer.introspection {
            trust.introspect(&issuer.name, &asked.prefix);
        }
    }
    Ok(trust)
}

/// The issuers of other parties, with their keys where those are in files.
///
/// # Errors
/// Key sets that cannot be read or hold no usable key.
pub fn issuers(config: &Config) -> Result<Vec<identity::Issuer>, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let read = config
        .issuers
        .iter()
        .filter_map(|profile| issuer(profile).map_err(|fault| faults.push(fault)).ok());
    let issuers: Vec<identity::Issuer> = read.collect();
    if faults.is_empty() { Ok(issuers) } else { Err(faults) }
}

fn issuer(profile: &Issuer) -> Result<identity::Issuer, Diagnostic> {
    let keys = match &profile.keys {
        IssuerKeys::File(file) => key_file(file)?,
        // The keeper of issuers has them.
        IssuerKeys::At(_) | IssuerKeys::Discovered(..) => KeySet::default(),
    };
    Ok(identity::Issuer {
        name: profile.name.clone(),
        issuer: profile.issuer.clone(),
        roles: Roles {
            agent: profile.agents,
            user: profile.users,
        },
        types: profile.types.clone(),
        algorithms: profile.algorithms.iter().copied().map(algorithm).collect(),
        audiences: profile.audiences.clone(),
        keys,
        max_lifetime: Some(profile.max_lifetime),
        leeway: profile.leeway,
        dialect: profile.dialect.clone(),
        claims: profile.claims.clone(),
        allow_unlinked_with: profile.unlinked_with.clone(),
    })
}

fn key_file(file: &Path) -> Result<KeySet, Diagnostic> {
    let keys = KeySet::parse(&read(file)?)
        .map_err(|error| Diagnostic::of_file(file, error.to_string()).hint("a JSON Web Key Set, RFC 7517 5"))?;
    if keys.keys().is_empty() {
        let message = format!("none of the {} keys here can be used", keys.dropped().len());
        return Err(Diagnostic::of_file(file, message).hint("public signing keys, each with a kid: EC, OKP or RSA"));
    }
    Ok(keys)
}

/// The transmitters of signals by name, with their keys where those are in files.
///
/// # Errors
/// Key sets that cannot be read or hold no usable key, and token files that cannot be used.
pub fn transmitters(config: &Config) -> Result<Vec<(String, Transmitter)>, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let mut transmitters = Vec::new();
    for signals in &config.signals {
        let file = signals.poll.as_ref().and_then(|poll| poll.token_file.as_deref());
        if let Some(Err(fault)) = file.map(token::read) {
            faults.push(fault);
        }
        match transmitter(signals) {
            Ok(transmitter) => transmitters.push((signals.name.clone(), transmitter)),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(transmitters)
    } else {
        Err(faults)
    }
}

fn transmitter(signals: &Signals) -> Result<Transmitter, Diagnostic> {
    Ok(Transmitter {
        issuer: signals.signer.issuer.clone(),
        audience: signals.audience.clone(),
        algorithms: signals.algorithms.iter().copied().map(algorithm).collect(),
        keys: match &signals.signer.keys {
            IssuerKeys::File(file) => key_file(file)?,
            IssuerKeys::At(_) | IssuerKeys::Discovered(..) => KeySet::default(),
        },
        subjects: signals.subjects.clone(),
    })
}

const fn algorithm(algorithm: Algorithm) -> jose::Algorithm {
    match algorithm {
        Algorithm::EdDSA => jose::Algorithm::EdDsa,
        Algorithm::ES256 => jose::Algorithm::Es256,
        Algorithm::ES384 => jose::Algorithm::Es384,
        Algorithm::RS256 => jose::Algorithm::Rs256,
        Algorithm::PS256 => jose::Algorithm::Ps256,
    }
}

fn agent(agent: &super::Agent) -> RegisteredAgent {
    RegisteredAgent {
        name: agent.name.clone(),
        issuer: agent.issuer.clone(),
        subject: agent.subject.clone(),
        groups: agent.groups.clone(),
        state: match agent.state {
            AgentState::Active => identity::AgentState::Active,
            AgentState::Suspended => identity::AgentState::Suspended,
            AgentState::Revoked => identity::AgentState::Revoked,
        },
        expires: agent.expires.as_ref().map(Expiry::at),
        servers: agent.servers.clone(),
        clients: agent
            .clients
            .iter()
            .map(|(issuer, client)| AgentClient {
                issuer: issuer.clone(),
                client: client.clone(),
            })
            .collect(),
        require_binding: match agent.require_binding {
            RequireBinding::None => identity::RequireBinding::None,
            RequireBinding::Token => identity::RequireBinding::Token,
            RequireBinding::Request => identity::RequireBinding::Request,
        },
        x509: agent.x509,
    }
}

/// The policies of the policy directory, in the order of their file names.
///
/// # Errors
/// A directory or file that cannot be read, and every mistake in the policies.
pub fn policies(config: &Config) -> Result<PolicySet, Vec<Diagnostic>> {
    let files = policy_files(&config.gate.policies).map_err(|fault| vec![fault])?;
    let mut texts = Vec::new();
    for file in &files {
        texts.push((
            file.display().to_string(),
            read_text(file).map_err(|fault| vec![fault])?,
        ));
    }
    PolicySet::load(&texts).map_err(|errors| {
        let diagnostic = |error: policy::PolicyError| Diagnostic {
            file: error.file.into(),
            position: Some((error.line, error.column)),
            message: error.fault.to_string(),
            hint: error.hint,
        };
        errors.into_iter().map(diagnostic).collect()
    })
}

/// The `*.cedar` files of `directory`, by name.
pub(crate) fn policy_files(directory: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let fault = |error: std::io::Error| {
        Diagnostic::of_file(directory, format!("the policy directory cannot be read: {error}"))
            .hint("make it; without policies everything is denied")
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|extension| extension == "cedar") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What the operator says about servers and tools.
///
/// # Errors
/// What core refuses.
pub fn catalog(config: &Config) -> Result<Catalog, Vec<Diagnostic>> {
    let mut catalog = Catalog::new();
    let fault = |what: &str, error: policy::CatalogError| {
        vec![Diagnostic::of_file(&config.file, format!("servers.{what}: {error}"))]
    };
    for server in &config.servers {
        catalog
            .add_server(&server.name)
            .and_then(|()| catalog.demand(&server.name, None, server.demands.clone()))
            .map_err(|error| fault(&server.name, error))?;
        for tool in &server.tools {
            catalog
                .add_tool(&server.name, &tool.name, class(tool.class), tool.labels.clone())
                .and_then(|()| catalog.demand(&server.name, Some(&tool.name), tool.demands.clone()))
                .map_err(|error| fault(&format!("{}.tools.{}", server.name, tool.name), error))?;
        }
    }
    Ok(catalog)
}

const fn class(class: Class) -> policy::Class {
    match class {
        Class::Read => policy::Class::Read,
        Class::Query => policy::Class::Query,
        Class::Update => policy::Class::Update,
        Class::Admin => policy::Class::Admin,
    }
}

fn server(server: &super::Server) -> Server {
    let path = server.url.path();
    Server {
        name: Arc::from(server.name.as_str()),
        path: server.gate_path(),
        authority: server.url.authority(),
        upstream_path: if path.is_empty() {
            "/".to_owned()
        } else {
            path.to_owned()
        },
        audience: server.audience.clone(),
        eras: match server.era {
            Era::Dual => Eras::Dual,
            Era::Legacy => Eras::Legacy,
            Era::Modern => Eras::Modern,
        },
        open: server.state == ServerState::Active,
    }
}

/// With a secret of its own; one that is in force already stays when this is published after it.
fn proofs(config: &Config) -> Proofs {
    let mut secret = [0; 32];
    clock::entropy(&mut secret);
    Proofs {
        require_nonce: config.proofs.require_nonce,
        nonces: Arc::new(Nonces::new(secret, clock::now())),
    }
}

/// Where transmitters may push SETs, each with the digest of its token.
///
/// # Errors
/// Token files that cannot be used.
pub fn signal_doors(config: &Config) -> Result<Vec<SignalDoor>, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let mut doors = Vec::new();
    for signals in &config.signals {
        let Some(file) = &signals.push_token_file else {
            continue;
        };
        match token::read(file) {
            Ok(token) if token.len() < PUSH_TOKEN_BYTES => {
                let message = "this token can be guessed";
                let hint = format!("at least {PUSH_TOKEN_BYTES} random characters");
                faults.push(Diagnostic::of_file(file, message).hint(hint));
            }
            Ok(token) => doors.push(SignalDoor {
                name: Arc::from(signals.name.as_str()),
                path: signals.push_path(),
                token: digest(token.as_bytes()),
            }),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(doors) } else { Err(faults) }
}

fn front(config: &Config, signals: Vec<SignalDoor>) -> Front {
    let gate = &config.gate;
    let agent_issuers = config.issuers.iter().filter(|issuer| issuer.agents);
    Front {
        public_url: gate.public_url.clone(),
        allowed_hosts: gate.allowed_hosts.clone(),
        allowed_origins: gate.allowed_origins.clone(),
        authorization_servers: agent_issuers.map(|issuer| issuer.issuer.clone()).collect(),
        signals,
        certificates: gate.client_certificates.is_some(),
    }
}
