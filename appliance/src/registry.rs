//! Who and what is registered: shown from a configuration, and changed in the file that it came from.
//!
//! An edit is made to what is on the disk now, never to what was loaded before, and only if the whole result is a valid
//! configuration; else the file stays as it is, byte for byte. Whoever edits is alone: the running gate edits one after
//! the other, and where none runs its lock is taken ([`offline`]).

pub mod edit;
mod file;
pub mod history;
pub mod listing;
pub mod offline;
pub mod seen;
mod splice;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portreeve_core::time::UnixTime;

use crate::admin::contract::{Edit, State};
use crate::config::{self, Config, Diagnostic};
use edit::{Applied, EditError};
use history::{History, Version};

/// How often an edit begins anew because somebody else saved the file meanwhile.
const ATTEMPTS: usize = 8;

/// Why a file was not changed.
#[derive(Debug)]
pub enum NotChanged {
    /// The edit itself cannot be made.
    Edit(EditError),
    /// The file was wrong before.
    Before(Vec<Diagnostic>),
    /// It would be wrong afterwards.
    After(Vec<Diagnostic>),
    /// Somebody saves it again and again.
    Busy(PathBuf),
    /// The file system refuses.
    Io(PathBuf, io::Error),
}

impl fmt::Display for NotChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, faults: &[Diagnostic]| {
            faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))
        };
        match self {
            Self::Edit(error) => error.fmt(f),
            Self::Before(faults) => {
                f.write_str("nothing was changed, because the configuration is wrong as it is; mend this first:")?;
                list(f, faults)
            }
            Self::After(faults) => {
                f.write_str("nothing was changed, because the configuration would be wrong afterwards:")?;
                list(f, faults)
            }
            Self::Busy(path) => write!(
                f,
                "nothing was changed, because something else keeps saving {}\n  hint: try again once it is quiet",
                path.display()
            ),
            Self::Io(path, error) => write!(
                f,
                "{} was not changed: {error}\n  hint: it is replaced as a whole, by the running gate or else by this command; that user must own it and may write into its folder",
                path.display()
            ),
        }
    }
}

impl std::error::Error for NotChanged {}

/// What came of an edit: what changed, the configuration afterwards, and what was made of it.
#[derive(Debug)]
pub struct Done<V> {
    /// What changed.
    pub applied: Applied,
    /// The configuration that the file holds now.
    pub config: Config,
    /// What `accept` made of it; `None` where nothing changed.
    pub accepted: Option<V>,
}

/// Makes `edit` in the file at `path` for the user id `by`, at the time `now`, if `accept` takes the result. The caller
/// holds the lock.
///
/// # Errors
/// [`NotChanged`].
pub fn change<V>(
    path: &Path,
    edit: &Edit,
    by: u32,
    now: UnixTime,
    accept: impl Fn(&Config) -> Result<V, Vec<Diagnostic>>,
) -> Result<Done<V>, NotChanged> {
    let (noun, name) = edit.subject();
    let what = format!("{noun} {} {name}", edit.action());
    let is_final = matches!(
        edit,
        Edit::SetState {
            state: State::Revoked,
            ..
        } | Edit::DropKey { .. }
    );
    rewrite(path, accept, |old, _| {
        let applied = edit::apply(old, edit, now).map_err(NotChanged::Edit)?;
        let version = Version {
            time: now.secs(),
            by,
            what: what.clone(),
            is_final,
            after: history::sha256(&applied.text),
            before: old.to_owned(),
        };
        Ok((applied, Step::Forward(version)))
    })
}

/// Takes the last change by command back, if nothing else changed the file since and `accept` takes the result. What is
/// taken back is the `before` of what is done. The caller holds the lock.
///
/// # Errors
/// [`NotChanged`].
pub fn undo<V>(path: &Path, accept: impl Fn(&Config) -> Result<V, Vec<Diagnostic>>) -> Result<Done<V>, NotChanged> {
    rewrite(path, accept, |old, history| {
        let kept = history
            .versions()
            .map_err(|error| NotChanged::Io(path.to_owned(), error))?;
        let (file, version) = kept
            .into_iter()
            .last()
            .ok_or(NotChanged::Edit(EditError::NothingToUndo))?;
        if version.is_final {
            return Err(NotChanged::Edit(EditError::Final(version.what)));
        }
        if version.after != history::sha256(old) {
            return Err(NotChanged::Edit(EditError::ChangedSince(version.what, file)));
        }
        let applied = Applied {
            text: version.before,
            before: Some(version.what),
            after: String::new(),
        };
        Ok((applied, Step::Back(file)))
    })
}

/// What a change means for the history.
enum Step {
    /// One more version, kept before the file is replaced.
    Forward(Version),
    /// The version in this file is used up.
    Back(PathBuf),
}

fn rewrite<V>(
    path: &Path,
    accept: impl Fn(&Config) -> Result<V, Vec<Diagnostic>>,
    make: impl Fn(&str, &History) -> Result<(Applied, Step), NotChanged>,
) -> Result<Done<V>, NotChanged> {
    let target = fs::canonicalize(path).map_err(|error| NotChanged::Io(path.to_owned(), error))?;
    for _ in 0..ATTEMPTS {
        let old = config::read_text(path).map_err(|fault| NotChanged::Before(vec![fault]))?;
        let before = config::of_text(path, old.clone()).map_err(NotChanged::Before)?;
        let history = History::of(&before.gate.state_dir);
        let (applied, step) = make(&old, &history)?;
        if !applied.changed() {
            return Ok(Done {
                applied,
                config: before,
                accepted: None,
            });
        }
        let config = config::of_text(path, applied.text.clone()).map_err(|faults| about_the_edit(path, faults))?;
        let accepted = accept(&config).map_err(NotChanged::After)?;
        // Before the lock's directory is there nobody keeps a history.
        let kept = match &step {
            Step::Forward(version) if before.gate.state_dir.is_dir() => {
                let kept = history.keep(version);
                Some(kept.map_err(|error| NotChanged::Io(before.gate.state_dir.clone(), error))?)
            }
            _ => None,
        };
        let replaced = file::replace(&target, &old, &applied.text);
        let used_up = match (&replaced, step) {
            (Ok(true), Step::Back(file)) => Some(file),
            (Ok(true), Step::Forward(_)) => None,
            _ => kept,
        };
        // One that stays does no harm: its digest is not that of the file.
        let _ = used_up.map(fs::remove_file);
        if replaced.map_err(|error| NotChanged::Io(target.clone(), error))? {
            return Ok(Done {
                applied,
                config,
                accepted: Some(accepted),
            });
        }
    }
    Err(NotChanged::Busy(target))
}

/// The file was right before, so what is wrong is the edit: its place is nowhere that a reader could look.
fn about_the_edit(path: &Path, mut faults: Vec<Diagnostic>) -> NotChanged {
    for fault in faults.iter_mut().filter(|fault| fault.file == path) {
        fault.position = None;
    }
    NotChanged::After(faults)
}

#[cfg(test)]
mod tests;
