//! API keys of agents as the configuration has them: digests, never keys. Pure.

use portreeve_core::identity;
pub use portreeve_core::identity::API_KEY_ISSUER;
use serde::Deserialize;
use toml::Spanned;

use super::Config;
use super::date::{Day, Expiry};

/// A key of an agent.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The SHA-256 of the whole key.
    pub sha256: [u8; 32],
    /// When it was made; for people.
    pub created: Option<Day>,
    /// Until when it is taken.
    pub expires: Expiry,
}

/// A key as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) sha256: Spanned<String>,
    pub(super) created: Option<Day>,
    pub(super) expires: Expiry,
}

/// The exact `iss` of agents with keys at the gate with that public URL.
#[must_use]
pub fn issuer(gate: &str) -> String {
    format!("{gate}/api-keys")
}

/// The digest that `text` writes in 64 lower-case hexadecimal digits.
#[must_use]
pub fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let digits = text.as_bytes();
    let plain = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != 2 * digest.len() || !digits.iter().all(plain) {
        return None;
    }
    for (byte, place) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(place..place + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// The profile of agents with keys, if anything in `config` is about them.
#[must_use]
pub fn profile(config: &Config) -> Option<identity::Issuer> {
    let named = |names: &[String]| names.iter().any(|name| name == API_KEY_ISSUER);
    let used = config.agents.iter().any(|agent| agent.issuer == API_KEY_ISSUER)
        || config.issuers.iter().any(|issuer| named(&issuer.unlinked_with));
    used.then(|| identity::Issuer::of_api_keys(issuer(&config.gate.public_url)))
}

/// Every key of every agent, as core takes them.
#[must_use]
pub fn keys(config: &Config) -> Vec<identity::ApiKey> {
    let key = |agent: &super::Agent, key: &ApiKey| identity::ApiKey {
        agent: agent.name.clone(),
        sha256: key.sha256,
        expires: key.expires.at(),
    };
    let agents = config.agents.iter();
    agents
        .flat_map(|agent| agent.api_keys.iter().map(move |one| key(agent, one)))
        .collect()
}

impl ApiKey {
    /// What people call it.
    #[must_use]
    pub fn id(&self) -> String {
        identity::ApiKey::id(&self.sha256)
    }
}
