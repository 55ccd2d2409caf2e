//! What is shut off, kept across restarts in one file of the state directory.
//!
//! The file is replaced as a whole and is on the disk before an order is answered. A file that cannot be read keeps the
//! gate from starting: forgetting a revocation would let somebody back in.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portreeve_core::identity::{Denylist, DenylistFull, Revocation};
use portreeve_core::limits::{
    MINT_LIFETIME_MAX, MINTED_REVOCATIONS_MAX, REVOCATIONS_MAX, SIGNAL_REVOCATIONS_MAX, TOKEN_GONE_AFTER,
    TOKEN_LEEWAY_MAX,
};
use portreeve_core::time::UnixTime;

use super::contract::{By, Entry, Listed, What};
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
    /// Tokens that will be issued would be shut off, too.
    Future,
    /// No token that old is valid: a slip, where an operator asks for it.
    Past,
}

impl fmt::Display for NotAdded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(
                f,
                "it is NOT shut off: the list is full, with {REVOCATIONS_MAX} entries; restore what need not be on it"
            ),
            Self::Past => f.write_str("it does nothing: no token that was issued before then is valid any more"),
            Self::Future => f.write_str("issued_before is in the future, in seconds since 1970"),
            Self::Text => write!(f, "names, ids and the reason have 1 to {TEXT_BYTES} bytes each"),
        }
    }
}

/// The revocations in force.
#[derive(Debug)]
pub struct Revocations {
    path: PathBuf,
    listed: Listed,
    /// Where in `listed` each subject is.
    index: Index,
    denylist: Arc<Denylist>,
}

type Index = BTreeMap<What, usize>;

impl Revocations {
    /// Reads what `state_dir` keeps, without what has no effect any more at `now`; nothing was ever revoked where there is
    /// no file.
    ///
    /// # Errors
    /// The file cannot be read or is not what this module writes.
    pub fn load(state_dir: &Path, now: UnixTime) -> Result<Self, Diagnostic> {
        let path = state_dir.join(FILE);
        let fault = |message: String| {
            Diagnostic::of_file(&path, message)
                .hint("restore it from a backup; without it everything that was revoked is let in again")
        };
        let mut listed: Listed = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| fault(format!("this is not a list of revocations: {error}")))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Listed::default(),
            Err(error) => return Err(fault(format!("cannot be read: {error}"))),
        };
        forget(&mut listed, now);
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

    /// Whether `what` is shut off as such, for at least as long as if `by` did it.
    #[must_use]
    pub fn contains(&self, what: &What, by: &By) -> bool {
        let found = self.index.get(&what.subject());
        found.is_some_and(|place| says_all(&self.listed.revocations[*place], what, by))
    }

    /// Whether `what` is on the list, with whatever moment.
    #[must_use]
    pub fn names(&self, what: &What) -> bool {
        self.index.contains_key(&what.subject())
    }

    /// The list with `entries` in it, not kept yet, and without what has no effect any more at `now`.
    ///
    /// # Errors
    /// [`NotAdded`]; none of them is in it then.
    pub fn with(&self, entries: &[Entry], now: UnixTime) -> Result<Self, NotAdded> {
        let mut listed = self.listed.clone();
        forget(&mut listed, now);
        let mut index = index(&listed);
        for entry in entries {
            refuse(entry, now)?;
            let list = &mut listed.revocations;
            let place = *index.entry(entry.what.subject()).or_insert(list.len());
            match list.get_mut(place) {
                Some(before) if says_all(before, &entry.what, &entry.by) => {}
                Some(before) => *before = entry.clone(),
                None => list.push(entry.clone()),
            }
        }
        listed.revocations.sort_by_key(|entry| entry.since);
        refuse_beyond_shares(&listed, entries)?;
        Self::of(self.path.clone(), listed).map_err(|DenylistFull| NotAdded::Full)
    }

    /// The list without `what`, not kept yet. Of an agent or user shut off by a moment, any moment means that.
    ///
    /// # Errors
    /// None in practice: it is no longer than before.
    pub fn without(&self, what: &What) -> Result<Self, DenylistFull> {
        let mut listed = self.listed.clone();
        let subject = what.subject();
        listed.revocations.retain(|entry| entry.what.subject() != subject);
        Self::of(self.path.clone(), listed)
    }

    fn of(path: PathBuf, listed: Listed) -> Result<Self, DenylistFull> {
        let entries = listed.revocations.iter();
        let revocations: Vec<Revocation> = entries.map(|entry| Revocation::from(&entry.what)).collect();
        let denylist = Arc::new(Denylist::new(&revocations)?);
        Ok(Self {
            index: index(&listed),
            path,
            listed,
            denylist,
        })
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

fn index(listed: &Listed) -> Index {
    let entries = listed.revocations.iter().enumerate();
    entries.map(|(place, entry)| (entry.what.subject(), place)).collect()
}

/// Whether `entry`, which has the same subject, makes another one for `what` needless.
fn says_all(entry: &Entry, what: &What, by: &By) -> bool {
    // A session that a transmitter ended is forgotten; one that an operator shuts off is not.
    let ends_earlier = matches!(what, What::Session { .. }) && entry.by.is_transmitter() && !by.is_transmitter();
    entry.what.issued_before() >= what.issued_before() && !ends_earlier
}

fn refuse(entry: &Entry, now: UnixTime) -> Result<(), NotAdded> {
    let texts = entry.what.texts().into_iter().chain(entry.reason.as_deref());
    if texts.into_iter().any(|text| text.is_empty() || text.len() > TEXT_BYTES) {
        return Err(NotAdded::Text);
    }
    let latest = now.saturating_add(TOKEN_LEEWAY_MAX).secs();
    if entry.what.issued_before().is_some_and(|moment| moment > latest) {
        return Err(NotAdded::Future);
    }
    // A transmitter may be late: what it says was so once.
    if !entry.by.is_transmitter() && is_gone(entry, now) {
        return Err(NotAdded::Past);
    }
    Ok(())
}

/// Whoever is not an operator has a share of the list, and leaves the rest to operators.
fn refuse_beyond_shares(listed: &Listed, entries: &[Entry]) -> Result<(), NotAdded> {
    let of_transmitter: fn(&Entry) -> bool = |entry| matches!(entry.by, By::Transmitter { .. });
    let of_server: fn(&Entry) -> bool = |entry| matches!(entry.by, By::Server { .. });
    for (theirs, share) in [
        (of_transmitter, SIGNAL_REVOCATIONS_MAX),
        (of_server, MINTED_REVOCATIONS_MAX),
    ] {
        let count = listed.revocations.iter().filter(|entry| theirs(entry)).count();
        if count > share && entries.iter().any(theirs) {
            return Err(NotAdded::Full);
        }
    }
    Ok(())
}

/// Drops what concerns no token that can still be valid at `now`.
fn forget(listed: &mut Listed, now: UnixTime) {
    listed.revocations.retain(|entry| !is_gone(entry, now));
}

fn is_gone(entry: &Entry, now: UnixTime) -> bool {
    let longest = match &entry.by {
        // A token that the gate minted.
        By::Server { .. } => MINT_LIFETIME_MAX,
        By::Uid(_) | By::Transmitter { .. } => TOKEN_GONE_AFTER,
    };
    last_token(entry).is_some_and(|last| now >= last.saturating_add(longest))
}

/// When the last token that `entry` concerns was issued; `None` if more of them may come.
fn last_token(entry: &Entry) -> Option<UnixTime> {
    let moment = match (&entry.what, &entry.by) {
        // The issuer says that the session is over. What an operator shuts off may go on at the issuer.
        (What::Token { .. } | What::Session { .. }, By::Transmitter { .. })
        | (What::Token { .. }, By::Server { .. }) => Some(entry.since),
        // API keys and certificates last for months, and are older than any moment.
        (What::Token { .. } | What::Agent { .. }, _) => None,
        (what, _) => what.issued_before(),
    };
    moment.map(UnixTime::from_secs)
}

#[cfg(test)]
mod tests;
