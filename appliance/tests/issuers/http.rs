//! One HTTP request at a time, as an OAuth client makes them: forms and JSON, redirects left to the caller, TLS if asked.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::keys::Certified;

/// A wait that ends a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client without state.
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Runtime,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Http {
    /// One that speaks to loopback in plain HTTP.
    pub(crate) fn plain() -> Self {
        Self::with(RootCertStore::empty(), None)
    }

    /// One that believes this authority, and shows a certificate if it has one.
    pub(crate) fn trusting(authority: &Certified, own: Option<&Certified>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate()).unwrap();
        Self::with(roots, own)
    }

    fn with(roots: RootCertStore, own: Option<&Certified>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => config.with_no_client_auth(),
            Some(own) => config
                .with_client_auth_cert(vec![own.certificate()], own.key())
                .unwrap(),
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            // Nothing runs between two requests, so no connection is kept.
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build(connector),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    pub(crate) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, url, headers, String::new())
    }

    /// Posts a form.
    pub(crate) fn post(&self, url: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        let form_type = ("content-type", "application/x-www-form-urlencoded");
        let headers = [headers, &[form_type]].concat();
        self.send(Method::POST, url, &headers, urlencoded(form))
    }

    fn send(&self, method: Method, url: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body)).unwrap();
        let answer = async {
            let response = self
                .client
                .request(request)
                .await
                .unwrap_or_else(|error| panic!("{url}: {error:?}"));
            let (head, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes().to_vec();
            Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            }
        };
        self.runtime
            .block_on(async { tokio::time::timeout(PATIENCE, answer).await })
            .unwrap_or_else(|_| panic!("{url} did not answer"))
    }
}

/// `application/x-www-form-urlencoded`; everything but unreserved characters is escaped.
pub(crate) fn urlencoded(pairs: &[(&str, &str)]) -> String {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The value of `name` in a query, unescaped.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' => b' ',
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}
