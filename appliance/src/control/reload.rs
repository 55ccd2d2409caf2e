//! Notices that files changed, reads them, and makes the edits that are ordered. What comes of it is put in force
//! elsewhere.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use portreeve_core::snapshot::Snapshot;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinError;

use super::inputs::{Inputs, Look};
use super::registrar::{Job, Task};
use crate::boot::{self, BootError};
use crate::broker::{self, Grants};
use crate::clock;
use crate::config::{self, Config, Diagnostic, IssuerKeys, keys, publish};
use crate::issuers;
use crate::registry::{self, Done, NotChanged};
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
    pub(super) grants: Grants,
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

/// Watches the folders of everything a snapshot is made of: files are replaced, so their folders are what changes.
///
/// Whatever changed is read on another thread: a slow disk or name server must not keep an order from being carried out.
///
/// Edits (`jobs`) are made there too, one after the other and between readings: what was read before an edit is in force
/// before it, never after.
pub(super) fn watch(config: &Config, jobs: Receiver<Job>) -> io::Result<(Receiver<Came>, RecommendedWatcher)> {
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
    let worker = Worker {
        file: config.file.clone(),
        state_dir: config.gate.state_dir.clone(),
        last: Outcome::Good(Inputs::of(config, Look::at(&config.file))),
        changes,
        hangup,
        jobs,
    };
    Ok((worker.start(), watcher))
}

/// What a reading was of, or why it failed.
#[derive(PartialEq, Eq)]
enum Outcome {
    Good(Inputs),
    Bad(String),
}

/// Reads and edits the files, one thing after the other.
struct Worker {
    file: PathBuf,
    state_dir: PathBuf,
    /// What came of the last reading: the same again is no news, whatever else changed in those folders.
    last: Outcome,
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
                if let Ok(Some(came)) = self.next().await
                    && tell.send(came).await.is_err()
                {
                    return;
                }
            }
        });
        came
    }

    async fn next(&mut self) -> Result<Option<Came>, JoinError> {
        let (file, state_dir) = (self.file.clone(), self.state_dir.clone());
        let ordered = tokio::select! {
            Some(job) = self.jobs.recv() => {
                return tokio::task::spawn_blocking(move || {
                    let made = edit(&file, &state_dir, &job);
                    Some(Came::Edited(Box::new((job, made))))
                })
                .await;
            }
            _ = self.hangup.recv() => true,
            _ = self.changes.recv() => {
                settled(&mut self.changes).await;
                false
            }
        };
        let (outcome, reading) = tokio::task::spawn_blocking(move || read(&file, &state_dir)).await?;
        let is_news = ordered || outcome != self.last;
        self.last = outcome;
        Ok(is_news.then_some(Came::Reading(reading)))
    }
}

fn read(file: &Path, state_dir: &Path) -> (Outcome, Result<Fresh, Unread>) {
    let own = Look::at(file);
    let read = config::load(file).map_err(Unread::Files).and_then(|config| {
        let inputs = Inputs::of(&config, own);
        Ok((inputs, made_of(config, state_dir)?))
    });
    match read {
        Ok((inputs, fresh)) => (Outcome::Good(inputs), Ok(fresh)),
        Err(unread) => (Outcome::Bad(unread.reason()), Err(unread)),
    }
}

impl Unread {
    fn reason(&self) -> String {
        match self {
            Self::Files(faults) => format!("{faults:?}"),
            Self::Servers(error) => error.to_string(),
        }
    }
}

/// Everything that is made of a configuration. A server that is new gets its keys, but never another state directory than
/// the one this gate holds.
fn made_of(config: Config, state_dir: &Path) -> Result<Fresh, Unread> {
    if config.gate.state_dir == state_dir {
        keys::ensure(&config).map_err(|fault| Unread::Files(vec![fault]))?;
    }
    issuers::check(&config).map_err(|fault| Unread::Servers(BootError::Tls(fault)))?;
    let snapshot = publish::snapshot(&config).map_err(Unread::Files)?;
    let grants = broker::grants(&config).map_err(Unread::Files)?;
    let origins = boot::origins(&config).map_err(Unread::Servers)?;
    Ok(Box::new(Read {
        config,
        snapshot,
        origins,
        grants,
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

fn folders(config: &Config) -> Vec<PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let secrets = config.secret_store().folder();
    let mut folders = vec![parent(&config.file), config.gate.policies.clone(), secrets];
    folders.extend(config.issuers.iter().filter_map(|issuer| match &issuer.keys {
        IssuerKeys::File(file) => Some(parent(file)),
        IssuerKeys::At(_) | IssuerKeys::Discovered(..) => None,
    }));
    folders.sort();
    folders.dedup();
    folders
}
