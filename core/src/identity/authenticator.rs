//! The one entrance: presented credentials in, a principal out; and the caches that make the second time cheap.
//!
//! One per core. Must never answer from a cache across generations of trust, after a token's end, or by anything but
//! the SHA-256 of the exact bytes.

use std::rc::Rc;

use super::Fault;
use super::IdentityError;
use super::Presented;
use super::Principal;
use super::Side;
use super::Trust;
use super::cache::Cache;
use super::link;
use super::presented::token_digest;
use super::token;
use super::token::Verified;
use super::token::Workspace;
use crate::json::Scratch;
use crate::limits::CLOCK_FLOOR_SECS;
use crate::limits::IDENTITY_CACHE_MAX;
use crate::limits::IDENTITY_CACHE_TTL;
use crate::limits::IDENTITY_REFUSED_TTL;
use crate::time::UnixTime;

/// Identifies callers, and remembers what it proved.
pub struct Authenticator {
    generation: u64,
    pairs: Cache<Rc<Principal>>,
    tokens: Cache<Rc<Verified>>,
    refused: Cache<()>,
    decoded: Vec<u8>,
    lacking: Option<String>,
}

/// What the judgements of one request share.
struct Round<'r> {
    trust: &'r Trust,
    scratch: &'r mut Scratch,
    now: UnixTime,
}

impl Authenticator {
    /// An authenticator whose caches hold about `entries` entries each, at most [`IDENTITY_CACHE_MAX`].
    #[must_use]
    pub fn new(entries: usize) -> Self {
        let entries = entries.min(IDENTITY_CACHE_MAX);
        Self {
            generation: 0,
            pairs: Cache::new(entries),
            tokens: Cache::new(entries),
            refused: Cache::new(entries),
            decoded: Vec::new(),
            lacking: None,
        }
    }

    /// Identifies the caller. Allocates nothing if the same credentials were accepted before and still are.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] with the first step that refused; the agent's token is judged before the user's.
    pub fn authenticate(
        &mut self,
        presented: &Presented<'_>,
        trust: &Trust,
        scratch: &mut Scratch,
        now: UnixTime,
    ) -> Result<Rc<Principal>, IdentityError> {
        if now.secs() < CLOCK_FLOOR_SECS {
            return Err(IdentityError::new(Side::Pair, Fault::Clock));
        }
        self.follow(trust);
        let digest = presented.digest();
        if let Some(principal) = self.pairs.get(&digest, now) {
            return Ok(Rc::clone(principal));
        }
        let mut round = Round { trust, scratch, now };
        let agent = self.token(presented.agent(), Side::Agent, &mut round)?;
        let mut until = until(&agent, now);
        let principal = match presented.user() {
            Some(user) => {
                let user = self.token(user, Side::User, &mut round)?;
                until = until.min(self::until(&user, now));
                link::of_pair(&agent, &user, trust)
            }
            None if agent.is_delegated() => link::of_delegated(&agent, trust),
            None => return Err(IdentityError::new(Side::User, Fault::Absent)),
        };
        let principal = Rc::new(principal.map_err(|fault| IdentityError::new(Side::Pair, fault))?);
        self.pairs.insert(digest, until, Rc::clone(&principal));
        Ok(principal)
    }

    /// The issuer profile whose keys lacked the one that a token named, since this was last asked. Its keys may have been
    /// rotated; anybody can make such a token, so whoever acts on this must do it rarely.
    pub fn take_lacking(&mut self) -> Option<String> {
        self.lacking.take()
    }

    /// Forgets everything that another generation of trust allowed or refused.
    fn follow(&mut self, trust: &Trust) {
        if self.generation != trust.generation {
            self.generation = trust.generation;
            self.pairs.clear();
            self.tokens.clear();
            self.refused.clear();
        }
    }

    fn token(&mut self, token: &[u8], side: Side, round: &mut Round<'_>) -> Result<Rc<Verified>, IdentityError> {
        let now = round.now;
        let digest = token_digest(side, token);
        if let Some(verified) = self.tokens.get(&digest, now) {
            return Ok(Rc::clone(verified));
        }
        if self.refused.get(&digest, now).is_some() {
            return Err(IdentityError::new(side, Fault::RefusedBefore));
        }
        let mut workspace = Workspace {
            decoded: &mut self.decoded,
            scratch: round.scratch,
            lacking: &mut self.lacking,
        };
        match token::verify(token, side, round.trust, &mut workspace, now) {
            Ok(verified) => {
                let verified = Rc::new(verified);
                self.tokens.insert(digest, until(&verified, now), Rc::clone(&verified));
                Ok(verified)
            }
            Err(fault) => {
                if fault.is_lasting() {
                    self.refused
                        .insert(digest, now.saturating_add(IDENTITY_REFUSED_TTL), ());
                }
                Err(IdentityError::new(side, fault))
            }
        }
    }
}

/// How long a verified token need not be verified again.
fn until(token: &Verified, now: UnixTime) -> UnixTime {
    token
        .expires
        .saturating_add(token.leeway)
        .min(now.saturating_add(IDENTITY_CACHE_TTL))
}
