//! `portreeve secret`: what the gate itself holds for servers, sealed in the state directory.
//!
//! A secret comes from the terminal or from standard input, never from the command line, and is never printed. A running
//! gate takes a change up by itself.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use portreeve_core::limits::SECRET_BYTES_MAX;
use zeroize::Zeroizing;

use super::{ConfigFile, Failure, unknown};
use crate::config::{self, Config, credential};
use crate::secrets::{KeySource, Secret, Store};

/// Keep, list and remove the secrets that servers ask of the gate: API keys and the like.
///
/// They are sealed in the state directory, and named in the configuration: [servers.NAME.credential] secret = "...". A
/// running gate takes a change up by itself.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(subcommand)]
    order: Order,
}

#[derive(Debug, Subcommand)]
enum Order {
    /// Set or replace a secret: asked for on a terminal, else read from standard input, without the last line's end.
    Set {
        /// What the configuration calls it.
        name: String,
        #[command(flatten)]
        gate: Place,
    },
    /// List the secrets: since when, and which servers use them. Shows no secret and needs no key.
    List {
        #[command(flatten)]
        gate: Place,
    },
    /// Remove a secret that no server of the configuration uses.
    Rm {
        /// What the configuration calls it.
        name: String,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// Whose secrets are meant.
#[derive(Args, Debug)]
struct Place {
    /// The configuration of the gate.
    #[arg(long, value_name = "FILE", default_value = "portreeve.toml")]
    config: PathBuf,
    /// The state directory of the gate, where its configuration cannot be read; the key is then where it is kept if
    /// [secrets] says nothing.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Place {
    /// The store, and the configuration unless that is not to be read.
    fn find(&self) -> Result<(Store, Option<Config>), Failure> {
        if let Some(state_dir) = &self.state_dir {
            return Ok((Store::new(state_dir, KeySource::default()), None));
        }
        let config = config::load(&self.config)?;
        Ok((config.secret_store(), Some(config)))
    }
}

pub(super) fn run(options: &Options) -> Result<String, Failure> {
    match &options.order {
        Order::Set { name, gate } => set(name, gate),
        Order::List { gate } => list(gate),
        Order::Rm { name, config } => remove(name, config),
    }
}

fn set(name: &str, gate: &Place) -> Result<String, Failure> {
    let (store, config) = gate.find()?;
    let secret = ask(name)?;
    if let Some(config) = &config {
        credential::refuse_unfit(config, name, &secret)?;
    }
    let replaced = store.set(name, &secret).map_err(|fault| vec![fault])?;
    let done = if replaced { "replaced" } else { "set" };
    Ok(format!(
        "secret `{name}` is {done}; a running gate takes it up by itself\n"
    ))
}

fn list(gate: &Place) -> Result<String, Failure> {
    let (store, config) = gate.find()?;
    let listed = store.list().map_err(|fault| vec![fault])?;
    if listed.is_empty() {
        return Ok("there are no secrets\n".to_owned());
    }
    let mut out = String::new();
    for secret in listed {
        // A string takes everything.
        let _ = writeln!(out, "{}\n  set {}", secret.name, secret.set);
        if let Some(config) = &config {
            let users = config.users_of_secret(&secret.name);
            let users = if users.is_empty() {
                "nobody".to_owned()
            } else {
                users.join(", ")
            };
            let _ = writeln!(out, "  used by {users}");
        }
    }
    Ok(out)
}

fn remove(name: &str, config: &ConfigFile) -> Result<String, Failure> {
    let config = config::load(&config.config)?;
    let users = config.users_of_secret(name);
    if !users.is_empty() {
        return Err(Failure::Other(format!(
            "secret `{name}` is used by {}\n  hint: take it out of the configuration first",
            users.join(", ")
        )));
    }
    let store = config.secret_store();
    if store.remove(name).map_err(|fault| vec![fault])? {
        return Ok(format!("secret `{name}` is removed\n"));
    }
    let names = store.names().map_err(|fault| vec![fault])?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Err(unknown("secret", name, &names))
}

/// Reads a secret from the terminal without showing it, or all of standard input.
fn ask(name: &str) -> Result<Secret, Failure> {
    let failed = |error: io::Error| Failure::Other(format!("the secret cannot be read: {error}"));
    if io::stdin().is_terminal() {
        let typed = rpassword::prompt_password(format!("secret `{}` (not shown): ", name.escape_debug()));
        return Ok(Secret::new(Zeroizing::new(typed.map_err(failed)?.into_bytes())));
    }
    // Of one size from the start: what grows leaves copies behind. One more than allowed, and the end of a line.
    let mut bytes = Zeroizing::new(vec![0; SECRET_BYTES_MAX + 3]);
    let mut filled = 0;
    loop {
        match io::stdin().lock().read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    bytes.truncate(filled);
    if bytes.ends_with(b"\n") {
        bytes.truncate(filled - 1);
        if bytes.ends_with(b"\r") {
            bytes.truncate(filled - 2);
        }
    }
    Ok(Secret::new(bytes))
}
