//! `portreeve issuer`: what an operator does about issuers.

use clap::{Args, Subcommand};

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
    /// Fetch an issuer's keys now, as after an emergency rotation; otherwise they are fetched when they are due, or when a
    /// token names one that is not there.
    Refresh {
        /// Its name in [issuers], or `signals.` and the name of a transmitter in [signals].
        name: String,
        #[command(flatten)]
        gate: RunningGate,
    },
}

pub(super) fn run(options: &Issuer) -> Result<String, Failure> {
    match &options.command {
        Command::Refresh { name, gate } => refresh(name, gate),
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
