//! The command line's side of the admin API.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::SOCKET;
use super::contract::Failed;

/// How long the gate may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// No gate runs on this state directory.
    NotRunning(PathBuf),
    /// This user may not administer it.
    Forbidden(PathBuf),
    /// The gate says no.
    Refused(String),
    /// The conversation broke.
    Broken(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning(path) => write!(
                f,
                "no gate is running on this state directory: nobody answers on {}\n  hint: start it with `portreeve serve`, or say which one is meant with --config or --state-dir",
                path.display()
            ),
            Self::Forbidden(path) => write!(
                f,
                "{} may only be used by the gate's own user\n  hint: run this as that user",
                path.display()
            ),
            Self::Refused(reason) => f.write_str(reason),
            Self::Broken(reason) => write!(
                f,
                "the gate did not answer: {reason}\n  hint: it may be done all the same; `portreeve revocations` tells"
            ),
        }
    }
}

impl std::error::Error for ClientError {}

fn broken(error: impl fmt::Display) -> ClientError {
    ClientError::Broken(error.to_string())
}

/// Asks the gate of `state_dir`; without a `body` it is a GET.
///
/// # Errors
/// [`ClientError`], in words with the remedy.
pub fn ask<A: DeserializeOwned>(state_dir: &Path, path: &str, body: Option<&impl Serialize>) -> Result<A, ClientError> {
    let (method, body) = match body {
        Some(body) => (Method::POST, serde_json::to_vec(body).map_err(broken)?),
        None => (Method::GET, Vec::new()),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "portreeve")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(broken)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(broken)?;
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, exchange(state_dir, request))
            .await
            .unwrap_or_else(|_| Err(ClientError::Broken("it takes too long".to_owned())))
    })
}

async fn exchange<A: DeserializeOwned>(state_dir: &Path, request: Request<Full<Bytes>>) -> Result<A, ClientError> {
    let socket = state_dir.join(SOCKET);
    let stream = UnixStream::connect(&socket).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning(socket),
        io::ErrorKind::PermissionDenied => ClientError::Forbidden(socket),
        _ => broken(error),
    })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // A connection that breaks shows as a request that fails.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(broken);
    }
    let failed: Failed = serde_json::from_slice(&body).map_err(broken)?;
    Err(ClientError::Refused(failed.error))
}
