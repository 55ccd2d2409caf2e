//! Listening sockets: one per shard on one address, all bound before any shard starts.
//!
//! The kernel spreads connections over the sockets (`SO_REUSEPORT`, socket(7)). The same option would let a second
//! gateway, or anything else of the same user, quietly take a share of the connections, so a fixed port is first
//! bound without it. Must never speak to a peer.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::IntoRawFd;
use std::os::fd::RawFd;
use std::time::Duration;

use socket2::Domain;
use socket2::Protocol;
use socket2::SockRef;
use socket2::Socket;
use socket2::Type;

use super::IoError;
use super::stream::Stream;
use super::timer::Timers;

/// Connections that wait in the kernel per shard; more are refused by it.
const BACKLOG: i32 = 1024;

/// How long a shard leaves connections in the backlog when it is out of descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// The sockets of one address, bound and listening, still to be handed to the shards.
#[derive(Debug)]
pub struct ListenerSet {
    address: SocketAddr,
    sockets: Vec<ShardSocket>,
}

/// One shard's listening socket on its way to the shard.
#[derive(Debug)]
pub struct ShardSocket(Socket);

impl ListenerSet {
    /// Binds `address` once per shard. Port 0 is resolved once, all sockets share the port that the kernel chose.
    ///
    /// # Errors
    /// Why the address cannot be had, in words and with the remedy.
    pub fn bind(address: SocketAddr, shards: usize) -> Result<Self, ListenError> {
        let explained = |error: io::Error| ListenError::new(address, &error);
        if address.port() != 0 {
            // Closed at once: it only proves that nobody else has the port, sharing or not.
            open(address)
                .and_then(|socket| socket.bind(&address.into()))
                .map_err(explained)?;
        }
        // The kernel gives a shared socket that asks for port 0 a port that nobody shares.
        let first = listen(address).map_err(explained)?;
        let address = first.local_addr().map_err(explained)?.as_socket().unwrap_or(address);
        let mut sockets = vec![ShardSocket(first)];
        for _ in 1..shards.max(1) {
            sockets.push(ShardSocket(listen(address).map_err(explained)?));
        }
        Ok(Self { address, sockets })
    }

    /// The address with the port that was given.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The sockets, one for each shard.
    #[must_use]
    pub fn into_sockets(self) -> Vec<ShardSocket> {
        self.sockets
    }
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the previous run to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = open(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

impl ShardSocket {
    /// Makes the socket part of the current executor.
    #[must_use]
    pub fn adopt(self) -> Listener {
        let raw = self.0.into_raw_fd();
        // SAFETY: the descriptor is a listening TCP socket that we own and give up here; `from_raw_fd` takes it over.
        #[expect(unsafe_code, reason = "the runtime adopts sockets by descriptor only")]
        let inner = unsafe { glommio::net::TcpListener::from_raw_fd(raw) };
        Listener { inner, raw }
    }
}

/// One shard's listening socket.
#[derive(Debug)]
pub struct Listener {
    inner: glommio::net::TcpListener,
    raw: RawFd,
}

impl Listener {
    /// The next connection. Must not be dropped while it waits, or the runtime may lose a connection that arrives
    /// in that moment: end it with [`close`](Self::close) instead.
    ///
    /// # Errors
    /// [`IoError::Closed`] after `close`; [`IoError::Exhausted`], after a pause, when there are no descriptors. The
    /// caller may go on after every error but `Closed`.
    pub async fn accept(&self, timers: &Timers) -> Result<Stream, IoError> {
        loop {
            let error = match self.inner.accept().await {
                Ok(socket) => match Stream::accepted(socket) {
                    Ok(stream) => return Ok(stream),
                    Err(gone) => gone,
                },
                Err(error) => error.into(),
            };
            match error {
                // The client left between its handshake and our call.
                IoError::Reset | IoError::Closed | IoError::Unreachable | IoError::TimedOut => {}
                IoError::Os(libc::EPROTO | libc::ENOPROTOOPT | libc::EOPNOTSUPP | libc::EINTR) => {}
                // A listening socket says so once it is shut down.
                IoError::Os(libc::EINVAL) => return Err(IoError::Closed),
                IoError::Exhausted => {
                    timers.sleep(EXHAUSTED_PAUSE).await;
                    return Err(IoError::Exhausted);
                }
                other => return Err(other),
            }
        }
    }

    /// Stops listening: a waiting and every later [`accept`](Self::accept) says [`IoError::Closed`]. Connections in
    /// the backlog are reset.
    pub fn close(&self) {
        // SAFETY: `inner` owns the descriptor and lives at least as long as this borrow.
        #[expect(unsafe_code, reason = "the runtime's listener does not lend its descriptor")]
        let socket = unsafe { BorrowedFd::borrow_raw(self.raw) };
        // Fails only if it is shut down already.
        let _ = SockRef::from(&socket).shutdown(std::net::Shutdown::Both);
    }
}

/// Why an address cannot be listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenError {
    /// The address asked for.
    pub address: SocketAddr,
    /// What is in the way.
    pub cause: ListenFault,
}

/// What is in the way of listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenFault {
    /// Another program has the port.
    InUse,
    /// A port below 1024 needs a privilege.
    NotPermitted,
    /// The machine does not have the address.
    NotHere,
    /// No descriptors or memory left.
    Exhausted,
    /// Anything else, as the kernel's error number.
    Other(i32),
}

impl ListenError {
    fn new(address: SocketAddr, error: &io::Error) -> Self {
        let cause = match error.raw_os_error().unwrap_or(0) {
            libc::EADDRINUSE => ListenFault::InUse,
            libc::EACCES | libc::EPERM => ListenFault::NotPermitted,
            libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT => ListenFault::NotHere,
            libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => ListenFault::Exhausted,
            other => ListenFault::Other(other),
        };
        Self { address, cause }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.address.port();
        write!(f, "cannot listen on {}: ", self.address)?;
        match self.cause {
            ListenFault::InUse => write!(
                f,
                "another program has the port; stop it (`ss -ltnp 'sport = :{port}'` shows it) or choose another port"
            ),
            ListenFault::NotPermitted => write!(
                f,
                "no permission for port {port}; choose one from 1024 on, or grant CAP_NET_BIND_SERVICE \
                 (`AmbientCapabilities=CAP_NET_BIND_SERVICE` in a systemd unit)"
            ),
            ListenFault::NotHere => f.write_str("this machine does not have the address; `ip address` lists its own"),
            ListenFault::Exhausted => {
                f.write_str("no file descriptors or memory left; raise `LimitNOFILE` (`ulimit -n 65536`)")
            }
            ListenFault::Other(number) => write!(f, "os error {number}"),
        }
    }
}

impl std::error::Error for ListenError {}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn port_zero_is_resolved_once_for_all_shards() {
        let set = ListenerSet::bind(LOOPBACK, 3).unwrap();
        let address = set.local_addr();
        assert_ne!(address.port(), 0);
        let sockets = set.into_sockets();
        assert_eq!(sockets.len(), 3);
        for socket in &sockets {
            assert_eq!(socket.0.local_addr().unwrap().as_socket(), Some(address));
        }
    }

    #[test]
    fn a_port_in_use_is_refused_even_if_its_holder_would_share_it() {
        let sharing = ListenerSet::bind(LOOPBACK, 1).unwrap();
        let alone = std::net::TcpListener::bind(LOOPBACK).unwrap();
        for taken in [sharing.local_addr(), alone.local_addr().unwrap()] {
            let error = ListenerSet::bind(taken, 2).unwrap_err();
            assert_eq!(error.cause, ListenFault::InUse);
            assert!(error.to_string().contains("choose another port"), "{error}");
        }
    }

    #[test]
    fn an_address_of_another_machine_is_explained() {
        let error = ListenerSet::bind("192.0.2.1:0".parse().unwrap(), 1).unwrap_err();
        assert_eq!(error.cause, ListenFault::NotHere);
    }

    #[test]
    fn a_missing_permission_names_the_capability() {
        let error = ListenError::new(LOOPBACK, &io::Error::from_raw_os_error(libc::EACCES));
        assert!(error.to_string().contains("CAP_NET_BIND_SERVICE"));
    }
}
