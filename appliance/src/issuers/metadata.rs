//! What an issuer says about itself, found at its well-known places.
//!
//! Must never take a document that names another issuer.
//!
//! SPEC: RFC 8414 3; OpenID Connect Discovery 1.0, 4; OpenID Shared Signals Framework 1.0, 7.2.

use serde::Deserialize;

use super::source::SourceError;
use crate::config::Discovery;
use crate::fetch::{FetchError, Fetcher, Place};

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const SIGNALS: &str = "/.well-known/ssf-configuration";
/// Bytes of somebody else's text in a message to the operator.
const ECHO_BYTES: usize = 128;

/// Members of an issuer's metadata that the gate reads.
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: Option<String>,
    token_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
}

/// The metadata of an issuer, and where it was found.
#[derive(Debug)]
pub(crate) struct Metadata {
    document: Document,
    place: String,
    /// Whether everything that it names must be encrypted.
    https: bool,
}

/// Finds the metadata of `issuer`, which is the place `at` and must be named in it exactly.
///
/// SPEC: RFC 8414 3.1 inserts the well-known name before the issuer's path, OpenID Connect Discovery 4 appends it.
pub(crate) async fn find(
    fetcher: &Fetcher,
    at: &Place,
    issuer: &str,
    discovery: Discovery,
) -> Result<Metadata, SourceError> {
    let (origin, path) = (at.origin(), at.path().trim_end_matches('/'));
    let openid = format!("{origin}{path}{OPENID}");
    let oauth = format!("{origin}{OAUTH}{path}");
    let read = |text| read(fetcher, at, issuer, text);
    match discovery {
        Discovery::Openid => read(openid).await,
        Discovery::Oauth => read(oauth).await,
        Discovery::Signals => read(format!("{origin}{SIGNALS}{path}")).await,
        Discovery::Either => match read(openid).await {
            // Only "there is none": an issuer that lies in one place is not asked in another.
            Err(SourceError::Fetch(_, FetchError::Status(400..=499))) => read(oauth).await,
            found => found,
        },
    }
}

async fn read(fetcher: &Fetcher, at: &Place, issuer: &str, text: String) -> Result<Metadata, SourceError> {
    let place = Place::parse(&text).map_err(|fault| SourceError::Metadata(text.clone(), fault.to_owned()))?;
    let fetched = fetcher.document(&place).await;
    let fetched = fetched.map_err(|error| SourceError::Fetch(text.clone(), error))?;
    let document: Document = serde_json::from_slice(&fetched.bytes)
        .map_err(|error| SourceError::Metadata(text.clone(), error.to_string()))?;
    // SPEC: RFC 8414 3.3: identical, code point by code point.
    if document.issuer != issuer {
        return Err(SourceError::OtherIssuer(text, echo(&document.issuer)));
    }
    Ok(Metadata {
        document,
        place: text,
        https: at.is_https(),
    })
}

impl Metadata {
    /// Where the issuer's keys are.
    pub(crate) fn jwks_uri(&self) -> Result<Place, SourceError> {
        self.named("jwks_uri", self.document.jwks_uri.as_deref())
    }

    /// Where tokens are to be had.
    pub(crate) fn token_endpoint(&self) -> Result<Place, String> {
        self.named("token_endpoint", self.document.token_endpoint.as_deref())
            .map_err(|error| error.to_string())
    }

    /// Where is to be asked what tokens are.
    pub(crate) fn introspection_endpoint(&self) -> Result<Place, String> {
        self.named(
            "introspection_endpoint",
            self.document.introspection_endpoint.as_deref(),
        )
        .map_err(|error| error.to_string())
    }

    fn named(&self, name: &'static str, uri: Option<&str>) -> Result<Place, SourceError> {
        let Some(uri) = uri else {
            return Err(SourceError::Metadata(self.place.clone(), format!("it has no {name}")));
        };
        let fault = |fault| SourceError::Named(self.place.clone(), name, echo(uri), fault);
        let place = Place::parse(uri).map_err(fault)?;
        if self.https && !place.is_https() {
            return Err(fault("is not https"));
        }
        Ok(place)
    }
}

fn echo(text: &str) -> String {
    let mut end = text.len().min(ECHO_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
