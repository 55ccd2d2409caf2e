//! What each type of event means for the gate.
//!
//! SPEC: CAEP 1.0, 3; OpenID Shared Signals Framework 1.0 (stream events).

use core::time::Duration;

use super::About;
use super::Effect;
use super::Remark;
use super::Risk;
use super::SignalError;
use super::set::text;
use super::subject::At;
use super::subject::Subject;
use crate::identity::Revocation;
use crate::json::Object;
use crate::json::Value;
use crate::time::UnixTime;

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

/// The word for the event `name`, and what it has the gate do.
pub(super) fn effects(
    name: &str,
    payload: Object<'_>,
    subject: &Subject,
    issued: UnixTime,
) -> Result<(&'static str, Vec<Effect>), SignalError> {
    if let Some(stream) = name.strip_prefix(SSF) {
        return match stream {
            "verification" => Ok(("verification", Vec::new())),
            "stream-updated" => Ok(("stream-updated", Vec::new())),
            _ => Err(SignalError::Event),
        };
    }
    let required = |member| text(payload.get(member)).ok_or(SignalError::Payload);
    match name.strip_prefix(CAEP).ok_or(SignalError::Event)? {
        "session-revoked" => Ok(("session-revoked", session_revoked(subject, issued)?)),
        "credential-change" => {
            required("credential_type")?;
            let effects = match required("change_type")? {
                // What is added takes nothing away.
                "create" => Vec::new(),
                "revoke" | "update" | "delete" => older_tokens(subject, issued)?,
                _ => return Err(SignalError::Payload),
            };
            Ok(("credential-change", effects))
        }
        "token-claims-change" => {
            let claims = payload.get("claims").and_then(Value::as_object);
            claims.ok_or(SignalError::Payload)?;
            let effects = match &subject.token {
                Some(token) => vec![one_token(token)],
                None => older_tokens(subject, issued)?,
            };
            Ok(("token-claims-change", effects))
        }
        "device-compliance-change" => {
            let compliant = |status| match status {
                "compliant" => Ok(true),
                "not-compliant" => Ok(false),
                _ => Err(SignalError::Payload),
            };
            compliant(required("previous_status")?)?;
            let about = About::Device {
                device: subject.device.clone().unwrap_or_default(),
                compliant: compliant(required("current_status")?)?,
            };
            Ok(("device-compliance-change", remarks(subject, &about, issued)?))
        }
        "risk-level-change" => {
            let risk = Risk::from_caep(required("current_level")?).ok_or(SignalError::Payload)?;
            // The risk of a device or a session would have to be forgotten with it; that of a group has no user.
            if required("principal")? != "USER" {
                return Err(SignalError::Subject);
            }
            Ok(("risk-level-change", remarks(subject, &About::Risk(risk), issued)?))
        }
        "assurance-level-change" => Ok(("assurance-level-change", Vec::new())),
        "session-established" => Ok(("session-established", Vec::new())),
        "session-presented" => Ok(("session-presented", Vec::new())),
        _ => Err(SignalError::Event),
    }
}

/// The session where it is named, else everything of the user that is older.
fn session_revoked(subject: &Subject, issued: UnixTime) -> Result<Vec<Effect>, SignalError> {
    if let Some(token) = &subject.token {
        return Ok(vec![one_token(token)]);
    }
    if subject.sessions.is_empty() {
        return older_tokens(subject, issued);
    }
    let sessions = subject.sessions.iter().map(|At { issuer, id }| {
        Effect::Revoke(Revocation::Session {
            issuer: issuer.clone(),
            session: id.clone(),
        })
    });
    Ok(sessions.collect())
}

fn one_token(At { issuer, id }: &At) -> Effect {
    Effect::Revoke(Revocation::Token {
        issuer: issuer.clone(),
        id: id.clone(),
    })
}

/// The same remark about every name of the user.
fn remarks(subject: &Subject, about: &About, issued: UnixTime) -> Result<Vec<Effect>, SignalError> {
    if subject.users.is_empty() {
        return Err(SignalError::Subject);
    }
    let effects = subject.users.iter().map(|At { issuer, id }| {
        Effect::Note(Remark {
            issuer: issuer.clone(),
            user: id.clone(),
            issued,
            about: about.clone(),
        })
    });
    Ok(effects.collect())
}

/// Every token of the user that was issued until the SET was. Tokens say whole seconds: those of that very second die, too.
fn older_tokens(subject: &Subject, issued: UnixTime) -> Result<Vec<Effect>, SignalError> {
    if subject.users.is_empty() {
        return Err(SignalError::Subject);
    }
    let issued_before = issued.saturating_add(Duration::from_secs(1));
    let effects = subject.users.iter().map(|At { issuer, id }| {
        Effect::Revoke(Revocation::UserBefore {
            issuer: issuer.clone(),
            user: id.clone(),
            issued_before,
        })
    });
    Ok(effects.collect())
}
