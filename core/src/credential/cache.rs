//! Minted tokens of one core, to be used again while they last. Bounded; nothing in it is shared or persistent.
//!
//! INVARIANT: a token is handed out only under the digest of everything it says about user, agents, audience and scope.

use core::fmt;
use std::rc::Rc;

use ring::digest::{Context, SHA256};

use super::claims::update_framed;
use super::minter::Token;
use crate::identity::Principal;
use crate::limits;
use crate::time::UnixTime;

/// Entries that share a place; the one that expires first makes room.
const WAYS: usize = 4;
const SETS: usize = limits::MINT_CACHE_ENTRIES / WAYS;

const _: () = assert!(
    SETS.is_power_of_two() && SETS <= 1 << 16,
    "a set is chosen by two bytes of the digest"
);

/// The digest of everything that makes a token usable for a request.
pub(super) type Key = [u8; 32];

/// The key of what `parts` say, for whom `principal` is: user, agent and the actors before it.
pub(super) fn key(parts: &[&str], principal: Option<&Principal>) -> Key {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        update_framed(&mut hash, part);
    }
    if let Some(principal) = principal {
        hash.update(&principal.binding());
        for actor in principal.agent().prior() {
            update_framed(&mut hash, actor.issuer.as_deref().unwrap_or_default());
            update_framed(&mut hash, &actor.subject);
        }
    }
    let mut key = Key::default();
    key.copy_from_slice(hash.finish().as_ref());
    key
}

type Set = [Option<(Key, Rc<Token>)>; WAYS];

/// Minted tokens of one core: at most [`limits::MINT_CACHE_ENTRIES`], all of one generation.
pub struct MintCache {
    sets: Vec<Set>,
    generation: u64,
}

impl Default for MintCache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MintCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MintCache")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl MintCache {
    /// An empty cache. Allocates its table, and nothing later.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sets: vec![Set::default(); SETS],
            generation: 0,
        }
    }

    /// Drops every token of another generation: whoever lost a right lost it in a new generation.
    pub(super) fn enter(&mut self, generation: u64) {
        if self.generation != generation {
            self.sets.fill(Set::default());
            self.generation = generation;
        }
    }

    /// A token for `key` that is still fresh and does not outlive `until`.
    pub(super) fn find(&self, key: &Key, until: UnixTime, now: UnixTime) -> Option<Rc<Token>> {
        let found = self.sets[set_of(key)].iter().flatten().find(|(held, _)| held == key);
        found
            .map(|(_, token)| token)
            .filter(|token| token.expires <= until && token.is_fresh(now))
            .cloned()
    }

    /// Keeps `token` in place of the one for the same key, else of an empty place, else of the first to expire.
    pub(super) fn keep(&mut self, key: Key, token: Rc<Token>) {
        let set = &mut self.sets[set_of(&key)];
        let worth = |place: &Option<(Key, Rc<Token>)>| match place {
            Some((held, _)) if *held == key => None,
            Some((_, token)) => Some(token.expires),
            None => Some(UnixTime::default()),
        };
        if let Some(place) = set.iter_mut().min_by_key(|place| worth(place)) {
            *place = Some((key, token));
        }
    }
}

fn set_of(key: &Key) -> usize {
    usize::from(u16::from_be_bytes([key[0], key[1]])) % SETS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_000);

    fn token(expires: u64) -> Rc<Token> {
        Rc::new(Token::for_tests(NOW, UnixTime::from_secs(expires)))
    }

    fn key(set: u8, n: u8) -> Key {
        let mut key = [0; 32];
        key[1] = set;
        key[31] = n;
        key
    }

    #[test]
    fn hands_out_only_what_was_kept_under_the_same_key_and_generation() {
        let mut cache = MintCache::new();
        let until = UnixTime::from_secs(2_000);
        cache.keep(key(0, 1), token(1_060));
        assert!(cache.find(&key(0, 1), until, NOW).is_some());
        assert!(cache.find(&key(0, 2), until, NOW).is_none());
        cache.enter(1);
        assert!(cache.find(&key(0, 1), until, NOW).is_none());
    }

    #[test]
    fn never_hands_out_a_token_that_outlives_what_was_presented() {
        let mut cache = MintCache::new();
        cache.keep(key(0, 1), token(1_060));
        assert!(cache.find(&key(0, 1), UnixTime::from_secs(1_059), NOW).is_none());
        assert!(cache.find(&key(0, 1), UnixTime::from_secs(1_060), NOW).is_some());
    }

    #[test]
    fn a_token_in_its_last_quarter_is_not_used_again() {
        let mut cache = MintCache::new();
        cache.keep(key(0, 1), token(1_060));
        let until = UnixTime::from_secs(2_000);
        assert!(cache.find(&key(0, 1), until, UnixTime::from_secs(1_044)).is_some());
        assert!(cache.find(&key(0, 1), until, UnixTime::from_secs(1_045)).is_none());
    }

    #[test]
    fn a_full_set_gives_up_the_first_to_expire_and_touches_no_other_set() {
        let mut cache = MintCache::new();
        let until = UnixTime::from_secs(9_000);
        cache.keep(key(1, 0), token(1_050));
        for n in 0..5_u8 {
            cache.keep(key(0, n), token(1_060 + u64::from(n)));
        }
        let held = |n| cache.find(&key(0, n), until, NOW).is_some();
        assert_eq!([0, 1, 2, 3, 4].map(held), [false, true, true, true, true]);
        assert!(cache.find(&key(1, 0), until, NOW).is_some());
    }

    #[test]
    fn a_key_has_one_token() {
        let mut cache = MintCache::new();
        cache.keep(key(0, 1), token(1_060));
        cache.keep(key(0, 1), token(1_050));
        assert_eq!(cache.sets[0].iter().flatten().count(), 1);
    }
}
