//! Compact JWS: every header that is accepted here, serde_json reads the same; every signature that verifies here,
//! jsonwebtoken verifies too.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::jose::Algorithm;
use crate::jose::jwk::PublicKey;
use crate::jose::jws::Compact;
use crate::jose::jws::Header;
use crate::json::Scratch;

/// The Ed25519 public key of RFC 8037 A.2, with which the corpus is signed.
const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// Reads `bytes` as a token.
pub fn jws(bytes: &[u8]) {
    let Ok(token) = Compact::split(bytes) else {
        return;
    };
    let Ok(header) = Header::read(&token, &mut Vec::new(), &mut Scratch::new()) else {
        return;
    };
    reads_the_same(&token, &header);
    if header.algorithm == Some(Algorithm::EdDsa) {
        verifies_the_same(bytes, &token);
    }
}

fn reads_the_same(token: &Compact<'_>, header: &Header) {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(token.header()).unwrap_or_default();
    let Ok(theirs) = serde_json::from_slice::<serde_json::Value>(&decoded) else {
        panic!("the oracle refuses the header");
    };
    let text = |name: &str| theirs.get(name).and_then(serde_json::Value::as_str);
    assert_eq!(
        (text("kid"), text("typ")),
        (header.kid.as_deref(), header.typ.as_deref())
    );
    assert_eq!(text("alg").and_then(Algorithm::from_name), header.algorithm);
}

fn verifies_the_same(bytes: &[u8], token: &Compact<'_>) {
    let (Ok(key), Ok(their_key)) = (
        crate::jose::base64url::decode_array(KEY.as_bytes()),
        jsonwebtoken::DecodingKey::from_ed_components(KEY),
    ) else {
        panic!("the key of RFC 8037 is a key");
    };
    if token.verify(&PublicKey::ed25519(key), Algorithm::EdDsa).is_ok() {
        let Some(dot) = memchr::memrchr(b'.', bytes) else {
            panic!("no signature")
        };
        let signature = String::from_utf8_lossy(&bytes[dot + 1..]);
        let verified =
            jsonwebtoken::crypto::verify(&signature, &bytes[..dot], &their_key, jsonwebtoken::Algorithm::EdDSA);
        assert_eq!(verified.ok(), Some(true));
    }
}
