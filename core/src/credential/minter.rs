//! Minting: what one server's tokens are like, and the only caller of its signing keys.
//!
//! Must never mint for an audience other than that of its server, nor for longer than what was presented.
//!
//! SPEC: RFC 9068 2; RFC 8707 2 (one audience).

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::cache::{self, Key, MintCache};
use super::claims::{Claims, Party};
use super::key::SigningKey;
use super::shape::ClaimShape;
use crate::identity::Principal;
use crate::limits;
use crate::policy::{Action, Permit};
use crate::time::UnixTime;

/// The `typ` of minted tokens (RFC 9068 2.1).
const MEDIA: &str = "at+jwt";

/// Why no credential could be minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialError {
    /// The permit is for a server that nothing is configured for.
    UnknownServer,
    /// What was presented has less than a second left.
    Expired,
    /// The signature could not be made.
    Signing,
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownServer => "nothing is configured for the server",
            Self::Expired => "the presented tokens have no time left",
            Self::Signing => "the signature could not be made",
        })
    }
}

impl core::error::Error for CredentialError {}

/// The keys of one server's tokens. Both are published, so that a verifier that caches knows the next one before it is used.
#[derive(Debug)]
pub struct MintKeys {
    /// Signs.
    pub current: SigningKey,
    /// Will sign after the next rotation.
    pub next: SigningKey,
}

/// What the tokens for one server are like.
#[derive(Debug)]
pub struct Minting {
    /// Their issuer.
    pub issuer: String,
    /// Their only audience (RFC 8707 2).
    pub audience: String,
    /// Signs them, and nothing for any other server.
    pub keys: MintKeys,
    /// The longest that they live, at most [`limits::MINT_LIFETIME_MAX`].
    pub lifetime: Duration,
    /// What their scopes are called at the server.
    pub scopes: Scopes,
    /// What their claims are like.
    pub shape: ClaimShape,
}

/// The names that one server has for scopes. Without any the gate's own are used: [`crate::policy::Permit::scope`].
#[derive(Debug, Default)]
pub struct Scopes {
    tools: BTreeMap<String, String>,
    others: Option<String>,
}

impl Scopes {
    /// `tools` by the exact name of the tool; `others` for everything else that is permitted.
    #[must_use]
    pub fn new(tools: impl IntoIterator<Item = (String, String)>, others: Option<String>) -> Self {
        let named = |(tool, scope): (String, String)| (Action::CallTool { name: &tool }.scope(), scope);
        Self {
            tools: tools.into_iter().map(named).collect(),
            others,
        }
    }

    /// Whether `text` is a scope: one or more tokens, one space between them (RFC 6749 3.3).
    #[must_use]
    pub fn is_scope(text: &str) -> bool {
        let is_token = |token: &str| {
            let of_token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            !token.is_empty() && token.bytes().all(of_token)
        };
        text.len() <= limits::SCOPE_BYTES_MAX && text.split(' ').all(is_token)
    }

    pub(super) fn of<'s>(&'s self, permit: &'s Permit) -> &'s str {
        let named = self.tools.get(permit.scope()).or(self.others.as_ref());
        named.map_or(permit.scope(), String::as_str)
    }
}

/// What is particular to one minting.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// Names the request in `txn`; a token that is used again keeps the name of its first request.
    pub transaction: &'a str,
    /// The snapshot in force; tokens of another are not used again.
    pub generation: u64,
    /// The time.
    pub now: UnixTime,
    /// Randomness for the token's id.
    pub entropy: [u8; 16],
}

impl Minting {
    /// A token for what `permit` allows. With a warm cache this allocates nothing.
    pub(super) fn token(
        &self,
        permit: &Permit,
        principal: &Principal,
        cache: &mut MintCache,
        occasion: &Occasion<'_>,
    ) -> Result<Rc<Token>, CredentialError> {
        let scope = self.scopes.of(permit);
        let key = self.cache_key(principal, permit.server(), scope);
        cache.enter(occasion.generation);
        if let Some(token) = cache.find(&key, principal.expires(), occasion.now) {
            return Ok(token);
        }
        let actors = actors(principal);
        let token_id = URL_SAFE_NO_PAD.encode(occasion.entropy);
        let lifetime = self.lifetime.min(limits::MINT_LIFETIME_MAX);
        let expires = principal.expires().min(occasion.now.saturating_add(lifetime));
        let token = Rc::new(self.sign(&Claims {
            issuer: &self.issuer,
            audience: &self.audience,
            client_id: permit.server(),
            scope,
            shape: &self.shape,
            user: Party {
                issuer: Some(principal.user().issuer()),
                subject: principal.user().id(),
            },
            actors: &actors,
            transaction: occasion.transaction,
            token_id: &token_id,
            issued: occasion.now,
            expires: UnixTime::from_secs(expires.secs()),
        })?);
        cache.keep(key, token.clone());
        Ok(token)
    }

    /// The digest of everything a token says that differs between requests, except ids and times.
    fn cache_key(&self, principal: &Principal, server: &str, scope: &str) -> Key {
        // Servers that share an audience share no key and no client id.
        cache::key(&[server, &self.audience, scope], Some(principal))
    }

    pub(super) const fn public_keys(&self) -> [&SigningKey; 2] {
        [&self.keys.current, &self.keys.next]
    }

    fn sign(&self, claims: &Claims<'_>) -> Result<Token, CredentialError> {
        if claims.expires <= claims.issued {
            return Err(CredentialError::Expired);
        }
        let mut json = Vec::with_capacity(768);
        claims.write(&mut json);
        let mut header_value = Zeroizing::new(Vec::with_capacity(1_536));
        header_value.extend_from_slice(b"Bearer ");
        self.keys
            .current
            .sign(MEDIA, &json, &mut header_value)
            .map_err(|_| CredentialError::Signing)?;
        Ok(Token {
            header_value,
            id: claims.token_id.to_owned(),
            scope: claims.scope.to_owned(),
            issued: claims.issued,
            expires: claims.expires,
        })
    }
}

/// A signed token and what must be known of it. Shared by reference between the cache and credentials of one core.
pub(super) struct Token {
    /// The value of `Authorization`.
    pub(super) header_value: Zeroizing<Vec<u8>>,
    /// The `jti`.
    pub(super) id: String,
    pub(super) scope: String,
    pub(super) issued: UnixTime,
    pub(super) expires: UnixTime,
}

impl Token {
    /// Whether it may be used again: in the last quarter of its life it could end on the way.
    pub(super) fn is_fresh(&self, now: UnixTime) -> bool {
        now < self.expires.saturating_sub(self.expires.since(self.issued) / 4)
    }

    #[cfg(test)]
    pub(super) fn for_tests(issued: UnixTime, expires: UnixTime) -> Self {
        Self {
            header_value: Zeroizing::default(),
            id: String::new(),
            scope: String::new(),
            issued,
            expires,
        }
    }
}

/// INVARIANT: identity reads at most [`limits::CHAIN_MAX`] actors, so this is bounded.
fn actors(principal: &Principal) -> Vec<Party<'_>> {
    let agent = principal.agent();
    let prior = agent.prior().iter().map(|actor| Party {
        issuer: actor.issuer.as_deref(),
        subject: &actor.subject,
    });
    core::iter::once(Party {
        issuer: Some(agent.issuer()),
        subject: agent.subject(),
    })
    .chain(prior)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_made_of_tokens_with_one_space_between_them() {
        for good in ["a", "files:read files:write", "https://api.example/read", "!#[]~"] {
            assert!(Scopes::is_scope(good), "{good}");
        }
        let long = "x".repeat(limits::SCOPE_BYTES_MAX + 1);
        for bad in [
            "", " ", "a ", " a", "a  b", "a\tb", "a\"b", "a\\b", "\u{e4}", "a\n", &long,
        ] {
            assert!(!Scopes::is_scope(bad), "{bad:?}");
        }
    }
}
