//! DPoP proofs: whatever is accepted, serde_json reads the same, every claim of it holds, and jsonwebtoken verifies the
//! signature with the key that the proof brought along.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::identity::Nonces;
use crate::identity::Presented;
use crate::identity::Terms;
use crate::identity::Trust;
use crate::identity::prove_alone;
use crate::jose::jws::Compact;
use crate::jose::proof::ProofHeader;
use crate::json::Scratch;
use crate::limits::PROOF_TOLERANCE;
use crate::time::UnixTime;

/// What the corpus was made for.
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const TOKEN: &str = "e30.e30.e30";
const ASSERTION: &str = "e30.e30.AAAA";
const ORIGIN: &str = "https://gate.example";
const PATH: &str = "/ledger/mcp";

/// Reads `bytes` as the proof of a POST to the ledger by whoever signed it.
pub fn proof(bytes: &[u8]) {
    let nonces = Nonces::new([7; 32], NOW);
    if let Some(compact) = accepted(bytes, &nonces) {
        holds(&compact, &nonces);
        verifies_the_same(bytes, &compact);
    }
}

/// Whether `bytes` are a good proof.
#[cfg(test)]
pub(super) fn is_good(bytes: &[u8]) -> bool {
    accepted(bytes, &Nonces::new([7; 32], NOW)).is_some()
}

/// The proof, if it is one.
fn accepted<'t>(bytes: &'t [u8], nonces: &Nonces) -> Option<Compact<'t>> {
    let compact = Compact::split(bytes).ok()?;
    let header = ProofHeader::read(&compact, &mut Vec::new(), &mut Scratch::new()).ok()?;
    let trust = Trust::default();
    let terms = Terms {
        trust: &trust,
        nonces,
        require_nonce: false,
        method: "POST",
        origin: ORIGIN,
        path: PATH,
        certificate: None,
    };
    let authorization = format!("DPoP {TOKEN}");
    let user = Some(ASSERTION.as_bytes());
    let presented = Presented::with_proof(Some(authorization.as_bytes()), user, Some(bytes)).ok()?;
    let proved = prove_alone(&presented, &header.key.thumbprint(), &terms, NOW);
    proved.ok().map(|_| compact)
}

fn decoded(segment: &[u8]) -> Value {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(segment).unwrap_or_default();
    let Ok(value) = serde_json::from_slice(&bytes) else {
        panic!("the oracle refuses a segment");
    };
    value
}

fn digest(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()))
}

fn holds(compact: &Compact<'_>, nonces: &Nonces) {
    let (header, claims) = (decoded(compact.header()), decoded(compact.payload()));
    assert_eq!(header["typ"], "dpop+jwt");
    assert!(header["jwk"]["d"].is_null() && header["jwk"]["k"].is_null());
    assert_eq!(claims["htm"], "POST");
    assert_eq!(claims["ath"], digest(TOKEN));
    let uri = claims["htu"].as_str().unwrap_or_default().to_ascii_lowercase();
    assert!(uri.starts_with(ORIGIN) && !uri.contains(['?', '#', '@']), "{uri}");
    assert!(claims["jti"].as_str().is_some_and(|jti| !jti.is_empty()));
    let issued = claims["iat"].as_u64().unwrap_or_default();
    assert!(issued.abs_diff(NOW.secs()) <= PROOF_TOLERANCE.as_secs());
    match claims.get("nonce") {
        None => assert!(issued >= NOW.secs()),
        Some(nonce) => assert!(*nonce == nonces.current(NOW) || *nonce == nonces.current(before())),
    }
    for (name, value) in claims.get("oth").and_then(Value::as_object).into_iter().flatten() {
        assert_eq!(
            (name.as_str(), value),
            ("x-ai-user-assertion", &digest(ASSERTION).into())
        );
    }
}

fn before() -> UnixTime {
    NOW.saturating_sub(crate::limits::PROOF_NONCE_PERIOD)
}

fn verifies_the_same(bytes: &[u8], compact: &Compact<'_>) {
    let jwk = decoded(compact.header())["jwk"].clone();
    let text = |name: &str| jwk[name].as_str().unwrap_or_default();
    let (key, algorithm) = match text("kty") {
        "OKP" => (
            jsonwebtoken::DecodingKey::from_ed_components(text("x")),
            jsonwebtoken::Algorithm::EdDSA,
        ),
        "EC" if text("crv") == "P-256" => (
            jsonwebtoken::DecodingKey::from_ec_components(text("x"), text("y")),
            jsonwebtoken::Algorithm::ES256,
        ),
        // The corpus signs with these two; a fuzzer does not find a signature of another.
        _ => return,
    };
    let (Ok(key), Some(dot)) = (key, memchr::memrchr(b'.', bytes)) else {
        panic!("the oracle refuses the key");
    };
    let signature = String::from_utf8_lossy(&bytes[dot + 1..]);
    let verified = jsonwebtoken::crypto::verify(&signature, &bytes[..dot], &key, algorithm);
    assert_eq!(verified.ok(), Some(true));
}
