//! A connection: TCP, or TLS 1.2 and 1.3 on top of it, on either side.
//!
//! Every wait is cancel-safe unless it says otherwise: bytes move only when a future completes, so a read may be
//! raced against other work and dropped. Deadlines are the caller's ([`super::timer`]). Knows nothing of HTTP.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use futures_lite::io::AsyncRead;
use futures_lite::io::AsyncWrite;
use futures_rustls::TlsAcceptor;
use futures_rustls::TlsConnector;
use futures_rustls::client;
use futures_rustls::server;
use glommio::net::TcpStream;
use rustls::ClientConfig;
use rustls::ServerConfig;
use rustls_pki_types::ServerName;
use socket2::SockRef;

use super::IoError;

/// Bytes that one read takes from the kernel at most.
const READ_BYTES_MAX: usize = 32 * 1024;

/// A body up to this many bytes is copied behind its head, so that both leave in one system call.
const JOIN_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    /// Where the kernel writes: initialised once, and shared by all connections of the shard, because a read never
    /// waits with the buffer in its hands. A connection that waits therefore holds no buffer at all.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES_MAX].into_boxed_slice());
}

/// A connection of this shard.
pub struct Stream {
    link: Link,
    peer: SocketAddr,
}

enum Link {
    Plain(TcpStream),
    Server(Box<server::TlsStream<TcpStream>>),
    Client(Box<client::TlsStream<TcpStream>>),
}

impl Stream {
    /// A plain connection over a connected socket, without Nagle's delay.
    ///
    /// # Errors
    /// The peer is gone already.
    pub fn plain(socket: TcpStream) -> Result<Self, IoError> {
        let peer = socket.peer_addr().map_err(IoError::from)?;
        socket.set_nodelay(true).map_err(IoError::from)?;
        Ok(Self {
            link: Link::Plain(socket),
            peer,
        })
    }

    /// As [`plain`](Self::plain) for an accepted socket, which the runtime, unlike its connected ones, would let child
    /// processes inherit.
    pub(super) fn accepted(socket: TcpStream) -> Result<Self, IoError> {
        // SAFETY: `socket` owns the descriptor, and the borrow ends before `socket` moves.
        #[expect(unsafe_code, reason = "the runtime's stream does not lend its descriptor")]
        let borrowed = unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) };
        SockRef::from(&borrowed).set_cloexec(true)?;
        Self::plain(socket)
    }

    /// Performs the TLS handshake as the server. Not cancel-safe: dropping it closes the connection.
    ///
    /// # Errors
    /// The handshake failed; the connection is closed.
    pub async fn secure_server(self, config: Arc<ServerConfig>) -> Result<Self, IoError> {
        let peer = self.peer;
        let tls = TlsAcceptor::from(config).accept(self.into_plain()?).await?;
        Ok(Self {
            link: Link::Server(Box::new(tls)),
            peer,
        })
    }

    /// Performs the TLS handshake as the client of `name`. Not cancel-safe: dropping it closes the connection.
    ///
    /// # Errors
    /// The handshake failed; the connection is closed.
    pub async fn secure_client(self, config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, IoError> {
        let peer = self.peer;
        let tls = TlsConnector::from(config).connect(name, self.into_plain()?).await?;
        Ok(Self {
            link: Link::Client(Box::new(tls)),
            peer,
        })
    }

    /// Appends what the peer has sent to `buf`, which may grow to `max` bytes. Zero bytes: the peer has ended its
    /// side; ours may still write. Cancel-safe, so racing it against other work tells when the peer leaves.
    ///
    /// # Errors
    /// [`IoError::BufferFull`] if `buf` holds `max` bytes already; [`IoError::Truncated`] if TLS ended without
    /// saying so; what the kernel reports.
    pub async fn read(&mut self, buf: &mut Vec<u8>, max: usize) -> Result<usize, IoError> {
        poll_fn(|cx| self.poll_read(cx, buf, max)).await
    }

    /// [`read`](Self::read) for callers that poll.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut Vec<u8>, max: usize) -> Poll<Result<usize, IoError>> {
        let room = max.saturating_sub(buf.len()).min(READ_BYTES_MAX);
        if room == 0 {
            return Poll::Ready(Err(IoError::BufferFull));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let count = ready!(self.poll_read_slice(cx, &mut scratch[..room]))?;
            buf.extend_from_slice(&scratch[..count]);
            Poll::Ready(Ok(count))
        })
    }

    /// Writes all of `bytes`. Not cancel-safe: after a drop nobody knows how much was sent.
    ///
    /// # Errors
    /// What the kernel reports; the peer cannot have received all of `bytes`.
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        let mut sent = 0;
        poll_fn(|cx| {
            while sent < bytes.len() {
                match ready!(self.poll_write(cx, &bytes[sent..])) {
                    Ok(0) => return Poll::Ready(Err(IoError::Closed)),
                    Ok(count) => sent += count,
                    Err(error) => return Poll::Ready(Err(error.into())),
                }
            }
            self.poll_flush(cx).map_err(IoError::from)
        })
        .await
    }

    /// Writes `head` and then `body`, in one system call if the body is small. `head` may grow on the way and is as
    /// it was afterwards.
    ///
    /// # Errors
    /// As [`write_all`](Self::write_all), for both together.
    pub async fn write_both(&mut self, head: &mut Vec<u8>, body: &[u8]) -> Result<(), IoError> {
        if body.len() > JOIN_BYTES_MAX {
            self.write_all(head).await?;
            return self.write_all(body).await;
        }
        let length = head.len();
        head.extend_from_slice(body);
        let written = self.write_all(head).await;
        head.truncate(length);
        written
    }

    /// Ends our side (TLS: with `close_notify`); the peer's may still be read.
    ///
    /// # Errors
    /// What the kernel reports; the connection is of no more use for writing.
    pub async fn shutdown(&mut self) -> Result<(), IoError> {
        poll_fn(|cx| match &mut self.link {
            Link::Plain(link) => Pin::new(link).poll_close(cx),
            Link::Server(link) => Pin::new(link.as_mut()).poll_close(cx),
            Link::Client(link) => Pin::new(link.as_mut()).poll_close(cx),
        })
        .await
        .map_err(IoError::from)
    }

    /// Ends our side, then throws away what the peer still sends, at most `max` bytes, until it ends too. Closing
    /// with unread bytes would reset the connection and take the answer with it (RFC 9112 9.6). Run it under a
    /// deadline.
    pub async fn linger(mut self, max: usize) {
        let mut rest = max;
        let mut sink = Vec::new();
        if self.shutdown().await.is_err() {
            return;
        }
        while let Ok(count @ 1..) = self.read(&mut sink, READ_BYTES_MAX).await {
            sink.clear();
            rest = rest.saturating_sub(count);
            if rest == 0 {
                return;
            }
        }
    }

    /// Whether the peer has closed, or sent something nobody asked for, while the connection was idle. Asks without
    /// a system call unless the runtime has seen something happen.
    #[must_use]
    pub fn is_stale(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut byte = [0];
        self.poll_read_slice(&mut cx, &mut byte).is_ready()
    }

    /// The other end.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        !matches!(self.link, Link::Plain(_))
    }

    /// The leaf that the other end showed as the client of a TLS connection, in DER: it has the key.
    #[must_use]
    pub fn client_certificate(&self) -> Option<&[u8]> {
        let Link::Server(link) = &self.link else {
            return None;
        };
        let chain = link.get_ref().1.peer_certificates()?;
        chain.first().map(AsRef::as_ref)
    }

    fn into_plain(self) -> Result<TcpStream, IoError> {
        match self.link {
            Link::Plain(socket) => Ok(socket),
            Link::Server(_) | Link::Client(_) => Err(IoError::Os(libc::EISCONN)),
        }
    }

    fn poll_read_slice(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut self.link {
            Link::Plain(link) => Pin::new(link).poll_read(cx, buf),
            Link::Server(link) => Pin::new(link.as_mut()).poll_read(cx, buf),
            Link::Client(link) => Pin::new(link.as_mut()).poll_read(cx, buf),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.link {
            Link::Plain(link) => Pin::new(link).poll_write(cx, bytes),
            Link::Server(link) => Pin::new(link.as_mut()).poll_write(cx, bytes),
            Link::Client(link) => Pin::new(link.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.link {
            // A plain socket has nothing to flush.
            Link::Plain(_) => Poll::Ready(Ok(())),
            Link::Server(link) => Pin::new(link.as_mut()).poll_flush(cx),
            Link::Client(link) => Pin::new(link.as_mut()).poll_flush(cx),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("peer", &self.peer)
            .field("tls", &self.is_tls())
            .finish_non_exhaustive()
    }
}
