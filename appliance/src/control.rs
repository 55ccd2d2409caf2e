//! The control plane: signals, the configuration on disk, and the words on the operator's terminal.
//!
//! One tokio thread beside the shards; the data plane never waits for it. A configuration that does not load leaves the
//! last good one in force and says so loudly; what cannot change while running is named, not ignored.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use crate::admin::revocations::Revocations;
use crate::admin::{Admin, AdminError};
use crate::boot::{BootError, Gate};
use crate::config::{self, Config, Diagnostic, publish};
use crate::say;

/// How long the files must be quiet before they are read: editors and git write in several steps.
const SETTLE: Duration = Duration::from_millis(150);

/// Orders that wait while one is carried out; who brings more waits too.
const ORDERS: usize = 16;

/// Files that never are quiet are read after this long all the same.
const LATEST: Duration = Duration::from_secs(2);

mod desk;

use desk::Desk;

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
    let mut snapshot = publish::snapshot(&config).map_err(ServeError::Config)?;
    let revocations = Revocations::load(&config.gate.state_dir).map_err(|fault| ServeError::Config(vec![fault]))?;
    snapshot.denylist = revocations.denylist().map(Arc::new).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(control)?;
    let inside = runtime.enter();
    // Before the first shard: of two gates on one state directory the second must not begin.
    let admin = Admin::open(&config.gate.state_dir).map_err(ServeError::Admin)?;
    drop(inside);
    let gate = Gate::start(&config, snapshot).map_err(ServeError::Boot)?;
    say::ready(&format!("listening on {}://{}", config.gate.scheme(), gate.address()));
    let attended = runtime
        .block_on(attend(&gate, config, &admin, revocations))
        .map_err(control);
    say::notice("stopping: no new connections, running calls may finish");
    gate.stop();
    say::notice("stopped");
    attended
}

/// Reacts to signals, changed files and orders until told to stop.
async fn attend(gate: &Gate, mut config: Config, admin: &Admin, revocations: Revocations) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hangup = signal(SignalKind::hangup())?;
    let (changes, _watcher) = watch(&config).map_err(std::io::Error::other)?;
    let mut settled = settled(changes, hangup);
    let mut desk = Desk { gate, revocations };
    let (give, mut orders) = channel(ORDERS);
    let mut serving = pin!(admin.serve(give));
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            Some(()) = settled.recv() => reload(gate, &mut config),
            Some(order) = orders.recv() => desk.carry_out(order),
            never = &mut serving => match never {},
        }
    }
}

/// One message per change. A task of its own: an order that comes meanwhile must not make it forget one.
fn settled(mut changes: Receiver<()>, mut hangup: Signal) -> Receiver<()> {
    let (tell, settled) = channel(1);
    tokio::spawn(async move {
        loop {
            changed(&mut changes, &mut hangup).await;
            if tell.send(()).await.is_err() {
                return;
            }
        }
    });
    settled
}

/// Returns after a change (or SIGHUP), once the files have been quiet for [`SETTLE`].
async fn changed(changes: &mut Receiver<()>, hangup: &mut Signal) {
    tokio::select! {
        _ = hangup.recv() => return,
        _ = changes.recv() => {}
    }
    let latest = tokio::time::Instant::now() + LATEST;
    while tokio::time::Instant::now() < latest
        && matches!(tokio::time::timeout(SETTLE, changes.recv()).await, Ok(Some(())))
    {}
}

/// Watches the folders of everything a snapshot is made of: files are replaced, so their folders are what changes.
fn watch(config: &Config) -> notify::Result<(Receiver<()>, notify::RecommendedWatcher)> {
    let (tell, changes) = channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // Full means that a change is already waiting to be seen.
            let _ = tell.try_send(());
        }
    })?;
    for folder in folders(config) {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
    }
    Ok((changes, watcher))
}

fn folders(config: &Config) -> Vec<PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut folders = vec![parent(&config.file), config.gate.policies.clone()];
    folders.extend(config.issuers.iter().map(|issuer| parent(&issuer.jwks_file)));
    folders.sort();
    folders.dedup();
    folders
}

/// Puts what is on disk in force, or keeps what is.
fn reload(gate: &Gate, config: &mut Config) {
    let loaded = config::load(&config.file).and_then(|fresh| publish::snapshot(&fresh).map(|made| (fresh, made)));
    let (fresh, snapshot) = match loaded {
        Ok(loaded) => loaded,
        Err(faults) => {
            say::faults(&faults);
            say::notice("NOT reloaded: the configuration and policies before this change stay in force");
            return;
        }
    };
    if fresh.gate.listen != config.gate.listen
        || fresh.gate.shards != config.gate.shards
        || fresh.limits != config.limits
    {
        say::notice("listen, shards and limits take effect at the next start; everything else is reloaded now");
    }
    match gate.publish(&fresh, snapshot) {
        Ok(generation) => {
            say::notice(&format!("reloaded: generation {generation} is in force"));
            *config = fresh;
        }
        Err(error) => say::notice(&format!("NOT reloaded: {error}")),
    }
}
