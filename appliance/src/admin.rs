//! The admin API: HTTP and JSON on a Unix socket in the state directory, for the command line and the console.
//!
//! Whoever may open the socket (its owner, and root) may administer the gate; who it was goes with every order. Carries
//! requests to the control plane and decides nothing.

use std::convert::Infallible;
use std::fmt;
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

pub mod client;
pub mod contract;
pub mod revocations;

use contract::{Edit, Lift, Refresh, Revoke};

/// The socket's name in the state directory.
pub const SOCKET: &str = "admin.sock";
/// Locked by the one gate that runs on a state directory.
const LOCK: &str = "lock";

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 16;
/// Bytes of a request's body.
const BODY_BYTES: usize = 64 * 1024;
/// How long answers may take to be sent once the gate has stopped.
const SETTLE: Duration = Duration::from_secs(1);
/// The longest that a connection may stay.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the admin API is not there.
#[derive(Debug)]
pub enum AdminError {
    /// Another gate runs on this state directory.
    Taken(PathBuf),
    /// The socket cannot be made.
    Socket(PathBuf, io::Error),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(path) => write!(
                f,
                "another portreeve is running on this state directory: it holds {}\n  stop it, or give this one another gate.state_dir",
                path.display()
            ),
            Self::Socket(path, error) => write!(
                f,
                "{} cannot be made: {error}\n  make the directory writable; a socket's path may have 107 bytes",
                path.display()
            ),
        }
    }
}

impl std::error::Error for AdminError {}

/// What somebody wants of the control plane.
#[derive(Debug)]
pub enum Wanted {
    /// Say what is shut off.
    List,
    /// Shut something off.
    Revoke(Revoke),
    /// Let it back in.
    Lift(Lift),
    /// Say how the gate is.
    Status,
    /// Fetch an issuer's keys now.
    Refresh(Refresh),
    /// Say who and what is registered.
    Registry,
    /// Change one of it in the configuration file.
    Edit(Edit),
    /// Take the last change of it back.
    Undo,
}

/// An order, from whom, and where the answer goes.
#[derive(Debug)]
pub struct Order {
    /// What is wanted.
    pub wanted: Wanted,
    /// The user id of the process that asked.
    pub by: u32,
    /// Takes the answer.
    pub answer: oneshot::Sender<Answer>,
}

/// An answer, ready to be sent.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    /// It was done.
    pub fn done(body: &impl Serialize) -> Self {
        Self::with(StatusCode::OK, body)
    }

    /// It was not, or not wholly; `reason` is a sentence for a person.
    #[must_use]
    pub fn failed(status: StatusCode, reason: &str) -> Self {
        let error = reason.to_owned();
        Self::with(status, &contract::Failed { error })
    }

    fn with(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self { status, body },
            Err(_) => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                body: b"{\"error\":\"the answer cannot be written\"}".to_vec(),
            },
        }
    }
}

/// The socket, open, on a state directory that is this process's alone. Removed with the value.
#[derive(Debug)]
pub struct Admin {
    listener: UnixListener,
    path: PathBuf,
    places: Arc<Semaphore>,
    /// Held until the end of the value; the kernel lets go of it if the process dies.
    _lock: File,
}

impl Admin {
    /// Claims `state_dir` and opens its socket, mode 0600, in the place of one that a crashed gate left. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`AdminError`], in words with the remedy.
    pub fn open(state_dir: &Path) -> Result<Self, AdminError> {
        let lock = claim(state_dir)?;
        let path = state_dir.join(SOCKET);
        let made = match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => UnixListener::bind(&path),
        };
        let secured = made.and_then(|listener| {
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok(listener)
        });
        match secured {
            Ok(listener) => Ok(Self {
                listener,
                path,
                places: Arc::new(Semaphore::new(CONNECTIONS)),
                _lock: lock,
            }),
            Err(error) => Err(AdminError::Socket(path, error)),
        }
    }

    /// Waits, not for long, until what was answered has been sent. Nobody may be accepting any more.
    pub async fn settle(&self) {
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        let _sent_or_late = tokio::time::timeout(SETTLE, self.places.acquire_many(all)).await;
    }

    /// Accepts for ever; every order goes into `orders`.
    pub async fn serve(&self, orders: mpsc::Sender<Order>) -> Infallible {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let orders = orders.clone();
                    tokio::spawn(async move {
                        let _late_or_done = tokio::time::timeout(PATIENCE, attend(stream, orders)).await;
                        drop(place);
                    });
                }
                // Out of descriptors: they come back when others end.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Takes the lock of `state_dir`, which lasts as long as the file.
///
/// # Errors
/// A gate or another command holds it, or it cannot be made.
pub(crate) fn claim(state_dir: &Path) -> Result<File, AdminError> {
    let path = state_dir.join(LOCK);
    let opened = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let file = opened.map_err(|error| AdminError::Socket(path.clone(), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AdminError::Taken(path)),
        Err(TryLockError::Error(error)) => Err(AdminError::Socket(path, error)),
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // What is left behind is replaced at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

async fn attend(stream: UnixStream, orders: mpsc::Sender<Order>) {
    let Ok(by) = stream.peer_cred().map(|peer| peer.uid()) else {
        return;
    };
    let service = service_fn(|request| {
        let orders = orders.clone();
        async move {
            let answer = carry(request, by, &orders).await;
            Response::builder()
                .status(answer.status)
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(answer.body)))
        }
    });
    // A connection that breaks is its client's loss.
    let _ended = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn carry(request: Request<Incoming>, by: u32, orders: &mpsc::Sender<Order>) -> Answer {
    let wanted = match read(request).await {
        Ok(wanted) => wanted,
        Err(answer) => return answer,
    };
    let (tell, answer) = oneshot::channel();
    let order = Order {
        wanted,
        by,
        answer: tell,
    };
    if orders.send(order).await.is_ok()
        && let Ok(answer) = answer.await
    {
        return answer;
    }
    Answer::failed(StatusCode::SERVICE_UNAVAILABLE, "the gate is stopping")
}

async fn read(request: Request<Incoming>) -> Result<Wanted, Answer> {
    let (head, body) = request.into_parts();
    match (&head.method, head.uri.path()) {
        (&Method::GET, contract::REVOCATIONS) => Ok(Wanted::List),
        (&Method::POST, contract::REVOCATIONS) => parsed(body).await.map(Wanted::Revoke),
        (&Method::POST, contract::LIFT) => parsed(body).await.map(Wanted::Lift),
        (&Method::GET, contract::STATUS) => Ok(Wanted::Status),
        (&Method::POST, contract::REFRESH) => parsed(body).await.map(Wanted::Refresh),
        (&Method::GET, contract::REGISTRY) => Ok(Wanted::Registry),
        (&Method::POST, contract::REGISTRY) => parsed(body).await.map(Wanted::Edit),
        (&Method::POST, contract::UNDO) => parsed(body).await.map(|contract::Undo {}| Wanted::Undo),
        (
            _,
            contract::REVOCATIONS
            | contract::LIFT
            | contract::STATUS
            | contract::REFRESH
            | contract::REGISTRY
            | contract::UNDO,
        ) => Err(Answer::failed(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")),
        _ => Err(Answer::failed(StatusCode::NOT_FOUND, "no such resource")),
    }
}

async fn parsed<T: serde::de::DeserializeOwned>(body: Incoming) -> Result<T, Answer> {
    let wrong = |reason: String| Answer::failed(StatusCode::BAD_REQUEST, &reason);
    let body = Limited::new(body, BODY_BYTES).collect().await;
    let bytes = body
        .map_err(|error| wrong(format!("the body cannot be read: {error}")))?
        .to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| wrong(format!("the body is wrong: {error}")))
}
