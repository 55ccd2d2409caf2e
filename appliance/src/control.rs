//! The control plane: signals, the configuration on disk, and the words on the operator's terminal.
//!
//! One tokio thread beside the shards; the data plane never waits for it. A configuration that does not load leaves the
//! last good one in force and says so loudly; what cannot change while running is named, not ignored.

use std::pin::pin;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use crate::admin::revocations::Revocations;
use crate::admin::{Admin, AdminError};
use crate::boot::{BootError, Gate};
use crate::config::{Config, Diagnostic, publish};
use crate::say;

mod desk;
mod reload;

use desk::Desk;
use reload::{Fresh, Read, Unread};

/// Orders that wait while one is carried out; who brings more waits too.
const ORDERS: usize = 16;

/// Why serving ended badly.
#[derive(Debug)]
pub enum ServeError {
    /// The configuration, a policy or a key file is wrong.
    Config(Vec<Diagnostic>),
    /// The gate did not start.
    Boot(BootError),
    /// The admin API cannot be offered.
    Admin(AdminError),
    /// Signals or file changes cannot be received.
    Control(String),
}

/// Serves `config` until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// The gate did not start; once it runs, only a signal ends it.
pub fn serve(config: Config) -> Result<(), ServeError> {
    let control = |error: std::io::Error| ServeError::Control(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(control)?;
    let inside = runtime.enter();
    // Before anything of the state directory is read: of two gates on one of them the second must not begin.
    let admin = Admin::open(&config.gate.state_dir).map_err(ServeError::Admin)?;
    let told = told_to_stop().map_err(control)?;
    let (read, _watcher) = reload::watch(&config).map_err(control)?;
    drop(inside);
    let revocations = Revocations::load(&config.gate.state_dir).map_err(|fault| ServeError::Config(vec![fault]))?;
    let mut snapshot = publish::snapshot(&config).map_err(ServeError::Config)?;
    snapshot.denylist = revocations.denylist();
    let gate = Gate::start(&config, snapshot).map_err(ServeError::Boot)?;
    let mut desk = Desk {
        gate: &gate,
        revocations,
    };
    desk.warn_of_strangers(&config);
    say::ready(&format!("listening on {}://{}", config.gate.scheme(), gate.address()));
    runtime.block_on(attend(&mut desk, config, &admin, told, read));
    Ok(())
}

/// Reacts to changed files and orders until told to stop, and then to orders until all is quiet.
async fn attend(
    desk: &mut Desk<'_>,
    mut config: Config,
    admin: &Admin,
    told: impl Future<Output = ()>,
    mut read: Receiver<Result<Fresh, Unread>>,
) {
    let gate = desk.gate;
    let (give, mut orders) = channel(ORDERS);
    let (mut serving, mut told) = (pin!(admin.serve(give)), pin!(told));
    loop {
        tokio::select! {
            () = &mut told => break,
            Some(fresh) = read.recv() => {
                if take_up(gate, &mut config, fresh) {
                    desk.warn_of_strangers(&config);
                }
            }
            Some(order) = orders.recv() => desk.carry_out(order),
            never = &mut serving => match never {},
        }
    }
    say::notice("stopping: no new connections, running calls may finish");
    let mut quiet = pin!(quiet(gate));
    loop {
        tokio::select! {
            () = &mut quiet => break,
            Some(order) = orders.recv() => desk.carry_out(order),
            never = &mut serving => match never {},
        }
    }
    say::notice("stopped");
}

/// Comes to its end after SIGTERM or SIGINT, which are heard from this call on.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Drains the gate; who is still being served can be shut off meanwhile.
async fn quiet(gate: &Gate) {
    let stopping = gate.drain();
    // A shard that panicked has been reported by the panic itself.
    let _joined = tokio::task::spawn_blocking(|| stopping.wait()).await;
}

/// Puts what was read from the disk in force, or keeps what is; says which.
fn take_up(gate: &Gate, config: &mut Config, read: Result<Fresh, Unread>) -> bool {
    let fresh = match read {
        Ok(fresh) => *fresh,
        Err(unread) => {
            match unread {
                Unread::Files(faults) => say::faults(&faults),
                Unread::Servers(error) => say::notice(&error.to_string()),
            }
            say::notice("NOT reloaded: the configuration and policies before this change stay in force");
            return false;
        }
    };
    let Read {
        config: fresh,
        snapshot,
        origins,
    } = fresh;
    let (now, then) = (&config.gate, &fresh.gate);
    if now.listen != then.listen
        || now.shards != then.shards
        || now.state_dir != then.state_dir
        || now.tls != then.tls
        || config.limits != fresh.limits
    {
        say::notice(
            "listen, tls, shards, state_dir and limits take effect at the next start; everything else is reloaded now",
        );
    }
    let generation = gate.publish(&fresh, snapshot, &origins);
    say::notice(&format!("reloaded: generation {generation} is in force"));
    *config = fresh;
    true
}
