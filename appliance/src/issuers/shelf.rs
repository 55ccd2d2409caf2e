//! The last good keys of each issuer, on the disk: a gate that starts while an issuer is down knows them still.
//!
//! Public keys only. What cannot be read is as good as absent: it is fetched again.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portreeve_core::time::UnixTime;
use serde::{Deserialize, Serialize};

use super::source::Keys;
use crate::config::{IssuerKeys, Signer};
use crate::replace;

const FOLDER: &str = "issuers";
/// The set itself may have a third of this: most of it is escaped quotes.
const FILE_BYTES: u64 = 256 * 1024;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    issuer: String,
    place: String,
    /// Seconds since 1970.
    fetched: u64,
    /// Seconds.
    max_age: Option<u64>,
    key_set: String,
}

/// The folder of last good keys.
#[derive(Debug)]
pub(super) struct Shelf(PathBuf);

impl Shelf {
    /// The shelf of a state directory.
    #[must_use]
    pub(super) fn of(state_dir: &Path) -> Self {
        Self(state_dir.join(FOLDER))
    }

    /// The keys of `issuer`, if they are of the same `iss` and of the place that is configured now, and not older than
    /// it may be.
    #[must_use]
    pub(super) fn find(&self, issuer: &Signer, now: UnixTime) -> Option<Keys> {
        let path = self.path(issuer);
        if fs::metadata(&path).ok()?.len() > FILE_BYTES {
            return None;
        }
        let kept: Kept = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let fetched = UnixTime::from_secs(kept.fetched);
        let same_place = match &issuer.keys {
            IssuerKeys::At(place) => place.to_string() == kept.place,
            IssuerKeys::Discovered(..) => true,
            IssuerKeys::File(_) => false,
        };
        let in_time = fetched <= now && now.since(fetched) < issuer.max_stale;
        if kept.issuer != issuer.issuer || !same_place || !in_time {
            return None;
        }
        let max_age = kept.max_age.map(Duration::from_secs);
        Keys::read(kept.key_set.into_bytes(), kept.place, fetched, max_age).ok()
    }

    /// Keeps `keys` in the place of those before.
    ///
    /// # Errors
    /// What the file system says; the old ones are there still.
    pub(super) fn put(&self, issuer: &Signer, keys: &Keys) -> io::Result<()> {
        let kept = Kept {
            issuer: issuer.issuer.clone(),
            place: keys.place.clone(),
            fetched: keys.fetched.secs(),
            max_age: keys.max_age.map(|age| age.as_secs()),
            key_set: String::from_utf8_lossy(&keys.document).into_owned(),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        replace::file(&self.path(issuer), &serde_json::to_vec(&kept)?)
    }

    fn path(&self, issuer: &Signer) -> PathBuf {
        // A name is letters, digits, - and _, and a transmitter's has one dot: it cannot lead anywhere else.
        self.0.join(format!("{}.json", issuer.name))
    }
}
