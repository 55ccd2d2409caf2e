//! Shared signals: what an identity provider says about its sessions and users after it has issued their tokens.
//!
//! Owns the way from one security event token (SET) to what it means for the gate. Follows RFC 8417, RFC 9493, OpenID
//! Shared Signals Framework 1.0 and CAEP 1.0. A SET is believed only if it was made by a configured transmitter, for this
//! gate, about users of issuers that the operator gave to that transmitter.
//!
//! Must never fetch anything, and never pass over an event that it cannot carry out: that one is refused, so that the
//! transmitter and the operator learn of it.
//!
//! | step | what | [`SignalError`] |
//! |---|---|---|
//! | 1 | three segments, a strict JOSE header, `typ` | `Form`, `Header`, `Type` |
//! | 2 | the claims are strict JSON of a SET, not of any other token | `Claims`, `OtherToken` |
//! | 3 | `iss`, algorithm and key, `aud`, `iat` | `Issuer`, `Algorithm`, `Key`, `Audience`, `Time` |
//! | 4 | the signature | `Signature` |
//! | 5 | one known event about somebody we know | `Events`, `Event`, `Payload`, `Subject` |

mod error;
mod event;
mod set;
mod standing;
mod subject;

#[cfg(test)]
mod tests;

use crate::identity::Revocation;
use crate::jose::Algorithm;
use crate::jose::jwks::KeySet;
use crate::time::UnixTime;

pub use self::error::SignalError;
pub use self::standing::About;
pub use self::standing::Remark;
pub use self::standing::Risk;
pub use self::standing::Standing;
pub use self::standing::StandingFull;
pub use self::standing::UserStanding;

/// Who may say something, for whom and about whom: decided by the operator.
#[derive(Clone, Debug)]
pub struct Transmitter {
    /// The exact `iss` of its SETs.
    pub issuer: String,
    /// The `aud` value that means this gate, exact.
    pub audience: String,
    /// The algorithms it signs with.
    pub algorithms: Vec<Algorithm>,
    /// Its keys.
    pub keys: KeySet,
    /// The issuers whose sessions and users it may speak about.
    pub subjects: Vec<SubjectIssuer>,
}

/// An issuer of users, and how a transmitter names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectIssuer {
    /// The exact `iss`.
    pub issuer: String,
    /// What a user's id at the gate is.
    pub named_by: NamedBy,
}

/// Which claim a user's id at the gate is from; a subject in another form cannot be told to be that user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// `sub`: subjects of the format `iss_sub`.
    Sub,
    /// `email`: subjects of the format `email`, compared byte for byte.
    Email,
}

/// What a SET says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its `jti`.
    pub id: String,
    /// Its `iat`: everything it says holds for what was issued until then.
    pub issued: UnixTime,
    /// The event, in one word.
    pub event: &'static str,
    /// What is to be done; nothing, if the event only informs.
    pub effects: Vec<Effect>,
}

/// What an event has the gate do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Shut this off.
    Revoke(Revocation),
    /// Let policies know this.
    Note(Remark),
}
