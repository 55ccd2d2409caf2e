//! `portreeve demo`: the story, in front of a gate that is started here.

use std::net::SocketAddr;
use std::time::Instant;

use clap::Args;
use portreeve_core::snapshot::Snapshot;

use super::Failure;
use crate::boot::{self, Gate};
use crate::config::Config;
use crate::demo;
use crate::demo::stage::RunningGate;
use crate::shard::channel_of_wants;

/// Watch agents being let through and turned away.
///
/// Starts a sample server and the gate in front of it on free ports of this machine, makes real calls for two agents
/// and two users, and says of each what the gate decided and why. Then it prints how to try it by hand and serves until
/// Ctrl-C. Needs no configuration and leaves nothing behind.
#[derive(Args, Debug, Default)]
pub(super) struct Options {
    /// End after the story; the exit code says whether every step went as it must.
    #[arg(long)]
    once: bool,
}

pub(super) fn run(options: &Options, started: Instant) -> Result<String, Failure> {
    demo::run(options.once, started, start).map_err(|error| Failure::Other(error.to_string()))?;
    Ok(String::new())
}

fn start(config: &Config, snapshot: Snapshot) -> Result<Box<dyn RunningGate>, String> {
    // Its issuer is embedded: its keys are there or nothing is.
    let (wants, _nobody_hears) = channel_of_wants();
    let gate = Gate::start(config, snapshot, &wants).map_err(|error| error.to_string())?;
    Ok(Box::new(gate))
}

impl RunningGate for Gate {
    fn address(&self) -> SocketAddr {
        Self::address(self)
    }

    fn publish(&self, config: &Config, snapshot: Snapshot) -> Result<(), String> {
        let origins = boot::origins(config).map_err(|error| error.to_string())?;
        Self::publish(self, config, snapshot, &origins, None);
        Ok(())
    }

    fn stop(self: Box<Self>) {
        self.drain().wait();
    }
}
