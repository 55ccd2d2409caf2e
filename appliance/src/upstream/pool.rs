//! Kept connections of one shard, by origin, and the sending of a request over one of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::rc::Weak;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::io::IoError;
use crate::io::dial::Origin;
use crate::io::dial::dial;
use crate::io::stream::Stream;
use crate::io::timer::Timers;

use super::Exchange;
use super::UpstreamError;

/// How many connections are kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Idle connections per origin and shard; the longest idle one makes room.
    pub idle_per_origin: usize,
    /// How long a connection may be idle. Less than what servers allow (5 s is a common default), so that this side
    /// is the first to close.
    pub idle_ttl: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            idle_per_origin: 64,
            idle_ttl: Duration::from_secs(4),
        }
    }
}

/// How long each part of an exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Connection and TLS handshake.
    pub connect: Duration,
    /// Writing the whole request.
    pub write: Duration,
    /// From the end of the request to the end of the response head.
    pub first_byte: Duration,
}

/// One request, framed.
#[derive(Debug)]
pub struct Request<'a> {
    /// The head with its empty line. May grow while it is written; is as it was afterwards.
    pub head: &'a mut Vec<u8>,
    /// The body, framed as the head says.
    pub body: &'a [u8],
    /// Whether the method is `HEAD`.
    pub is_head: bool,
    /// Content of the response body at most, in bytes.
    pub reply_bytes_max: u64,
}

/// The kept connections of one shard. Clones are the same pool.
#[derive(Clone)]
pub struct Pool {
    shared: Rc<Shared>,
}

pub(super) struct Shared {
    timers: Timers,
    limits: PoolLimits,
    /// By the address of the origin, which the value keeps alive, so that it stays unique. A reloaded configuration
    /// brings new origins and never meets the connections of the old ones; those go with their time.
    hosts: RefCell<HashMap<*const Origin, Host>>,
}

struct Host {
    _origin: Arc<Origin>,
    idle: Vec<Idle>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection with its read buffer, which is empty while it is idle.
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) buf: Vec<u8>,
}

impl Pool {
    /// An empty pool for the current executor, which closes what is idle for too long until the last clone is gone.
    #[must_use]
    pub fn new(timers: Timers, limits: PoolLimits) -> Self {
        let shared = Rc::new(Shared {
            timers,
            limits,
            hosts: RefCell::default(),
        });
        glommio::spawn_local(sweep(Rc::downgrade(&shared))).detach();
        Self { shared }
    }

    /// Sends `request` and waits for the head of the response.
    ///
    /// # Errors
    /// How far it came, and why no further.
    pub async fn send(
        &self,
        origin: &Arc<Origin>,
        mut request: Request<'_>,
        patience: &Patience,
    ) -> Result<Exchange, UpstreamError> {
        let kept = self.send_on_kept(origin, &mut request, patience).await?;
        let connection = match kept {
            Some(connection) => connection,
            None => {
                let stream = dial(origin, &self.shared.timers, patience.connect)
                    .await
                    .map_err(UpstreamError::Connect)?;
                let mut connection = Connection {
                    stream,
                    buf: Vec::new(),
                };
                self.write(&mut connection, &mut request, patience)
                    .await
                    .map_err(UpstreamError::Write)?;
                connection
            }
        };
        let home = Home {
            pool: Rc::downgrade(&self.shared),
            origin: Arc::clone(origin),
        };
        let response = Exchange::begin(connection, home, &request);
        match self.shared.timers.deadline(patience.first_byte, response).await {
            Ok(exchange) => exchange,
            Err(timed_out) => Err(UpstreamError::Unanswered(timed_out.into())),
        }
    }

    /// Idle connections of all origins.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.shared.hosts.borrow().values().map(|host| host.idle.len()).sum()
    }

    async fn send_on_kept(
        &self,
        origin: &Arc<Origin>,
        request: &mut Request<'_>,
        patience: &Patience,
    ) -> Result<Option<Connection>, UpstreamError> {
        let Some(mut connection) = self.shared.checkout(origin) else {
            return Ok(None);
        };
        match self.write(&mut connection, request, patience).await {
            Ok(()) => Ok(Some(connection)),
            Err(IoError::TimedOut) => Err(UpstreamError::Write(IoError::TimedOut)),
            // SPEC: RFC 9112 9.3.1. The server closed while it did not have the whole request: safe to send again.
            Err(_) => Ok(None),
        }
    }

    async fn write(
        &self,
        connection: &mut Connection,
        request: &mut Request<'_>,
        patience: &Patience,
    ) -> Result<(), IoError> {
        let written = connection.stream.write_both(request.head, request.body);
        self.shared.timers.deadline(patience.write, written).await?
    }
}

impl Shared {
    /// The kept connection that was used last and is still good.
    fn checkout(&self, origin: &Arc<Origin>) -> Option<Connection> {
        let mut hosts = self.hosts.borrow_mut();
        let host = hosts.get_mut(&Arc::as_ptr(origin))?;
        while let Some(mut idle) = host.idle.pop() {
            if idle.since.elapsed() < self.limits.idle_ttl && !idle.connection.stream.is_stale() {
                return Some(idle.connection);
            }
        }
        None
    }

    fn checkin(&self, origin: &Arc<Origin>, connection: Connection) {
        let mut hosts = self.hosts.borrow_mut();
        let host = hosts.entry(Arc::as_ptr(origin)).or_insert_with(|| Host {
            _origin: Arc::clone(origin),
            idle: Vec::new(),
        });
        if host.idle.len() >= self.limits.idle_per_origin && !host.idle.is_empty() {
            host.idle.remove(0);
        }
        if self.limits.idle_per_origin > 0 {
            host.idle.push(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }

    /// Closes what was idle for too long or whose server has left.
    fn close_expired(&self) {
        self.hosts.borrow_mut().retain(|_, host| {
            host.idle
                .retain_mut(|idle| idle.since.elapsed() < self.limits.idle_ttl && !idle.connection.stream.is_stale());
            !host.idle.is_empty()
        });
    }
}

async fn sweep(pool: Weak<Shared>) {
    while let Some(shared) = pool.upgrade() {
        shared.close_expired();
        let (timers, pause) = (shared.timers.clone(), shared.limits.idle_ttl);
        drop(shared);
        timers.sleep(pause).await;
    }
}

/// Where a connection goes when its exchange is complete.
pub(super) struct Home {
    pool: Weak<Shared>,
    origin: Arc<Origin>,
}

impl Home {
    pub(super) fn take_back(&self, connection: Connection) {
        if let Some(pool) = self.pool.upgrade() {
            pool.checkin(&self.origin, connection);
        }
    }
}
