//! `portreeve agent key`: keys for an agent that has no tokens. A key is made here, printed once, and never leaves this
//! process otherwise: the gate and the file get its digest.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use clap::Subcommand;
use portreeve_core::identity::ApiKey;
use portreeve_core::limits::API_KEYS_PER_AGENT_MAX;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::admin::contract::{Edit, Noun};
use crate::cli::Failure;
use crate::cli::registry;
use crate::cli::revoke::RunningGate;
use crate::config::date::Expiry;

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Make a key and print it, once, alone, on standard output.
    ///
    /// The agent presents it as `Authorization: Bearer KEY`, beside the user's assertion. The file keeps its SHA-256. An
    /// agent has two keys at most: make the new one, give it to the agent, drop the old one.
    New {
        /// The agent, one with issuer = "api-key".
        name: String,
        /// The last day on which it is taken (UTC), or the moment it ends; in 90 days if not given.
        #[arg(long, value_name = "DATE", value_parser = registry::expiry)]
        expires: Option<Expiry>,
    },
    /// The keys of an agent, by the first digits of their SHA-256.
    List {
        /// The agent.
        name: String,
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// End a key for good: the next request with it is refused.
    Drop {
        /// The agent.
        name: String,
        /// The key, as `portreeve agent key list` names it.
        id: String,
    },
}

pub(super) fn run(gate: &RunningGate, key: &Key) -> Result<String, Failure> {
    match key {
        Key::New { name, expires } => new(gate, name, expires.as_ref()),
        Key::List { name, json } => list(gate, name, *json),
        Key::Drop { name, id } => {
            let (name, id) = (name.clone(), id.clone());
            registry::perform(gate, &Edit::DropKey { name, id })
        }
    }
}

fn new(gate: &RunningGate, name: &str, expires: Option<&Expiry>) -> Result<String, Failure> {
    let mut random = Zeroizing::new([0; 32]);
    SystemRandom::new()
        .fill(&mut *random)
        .map_err(|_| Failure::Other("the system gives no randomness".to_owned()))?;
    let key = ApiKey::generate(&random);
    let mut sha256 = String::with_capacity(64);
    for byte in ApiKey::digest(key.as_bytes()) {
        // A string takes everything.
        let _ = write!(sha256, "{byte:02x}");
    }
    let edit = Edit::AddKey {
        name: name.to_owned(),
        sha256,
        expires: expires.map(Expiry::to_string),
    };
    let report = registry::perform(gate, &edit)?;
    // Standard output is for the key. Where nobody reads this, the key is good all the same.
    let _ = write!(io::stderr(), "{report}");
    Ok(format!("{}\n", *key))
}

fn list(gate: &RunningGate, name: &str, json: bool) -> Result<String, Failure> {
    let agents = registry::registry(gate)?.agents;
    let agent = registry::find(Noun::Agent, &agents, name, |agent| &agent.name)?;
    if json {
        return registry::json(&agent.keys);
    }
    if agent.keys.is_empty() {
        return Ok(format!("agent {name} has no API key\n"));
    }
    let rows: Vec<_> = agent
        .keys
        .iter()
        .map(|key| {
            let state = if key.expired { "expired" } else { "active" };
            [
                Some(key.id.clone()),
                key.created.clone(),
                Some(key.expires.clone()),
                Some(state.to_owned()),
            ]
        })
        .collect();
    let mut out = registry::table(["ID", "CREATED", "EXPIRES", "STATE"], &rows);
    if rows.len() == API_KEYS_PER_AGENT_MAX {
        let _ = writeln!(out, "\nboth count; `portreeve agent key drop {name} ID` ends one");
    }
    Ok(out)
}
