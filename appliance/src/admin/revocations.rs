//! What is shut off, kept across restarts in one file of the state directory.
//!
//! The file is replaced as a whole and is on the disk before an order is answered. A file that cannot be read keeps the
//! gate from starting: forgetting a revocation would let somebody back in.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use portreeve_core::identity::{Denylist, DenylistFull, Revocation};

use super::contract::{Entry, Listed, What};
use crate::config::Diagnostic;

/// The file's name in the state directory.
pub const FILE: &str = "revocations.json";

/// The revocations in force.
#[derive(Debug)]
pub struct Revocations {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl Revocations {
    /// Reads what `state_dir` keeps; nothing was ever revoked where there is no file.
    ///
    /// # Errors
    /// The file cannot be read or is not what this module writes.
    pub fn load(state_dir: &Path) -> Result<Self, Diagnostic> {
        let path = state_dir.join(FILE);
        let fault = |message: String| {
            Diagnostic::of_file(&path, message)
                .hint("restore it from a backup; without it everything that was revoked is let in again")
        };
        let entries = match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice::<Listed>(&bytes)
                    .map_err(|error| fault(format!("this is not a list of revocations: {error}")))?
                    .revocations
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(fault(format!("cannot be read: {error}"))),
        };
        let loaded = Self { path, entries };
        loaded
            .denylist()
            .map_err(|error| Diagnostic::of_file(&loaded.path, error.to_string()))?;
        Ok(loaded)
    }

    /// What the data plane asks.
    ///
    /// # Errors
    /// There are too many.
    pub fn denylist(&self) -> Result<Denylist, DenylistFull> {
        let revocations: Vec<Revocation> = self.entries.iter().map(|entry| Revocation::from(&entry.what)).collect();
        Denylist::new(&revocations)
    }

    /// Oldest first.
    #[must_use]
    pub fn list(&self) -> Listed {
        Listed {
            revocations: self.entries.clone(),
        }
    }

    /// Whether `what` is shut off as such.
    #[must_use]
    pub fn contains(&self, what: &What) -> bool {
        self.entries.iter().any(|entry| entry.what == *what)
    }

    /// The list with `entry` in it, not kept yet.
    #[must_use]
    pub fn with(&self, entry: Entry) -> Self {
        let mut entries = self.entries.clone();
        entries.push(entry);
        self.of(entries)
    }

    /// The list without `what`, not kept yet.
    #[must_use]
    pub fn without(&self, what: &What) -> Self {
        let others = self.entries.iter().filter(|entry| entry.what != *what);
        self.of(others.cloned().collect())
    }

    fn of(&self, entries: Vec<Entry>) -> Self {
        Self {
            path: self.path.clone(),
            entries,
        }
    }

    /// Puts the list on the disk.
    ///
    /// # Errors
    /// What the file system says; the old file is then still whole.
    pub fn keep(&self) -> io::Result<()> {
        let next = self.path.with_extension("json.next");
        let mut text = serde_json::to_vec_pretty(&self.list())?;
        text.push(b'\n');
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&next)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&next, &self.path)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::File::open(folder)?.sync_all()
    }
}
