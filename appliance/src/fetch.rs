//! HTTP as a client, on the control plane: to configured places only, bounded in bytes and time, never redirected.
//!
//! Must never run on a shard, and never fetch a URL that traffic brought.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use zeroize::Zeroizing;

use crate::config::credential::Party;
use crate::tls;

/// Bytes of a document: key sets and metadata.
pub const DOCUMENT_BYTES: usize = 64 * 1024;
/// The longest that a document may take, name lookup and TLS included.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest that an answer to a form may take.
const FORM_PATIENCE: Duration = Duration::from_secs(10);
/// Connections to one authorization server that wait for the next form.
const KEPT: usize = 8;
/// How long they wait.
const IDLE: Duration = Duration::from_secs(15);
/// Bytes of a place.
const PLACE_BYTES: usize = 2048;

/// Where something can be fetched: `https`, or `http` on this very machine; no user and no fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Uri);

impl Place {
    /// Reads `text`.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "is not a URL")?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("is not an absolute URL");
        };
        if text.len() > PLACE_BYTES {
            return Err("is too long");
        }
        if authority.as_str().contains('@') || text.contains('#') {
            return Err("has a user or a fragment");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match scheme {
            "https" => Ok(Self(uri)),
            "http" if here => Ok(Self(uri)),
            _ => Err("is not https"),
        }
    }

    /// Whether what is sent there is encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        format!("{}://{authority}", self.0.scheme_str().unwrap_or_default())
    }

    /// The path; empty instead of a lone slash.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.0.path() {
            "/" => "",
            path => path,
        }
    }

    /// Whether it has a query.
    #[must_use]
    pub fn has_query(&self) -> bool {
        self.0.query().is_some()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A document, and what its server says about keeping it.
#[derive(Debug)]
pub struct Document {
    /// Its bytes, at most [`DOCUMENT_BYTES`].
    pub bytes: Bytes,
    /// `max-age` of `Cache-Control`; zero for `no-store` and `no-cache` (RFC 9111 5.2.2).
    pub max_age: Option<Duration>,
}

/// What a form was answered with.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// The body, at most [`DOCUMENT_BYTES`].
    pub bytes: Bytes,
}

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// No connection, or one that broke; the reason in the words of the library.
    Unreachable(String),
    /// There was a connection, and it broke before the answer began: nobody knows whether the request was read.
    Broken(String),
    /// It took longer than it may.
    Late(Duration),
    /// The answer is not 200; redirects are not followed.
    Status(u16),
    /// More bytes than this.
    TooLarge(usize),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) | Self::Broken(reason) => write!(f, "cannot be reached: {reason}"),
            Self::Late(patience) => write!(f, "did not answer within {} s", patience.as_secs()),
            Self::Status(status @ 300..=399) => write!(f, "answered {status}; redirects are not followed"),
            Self::Status(status) => write!(f, "answered {status}"),
            Self::TooLarge(bytes) => write!(f, "answered with more than {bytes} bytes"),
        }
    }
}

impl std::error::Error for FetchError {}

/// A client that believes one set of roots.
#[derive(Clone)]
pub struct Fetcher(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher")
    }
}

impl Fetcher {
    /// A client that believes the certificates of `ca_file`, or the public roots.
    ///
    /// # Errors
    /// Why the file cannot be used.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let tls = tls::client(ca_file)?;
        Ok(Self::with(&tls, 0))
    }

    /// A client of an authorization server: it shows the certificate that is configured for it, if any, and keeps
    /// connections for the next token.
    ///
    /// # Errors
    /// Why a file cannot be used.
    pub fn of(party: &Party) -> Result<Self, String> {
        let tls = tls::client_showing(party.ca_file.as_deref(), party.identity.as_ref())?;
        Ok(Self::with(&tls, KEPT))
    }

    fn with(tls: &rustls::ClientConfig, kept: usize) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Whoever may answer late must at least be there.
        tcp.set_connect_timeout(Some(PATIENCE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        // Minutes lie between two documents: a connection kept that long is a stale one.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(kept)
            .build(connector);
        Self(client)
    }

    /// Gets the JSON document at `place`.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn document(&self, place: &Place) -> Result<Document, FetchError> {
        let request = Request::get(place.0.clone())
            .header("accept", "application/json")
            .header("user-agent", "portreeve")
            .body(Full::default())
            .map_err(|error| FetchError::Unreachable(error.to_string()))?;
        tokio::time::timeout(PATIENCE, self.exchange(request, DOCUMENT_BYTES))
            .await
            .unwrap_or(Err(FetchError::Late(PATIENCE)))
    }

    /// Posts a form to `place`; whatever status comes back is an answer.
    ///
    /// # Errors
    /// [`FetchError`], but never of a status.
    pub async fn form(
        &self,
        place: &Place,
        authorization: Option<&String>,
        form: Zeroizing<String>,
    ) -> Result<Answer, FetchError> {
        let mut request = Request::post(place.0.clone())
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("user-agent", "portreeve");
        if let Some(value) = authorization {
            request = request.header("authorization", secret(value)?);
        }
        // Owned by the bytes, and wiped with them.
        let request = request
            .body(Full::new(Bytes::from_owner(Wiped(form))))
            .map_err(|error| FetchError::Unreachable(error.to_string()))?;
        let exchange = async {
            let response = self.0.request(request).await.map_err(|error| unreachable(&error))?;
            let status = response.status().as_u16();
            let bytes = read(response.into_body(), DOCUMENT_BYTES).await?;
            Ok(Answer { status, bytes })
        };
        tokio::time::timeout(FORM_PATIENCE, exchange)
            .await
            .unwrap_or(Err(FetchError::Late(FORM_PATIENCE)))
    }

    /// Posts a JSON document to `place` and gives back the one that comes, of at most `bytes`, within `patience`. The
    /// bearer token is shown to nobody else.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn post(
        &self,
        place: &Place,
        document: Vec<u8>,
        bearer: Option<&str>,
        (bytes, patience): (usize, Duration),
    ) -> Result<Document, FetchError> {
        let mut request = Request::post(place.0.clone())
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("user-agent", "portreeve");
        if let Some(token) = bearer {
            request = request.header("authorization", secret(&format!("Bearer {token}"))?);
        }
        let request = request
            .body(Full::new(Bytes::from(document)))
            .map_err(|error| FetchError::Unreachable(error.to_string()))?;
        tokio::time::timeout(patience, self.exchange(request, bytes))
            .await
            .unwrap_or(Err(FetchError::Late(patience)))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, bytes: usize) -> Result<Document, FetchError> {
        let response = self.0.request(request).await.map_err(|error| unreachable(&error))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let max_age = max_age(response.headers());
        let bytes = read(response.into_body(), bytes).await?;
        Ok(Document { bytes, max_age })
    }
}

/// A header's value that is never printed.
fn secret(value: &str) -> Result<HeaderValue, FetchError> {
    let value = HeaderValue::from_str(value);
    let mut value = value.map_err(|error| FetchError::Unreachable(error.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read(body: Incoming, most: usize) -> Result<Bytes, FetchError> {
    let body = Limited::new(body, most).collect().await;
    let body = body.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            FetchError::TooLarge(most)
        } else {
            FetchError::Unreachable(error.to_string())
        }
    })?;
    Ok(body.to_bytes())
}

/// A form whose memory is wiped.
struct Wiped(Zeroizing<String>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The innermost reason: what wraps it only says that a client has failed.
fn unreachable(error: &hyper_util::client::legacy::Error) -> FetchError {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    if error.is_connect() {
        FetchError::Unreachable(reason.to_string())
    } else {
        FetchError::Broken(reason.to_string())
    }
}

/// SPEC: RFC 9111 5.2.2.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut age = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().ok()?.split(',') {
            let (name, value) = directive.trim().split_once('=').unwrap_or((directive.trim(), ""));
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if name.eq_ignore_ascii_case("max-age") {
                age = value.trim_matches('"').parse().ok().map(Duration::from_secs);
            }
        }
    }
    age
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_encrypted_or_on_this_machine() {
        for good in [
            "https://idp.example",
            "https://idp.example/tenant/keys?p=policy",
            "http://127.0.0.1:8080/jwks",
            "http://[::1]:8080/jwks",
            "http://localhost/jwks",
        ] {
            assert!(Place::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "idp.example/jwks",
            "/jwks",
            "http://idp.example/jwks",
            "http://localhost.example/jwks",
            "http://10.0.0.1/jwks",
            "https://user:secret@idp.example/",
            "https://idp.example/#keys",
            "file:///etc/passwd",
            "ftp://idp.example/",
        ] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_server_says_how_long_its_answer_may_be_kept() {
        let age = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, value.parse().unwrap());
            max_age(&headers)
        };
        assert_eq!(
            age("public, max-age=3600, must-revalidate"),
            Some(Duration::from_secs(3600))
        );
        assert_eq!(age("Max-Age=\"60\""), Some(Duration::from_secs(60)));
        assert_eq!(age("no-store"), Some(Duration::ZERO));
        assert_eq!(age("max-age=60, no-cache"), Some(Duration::ZERO));
        assert_eq!(age("max-age=soon"), None);
        assert_eq!(age("public"), None);
    }
}
