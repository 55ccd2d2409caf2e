//! Where an issuer's keys come from, and one fetch of them.
//!
//! Must never follow a URL further than from the configured issuer to its metadata to its key set.
//!
//! SPEC: RFC 7517 5.

use std::fmt;
use std::time::Duration;

use portreeve_core::jose::jwk::KeyFault;
use portreeve_core::jose::jwks::{JwksError, KeySet};
use portreeve_core::time::UnixTime;

use super::metadata;
use crate::clock;
use crate::config::{IssuerKeys, Signer};
use crate::fetch::{FetchError, Fetcher};

/// The keys of an issuer, as they were fetched.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// The usable ones.
    pub(super) set: KeySet,
    /// The document they are from.
    pub(super) document: Vec<u8>,
    /// Where that was.
    pub(super) place: String,
    /// When.
    pub(super) fetched: UnixTime,
    /// How long the issuer says it can be kept.
    pub(super) max_age: Option<Duration>,
}

impl Keys {
    /// Reads a key set that was fetched from `place`.
    ///
    /// # Errors
    /// It is none, or none of its keys can be used.
    pub(super) fn read(
        document: Vec<u8>,
        place: String,
        fetched: UnixTime,
        max_age: Option<Duration>,
    ) -> Result<Self, SourceError> {
        let set = match KeySet::parse(&document) {
            Ok(set) => set,
            Err(error) => return Err(SourceError::KeySet(place, error)),
        };
        if set.keys().is_empty() {
            return Err(SourceError::NoKeys(place, set.dropped().len()));
        }
        Ok(Self {
            set,
            document,
            place,
            fetched,
            max_age,
        })
    }

    /// Whether a private key was published: whoever read it can sign as this issuer.
    #[must_use]
    pub(super) fn leaks(&self) -> bool {
        self.set.dropped().iter().any(|key| key.fault == KeyFault::Private)
    }
}

/// Why no keys could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceError {
    /// A place, and why there is nothing from it.
    Fetch(String, FetchError),
    /// The metadata is not JSON with `issuer` and `jwks_uri`.
    Metadata(String, String),
    /// The metadata is somebody else's.
    OtherIssuer(String, String),
    /// What the metadata names is not a place that may be asked.
    Named(String, &'static str, String, &'static str),
    /// The key set is none.
    KeySet(String, JwksError),
    /// None of its keys can be used; how many there were.
    NoKeys(String, usize),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(place, error) => write!(f, "{place} {error}"),
            Self::Metadata(place, reason) => write!(f, "{place} is no metadata of an issuer: {reason}"),
            Self::OtherIssuer(place, named) => write!(f, "{place} is the metadata of another issuer, {named:?}"),
            Self::Named(place, name, uri, fault) => write!(f, "{place} names the {name} {uri:?}, which {fault}"),
            Self::KeySet(place, error) => write!(f, "{place}: {error}"),
            Self::NoKeys(place, count) => write!(f, "{place}: none of its {count} keys can be used"),
        }
    }
}

impl std::error::Error for SourceError {}

/// Fetches the keys of one issuer.
#[derive(Debug)]
pub(super) struct Source {
    issuer: String,
    keys: IssuerKeys,
    fetcher: Fetcher,
}

impl Source {
    /// The source of `issuer`'s keys.
    ///
    /// # Errors
    /// Its CA file cannot be used.
    pub(super) fn new(issuer: &Signer) -> Result<Self, String> {
        Ok(Self {
            issuer: issuer.issuer.clone(),
            keys: issuer.keys.clone(),
            fetcher: Fetcher::new(issuer.ca_file.as_deref())?,
        })
    }

    /// Fetches once.
    ///
    /// # Errors
    /// [`SourceError`].
    pub(super) async fn fetch(&self) -> Result<Keys, SourceError> {
        let place = match &self.keys {
            IssuerKeys::At(place) => place.clone(),
            IssuerKeys::Discovered(at, discovery) => {
                let found = metadata::find(&self.fetcher, at, &self.issuer, *discovery).await;
                found?.jwks_uri()?
            }
            IssuerKeys::File(path) => {
                return Err(SourceError::Fetch(path.display().to_string(), FetchError::Status(404)));
            }
        };
        let document = self.fetcher.document(&place).await;
        let document = document.map_err(|error| SourceError::Fetch(place.to_string(), error))?;
        Keys::read(
            document.bytes.to_vec(),
            place.to_string(),
            clock::now(),
            document.max_age,
        )
    }
}
