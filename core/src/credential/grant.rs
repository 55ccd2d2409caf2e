//! What an authorization server answers to the gate, held against what was asked: never wider, never longer, never for
//! somebody else.
//!
//! Must never take more than was asked for, and must never keep a refresh token: what is not read is not kept.
//!
//! SPEC: RFC 6749 5.1, 5.2; RFC 8693 2.2, 4.1; RFC 8707 2; RFC 9470 3.

use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use crate::jose::base64url;
use crate::jose::jws::Compact;
use crate::json::{self, Object, Scratch, Value};
use crate::limits::{GRANT_BYTES_MAX, GRANT_LIFETIME_UNTOLD, TOKEN_BYTES_MAX};
use crate::time::UnixTime;

/// The type URNs of RFC 8693 3 that are access tokens.
const ACCESS_TOKEN: [&str; 2] = [
    "urn:ietf:params:oauth:token-type:access_token",
    "urn:ietf:params:oauth:token-type:jwt",
];
/// The type URN of an ID-JAG.
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// What kind of token was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An access token by a plain grant.
    Access,
    /// An access token by RFC 8693: the answer says which type it issued.
    Exchanged,
    /// An assertion for another authorization server, which no resource accepts.
    IdJag,
}

/// What was asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The kind of token.
    pub kind: Kind,
    /// The scopes, space-delimited; empty for whatever the client has.
    pub scope: &'a str,
    /// What a readable token's `aud` must name; any of them.
    pub targets: &'a [String],
    /// The `sub` that a readable token must have as its current actor. The token must be readable then.
    pub actor: Option<&'a str>,
    /// The end of what it was asked with.
    pub until: UnixTime,
    /// The longest that it may be used.
    pub max_lifetime: Duration,
}

/// A token of an authorization server, for one server behind the gate. Wiped when it is dropped.
#[derive(PartialEq, Eq)]
pub struct Obtained {
    token: Zeroizing<Vec<u8>>,
    scope: String,
    id: Option<String>,
    issued: UnixTime,
    expires: UnixTime,
}

impl fmt::Debug for Obtained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Obtained")
            .field("id", &self.id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Why an answer is not taken. One variant per deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantFault {
    /// Not one strict JSON object with what RFC 6749 5.1 requires.
    Shape,
    /// `token_type` is not what a server behind the gate can be shown: `N_A`, or one that needs proofs.
    TokenType,
    /// `issued_token_type` is absent or another one than was asked for.
    IssuedType,
    /// The token is too long, or cannot stand in a header.
    Token,
    /// More scopes than were asked for.
    Wider,
    /// The token's `aud` names somebody else.
    Target,
    /// Nobody, or somebody else, acts in the token, or it cannot be read.
    Unattributed,
    /// It is bound to a key or certificate (`cnf`), of which the server is shown nothing.
    Bound,
    /// It has ended already.
    Expired,
}

impl Obtained {
    /// Takes the successful `answer` to what was `asked`.
    ///
    /// # Errors
    /// The first [`GrantFault`] found.
    pub fn accept(answer: &[u8], asked: &Asked<'_>, now: UnixTime) -> Result<Self, GrantFault> {
        let mut scratch = Scratch::new();
        let document = json::parse(answer, &mut scratch, &LIMITS).map_err(|_| GrantFault::Shape)?;
        let members = document.root().as_object().ok_or(GrantFault::Shape)?;
        refuse_types(members, asked.kind)?;
        let token = text(members, "access_token")?.ok_or(GrantFault::Shape)?;
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(GrantFault::Token);
        }
        let scope = text(members, "scope")?.unwrap_or(asked.scope);
        if !is_within(scope, asked.scope) {
            return Err(GrantFault::Wider);
        }
        let lifetime = match members.get("expires_in") {
            None => GRANT_LIFETIME_UNTOLD,
            Some(value) => Duration::from_secs(value.as_u64().ok_or(GrantFault::Shape)?),
        };
        let mut obtained = Self {
            token: Zeroizing::new(token.as_bytes().to_vec()),
            scope: scope.to_owned(),
            id: None,
            issued: now,
            expires: now.saturating_add(lifetime.min(asked.max_lifetime)).min(asked.until),
        };
        obtained.look_inside(asked)?;
        if obtained.expires <= now {
            return Err(GrantFault::Expired);
        }
        Ok(obtained)
    }

    /// Reads the claims of a token that is a JWT. Nothing is verified: it came from its issuer, over TLS. An opaque token
    /// is as good, unless somebody must be seen to act in it.
    fn look_inside(&mut self, asked: &Asked<'_>) -> Result<(), GrantFault> {
        let (mut decoded, mut scratch) = (Zeroizing::new(Vec::new()), Scratch::new());
        let unreadable = match asked.actor {
            Some(_) => Err(GrantFault::Unattributed),
            None => Ok(()),
        };
        let Ok(compact) = Compact::split(&self.token) else {
            return unreadable;
        };
        if base64url::decode_into(compact.payload(), &mut decoded).is_err() {
            return unreadable;
        }
        let Ok(document) = json::parse(&decoded, &mut scratch, &json::Limits::TOKEN) else {
            return unreadable;
        };
        let Some(claims) = document.root().as_object() else {
            return unreadable;
        };
        let is_for_one = || {
            claims
                .get("aud")
                .is_some_and(|audience| names_one(audience, asked.targets))
        };
        if !asked.targets.is_empty() && !is_for_one() {
            return Err(GrantFault::Target);
        }
        // SPEC: RFC 7800 3.1, RFC 8705 3: the server would have to refuse it, whatever its token_type says.
        if asked.kind != Kind::IdJag && claims.get("cnf").is_some() {
            return Err(GrantFault::Bound);
        }
        let actor = || claims.get("act")?.get("sub")?.as_str();
        if asked.actor.is_some() && actor() != asked.actor {
            return Err(GrantFault::Unattributed);
        }
        if let Some(expires) = claims.get("exp").and_then(Value::as_u64) {
            self.expires = self.expires.min(UnixTime::from_secs(expires));
        }
        self.id = claims.get("jti").and_then(Value::as_str).map(str::to_owned);
        Ok(())
    }

    /// The token itself.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.token
    }

    /// The scopes that it has.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Its `jti`, if it is a JWT that has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// When it was issued.
    #[must_use]
    pub const fn issued(&self) -> UnixTime {
        self.issued
    }

    /// Until when it is used.
    #[must_use]
    pub const fn expires(&self) -> UnixTime {
        self.expires
    }
}

/// What an authorization server's refusal means to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantRefusal {
    /// What was presented is no longer good there: whoever presented it has to get a new one.
    Stale,
    /// The user has to log in again, or more strongly (RFC 9470).
    StepUp,
    /// The server, tool or scope is not for this user, agent or client; asking again does not help.
    Forbidden,
    /// The gate itself is not let in: its registration or its key there is wrong.
    Client,
    /// It cannot answer at the moment, or answers what nobody understands.
    Unavailable,
}

impl GrantRefusal {
    /// Reads the refusal `answer`, which came with this HTTP `status`.
    #[must_use]
    pub fn read(status: u16, answer: &[u8]) -> Self {
        let mut scratch = Scratch::new();
        let document = json::parse(answer, &mut scratch, &LIMITS).ok();
        let code = document
            .as_ref()
            .and_then(|document| document.root().get("error")?.as_str());
        match code {
            // SPEC: RFC 8693 2.2.2 says invalid_request of a bad subject token, others say invalid_grant.
            Some("invalid_grant" | "invalid_request") => Self::Stale,
            Some("insufficient_user_authentication") => Self::StepUp,
            Some("invalid_scope" | "invalid_target" | "access_denied") => Self::Forbidden,
            Some("invalid_client" | "unauthorized_client" | "unsupported_grant_type") => Self::Client,
            Some(_) | None if status == 401 => Self::Client,
            Some(_) | None => Self::Unavailable,
        }
    }

    /// The word in the audit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stale => "credential_stale",
            Self::StepUp => "credential_step_up",
            Self::Forbidden => "credential_forbidden",
            Self::Client => "credential_client",
            Self::Unavailable => "credential_unavailable",
        }
    }
}

const LIMITS: json::Limits = json::Limits {
    bytes: GRANT_BYTES_MAX,
    ..json::Limits::TOKEN
};

/// SPEC: RFC 8693 2.2.1: `N_A` is for what is no access token; RFC 6749 7.1: a type that is not understood is not used.
fn refuse_types(members: Object<'_>, kind: Kind) -> Result<(), GrantFault> {
    let token_type = text(members, "token_type")?.ok_or(GrantFault::Shape)?;
    let wanted = if kind == Kind::IdJag { "N_A" } else { "Bearer" };
    if !token_type.eq_ignore_ascii_case(wanted) {
        return Err(GrantFault::TokenType);
    }
    let issued = text(members, "issued_token_type")?;
    let good = match kind {
        Kind::Access => issued.is_none_or(|issued| ACCESS_TOKEN.contains(&issued)),
        Kind::Exchanged => issued.is_some_and(|issued| ACCESS_TOKEN.contains(&issued)),
        Kind::IdJag => issued == Some(ID_JAG),
    };
    if good { Ok(()) } else { Err(GrantFault::IssuedType) }
}

fn text<'t>(members: Object<'t>, name: &str) -> Result<Option<&'t str>, GrantFault> {
    match members.get(name).map(Value::as_str) {
        None => Ok(None),
        Some(Some(text)) => Ok(Some(text)),
        Some(None) => Err(GrantFault::Shape),
    }
}

/// Whether every scope of `given` was `asked` for; if nothing was asked for, whatever the client has is given.
fn is_within(given: &str, asked: &str) -> bool {
    asked.is_empty()
        || given
            .split(' ')
            .filter(|scope| !scope.is_empty())
            .all(|scope| asked.split(' ').any(|wanted| wanted == scope))
}

fn names_one(audience: Value<'_>, targets: &[String]) -> bool {
    let ours = |value: Value<'_>| {
        value
            .as_str()
            .is_some_and(|text| targets.iter().any(|target| target == text))
    };
    ours(audience) || audience.as_array().is_some_and(|several| several.iter().any(ours))
}

impl fmt::Display for GrantFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "the answer is not one strict JSON object with access_token and token_type",
            Self::TokenType => "the token is not one that a server can be shown",
            Self::IssuedType => "the token is of another type than was asked for",
            Self::Token => "the token is too long or cannot stand in a header",
            Self::Wider => "the token has more scopes than were asked for",
            Self::Target => "the token is for another audience",
            Self::Unattributed => "the token does not name the agent as its actor",
            Self::Bound => "the token is bound to a key or certificate; servers are shown bearer tokens",
            Self::Expired => "the token has no time left",
        })
    }
}

impl core::error::Error for GrantFault {}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use serde_json::{Value as Json, json};

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const TARGET: &str = "https://tools.example/mcp";

    fn jwt(claims: &Json) -> String {
        format!("e30.{}.c2ln", BASE64.encode(claims.to_string()))
    }

    fn answer(change: &Json) -> Vec<u8> {
        let claims = json!({"aud": TARGET, "act": {"sub": "bot"}, "jti": "t-1", "exp": NOW.secs() + 300});
        let mut answer = json!({
            "access_token": jwt(&claims), "token_type": "Bearer", "expires_in": 300, "scope": "read",
            "issued_token_type": ACCESS_TOKEN[0], "refresh_token": "never kept",
        });
        for (name, value) in change.as_object().unwrap() {
            answer[name] = value.clone();
        }
        answer.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        answer.to_string().into_bytes()
    }

    fn accept(change: &Json) -> Result<Obtained, GrantFault> {
        let asked = Asked {
            kind: Kind::Exchanged,
            scope: "read write",
            targets: &[TARGET.to_owned()],
            actor: Some("bot"),
            until: NOW.saturating_add(Duration::from_secs(120)),
            max_lifetime: Duration::from_secs(600),
        };
        Obtained::accept(&answer(change), &asked, NOW)
    }

    #[test]
    fn takes_what_was_asked_for_and_no_longer_than_what_it_was_asked_with() {
        let obtained = accept(&json!({})).unwrap();
        assert_eq!((obtained.scope(), obtained.id()), ("read", Some("t-1")));
        assert_eq!(obtained.expires(), NOW.saturating_add(Duration::from_secs(120)));
        let short = accept(&json!({"expires_in": 10})).unwrap();
        assert_eq!(short.expires(), NOW.saturating_add(Duration::from_secs(10)));
        let untold = accept(&json!({"expires_in": null})).unwrap();
        assert_eq!(untold.expires(), NOW.saturating_add(GRANT_LIFETIME_UNTOLD));
        assert_eq!(accept(&json!({"scope": null})).unwrap().scope(), "read write");
        assert!(!format!("{obtained:?}").contains("e30"));
    }

    #[test]
    fn refuses_every_answer_that_is_wider_or_for_somebody_else() {
        let other = |claims: Json| json!({"access_token": jwt(&claims)});
        for (change, fault) in [
            (json!({"scope": "read admin"}), GrantFault::Wider),
            (json!({"scope": ["read"]}), GrantFault::Shape),
            (json!({"token_type": "N_A"}), GrantFault::TokenType),
            (json!({"token_type": "DPoP"}), GrantFault::TokenType),
            (json!({"token_type": null}), GrantFault::Shape),
            (json!({"issued_token_type": null}), GrantFault::IssuedType),
            (json!({"issued_token_type": ID_JAG}), GrantFault::IssuedType),
            (json!({"access_token": null}), GrantFault::Shape),
            (json!({"access_token": ""}), GrantFault::Token),
            (json!({"access_token": "a b"}), GrantFault::Token),
            (json!({"access_token": "a\r\nx: y"}), GrantFault::Token),
            (json!({"access_token": "x".repeat(8_193)}), GrantFault::Token),
            (json!({"access_token": "opaque"}), GrantFault::Unattributed),
            (json!({"expires_in": 0}), GrantFault::Expired),
            (json!({"expires_in": "300"}), GrantFault::Shape),
            (
                other(json!({"aud": "https://other.example", "act": {"sub": "bot"}})),
                GrantFault::Target,
            ),
            (other(json!({"aud": TARGET})), GrantFault::Unattributed),
            (
                other(json!({"aud": TARGET, "act": {"sub": "bit"}})),
                GrantFault::Unattributed,
            ),
            (
                other(json!({"aud": TARGET, "act": {"act": {"sub": "bot"}}})),
                GrantFault::Unattributed,
            ),
            (
                other(json!({"aud": TARGET, "act": {"sub": "bot"}, "cnf": {"x5t#S256": "digest"}})),
                GrantFault::Bound,
            ),
            (
                other(json!({"aud": TARGET, "act": {"sub": "bot"}, "exp": 1})),
                GrantFault::Expired,
            ),
        ] {
            assert_eq!(accept(&change), Err(fault), "{change}");
        }
        let asked = Asked {
            kind: Kind::Access,
            scope: "",
            targets: &[],
            actor: None,
            until: NOW.saturating_add(Duration::from_secs(1)),
            max_lifetime: Duration::from_secs(1),
        };
        let twice = br#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#;
        assert_eq!(Obtained::accept(twice, &asked, NOW), Err(GrantFault::Shape));
        let opaque = br#"{"access_token":"a","token_type":"bearer"}"#;
        assert_eq!(Obtained::accept(opaque, &asked, NOW).unwrap().expose(), b"a");
    }

    #[test]
    fn who_acts_is_the_outermost_actor_whoever_acted_before() {
        let acting = |act: Json| accept(&json!({"access_token": jwt(&json!({"aud": TARGET, "act": act}))}));
        for act in [
            json!({"sub": "bot", "act": {"sub": "planner"}}),
            json!({"sub": "bot", "act": {"sub": "planner", "act": {"sub": "bot"}}}),
        ] {
            assert!(acting(act.clone()).is_ok(), "{act}");
        }
        for act in [
            json!({"sub": "planner", "act": {"sub": "bot"}}),
            json!({"sub": "planner", "act": {"sub": "other", "act": {"sub": "bot"}}}),
            json!([{"sub": "bot"}]),
            json!("bot"),
        ] {
            assert_eq!(acting(act.clone()), Err(GrantFault::Unattributed), "{act}");
        }
    }

    #[test]
    fn what_is_no_access_token_is_shown_to_no_server_whatever_was_asked_for() {
        for kind in [Kind::Access, Kind::Exchanged] {
            let asked = Asked {
                kind,
                scope: "",
                targets: &[],
                actor: None,
                until: NOW.saturating_add(Duration::from_secs(60)),
                max_lifetime: Duration::from_secs(60),
            };
            let taken = |change: Json| Obtained::accept(&answer(&change), &asked, NOW);
            assert!(taken(json!({})).is_ok(), "{kind:?}");
            let assertion = taken(json!({"token_type": "N_A", "issued_token_type": ID_JAG}));
            assert_eq!(assertion, Err(GrantFault::TokenType), "{kind:?}");
            let unnamed = taken(json!({"token_type": "n_a"}));
            assert_eq!(unnamed, Err(GrantFault::TokenType), "{kind:?}");
            let disguised = taken(json!({"issued_token_type": ID_JAG}));
            assert_eq!(disguised, Err(GrantFault::IssuedType), "{kind:?}");
        }
    }

    #[test]
    fn an_assertion_is_taken_as_such_and_never_as_an_access_token() {
        let asked = Asked {
            kind: Kind::IdJag,
            scope: "",
            targets: &[],
            actor: None,
            until: NOW.saturating_add(Duration::from_secs(60)),
            max_lifetime: Duration::from_secs(60),
        };
        let good = answer(&json!({"token_type": "N_A", "issued_token_type": ID_JAG}));
        assert!(Obtained::accept(&good, &asked, NOW).is_ok());
        assert_eq!(
            Obtained::accept(&answer(&json!({})), &asked, NOW),
            Err(GrantFault::TokenType)
        );
    }

    #[test]
    fn refusals_mean_what_whoever_asked_can_do_about_them() {
        let read = |status, error: &str| GrantRefusal::read(status, format!("{{\"error\":\"{error}\"}}").as_bytes());
        assert_eq!(read(400, "invalid_grant"), GrantRefusal::Stale);
        assert_eq!(read(400, "invalid_request"), GrantRefusal::Stale);
        assert_eq!(read(400, "insufficient_user_authentication"), GrantRefusal::StepUp);
        assert_eq!(read(400, "invalid_target"), GrantRefusal::Forbidden);
        assert_eq!(read(401, "invalid_client"), GrantRefusal::Client);
        assert_eq!(read(400, "something_new"), GrantRefusal::Unavailable);
        assert_eq!(GrantRefusal::read(401, b""), GrantRefusal::Client);
        assert_eq!(GrantRefusal::read(503, b"<html>"), GrantRefusal::Unavailable);
    }
}
