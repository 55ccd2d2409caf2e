//! Key sets as data (RFC 7517 5): what an issuer's published keys are once everything doubtful is dropped.
//!
//! Must never fetch anything, and never keep a key that cannot be told from another one or that fits no algorithm.
//! A dropped key is reported, so that an operator learns of it before a user does.

use core::fmt;

use super::Algorithm;
use super::jwk::KeyFault;
use super::jwk::PublicKey;
use crate::json;
use crate::json::JsonError;
use crate::json::Object;
use crate::json::Scratch;
use crate::json::Value;
use crate::limits::JWKS_BYTES_MAX;
use crate::limits::JWKS_KEYS_MAX;
use crate::limits::KID_BYTES_MAX;

/// The keys of one issuer, each with its own `kid`.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    dropped: Vec<Dropped>,
}

/// One usable key of a set.
#[derive(Clone, Debug)]
pub struct Key {
    kid: String,
    declared: Option<Algorithm>,
    public: PublicKey,
}

/// A key that was in the document and is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its position in `keys`, from zero.
    pub index: usize,
    /// Why it is not used.
    pub fault: KeyFault,
}

/// Why a document is no key set at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwksError {
    /// Longer than [`JWKS_BYTES_MAX`], or not strict JSON.
    Json(JsonError),
    /// Not an object with an array `keys` (RFC 7517 5).
    Shape,
    /// More keys than [`JWKS_KEYS_MAX`].
    Keys,
}

impl KeySet {
    /// Reads a JWK set. Keys that cannot be used are dropped and reported by [`KeySet::dropped`]; of keys with the same
    /// `kid`, all are dropped.
    ///
    /// # Errors
    ///
    /// [`JwksError`] if the document as a whole is not a key set. An empty set is one.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwksError> {
        const LIMITS: json::Limits = json::Limits {
            bytes: JWKS_BYTES_MAX,
            values: JWKS_BYTES_MAX,
            ..json::Limits::TOKEN
        };
        let mut scratch = Scratch::new();
        let document = json::parse(bytes, &mut scratch, &LIMITS).map_err(JwksError::Json)?;
        let entries = document
            .root()
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(JwksError::Shape)?;
        if entries.len() > JWKS_KEYS_MAX {
            return Err(JwksError::Keys);
        }
        let mut set = Self::default();
        let mut kids: Vec<(usize, Key)> = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            match Key::read(entry) {
                Ok(key) => kids.push((index, key)),
                Err(fault) => set.dropped.push(Dropped { index, fault }),
            }
        }
        for (index, key) in &kids {
            if kids.iter().any(|(other, twin)| other != index && twin.kid == key.kid) {
                let fault = KeyFault::DuplicateKid;
                set.dropped.push(Dropped { index: *index, fault });
            } else {
                set.keys.push(key.clone());
            }
        }
        Ok(set)
    }

    /// The key of that `kid`, compared byte for byte.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// The usable keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys that are not used, and why.
    #[must_use]
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }
}

impl Key {
    fn read(entry: Value<'_>) -> Result<Self, KeyFault> {
        let jwk = entry.as_object().ok_or(KeyFault::Shape)?;
        let public = PublicKey::from_jwk(jwk)?;
        refuse_other_uses(jwk)?;
        let declared = match jwk.get("alg") {
            None => None,
            Some(value) => {
                let algorithm = value
                    .as_str()
                    .and_then(Algorithm::from_name)
                    .ok_or(KeyFault::Algorithm)?;
                Some(algorithm)
                    .filter(|&algorithm| public.fits(algorithm))
                    .ok_or(KeyFault::Algorithm)?
                    .into()
            }
        };
        let kid = jwk.get("kid").and_then(Value::as_str).ok_or(KeyFault::Kid)?;
        if kid.is_empty() || kid.len() > KID_BYTES_MAX {
            return Err(KeyFault::Kid);
        }
        Ok(Self {
            kid: kid.to_owned(),
            declared,
            public,
        })
    }

    /// The identifier that a token names this key by.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key itself.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The one algorithm of this key: what its `alg` says, else the first one of `issuer_uses` that fits it.
    ///
    /// Never a choice of the token's: an RSA key without `alg` is for RS256 or for PS256, not for both.
    #[must_use]
    pub fn algorithm(&self, issuer_uses: &[Algorithm]) -> Option<Algorithm> {
        self.declared.or_else(|| {
            issuer_uses
                .iter()
                .copied()
                .find(|&algorithm| self.public.fits(algorithm))
        })
    }
}

/// SPEC: RFC 7517 4.2 and 4.3: a key declared for something else is not for signatures. SPIFFE Trust Domain and Bundle
/// 4.2.2 has a use of its own for the keys of JWT-SVIDs.
pub(super) fn refuse_other_uses(jwk: Object<'_>) -> Result<(), KeyFault> {
    let signs = |used: Value<'_>| matches!(used.as_str(), Some("sig" | "jwt-svid"));
    if jwk.get("use").is_some_and(|used| !signs(used)) {
        return Err(KeyFault::Use);
    }
    match jwk.get("key_ops").map(Value::as_array) {
        None => Ok(()),
        Some(Some(operations)) if operations.iter().any(|operation| operation.as_str() == Some("verify")) => Ok(()),
        Some(_) => Err(KeyFault::Use),
    }
}

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(fault) => write!(f, "the key set is not strict JSON: {fault}"),
            Self::Shape => f.write_str("the key set is not an object with an array \"keys\""),
            Self::Keys => write!(f, "the key set has more than {JWKS_KEYS_MAX} keys"),
        }
    }
}

impl core::error::Error for JwksError {}
