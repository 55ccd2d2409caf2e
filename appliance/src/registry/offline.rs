//! Edits where no gate runs: the same file, the same checks, and the lock that a gate would hold.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{NotChanged, change};
use crate::admin::contract::{Edit, Edited, Undone, What};
use crate::admin::revocations::Revocations;
use crate::admin::{self, AdminError};
use crate::clock;
use crate::config::{Config, Diagnostic};

/// Makes `edit` in the file of `config`, if `accept` takes the result; `None` while somebody else holds the lock: a gate, or another edit.
///
/// # Errors
/// [`NotChanged`].
pub fn edit(
    config: &Config,
    edit: &Edit,
    accept: impl Fn(&Config) -> Result<(), Vec<Diagnostic>>,
) -> Result<Option<Edited>, NotChanged> {
    let Some(_lock) = lock(config)? else {
        return Ok(None);
    };
    let done = change(&config.file, edit, own_uid(), clock::now(), accept)?;
    let line = super::listing::line(&done.config, edit);
    let revocations =
        Revocations::load(&config.gate.state_dir, clock::now()).map_err(|fault| NotChanged::Before(vec![fault]));
    Ok(Some(Edited {
        changed: done.applied.changed(),
        before: done.applied.before,
        after: done.applied.after,
        line,
        generation: None,
        shut_off: revocations?.names(&What::from(edit)),
    }))
}

/// Takes the last change of the file of `config` back, as [`edit`].
///
/// # Errors
/// [`NotChanged`].
pub fn undo(
    config: &Config,
    accept: impl Fn(&Config) -> Result<(), Vec<Diagnostic>>,
) -> Result<Option<Undone>, NotChanged> {
    let Some(_lock) = lock(config)? else {
        return Ok(None);
    };
    let done = super::undo(&config.file, accept)?;
    Ok(Some(Undone {
        what: done.applied.before.unwrap_or_default(),
        generation: None,
    }))
}

/// Who this process is.
fn own_uid() -> u32 {
    // The kernel shows a process as its user's.
    fs::metadata("/proc/self").map_or(u32::MAX, |metadata| metadata.uid())
}

/// The lock of the state directory; where none was made yet no gate has ever run, and the file's folder is locked.
fn lock(config: &Config) -> Result<Option<File>, NotChanged> {
    let state = &config.gate.state_dir;
    if state.is_dir() {
        return match admin::claim(state) {
            Ok(lock) => Ok(Some(lock)),
            Err(AdminError::Taken(_)) => Ok(None),
            Err(AdminError::Socket(path, error)) => Err(NotChanged::Io(path, error)),
        };
    }
    let folder = config.file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let io = |error| NotChanged::Io(folder.to_owned(), error);
    let folder_file = File::open(folder).map_err(io)?;
    match folder_file.try_lock() {
        Ok(()) => Ok(Some(folder_file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}
