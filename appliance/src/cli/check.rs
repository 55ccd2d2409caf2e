//! `portreeve check`: everything that can be known to be wrong without starting. Changes nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use portreeve_core::policy::PolicySet;
use portreeve_core::time::UnixTime;

use super::Failure;
use crate::broker;
use crate::clock;
use crate::config::api_key::API_KEY_ISSUER;
use crate::config::credential::{self, Credential};
use crate::config::date::Day;
use crate::config::diagnostic::Diagnostic;
use crate::config::introspection;
use crate::config::keys;
use crate::config::value::TimeSpan;
use crate::config::{self, Agent, AgentState, Config, RequireBinding, Server, ServerState, publish};
use crate::issuers;
use crate::tls::{self, clients};

pub(super) fn run(file: &Path) -> Result<String, Failure> {
    let config = config::load(file)?;
    files(&config)?;
    let missing = missing_keys(&config);
    let policies = publish::policies(&config)?;
    summary(file, &config, &policies, &missing).map_err(|error| Failure::Other(error.to_string()))
}

/// Whether the files that `config` names are right.
pub(super) fn files(config: &Config) -> Result<(), Vec<Diagnostic>> {
    let faults = faults(config, missing_keys(config).is_empty());
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What is wrong with the certificates and secrets of connections. They have private keys, which a repository has not.
fn connections(config: &Config) -> Vec<Diagnostic> {
    let of_file = |fault: String| Diagnostic::of_file(&config.file, fault);
    let listener = tls::server(&config.gate).err();
    let fetched = issuers::check(config).err();
    let servers = config.servers.iter().filter(|server| server.url.is_https());
    let servers = servers.filter_map(|server| {
        let shown = tls::client_showing(server.ca_file.as_deref(), server.identity.as_ref());
        Some(format!("servers.{}: {}", server.name, shown.err()?))
    });
    let mut faults: Vec<Diagnostic> = listener
        .into_iter()
        .chain(fetched)
        .chain(servers)
        .map(of_file)
        .collect();
    faults.extend(broker::grants(config).err().unwrap_or_default());
    faults.extend(introspection::askers(config).err().unwrap_or_default());
    faults
}

fn missing_keys(config: &Config) -> Vec<PathBuf> {
    let paths = keys::needed(config).into_iter().map(|role| keys::path(config, role));
    paths.filter(|path| !path.exists()).collect()
}

/// Everything wrong in the files the configuration names. Keys are read only where all are there: a repository has
/// none, and is checked all the same.
fn faults(config: &Config, has_keys: bool) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    if has_keys {
        faults.extend(publish::trust(config).err().unwrap_or_default());
        faults.extend(credential::credentials(config).err().unwrap_or_default());
        faults.extend(connections(config));
    } else {
        faults.extend(publish::issuers(config).err().unwrap_or_default());
        faults.extend(credential::faults_of_secrets(config));
        let vouching = config.gate.client_certificates.as_ref();
        let fault = vouching.and_then(|asked| clients::verifier(asked).err());
        faults.extend(fault.map(|fault| Diagnostic::of_file(&config.file, fault)));
    }
    faults.extend(publish::policies(config).err().unwrap_or_default());
    faults.extend(publish::catalog(config).err().unwrap_or_default());
    faults.extend(publish::transmitters(config).err().unwrap_or_default());
    faults.extend(publish::signal_doors(config).err().unwrap_or_default());
    faults
}

fn summary(file: &Path, config: &Config, policies: &PolicySet, missing: &[PathBuf]) -> Result<String, std::fmt::Error> {
    let gate = &config.gate;
    let mut out = String::new();
    writeln!(out, "{} is valid\n", file.display())?;
    let speaks = if gate.tls.is_some() { "TLS" } else { "plain HTTP" };
    writeln!(
        out,
        "  gate      {} ({speaks}, {} shards), reached at {}",
        gate.listen, gate.shards, gate.public_url
    )?;
    for server in &config.servers {
        let (path, tools) = (server.gate_path(), server.tools.len());
        writeln!(
            out,
            "  server    {path} -> {} ({tools} tools reviewed, the rest are admin{}){}",
            server.url,
            shown(server),
            match server.state {
                ServerState::Active => "",
                ServerState::Suspended => ", suspended",
                ServerState::Revoked => ", revoked",
            }
        )?;
    }
    for issuer in &config.issuers {
        let what = match (issuer.agents, issuer.users) {
            (true, true) => "agents and users",
            (true, false) => "agents",
            _ => "users",
        };
        writeln!(
            out,
            "  issuer    {} {} ({what})",
            issuer.name,
            issuer.issuer.escape_debug()
        )?;
    }
    if let Some(embedded) = &config.embedded {
        let users: Vec<&str> = embedded.users.keys().map(String::as_str).collect();
        writeln!(out, "  issuer    embedded, users {}", listed(&users))?;
    }
    for signals in &config.signals {
        let (name, issuer) = (&signals.name, signals.signer.issuer.escape_debug());
        writeln!(out, "  signals   {name} {issuer}")?;
    }
    for agent in &config.agents {
        writeln!(out, "  agent     {}", describe(agent))?;
    }
    writeln!(out, "  policies  {} in {}", policies.len(), gate.policies.display())?;
    writeln!(
        out,
        "  tokens    {:?}, {}",
        config.mint.algorithm,
        TimeSpan(config.mint.lifetime)
    )?;
    writeln!(out, "  state     {}", gate.state_dir.display())?;
    let mut notes = Vec::new();
    if policies.is_empty() {
        notes.push("there are no policies: everything is denied".to_owned());
    }
    if !missing.is_empty() {
        notes.push(format!(
            "{} keys are missing; `portreeve serve` makes them",
            missing.len()
        ));
    }
    notes.extend(registrations(config, clock::now()));
    for note in notes {
        writeln!(out, "\nnote: {note}")?;
    }
    Ok(out)
}

fn shown(server: &Server) -> String {
    match &server.credential {
        Credential::Mint(_) => String::new(),
        Credential::Static(held) => format!("; shown secret {} in {}", held.secret, held.header),
        Credential::Fetched(fetched) => format!("; shown tokens of {}", fetched.at.issuer.escape_debug()),
        Credential::None => "; shown no credential".to_owned(),
    }
}

/// What is worth a note about who is registered: ends that have passed, agents without the key that they need, and
/// reviews that are due at `now`.
fn registrations(config: &Config, now: UnixTime) -> Vec<String> {
    let expired = config.agents.iter().filter_map(|agent| {
        let expires = agent.expires.as_ref().filter(|expires| expires.at() <= now)?;
        Some(format!("agent {} is refused: it expired on {expires}", agent.name))
    });
    let agents = config
        .agents
        .iter()
        .map(|agent| ("agent", &agent.name, &agent.registration));
    let servers = config
        .servers
        .iter()
        .map(|server| ("server", &server.name, &server.registration));
    let due = agents.chain(servers).filter_map(|(noun, name, registration)| {
        let review = registration.review.filter(|review| *review <= Day::of(now))?;
        Some(format!("the access of {noun} {name} was to be reviewed by {review}"))
    });
    let keyless = config.agents.iter().filter_map(|agent| {
        let taken = agent.api_keys.iter().any(|key| key.expires.at() > now);
        let name = &agent.name;
        (agent.issuer == API_KEY_ISSUER && !taken)
            .then(|| format!("agent {name} has no API key that is taken; `portreeve agent key new {name}` makes one"))
    });
    expired.chain(keyless).chain(due).collect()
}

fn describe(agent: &Agent) -> String {
    let servers: Option<Vec<&str>> = agent
        .servers
        .as_ref()
        .map(|list| list.iter().map(String::as_str).collect());
    let servers = servers.map_or_else(|| "any server its policies allow".to_owned(), |list| listed(&list));
    let state = match agent.state {
        AgentState::Active => "",
        AgentState::Suspended => ", suspended",
        AgentState::Revoked => ", revoked",
    };
    let bound = match agent.require_binding {
        RequireBinding::None => "",
        RequireBinding::Token => ", bound tokens only",
        RequireBinding::Request => ", bound requests only",
    };
    let alone = if agent.x509 { ", or by its certificate" } else { "" };
    let expires = agent.expires.as_ref();
    let expires = expires.map_or_else(String::new, |expires| format!(", expires {expires}"));
    format!(
        "{} of issuer {}{alone}: {servers}{state}{bound}{expires}",
        agent.name, agent.issuer
    )
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}
