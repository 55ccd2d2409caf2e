//! What is shut off, kept across restarts in one file of the state directory.
//!
//! The file is replaced as a whole and is on the disk before an order is answered. A file that cannot be read keeps the
//! gate from starting: forgetting a revocation would let somebody back in.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portreeve_core::identity::{Denylist, DenylistFull, Revocation};
use portreeve_core::limits::REVOCATIONS_MAX;

use super::contract::{Entry, Listed, What};
use crate::config::Diagnostic;
use crate::replace;

/// The file's name in the state directory.
pub const FILE: &str = "revocations.json";

/// Bytes of each text of an entry: names, ids, the reason.
const TEXT_BYTES: usize = 1_024;

/// Why something is not added to the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdded {
    /// There is no room.
    Full,
    /// A text is empty or too long.
    Text,
}

impl fmt::Display for NotAdded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(
                f,
                "it is NOT shut off: the list is full, with {REVOCATIONS_MAX} entries; restore what need not be on it"
            ),
            Self::Text => write!(f, "names, ids and the reason have 1 to {TEXT_BYTES} bytes each"),
        }
    }
}

/// The revocations in force.
#[derive(Debug)]
pub struct Revocations {
    path: PathBuf,
    listed: Listed,
    denylist: Arc<Denylist>,
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
        let listed = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| fault(format!("this is not a list of revocations: {error}")))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Listed::default(),
            Err(error) => return Err(fault(format!("cannot be read: {error}"))),
        };
        Self::of(path.clone(), listed).map_err(|error| Diagnostic::of_file(&path, error.to_string()))
    }

    /// What the data plane asks.
    #[must_use]
    pub fn denylist(&self) -> Arc<Denylist> {
        Arc::clone(&self.denylist)
    }

    /// Oldest first.
    #[must_use]
    pub const fn list(&self) -> &Listed {
        &self.listed
    }

    /// Whether `what` is shut off as such.
    #[must_use]
    pub fn contains(&self, what: &What) -> bool {
        self.listed.revocations.iter().any(|entry| entry.what == *what)
    }

    /// The list with `entry` in it, not kept yet.
    ///
    /// # Errors
    /// [`NotAdded`].
    pub fn with(&self, entry: Entry) -> Result<Self, NotAdded> {
        let texts = entry.what.texts().into_iter().chain(entry.reason.as_deref());
        if texts.into_iter().any(|text| text.is_empty() || text.len() > TEXT_BYTES) {
            return Err(NotAdded::Text);
        }
        let mut listed = self.listed.clone();
        listed.revocations.push(entry);
        Self::of(self.path.clone(), listed).map_err(|DenylistFull| NotAdded::Full)
    }

    /// The list without `what`, not kept yet.
    ///
    /// # Errors
    /// None in practice: it is no longer than before.
    pub fn without(&self, what: &What) -> Result<Self, DenylistFull> {
        let mut listed = self.listed.clone();
        listed.revocations.retain(|entry| entry.what != *what);
        Self::of(self.path.clone(), listed)
    }

    fn of(path: PathBuf, listed: Listed) -> Result<Self, DenylistFull> {
        let entries = listed.revocations.iter();
        let revocations: Vec<Revocation> = entries.map(|entry| Revocation::from(&entry.what)).collect();
        let denylist = Arc::new(Denylist::new(&revocations)?);
        Ok(Self { path, listed, denylist })
    }

    /// Puts the list on the disk.
    ///
    /// # Errors
    /// What the file system says. Either list may be on the disk then, but whole.
    pub fn keep(&self) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self.list())?;
        text.push(b'\n');
        replace::file(&self.path, &text)
    }
}
