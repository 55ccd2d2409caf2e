//! Agents that hold a key instead of tokens: the lowest rung, for a workstation.
//!
//! What is known of a key is its SHA-256, and whoever presents it is looked up by that. The keys are random and have 256
//! bits, so a slow hash would protect nothing; and no comparison can leak one, because only digests are compared. Must
//! never hold a key longer than it takes to hash it, and never take one on the user's side.

use core::time::Duration;
use std::collections::BTreeMap;

use ring::digest;
use ring::digest::SHA256;
use zeroize::Zeroizing;

use super::ClaimNames;
use super::Dialect;
use super::Fault;
use super::Issuer;
use super::Principal;
use super::Roles;
use super::presented::finish;
use super::token::Verified;
use super::trust::Trust;
use super::trust::TrustError;
use crate::jose::Algorithm;
use crate::jose::base64url;
use crate::jose::jwks::KeySet;
use crate::limits::API_KEYS_PER_AGENT_MAX;
use crate::limits::TOKEN_LIFETIME_MAX;
use crate::time::UnixTime;

/// The name of the issuer profile that agents with keys belong to. INVARIANT: it has no keys to verify tokens with, so
/// that no token can pass for a key.
pub const API_KEY_ISSUER: &str = "api-key";

/// Letters of 32 random bytes.
const SECRET_LETTERS: usize = 43;
/// Bytes of the checksum; four letters.
const CHECKSUM_BYTES: usize = 3;
/// Letters of a whole key.
const KEY_LETTERS: usize = ApiKey::PREFIX.len() + SECRET_LETTERS + 4;
/// Bytes of the digest that name a key to people.
const ID_BYTES: usize = 4;

/// A key as the gate knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The registered name of the only agent that it is for.
    pub agent: String,
    /// The SHA-256 of the whole key as it is presented.
    pub sha256: [u8; 32],
    /// The moment from which on it is refused.
    pub expires: UnixTime,
}

/// How an agent showed who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentMethod {
    /// By a token of its issuer.
    Token,
    /// By the certificate of its connection (X.509-SVID).
    Certificate,
    /// By a key that the gate gave out: good for whoever has it, until it ends.
    ApiKey,
}

impl AgentMethod {
    /// The method in one word, for policies and the audit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Certificate => "certificate",
            Self::ApiKey => "api_key",
        }
    }
}

impl ApiKey {
    /// What every key begins with. No JWS does: its first letters stand for `{`.
    pub const PREFIX: &str = "prk_";

    /// A fresh key made of 32 random bytes: `prk_`, their base64url, and four letters of checksum.
    ///
    /// The checksum lets a typing error be told from a stranger's key, and a scanner of texts be sure that it found one.
    #[must_use]
    pub fn generate(random: &[u8; 32]) -> Zeroizing<String> {
        let mut key = Zeroizing::new(String::with_capacity(KEY_LETTERS));
        key.push_str(ApiKey::PREFIX);
        key.push_str(&Zeroizing::new(base64url::encode(random)));
        let checksum = checksum(key.as_bytes());
        key.push_str(&checksum);
        key
    }

    /// What is kept of `key`.
    #[must_use]
    pub fn digest(key: &[u8]) -> [u8; 32] {
        let mut context = digest::Context::new(&SHA256);
        context.update(key);
        finish(context)
    }

    /// The name of the key with that digest: its first eight hexadecimal digits. Good for people, not for proof.
    #[must_use]
    pub fn id(sha256: &[u8; 32]) -> String {
        sha256[..ID_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether `text` is written like a key, typing errors excluded.
    #[must_use]
    pub fn is_well_formed(text: &[u8]) -> bool {
        let Some((signed, sum)) = text.split_at_checked(ApiKey::PREFIX.len() + SECRET_LETTERS) else {
            return false;
        };
        let secret = signed.strip_prefix(ApiKey::PREFIX.as_bytes());
        secret.is_some_and(|secret| base64url::decode_array::<32>(secret).is_ok() && sum == checksum(signed).as_bytes())
    }
}

impl Issuer {
    /// The profile of agents with keys, whose exact `iss` in tokens for servers, in `may_act` and in policies is `iss`.
    #[must_use]
    pub fn of_api_keys(iss: String) -> Self {
        Self {
            name: API_KEY_ISSUER.to_owned(),
            issuer: iss.clone(),
            roles: Roles {
                agent: true,
                user: false,
            },
            types: vec![API_KEY_ISSUER.to_owned()],
            algorithms: vec![Algorithm::EdDsa],
            audiences: vec![iss],
            keys: KeySet::default(),
            max_lifetime: Some(TOKEN_LIFETIME_MAX),
            leeway: Duration::ZERO,
            claims: ClaimNames::default(),
            dialect: Dialect::default(),
            allow_unlinked_with: Vec::new(),
        }
    }
}

/// The keys of one generation, by their digests.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(BTreeMap<[u8; 32], Known>);

#[derive(Clone, Copy, Debug)]
struct Known {
    /// Index into the registered agents.
    agent: usize,
    expires: UnixTime,
}

impl Trust {
    /// The same with these keys, and no others.
    ///
    /// # Errors
    ///
    /// [`TrustError::ApiKeys`] for an agent that is not there or not one of [`API_KEY_ISSUER`], that has more than
    /// [`API_KEYS_PER_AGENT_MAX`], or a key that is there already.
    pub fn with_api_keys(mut self, keys: Vec<ApiKey>) -> Result<Self, TrustError> {
        let agents = self.agents().iter().enumerate();
        let ours = agents.filter(|(_, agent)| agent.issuer == API_KEY_ISSUER);
        let mut places: BTreeMap<&str, (usize, usize)> =
            ours.map(|(index, agent)| (agent.name.as_str(), (index, 0))).collect();
        let mut known = BTreeMap::new();
        for key in keys {
            let fault = || TrustError::ApiKeys(key.agent.clone());
            let (agent, count) = places.get_mut(key.agent.as_str()).ok_or_else(fault)?;
            *count += 1;
            let entry = Known {
                agent: *agent,
                expires: key.expires,
            };
            if *count > API_KEYS_PER_AGENT_MAX || known.insert(key.sha256, entry).is_some() {
                return Err(fault());
            }
        }
        self.keys = Keys(known);
        Ok(self)
    }
}

impl Trust {
    /// Whether the key that this principal came with, if it came with one, is still taken at `now`.
    pub(super) fn still_takes_key(&self, principal: &Principal, now: UnixTime) -> bool {
        if principal.agent_method() != AgentMethod::ApiKey {
            return true;
        }
        let id = principal.auth().agent_jti.as_deref();
        let Some(start) = id.and_then(|id| u32::from_str_radix(id, 16).ok()) else {
            return false;
        };
        let (mut first, mut last) = ([0; 32], [u8::MAX; 32]);
        first[..ID_BYTES].copy_from_slice(&start.to_be_bytes());
        last[..ID_BYTES].copy_from_slice(&start.to_be_bytes());
        self.keys.0.range(first..=last).any(|(_, known)| {
            let agent = self.agents().get(known.agent);
            known.expires > now && agent.is_some_and(|agent| agent.name == principal.agent().name())
        })
    }
}

/// Whether what is presented as the agent's credential is meant as a key.
pub(super) fn is_meant(presented: &[u8]) -> bool {
    presented.starts_with(ApiKey::PREFIX.as_bytes())
}

/// What a key proves: which agent it is for, and nothing about anybody else.
pub(super) fn verify(key: &[u8], trust: &Trust, now: UnixTime) -> Result<Verified, Fault> {
    if !ApiKey::is_well_formed(key) {
        return Err(Fault::ApiKeyForm);
    }
    let sha256 = ApiKey::digest(key);
    let known = trust.keys.0.get(&sha256).ok_or(Fault::ApiKeyUnknown)?;
    if known.expires <= now {
        return Err(Fault::ApiKeyExpired);
    }
    let agent = trust.agents().get(known.agent).ok_or(Fault::AgentUnknown)?;
    let profile = trust.issuers().iter().find(|profile| profile.name == agent.issuer);
    let profile = profile.ok_or(Fault::Issuer)?;
    Ok(Verified {
        issuer: profile.issuer.clone(),
        profile: profile.name.clone(),
        subject: agent.subject.clone(),
        client: None,
        groups: Vec::new(),
        chain: Vec::new(),
        may_act: None,
        expires: known.expires,
        leeway: Duration::ZERO,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        scopes: Vec::new(),
        jti: Some(ApiKey::id(&sha256)),
        sid: None,
        recheck: None,
        // As old as can be: whoever shuts off what an agent was given before a moment means its keys, too.
        issued: UnixTime::default(),
        bound: None,
    })
}

fn checksum(text: &[u8]) -> String {
    base64url::encode(&ApiKey::digest(text)[..CHECKSUM_BYTES])
}
