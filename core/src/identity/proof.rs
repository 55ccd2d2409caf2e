//! One DPoP proof, judged against the request that it came with (RFC 9449 4.3). Never remembered: the next request brings
//! another.
//!
//! What costs a signature comes after everything that does not, and what is told to nobody but the key's holder (that the
//! nonce is stale, that the proof was used) after the signature. Whether it was used before, the owner of its key says.

use ring::digest;

use super::PeerCertificate;
use super::Presented;
use super::ProofId;
use super::Trust;
use super::binding::sha256;
use super::htu;
use super::nonce::Nonces;
use super::presented::finish;
use super::token::Workspace;
use crate::jose::base64url;
use crate::jose::jws::Compact;
use crate::jose::jws::JwsError;
use crate::jose::proof::ProofHeader;
use crate::jose::proof::ProofHeaderError;
use crate::json;
use crate::json::Object;
use crate::json::Value;
use crate::limits::PROOF_BYTES_MAX;
use crate::limits::PROOF_ID_BYTES_MAX;
use crate::limits::PROOF_TOLERANCE;
use crate::time::UnixTime;

/// The one header beside `Authorization` that `oth` may name: the user's assertion.
const ASSERTION: &str = "x-ai-user-assertion";

/// What credentials are held against: whom the gate trusts, and what was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Issuers and agents.
    pub trust: &'a Trust,
    /// The nonces that were given out.
    pub nonces: &'a Nonces,
    /// Whether a proof needs one.
    pub require_nonce: bool,
    /// The HTTP method of the request.
    pub method: &'a str,
    /// Scheme and authority by which clients reach the gate, as configured.
    pub origin: &'a str,
    /// The path of the request.
    pub path: &'a str,
    /// The client certificate of the connection.
    pub certificate: Option<&'a PeerCertificate>,
}

/// A proof that holds, and was not yet used as far as this shard knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// By which its key's owner tells whether it was used.
    pub id: ProofId,
    /// Whether its sender should get the nonce that is given out now.
    pub renews: bool,
    /// Whether it names the user's assertion (`oth`).
    pub(super) covers_user: bool,
}

/// What is wrong with a proof. One variant per deviation, in the order they are found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofFault {
    /// The `DPoP` scheme without a proof.
    Absent,
    /// A proof without the `DPoP` scheme.
    Unasked,
    /// Not a compact JWS.
    Form(JwsError),
    /// Not the header of a proof.
    Header(ProofHeaderError),
    /// Made with another key than the token is bound to.
    OtherKey,
    /// The claims are not canonical base64url of one strict JSON object.
    Encoding,
    /// `jti`, `htm`, `htu`, `iat` or `ath` is absent, or one of these, `nonce`, `exp` or `oth` is not of its type.
    Claims,
    /// `htm` is not the method of this request.
    Method,
    /// `htu` is not where this request went.
    Target,
    /// `iat` is too far from now, or `exp` has passed.
    Time,
    /// `ath` is not the digest of this token.
    Token,
    /// `oth` names a header that is not known here, or another value than was presented.
    Others,
    /// The signature does not verify.
    Signature,
    /// No nonce, or one that does not count any more.
    Nonce,
    /// Used before.
    Replayed,
}

/// The claims of a proof.
struct Claims<'t> {
    jti: &'t str,
    htm: &'t str,
    htu: &'t str,
    issued: UnixTime,
    expires: Option<UnixTime>,
    token: [u8; 32],
    nonce: Option<&'t str>,
    others: Option<Object<'t>>,
}

/// Judges the proof in `presented` for a token that is bound to the key of `thumbprint`.
pub(super) fn verify(
    presented: &Presented<'_>,
    thumbprint: &[u8; 32],
    terms: &Terms<'_>,
    workspace: &mut Workspace<'_>,
    now: UnixTime,
) -> Result<Proof, ProofFault> {
    let Workspace { decoded, scratch, .. } = workspace;
    let value = presented.proof().ok_or(ProofFault::Absent)?;
    if value.len() > PROOF_BYTES_MAX {
        return Err(ProofFault::Form(JwsError::TooLong));
    }
    let compact = Compact::split(value).map_err(ProofFault::Form)?;
    let header = ProofHeader::read(&compact, decoded, scratch).map_err(ProofFault::Header)?;
    if header.key.thumbprint() != *thumbprint {
        return Err(ProofFault::OtherKey);
    }
    base64url::decode_into(compact.payload(), decoded).map_err(|_| ProofFault::Encoding)?;
    let document = json::parse(decoded, scratch, &json::Limits::TOKEN).map_err(|_| ProofFault::Encoding)?;
    let members = document.root().as_object().ok_or(ProofFault::Encoding)?;
    let claims = Claims::read(members).ok_or(ProofFault::Claims)?;

    claims.refuse_other_request(terms)?;
    claims.refuse_other_time(now)?;
    if claims.token != digest_of(presented.agent()) {
        return Err(ProofFault::Token);
    }
    let covers_user = claims.covers(presented.user())?;
    compact
        .verify(&header.key, header.algorithm)
        .map_err(|_| ProofFault::Signature)?;
    let renews = terms
        .nonces
        .judge(claims.nonce, claims.issued, terms.require_nonce, now)
        .map_err(|_| ProofFault::Nonce)?;
    Ok(Proof {
        id: ProofId::new(thumbprint, claims.jti, [terms.origin, terms.path], claims.issued),
        renews,
        covers_user,
    })
}

impl<'t> Claims<'t> {
    fn read(claims: Object<'t>) -> Option<Self> {
        let moment = |value: Value<'_>| value.as_u64().map(UnixTime::from_secs);
        let bounded = |value: Value<'t>| {
            let text = value.as_str()?;
            (1..=PROOF_ID_BYTES_MAX).contains(&text.len()).then_some(text)
        };
        Some(Self {
            jti: bounded(claims.get("jti")?)?,
            htm: claims.get("htm")?.as_str()?,
            htu: claims.get("htu")?.as_str()?,
            issued: moment(claims.get("iat")?)?,
            expires: optional(claims.get("exp"), moment)?,
            token: sha256(claims.get("ath")?)?,
            nonce: optional(claims.get("nonce"), bounded)?,
            others: optional(claims.get("oth"), Value::as_object)?,
        })
    }

    fn refuse_other_request(&self, terms: &Terms<'_>) -> Result<(), ProofFault> {
        if self.htm != terms.method {
            return Err(ProofFault::Method);
        }
        if !htu::is_target(self.htu, terms.origin, terms.path) {
            return Err(ProofFault::Target);
        }
        Ok(())
    }

    /// SPEC: RFC 9449 11.1: accepted for a limited time only. RFC 7519 4.1.4: not on or after `exp`.
    fn refuse_other_time(&self, now: UnixTime) -> Result<(), ProofFault> {
        let apart = now.secs().abs_diff(self.issued.secs());
        if apart > PROOF_TOLERANCE.as_secs() || self.expires.is_some_and(|expires| now >= expires) {
            return Err(ProofFault::Time);
        }
        Ok(())
    }

    /// Whether the proof names the user's assertion, which must then be the one presented.
    ///
    /// SPEC: draft-ietf-wimse-wpt, `oth`: an entry that is not understood refuses the proof.
    fn covers(&self, user: Option<&[u8]>) -> Result<bool, ProofFault> {
        let Some(others) = self.others else {
            return Ok(false);
        };
        for (name, value) in others.iter() {
            let presented = user.filter(|_| name == ASSERTION).map(digest_of);
            if presented.is_none() || sha256(value) != presented {
                return Err(ProofFault::Others);
            }
        }
        Ok(!others.is_empty())
    }
}

/// What `read` makes of a claim that may be absent; `None` if it is there and of another type.
fn optional<'t, T>(claim: Option<Value<'t>>, read: impl FnOnce(Value<'t>) -> Option<T>) -> Option<Option<T>> {
    match claim {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
}

/// SPEC: RFC 9449 4.2: the SHA-256 of the token's ASCII text.
fn digest_of(token: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(token);
    finish(context)
}

/// Judges a proof for whatever key it brings along: for fuzzing, where no token says which.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn prove_alone(
    presented: &Presented<'_>,
    thumbprint: &[u8; 32],
    terms: &Terms<'_>,
    now: UnixTime,
) -> Result<Proof, ProofFault> {
    let mut workspace = Workspace {
        decoded: &mut Vec::new(),
        scratch: &mut json::Scratch::new(),
        lacking: &mut None,
    };
    verify(presented, thumbprint, terms, &mut workspace, now)
}
