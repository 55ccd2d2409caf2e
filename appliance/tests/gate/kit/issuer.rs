//! An issuer of test tokens.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{AUDIENCE, ISSUER};

/// An issuer of test tokens: Ed25519, its own JWKS.
pub(crate) struct Issuer {
    iss: String,
    kid: String,
    keys: Ed25519KeyPair,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        Self::named(ISSUER, "k1", 7)
    }

    /// The issuer `iss` with one key, of that `kid` and made from `seed`.
    pub(crate) fn named(iss: &str, kid: &str, seed: u8) -> Self {
        Self {
            iss: iss.to_owned(),
            kid: kid.to_owned(),
            keys: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
        }
    }

    pub(crate) fn jwks(&self) -> String {
        let (x, kid) = (BASE64.encode(self.keys.public_key()), &self.kid);
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"{kid}","x":"{x}"}}]}}"#)
    }

    pub(crate) fn sign(&self, claims: &serde_json::Value) -> String {
        let header = BASE64.encode(format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#, self.kid));
        let signed = format!("{header}.{}", BASE64.encode(claims.to_string()));
        let signature = BASE64.encode(self.keys.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The token of a registered agent.
    pub(crate) fn agent(&self, subject: &str) -> String {
        self.sign(&self.claims(subject, &serde_json::json!({"client_id": subject})))
    }

    /// A user's assertion, issued to `agent`.
    pub(crate) fn user(&self, subject: &str, agent: &str, groups: &[&str]) -> String {
        self.sign(&self.claims(subject, &serde_json::json!({"azp": agent, "groups": groups})))
    }

    /// The claims of a token for this gate, with `more`.
    pub(crate) fn claims(&self, subject: &str, more: &serde_json::Value) -> serde_json::Value {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let mut claims = serde_json::json!({
            "iss": self.iss, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600,
            "jti": format!("{subject}-{now}"),
        });
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        claims
    }
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> serde_json::Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64.decode(payload).unwrap()).unwrap()
}
