//! One SET, judged: everything that needs no signature, the signature, and only then what it says.
//!
//! SPEC: RFC 8417 2; OpenID Shared Signals Framework 1.0, 4 (explicit typing, no `exp`, no `sub`).

use super::Signal;
use super::SignalError;
use super::Transmitter;
use super::event;
use super::subject;
use crate::jose::Algorithm;
use crate::jose::base64url;
use crate::jose::jwks::Key;
use crate::jose::jws::Compact;
use crate::jose::jws::Header;
use crate::json;
use crate::json::Object;
use crate::json::Scratch;
use crate::json::Value;
use crate::limits::AUDIENCES_MAX;
use crate::limits::CLAIM_TEXT_BYTES_MAX;
use crate::limits::SIGNAL_AGE_MAX;
use crate::limits::SIGNAL_LEEWAY;
use crate::time::UnixTime;

impl Transmitter {
    /// Judges `set` and says what it means.
    ///
    /// # Errors
    /// The first [`SignalError`] found; nothing that `set` says counts then.
    pub fn read(&self, set: &[u8], scratch: &mut Scratch, now: UnixTime) -> Result<Signal, SignalError> {
        let mut decoded = Vec::new();
        let compact = Compact::split(set).map_err(SignalError::Form)?;
        let header = Header::read(&compact, &mut decoded, scratch).map_err(SignalError::Header)?;
        refuse_type(&header)?;

        base64url::decode_into(compact.payload(), &mut decoded).map_err(|_| SignalError::Claims)?;
        let document = json::parse(&decoded, scratch, &json::Limits::TOKEN).map_err(|_| SignalError::Claims)?;
        let claims = document.root().as_object().ok_or(SignalError::Claims)?;
        if claims.get("exp").is_some() || claims.get("sub").is_some() {
            return Err(SignalError::OtherToken);
        }
        if claims.get("iss").and_then(Value::as_str) != Some(&*self.issuer) {
            return Err(SignalError::Issuer);
        }
        let (key, algorithm) = self.choose_key(&header)?;
        self.refuse_audience(claims)?;
        let issued = issued(claims, now)?;

        compact
            .verify(key.public(), algorithm)
            .map_err(|_| SignalError::Signature)?;

        let id = text(claims.get("jti")).ok_or(SignalError::Claims)?;
        let (name, payload) = the_event(claims)?;
        let subject = claims.get("sub_id").and_then(Value::as_object);
        let subject = subject::read(subject.ok_or(SignalError::Subject)?, &self.subjects)?;
        let (event, effects) = event::effects(name, payload, &subject, issued)?;
        Ok(Signal {
            id: id.to_owned(),
            issued,
            event,
            effects,
        })
    }

    /// SPEC: RFC 8725 3.1: each key is used with exactly one algorithm, and the SET only confirms it.
    fn choose_key(&self, header: &Header) -> Result<(&Key, Algorithm), SignalError> {
        let algorithm = header
            .algorithm
            .filter(|algorithm| self.algorithms.contains(algorithm))
            .ok_or(SignalError::Algorithm)?;
        let key = header.kid.as_deref().and_then(|kid| self.keys.get(kid));
        let key = key.ok_or(SignalError::Key)?;
        if key.algorithm(&self.algorithms) == Some(algorithm) {
            Ok((key, algorithm))
        } else {
            Err(SignalError::Algorithm)
        }
    }

    /// SPEC: RFC 7519 4.1.3: a string or an array of strings, one of which is ours.
    fn refuse_audience(&self, claims: Object<'_>) -> Result<(), SignalError> {
        let named = claims.get("aud").ok_or(SignalError::Audience)?;
        let several = named.as_array().filter(|several| several.len() <= AUDIENCES_MAX);
        let ours = match (named.as_str(), several) {
            (Some(one), _) => one == self.audience,
            (None, Some(several)) => {
                several.iter().all(|one| one.as_str().is_some())
                    && several.iter().any(|one| one.as_str() == Some(&*self.audience))
            }
            (None, None) => false,
        };
        if ours { Ok(()) } else { Err(SignalError::Audience) }
    }
}

/// SPEC: RFC 8417 2.3: `secevent+jwt`, which Shared Signals Framework 1.0 requires. A token for access is no SET.
fn refuse_type(header: &Header) -> Result<(), SignalError> {
    const TYPES: [&str; 2] = ["secevent+jwt", "application/secevent+jwt"];
    let typ = header.typ.as_deref().unwrap_or_default();
    if TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ)) {
        Ok(())
    } else {
        Err(SignalError::Type)
    }
}

fn issued(claims: Object<'_>, now: UnixTime) -> Result<UnixTime, SignalError> {
    let issued = claims.get("iat").and_then(Value::as_u64).ok_or(SignalError::Claims)?;
    let issued = UnixTime::from_secs(issued);
    if issued > now.saturating_add(SIGNAL_LEEWAY) || now.since(issued) > SIGNAL_AGE_MAX {
        return Err(SignalError::Time);
    }
    Ok(issued)
}

/// SPEC: Shared Signals Framework 1.0: `events` SHOULD contain only one event. Two could contradict each other.
fn the_event(claims: Object<'_>) -> Result<(&str, Object<'_>), SignalError> {
    let events = claims.get("events").and_then(Value::as_object);
    let mut events = events.ok_or(SignalError::Events)?.iter();
    match (events.next(), events.next()) {
        (Some((name, payload)), None) => Ok((name, payload.as_object().ok_or(SignalError::Payload)?)),
        _ => Err(SignalError::Events),
    }
}

/// A bounded text that can be shown in a log or used as an id: not empty, no control characters.
pub(super) fn text(value: Option<Value<'_>>) -> Option<&str> {
    let text = value?.as_str()?;
    let good = !text.is_empty() && text.len() <= CLAIM_TEXT_BYTES_MAX && !text.chars().any(char::is_control);
    good.then_some(text)
}
