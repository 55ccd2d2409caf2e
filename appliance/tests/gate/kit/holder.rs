//! An agent that holds a key, and makes proofs with it.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::AUDIENCE;

/// A key and what it is called in a proof.
pub(crate) struct Holder {
    pair: Pair,
    pub(crate) jwk: Value,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Es256(Box<EcdsaKeyPair>),
}

impl Holder {
    pub(crate) fn ed25519(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let jwk = json!({"crv": "Ed25519", "kty": "OKP", "x": BASE64.encode(pair.public_key())});
        let pair = Pair::Ed25519(pair);
        Self { pair, jwk }
    }

    pub(crate) fn es256() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let jwk = json!({"crv": "P-256", "kty": "EC", "x": BASE64.encode(x), "y": BASE64.encode(y)});
        let pair = Pair::Es256(Box::new(pair));
        Self { pair, jwk }
    }

    /// The thumbprint by which a token is bound to this key (RFC 7638 3): the members stand in order.
    pub(crate) fn jkt(&self) -> String {
        sha256(&self.jwk.to_string())
    }

    /// A proof with this header and these claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!(
            "{}.{}",
            BASE64.encode(header.to_string()),
            BASE64.encode(claims.to_string())
        );
        let signature = match &self.pair {
            Pair::Ed25519(pair) => BASE64.encode(pair.sign(signed.as_bytes())),
            Pair::Es256(pair) => BASE64.encode(pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap()),
        };
        format!("{signed}.{signature}")
    }

    pub(crate) fn header(&self) -> Value {
        let algorithm = match self.pair {
            Pair::Ed25519(_) => "EdDSA",
            Pair::Es256(_) => "ES256",
        };
        json!({"typ": "dpop+jwt", "alg": algorithm, "jwk": self.jwk})
    }

    /// The claims of a good proof for a POST to `town` with `token`.
    pub(crate) fn claims(token: &str, nonce: Option<&str>) -> Value {
        let mut id = [0; 16];
        ring::rand::SecureRandom::fill(&SystemRandom::new(), &mut id).unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let mut claims = json!({
            "jti": BASE64.encode(id), "htm": "POST", "htu": format!("{AUDIENCE}/town/mcp"), "iat": now.as_secs(),
            "ath": sha256(token),
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        claims
    }

    /// A good proof.
    pub(crate) fn proof(&self, token: &str, nonce: Option<&str>) -> String {
        self.sign(&self.header(), &Self::claims(token, nonce))
    }
}

pub(crate) fn sha256(text: &str) -> String {
    BASE64.encode(digest(&SHA256, text.as_bytes()))
}
