//! From what is written to what it means: defaults that depend on other keys, references, and the closed choices.
//!
//! Pure. Collects every fault instead of stopping at the first, so that one run of `portreeve check` is enough.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use portreeve_core::limits::SERVERS;
use portreeve_core::policy::Demands;
use toml::Spanned;

use super::api_key::API_KEY_ISSUER;
use super::certificates;
use super::date::Day;
use super::diagnostic::{Diagnostic, Source, did_you_mean};
use super::limits::{Limits, at_most};
use super::value::HttpUrl;
use super::{
    Agent, Config, EMBEDDED, Embedded, Gate, Issuer, Mint, Proofs, Registration, Server, Tls, Tool, gate_path, raw,
};

mod api_keys;
mod credential;
mod demands;
mod fetched;
mod introspection;
mod issuers;
mod signals;

/// Shards beyond this are refused: a session id names its shard in one byte.
const SHARDS_MAX: usize = 64;
/// Bytes of a name the operator gives.
const NAME_BYTES_MAX: usize = 64;
/// Bytes of an issuer, subject, audience, claim or group.
const TEXT_BYTES_MAX: usize = 255;
/// Life of a minted token.
const MINT_LIFETIME: Duration = Duration::from_secs(60);
/// The longest life of a minted token that can be configured.
const MINT_LIFETIME_MAX: Duration = Duration::from_secs(120);

pub(super) fn resolve(document: raw::Document, source: &Source, cores: usize) -> Result<Config, Vec<Diagnostic>> {
    let mut resolver = Resolver {
        directory: source.path.parent().unwrap_or(Path::new("")),
        source,
        faults: Vec::new(),
    };
    let limits = Limits::resolve(&document.limits, source, &mut resolver.faults);
    let gate = resolver.gate(document.gate, cores);
    let mut issuer_names = names(&document.issuers);
    let server_names = names(&document.servers);
    if document.embedded_issuer.is_some() {
        issuer_names.push(EMBEDDED.to_owned());
    }
    let certified = certificates::certified(&document.agents);
    issuer_names.push(API_KEY_ISSUER.to_owned());
    resolver.keys_stay_private(&document.agents, &gate);
    let agents = resolver.agents(document.agents, &issuer_names, &server_names);
    let audiences = default_audiences(&gate.public_url, &server_names);
    let issuers = resolver.issuers(document.issuers, &gate.public_url, &audiences);
    let signals = resolver.signals(document.signals, &gate.public_url, &issuers);
    resolver.certified(&certified, &issuers, &gate);
    let embedded = document.embedded_issuer.map(|embedded| resolver.embedded(embedded));
    let servers = resolver.servers(document.servers);
    let mint = resolver.mint(&document.mint);
    let secrets = resolver.key_source(document.secrets.key);
    if !resolver.faults.is_empty() {
        resolver.faults.sort_by_key(|fault| fault.position);
        return Err(resolver.faults);
    }
    Ok(Config {
        file: source.path.clone(),
        gate,
        limits,
        issuers,
        embedded,
        agents,
        servers,
        mint,
        secrets,
        proofs: Proofs {
            require_nonce: document.proofs.require_nonce.unwrap_or(true),
        },
        signals,
    })
}

fn names<T>(table: &raw::Named<T>) -> Vec<String> {
    table.keys().map(|name| name.get_ref().clone()).collect()
}

/// The gate itself, and each server by the URL its metadata documents give to clients (RFC 8707 resource).
fn default_audiences(public_url: &str, servers: &[String]) -> Vec<String> {
    let resources = servers.iter().map(|name| format!("{public_url}{}", gate_path(name)));
    std::iter::once(public_url.to_owned()).chain(resources).collect()
}

pub(super) struct Resolver<'a> {
    source: &'a Source,
    directory: &'a Path,
    faults: Vec<Diagnostic>,
}

impl Resolver<'_> {
    fn gate(&mut self, gate: raw::Gate, cores: usize) -> Gate {
        let listen = gate.listen.get_ref().0;
        if gate.tls.is_none() && !listen.ip().is_loopback() && !gate.allow_plaintext {
            self.refuse(
                &gate.listen,
                "plain HTTP beyond this machine shows every credential to the network",
                "add [gate.tls], listen on 127.0.0.1, or say allow_plaintext = true behind a TLS proxy on this network",
            );
        }
        let public_url = self.public_url(&gate);
        let shards = gate
            .shards
            .as_ref()
            .map_or(cores.clamp(1, SHARDS_MAX), |shards| *shards.get_ref());
        if !(1..=SHARDS_MAX).contains(&shards)
            && let Some(written) = &gate.shards
        {
            self.refuse(
                written,
                "this number of shards is out of range",
                &format!("from 1 to {SHARDS_MAX}"),
            );
        }
        let mut allowed_hosts = vec![public_url.authority()];
        for host in &gate.allowed_hosts {
            self.text(host);
            allowed_hosts.push(host.get_ref().to_ascii_lowercase());
        }
        let mut allowed_origins = Vec::new();
        for origin in &gate.allowed_origins {
            self.without_path(origin);
            allowed_origins.push(origin.get_ref().origin());
        }
        Gate {
            listen,
            public_url: public_url.origin(),
            shards,
            allowed_hosts,
            allowed_origins,
            state_dir: self.path(gate.state_dir.as_deref().unwrap_or(Path::new("state"))),
            policies: self.path(gate.policies.as_deref().unwrap_or(Path::new("policies"))),
            client_certificates: gate.tls.as_ref().and_then(|tls| self.client_certificates(tls)),
            tls: gate.tls.map(|tls| Tls {
                certificate: self.path(tls.certificate.get_ref()),
                key: self.path(tls.key.get_ref()),
            }),
        }
    }

    fn public_url(&mut self, gate: &raw::Gate) -> HttpUrl {
        let listen = gate.listen.get_ref().0;
        let Some(written) = &gate.public_url else {
            if listen.ip().is_unspecified() || listen.port() == 0 {
                self.refuse(
                    &gate.listen,
                    "clients cannot reach the gate at this address",
                    "add public_url with the scheme, name and port that clients use",
                );
            }
            return HttpUrl::of_address(gate.tls.is_some(), listen);
        };
        self.without_path(written);
        let url = written.get_ref();
        if !url.is_https() && !url.is_loopback() && !gate.allow_plaintext {
            self.refuse(
                written,
                "a plain HTTP gate beyond this machine shows every credential to the network",
                "write https://…, or say allow_plaintext = true",
            );
        }
        url.clone()
    }

    fn agents(&mut self, agents: raw::Named<raw::Agent>, issuers: &[String], servers: &[String]) -> Vec<Agent> {
        let mut seen: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut keys = BTreeSet::new();
        let mut resolved = Vec::new();
        for (name, agent) in agents {
            self.name(&name);
            self.agent_issuer(&name, &agent, issuers);
            for server in agent.servers.iter().flatten() {
                self.known(server, servers, "server");
            }
            self.texts(&name, &agent.groups);
            for (issuer, client) in &agent.clients {
                self.known(issuer, issuers, "issuer");
                self.text(client);
            }
            let api_keys = self.api_keys(&agent.issuer, agent.api_keys, &mut keys);
            let issuer = agent.issuer.into_inner();
            let subject = agent
                .subject
                .map_or_else(|| name.get_ref().clone(), Spanned::into_inner);
            if let Some(other) = seen.insert((issuer.clone(), subject.clone()), name.get_ref().clone()) {
                let hint = format!("give it its own, or drop one of the two; policies tell agents apart as `{other}`");
                self.refuse(
                    &name,
                    &format!("this agent has the issuer and subject of agent `{other}`"),
                    &hint,
                );
            }
            let registration = self.registration(&name, agent.owner, agent.purpose, agent.review);
            resolved.push(Agent {
                name: name.into_inner(),
                issuer,
                subject,
                groups: agent.groups,
                servers: agent
                    .servers
                    .map(|servers| servers.into_iter().map(Spanned::into_inner).collect()),
                clients: agent
                    .clients
                    .into_iter()
                    .map(|(issuer, client)| (issuer.into_inner(), client.into_inner()))
                    .collect(),
                api_keys,
                state: agent.state,
                require_binding: agent.require_binding,
                x509: agent.x509.is_some_and(Spanned::into_inner),
                expires: agent.expires,
                registration,
            });
        }
        resolved
    }

    /// An agent needs an issuer that is there, and what that issuer calls it.
    fn agent_issuer(&mut self, name: &Spanned<String>, agent: &raw::Agent, issuers: &[String]) {
        let issuer = agent.issuer.get_ref();
        if !issuers.contains(issuer) && issuer == EMBEDDED {
            self.refuse(
                &agent.issuer,
                "there is no embedded issuer here",
                "add [embedded_issuer]",
            );
        } else {
            self.known(&agent.issuer, issuers, "issuer");
        }
        if let Some(subject) = &agent.subject {
            self.text(subject);
        } else if issuer != EMBEDDED && issuer != API_KEY_ISSUER && issuers.contains(issuer) {
            self.refuse(name, "this agent has no subject", "add subject, as its issuer names it");
        }
    }

    fn servers(&mut self, servers: raw::Named<raw::Server>) -> Vec<Server> {
        let mut resolved = Vec::new();
        for (count, (name, server)) in servers.into_iter().enumerate() {
            self.name(&name);
            if count == SERVERS {
                self.refuse(&name, "this is one server too many", &format!("at most {SERVERS}"));
            }
            let url = server.url.get_ref();
            if !url.is_https() && !url.is_loopback() && !server.allow_plaintext {
                self.refuse(
                    &server.url,
                    "plain HTTP beyond this machine shows every minted token to the network",
                    "write https://…, or say allow_plaintext = true for this server",
                );
            }
            if let Some(audience) = &server.audience {
                self.text(audience);
            }
            let written = demands::Written {
                scopes: server.require_scopes,
                acr: server.require_acr,
                age: server.require_auth_age,
            };
            let demands = self.demands(written, &Demands::default());
            let mut tools = Vec::new();
            for (tool_name, tool) in server.tools {
                self.text(&tool_name);
                for label in &tool.labels {
                    self.text(label);
                }
                let written = demands::Written {
                    scopes: tool.require_scopes,
                    acr: tool.require_acr,
                    age: tool.require_auth_age,
                };
                tools.push(Tool {
                    demands: self.demands(written, &demands),
                    name: tool_name.into_inner(),
                    class: tool.class,
                    labels: tool.labels.into_iter().map(Spanned::into_inner).collect(),
                });
            }
            let credential = self.credential(&name, &server.url, server.credential);
            let identity = self.identity_for(&server.url, &name, (server.certificate, server.key), &resolved);
            let registration = self.registration(&name, server.owner, server.purpose, server.review);
            resolved.push(Server {
                name: name.into_inner(),
                credential,
                audience: server.audience.map_or_else(|| url.to_string(), Spanned::into_inner),
                ca_file: server.ca_file.map(|file| self.path(&file)),
                identity,
                era: server.era,
                url: server.url.into_inner(),
                state: server.state,
                registration,
                tools,
                demands,
            });
        }
        resolved
    }

    fn registration(
        &mut self,
        name: &Spanned<String>,
        owner: Option<Spanned<String>>,
        purpose: Option<Spanned<String>>,
        review: Option<Day>,
    ) -> Registration {
        for text in owner.iter().chain(&purpose) {
            self.text(text);
        }
        Registration {
            owner: owner.map(Spanned::into_inner),
            purpose: purpose.map(Spanned::into_inner),
            review,
            line: self.source.position(name.span().start).0,
        }
    }

    fn mint(&mut self, mint: &raw::Mint) -> Mint {
        Mint {
            algorithm: mint.algorithm,
            lifetime: mint.lifetime.as_ref().map_or(MINT_LIFETIME, |lifetime| {
                at_most(lifetime, MINT_LIFETIME_MAX, self.source, &mut self.faults)
            }),
        }
    }
}

/// Checks of single values.
impl Resolver<'_> {
    pub(super) fn refuse<T>(&mut self, written: &Spanned<T>, message: &str, hint: &str) {
        self.faults.push(self.source.fault(written.span(), message).hint(hint));
    }

    pub(super) fn path(&self, written: &Path) -> PathBuf {
        self.directory.join(written)
    }

    fn without_path(&mut self, written: &Spanned<HttpUrl>) {
        if !matches!(written.get_ref().path(), "" | "/") {
            self.refuse(written, "this URL has a path", "write only scheme, host and port");
        }
    }

    fn known(&mut self, written: &Spanned<String>, known: &[String], noun: &str) {
        let name = written.get_ref();
        if !known.contains(name) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let message = format!("there is no {noun} `{}`", name.escape_debug());
            self.refuse(written, &message, &did_you_mean(name, &known));
        }
    }

    /// Names stand in paths, tool ids and file names, so they are plain.
    fn name(&mut self, name: &Spanned<String>) {
        let text = name.get_ref();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(plain) || text.starts_with(['-', '_']) {
            self.refuse(
                name,
                &format!("`{}` is not a name", text.escape_debug()),
                "letters, digits, - and _, at most 64, first a letter or digit",
            );
        }
    }

    fn text(&mut self, written: &Spanned<String>) {
        self.texts(written, std::slice::from_ref(written.get_ref()));
    }

    fn texts<T>(&mut self, place: &Spanned<T>, texts: &[String]) {
        for text in texts {
            if text.is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
                self.refuse(
                    place,
                    "a text here is empty, too long or has control characters",
                    "1 to 255 bytes of plain text",
                );
            }
        }
    }
}
