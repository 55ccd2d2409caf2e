//! Public keys: what a JWK may hold (RFC 7517, RFC 7518 6, RFC 8037), its thumbprint and the signature check.
//!
//! Must never hold a symmetric or a private key, and never verify with an algorithm that the key is not for.
//! `ring` checks that a point is on its curve whenever it verifies; a key that is not never verifies anything.

use core::fmt;

use ring::digest;
use ring::signature;

use super::Algorithm;
use super::base64url;
use crate::json;
use crate::json::Object;
use crate::json::Scratch;
use crate::json::write::ObjectWriter;
use crate::limits::RSA_EXPONENT_MIN;
use crate::limits::RSA_MODULUS_BYTES_MAX;
use crate::limits::RSA_MODULUS_BYTES_MIN;

/// A public key that can verify signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Material);

#[derive(Clone, PartialEq, Eq)]
enum Material {
    /// Uncompressed points: 0x04, x, y.
    P256([u8; 65]),
    P384([u8; 97]),
    Ed25519([u8; 32]),
    Rsa {
        modulus: Box<[u8]>,
        exponent: Box<[u8]>,
    },
}

/// Why a JWK is not used. One variant per deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The entry is not an object, or a member that it needs is absent or of the wrong type.
    Shape,
    /// Symmetric key material (`oct`) where public keys are served.
    Symmetric,
    /// Private members are present: whoever runs the issuer must rotate this key.
    Private,
    /// The key is not for verifying signatures (`use`, `key_ops`).
    Use,
    /// A key type or curve that none of the algorithms uses.
    Type,
    /// `alg` names an algorithm that is not supported or not of this key.
    Algorithm,
    /// A coordinate, modulus or exponent is not the canonical encoding of its value.
    Encoding,
    /// RSA with less than 2048 or more than 8192 bits, or with an exponent below 65537.
    Strength,
    /// No `kid`, or one that is longer than a token may name.
    Kid,
    /// Another key of the set has the same `kid`.
    DuplicateKid,
}

/// A signature that the key did not make over these bytes with this algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

impl PublicKey {
    /// The Ed25519 key of that encoding.
    #[must_use]
    pub const fn ed25519(encoded: [u8; 32]) -> Self {
        Self(Material::Ed25519(encoded))
    }

    /// The P-256 or P-384 key of that uncompressed point (SEC 1 2.3.3).
    ///
    /// # Errors
    ///
    /// [`KeyFault::Encoding`] if the bytes have neither form.
    pub fn from_point(point: &[u8]) -> Result<Self, KeyFault> {
        if point.first() != Some(&4) {
            return Err(KeyFault::Encoding);
        }
        if let Ok(p256) = <[u8; 65]>::try_from(point) {
            return Ok(Self(Material::P256(p256)));
        }
        <[u8; 97]>::try_from(point)
            .map(|p384| Self(Material::P384(p384)))
            .map_err(|_| KeyFault::Encoding)
    }

    /// The RSA key of that modulus and public exponent, both big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyFault::Encoding`] if a number has leading zeros or is even, [`KeyFault::Strength`] if it is out of bounds.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyFault> {
        // SPEC: RFC 7518 2: Base64urlUInt uses the minimum number of octets.
        for number in [modulus, exponent] {
            let minimal = number.first().is_some_and(|&first| first != 0);
            let odd = number.last().is_some_and(|&last| last & 1 == 1);
            if !(minimal && odd) {
                return Err(KeyFault::Encoding);
            }
        }
        // SPEC: RFC 7518 3.3: a key of size 2048 bits or larger MUST be used.
        let short = modulus.len() == RSA_MODULUS_BYTES_MIN && modulus[0] < 0x80;
        if short || !(RSA_MODULUS_BYTES_MIN..=RSA_MODULUS_BYTES_MAX).contains(&modulus.len()) {
            return Err(KeyFault::Strength);
        }
        let mut wide = [0_u8; 8];
        let start = wide.len().checked_sub(exponent.len()).ok_or(KeyFault::Strength)?;
        wide[start..].copy_from_slice(exponent);
        if u64::from_be_bytes(wide) < RSA_EXPONENT_MIN {
            return Err(KeyFault::Strength);
        }
        Ok(Self(Material::Rsa {
            modulus: modulus.into(),
            exponent: exponent.into(),
        }))
    }

    /// Reads a document that is one JWK and nothing else.
    ///
    /// # Errors
    ///
    /// [`KeyFault`]; `Shape` also if it is not strict JSON.
    pub fn parse(document: &[u8]) -> Result<Self, KeyFault> {
        let mut scratch = Scratch::new();
        let document = json::parse(document, &mut scratch, &json::Limits::TOKEN).map_err(|_| KeyFault::Shape)?;
        Self::from_jwk(document.root().as_object().ok_or(KeyFault::Shape)?)
    }

    /// Reads the key members of a JWK; `alg`, `use` and `kid` are the caller's.
    pub(super) fn from_jwk(jwk: Object<'_>) -> Result<Self, KeyFault> {
        let text = |name: &str| jwk.get(name).and_then(|value| value.as_str()).ok_or(KeyFault::Shape);
        let kty = text("kty")?;
        if kty == "oct" {
            return Err(KeyFault::Symmetric);
        }
        // SPEC: RFC 7518 6.2.2, 6.3.2 and 6.4.1: members that only a private or symmetric key has.
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
            .iter()
            .any(|name| jwk.get(name).is_some())
        {
            return Err(KeyFault::Private);
        }
        let bytes = |name: &str| base64url::decode(text(name)?.as_bytes()).map_err(|_| KeyFault::Encoding);
        match kty {
            "EC" => match text("crv")? {
                "P-256" => Self::from_point(&point::<32>(&bytes("x")?, &bytes("y")?)?),
                "P-384" => Self::from_point(&point::<48>(&bytes("x")?, &bytes("y")?)?),
                _ => Err(KeyFault::Type),
            },
            "OKP" if text("crv")? == "Ed25519" => bytes("x")?
                .try_into()
                .map(Self::ed25519)
                .map_err(|_| KeyFault::Encoding),
            "RSA" => Self::rsa(&bytes("n")?, &bytes("e")?),
            _ => Err(KeyFault::Type),
        }
    }

    /// Whether this key can make signatures of `algorithm`.
    #[must_use]
    pub const fn fits(&self, algorithm: Algorithm) -> bool {
        matches!(
            (&self.0, algorithm),
            (Material::P256(_), Algorithm::Es256)
                | (Material::P384(_), Algorithm::Es384)
                | (Material::Ed25519(_), Algorithm::EdDsa)
                | (Material::Rsa { .. }, Algorithm::Rs256 | Algorithm::Ps256)
        )
    }

    /// Checks `signature`, in its JOSE encoding, over `message`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`], also when the key is not for `algorithm`.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        match (&self.0, algorithm) {
            (Material::P256(point), Algorithm::Es256) => {
                signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Material::P384(point), Algorithm::Es384) => {
                signature::UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            (Material::Ed25519(key), Algorithm::EdDsa) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signature)
            }
            (Material::Rsa { modulus, exponent }, Algorithm::Rs256 | Algorithm::Ps256) => {
                let parameters = if algorithm == Algorithm::Rs256 {
                    &signature::RSA_PKCS1_2048_8192_SHA256
                } else {
                    &signature::RSA_PSS_2048_8192_SHA256
                };
                signature::RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                }
                .verify(parameters, message, signature)
            }
            _ => return Err(BadSignature),
        }
        .map_err(|ring::error::Unspecified| BadSignature)
    }

    /// The SHA-256 thumbprint of this key (RFC 7638 3).
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 32] {
        let mut canonical = Vec::new();
        let mut members = ObjectWriter::new(&mut canonical);
        self.write_members(&mut members);
        members.finish();
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest::digest(&digest::SHA256, &canonical).as_ref());
        thumbprint
    }

    /// Writes the required members of this key's JWK in lexicographic order (RFC 7638 3.2).
    pub fn write_members(&self, jwk: &mut ObjectWriter<'_>) {
        match &self.0 {
            Material::P256(point) => write_point(jwk, "P-256", &point[1..]),
            Material::P384(point) => write_point(jwk, "P-384", &point[1..]),
            Material::Ed25519(key) => {
                jwk.string("crv", "Ed25519").string("kty", "OKP");
                jwk.string("x", &base64url::encode(key));
            }
            Material::Rsa { modulus, exponent } => {
                jwk.string("e", &base64url::encode(exponent)).string("kty", "RSA");
                jwk.string("n", &base64url::encode(modulus));
            }
        }
    }
}

/// SPEC: RFC 7518 6.2.1.2: a coordinate has the full size of the curve's field.
fn point<const FIELD: usize>(x: &[u8], y: &[u8]) -> Result<Vec<u8>, KeyFault> {
    if x.len() != FIELD || y.len() != FIELD {
        return Err(KeyFault::Encoding);
    }
    Ok([&[4], x, y].concat())
}

fn write_point(jwk: &mut ObjectWriter<'_>, curve: &str, coordinates: &[u8]) {
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    jwk.string("crv", curve).string("kty", "EC");
    jwk.string("x", &base64url::encode(x))
        .string("y", &base64url::encode(y));
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Material::P256(_) => "P-256",
            Material::P384(_) => "P-384",
            Material::Ed25519(_) => "Ed25519",
            Material::Rsa { .. } => "RSA",
        };
        write!(f, "PublicKey({kind})")
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "a member is missing or of the wrong type",
            Self::Symmetric => "the key is symmetric",
            Self::Private => "the key is published with its private half",
            Self::Use => "the key is not for verifying signatures",
            Self::Type => "the key type or curve is not supported",
            Self::Algorithm => "alg is not supported or not one of this key",
            Self::Encoding => "a number of the key is not encoded canonically",
            Self::Strength => "the RSA modulus or exponent is out of bounds",
            Self::Kid => "the key has no usable kid",
            Self::DuplicateKid => "another key has the same kid",
        })
    }
}

impl core::error::Error for KeyFault {}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature does not verify")
    }
}

impl core::error::Error for BadSignature {}
