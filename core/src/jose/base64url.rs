//! Strict base64url without padding (RFC 4648 5, RFC 7515 2): one text for one sequence of bytes.
//!
//! Must never accept a second spelling of the same bytes: no padding, no standard alphabet, no white space, no
//! non-zero trailing bits. A cache or a replay store may therefore be keyed by the text.

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text is not the one base64url form of any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base64Error;

/// Decodes `text` into `out`, which is cleared first and keeps its capacity.
///
/// # Errors
///
/// [`Base64Error`]; `out` is then empty.
pub fn decode_into(text: &[u8], out: &mut Vec<u8>) -> Result<(), Base64Error> {
    out.clear();
    URL_SAFE_NO_PAD.decode_vec(text, out).map_err(|_| {
        out.clear();
        Base64Error
    })
}

/// Decodes `text` into bytes of its own.
///
/// # Errors
///
/// [`Base64Error`] if `text` is not canonical.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Base64Error)
}

/// Decodes `text` into exactly `N` bytes.
///
/// # Errors
///
/// [`Base64Error`] if `text` is not canonical or decodes to another length.
pub fn decode_array<const N: usize>(text: &[u8]) -> Result<[u8; N], Base64Error> {
    decode(text)?.try_into().map_err(|_| Base64Error)
}

/// The base64url text of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether `byte` belongs to the base64url alphabet.
#[must_use]
pub(crate) const fn is_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

impl fmt::Display for Base64Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not canonical base64url without padding")
    }
}

impl core::error::Error for Base64Error {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_every_other_spelling() {
        assert_eq!(decode(b"_-8").as_deref(), Ok(&[0xff, 0xef][..]));
        let padding = "_-8=";
        let standard_alphabet = "/+8";
        let trailing_bits = "_-9";
        let one_symbol_too_many = "_-8AA";
        for text in [padding, standard_alphabet, trailing_bits, one_symbol_too_many] {
            assert_eq!(decode(text.as_bytes()), Err(Base64Error), "{text}");
        }
        for space in [" _-8", "_-8 ", "_\n-8", "_-8\t", "_-8\0", "_-\u{ff0e}8"] {
            assert_eq!(decode(space.as_bytes()), Err(Base64Error), "{space:?}");
        }
    }

    #[test]
    fn leaves_nothing_behind_when_it_refuses() {
        let mut out = b"secret".to_vec();
        assert_eq!(decode_into(b"QUJD!", &mut out), Err(Base64Error));
        assert_eq!(out, b"");
    }

    #[test]
    fn an_array_has_its_exact_length() {
        assert_eq!(decode_array::<3>(b"QUJD"), Ok(*b"ABC"));
        assert_eq!(decode_array::<2>(b"QUJD"), Err(Base64Error));
        assert_eq!(decode_array::<4>(b"QUJD"), Err(Base64Error));
    }

    proptest! {
        #[test]
        fn what_is_accepted_encodes_back_to_the_same_text(text in "[A-Za-z0-9_=+/ -]{0,24}") {
            if let Ok(bytes) = decode(text.as_bytes()) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }

        #[test]
        fn every_sequence_of_bytes_survives(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let text = encode(&bytes);
            prop_assert!(text.bytes().all(is_alphabet));
            prop_assert_eq!(decode(text.as_bytes()), Ok(bytes));
        }
    }
}
