//! The control plane: signals, the configuration on disk, and the words on the operator's terminal.
//!
//! One tokio thread beside the shards; the data plane never waits for it. A configuration that does not load leaves the
//! last good one in force and says so loudly; what cannot change while running is named, not ignored.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use crate::boot::{BootError, Gate};
use crate::config::{self, Config, Diagnostic, publish};
use crate::say;

/// How long the files must be quiet before they are read: editors and git write in several steps.
const SETTLE: Duration = Duration::from_millis(150);

/// Files that never are quiet are read after this long all the same.
const LATEST: Duration = Duration::from_secs(2);

/// Why serving ended badly.
#[derive(Debug)]
pub enum ServeError {
    /// The configuration, a policy or a key file is wrong.
    Config(Vec<Diagnostic>),
    /// The gate did not start.
    Boot(BootError),
    /// Signals or file changes cannot be received.
    Control(String),
}

/// Serves `config` until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// The gate did not start; once it runs, only a signal ends it.
pub fn serve(config: Config) -> Result<(), ServeError> {
    let snapshot = publish::snapshot(&config).map_err(ServeError::Config)?;
    let gate = Gate::start(&config, snapshot).map_err(ServeError::Boot)?;
    say::ready(&format!("listening on {}://{}", config.gate.scheme(), gate.address()));
    let run = || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(attend(&gate, config))
    };
    let attended = run().map_err(|error| ServeError::Control(error.to_string()));
    say::notice("stopping: no new connections, running calls may finish");
    gate.stop();
    say::notice("stopped");
    attended
}

/// Reacts to signals and changed files until told to stop.
async fn attend(gate: &Gate, mut config: Config) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (mut changes, _watcher) = watch(&config).map_err(std::io::Error::other)?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            () = changed(&mut changes, &mut hangup) => reload(gate, &mut config),
        }
    }
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
