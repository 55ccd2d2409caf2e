//! To what a token is bound (`cnf`), and which agents need bound tokens.
//!
//! Must never take a confirmation that it does not understand for none at all: a token with one is refused.

use super::Fault;
use super::PeerCertificate;
use super::Proof;
use crate::jose::base64url;
use crate::json::Object;
use crate::json::Value;

/// What its presenter must possess for a token to count (RFC 7800 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// The key of this SHA-256 thumbprint (`jkt`, RFC 9449 6.1), shown by a proof with each request.
    Key([u8; 32]),
    /// The client certificate of this SHA-256 digest (`x5t#S256`, RFC 8705 3.1), shown by the TLS connection.
    Certificate([u8; 32]),
}

/// How firmly an agent's requests must be bound to something that only the agent has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequireBinding {
    /// Not at all: its issuer decides.
    #[default]
    None,
    /// Its own token must be bound.
    Token,
    /// The user's assertion, too: bound to the same, or named by the proof; or one token stands for both.
    Request,
}

impl Binding {
    /// Reads `cnf`; a token without one is not bound.
    ///
    /// # Errors
    ///
    /// [`Fault::Confirmation`] for anything but exactly one member that is understood.
    pub(super) fn read(claims: Object<'_>) -> Result<Option<Self>, Fault> {
        let Some(value) = claims.get("cnf") else {
            return Ok(None);
        };
        let members = value.as_object().filter(|members| members.len() == 1);
        let (name, digest) = members
            .and_then(|members| members.iter().next())
            .ok_or(Fault::Confirmation)?;
        let digest = sha256(digest).ok_or(Fault::Confirmation)?;
        match name {
            "jkt" => Ok(Some(Self::Key(digest))),
            "x5t#S256" => Ok(Some(Self::Certificate(digest))),
            _ => Err(Fault::Confirmation),
        }
    }

    /// Refuses a request that does not show what its token is bound to. INVARIANT: a proof was judged for that very key.
    ///
    /// SPEC: RFC 9449 7.2, RFC 8705 3: a bound token MUST NOT be accepted as a bearer token.
    pub(super) fn refuse_unshown(
        bound: Option<Self>,
        proof: Option<&Proof>,
        certificate: Option<&PeerCertificate>,
    ) -> Result<(), Fault> {
        let shown = match bound {
            None => true,
            Some(Self::Key(_)) => proof.is_some(),
            Some(Self::Certificate(digest)) => certificate.is_some_and(|shown| *shown.digest() == digest),
        };
        if shown { Ok(()) } else { Err(Fault::BoundToken) }
    }

    /// How possession is shown, in one word, for policies and the audit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key(_) => "dpop",
            Self::Certificate(_) => "mtls",
        }
    }
}

impl RequireBinding {
    /// Whether a request meets this whose agent's token is bound to `bound`, and whose assertion is `covered` as well.
    pub(super) const fn is_met(self, bound: Option<Binding>, covered: bool) -> bool {
        match self {
            Self::None => true,
            Self::Token => bound.is_some(),
            Self::Request => bound.is_some() && covered,
        }
    }
}

/// The 32 bytes that a JSON string spells in canonical base64url.
pub(super) fn sha256(value: Value<'_>) -> Option<[u8; 32]> {
    base64url::decode_array(value.as_str()?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Scratch};

    const DIGEST: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn read(claims: &str) -> Result<Option<Binding>, Fault> {
        let mut scratch = Scratch::new();
        let document = json::parse(claims.as_bytes(), &mut scratch, &json::Limits::TOKEN).unwrap();
        Binding::read(document.root().as_object().unwrap())
    }

    #[test]
    fn exactly_one_confirmation_that_is_understood_is_read() {
        let digest = base64url::decode_array(DIGEST.as_bytes()).unwrap();
        assert_eq!(read("{}"), Ok(None));
        let key = format!(r#"{{"cnf":{{"jkt":"{DIGEST}"}}}}"#);
        assert_eq!(read(&key), Ok(Some(Binding::Key(digest))));
        let certificate = format!(r#"{{"cnf":{{"x5t#S256":"{DIGEST}"}}}}"#);
        assert_eq!(read(&certificate), Ok(Some(Binding::Certificate(digest))));
    }

    #[test]
    fn every_other_confirmation_is_refused() {
        for cnf in [
            "null",
            "{}",
            "[]",
            "\"jkt\"",
            r#"{"jkt":""}"#,
            r#"{"jkt":null}"#,
            r#"{"jkt":"AA"}"#,
            &format!(r#"{{"jkt":"{DIGEST}="}}"#),
            &format!(r#"{{"jkt":"{}J"}}"#, &DIGEST[..42]),
            &format!(r#"{{"jkt":["{DIGEST}"]}}"#),
            &format!(r#"{{"JKT":"{DIGEST}"}}"#),
            &format!(r#"{{"jwk":"{DIGEST}"}}"#),
            &format!(r#"{{"jkt":"{DIGEST}","x5t#S256":"{DIGEST}"}}"#),
            &format!(r#"{{"jkt":"{DIGEST}","future":1}}"#),
        ] {
            assert_eq!(read(&format!(r#"{{"cnf":{cnf}}}"#)), Err(Fault::Confirmation), "{cnf}");
        }
    }

    #[test]
    fn a_requirement_is_met_by_no_less_than_it_says() {
        let key = Some(Binding::Key([1; 32]));
        for (required, unbound, bound, covered) in [
            (RequireBinding::None, true, true, true),
            (RequireBinding::Token, false, true, true),
            (RequireBinding::Request, false, false, true),
        ] {
            assert_eq!(required.is_met(None, true), unbound);
            assert_eq!(required.is_met(key, false), bound);
            assert_eq!(required.is_met(key, true), covered);
        }
    }
}
