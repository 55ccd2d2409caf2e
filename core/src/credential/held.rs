//! A secret that the operator gave the gate for one server, as the header that carries it.
//!
//! Must never be shown: wiped when it is dropped, and `Debug` is blind. Must never pass for a header that says how a
//! message is read or whose it is; those are the gate's to write.
//!
//! SPEC: RFC 9110 5.1, 5.5, 5.6.2; RFC 9110 7.6.1 and 7.6.2 (what is for one hop only).

use core::fmt;

use zeroize::Zeroizing;

use crate::limits;

/// Bytes of a header's name.
const NAME_BYTES_MAX: usize = 64;
/// A shorter secret may stand anywhere by chance, so answers are not searched for it, in bytes.
const SEARCHED_BYTES_MIN: usize = 16;

/// Headers that the gate writes, that say how a message is read, or that carry the caller's own credential.
const RESERVED: [&str; 17] = [
    "connection",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "last-event-id",
    "origin",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-ai-user-assertion",
];
/// Beginnings of the names of more such headers.
const RESERVED_PREFIXES: [&str; 6] = ["accept", "content-", "mcp-", "proxy-", "sec-", "x-forwarded-"];

/// Why a static credential is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticError {
    /// The header's name is no token, or the header is the gate's to write.
    Header,
    /// The scheme is no token, or the header is not `authorization`.
    Scheme,
    /// The secret is empty, too long, or cannot stand in a header.
    Secret,
}

impl fmt::Display for StaticError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "a credential cannot be sent in this header",
            Self::Scheme => "only `authorization` has a scheme, and a scheme is one word",
            Self::Secret => {
                "this secret cannot stand in a header: visible ASCII, at most 8192 bytes, no space at its ends"
            }
        })
    }
}

impl core::error::Error for StaticError {}

/// A header with a secret in it.
pub struct StaticCredential {
    header: String,
    value: Zeroizing<Vec<u8>>,
    /// Where the secret begins in `value`.
    secret: usize,
}

impl fmt::Debug for StaticCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticCredential")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl StaticCredential {
    /// `header: secret`, or `authorization: scheme secret`.
    ///
    /// # Errors
    /// [`StaticError`].
    pub fn new(header: &str, scheme: Option<&str>, secret: &[u8]) -> Result<Self, StaticError> {
        Self::check_name(header, scheme)?;
        let spaced = secret.trim_ascii().len() != secret.len();
        let visible = secret.iter().all(|byte| matches!(byte, b' '..=b'~'));
        if secret.is_empty() || secret.len() > limits::SECRET_BYTES_MAX || spaced || !visible {
            return Err(StaticError::Secret);
        }
        let scheme = scheme.map_or(&[][..], str::as_bytes);
        let space = usize::from(!scheme.is_empty());
        // Of its full size from the start: what grows leaves copies behind.
        let mut value = Zeroizing::new(Vec::with_capacity(scheme.len() + space + secret.len()));
        value.extend_from_slice(scheme);
        value.extend_from_slice(&b" "[..space]);
        value.extend_from_slice(secret);
        Ok(Self {
            header: header.to_ascii_lowercase(),
            value,
            secret: scheme.len() + space,
        })
    }

    /// Whether a secret may be sent in this header, after this scheme.
    ///
    /// # Errors
    /// [`StaticError::Header`], [`StaticError::Scheme`].
    pub fn check_name(header: &str, scheme: Option<&str>) -> Result<(), StaticError> {
        let name = header.to_ascii_lowercase();
        let reserved =
            RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(|start| name.starts_with(start));
        if name.len() > NAME_BYTES_MAX || !is_token(&name) || reserved {
            return Err(StaticError::Header);
        }
        match scheme {
            Some(scheme) if name != "authorization" || scheme.len() > NAME_BYTES_MAX || !is_token(scheme) => {
                Err(StaticError::Scheme)
            }
            _ => Ok(()),
        }
    }

    /// The header's name, in lower case.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The header's value.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Whether `text` holds the secret, where that cannot be chance.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let secret = &self.value[self.secret..];
        secret.len() >= SEARCHED_BYTES_MIN && memchr::memmem::find(text, secret).is_some()
    }
}

/// SPEC: RFC 9110 5.6.2.
fn is_token(text: &str) -> bool {
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(of_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_and_without_a_scheme() {
        let bearer = StaticCredential::new("Authorization", Some("Bearer"), b"s3cret").unwrap();
        assert_eq!(
            (bearer.header(), bearer.value()),
            ("authorization", &b"Bearer s3cret"[..])
        );
        let key = StaticCredential::new("X-API-Key", None, b"one two").unwrap();
        assert_eq!((key.header(), key.value()), ("x-api-key", &b"one two"[..]));
        assert_eq!(format!("{key:?}"), "StaticCredential { header: \"x-api-key\", .. }");
    }

    #[test]
    fn headers_that_say_how_or_whose_a_message_is_are_refused() {
        for header in [
            "",
            "a b",
            "x-key:",
            "Host",
            "content-length",
            "Content-Type",
            "transfer-encoding",
            "connection",
            "TE",
            "mcp-session-id",
            "Mcp-Anything",
            "accept",
            "accept-encoding",
            "x-ai-user-assertion",
            "proxy-authorization",
            "last-event-id",
            &"x".repeat(65),
        ] {
            assert_eq!(
                StaticCredential::check_name(header, None),
                Err(StaticError::Header),
                "{header}"
            );
        }
        for (header, scheme) in [("x-api-key", "Bearer"), ("authorization", ""), ("authorization", "a b")] {
            assert_eq!(
                StaticCredential::check_name(header, Some(scheme)),
                Err(StaticError::Scheme),
                "{scheme}"
            );
        }
    }

    #[test]
    fn secrets_that_could_end_a_header_are_refused() {
        let long = vec![b'x'; limits::SECRET_BYTES_MAX + 1];
        for secret in [
            &b""[..],
            b"a\r\nhost: b",
            b"a\n",
            b"a\0",
            b" a",
            b"a ",
            "\u{e4}".as_bytes(),
            b"a\tb",
            &long,
        ] {
            assert_eq!(
                StaticCredential::new("x-api-key", None, secret).unwrap_err(),
                StaticError::Secret
            );
        }
    }

    #[test]
    fn is_found_in_a_text_only_where_it_cannot_be_chance() {
        let long = StaticCredential::new("authorization", Some("Bearer"), b"0123456789abcdef").unwrap();
        assert!(long.is_in(b"{\"echo\":\"0123456789abcdef\"}"));
        assert!(!long.is_in(b"Bearer 0123456789abcde"));
        let short = StaticCredential::new("authorization", Some("Bearer"), b"0123456789abcde").unwrap();
        assert!(!short.is_in(b"0123456789abcde"));
    }
}
