//! Keys that sign: loading, the public half as a JWK, and JWS signatures. Shows no private bit.
//!
//! ring keeps the private half in its own memory and does not wipe it; callers wipe the PKCS #8 bytes they read.
//!
//! SPEC: RFC 7515, RFC 7517, RFC 7518 3.4, RFC 7638, RFC 8037, RFC 8410.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use crate::json::write::ObjectWriter;

/// The algorithms tokens are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// Ed25519, `alg` "EdDSA": the name that verifiers in use today know (RFC 9864 renames it).
    Ed25519,
    /// ECDSA on P-256 with SHA-256, `alg` "ES256".
    Es256,
}

impl SigningAlgorithm {
    /// The name in `alg` (RFC 7518 3.1, RFC 8037 3.1).
    #[must_use]
    pub const fn jose_name(self) -> &'static str {
        match self {
            Self::Ed25519 => "EdDSA",
            Self::Es256 => "ES256",
        }
    }
}

/// Why a key cannot sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The bytes are not a PKCS #8 key of this algorithm.
    NotAKey(SigningAlgorithm),
    /// The signature could not be made.
    Signing,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKey(algorithm) => write!(f, "not a PKCS #8 key for {}", algorithm.jose_name()),
            Self::Signing => f.write_str("the signature could not be made"),
        }
    }
}

impl core::error::Error for KeyError {}

/// A private key, its public half, and the id under which that is published.
pub struct SigningKey {
    pair: Pair,
    id: String,
    jwk: Vec<u8>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Es256(Box<EcdsaKeyPair>, SystemRandom),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads a PKCS #8 key. `random` blinds ECDSA and gives its nonces; Ed25519 needs none.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`] for anything but one key of this algorithm with its public half.
    pub fn from_pkcs8(algorithm: SigningAlgorithm, pkcs8: &[u8], random: &SystemRandom) -> Result<Self, KeyError> {
        let refused = |_| KeyError::NotAKey(algorithm);
        let pair = match algorithm {
            SigningAlgorithm::Ed25519 => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(refused)?),
            SigningAlgorithm::Es256 => {
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, random).map_err(refused)?;
                Pair::Es256(Box::new(pair), random.clone())
            }
        };
        let public = Coordinates::of(&pair);
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, &public.thumbprint_input()));
        let jwk = public.jwk(&id, algorithm);
        Ok(Self { pair, id, jwk })
    }

    /// The algorithm this key signs with.
    #[must_use]
    pub const fn algorithm(&self) -> SigningAlgorithm {
        match self.pair {
            Pair::Ed25519(_) => SigningAlgorithm::Ed25519,
            Pair::Es256(..) => SigningAlgorithm::Es256,
        }
    }

    /// The `kid`: the RFC 7638 thumbprint of the public key, base64url.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as a JWK, one JSON object.
    #[must_use]
    pub fn jwk(&self) -> &[u8] {
        &self.jwk
    }

    /// Appends the compact JWS of `claims`, a JSON object, to `out`; `media` is its `typ`.
    ///
    /// # Errors
    /// [`KeyError::Signing`]; `out` is then as it was.
    pub fn sign(&self, media: &str, claims: &[u8], out: &mut Vec<u8>) -> Result<(), KeyError> {
        let start = out.len();
        let mut header = Vec::with_capacity(128);
        let mut object = ObjectWriter::new(&mut header);
        object
            .string("alg", self.algorithm().jose_name())
            .string("typ", media)
            .string("kid", &self.id);
        object.finish();
        append_base64url(&header, out);
        out.push(b'.');
        append_base64url(claims, out);
        let Ok(signature) = self.signature(&out[start..]) else {
            out.truncate(start);
            return Err(KeyError::Signing);
        };
        out.push(b'.');
        append_base64url(signature.as_ref(), out);
        Ok(())
    }

    fn signature(&self, input: &[u8]) -> Result<ring::signature::Signature, ring::error::Unspecified> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(input)),
            Pair::Es256(pair, random) => pair.sign(random, input),
        }
    }
}

/// The public members of a JWK, base64url.
struct Coordinates {
    kind: &'static str,
    curve: &'static str,
    x: String,
    y: Option<String>,
}

impl Coordinates {
    fn of(pair: &Pair) -> Self {
        match pair {
            Pair::Ed25519(pair) => Self {
                kind: "OKP",
                curve: "Ed25519",
                x: URL_SAFE_NO_PAD.encode(pair.public_key()),
                y: None,
            },
            Pair::Es256(pair, _) => {
                // SEC 1 2.3.3: an uncompressed point is 0x04 and two coordinates of equal length.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                Self {
                    kind: "EC",
                    curve: "P-256",
                    x: URL_SAFE_NO_PAD.encode(x),
                    y: Some(URL_SAFE_NO_PAD.encode(y)),
                }
            }
        }
    }

    // SPEC: RFC 7638 3.2, RFC 8037 2: the required members only, in lexicographic order, without white space.
    fn thumbprint_input(&self) -> Vec<u8> {
        let mut input = Vec::with_capacity(192);
        let mut object = ObjectWriter::new(&mut input);
        object
            .string("crv", self.curve)
            .string("kty", self.kind)
            .string("x", &self.x);
        object.optional_string("y", self.y.as_deref());
        object.finish();
        input
    }

    fn jwk(&self, id: &str, algorithm: SigningAlgorithm) -> Vec<u8> {
        let mut jwk = Vec::with_capacity(256);
        let mut object = ObjectWriter::new(&mut jwk);
        object
            .string("kty", self.kind)
            .string("crv", self.curve)
            .string("x", &self.x);
        object.optional_string("y", self.y.as_deref());
        object
            .string("kid", id)
            .string("alg", algorithm.jose_name())
            .string("use", "sig");
        object.finish();
        jwk
    }
}

fn append_base64url(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = URL_SAFE_NO_PAD
        .encode_slice(bytes, &mut out[start..])
        .expect("four bytes hold three encoded");
    out.truncate(start + written);
}

#[cfg(test)]
pub(super) mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

    use super::*;

    /// A fresh key.
    pub(in crate::credential) fn fresh(algorithm: SigningAlgorithm) -> SigningKey {
        let random = SystemRandom::new();
        let pkcs8 = match algorithm {
            SigningAlgorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random).unwrap(),
            SigningAlgorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap(),
        };
        SigningKey::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()
    }

    fn public_bytes(key: &SigningKey) -> Vec<u8> {
        match &key.pair {
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Es256(pair, _) => pair.public_key().as_ref().to_vec(),
        }
    }

    #[test]
    fn signatures_verify_and_tampering_shows() {
        for algorithm in [SigningAlgorithm::Ed25519, SigningAlgorithm::Es256] {
            let key = fresh(algorithm);
            let mut token = b"kept ".to_vec();
            key.sign("at+jwt", b"{\"sub\":\"x\"}", &mut token).unwrap();
            let token = String::from_utf8(token.split_off(5)).unwrap();
            let (input, signature) = token.rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            let verify = |input: &str| match algorithm {
                SigningAlgorithm::Ed25519 => {
                    UnparsedPublicKey::new(&ED25519, public_bytes(&key)).verify(input.as_bytes(), &signature)
                }
                SigningAlgorithm::Es256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_bytes(&key))
                    .verify(input.as_bytes(), &signature),
            };
            assert!(verify(input).is_ok());
            assert!(verify(&format!("{input}A")).is_err());
            let header = URL_SAFE_NO_PAD.decode(input.split('.').next().unwrap()).unwrap();
            let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
            assert_eq!(header["alg"], algorithm.jose_name());
            assert_eq!(header["kid"], key.id());
            assert_eq!(header["typ"], "at+jwt");
        }
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037_appendix_a_3() {
        let public = Coordinates {
            kind: "OKP",
            curve: "Ed25519",
            x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned(),
            y: None,
        };
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &public.thumbprint_input()));
        assert_eq!(thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn refuses_a_key_of_another_algorithm_and_shows_no_key() {
        let random = SystemRandom::new();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let refused = SigningKey::from_pkcs8(SigningAlgorithm::Es256, pkcs8.as_ref(), &random).unwrap_err();
        assert_eq!(refused.to_string(), "not a PKCS #8 key for ES256");
        let key = SigningKey::from_pkcs8(SigningAlgorithm::Ed25519, pkcs8.as_ref(), &random).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ id: \"{}\", .. }}", key.id()));
    }
}
