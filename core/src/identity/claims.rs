//! Reading claims: times and audience before the signature, the shape of everything else after it.
//!
//! Must never coerce: a claim of the wrong type refuses the token, it is not treated as absent. Steps 6 and 8 of the
//! pipeline; RFC 7519 4.1, RFC 9068 2.2, RFC 8693 4.1 and 4.4.

use super::Actor;
use super::ClaimNames;
use super::Fault;
use super::Issuer;
use super::Side;
use super::issuer::find;
use super::token::Verified;
use crate::json::Object;
use crate::json::Value;
use crate::limits::AUDIENCES_MAX;
use crate::limits::CHAIN_MAX;
use crate::limits::CLAIM_TEXT_BYTES_MAX;
use crate::limits::GROUPS_MAX;
use crate::limits::SCOPES_MAX;
use crate::time::UnixTime;

/// Checks `exp`, `iat` and `nbf` against `now`, and the token's life against the profile. Answers with `exp`.
///
/// SPEC: RFC 7519 4.1.4 and 4.1.5: MUST NOT be accepted on or after `exp` or before `nbf`, but for a small leeway.
pub(super) fn times(claims: Object<'_>, issuer: &Issuer, side: Side, now: UnixTime) -> Result<UnixTime, Fault> {
    let moment = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_u64()
            .map(UnixTime::from_secs)
            .map(Some)
            .ok_or(Fault::TimeShape),
    };
    let expires = moment("exp")?.ok_or(Fault::TimeShape)?;
    let issued = match moment("iat")? {
        None if issuer.dialect.svid => now,
        issued => issued.ok_or(Fault::TimeShape)?,
    };
    let not_before = moment("nbf")?.unwrap_or(issued);
    if now >= expires.saturating_add(issuer.leeway) {
        return Err(Fault::Expired);
    }
    if issued.max(not_before) > now.saturating_add(issuer.leeway) {
        return Err(Fault::NotYetValid);
    }
    if expires <= issued || expires.since(issued) > issuer.lifetime(side == Side::Agent) {
        return Err(Fault::Lifetime);
    }
    Ok(expires)
}

/// Refuses a token that does not name this gate.
///
/// SPEC: RFC 7519 4.1.3: the audience MUST be a string or an array of strings, and one of them MUST be ours.
pub(super) fn audience(claims: Object<'_>, issuer: &Issuer) -> Result<(), Fault> {
    let ours = |audience: &str| issuer.audiences.iter().any(|ours| ours == audience);
    let named = claims.get("aud").ok_or(Fault::Audience)?;
    if let Some(one) = named.as_str() {
        return if ours(one) { Ok(()) } else { Err(Fault::Audience) };
    }
    let several = named
        .as_array()
        .filter(|several| several.len() <= AUDIENCES_MAX)
        .ok_or(Fault::Audience)?;
    let mut found = false;
    for audience in several.iter() {
        found |= ours(audience.as_str().ok_or(Fault::Audience)?);
    }
    if found { Ok(()) } else { Err(Fault::Audience) }
}

/// Reads every claim that is used. The caller has checked times, audience and signature.
pub(super) fn read(claims: Object<'_>, issuer: &Issuer, side: Side, expires: UnixTime) -> Result<Verified, Fault> {
    // SPEC: RFC 9068 2.2: sub is REQUIRED, also where another claim is the id here.
    required(claims, "sub", Fault::Subject)?;
    read_answer(claims, issuer, side, expires)
}

/// As [`read`] for the answer of an introspection, where `sub` is optional (RFC 7662 2.2): a client's own token without
/// one is the client's.
pub(super) fn read_answer(
    claims: Object<'_>,
    issuer: &Issuer,
    side: Side,
    expires: UnixTime,
) -> Result<Verified, Fault> {
    let chain = chain(claims, &issuer.claims.chain)?;
    // A token in the agent's place that has an actor is a delegated one: its subject is the user.
    let is_agent = side == Side::Agent && chain.is_empty();
    let id = if is_agent {
        &issuer.claims.agent
    } else {
        &issuer.claims.user
    };
    let groups = if is_agent {
        Vec::new()
    } else {
        groups(claims, &issuer.claims.groups)?
    };
    let client = client(claims, &issuer.claims.client)?;
    let subject = match optional(claims, id, Fault::Subject)? {
        // SPEC: RFC 9068 2.2: without a user the subject is the client.
        None if is_agent && id == "sub" => client.clone(),
        subject => subject,
    }
    .ok_or(Fault::Subject)?;
    if issuer.dialect.svid && !is_of(&subject, &issuer.issuer) {
        return Err(Fault::Subject);
    }
    // SPEC: RFC 9700 4.15: a client acting on its own behalf must not pass for a user.
    let signs = &issuer.dialect.client_signs;
    if !is_agent && (client.as_ref() == Some(&subject) || signs.iter().any(|sign| sign.is_on(claims, &subject))) {
        return Err(Fault::SubjectIsAgent);
    }
    Ok(Verified {
        issuer: issuer.issuer.clone(),
        profile: issuer.name.clone(),
        subject,
        client,
        groups,
        chain,
        may_act: claims
            .get("may_act")
            .map(|value| actor(value, Fault::MayAct))
            .transpose()?,
        expires,
        leeway: issuer.leeway,
        auth_time: match claims.get("auth_time") {
            None => None,
            Some(value) => Some(UnixTime::from_secs(value.as_u64().ok_or(Fault::AuthFacts)?)),
        },
        acr: optional(claims, "acr", Fault::AuthFacts)?,
        amr: match claims.get("amr") {
            None => Vec::new(),
            Some(value) => texts(value, SCOPES_MAX, Fault::AuthFacts)?,
        },
        scopes: scopes(claims, &issuer.claims)?,
        jti: optional(claims, "jti", Fault::AuthFacts)?,
        bound: None,
        sid: optional(claims, "sid", Fault::AuthFacts)?,
        // Only an SVID may lack it, and is then as old as can be.
        issued: claims
            .get("iat")
            .and_then(Value::as_u64)
            .map_or(UnixTime::default(), UnixTime::from_secs),
        recheck: None,
    })
}

/// SPEC: SPIFFE-ID 2: the trust domain, and a path after it.
pub(super) fn is_of(subject: &str, domain: &str) -> bool {
    subject
        .strip_prefix(domain)
        .is_some_and(|path| path.len() > 1 && path.starts_with('/'))
}

/// A bounded text that can be shown in a log or used as an id: not empty, no control characters.
fn text(value: Value<'_>, fault: Fault) -> Result<String, Fault> {
    let text = value.as_str().ok_or(fault)?;
    if text.is_empty() || text.len() > CLAIM_TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(fault);
    }
    Ok(text.to_owned())
}

fn optional(claims: Object<'_>, name: &str, fault: Fault) -> Result<Option<String>, Fault> {
    find(claims, name).map(|value| text(value, fault)).transpose()
}

fn required(claims: Object<'_>, name: &str, fault: Fault) -> Result<String, Fault> {
    optional(claims, name, fault)?.ok_or(fault)
}

fn texts(value: Value<'_>, max: usize, fault: Fault) -> Result<Vec<String>, Fault> {
    let items = value.as_array().filter(|items| items.len() <= max).ok_or(fault)?;
    items.iter().map(|item| text(item, fault)).collect()
}

fn client(claims: Object<'_>, names: &[String]) -> Result<Option<String>, Fault> {
    let mut client = None;
    for name in names {
        let named = optional(claims, name, Fault::Client)?;
        match (&client, &named) {
            (Some(one), Some(other)) if one != other => return Err(Fault::Client),
            _ => client = client.or(named),
        }
    }
    Ok(client)
}

/// SPEC: RFC 6749 3.3: a list of space-delimited strings.
fn scopes(claims: Object<'_>, names: &ClaimNames) -> Result<Vec<String>, Fault> {
    let Some(value) = find(claims, &names.scope) else {
        return Ok(Vec::new());
    };
    if names.scope_is_array {
        return texts(value, SCOPES_MAX, Fault::Scope);
    }
    let list = value.as_str().ok_or(Fault::Scope)?;
    if list.chars().any(char::is_control) || list.split(' ').count() > SCOPES_MAX {
        return Err(Fault::Scope);
    }
    Ok(list
        .split(' ')
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect())
}

fn groups(claims: Object<'_>, name: &str) -> Result<Vec<String>, Fault> {
    // SPEC: OpenID Connect Core 5.6.2: claims that are somewhere else. Nothing from a token is ever fetched.
    if claims.get("_claim_names").is_some() {
        return Err(Fault::GroupsElsewhere);
    }
    find(claims, name).map_or(Ok(Vec::new()), |value| texts(value, GROUPS_MAX, Fault::Groups))
}

/// SPEC: RFC 8693 4.1: the outermost `act` is the current actor, nested ones came before it.
fn chain(claims: Object<'_>, name: &str) -> Result<Vec<Actor>, Fault> {
    let mut chain = Vec::new();
    let mut next = claims.get(name);
    while let Some(value) = next {
        if chain.len() == CHAIN_MAX {
            return Err(Fault::Actor);
        }
        chain.push(actor(value, Fault::Actor)?);
        next = value.get(name);
    }
    Ok(chain)
}

fn actor(value: Value<'_>, fault: Fault) -> Result<Actor, Fault> {
    let members = value.as_object().ok_or(fault)?;
    Ok(Actor {
        issuer: optional(members, "iss", fault)?,
        subject: required(members, "sub", fault)?,
    })
}
