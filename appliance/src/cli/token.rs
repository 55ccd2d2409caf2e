//! `portreeve token`: the two tokens an agent presents for a user, from the embedded issuer.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use portreeve_core::jose::jwk::{KeyFault, PublicKey};
use portreeve_core::time::UnixTime;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{Failure, unknown};
use crate::clock;
use crate::config::api_key::API_KEY_ISSUER;
use crate::config::keys::{self, Role};
use crate::config::value::TimeSpan;
use crate::config::{self, Agent, AgentState, Config, Diagnostic, EMBEDDED, Embedded, embedded};

/// Print the two tokens that an agent presents for a user, as HTTP header lines.
///
/// Only for the embedded issuer, which this machine holds the key of. The assertion works beside this agent's token
/// only. Standard output carries the two lines and nothing else; for an agent with API keys, which presents its key
/// instead of a token, the assertion's line alone:
///
///   curl -H @<(portreeve token --agent claude-code --user me) ...
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Options {
    /// The agent, as named in [agents].
    #[arg(long, value_name = "NAME")]
    agent: String,
    /// The user, as named in [embedded_issuer.users].
    #[arg(long, value_name = "NAME")]
    user: String,
    /// How long the tokens live: 90s, 30m, 8h.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    ttl: TimeSpan,
    /// A public key as a JWK; both tokens then count only with DPoP proofs made by its private half.
    #[arg(long, value_name = "JWK_FILE")]
    bind_to: Option<PathBuf>,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "portreeve.toml")]
    config: PathBuf,
}

pub(super) fn run(options: &Options) -> Result<String, Failure> {
    let config = config::load(&options.config)?;
    let issuer = config.embedded.as_ref().ok_or_else(|| {
        other("this configuration has no [embedded_issuer]; tokens come from the identity providers in [issuers]")
    })?;
    let agent = find_agent(&config, &options.agent)?;
    let groups = find_user(issuer, &options.user)?;
    if options.ttl.0 > issuer.max_lifetime {
        let most = TimeSpan(issuer.max_lifetime);
        return Err(other(&format!(
            "--ttl {} is more than max_lifetime of [embedded_issuer], {most}",
            options.ttl
        )));
    }
    if options.ttl.0 < Duration::from_secs(1) {
        return Err(other("--ttl is less than a second"));
    }
    let has_key = agent.issuer == API_KEY_ISSUER;
    if has_key && options.bind_to.is_some() {
        return Err(other(
            "an agent with API keys holds no key that an assertion could be bound to; leave --bind-to out",
        ));
    }
    let holder = options.bind_to.as_deref().map(public_key).transpose()?;
    let key = keys::load(&config, Role::Embedded).map_err(|fault| vec![fault])?;
    let order = embedded::Order {
        agent,
        user: &options.user,
        groups,
        now: now()?,
        lifetime: options.ttl.0,
        entropy: [random()?, random()?],
        key: holder.as_ref(),
    };
    let gate = &config.gate.public_url;
    if has_key {
        let user = embedded::assertion(&key, gate, &order).map_err(|error| other(&error.to_string()))?;
        return Ok(format!("X-AI-User-Assertion: {user}\n"));
    }
    let made = embedded::issue(&key, gate, &order).map_err(|error| other(&error.to_string()))?;
    let scheme = if holder.is_some() { "DPoP" } else { "Bearer" };
    Ok(format!(
        "Authorization: {scheme} {}\nX-AI-User-Assertion: {}\n",
        made.agent, made.user
    ))
}

fn public_key(file: &Path) -> Result<PublicKey, Failure> {
    let document = config::read_text(file).map_err(|fault| vec![fault])?;
    PublicKey::parse(document.as_bytes()).map_err(|fault| {
        let hint = match fault {
            KeyFault::Private => "leave the private half where it is; this command needs kty, crv, x and y, or n and e",
            _ => "one public key as a JSON object, RFC 7517 4: EC, OKP or RSA",
        };
        vec![Diagnostic::of_file(file, fault.to_string()).hint(hint)].into()
    })
}

fn find_agent<'a>(config: &'a Config, name: &str) -> Result<&'a Agent, Failure> {
    let is_ours = |agent: &&Agent| matches!(agent.issuer.as_str(), EMBEDDED | API_KEY_ISSUER);
    let ours: Vec<&Agent> = config.agents.iter().filter(is_ours).collect();
    let Some(agent) = ours.iter().find(|agent| agent.name == name) else {
        let names: Vec<&str> = ours.iter().map(|agent| agent.name.as_str()).collect();
        return Err(unknown("agent of the embedded issuer", name, &names));
    };
    if let Some(expires) = agent.expires.as_ref().filter(|expires| expires.at() <= clock::now()) {
        return Err(other(&format!("agent `{name}` expired on {expires}")));
    }
    match agent.state {
        AgentState::Active => Ok(agent),
        AgentState::Suspended => Err(other(&format!("agent `{name}` is suspended"))),
        AgentState::Revoked => Err(other(&format!("agent `{name}` is revoked"))),
    }
}

fn find_user<'a>(issuer: &'a Embedded, name: &str) -> Result<&'a [String], Failure> {
    issuer.users.get(name).map(Vec::as_slice).ok_or_else(|| {
        let names: Vec<&str> = issuer.users.keys().map(String::as_str).collect();
        unknown("user of the embedded issuer", name, &names)
    })
}

fn now() -> Result<UnixTime, Failure> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| other("the clock is before 1970"))?;
    Ok(UnixTime::from_secs(since.as_secs()))
}

fn random() -> Result<[u8; 16], Failure> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| other("the system gives no randomness"))?;
    Ok(bytes)
}

fn other(reason: &str) -> Failure {
    Failure::Other(reason.to_owned())
}
