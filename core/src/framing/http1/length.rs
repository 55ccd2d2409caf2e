//! Where a message ends and whether the connection outlives it: `Content-Length`, `Transfer-Encoding`, `Connection`.
//!
//! One reading only: anything that a second reader could take for another length is refused, also where RFC 9112
//! would let a recipient repair it.

use super::BodyLength;
use super::Known;
use super::headers::Headers;
use crate::framing::FrameError;

/// The body length that the fields of a message declare; `None` when they declare nothing.
pub(super) fn declared(head: &[u8], headers: &Headers) -> Result<Option<BodyLength>, FrameError> {
    let length = headers.known(head, Known::ContentLength);
    let coding = headers.known(head, Known::TransferEncoding);
    match (length, coding) {
        (None, None) => Ok(None),
        // SPEC: RFC 9112 6.1. Both together is how requests are smuggled.
        (Some(_), Some(_)) => Err(FrameError::LengthConflict),
        (Some(value), None) if headers.is_plain(head, Known::ContentLength) => {
            Ok(Some(BodyLength::Fixed(decimal(value)?)))
        }
        (Some(_), None) => Err(FrameError::ContentLength),
        (None, Some(value)) => {
            // SPEC: RFC 9112 6.1. An unknown coding is answered with 501.
            if value.eq_ignore_ascii_case(b"chunked") && headers.is_plain(head, Known::TransferEncoding) {
                Ok(Some(BodyLength::Chunked))
            } else {
                Err(FrameError::TransferCoding)
            }
        }
    }
}

/// What the options of `Connection` say (RFC 9110 7.6.1).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    /// The sender closes after this message.
    pub(super) close: bool,
    /// The sender asks to change protocols.
    pub(super) upgrade: bool,
    /// Some other header is named as hop-by-hop.
    pub(super) other: bool,
}

impl Options {
    /// Reads every `Connection` field of a message.
    pub(super) fn read(head: &[u8], headers: &Headers) -> Self {
        let mut options = Self::default();
        for field in headers.all(head, Known::Connection) {
            for option in field.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                if option.eq_ignore_ascii_case(b"close") {
                    options.close = true;
                } else if option.eq_ignore_ascii_case(b"upgrade") {
                    options.upgrade = true;
                } else if !(option.is_empty()
                    || option.eq_ignore_ascii_case(b"keep-alive")
                    || option.eq_ignore_ascii_case(b"te"))
                {
                    options.other = true;
                }
            }
        }
        options
    }
}

/// A length in decimal digits, without sign, list or leading zero.
fn decimal(digits: &[u8]) -> Result<u64, FrameError> {
    let canonical = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.iter().all(u8::is_ascii_digit);
    if !canonical {
        return Err(FrameError::ContentLength);
    }
    digits
        .iter()
        .try_fold(0_u64, |length, digit| {
            length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or(FrameError::ContentLength)
}
