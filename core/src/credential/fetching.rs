//! Tokens that an authorization server issues for one server behind the gate: which one is wanted, and the one that came.
//!
//! Asking is the appliance's business. Must never hand a token out but for the permit that it was wanted for.

use core::fmt;
use std::rc::Rc;

use zeroize::Zeroizing;

use super::bound::{BoundCredential, Mode};
use super::cache::{self, Key, MintCache};
use super::grant::Obtained;
use super::key::SigningKey;
use super::minter::{CredentialError, MintKeys, Occasion, Scopes, Token};
use crate::identity::Principal;
use crate::jose::base64url;
use crate::policy::Permit;
use crate::time::UnixTime;

/// How the tokens for one server are had from an authorization server.
#[derive(Debug)]
pub struct Fetching {
    /// [`Mode::Exchange`], [`Mode::IdJag`] or [`Mode::ClientCredentials`].
    pub mode: Mode,
    /// What their scopes are called at the server.
    pub scopes: Scopes,
    /// The gate's own at the authorization server, for this server alone; published like keys that mint.
    pub keys: MintKeys,
}

/// A permit that waits for a token.
///
/// INVARIANT: not cloneable, and redeemed once.
#[must_use = "a permit was spent on this"]
pub struct Wanted {
    permit: Permit,
    mode: Mode,
    key: Key,
    scope: String,
    until: UnixTime,
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("mode", &self.mode)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// A token at hand, or one that is wanted.
pub(super) enum Found {
    Token(Rc<Token>),
    Wanted(Key, String),
}

impl Fetching {
    /// The token for what `permit` allows, if this core has it.
    pub(super) fn find(
        &self,
        permit: &Permit,
        principal: &Principal,
        cache: &mut MintCache,
        occasion: &Occasion<'_>,
    ) -> Found {
        let scope = self.scopes.of(permit);
        let key = self.key(principal, permit.server(), scope);
        cache.enter(occasion.generation);
        match cache.find(&key, self.until(principal), occasion.now) {
            Some(token) => Found::Token(token),
            None => Found::Wanted(key, scope.to_owned()),
        }
    }

    /// Until when a token for this principal may be used: one that names nobody outlives everybody.
    pub(super) fn until(&self, principal: &Principal) -> UnixTime {
        match self.mode {
            Mode::ClientCredentials => UnixTime::from_millis(u64::MAX),
            _ => principal.expires(),
        }
    }

    /// The digest of everything that makes one token good for another request. What one assertion was exchanged for is not
    /// for another one of the same user: that may grant less, name its actors otherwise, or stand while the first is revoked.
    /// Nor is what an agent got by its token for the same agent without one: that cannot be named.
    fn key(&self, principal: &Principal, server: &str, scope: &str) -> Key {
        if self.mode == Mode::ClientCredentials {
            return cache::key(&[self.mode.name(), server, scope], None);
        }
        let assertion = base64url::encode(principal.assertion());
        let (link, method) = (principal.link().name(), principal.agent_method().name());
        let parts = [self.mode.name(), server, scope, link, method, &assertion];
        cache::key(&parts, Some(principal))
    }

    pub(super) const fn public_keys(&self) -> [&SigningKey; 2] {
        [&self.keys.current, &self.keys.next]
    }
}

impl Wanted {
    pub(super) const fn new(permit: Permit, mode: Mode, key: Key, scope: String, until: UnixTime) -> Self {
        Self {
            permit,
            mode,
            key,
            scope,
            until,
        }
    }

    /// The server that it is for.
    #[must_use]
    pub fn server(&self) -> &str {
        self.permit.server()
    }

    /// The way to get it.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What two requests have in common that can share one token.
    #[must_use]
    pub const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The scopes to ask for.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The end of what was presented: nothing may outlive it.
    #[must_use]
    pub const fn until(&self) -> UnixTime {
        self.until
    }

    /// Takes the token that was obtained for this, and keeps it for others.
    ///
    /// # Errors
    /// [`CredentialError::Expired`].
    pub fn redeem(
        self,
        obtained: &Obtained,
        cache: &mut MintCache,
        generation: u64,
        now: UnixTime,
    ) -> Result<BoundCredential, CredentialError> {
        let expires = obtained.expires().min(self.until);
        if expires <= now {
            return Err(CredentialError::Expired);
        }
        let mut header_value = Zeroizing::new(Vec::with_capacity(7 + obtained.expose().len()));
        header_value.extend_from_slice(b"Bearer ");
        header_value.extend_from_slice(obtained.expose());
        let token = Rc::new(Token {
            header_value,
            id: obtained.id().unwrap_or_default().to_owned(),
            scope: obtained.scope().to_owned(),
            issued: obtained.issued(),
            expires,
        });
        cache.enter(generation);
        cache.keep(self.key, Rc::clone(&token));
        Ok(BoundCredential::of_token(token, self.mode, self.permit))
    }
}
