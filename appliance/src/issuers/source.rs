//! Where an issuer's keys come from, and one fetch of them.
//!
//! Must never take a document that names another issuer, and never follow a URL further than from the configured issuer
//! to its metadata to its key set.
//!
//! SPEC: RFC 8414 3; OpenID Connect Discovery 1.0, 4; OpenID Shared Signals Framework 1.0, 7.2.

use std::fmt;
use std::time::Duration;

use portreeve_core::jose::jwk::KeyFault;
use portreeve_core::jose::jwks::{JwksError, KeySet};
use portreeve_core::time::UnixTime;
use serde::Deserialize;

use crate::clock;
use crate::config::{Discovery, KeySource, Signer};
use crate::fetch::{FetchError, Fetcher, Place};

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const SIGNALS: &str = "/.well-known/ssf-configuration";
/// Bytes of somebody else's text in a message to the operator.
const ECHO_BYTES: usize = 128;

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
pub(super) enum SourceError {
    /// A place, and why there is nothing from it.
    Fetch(String, FetchError),
    /// The metadata is not JSON with `issuer` and `jwks_uri`.
    Metadata(String, String),
    /// The metadata is somebody else's.
    OtherIssuer(String, String),
    /// The `jwks_uri` of the metadata is not a place that may be asked.
    JwksUri(String, String, &'static str),
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
            Self::JwksUri(place, uri, fault) => write!(f, "{place} names the key set {uri:?}, which {fault}"),
            Self::KeySet(place, error) => write!(f, "{place}: {error}"),
            Self::NoKeys(place, count) => write!(f, "{place}: none of its {count} keys can be used"),
        }
    }
}

impl std::error::Error for SourceError {}

/// Members of an issuer's metadata that the gate reads.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Fetches the keys of one issuer.
#[derive(Debug)]
pub(super) struct Source {
    issuer: String,
    keys: KeySource,
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
            KeySource::At(place) => place.clone(),
            KeySource::Discovered(issuer, discovery) => self.discover(issuer, *discovery).await?,
            KeySource::File(path) => {
                return Err(SourceError::Fetch(path.display().to_string(), FetchError::Status(404)));
            }
        };
        let document = self.get(&place).await?;
        Keys::read(
            document.bytes.to_vec(),
            place.to_string(),
            clock::now(),
            document.max_age,
        )
    }

    async fn get(&self, place: &Place) -> Result<crate::fetch::Document, SourceError> {
        let document = self.fetcher.document(place).await;
        document.map_err(|error| SourceError::Fetch(place.to_string(), error))
    }

    /// SPEC: RFC 8414 3.1 inserts the well-known name before the issuer's path, OpenID Connect Discovery 4 appends it.
    async fn discover(&self, issuer: &Place, discovery: Discovery) -> Result<Place, SourceError> {
        let (origin, path) = (issuer.origin(), issuer.path().trim_end_matches('/'));
        let openid = format!("{origin}{path}{OPENID}");
        let oauth = format!("{origin}{OAUTH}{path}");
        match discovery {
            Discovery::Openid => self.metadata(issuer, &openid).await,
            Discovery::Oauth => self.metadata(issuer, &oauth).await,
            Discovery::Signals => self.metadata(issuer, &format!("{origin}{SIGNALS}{path}")).await,
            Discovery::Either => match self.metadata(issuer, &openid).await {
                // Only "there is none": an issuer that lies in one place is not asked in another.
                Err(SourceError::Fetch(_, FetchError::Status(400..=499))) => self.metadata(issuer, &oauth).await,
                found => found,
            },
        }
    }

    async fn metadata(&self, issuer: &Place, text: &str) -> Result<Place, SourceError> {
        let place = Place::parse(text).map_err(|fault| SourceError::Metadata(text.to_owned(), fault.to_owned()))?;
        let document = self.get(&place).await?;
        let metadata: Metadata = serde_json::from_slice(&document.bytes)
            .map_err(|error| SourceError::Metadata(text.to_owned(), error.to_string()))?;
        // SPEC: RFC 8414 3.3: identical, code point by code point.
        if metadata.issuer != self.issuer {
            return Err(SourceError::OtherIssuer(text.to_owned(), echo(&metadata.issuer)));
        }
        let fault = |fault| SourceError::JwksUri(text.to_owned(), echo(&metadata.jwks_uri), fault);
        let keys = Place::parse(&metadata.jwks_uri).map_err(fault)?;
        if issuer.is_https() && !keys.is_https() {
            return Err(fault("is not https"));
        }
        Ok(keys)
    }
}

fn echo(text: &str) -> String {
    let mut end = text.len().min(ECHO_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
