//! The keys of a run: good ones, and those that a gate must not use although they are published.
//!
//! Elliptic keys are made anew each time. `ring` cannot make RSA keys, so that one is fixed and worth nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature;
use ring::signature::EcdsaKeyPair;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair;
use ring::signature::RsaKeyPair;
use serde_json::Value;
use serde_json::json;

/// Keys of the set that have to be dropped; see [`Keys::jwks`].
pub(crate) const UNUSABLE: usize = 16;

/// A modulus of 1024 bits, from a key that was thrown away.
const WEAK_MODULUS: &str = "06FdePfcglR07-bSMVTVVRkNEunvPwPd0FodE4vcvWM7FLBGnlkos5TgeH9EeCmb24JzBD_mxSDliwgCjtJA1ZJp2MgLLTOXVURMvlUREETSbgJfcjHO6mxLjszTPsHoodvhB5YdLRjhbfV8p49i4rMLnBGA0TRHaf-Khxb50qk";

pub(crate) struct Keys {
    random: SystemRandom,
    pub(crate) es256: EcdsaKeyPair,
    pub(crate) es256_second: EcdsaKeyPair,
    pub(crate) es384: EcdsaKeyPair,
    pub(crate) ed25519: Ed25519KeyPair,
    pub(crate) rsa: RsaKeyPair,
    /// Published, but never to be used for signatures.
    pub(crate) unusable: EcdsaKeyPair,
    /// Not published at all.
    pub(crate) foreign: EcdsaKeyPair,
}

/// With what a token is signed.
#[derive(Clone, Copy)]
pub(crate) enum Signer<'k> {
    Ecdsa(&'k EcdsaKeyPair),
    Ed25519(&'k Ed25519KeyPair),
    Rs256(&'k RsaKeyPair),
    Ps256(&'k RsaKeyPair),
    Hmac(ring::hmac::Algorithm, &'k [u8]),
}

impl Keys {
    pub(crate) fn generate() -> Self {
        let random = SystemRandom::new();
        let p256 = || ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        Self {
            es256: p256(),
            es256_second: p256(),
            unusable: p256(),
            foreign: p256(),
            es384: ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &random),
            ed25519: Ed25519KeyPair::from_pkcs8(
                Ed25519KeyPair::generate_pkcs8(&random)
                    .expect("the system has randomness")
                    .as_ref(),
            )
            .expect("a key that was just made"),
            rsa: RsaKeyPair::from_pkcs8(include_bytes!("../data/rsa2048.pk8")).expect("a key that is checked in"),
            random,
        }
    }

    pub(crate) fn sign(&self, signer: Signer<'_>, message: &[u8]) -> Vec<u8> {
        match signer {
            Signer::Ecdsa(key) => key
                .sign(&self.random, message)
                .expect("the system has randomness")
                .as_ref()
                .to_vec(),
            Signer::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Signer::Rs256(key) => self.rsa_sign(key, &signature::RSA_PKCS1_SHA256, message),
            Signer::Ps256(key) => self.rsa_sign(key, &signature::RSA_PSS_SHA256, message),
            Signer::Hmac(algorithm, secret) => {
                let key = ring::hmac::Key::new(algorithm, secret);
                ring::hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    fn rsa_sign(&self, key: &RsaKeyPair, padding: &'static dyn signature::RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(padding, &self.random, message, &mut signature)
            .expect("the system has randomness");
        signature
    }

    pub(crate) fn rsa_modulus(&self) -> Vec<u8> {
        PublicKeyComponents::<Vec<u8>>::from(self.rsa.public()).n
    }

    /// Seven usable keys, and [`UNUSABLE`] others.
    pub(crate) fn jwks(&self) -> String {
        let modulus = encode(&self.rsa_modulus());
        let ed25519 = encode(self.ed25519.public_key().as_ref());
        let usable = [
            ec("es", &self.es256, json!({"alg": "ES256", "use": "sig"})),
            ec("es-2", &self.es256_second, json!({"key_ops": ["verify"]})),
            ec("es384", &self.es384, json!({"alg": "ES384"})),
            json!({"kid": "ed", "kty": "OKP", "crv": "Ed25519", "x": ed25519, "alg": "EdDSA"}),
            json!({"kid": "rs", "kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256"}),
            json!({"kid": "ps", "kty": "RSA", "n": modulus, "e": "AQAB", "alg": "PS256"}),
            json!({"kid": "rsa-without-alg", "kty": "RSA", "n": modulus, "e": "AQAB"}),
        ];
        let point = self.unusable.public_key().as_ref();
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        let unusable: [Value; UNUSABLE] = [
            json!({"kid": "oct", "kty": "oct", "k": encode(OCT_SECRET)}),
            json!({"kid": "oct-hs256", "kty": "oct", "k": encode(OCT_SECRET), "alg": "HS256"}),
            json!({"kid": "oct-rs256", "kty": "oct", "k": encode(OCT_SECRET), "alg": "RS256"}),
            ec("enc", &self.unusable, json!({"use": "enc"})),
            ec("key-ops", &self.unusable, json!({"key_ops": ["deriveKey"]})),
            ec("private", &self.unusable, json!({"d": encode(&[7; 32])})),
            ec("twin", &self.es256, json!({})),
            ec("twin", &self.unusable, json!({})),
            ec("wrong-alg", &self.unusable, json!({"alg": "ES384"})),
            ec("unknown-alg", &self.unusable, json!({"alg": "ES256K"})),
            ec("", &self.unusable, json!({})),
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}),
            json!({"kid": "curve", "kty": "EC", "crv": "secp256k1", "x": x, "y": y}),
            json!({"kid": "short", "kty": "EC", "crv": "P-256", "x": encode(&point[1..32]), "y": y}),
            json!({"kid": "weak", "kty": "RSA", "n": WEAK_MODULUS, "e": "AQAB", "alg": "RS256"}),
            json!({"kid": "e3", "kty": "RSA", "n": modulus, "e": "Aw", "alg": "RS256"}),
        ];
        let all: Vec<Value> = usable.into_iter().chain(unusable).collect();
        json!({ "keys": all }).to_string()
    }
}

/// The secret of the symmetric keys that are, wrongly, in the published set.
pub(crate) const OCT_SECRET: &[u8] = b"a symmetric secret of 32 bytes!!";

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn ecdsa(algorithm: &'static signature::EcdsaSigningAlgorithm, random: &SystemRandom) -> EcdsaKeyPair {
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, random).expect("the system has randomness");
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), random).expect("a key that was just made")
}

/// The JWK of an elliptic key, with `more` members.
pub(crate) fn ec(kid: &str, key: &EcdsaKeyPair, more: Value) -> Value {
    let point = &key.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    let crv = if x.len() == 32 { "P-256" } else { "P-384" };
    let mut jwk = json!({"kid": kid, "kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)});
    if let (Some(jwk), Value::Object(more)) = (jwk.as_object_mut(), more) {
        jwk.extend(more);
    }
    jwk
}
