//! Writes heads and chunks that the parsers of this module accept.
//!
//! A head either comes out whole or not at all: a name or value that could end a line early is refused and what was
//! written of the head is taken back. Specification: RFC 9112 2 to 7.

use super::FrameError;
use super::http1::BodyLength;
use super::http1::Method;
use super::http1::Target;
use super::http1::is_token_byte;

/// Writes one head; ends with [`HeadWriter::finish`].
#[must_use = "a head without its empty line swallows what follows"]
#[derive(Debug)]
pub struct HeadWriter<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
}

/// Starts a request head for an origin-form `target`.
///
/// # Errors
/// [`FrameError::UnwritableStartLine`] for [`Method::Other`] or a target that a server would refuse.
pub fn request_head<'o>(out: &'o mut Vec<u8>, method: Method, target: &str) -> Result<HeadWriter<'o>, FrameError> {
    let name = method.name().ok_or(FrameError::UnwritableStartLine)?;
    Target::check(target.as_bytes(), 0).map_err(|_| FrameError::UnwritableStartLine)?;
    let start = out.len();
    for part in [name, " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    Ok(HeadWriter { out, start })
}

/// Starts a response head with the standard reason phrase.
///
/// # Errors
/// [`FrameError::UnwritableStartLine`] for a status that is not three digits from 100 to 599.
pub fn response_head(out: &mut Vec<u8>, status: u16) -> Result<HeadWriter<'_>, FrameError> {
    if !(100..=599).contains(&status) {
        return Err(FrameError::UnwritableStartLine);
    }
    let start = out.len();
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
    Ok(HeadWriter { out, start })
}

impl HeadWriter<'_> {
    /// Adds one field.
    ///
    /// # Errors
    /// [`FrameError::UnwritableName`] or [`FrameError::UnwritableValue`]; nothing of the head remains then.
    pub fn header(self, name: &str, value: &[u8]) -> Result<Self, FrameError> {
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(self.take_back(FrameError::UnwritableName));
        }
        // SPEC: RFC 9110 5.5. CR, LF and NUL are how one header becomes two.
        if value.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
            return Err(self.take_back(FrameError::UnwritableValue));
        }
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            self.out.extend_from_slice(part);
        }
        Ok(self)
    }

    /// Adds the field that declares the body: `content-length`, `transfer-encoding`, or nothing.
    pub fn body(self, length: BodyLength) -> Self {
        match length {
            BodyLength::Fixed(bytes) => {
                self.out.extend_from_slice(b"content-length: ");
                decimal(self.out, bytes);
                self.out.extend_from_slice(b"\r\n");
            }
            BodyLength::Chunked => self.out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            BodyLength::None | BodyLength::UntilClose => {}
        }
        self
    }

    /// Ends the head.
    pub fn finish(self) {
        self.out.extend_from_slice(b"\r\n");
    }

    fn take_back(self, fault: FrameError) -> FrameError {
        self.out.truncate(self.start);
        fault
    }
}

/// Writes `data` as one chunk; nothing when it is empty, because an empty chunk would end the body.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    let digits = (usize::BITS - data.len().leading_zeros()).div_ceil(4);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[data.len() >> (digit * 4) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Ends a chunked body.
pub fn last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

/// Appends `number` in decimal digits.
pub(super) fn decimal(out: &mut Vec<u8>, number: u64) {
    if number >= 10 {
        decimal(out, number / 10);
    }
    out.push(b"0123456789"[(number % 10) as usize]);
}

/// The reason phrase of the statuses that the gate answers with; empty for others, as RFC 9112 4 allows.
const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
