//! Notices that files changed, reads them, and makes the edits that are ordered. What comes of it is put in force
//! elsewhere.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use portreeve_core::signals::Transmitter;
use portreeve_core::snapshot::Snapshot;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinError;

use super::registrar::{Job, Task};
use super::watched::Files;
use crate::boot::{self, BootError};
use crate::broker::{self, Grants};
use crate::clock;
use crate::config::introspection::{self, Askers};
use crate::config::{self, Config, Diagnostic, keys, publish};
use crate::issuers;
use crate::registry::{self, Done, NotChanged};
use crate::say;
use crate::shard::Origins;
use crate::tls::{self, Listening};

/// How long the files must be quiet before they are read: editors and git write in several steps.
const SETTLE: Duration = Duration::from_millis(150);

/// Files that never are quiet are read after this long all the same.
const LATEST: Duration = Duration::from_secs(2);

/// A configuration that holds together, with all that is made of it.
pub(super) struct Read {
    pub(super) config: Config,
    pub(super) snapshot: Snapshot,
    pub(super) origins: Origins,
    pub(super) grants: Grants,
    pub(super) transmitters: Vec<(String, Transmitter)>,
    pub(super) askers: Askers,
    pub(super) listening: Option<Listening>,
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

/// What came from the disk.
pub(super) enum Came {
    /// Files changed, and were read.
    Reading(Result<Fresh, Unread>),
    /// An edit was made, or was not.
    Edited(Box<(Job, Result<Done<Fresh>, NotChanged>)>),
}

/// Returns once the files have been quiet for [`SETTLE`].
async fn settled(changes: &mut Receiver<()>) {
    let latest = tokio::time::Instant::now() + LATEST;
    while tokio::time::Instant::now() < latest
        && matches!(tokio::time::timeout(SETTLE, changes.recv()).await, Ok(Some(())))
    {}
}

/// Watches the folders of everything a snapshot is made of.
///
/// Whatever changed is read on another thread: a slow disk or name server must not keep an order from being carried out.
///
/// Edits (`jobs`) are made there too, one after the other and between readings: what was read before an edit is in force
/// before it, never after.
pub(super) fn watch(config: &Config, jobs: Receiver<Job>) -> io::Result<Receiver<Came>> {
    let hangup = signal(SignalKind::hangup())?;
    let (tell, changes) = channel(1);
    let files = Arc::new(Mutex::new(Files::of(config)));
    let (watched, changed) = (Arc::clone(&files), tell.clone());
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let files = watched.lock().unwrap_or_else(PoisonError::into_inner);
        let concern =
            |event: notify::Event| !event.kind.is_access() && event.paths.iter().any(|path| files.concern(path));
        if event.is_ok_and(concern) {
            // Full means that a change is already waiting to be seen.
            let _ = tell.try_send(());
        }
    })
    .map_err(io::Error::other)?;
    let folders = Files::of(config).folders();
    for folder in &folders {
        watcher
            .watch(folder, RecursiveMode::NonRecursive)
            .map_err(io::Error::other)?;
    }
    let worker = Worker {
        file: config.file.clone(),
        state_dir: config.gate.state_dir.clone(),
        files,
        watcher,
        folders,
        changed,
        changes,
        hangup,
        jobs,
    };
    Ok(worker.start())
}

/// Reads and edits the files, one thing after the other.
struct Worker {
    file: PathBuf,
    state_dir: PathBuf,
    /// Those of what was read last.
    files: Arc<Mutex<Files>>,
    watcher: RecommendedWatcher,
    /// Those that are watched.
    folders: Vec<PathBuf>,
    changed: Sender<()>,
    changes: Receiver<()>,
    hangup: Signal,
    jobs: Receiver<Job>,
}

impl Worker {
    /// A task of its own: an order that comes meanwhile must not make it forget a change.
    fn start(mut self) -> Receiver<Came> {
        let (tell, came) = channel(1);
        tokio::spawn(async move {
            loop {
                // What panicked has said so; the next change is read again.
                if let Ok(came) = self.next().await
                    && tell.send(came).await.is_err()
                {
                    return;
                }
            }
        });
        came
    }

    async fn next(&mut self) -> Result<Came, JoinError> {
        let (file, state_dir) = (self.file.clone(), self.state_dir.clone());
        tokio::select! {
            Some(job) = self.jobs.recv() => {
                return tokio::task::spawn_blocking(move || {
                    let made = edit(&file, &state_dir, &job);
                    Came::Edited(Box::new((job, made)))
                })
                .await;
            }
            _ = self.hangup.recv() => {}
            _ = self.changes.recv() => settled(&mut self.changes).await,
        }
        let reading = tokio::task::spawn_blocking(move || read(&file, &state_dir)).await?;
        if let Ok(fresh) = &reading {
            self.follow(Files::of(&fresh.config));
        }
        Ok(Came::Reading(reading))
    }

    /// Watches for `files`, which were read, from now on.
    fn follow(&mut self, files: Files) {
        let folders = files.folders();
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        for folder in &folders {
            // Those that were watched before, too: another folder may have taken the name of one.
            if let Err(error) = self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                say::notice(&format!(
                    "{}: changes here will not be noticed: {error}",
                    folder.display()
                ));
            }
        }
        for gone in self.folders.iter().filter(|folder| !folders.contains(folder)) {
            // One that is no more is not watched any more.
            let _ = self.watcher.unwatch(gone);
        }
        if folders.iter().any(|folder| !self.folders.contains(folder)) {
            // What changed there since it was read was not seen.
            let _ = self.changed.try_send(());
        }
        self.folders = folders;
    }
}

/// A server that is new gets its keys, but never another state directory than the one this gate holds.
fn read(file: &Path, state_dir: &Path) -> Result<Fresh, Unread> {
    made_of(config::load(file).map_err(Unread::Files)?, state_dir)
}

/// Everything that is made of a configuration.
fn made_of(config: Config, state_dir: &Path) -> Result<Fresh, Unread> {
    if config.gate.state_dir == state_dir {
        keys::ensure(&config).map_err(|fault| Unread::Files(vec![fault]))?;
    }
    issuers::check(&config).map_err(|fault| Unread::Servers(BootError::Tls(fault)))?;
    let snapshot = publish::snapshot(&config).map_err(Unread::Files)?;
    let grants = broker::grants(&config).map_err(Unread::Files)?;
    let transmitters = publish::transmitters(&config).map_err(Unread::Files)?;
    let askers = introspection::askers(&config).map_err(Unread::Files)?;
    let origins = boot::origins(&config).map_err(Unread::Servers)?;
    let listening = tls::server(&config.gate).map_err(|fault| Unread::Servers(BootError::Tls(fault)))?;
    Ok(Box::new(Read {
        config,
        snapshot,
        origins,
        grants,
        transmitters,
        askers,
        listening,
    }))
}

fn edit(file: &Path, state_dir: &Path, job: &Job) -> Result<Done<Fresh>, NotChanged> {
    let accept = |config: &Config| {
        made_of(config.clone(), state_dir).map_err(|unread| match unread {
            Unread::Files(faults) => faults,
            Unread::Servers(error) => vec![Diagnostic::of_file(file, error.to_string())],
        })
    };
    match &job.task {
        Task::Edit(edit) => registry::change(file, edit, job.by, clock::now(), accept),
        Task::Undo => registry::undo(file, accept),
    }
}
