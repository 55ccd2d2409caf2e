//! Response heads of servers, framed as strictly as requests.
//!
//! A server that leaves the grammar is answered for with 502; nothing of its message is passed on.

use core::mem::MaybeUninit;

use super::BodyLength;
use super::HeadLimits;
use super::HeaderIter;
use super::Known;
use super::Progress;
use super::headers::Headers;
use super::length;
use super::length::Options;
use super::request::explain;
use crate::framing::FrameError;
use crate::limits::HEADERS_MAX;

/// A response head that keeps every rule of this module. Holds offsets; read it through [`ResponseHead::view`].
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead {
    /// The status, 100 to 599. 1xx is interim: the real response follows on the same connection.
    pub status: u16,
    /// Where the body ends.
    pub body: BodyLength,
    /// Whether the connection may carry another request after this response.
    pub keep_alive: bool,
    headers: Headers,
}

/// A response head together with its bytes.
#[derive(Clone, Copy, Debug)]
pub struct ResponseView<'b> {
    head: &'b ResponseHead,
    bytes: &'b [u8],
}

/// Parses one response head from the front of `buf`, which may end anywhere.
///
/// `request_was_head` says that the request's method was `HEAD`, so that no body follows whatever the fields declare.
///
/// # Errors
/// The first deviation found. The connection must then be closed.
pub fn parse_response(
    buf: &[u8],
    limits: &HeadLimits,
    request_was_head: bool,
) -> Result<Progress<ResponseHead>, FrameError> {
    if matches!(buf.first(), Some(b'\r' | b'\n')) {
        return Err(FrameError::LeadingLineBreak);
    }
    let window = limits.window(buf);
    let mut slots = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let slots = &mut slots[..limits.header_slots()];
    let consumed = match config.parse_response_with_uninit_headers(&mut parsed, window, slots) {
        Ok(httparse::Status::Complete(consumed)) => consumed,
        Ok(httparse::Status::Partial) if !limits.exhausted_by(window) => return Ok(Progress::Partial),
        Ok(httparse::Status::Partial) => return Err(FrameError::HeadTooLarge),
        Err(error) => return Err(explain(error, window)),
    };
    let head = &window[..consumed];
    // INVARIANT: `Complete` means that httparse found both.
    let (Some(status), Some(version)) = (parsed.code, parsed.version) else {
        return Err(FrameError::Status);
    };
    // SPEC: RFC 9110 15. 101 answers an upgrade, which is never asked for.
    if !(100..=599).contains(&status) || status == 101 {
        return Err(FrameError::Status);
    }
    let headers = Headers::collect(head, parsed.headers)?;
    let body = body_length(head, &headers, status, request_was_head)?;
    if matches!(body, BodyLength::Fixed(bytes) if bytes > limits.body_bytes) {
        return Err(FrameError::BodyTooLarge);
    }
    // SPEC: RFC 9112 6.1. Chunks in HTTP/1.0 are faulty framing.
    if version == 0 && body == BodyLength::Chunked {
        return Err(FrameError::TransferCoding);
    }
    let keep_alive = version == 1 && body != BodyLength::UntilClose && !Options::read(head, &headers).close;
    Ok(Progress::Complete {
        head: ResponseHead {
            status,
            body,
            keep_alive,
            headers,
        },
        consumed,
    })
}

/// The rules of RFC 9112 6.3, in their order.
fn body_length(head: &[u8], headers: &Headers, status: u16, to_head: bool) -> Result<BodyLength, FrameError> {
    let declared = length::declared(head, headers)?;
    match declared {
        _ if to_head || status == 304 => Ok(BodyLength::None),
        // SPEC: RFC 9110 8.6, RFC 9112 6.1. These statuses MUST NOT declare a length; one that does would desynchronise
        // the connection if its body came after all.
        Some(BodyLength::Chunked | BodyLength::Fixed(1..)) if status < 200 || status == 204 => {
            Err(FrameError::UnexpectedBody)
        }
        _ if status < 200 || status == 204 => Ok(BodyLength::None),
        Some(BodyLength::Fixed(0)) => Ok(BodyLength::None),
        Some(length) => Ok(length),
        None => Ok(BodyLength::UntilClose),
    }
}

impl ResponseHead {
    /// Whether this is a 1xx response, after which the real one follows.
    #[must_use]
    pub const fn is_interim(&self) -> bool {
        self.status < 200
    }

    /// The head with the bytes it was parsed from: the same buffer, which may have grown since.
    #[must_use]
    pub const fn view<'b>(&'b self, buf: &'b [u8]) -> ResponseView<'b> {
        ResponseView { head: self, bytes: buf }
    }
}

impl<'b> ResponseView<'b> {
    /// The value of a known header; the first one for those that may be repeated.
    #[must_use]
    pub fn known(&self, known: Known) -> Option<&'b [u8]> {
        self.head.headers.known(self.bytes, known)
    }

    /// The first value of the header named `name`, in any case. Walks all fields.
    #[must_use]
    pub fn header_str(&self, name: &str) -> Option<&'b [u8]> {
        self.headers()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Every field in order, names in the case in which they were sent.
    #[must_use]
    pub fn headers(&self) -> HeaderIter<'b> {
        self.head.headers.iter(self.bytes)
    }
}
