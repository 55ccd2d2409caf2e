//! `portreeve issuer`: what an operator does about issuers.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

mod test;

use super::revoke::RunningGate;
use super::{Failure, unknown};
use crate::admin::client;
use crate::admin::contract::{self, Done, Refresh};

/// Look after the issuers whose tokens the gate believes.
#[derive(Args, Debug)]
pub(super) struct Issuer {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say step by step why a token of an issuer is accepted or not. The token itself is never shown.
    ///
    /// Reads the configuration and the issuer's keys; where those are fetched, they are fetched now. No gate need be
    /// running.
    Test {
        /// Its name in [issuers], `embedded` or `embedded-users`.
        name: String,
        /// A file with the token, or - for standard input; a leading `Bearer` is ignored.
        #[arg(long, value_name = "FILE")]
        token: PathBuf,
        /// Judge it as it would be in this place; may be left out where the issuer is for one only.
        #[arg(long, value_enum, value_name = "WHO")]
        of: Option<Who>,
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = "portreeve.toml")]
        config: PathBuf,
    },
    /// Fetch an issuer's keys now, as after an emergency rotation; otherwise they are fetched when they are due, or when a
    /// token names one that is not there.
    Refresh {
        /// Its name in [issuers], or `signals.` and the name of a transmitter in [signals].
        name: String,
        #[command(flatten)]
        gate: RunningGate,
    },
}

/// Where a token is presented.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Who {
    /// In `Authorization`.
    Agent,
    /// In `X-AI-User-Assertion`.
    User,
}

pub(super) fn run(options: &Issuer) -> Result<String, Failure> {
    match &options.command {
        Command::Refresh { name, gate } => refresh(name, gate),
        Command::Test {
            name,
            token,
            of,
            config,
        } => test::run(name, token, *of, config),
    }
}

fn refresh(name: &str, gate: &RunningGate) -> Result<String, Failure> {
    let (state_dir, config) = gate.find()?;
    if let Some(config) = &config {
        let signers: Vec<String> = config.signers().map(|signer| signer.name).collect();
        let known: Vec<&str> = signers.iter().map(String::as_str).collect();
        if !known.contains(&name) {
            return Err(unknown("issuer", name, &known));
        }
    }
    let order = Refresh {
        issuer: name.to_owned(),
    };
    let _done: Done = client::ask(&state_dir, contract::REFRESH, Some(&order))?;
    Ok(format!(
        "issuer {name} is asked for its keys; `portreeve status` says what came of it\n"
    ))
}
