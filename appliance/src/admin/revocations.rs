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
        (What::Token { .. }, _) | (What::Session { .. }, By::Transmitter { .. }) => Some(entry.since),
        (what, _) => what.issued_before(),
    };
    moment.map(UnixTime::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn entry(what: What, since: u64, by: By) -> Entry {
        Entry {
            what,
            since,
            by,
            reason: None,
        }
    }

    fn user(issued_before: Option<u64>) -> What {
        What::User {
            issuer: "https://idp.test".to_owned(),
            user: "ada".to_owned(),
            issued_before,
        }
    }

    fn session() -> What {
        What::Session {
            issuer: "https://idp.test".to_owned(),
            session: "s-1".to_owned(),
        }
    }

    fn token() -> What {
        What::Token {
            issuer: "https://idp.test".to_owned(),
            id: "t-1".to_owned(),
        }
    }

    fn idp() -> By {
        By::Transmitter {
            transmitter: "idp".to_owned(),
        }
    }

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(secs)
    }

    fn empty() -> Revocations {
        Revocations::of(PathBuf::new(), Listed::default()).unwrap()
    }

    #[test]
    fn an_entry_is_forgotten_once_no_token_it_concerns_can_be_valid() {
        let gone = TOKEN_GONE_AFTER.as_secs();
        for (what, by, forgotten) in [
            (token(), By::Uid(1), true),
            (user(Some(NOW)), By::Uid(1), true),
            (session(), idp(), true),
            (session(), By::Uid(1), false),
            (user(None), By::Uid(1), false),
        ] {
            let list = empty().with(&[entry(what.clone(), NOW, by)], at(NOW)).unwrap();
            let other = |now| list.with(&[], at(now)).unwrap().contains(&what, &idp());
            assert!(other(NOW + gone - 1), "{what} was forgotten early");
            assert_eq!(!other(NOW + gone), forgotten, "{what}");
        }
    }

    #[test]
    fn of_one_subject_the_latest_moment_is_kept_once_and_beside_a_whole_revocation() {
        let add = |list: &Revocations, what| list.with(&[entry(what, NOW, By::Uid(1))], at(NOW)).unwrap();
        let list = add(&add(&empty(), user(Some(NOW - 9))), user(None));
        assert!(list.contains(&user(Some(NOW - 10)), &idp()) && !list.contains(&user(Some(NOW)), &idp()));
        let list = add(&list, user(Some(NOW)));
        assert!(list.contains(&user(Some(NOW)), &idp()) && list.contains(&user(None), &idp()));
        assert_eq!(list.list().revocations.len(), 2);
        let both = [user(Some(NOW + 5)), user(Some(NOW + 1))].map(|what| entry(what, NOW, idp()));
        assert!(
            list.with(&both, at(NOW))
                .unwrap()
                .contains(&user(Some(NOW + 5)), &idp()),
            "the order does not matter"
        );
        let list = list.without(&user(Some(0))).unwrap();
        assert!(list.contains(&user(None), &idp()) && !list.contains(&user(Some(1)), &idp()));
    }

    #[test]
    fn what_an_operator_shuts_off_as_well_is_not_forgotten_with_what_a_transmitter_did() {
        let theirs = empty().with(&[entry(session(), NOW, idp())], at(NOW)).unwrap();
        assert!(theirs.contains(&session(), &idp()) && !theirs.contains(&session(), &By::Uid(1)));
        let ours = theirs.with(&[entry(session(), NOW, By::Uid(1))], at(NOW)).unwrap();
        let ours = ours.with(&[entry(session(), NOW + 1, idp())], at(NOW)).unwrap();
        assert_eq!(ours.list().revocations, [entry(session(), NOW, By::Uid(1))]);
        let later = empty().with(&[entry(user(Some(NOW)), NOW, idp())], at(NOW)).unwrap();
        let later = later
            .with(&[entry(user(Some(NOW - 9)), NOW, By::Uid(1))], at(NOW))
            .unwrap();
        assert!(
            later.contains(&user(Some(NOW)), &idp()),
            "an operator makes it no earlier"
        );
    }

    #[test]
    fn a_moment_that_no_valid_token_is_older_than_is_a_slip_of_an_operator() {
        let old = |by| empty().with(&[entry(user(Some(15)), NOW, by)], at(NOW)).map(|_| ());
        assert_eq!((old(By::Uid(1)), old(idp())), (Err(NotAdded::Past), Ok(())));
    }

    #[test]
    fn a_minted_token_is_forgotten_soon_and_servers_leave_room_for_others() {
        let by = || By::Server {
            server: "town".to_owned(),
        };
        let numbered = |number: usize| {
            let what = What::Token {
                issuer: "https://gate.test".to_owned(),
                id: number.to_string(),
            };
            entry(what, NOW, by())
        };
        let many: Vec<Entry> = (0..MINTED_REVOCATIONS_MAX).map(numbered).collect();
        let full = empty().with(&many, at(NOW)).unwrap();
        let one_more = [numbered(MINTED_REVOCATIONS_MAX)];
        assert_eq!(full.with(&one_more, at(NOW)).map(|_| ()), Err(NotAdded::Full));
        assert!(full.with(&[entry(session(), NOW, By::Uid(1))], at(NOW)).is_ok());
        let then = NOW + MINT_LIFETIME_MAX.as_secs();
        let later = full.with(&one_more.map(|entry| Entry { since: then, ..entry }), at(then));
        let later = later.unwrap();
        assert_eq!(later.list().revocations.len(), 1);
    }

    #[test]
    fn tokens_of_the_future_are_not_shut_off_by_a_slip() {
        let millis = entry(user(Some(NOW * 1000)), NOW, By::Uid(1));
        assert_eq!(empty().with(&[millis], at(NOW)).unwrap_err(), NotAdded::Future);
    }

    #[test]
    fn a_list_written_before_there_were_sessions_is_read() {
        let text = r#"{"revocations": [
            {"what": {"kind": "user", "issuer": "https://idp.test", "user": "ada"}, "since": 1, "by": 1000},
            {"what": {"kind": "agent", "agent": "a"}, "since": 1, "by": 0, "reason": "lost"}]}"#;
        let listed: Listed = serde_json::from_str(text).unwrap();
        assert_eq!(listed.revocations[0], entry(user(None), 1, By::Uid(1000)));
        for slip in ["\"x\"", "{\"transmitter\": 1}", "-1"] {
            let text = text.replace("\"by\": 1000", &format!("\"by\": {slip}"));
            assert!(serde_json::from_str::<Listed>(&text).is_err(), "{slip}");
        }
    }

    #[test]
    fn a_thumbprint_has_one_spelling() {
        let key = |text: &str| serde_json::from_value::<What>(serde_json::json!({"kind": "key", "thumbprint": text}));
        let text = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        let read = key(text).unwrap();
        assert_eq!(read.to_string(), format!("key {text}"));
        for other in [
            "",
            "abc",
            &format!("{text}="),
            &text.replace('s', "t"),
            &text.replace('-', "+"),
        ] {
            assert!(key(other).is_err(), "{other}");
        }
    }
}
