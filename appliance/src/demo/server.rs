//! The sample server behind the gate: the town ledger as an MCP server of both eras, plain HTTP on a loopback port.
//!
//! Stands in for any server that trusts the gate's tokens and nothing else. Blocking sockets on a bounded number of
//! threads of its own; it never shares the gate's event loops, so that what the story measures is the gate.

mod connection;
mod guard;
mod record;
mod town;

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

pub use guard::Guard;
pub use record::Record;
use town::Town;

/// Connections served at once; a further one is closed unread.
const CONNECTIONS_MAX: usize = 32;
/// Stack of a connection's thread, in bytes.
const STACK_BYTES: usize = 256 * 1024;
/// The path of the MCP endpoint.
pub const PATH: &str = "/mcp";

/// A loopback port, taken but not yet served.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Takes a free loopback port.
    pub fn new() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where the server will be.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves the ledger to whoever `guard` admits.
    pub fn serve(self, guard: Guard) -> io::Result<Server> {
        let shared = Arc::new(Shared {
            guard,
            town: Mutex::new(Town::new()),
            stopping: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let door = std::thread::Builder::new()
            .name("demo-ledger".to_owned())
            .stack_size(STACK_BYTES)
            .spawn({
                let shared = Arc::clone(&shared);
                move || accept(&self.listener, &shared)
            })?;
        Ok(Server {
            address: self.address,
            shared,
            door: Some(door),
        })
    }
}

/// The running server; dropping it closes the door and lets open connections end with their current request.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    door: Option<JoinHandle<()>>,
}

impl Server {
    /// What the server has been sent so far, oldest first; it keeps the newest [`record::RECORDS_MAX`].
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.shared.town().records().to_vec()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // The door waits in `accept`: one last caller opens it, whether or not the connection then succeeds.
        drop(TcpStream::connect(self.address));
        if let Some(door) = self.door.take() {
            drop(door.join());
        }
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    guard: Guard,
    town: Mutex<Town>,
    stopping: AtomicBool,
    connections: AtomicUsize,
}

impl Shared {
    /// The town. A poisoned lock is taken all the same: no change of it spans a point that can panic.
    fn town(&self) -> MutexGuard<'_, Town> {
        self.town.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if shared.stopping.load(Ordering::Acquire) {
            return;
        }
        // A caller that is gone before it was let in is no reason to close the door.
        let Ok((stream, _)) = accepted else { continue };
        let Some(place) = Place::take(shared) else { continue };
        let spawned = std::thread::Builder::new()
            .name("demo-ledger-call".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || connection::serve(stream, &place.shared));
        drop(spawned);
    }
}

/// One of the [`CONNECTIONS_MAX`] places, given back when dropped.
struct Place {
    shared: Arc<Shared>,
}

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let taken = shared.connections.fetch_add(1, Ordering::AcqRel);
        let place = Self {
            shared: Arc::clone(shared),
        };
        (taken < CONNECTIONS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
