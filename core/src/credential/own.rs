//! Recognises a token that this gate minted. Says which one it is, and for which server; proves nothing about a caller.
//!
//! Must never be used to let anybody in: a minted token is for the server it names.

use super::bound::Credentials;
use super::documents;
use crate::jose::Algorithm;
use crate::jose::base64url;
use crate::jose::jwks::KeySet;
use crate::jose::jws::Compact;
use crate::jose::jws::Header;
use crate::json;
use crate::json::Scratch;
use crate::json::Value;
use crate::time::UnixTime;

/// A token of this gate that has not ended yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minted {
    /// Its `jti`.
    pub id: String,
    /// The name of the server it was made for.
    pub server: String,
}

/// What `token` is, if it is signed with a key of `credentials`, whose name is `issuer`, and has not ended at `now`.
#[must_use]
pub fn recognise(
    token: &[u8],
    credentials: &Credentials,
    issuer: &str,
    scratch: &mut Scratch,
    now: UnixTime,
) -> Option<Minted> {
    const ALGORITHMS: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Es256];
    let mut decoded = Vec::new();
    let compact = Compact::split(token).ok()?;
    let header = Header::read(&compact, &mut decoded, scratch).ok()?;
    if header.typ.as_deref() != Some("at+jwt") {
        return None;
    }
    let kid = header.kid.as_deref()?;
    let (server, key) = credentials.key(kid)?;
    let keys = KeySet::parse(&documents::jwks([key])).ok()?;
    let key = keys.get(kid)?;
    let algorithm = key
        .algorithm(&ALGORITHMS)
        .filter(|algorithm| header.algorithm == Some(*algorithm))?;
    compact.verify(key.public(), algorithm).ok()?;

    base64url::decode_into(compact.payload(), &mut decoded).ok()?;
    let document = json::parse(&decoded, scratch, &json::Limits::TOKEN).ok()?;
    let claims = document.root().as_object()?;
    let text = |name| claims.get(name).and_then(Value::as_str);
    let expires = UnixTime::from_secs(claims.get("exp").and_then(Value::as_u64)?);
    let ours = text("iss") == Some(issuer) && now < expires;
    ours.then_some(Minted {
        id: text("jti")?.to_owned(),
        server: server.to_owned(),
    })
}
