//! The credentials as they came: one or two header values, unverified.
//!
//! Must never look further than the scheme; what the values contain is the verifier's business.

use core::fmt;

use ring::digest;

use super::Fault;
use super::IdentityError;
use super::Side;
use crate::framing::http1::Known;
use crate::framing::http1::RequestView;
use crate::jose::jws::JwsError;
use crate::limits::TOKEN_BYTES_MAX;

/// The tokens of a request.
#[derive(Clone, Copy)]
pub struct Presented<'r> {
    agent: &'r [u8],
    user: Option<&'r [u8]>,
}

impl<'r> Presented<'r> {
    /// Takes the credentials from the headers of a request.
    ///
    /// # Errors
    ///
    /// As [`Presented::from_values`]. The codec has already refused a request with one of these headers twice.
    pub fn from_request(view: &RequestView<'r>) -> Result<Self, IdentityError> {
        Self::from_values(view.known(Known::Authorization), view.known(Known::UserAssertion))
    }

    /// Takes the credentials from the value of `Authorization` and that of `X-AI-User-Assertion`.
    ///
    /// # Errors
    ///
    /// `Absent`, `Scheme` or `ProofScheme` for `Authorization`; `Repeated` or `Form` for either.
    pub fn from_values(authorization: Option<&'r [u8]>, user: Option<&'r [u8]>) -> Result<Self, IdentityError> {
        let agent = authorization
            .ok_or(Fault::Absent)
            .and_then(without_scheme)
            .and_then(one_token)
            .map_err(|fault| IdentityError::new(Side::Agent, fault))?;
        let user = user
            .map(one_token)
            .transpose()
            .map_err(|fault| IdentityError::new(Side::User, fault))?;
        Ok(Self { agent, user })
    }

    /// The token in `Authorization`.
    pub(super) const fn agent(&self) -> &'r [u8] {
        self.agent
    }

    /// The token in `X-AI-User-Assertion`.
    pub(super) const fn user(&self) -> Option<&'r [u8]> {
        self.user
    }

    /// The SHA-256 of everything that was presented, unambiguously.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.agent.len().to_le_bytes());
        context.update(&[u8::from(self.user.is_some())]);
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

/// SPEC: RFC 9110 11.1: the scheme is case-insensitive and followed by one space.
fn without_scheme(value: &[u8]) -> Result<&[u8], Fault> {
    let (scheme, token) = value.split_at_checked(6).ok_or(Fault::Scheme)?;
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return token.strip_prefix(b" ").ok_or(Fault::Scheme);
    }
    if value.len() > 5 && value[..5].eq_ignore_ascii_case(b"dpop ") {
        return Err(Fault::ProofScheme);
    }
    Err(Fault::Scheme)
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
