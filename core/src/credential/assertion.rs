//! How the gate says who it is to an authorization server: a JWT that its own key signs (`private_key_jwt`).
//!
//! SPEC: RFC 7523 2.2, 3, with the sole audience of its successor: the issuer, never an endpoint.

use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::key::{KeyError, SigningKey};
use crate::json::write::ObjectWriter;
use crate::time::UnixTime;

/// How long an assertion can be used; it is sent at once.
const LIFETIME: Duration = Duration::from_secs(60);

/// An assertion of `client` for the authorization server with the exact issuer `audience`. `entropy` makes it unique.
///
/// # Errors
/// The key cannot sign.
pub fn client_assertion(
    key: &SigningKey,
    client: &str,
    audience: &str,
    now: UnixTime,
    entropy: [u8; 16],
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut claims = Vec::with_capacity(256);
    let mut object = ObjectWriter::new(&mut claims);
    object
        .string("iss", client)
        .string("sub", client)
        .string("aud", audience);
    object.string("jti", &URL_SAFE_NO_PAD.encode(entropy));
    object
        .number_u64("iat", now.secs())
        .number_u64("exp", now.saturating_add(LIFETIME).secs());
    object.finish();
    let mut assertion = Zeroizing::new(Vec::with_capacity(768));
    key.sign("JWT", &claims, &mut assertion)?;
    Ok(assertion)
}
