//! The composition root: from a configuration to running shards, and from a signal to a quiet stop.
//!
//! The only place that names all concrete parts. Everything that can be wrong with the machine (rings, port, state
//! directory) is tried before the first shard starts, and reported in words with the remedy.

use std::cell::RefCell;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::audit::Record;
use portreeve_core::identity::{Denylist, LastSeen};
use portreeve_core::signals::Standing;
use portreeve_core::snapshot::Snapshot;
use tokio::sync::mpsc::UnboundedSender;

use crate::clock;
use crate::config::certificates::ClientCertificates;
use crate::config::{Config, Tls};
use crate::io::dial::{Origin, OriginTls};
use crate::io::listener::{ListenError, ListenerSet};
use crate::io::mailbox::{self, Control, MailError};
use crate::io::ring::{self, RingError};
use crate::issuers::Changed;
use crate::publish::Published;
use crate::shard::{self, Order, Origins, Route, Wants};
use crate::tls::{self, Listening};

/// Why the gate does not start.
#[derive(Debug)]
pub enum BootError {
    /// The kernel gives no usable io_uring.
    Ring(RingError),
    /// The address cannot be listened on.
    Listen(ListenError),
    /// The state directory cannot be made or written.
    State(PathBuf, io::Error),
    /// A certificate, key or CA file cannot be used.
    Tls(String),
    /// A server's name does not resolve.
    Resolve(String, io::Error),
    /// A shard did not start.
    Shard(String),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(error) => error.fmt(f),
            Self::Listen(error) => error.fmt(f),
            Self::State(path, error) => write!(
                f,
                "the state directory {} cannot be used: {error}\n  make it writable for this user, or set gate.state_dir",
                path.display()
            ),
            Self::Tls(reason) => f.write_str(reason),
            Self::Resolve(host, error) => {
                write!(
                    f,
                    "{host} cannot be resolved: {error}\n  servers are resolved once, at start"
                )
            }
            Self::Shard(reason) => write!(f, "a shard did not start: {reason}"),
        }
    }
}

impl std::error::Error for BootError {}

/// A running gate.
pub struct Gate {
    address: SocketAddr,
    published: Arc<Published>,
    control: Control<Order>,
    shards: RefCell<Vec<shard::Handle>>,
    drain: Duration,
    /// How the listener was told to speak when it was started.
    speaks: (Option<Tls>, Option<ClientCertificates>),
}

/// A gate that drains.
#[must_use = "it is quiet only after the wait"]
pub struct Stopping(Vec<shard::Handle>);

impl Stopping {
    /// Blocks until every shard is gone.
    pub fn wait(self) {
        for shard in self.0 {
            shard.join();
        }
    }
}

impl Gate {
    /// Starts listening and returns once every shard accepts. Keys that tokens name and issuers lack are told to `wants`.
    ///
    /// # Errors
    /// What is wrong with the machine or the files; nothing is left running.
    pub fn start(config: &Config, snapshot: Snapshot, wants: &Wants) -> Result<Self, BootError> {
        ring::probe().map_err(BootError::Ring)?;
        let audit = audit_folder(config)?;
        let origins = origins(config)?;
        let server_tls = tls::server(&config.gate).map_err(BootError::Tls)?;
        let listeners = ListenerSet::bind(config.gate.listen, config.gate.shards).map_err(BootError::Listen)?;
        let address = listeners.local_addr();
        let published = Arc::new(Published::new(reachable_at(snapshot, address, config.gate.scheme())));
        let (control, seats) = mailbox::mesh(config.gate.shards);
        let started = clock::now();
        let mut shards = Vec::with_capacity(config.gate.shards);
        for (number, (socket, seat)) in listeners.into_sockets().into_iter().zip(seats).enumerate() {
            let plan = shard::Plan {
                number: u8::try_from(number).unwrap_or(u8::MAX),
                shards: u8::try_from(config.gate.shards).unwrap_or(u8::MAX),
                limits: config.limits,
                published: Arc::clone(&published),
                origins: origins.clone(),
                wants: wants.clone(),
                tls: server_tls.clone(),
                audit: audit.clone(),
                started,
            };
            shards.push(shard::start(plan, socket, seat).map_err(BootError::Shard)?);
        }
        for shard in &mut shards {
            shard.wait_until_ready().map_err(BootError::Shard)?;
        }
        Ok(Self {
            address,
            published,
            control,
            shards: RefCell::new(shards),
            drain: config.limits.drain_timeout,
            speaks: (config.gate.tls.clone(), config.gate.client_certificates.clone()),
        })
    }

    /// Where it listens; the port is the real one where 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts a new configuration in force for every request that begins from now on; open streams look again.
    /// `origins` and `listening` are those of this configuration; of the latter only the files may have changed, not which
    /// they are.
    pub fn publish(
        &self,
        config: &Config,
        snapshot: Snapshot,
        origins: &Origins,
        listening: Option<&Listening>,
    ) -> u64 {
        let (tls, certificates) = &self.speaks;
        if config.gate.tls == *tls && config.gate.client_certificates == *certificates {
            self.tell_all(|| Order::Listen(listening.cloned()));
        }
        // A shard must not go on with old servers under a new configuration.
        self.tell_all(|| Order::Origins(origins.clone()));
        let snapshot = reachable_at(snapshot, self.address, config.gate.scheme());
        let generation = self.published.publish(snapshot);
        self.tell_all(|| Order::LookAgain);
        generation
    }

    /// Shuts off what `denylist` says, and nothing else. Once this returns no shard lets any of it begin a request, and
    /// everything of it that is open has been told to end.
    pub fn shut_off(&self, denylist: Arc<Denylist>) -> u64 {
        let generation = self.published.shut_off(denylist);
        self.tell_all(|| Order::LookAgain);
        generation
    }

    /// Lets policies know `standing` from the next decision on.
    pub fn know(&self, standing: Arc<Standing>) -> u64 {
        self.published.know(standing)
    }

    /// Puts other keys of issuers in force, and nothing else.
    pub fn set_keys(&self, changed: &[Changed]) -> u64 {
        let generation = self.published.set_keys(changed);
        self.tell_all(|| Order::LookAgain);
        generation
    }

    /// The configuration in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.published.latest()
    }

    /// Puts `record` into the audit of the first shard.
    pub fn note(&self, record: &Record) {
        self.tell(0, || Order::Note(record.clone()));
    }

    /// Asks every shard when agents were last let in there, since it was last asked. Each one that lives tells.
    pub fn ask_last_seen(&self, tell: &UnboundedSender<LastSeen>) {
        self.tell_all(|| Order::LastSeen(tell.clone()));
    }

    /// The generation in force.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.published.generation()
    }

    fn tell_all(&self, order: impl Fn() -> Order) {
        for number in 0..self.control.shards() {
            self.tell(number, &order);
        }
    }

    fn tell(&self, number: usize, order: impl Fn() -> Order) {
        // A full inbox empties by itself; a shard that is gone has nothing to be told.
        while self.control.tell(number, order()) == Err(MailError::Full) {
            std::thread::yield_now();
        }
    }

    /// Begins to stop: no new connections, idle ones end now, running calls may finish until the drain deadline.
    pub fn drain(&self) -> Stopping {
        self.tell_all(|| Order::Drain(self.drain));
        Stopping(self.shards.take())
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// On loopback the gate also answers to the names of the address it really listens on, and to pages of that very origin.
fn reachable_at(mut snapshot: Snapshot, address: SocketAddr, scheme: &str) -> Snapshot {
    if address.ip().is_loopback() {
        let front = &mut snapshot.front;
        for name in [address.to_string(), format!("localhost:{}", address.port())] {
            front.allowed_origins.push(format!("{scheme}://{name}"));
            if !front.allowed_hosts.contains(&name) {
                front.allowed_hosts.push(name);
            }
        }
    }
    snapshot
}

fn audit_folder(config: &Config) -> Result<PathBuf, BootError> {
    let folder = config.gate.state_dir.join("audit");
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .and_then(|()| {
            let probe = folder.join(".probe");
            fs::write(&probe, b"")?;
            fs::remove_file(&probe)
        });
    made.map(|()| folder.clone())
        .map_err(|error| BootError::State(folder, error))
}

/// How each server of `config` is reached. Asks the name server, and blocks meanwhile.
///
/// # Errors
/// A server that cannot be resolved or trusted.
pub fn origins(config: &Config) -> Result<Origins, BootError> {
    let mut origins = Vec::with_capacity(config.servers.len());
    for server in &config.servers {
        let (host, port) = (server.url.host(), server.url.port());
        let addresses = (host, port)
            .to_socket_addrs()
            .map_err(|error| BootError::Resolve(host.to_owned(), error))?;
        let tls = if server.url.is_https() {
            let config =
                tls::client_showing(server.ca_file.as_deref(), server.identity.as_ref()).map_err(BootError::Tls)?;
            let name = tls::server_name(host).map_err(BootError::Tls)?;
            Some(OriginTls { config, name })
        } else {
            None
        };
        origins.push(Route {
            server: Arc::from(server.name.as_str()),
            authority: server.url.authority().into(),
            origin: Arc::new(Origin {
                addresses: addresses.collect(),
                tls,
            }),
        });
    }
    Ok(origins)
}
