//! One token, judged alone: steps 4 to 10 of the pipeline, in their order.
//!
//! Must never let a later step run before an earlier one has passed: what costs a signature comes after everything that
//! does not, and what a token says is only used after its signature.

use core::time::Duration;

use super::Actor;
use super::Binding;
use super::Fault;
use super::Issuer;
use super::Side;
use super::api_key;
use super::claims;
use super::trust::AgentState;
use super::trust::Trust;
use crate::jose::Algorithm;
use crate::jose::base64url;
use crate::jose::jwks::Key;
use crate::jose::jws::Compact;
use crate::jose::jws::Header;
use crate::json;
use crate::json::Object;
use crate::json::Scratch;
use crate::json::Value;
use crate::time::UnixTime;

/// What one token proves. Owns everything; nothing is borrowed from the token.
pub(super) struct Verified {
    /// The exact `iss`.
    pub(super) issuer: String,
    /// The name of the issuer profile.
    pub(super) profile: String,
    /// The agent's or the user's id; in a delegated token the user's.
    pub(super) subject: String,
    /// The client that the token was issued to.
    pub(super) client: Option<String>,
    /// The user's groups.
    pub(super) groups: Vec<String>,
    /// The current actor first; empty unless the token is delegated.
    pub(super) chain: Vec<Actor>,
    /// The party that the user allows to act.
    pub(super) may_act: Option<Actor>,
    /// `exp`
    pub(super) expires: UnixTime,
    /// The issuer's leeway on `expires`.
    pub(super) leeway: Duration,
    pub(super) auth_time: Option<UnixTime>,
    pub(super) acr: Option<String>,
    pub(super) amr: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) jti: Option<String>,
    /// What its presenter must possess.
    pub(super) bound: Option<Binding>,
    pub(super) sid: Option<String>,
    /// `iat`
    pub(super) issued: UnixTime,
    /// When its issuer must be asked again, if it is opaque.
    pub(super) recheck: Option<UnixTime>,
}

/// The reusable memory of a verification.
pub(super) struct Workspace<'w> {
    pub(super) decoded: &'w mut Vec<u8>,
    pub(super) scratch: &'w mut Scratch,
    /// The issuer profile whose keys lack the one that the token names.
    pub(super) lacking: &'w mut Option<String>,
}

/// Judges `token`, presented on `side`.
pub(super) fn verify(
    token: &[u8],
    side: Side,
    trust: &Trust,
    workspace: &mut Workspace<'_>,
    now: UnixTime,
) -> Result<Verified, Fault> {
    let Workspace {
        decoded,
        scratch,
        lacking,
    } = workspace;
    if side == Side::Agent && api_key::is_meant(token) {
        let verified = api_key::verify(token, trust, now)?;
        verified.refuse_withdrawn(side, trust)?;
        return Ok(verified);
    }
    let compact = Compact::split(token).map_err(Fault::Form)?;
    let header = Header::read(&compact, decoded, scratch).map_err(Fault::Header)?;

    base64url::decode_into(compact.payload(), decoded).map_err(|_| Fault::ClaimsEncoding)?;
    let document = json::parse(decoded, scratch, &json::Limits::TOKEN).map_err(|_| Fault::ClaimsEncoding)?;
    let members = document.root().as_object().ok_or(Fault::ClaimsEncoding)?;
    let text = |name| members.get(name).and_then(Value::as_str);
    let issuer = text("iss")
        .and_then(|iss| trust.issuer(iss, side))
        .or_else(|| trust.domain_of(text("sub")?, side))
        .ok_or(Fault::Issuer)?;

    refuse_type(&header, members, issuer)?;
    let (key, algorithm) = choose_key(&header, issuer).inspect_err(|fault| {
        if *fault == Fault::Key && header.kid.is_some() {
            **lacking = Some(issuer.name.clone());
        }
    })?;
    let expires = claims::times(members, issuer, side, now)?;
    claims::audience(members, issuer)?;

    compact.verify(key.public(), algorithm).map_err(|_| Fault::Signature)?;

    let verified = claims::read(members, issuer, side, expires)?;
    verified.refuse_withdrawn(side, trust)?;
    let bound = Binding::read(members)?;
    Ok(Verified { bound, ..verified })
}

/// SPEC: RFC 7515 4.1.9: a media type, without letter case, from which `application/` may be left out.
/// SPEC: RFC 8725 3.11: explicit typing keeps one kind of token from passing for another.
fn refuse_type(header: &Header, claims: Object<'_>, issuer: &Issuer) -> Result<(), Fault> {
    const PREFIX: &str = "application/";
    let typ = header
        .typ
        .as_deref()
        .map(|written| match written.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
            _ => written,
        });
    let says_so = |typ: &str| issuer.types.iter().any(|used| used.eq_ignore_ascii_case(typ));
    if typ.is_some_and(says_so) || issuer.dialect.tells(typ, claims) {
        Ok(())
    } else {
        Err(Fault::Type)
    }
}

/// SPEC: RFC 8725 3.1: each key is used with exactly one algorithm, and the token only confirms it.
fn choose_key<'i>(header: &Header, issuer: &'i Issuer) -> Result<(&'i Key, Algorithm), Fault> {
    let algorithm = header
        .algorithm
        .filter(|algorithm| issuer.algorithms.contains(algorithm))
        .ok_or(Fault::Algorithm)?;
    let key = header
        .kid
        .as_deref()
        .and_then(|kid| issuer.keys.get(kid))
        .ok_or(Fault::Key)?;
    if key.algorithm(&issuer.algorithms) == Some(algorithm) {
        Ok((key, algorithm))
    } else {
        Err(Fault::KeyAlgorithm)
    }
}

impl Verified {
    /// Whether an actor is named beside the subject.
    pub(super) fn is_delegated(&self) -> bool {
        !self.chain.is_empty()
    }

    /// The exact `iss` and the id of the agent that this token, presented in the agent's place, names.
    pub(super) fn agent(&self) -> (&str, &str) {
        match self.chain.first() {
            Some(actor) => (actor.issuer.as_deref().unwrap_or(&self.issuer), &actor.subject),
            None => (&self.issuer, &self.subject),
        }
    }

    /// Refuses agents that are not registered and active, and agents that pose as users.
    pub(super) fn refuse_withdrawn(&self, side: Side, trust: &Trust) -> Result<(), Fault> {
        if side == Side::Agent {
            let (iss, subject) = self.agent();
            match trust.agent(iss, subject).map(|agent| agent.state) {
                None => return Err(Fault::AgentUnknown),
                Some(AgentState::Suspended) => return Err(Fault::AgentSuspended),
                Some(AgentState::Revoked) => return Err(Fault::AgentRevoked),
                Some(AgentState::Active) => {}
            }
        }
        let names_user = side == Side::User || self.is_delegated();
        if names_user && trust.agent(&self.issuer, &self.subject).is_some() {
            return Err(Fault::SubjectIsAgent);
        }
        Ok(())
    }
}
