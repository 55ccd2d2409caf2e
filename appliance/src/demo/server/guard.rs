//! Who the sample server lets in: holders of a token that the gate made for this server, and for the tool they call.
//!
//! This is all that a server behind the gate has to do. It trusts one issuer and one key set and knows nothing of the
//! callers' own credentials, because none of those ever arrives.
//!
//! SPEC: RFC 9068 4, RFC 6750 2.1.

use std::fmt;

use portreeve_core::jose::base64url;
use portreeve_core::jose::jwks::KeySet;
use portreeve_core::jose::jws::Compact;
use portreeve_core::jose::jws::Header;
use portreeve_core::json;
use portreeve_core::time::UnixTime;

/// What the server trusts.
#[derive(Debug)]
pub struct Guard {
    /// The exact `iss`.
    pub issuer: String,
    /// The exact `aud`.
    pub audience: String,
    /// The gate's public keys.
    pub keys: KeySet,
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardError {
    /// No bearer token, or not a compact JWS with a JSON object in it.
    NotAToken,
    /// No key of the gate made it.
    Signature,
    /// Another type, issuer or audience.
    NotForUs,
    /// Its time is over.
    Expired,
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAToken => "no access token",
            Self::Signature => "not signed by the gate",
            Self::NotForUs => "made for another server",
            Self::Expired => "expired",
        })
    }
}

impl std::error::Error for GuardError {}

/// A token that holds.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its claims, as JSON.
    pub claims: String,
    scopes: Vec<String>,
}

impl Grant {
    /// Whether the token is good for calling `tool`.
    #[must_use]
    pub fn covers(&self, tool: &str) -> bool {
        self.scopes
            .iter()
            .any(|scope| scope.strip_prefix("mcp:tool:") == Some(tool))
    }
}

impl Guard {
    /// Verifies the value of an `Authorization` field at the time `now`.
    pub fn check(&self, authorization: Option<&[u8]>, now: UnixTime) -> Result<Grant, GuardError> {
        let token = authorization
            .and_then(|value| value.strip_prefix(b"Bearer "))
            .ok_or(GuardError::NotAToken)?;
        let token = Compact::split(token).map_err(|_| GuardError::NotAToken)?;
        let mut scratch = json::Scratch::new();
        let header = Header::read(&token, &mut Vec::new(), &mut scratch).map_err(|_| GuardError::NotAToken)?;
        if header.typ.as_deref() != Some("at+jwt") {
            return Err(GuardError::NotForUs);
        }
        let key = header
            .kid
            .as_deref()
            .and_then(|kid| self.keys.get(kid))
            .ok_or(GuardError::Signature)?;
        let algorithm = header
            .algorithm
            .filter(|named| key.public().fits(*named))
            .ok_or(GuardError::Signature)?;
        token
            .verify(key.public(), algorithm)
            .map_err(|_| GuardError::Signature)?;
        let payload = base64url::decode(token.payload()).map_err(|_| GuardError::NotAToken)?;
        self.read_claims(&payload, &mut scratch, now)
    }

    fn read_claims(&self, payload: &[u8], scratch: &mut json::Scratch, now: UnixTime) -> Result<Grant, GuardError> {
        let document = json::parse(payload, scratch, &json::Limits::TOKEN).map_err(|_| GuardError::NotAToken)?;
        let claims = document.root();
        let text = |name: &str| claims.get(name).and_then(json::Value::as_str);
        if text("iss") != Some(&self.issuer) || text("aud") != Some(&self.audience) {
            return Err(GuardError::NotForUs);
        }
        let expires = claims.get("exp").and_then(json::Value::as_u64);
        if expires.is_none_or(|expires| expires <= now.secs()) {
            return Err(GuardError::Expired);
        }
        let scopes = text("scope")
            .unwrap_or_default()
            .split(' ')
            .map(str::to_owned)
            .collect();
        Ok(Grant {
            claims: String::from_utf8_lossy(payload).into_owned(),
            scopes,
        })
    }
}
