//! The credentials as they came: up to three header values, unverified.
//!
//! Must never look further than the scheme; what the values contain is the verifier's business.

use core::fmt;

use ring::digest;

use super::Fault;
use super::IdentityError;
use super::PeerCertificate;
use super::Proof;
use super::ProofFault;
use super::Side;
use super::Trust;
use crate::framing::http1::Known;
use crate::framing::http1::RequestView;
use crate::jose::jws::JwsError;
use crate::limits::TOKEN_BYTES_MAX;

/// How the agent says who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// By a token of whoever has it (RFC 6750), or of whoever shows the certificate that it is bound to (RFC 8705).
    #[default]
    Bearer,
    /// By a token with a proof of possession (RFC 9449 7.1).
    Dpop,
    /// By the X.509-SVID of the connection, without a token.
    Certificate,
}

/// The tokens of a request, and the proof of possession. INVARIANT: a proof if and only if the scheme is `DPoP`.
#[derive(Clone, Copy)]
pub struct Presented<'r> {
    scheme: Scheme,
    agent: &'r [u8],
    user: Option<&'r [u8]>,
    proof: Option<&'r [u8]>,
}

impl<'r> Presented<'r> {
    /// Takes the credentials from the headers of a request, and the agent from an X.509-SVID where no token says who it is.
    ///
    /// # Errors
    ///
    /// As [`Presented::with_proof`]. The codec has already refused a request with one of these headers twice.
    pub fn from_request(
        view: &RequestView<'r>,
        certificate: Option<&'r PeerCertificate>,
    ) -> Result<Self, IdentityError> {
        let [authorization, user, proof] =
            [Known::Authorization, Known::UserAssertion, Known::Dpop].map(|header| view.known(header));
        match certificate.filter(|shown| authorization.is_none() && shown.svid().is_some()) {
            Some(shown) => Self::with_certificate(shown, user, proof),
            None => Self::with_proof(authorization, user, proof),
        }
    }

    /// The agent of an X.509-SVID, which stands where its token would.
    pub(super) fn with_certificate(
        shown: &'r PeerCertificate,
        user: Option<&'r [u8]>,
        proof: Option<&'r [u8]>,
    ) -> Result<Self, IdentityError> {
        let user = user.map(one_token).transpose();
        let user = user.map_err(|fault| IdentityError::new(Side::User, fault))?;
        if proof.is_some() {
            return Err(IdentityError::new(Side::Agent, Fault::Proof(ProofFault::Unasked)));
        }
        Ok(Self {
            scheme: Scheme::Certificate,
            agent: shown.digest(),
            user,
            proof: None,
        })
    }

    /// Takes the credentials from the value of `Authorization` and that of `X-AI-User-Assertion`.
    ///
    /// # Errors
    ///
    /// As [`Presented::with_proof`] without a proof.
    pub fn from_values(authorization: Option<&'r [u8]>, user: Option<&'r [u8]>) -> Result<Self, IdentityError> {
        Self::with_proof(authorization, user, None)
    }

    /// Takes the credentials from the values of `Authorization`, `X-AI-User-Assertion` and `DPoP`.
    ///
    /// # Errors
    ///
    /// `Absent` or `Scheme` for `Authorization`; `Repeated` or `Form` for each; `Proof` if the scheme is `DPoP` and there
    /// is no proof, or the other way round.
    pub fn with_proof(
        authorization: Option<&'r [u8]>,
        user: Option<&'r [u8]>,
        proof: Option<&'r [u8]>,
    ) -> Result<Self, IdentityError> {
        let at = |side| move |fault| IdentityError::new(side, fault);
        let (scheme, agent) = authorization
            .ok_or(Fault::Absent)
            .and_then(split_scheme)
            .map_err(at(Side::Agent))?;
        let agent = one_token(agent).map_err(at(Side::Agent))?;
        let user = user.map(one_token).transpose().map_err(at(Side::User))?;
        let proof = proof.map(one_token).transpose().map_err(at(Side::Agent))?;
        match (scheme, proof) {
            (Scheme::Bearer, Some(_)) => Err(at(Side::Agent)(Fault::Proof(ProofFault::Unasked))),
            (Scheme::Dpop, None) => Err(at(Side::Agent)(Fault::Proof(ProofFault::Absent))),
            _ => Ok(Self {
                scheme,
                agent,
                user,
                proof,
            }),
        }
    }

    /// How the agent says who it is.
    pub(super) const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The value of `DPoP`.
    pub(super) const fn proof(&self) -> Option<&'r [u8]> {
        self.proof
    }

    /// The token in `Authorization`; the digest of the certificate where that says who the agent is.
    pub(super) const fn agent(&self) -> &'r [u8] {
        self.agent
    }

    /// The token in `X-AI-User-Assertion`.
    pub(super) const fn user(&self) -> Option<&'r [u8]> {
        self.user
    }

    /// The token that is judged on `side`.
    pub(super) fn on(&self, side: Side) -> &'r [u8] {
        match side {
            Side::User => self.user.unwrap_or_default(),
            Side::Agent | Side::Pair => self.agent,
        }
    }

    /// The issuer profile to ask about the token on `side`, with that token and the digest that stands for the two.
    #[must_use]
    pub fn inquiry<'t>(&self, side: Side, trust: &'t Trust) -> Option<(&'t str, &'r [u8], [u8; 32])> {
        // What stands for a token here is none that anybody could be asked about.
        if self.scheme == Scheme::Certificate && side != Side::User {
            return None;
        }
        let token = self.on(side);
        let issuer = trust.introspector(token, side)?;
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&issuer.name.len().to_le_bytes());
        context.update(issuer.name.as_bytes());
        context.update(token);
        Some((&issuer.name, token, finish(context)))
    }

    /// The SHA-256 of both tokens, or the certificate's digest in place of one, and how they were presented, unambiguously:
    /// with a proof or without, and whether it names the user's assertion. The proof itself is not in it.
    pub(super) fn digest(&self, proof: Option<&Proof>) -> [u8; 32] {
        let proved = match (self.scheme, proof) {
            (Scheme::Certificate, _) => 3,
            (_, proof) => proof.map_or(0, |proof| 1 + u8::from(proof.covers_user)),
        };
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.agent.len().to_le_bytes());
        context.update(&[u8::from(self.user.is_some()), proved]);
        context.update(self.agent);
        context.update(self.user.unwrap_or_default());
        finish(context)
    }
}

/// The SHA-256 of one token on one side: the same bytes are judged differently on the other.
pub(super) fn token_digest(side: Side, token: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[u8::from(matches!(side, Side::User))]);
    context.update(token);
    finish(context)
}

pub(super) fn finish(context: digest::Context) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    sha256
}

impl Scheme {
    /// The scheme of a value of `Authorization`; `Bearer` where it is neither.
    #[must_use]
    pub fn of(authorization: &[u8]) -> Self {
        split_scheme(authorization).map_or(Self::Bearer, |(scheme, _)| scheme)
    }
}

/// SPEC: RFC 9110 11.1: the scheme is case-insensitive and followed by one space.
fn split_scheme(value: &[u8]) -> Result<(Scheme, &[u8]), Fault> {
    let space = memchr::memchr(b' ', value).ok_or(Fault::Scheme)?;
    let (named, token) = (&value[..space], &value[space + 1..]);
    if named.eq_ignore_ascii_case(b"bearer") {
        Ok((Scheme::Bearer, token))
    } else if named.eq_ignore_ascii_case(b"dpop") {
        Ok((Scheme::Dpop, token))
    } else {
        Err(Fault::Scheme)
    }
}

fn one_token(token: &[u8]) -> Result<&[u8], Fault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Fault::Form(JwsError::TooLong));
    }
    // SPEC: RFC 9110 5.3: a recipient may have joined repeated fields with commas.
    if memchr::memchr(b',', token).is_some() {
        return Err(Fault::Repeated);
    }
    Ok(token)
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented(..)")
    }
}
