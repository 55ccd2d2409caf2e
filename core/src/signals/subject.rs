//! About whom an event is: users and sessions of the issuers that a transmitter may speak about.
//!
//! Must never take part of a subject for the whole of it: what narrows a subject and cannot be told apart here (a
//! device, an application) leaves the user, never nobody.
//!
//! SPEC: RFC 9493 3; OpenID Shared Signals Framework 1.0, 3 (complex subjects, `jwt_id`).

use std::collections::BTreeSet;

use super::NamedBy;
use super::SignalError;
use super::SubjectIssuer;
use super::set::text;
use crate::json::Object;
use crate::json::Value;
use crate::limits::CLAIM_TEXT_BYTES_MAX;
use crate::limits::SIGNAL_ALIASES_MAX;

/// Something at an issuer: its exact `iss`, and the id there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) issuer: String,
    pub(super) id: String,
}

/// What of a subject means something here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subject {
    /// The user; under several names only for aliases.
    pub(super) users: Vec<At>,
    /// The login session, by `sid`; once per issuer if the subject does not say which one.
    pub(super) sessions: Vec<At>,
    /// The user's device, in one text.
    pub(super) device: Option<String>,
    /// A single token, by `jti`.
    pub(super) token: Option<At>,
}

/// Reads a `sub_id`. Of a complex one nothing may mean anything here; the event judges that.
pub(super) fn read(sub_id: Object<'_>, known: &[SubjectIssuer]) -> Result<Subject, SignalError> {
    let mut subject = Subject::default();
    match format(sub_id)? {
        "complex" => complex(sub_id, known, &mut subject)?,
        // SPEC: CAEP 1.0, 3.1: a session. Stream events name their stream in this way, and do nothing.
        "opaque" => {
            let issuers = known.iter().map(|known| known.issuer.clone());
            subject.sessions = everywhere(owned(sub_id, "id")?, issuers);
        }
        "jwt_id" => subject.token = Some(at(sub_id, "jti", known)?),
        _ => subject.users = users(sub_id, known)?,
    }
    Ok(subject)
}

/// SPEC: Shared Signals Framework 1.0: all members describe one subject.
fn complex(sub_id: Object<'_>, known: &[SubjectIssuer], subject: &mut Subject) -> Result<(), SignalError> {
    let member = |name| match sub_id.get(name).map(Value::as_object) {
        None => Ok(None),
        Some(Some(member)) => Ok(Some(member)),
        Some(None) => Err(SignalError::Subject),
    };
    let (user, session) = (member("user")?, member("session")?);
    let mut issuers: BTreeSet<String> = known.iter().map(|known| known.issuer.clone()).collect();
    if let Some(user) = user {
        if format(user)? == "iss_sub" {
            issuers = BTreeSet::from([at(user, "sub", known)?.issuer]);
        }
        subject.users = match users(user, known) {
            // The session says enough, whatever the gate calls its user.
            Err(_) if session.is_some() => Vec::new(),
            users => users?,
        };
    }
    if let Some(device) = member("device")? {
        subject.device = Some(device_name(device)?);
    }
    if let Some(session) = session {
        subject.sessions = match format(session)? {
            "iss_sub" => vec![at(session, "sub", known)?],
            "opaque" => everywhere(owned(session, "id")?, issuers),
            _ => return Err(SignalError::Subject),
        };
    }
    Ok(())
}

/// One text for one device. No user or session is found by it, so that its issuer may be anybody.
fn device_name(device: Object<'_>) -> Result<String, SignalError> {
    match format(device)? {
        "opaque" => owned(device, "id"),
        "iss_sub" => Ok(format!("{} {}", owned(device, "iss")?, owned(device, "sub")?)),
        // Another form names a device all the same: as it is written.
        _ => Ok(String::from_utf8_lossy(device.value().raw())
            .chars()
            .take(CLAIM_TEXT_BYTES_MAX)
            .collect()),
    }
}

/// The same id at each of `issuers`: which one it is from cannot be told.
fn everywhere(id: String, issuers: impl IntoIterator<Item = String>) -> Vec<At> {
    let at = |issuer| At { issuer, id: id.clone() };
    issuers.into_iter().map(at).collect()
}

/// The user that a simple subject names, if that is one of the known issuers' and named as the gate names users.
fn users(subject: Object<'_>, known: &[SubjectIssuer]) -> Result<Vec<At>, SignalError> {
    let named_by = |wanted| known.iter().filter(move |known| known.named_by == wanted);
    match format(subject)? {
        "iss_sub" => {
            let user = at(subject, "sub", known)?;
            if named_by(NamedBy::Sub).any(|known| known.issuer == user.issuer) {
                Ok(vec![user])
            } else {
                Err(SignalError::Subject)
            }
        }
        "email" => {
            let id = owned(subject, "email")?;
            let user = |known: &SubjectIssuer| At {
                issuer: known.issuer.clone(),
                id: id.clone(),
            };
            some(named_by(NamedBy::Email).map(user).collect())
        }
        "aliases" => {
            let names = subject.get("identifiers").and_then(Value::as_array);
            let names = names.filter(|names| names.len() <= SIGNAL_ALIASES_MAX);
            let mut found = Vec::new();
            for name in names.ok_or(SignalError::Subject)?.iter() {
                let name = name.as_object().ok_or(SignalError::Subject)?;
                // SPEC: RFC 9493 3.2.8: aliases are not nested. Names that mean nothing here are passed over.
                if format(name)? == "aliases" {
                    return Err(SignalError::Subject);
                }
                found.extend(users(name, known).unwrap_or_default());
            }
            some(found)
        }
        _ => Err(SignalError::Subject),
    }
}

fn some(users: Vec<At>) -> Result<Vec<At>, SignalError> {
    if users.is_empty() {
        Err(SignalError::Subject)
    } else {
        Ok(users)
    }
}

fn at(subject: Object<'_>, member: &str, known: &[SubjectIssuer]) -> Result<At, SignalError> {
    let issuer = owned(subject, "iss")?;
    if !known.iter().any(|known| known.issuer == issuer) {
        return Err(SignalError::Subject);
    }
    let id = owned(subject, member)?;
    Ok(At { issuer, id })
}

fn format(subject: Object<'_>) -> Result<&str, SignalError> {
    text(subject.get("format")).ok_or(SignalError::Subject)
}

fn owned(subject: Object<'_>, member: &str) -> Result<String, SignalError> {
    text(subject.get(member)).map(str::to_owned).ok_or(SignalError::Subject)
}
