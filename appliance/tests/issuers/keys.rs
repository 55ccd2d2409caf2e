//! Keys and certificates that are made for a test: what signs, in each form that somebody needs it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

/// PKCS#8 (RFC 8410) up to the 32 bytes of an Ed25519 key.
const ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const RSA: &[u8] = include_bytes!("../support/jwt-corpus/data/rsa2048.pk8");

/// A signing key for an authorization server, as its settings take it.
pub(crate) fn signing(algorithm: &str, kid: &str) -> Value {
    let pkcs8 = match algorithm {
        "ES256" => Key::new().pkcs8,
        "EdDSA" => [&ED25519[..], &random::<32>()].concat(),
        "RS256" => RSA.to_vec(),
        _ => panic!("no {algorithm} here"),
    };
    json!({"kid": kid, "alg": algorithm, "pkcs8": STANDARD.encode(pkcs8)})
}

/// An ES256 key of a client.
pub(crate) struct Key {
    pkcs8: Vec<u8>,
    pair: EcdsaKeyPair,
}

impl Key {
    pub(crate) fn new() -> Self {
        let rng = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap().as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &rng).unwrap();
        Self { pkcs8, pair }
    }

    /// The public half.
    pub(crate) fn jwk(&self) -> Value {
        // SEC 1 2.3.3: 4, then both coordinates.
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y)})
    }

    /// RFC 7638.
    pub(crate) fn thumbprint(&self) -> String {
        let (jwk, text) = (self.jwk(), |value: &Value| value.as_str().unwrap().to_owned());
        let (x, y) = (text(&jwk["x"]), text(&jwk["y"]));
        sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes())
    }

    /// A compact JWS; `header` lacks its `alg`.
    pub(crate) fn sign(&self, mut header: Value, claims: &Value) -> String {
        header["alg"] = json!("ES256");
        let signed = format!(
            "{}.{}",
            BASE64.encode(header.to_string()),
            BASE64.encode(claims.to_string())
        );
        format!("{signed}.{}", BASE64.encode(self.sign_bytes(signed.as_bytes())))
    }

    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(&SystemRandom::new(), bytes).unwrap();
        signature.as_ref().try_into().unwrap()
    }
}

/// A certificate with its key.
pub(crate) struct Certified {
    certificate: CertificateDer<'static>,
    pub(crate) certificate_pem: String,
    key: KeyPair,
}

impl Certified {
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// One that signs itself, for a client called `name`.
    pub(crate) fn own(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        Self::of(certificate, key)
    }

    /// An authority, and a server on 127.0.0.1 that it vouches for.
    pub(crate) fn server() -> (Self, Self) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Of one name with the server it would look as if that had signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let server = Self::of(params.signed_by(&key, &authority).unwrap(), key);
        let own = Self {
            certificate: authority.der().clone(),
            certificate_pem: authority.pem(),
            key: KeyPair::generate().unwrap(),
        };
        (own, server)
    }

    fn of(certificate: rcgen::Certificate, key: KeyPair) -> Self {
        Self {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key,
        }
    }

    /// The public key, with the certificate in `x5c`, as a client registers it.
    pub(crate) fn jwk(&self) -> Value {
        let (x, y) = self.key.public_key_raw()[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y),
            "x5c": [STANDARD.encode(&self.certificate)],
        })
    }

    /// `x5t#S256` (RFC 8705 3.1).
    pub(crate) fn thumbprint(&self) -> String {
        sha256(&self.certificate)
    }
}

/// The uncompressed point (SEC 1 2.3.3) of two coordinates in base64url.
pub(crate) fn point(x: &str, y: &str) -> Option<Vec<u8>> {
    Some([vec![4], BASE64.decode(x).ok()?, BASE64.decode(y).ok()?].concat())
}

/// The SHA-256 of `bytes` in base64url.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    BASE64.encode(digest(&SHA256, bytes))
}

/// Random text of 43 characters, which is enough for RFC 7636 4.1.
pub(crate) fn nonce() -> String {
    BASE64.encode(random::<32>())
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// One part of a token, unverified: 0 is its header, 1 its claims.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token
        .split('.')
        .nth(index)
        .unwrap_or_else(|| panic!("not a JWT: {token}"));
    serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}
