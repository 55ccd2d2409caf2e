//! The claims of a minted token, written in one pass. Decides nothing; holds no token.
//!
//! SPEC: RFC 9068 2.2, RFC 8693 4.1, RFC 9493 3.2.3; draft-mcguinness-oauth-actor-profile (`sub_profile`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};

use super::shape::ClaimShape;
use crate::json::write::ObjectWriter;
use crate::time::UnixTime;

/// Somebody at an issuer, where the issuer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Party<'a> {
    pub(super) issuer: Option<&'a str>,
    pub(super) subject: &'a str,
}

/// Everything a token says.
#[derive(Debug)]
pub(super) struct Claims<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) client_id: &'a str,
    pub(super) scope: &'a str,
    pub(super) shape: &'a ClaimShape,
    pub(super) user: Party<'a>,
    /// Who acts: the agent that called, then those that acted before it, at most [`crate::limits::CHAIN_MAX`].
    pub(super) actors: &'a [Party<'a>],
    pub(super) transaction: &'a str,
    pub(super) token_id: &'a str,
    pub(super) issued: UnixTime,
    pub(super) expires: UnixTime,
}

impl Claims<'_> {
    /// Appends the claims as a JSON object.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        object.string("iss", self.issuer).string("aud", self.audience);
        object.string("sub", &user_id(self.issuer, self.user));
        if let Some(name) = self.shape.name("sub_id") {
            object.object(name, |id| {
                id.string("format", "iss_sub").optional_string("iss", self.user.issuer);
                id.string("sub", self.user.subject);
            });
        }
        object.string("client_id", self.client_id);
        for (claim, value) in [("scope", self.scope), ("txn", self.transaction)] {
            if let Some(name) = self.shape.name(claim) {
                object.string(name, value);
            }
        }
        object.string("jti", self.token_id);
        object
            .number_u64("iat", self.issued.secs())
            .number_u64("exp", self.expires.secs());
        act(&mut object, self.actors);
        for (name, value) in self.shape.constants() {
            object.string(name, value);
        }
        object.finish();
    }
}

/// Nests the actors, the current one outermost.
fn act(object: &mut ObjectWriter<'_>, actors: &[Party<'_>]) {
    if let [current, prior @ ..] = actors {
        object.object("act", |actor| {
            actor
                .optional_string("iss", current.issuer)
                .string("sub", current.subject);
            actor.string("sub_profile", "ai_agent");
            act(actor, prior);
        });
    }
}

/// The gate's own id of a user: stable, and different for equal subjects of different issuers.
fn user_id(gate: &str, user: Party<'_>) -> String {
    let mut hash = Context::new(&SHA256);
    for part in [gate, user.issuer.unwrap_or_default(), user.subject] {
        update_framed(&mut hash, part);
    }
    URL_SAFE_NO_PAD.encode(hash.finish())
}

/// Adds the length of `part`, then `part`, so that no two lists of parts hash alike.
pub(super) fn update_framed(hash: &mut Context, part: &str) {
    hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(part.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(user: Party<'_>, actors: &[Party<'_>]) -> serde_json::Value {
        let mut out = Vec::new();
        Claims {
            issuer: "https://gate.example",
            audience: "https://jira.example/mcp",
            client_id: "jira",
            scope: "mcp:tool:create_issue",
            shape: &ClaimShape::default(),
            user,
            actors,
            transaction: "r-1",
            token_id: "t-1",
            issued: UnixTime::from_millis(1_000_900),
            expires: UnixTime::from_secs(1_060),
        }
        .write(&mut out);
        serde_json::from_slice(&out).unwrap()
    }

    const ALICE: Party<'_> = Party {
        issuer: Some("https://idp.example"),
        subject: "alice",
    };
    const BOT: Party<'_> = Party {
        issuer: Some("https://agents.example"),
        subject: "bot",
    };

    #[test]
    fn says_who_for_whom_where_and_how_long() {
        let claims = written(ALICE, &[BOT]);
        assert_eq!(claims["iss"], "https://gate.example");
        assert_eq!(claims["aud"], "https://jira.example/mcp");
        assert_eq!(claims["client_id"], "jira");
        assert_eq!(claims["scope"], "mcp:tool:create_issue");
        assert_eq!(claims["sub_id"]["format"], "iss_sub");
        assert_eq!(claims["sub_id"]["iss"], "https://idp.example");
        assert_eq!(claims["sub_id"]["sub"], "alice");
        assert_eq!(
            (claims["iat"].as_u64(), claims["exp"].as_u64()),
            (Some(1_000), Some(1_060))
        );
        assert_eq!(claims["act"]["sub"], "bot");
        assert_eq!(claims["act"]["sub_profile"], "ai_agent");
        assert!(claims["act"].get("act").is_none());
        assert_eq!(
            (claims["txn"].as_str(), claims["jti"].as_str()),
            (Some("r-1"), Some("t-1"))
        );
    }

    #[test]
    fn the_current_actor_is_outermost() {
        let prior = Party {
            issuer: Some("https://agents.example"),
            subject: "first",
        };
        let claims = written(ALICE, &[BOT, prior]);
        assert_eq!(claims["act"]["sub"], "bot");
        assert_eq!(claims["act"]["act"]["sub"], "first");
        assert!(claims["act"]["act"].get("act").is_none());
    }

    #[test]
    fn equal_subjects_of_different_issuers_are_different_users() {
        let elsewhere = Party {
            issuer: Some("https://other.example"),
            ..ALICE
        };
        let shifted = Party {
            issuer: Some("https://idp.examplea"),
            subject: "lice",
        };
        let ids: Vec<_> = [ALICE, elsewhere, shifted]
            .map(|user| written(user, &[BOT])["sub"].clone())
            .into();
        assert_ne!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
        assert_eq!(
            ids[0],
            written(ALICE, &[])["sub"],
            "the id does not depend on the agent"
        );
    }
}
