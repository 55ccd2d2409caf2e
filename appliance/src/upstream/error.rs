//! What can go wrong on the way to a server, by how far the request had come.

use std::fmt;

use portreeve_core::framing::FrameError;

use crate::io::IoError;
use crate::io::error::TlsFault;

/// A failed exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamError {
    /// No connection: nothing was sent.
    Connect(IoError),
    /// The request could not be written in full, so the server cannot have acted on it.
    Write(IoError),
    /// The request was sent, and the connection was lost, or the time was up, before a response head.
    Unanswered(IoError),
    /// The response breaks HTTP/1.1.
    Framing(FrameError),
    /// More interim responses than any server needs.
    InterimFlood,
    /// The connection was lost in the middle of the response body.
    Body(IoError),
}

impl UpstreamError {
    /// Whether the server may have acted on the request. If so, nobody may send it again unasked.
    ///
    /// A TLS 1.3 server says only after the first bytes of a request that it does not accept our certificate, and it has not
    /// looked at them then.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        !matches!(
            self,
            Self::Connect(_) | Self::Write(_) | Self::Unanswered(IoError::Tls(TlsFault::OwnCertificate))
        )
    }

    /// Whether a deadline passed, as opposed to the server failing.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::Connect(IoError::TimedOut) | Self::Write(IoError::TimedOut) | Self::Unanswered(IoError::TimedOut)
        )
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "cannot connect to the server: {error}"),
            Self::Write(error) => write!(f, "cannot send the request: {error}"),
            Self::Unanswered(error) => write!(f, "the server did not answer: {error}"),
            Self::Framing(error) => write!(f, "the server's response is malformed: {error}"),
            Self::InterimFlood => f.write_str("the server sends interim responses without end"),
            Self::Body(error) => write!(f, "the server's response broke off: {error}"),
        }
    }
}

impl std::error::Error for UpstreamError {}
