//! Compact JWS (RFC 7515 7.1): three segments, one strict header, and nothing that a header could bring along.
//!
//! Must never look at a payload, choose a key, or accept JSON serialisations and JWE: those are not three segments of
//! the base64url alphabet.

use core::fmt;

use super::Algorithm;
use super::base64url;
use super::jwk::BadSignature;
use super::jwk::PublicKey;
use crate::json;
use crate::json::Scratch;
use crate::json::Value;
use crate::limits::JOSE_HEADER_BYTES_MAX;
use crate::limits::KID_BYTES_MAX;
use crate::limits::SIGNATURE_BYTES_MAX;
use crate::limits::TOKEN_BYTES_MAX;

/// A token cut at its two dots; every segment is base64url text.
#[derive(Clone, Copy)]
pub struct Compact<'t> {
    token: &'t [u8],
    first_dot: usize,
    second_dot: usize,
}

/// The members of a JOSE header that decide anything, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The algorithm; `None` if it is not one that any issuer may use.
    pub algorithm: Option<Algorithm>,
    /// The key that the issuer signed with.
    pub kid: Option<String>,
    /// The token's type, as it was written.
    pub typ: Option<String>,
}

/// Why bytes are not a compact JWS with an acceptable header. One variant per deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsError {
    /// Longer than [`TOKEN_BYTES_MAX`].
    TooLong,
    /// A byte outside of the base64url alphabet and the dot.
    Charset,
    /// Not exactly two dots, or nothing before the first or after the second.
    Segments,
    /// The header is not canonical base64url, is too long, or is not one strict JSON object.
    HeaderEncoding,
    /// `alg` is absent, or `alg`, `kid` or `typ` is not a string, or `kid` is too long.
    HeaderShape,
    /// A header member that would change how or with what the token is read.
    HeaderForbidden,
}

/// SPEC: RFC 7515 4.1.2 to 4.1.6, 4.1.10 and 4.1.11, RFC 7797, RFC 7516 4.1.3: extensions, keys brought along, nested
/// tokens, compression. None is supported, and RFC 7515 4.1.11 makes it a MUST to refuse extensions not understood.
const FORBIDDEN: [&str; 8] = ["crit", "b64", "zip", "jku", "x5u", "x5c", "jwk", "cty"];

impl<'t> Compact<'t> {
    /// Cuts `token`.
    ///
    /// # Errors
    ///
    /// [`JwsError::TooLong`], [`JwsError::Charset`] or [`JwsError::Segments`].
    pub fn split(token: &'t [u8]) -> Result<Self, JwsError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(JwsError::TooLong);
        }
        if !token.iter().all(|&byte| byte == b'.' || base64url::is_alphabet(byte)) {
            return Err(JwsError::Charset);
        }
        let mut dots = memchr::memchr_iter(b'.', token);
        let (Some(first_dot), Some(second_dot), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(JwsError::Segments);
        };
        if first_dot == 0 || second_dot + 1 == token.len() {
            return Err(JwsError::Segments);
        }
        Ok(Self {
            token,
            first_dot,
            second_dot,
        })
    }

    /// The header segment, encoded.
    #[must_use]
    pub fn header(&self) -> &'t [u8] {
        &self.token[..self.first_dot]
    }

    /// The payload segment, encoded; may be empty.
    #[must_use]
    pub fn payload(&self) -> &'t [u8] {
        &self.token[self.first_dot + 1..self.second_dot]
    }

    /// Checks the signature over the bytes as they came.
    ///
    /// # Errors
    ///
    /// [`BadSignature`], also when the signature segment is not canonical base64url.
    pub fn verify(&self, key: &PublicKey, algorithm: Algorithm) -> Result<(), BadSignature> {
        let signature = &self.token[self.second_dot + 1..];
        if signature.len() > SIGNATURE_BYTES_MAX.div_ceil(3) * 4 {
            return Err(BadSignature);
        }
        let signature = base64url::decode(signature).map_err(|_| BadSignature)?;
        key.verify(algorithm, &self.token[..self.second_dot], &signature)
    }
}

impl Header {
    /// Decodes and reads the header segment of `token`; `decoded` is working memory.
    ///
    /// # Errors
    ///
    /// [`JwsError::HeaderEncoding`], [`JwsError::HeaderShape`] or [`JwsError::HeaderForbidden`].
    pub fn read(token: &Compact<'_>, decoded: &mut Vec<u8>, scratch: &mut Scratch) -> Result<Self, JwsError> {
        const LIMITS: json::Limits = json::Limits {
            bytes: JOSE_HEADER_BYTES_MAX,
            ..json::Limits::TOKEN
        };
        if token.header().len() > JOSE_HEADER_BYTES_MAX.div_ceil(3) * 4 {
            return Err(JwsError::HeaderEncoding);
        }
        base64url::decode_into(token.header(), decoded).map_err(|_| JwsError::HeaderEncoding)?;
        let document = json::parse(decoded, scratch, &LIMITS).map_err(|_| JwsError::HeaderEncoding)?;
        let members = document.root().as_object().ok_or(JwsError::HeaderEncoding)?;
        if FORBIDDEN.iter().any(|name| members.get(name).is_some()) {
            return Err(JwsError::HeaderForbidden);
        }
        let text = |name: &str| match members.get(name).map(Value::as_str) {
            None => Ok(None),
            Some(Some(text)) => Ok(Some(text)),
            Some(None) => Err(JwsError::HeaderShape),
        };
        let kid = text("kid")?;
        if kid.is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
            return Err(JwsError::HeaderShape);
        }
        Ok(Self {
            algorithm: Algorithm::from_name(text("alg")?.ok_or(JwsError::HeaderShape)?),
            kid: kid.map(str::to_owned),
            typ: text("typ")?.map(str::to_owned),
        })
    }
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the token is too long",
            Self::Charset => "the token has a byte that is neither base64url nor a dot",
            Self::Segments => "the token does not have three segments",
            Self::HeaderEncoding => "the token's header is not canonical base64url of one JSON object",
            Self::HeaderShape => "alg, kid or typ of the token's header is missing, not a string or too long",
            Self::HeaderForbidden => "the token's header has a member that is not accepted",
        })
    }
}

impl core::error::Error for JwsError {}
