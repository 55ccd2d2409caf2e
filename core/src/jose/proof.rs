//! The header of a DPoP proof (RFC 9449 4.2): the one place where a key that came with a token is read.
//!
//! Apart from [`super::jws::Header`], which refuses such keys, so that no other token can ever bring one. What the key is
//! worth is for the caller to find out: here it only has to be public and fit for the algorithm.

use super::Algorithm;
use super::base64url;
use super::jwk::KeyFault;
use super::jwk::PublicKey;
use super::jwks::refuse_other_uses;
use super::jws::Compact;
use crate::json;
use crate::json::Scratch;
use crate::json::Value;
use crate::limits::JOSE_HEADER_BYTES_MAX;

/// The names of the algorithms that a proof may be signed with, for metadata and challenges.
pub const ALGORITHMS: [&str; 6] = ["EdDSA", "Ed25519", "ES256", "ES384", "PS256", "RS256"];

/// The key that a proof was made with, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofHeader {
    /// One that fits the key.
    pub algorithm: Algorithm,
    /// Public, and of no standing until its thumbprint was found in a token.
    pub key: PublicKey,
}

/// Why a header is not that of a proof. One variant per deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofHeaderError {
    /// Not canonical base64url of one strict JSON object of at most [`JOSE_HEADER_BYTES_MAX`] bytes.
    Encoding,
    /// A member beside `typ`, `alg` and `jwk`, or one of these that is absent or of the wrong type.
    Members,
    /// `typ` is not `dpop+jwt`.
    Type,
    /// `alg` is none of [`ALGORITHMS`], or not one of this key.
    Algorithm,
    /// `jwk` is not a usable public key.
    Key(KeyFault),
}

impl ProofHeader {
    /// Decodes and reads the header segment of `token`; `decoded` is working memory.
    ///
    /// # Errors
    ///
    /// [`ProofHeaderError`] with the first deviation.
    pub fn read(token: &Compact<'_>, decoded: &mut Vec<u8>, scratch: &mut Scratch) -> Result<Self, ProofHeaderError> {
        const LIMITS: json::Limits = json::Limits {
            bytes: JOSE_HEADER_BYTES_MAX,
            ..json::Limits::TOKEN
        };
        if token.header().len() > JOSE_HEADER_BYTES_MAX.div_ceil(3) * 4 {
            return Err(ProofHeaderError::Encoding);
        }
        base64url::decode_into(token.header(), decoded).map_err(|_| ProofHeaderError::Encoding)?;
        let document = json::parse(decoded, scratch, &LIMITS).map_err(|_| ProofHeaderError::Encoding)?;
        let members = document.root().as_object().ok_or(ProofHeaderError::Encoding)?;
        // Three members, none of them twice: whatever else a header could say would point at a key or change the reading.
        if members.len() != 3 {
            return Err(ProofHeaderError::Members);
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let typ = text("typ").ok_or(ProofHeaderError::Members)?;
        let named = text("alg").ok_or(ProofHeaderError::Members)?;
        let jwk = members
            .get("jwk")
            .and_then(Value::as_object)
            .ok_or(ProofHeaderError::Members)?;
        if typ != "dpop+jwt" {
            return Err(ProofHeaderError::Type);
        }
        let algorithm = Algorithm::from_name(named).ok_or(ProofHeaderError::Algorithm)?;
        let key = PublicKey::from_jwk(jwk).map_err(ProofHeaderError::Key)?;
        refuse_other_uses(jwk).map_err(ProofHeaderError::Key)?;
        let declared = jwk.get("alg").map(Value::as_str);
        if !key.fits(algorithm) || declared.is_some_and(|declared| declared != Some(named)) {
            return Err(ProofHeaderError::Algorithm);
        }
        Ok(Self { algorithm, key })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(header: &str) -> Result<ProofHeader, ProofHeaderError> {
        let token = format!("{}.e30.AA", base64url::encode(header.as_bytes()));
        let compact = Compact::split(token.as_bytes()).unwrap();
        ProofHeader::read(&compact, &mut Vec::new(), &mut Scratch::new())
    }

    fn jwk() -> serde_json::Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    fn header(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk()});
        change(&mut header);
        header.to_string()
    }

    #[test]
    fn reads_a_public_key_and_an_algorithm_that_fits_it() {
        let read_so = |change: fn(&mut serde_json::Value)| read(&header(change)).map(|header| header.algorithm);
        assert_eq!(read_so(|_| ()), Ok(Algorithm::EdDsa));
        assert_eq!(read_so(|header| header["alg"] = json!("Ed25519")), Ok(Algorithm::EdDsa));
        // What an export of the Web Crypto API adds.
        assert_eq!(
            read_so(|header| {
                header["jwk"]["key_ops"] = json!(["verify"]);
                header["jwk"]["ext"] = json!(true);
                header["jwk"]["alg"] = json!("EdDSA");
            }),
            Ok(Algorithm::EdDsa)
        );
    }

    #[test]
    fn the_algorithms_it_names_are_those_it_reads() {
        for name in ALGORITHMS {
            assert!(Algorithm::from_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_private_or_symmetric_key_is_refused() {
        for member in ["d", "p", "k", "oth"] {
            let refused = read(&header(|header| header["jwk"][member] = json!("AA")));
            assert_eq!(refused, Err(ProofHeaderError::Key(KeyFault::Private)), "{member}");
        }
        let oct = header(|header| header["jwk"] = json!({"kty": "oct", "k": "AA"}));
        assert_eq!(read(&oct), Err(ProofHeaderError::Key(KeyFault::Symmetric)));
    }

    #[test]
    fn nothing_but_typ_alg_and_jwk_may_be_there_and_all_of_them_must() {
        for (name, value) in [
            ("kid", json!("k1")),
            ("jku", json!("https://127.0.0.1:1/jwks")),
            ("x5c", json!([])),
            ("x5u", json!("https://127.0.0.1:1/")),
            ("crit", json!(["exp"])),
            ("b64", json!(false)),
            ("zip", json!("DEF")),
            ("cty", json!("JWT")),
        ] {
            let refused = read(&header(|header| header[name] = value));
            assert_eq!(refused, Err(ProofHeaderError::Members), "{name}");
        }
        for name in ["typ", "alg", "jwk"] {
            let refused = read(&header(|header| {
                header.as_object_mut().unwrap().remove(name);
            }));
            assert_eq!(refused, Err(ProofHeaderError::Members), "{name}");
            assert_eq!(
                read(&header(|header| header[name] = json!(7))),
                Err(ProofHeaderError::Members)
            );
        }
        let twice = r#"{"typ":"dpop+jwt","alg":"EdDSA","alg":"EdDSA"}"#;
        assert_eq!(read(twice), Err(ProofHeaderError::Encoding));
    }

    #[test]
    fn another_type_or_an_algorithm_that_is_not_the_keys_is_refused() {
        for typ in ["", "JWT", "at+jwt", "DPoP+jwt", "application/dpop+jwt"] {
            assert_eq!(
                read(&header(|header| header["typ"] = json!(typ))),
                Err(ProofHeaderError::Type),
                "{typ}"
            );
        }
        for alg in ["none", "None", "HS256", "ES256", "RS256", "eddsa", ""] {
            assert_eq!(
                read(&header(|header| header["alg"] = json!(alg))),
                Err(ProofHeaderError::Algorithm),
                "{alg}"
            );
        }
        let other = read(&header(|header| header["jwk"]["alg"] = json!("ES256")));
        assert_eq!(other, Err(ProofHeaderError::Algorithm));
        let encrypting = read(&header(|header| header["jwk"]["use"] = json!("enc")));
        assert_eq!(encrypting, Err(ProofHeaderError::Key(KeyFault::Use)));
    }
}
