//! The embedded issuer: agent tokens and user assertions for a workstation without an identity provider.
//!
//! It is an issuer like any other to the rest of the gate. Agents and users have issuers of their own, so that the one
//! kind of token can never be taken for the other, and every assertion names the one agent that may present it.
//!
//! SPEC: RFC 9068 2 (access tokens), RFC 8693 4.4 (`may_act`), RFC 9449 6.1 (`cnf`).

use std::time::Duration;

use portreeve_core::credential::{KeyError, SigningKey, documents};
use portreeve_core::identity::{ClaimNames, Dialect, Issuer, Roles};
use portreeve_core::jose::Algorithm;
use portreeve_core::jose::base64url;
use portreeve_core::jose::jwk::PublicKey;
use portreeve_core::jose::jwks::{JwksError, KeySet};
use portreeve_core::json::write::ObjectWriter;
use portreeve_core::time::UnixTime;

use super::api_key::{self, API_KEY_ISSUER};
use super::{Agent, Config, EMBEDDED, Embedded};

/// The profile that agents of the embedded issuer belong to.
pub const AGENT_PROFILE: &str = EMBEDDED;
/// The profile that users of the embedded issuer belong to.
pub const USER_PROFILE: &str = "embedded-users";
const AGENT_TYPE: &str = "at+jwt";
const USER_TYPE: &str = "user-assertion+jwt";

/// What an agent presents for a user.
#[derive(Clone)]
pub struct Credentials {
    /// The token for `Authorization`.
    pub agent: String,
    /// The assertion for `X-AI-User-Assertion`.
    pub user: String,
}

/// For whom, and how long, credentials are made.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The agent, one of the embedded issuer, or for an assertion alone one with API keys.
    pub agent: &'a Agent,
    /// The user.
    pub user: &'a str,
    /// The user's groups.
    pub groups: &'a [String],
    /// The time.
    pub now: UnixTime,
    /// How long they live.
    pub lifetime: Duration,
    /// Randomness for the ids of the two tokens.
    pub entropy: [[u8; 16]; 2],
    /// The key that both are bound to.
    pub key: Option<&'a PublicKey>,
}

/// Makes the two tokens of `order` for the gate at `gate`, its public URL.
///
/// # Errors
/// The key cannot sign.
pub fn issue(key: &SigningKey, gate: &str, order: &Order<'_>) -> Result<Credentials, KeyError> {
    let subject = order.agent.subject.as_str();
    let agent = claims(
        gate,
        order,
        (&agent_issuer(gate), subject),
        order.entropy[0],
        |object| {
            object.string("client_id", subject);
        },
    );
    Ok(Credentials {
        agent: sign(key, AGENT_TYPE, &agent)?,
        user: assertion(key, gate, order)?,
    })
}

/// Makes the user's assertion of `order` alone. The agent may be one with API keys, which has no token.
///
/// # Errors
/// The key cannot sign.
pub fn assertion(key: &SigningKey, gate: &str, order: &Order<'_>) -> Result<String, KeyError> {
    let agent_iss = match order.agent.issuer.as_str() {
        API_KEY_ISSUER => api_key::issuer(gate),
        _ => agent_issuer(gate),
    };
    let user = claims(
        gate,
        order,
        (&user_issuer(gate), order.user),
        order.entropy[1],
        |object| {
            object.array("groups", |groups| {
                for group in order.groups {
                    groups.string(group);
                }
            });
            object.object("may_act", |actor| {
                actor.string("iss", &agent_iss).string("sub", &order.agent.subject);
            });
        },
    );
    sign(key, USER_TYPE, &user)
}

fn claims(
    gate: &str,
    order: &Order<'_>,
    (issuer, subject): (&str, &str),
    id: [u8; 16],
    fill: impl FnOnce(&mut ObjectWriter<'_>),
) -> Vec<u8> {
    let expires = order.now.saturating_add(order.lifetime);
    let mut json = Vec::with_capacity(512);
    let mut object = ObjectWriter::new(&mut json);
    object.string("iss", issuer).string("sub", subject).string("aud", gate);
    object
        .number_u64("iat", order.now.secs())
        .number_u64("exp", expires.secs());
    object.string("jti", &hex(id));
    // SPEC: RFC 9449 6.1.
    if let Some(key) = order.key {
        object.object("cnf", |cnf| {
            cnf.string("jkt", &base64url::encode(&key.thumbprint()));
        });
    }
    fill(&mut object);
    object.finish();
    json
}

/// The issuer profiles by which the gate reads these tokens.
pub(super) fn profiles(config: &Config, embedded: &Embedded, key: &SigningKey) -> Result<[Issuer; 2], JwksError> {
    let gate = &config.gate.public_url;
    let keys = KeySet::parse(&documents::jwks([key]))?;
    let profile = |name: &str, issuer: String, media: &str, roles| Issuer {
        name: name.to_owned(),
        issuer,
        roles,
        types: vec![media.to_owned()],
        algorithms: vec![Algorithm::EdDsa],
        audiences: vec![gate.clone()],
        keys: keys.clone(),
        max_lifetime: Some(embedded.max_lifetime),
        // One clock makes and checks these tokens.
        leeway: Duration::ZERO,
        claims: ClaimNames::default(),
        dialect: Dialect::default(),
        allow_unlinked_with: Vec::new(),
    };
    let (agent, user) = (
        Roles {
            agent: true,
            user: false,
        },
        Roles {
            agent: false,
            user: true,
        },
    );
    Ok([
        profile(AGENT_PROFILE, agent_issuer(gate), AGENT_TYPE, agent),
        profile(USER_PROFILE, user_issuer(gate), USER_TYPE, user),
    ])
}

/// The exact `iss` of agent tokens.
#[must_use]
pub fn agent_issuer(gate: &str) -> String {
    format!("{gate}/embedded/agents")
}

/// The exact `iss` of user assertions.
#[must_use]
pub fn user_issuer(gate: &str) -> String {
    format!("{gate}/embedded/users")
}

fn sign(key: &SigningKey, media: &str, claims: &[u8]) -> Result<String, KeyError> {
    let mut token = Vec::with_capacity(1_024);
    key.sign(media, claims, &mut token)?;
    String::from_utf8(token).map_err(|_| KeyError::Signing)
}

fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
