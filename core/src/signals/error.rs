//! Why a SET is refused. One variant per deviation, and what the transmitter is told of each.
//!
//! Must never carry anything of a SET.

use core::fmt;

use crate::jose::jws::JwsError;

/// A SET that is not believed, or that cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalError {
    /// Not a compact JWS.
    Form(JwsError),
    /// The JOSE header is not acceptable.
    Header(JwsError),
    /// `typ` is not `secevent+jwt`.
    Type,
    /// The claims are not canonical base64url of one strict JSON object, or lack `jti` or `iat`.
    Claims,
    /// `exp` or `sub` is there: a token that says who somebody is, or one that is made to look like it.
    OtherToken,
    /// `iss` is not the transmitter's.
    Issuer,
    /// The transmitter does not use this algorithm, or the key is for another one.
    Algorithm,
    /// The transmitter has no key of this `kid`, or the SET names none.
    Key,
    /// `aud` does not name this gate.
    Audience,
    /// `iat` is in the future, or longer ago than [`crate::limits::SIGNAL_AGE_MAX`].
    Time,
    /// The signature does not verify.
    Signature,
    /// `events` is not an object of exactly one event.
    Events,
    /// An event of a type that is not known here.
    Event,
    /// The event lacks what its type requires.
    Payload,
    /// The subject has no form that this event can be carried out for, or is nobody of the transmitter's issuers.
    Subject,
}

impl SignalError {
    /// What the transmitter is told, in one word.
    ///
    /// SPEC: RFC 8935 2.4: the registered error codes.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Issuer => "invalid_issuer",
            Self::Audience => "invalid_audience",
            Self::Algorithm | Self::Key => "invalid_key",
            Self::Signature => "authentication_failed",
            Self::Form(_)
            | Self::Header(_)
            | Self::Type
            | Self::Claims
            | Self::OtherToken
            | Self::Time
            | Self::Events
            | Self::Event
            | Self::Payload
            | Self::Subject => "invalid_request",
        }
    }
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form(fault) | Self::Header(fault) => return fault.fmt(f),
            Self::Type => "typ is not secevent+jwt",
            Self::Claims => "the claims are not one strict JSON object with jti and iat",
            Self::OtherToken => "exp or sub is there, which no SET has",
            Self::Issuer => "iss is another transmitter",
            Self::Algorithm => "the algorithm is not used by this transmitter or for this key",
            Self::Key => "the transmitter has no such key",
            Self::Audience => "aud is another receiver",
            Self::Time => "iat is in the future or too long ago",
            Self::Signature => "the signature does not verify",
            Self::Events => "events is not one event",
            Self::Event => "the type of the event is not known",
            Self::Payload => "the event lacks what its type requires",
            Self::Subject => "the subject cannot be told to be a user or session of this transmitter's issuers",
        })
    }
}

impl core::error::Error for SignalError {}
