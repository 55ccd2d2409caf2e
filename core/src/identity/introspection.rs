//! Opaque tokens: which issuer is asked about one, and what its answer proves.
//!
//! Asking is the appliance's business. Must never judge an answer more kindly than a token of the same issuer that can be
//! read, and never hold a token: what is kept is found by a digest.
//!
//! SPEC: RFC 7662 2.2 (the answer) and 4 (how long it may be kept); RFC 6750 2.1 (the form of a token); RFC 9449 6.2.

use core::fmt;

use super::Binding;
use super::Fault;
use super::Issuer;
use super::Presented;
use super::Side;
use super::api_key;
use super::claims;
use super::token::Verified;
use super::trust::Trust;
use crate::json;
use crate::json::Object;
use crate::json::Scratch;
use crate::json::Value;
use crate::limits::INTROSPECTION_BYTES_MAX;
use crate::limits::INTROSPECTION_REFUSED_TTL;
use crate::limits::INTROSPECTION_TTL;
use crate::limits::OPAQUE_TOKEN_BYTES_MIN;
use crate::time::UnixTime;

const LIMITS: json::Limits = json::Limits {
    bytes: INTROSPECTION_BYTES_MAX,
    ..json::Limits::TOKEN
};

/// What an issuer answered about one opaque token. It proves nothing before it is judged.
pub struct Introspected {
    answer: Vec<u8>,
    active: bool,
    until: UnixTime,
}

impl Introspected {
    /// Takes an `answer` of any content, which was `asked` for and `came` at those moments.
    #[must_use]
    pub fn new(answer: Vec<u8>, asked: UnixTime, came: UnixTime) -> Self {
        let (active, end) = outline(&answer);
        let shortly = came.saturating_add(INTROSPECTION_REFUSED_TTL);
        let end = end.unwrap_or(asked).min(asked.saturating_add(INTROSPECTION_TTL));
        Self {
            answer,
            active,
            until: if active { end.max(shortly) } else { shortly },
        }
    }

    /// Until when nobody need be asked again: a minute from when this was asked for if the token is active and lasts that
    /// long, a few seconds from when it came if not.
    #[must_use]
    pub const fn until(&self) -> UnixTime {
        self.until
    }

    /// Whether the issuer says that the token is active. Whether it is good for this gate is judged elsewhere.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.active
    }
}

impl fmt::Debug for Introspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspected")
            .field("active", &self.active)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// What an issuer said, and of which token.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// What the caller presented.
    pub presented: Presented<'a>,
    /// Which of it was asked about.
    pub side: Side,
    /// The answer.
    pub answer: &'a Introspected,
}

impl<'a> Said<'a> {
    pub(super) fn token(&self) -> &'a [u8] {
        self.presented.on(self.side)
    }
}

/// Where opaque tokens may come from: the profile's name, and what its tokens begin with.
#[derive(Clone, Debug)]
pub(super) struct Opaque {
    pub(super) issuer: String,
    pub(super) prefix: String,
}

/// `token` without its padding if it may be an opaque one: of the form of a bearer token, long enough that nobody can guess
/// it, and not three parts with dots between them, which are a JWS, whatever is wrong with it.
///
/// SPEC: RFC 6750 2.1: b64token.
pub(crate) fn opaque(token: &[u8]) -> Option<&[u8]> {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let text = &token[..token.len() - padding];
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    let is_opaque = text.len() >= OPAQUE_TOKEN_BYTES_MIN
        && text.iter().all(is_plain)
        && memchr::memchr_iter(b'.', text).count() != 2;
    is_opaque.then_some(text)
}

impl Trust {
    /// Lets the issuer profile of that name be asked about opaque tokens that begin with `prefix`, which may be empty.
    /// INVARIANT: the generation must be a new one.
    pub fn introspect(&mut self, issuer: &str, prefix: &str) {
        self.opaque.push(Opaque {
            issuer: issuer.to_owned(),
            prefix: prefix.to_owned(),
        });
    }

    /// The one profile that is asked about this token when it is presented on `side`. Where several could be, none is: a
    /// token is shown to nobody but its issuer, and an API key to nobody at all.
    pub(super) fn introspector(&self, token: &[u8], side: Side) -> Option<&Issuer> {
        if self.opaque.is_empty() || api_key::is_meant(token) || opaque(token).is_none() {
            return None;
        }
        let mut fitting = self
            .opaque
            .iter()
            .filter(|opaque| token.starts_with(opaque.prefix.as_bytes()))
            .filter_map(|opaque| self.issuers().iter().find(|issuer| issuer.name == opaque.issuer))
            .filter(|issuer| match side {
                Side::Agent => issuer.roles.agent,
                Side::User => issuer.roles.user,
                Side::Pair => false,
            });
        let one = fitting.next()?;
        fitting.next().is_none().then_some(one)
    }
}

/// Judges what an issuer said.
pub(super) fn judge(said: &Said<'_>, trust: &Trust, scratch: &mut Scratch, now: UnixTime) -> Result<Verified, Fault> {
    let (side, answer) = (said.side, said.answer);
    let issuer = trust.introspector(said.token(), side).ok_or(Fault::Issuer)?;
    let document = json::parse(&answer.answer, scratch, &LIMITS).map_err(|_| Fault::Answer)?;
    let members = document.root().as_object().ok_or(Fault::Answer)?;
    if !is_active(members)? {
        return Err(Fault::Inactive);
    }
    // SPEC: RFC 7662 2.2: optional; what is there must be the issuer's.
    if let Some(iss) = members.get("iss")
        && iss.as_str() != Some(&issuer.issuer)
    {
        return Err(Fault::Issuer);
    }
    let bound = Binding::read(members)?;
    refuse_kind(members, bound)?;
    let expires = claims::times(members, issuer, side, now)?;
    claims::audience(members, issuer)?;
    let verified = claims::read_answer(members, issuer, side, expires)?;
    verified.refuse_withdrawn(side, trust)?;
    Ok(Verified {
        bound,
        recheck: Some(answer.until),
        ..verified
    })
}

/// Introspection answers for refresh tokens, too (RFC 7662 2.1), which must never pass for access tokens. Those have a
/// token type, and no other use is named.
fn refuse_kind(members: Object<'_>, bound: Option<Binding>) -> Result<(), Fault> {
    let token_type = members.get("token_type").and_then(Value::as_str).ok_or(Fault::Type)?;
    if let Some(used) = members.get("token_use")
        && !used
            .as_str()
            .is_some_and(|used| matches!(used, "access_token" | "access"))
    {
        return Err(Fault::Type);
    }
    if token_type.eq_ignore_ascii_case("bearer") {
        return Ok(());
    }
    if !token_type.eq_ignore_ascii_case("dpop") {
        return Err(Fault::Type);
    }
    // SPEC: RFC 9449 6.2: the key is in cnf.
    match bound {
        Some(Binding::Key(_)) => Ok(()),
        _ => Err(Fault::Confirmation),
    }
}

fn is_active(members: Object<'_>) -> Result<bool, Fault> {
    members.get("active").and_then(Value::as_bool).ok_or(Fault::Answer)
}

/// Whether `answer` says that the token is active, and when it says that the token ends.
fn outline(answer: &[u8]) -> (bool, Option<UnixTime>) {
    let mut scratch = Scratch::new();
    let document = json::parse(answer, &mut scratch, &LIMITS).ok();
    let Some(members) = document.as_ref().and_then(|document| document.root().as_object()) else {
        return (false, None);
    };
    let end = members.get("exp").and_then(Value::as_u64).map(UnixTime::from_secs);
    (is_active(members).unwrap_or(false), end)
}
