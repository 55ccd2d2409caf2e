//! Notices that files changed, and reads them. What is read is put in force elsewhere.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use portreeve_core::signals::Transmitter;
use portreeve_core::snapshot::Snapshot;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use crate::boot::{self, BootError};
use crate::config::{self, Config, Diagnostic, KeySource, publish};
use crate::shard::Origins;

/// How long the files must be quiet before they are read: editors and git write in several steps.
const SETTLE: Duration = Duration::from_millis(150);

/// Files that never are quiet are read after this long all the same.
const LATEST: Duration = Duration::from_secs(2);

/// A configuration that holds together, with all that is made of it.
pub(super) struct Read {
    pub(super) config: Config,
    pub(super) snapshot: Snapshot,
    pub(super) origins: Origins,
    pub(super) transmitters: Vec<(String, Transmitter)>,
}

/// What came of a reading that went well.
pub(super) type Fresh = Box<Read>;

/// Why what is on disk cannot be put in force.
pub(super) enum Unread {
    /// Files are wrong.
    Files(Vec<Diagnostic>),
    /// A server cannot be resolved or trusted.
    Servers(BootError),
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
///
/// Whatever changed is read on another thread: a slow disk or name server must not keep an order from being carried out.
pub(super) fn watch(config: &Config) -> io::Result<(Receiver<Result<Fresh, Unread>>, RecommendedWatcher)> {
    let hangup = signal(SignalKind::hangup())?;
    let (tell, changes) = channel(1);
    let state = config.gate.state_dir.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let ours = |path: &PathBuf| path.parent() == Some(&state);
        if event.is_ok_and(|event| !event.kind.is_access() && !event.paths.iter().all(ours)) {
            // Full means that a change is already waiting to be seen.
            let _ = tell.try_send(());
        }
    })
    .map_err(io::Error::other)?;
    for folder in folders(config) {
        let watched = watcher.watch(&folder, RecursiveMode::NonRecursive);
        watched.map_err(io::Error::other)?;
    }
    Ok((readings(config.file.clone(), changes, hangup), watcher))
}

/// One reading per change. A task of its own: an order that comes meanwhile must not make it forget a change.
fn readings(file: PathBuf, mut changes: Receiver<()>, mut hangup: Signal) -> Receiver<Result<Fresh, Unread>> {
    let (tell, readings) = channel(1);
    tokio::spawn(async move {
        loop {
            changed(&mut changes, &mut hangup).await;
            let file = file.clone();
            // A reading that panicked has said so; the next change is read again.
            if let Ok(reading) = tokio::task::spawn_blocking(move || read(&file)).await
                && tell.send(reading).await.is_err()
            {
                return;
            }
        }
    });
    readings
}

fn read(file: &Path) -> Result<Fresh, Unread> {
    let config = config::load(file).map_err(Unread::Files)?;
    let snapshot = publish::snapshot(&config).map_err(Unread::Files)?;
    let transmitters = publish::transmitters(&config).map_err(Unread::Files)?;
    let origins = boot::origins(&config).map_err(Unread::Servers)?;
    Ok(Box::new(Read {
        config,
        snapshot,
        origins,
        transmitters,
    }))
}

fn folders(config: &Config) -> Vec<PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut folders = vec![parent(&config.file), config.gate.policies.clone()];
    folders.extend(config.signers().filter_map(|signer| match &signer.keys {
        KeySource::File(file) => Some(parent(file)),
        KeySource::At(_) | KeySource::Discovered(..) => None,
    }));
    folders.sort();
    folders.dedup();
    folders
}
