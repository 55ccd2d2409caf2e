//! HTTP/1.1 heads: requests from agents, responses from servers.
//!
//! A head is parsed once, from the front of the connection's buffer, into offsets; the bytes stay where they are and
//! are read through a view. `httparse` finds the tokens; everything it tolerates that two readers could take
//! differently is refused here. Specification: RFC 9112, RFC 9110 sections 5 to 10.

mod headers;
mod known;
mod length;
mod request;
mod response;
mod target;
#[cfg(test)]
mod tests;

pub use headers::HeaderIter;
pub use known::Known;
pub use request::RequestHead;
pub use request::RequestView;
pub(in crate::framing) use request::is_token_byte;
pub use request::parse_request;
pub use response::ResponseHead;
pub use response::ResponseView;
pub use response::parse_response;
pub(in crate::framing) use target::Target;

use crate::limits;

/// How far an incremental parse came.
#[derive(Clone, Copy, Debug)]
pub enum Progress<T> {
    /// Everything so far is acceptable, and more bytes are needed. Parse again from the same first byte.
    Partial,
    /// The whole head is there.
    Complete {
        /// The parsed head; its offsets count from the first byte that was parsed.
        head: T,
        /// Bytes of the head, including the empty line; the body starts here.
        consumed: usize,
    },
}

/// What a head may cost. Values above the ceilings in [`crate::limits`] count as those ceilings.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Start line and header fields with the final empty line, in bytes.
    pub head_bytes: usize,
    /// Request target, in bytes.
    pub target_bytes: usize,
    /// Header fields, counted.
    pub headers: usize,
    /// Largest declared `Content-Length`, in bytes.
    pub body_bytes: u64,
}

impl HeadLimits {
    /// For requests from agents.
    pub const REQUEST: Self = Self {
        head_bytes: limits::HEAD_BYTES_MAX,
        target_bytes: limits::TARGET_BYTES_MAX,
        headers: limits::HEADERS_MAX,
        body_bytes: limits::REQUEST_BODY_BYTES_MAX,
    };

    /// For responses of servers, whose bodies are bounded where they are read.
    pub const RESPONSE: Self = Self {
        body_bytes: u64::MAX,
        ..Self::REQUEST
    };

    /// The part of `buf` that may hold the head.
    fn window<'b>(&self, buf: &'b [u8]) -> &'b [u8] {
        &buf[..buf.len().min(self.head_bytes.min(limits::HEAD_BYTES_MAX))]
    }

    /// Whether `window` is all that a head may take.
    fn exhausted_by(&self, window: &[u8]) -> bool {
        window.len() >= self.head_bytes.min(limits::HEAD_BYTES_MAX)
    }

    fn header_slots(&self) -> usize {
        self.headers.min(limits::HEADERS_MAX)
    }
}

/// The request methods that the gate tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `HEAD`
    Head,
    /// Any other token. Methods are case-sensitive, so `get` is one of these.
    Other,
}

impl Method {
    /// The method named exactly `token`.
    #[must_use]
    pub fn of(token: &str) -> Self {
        match token {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            "HEAD" => Self::Head,
            _ => Self::Other,
        }
    }

    /// The name on the wire; `None` for [`Method::Other`].
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Get => Some("GET"),
            Self::Post => Some("POST"),
            Self::Delete => Some("DELETE"),
            Self::Options => Some("OPTIONS"),
            Self::Head => Some("HEAD"),
            Self::Other => None,
        }
    }
}

/// Where the body of a message ends (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyLength {
    /// There is no body.
    None,
    /// This many bytes.
    Fixed(u64),
    /// Until the last chunk.
    Chunked,
    /// Until the peer closes the connection; responses only.
    UntilClose,
}
