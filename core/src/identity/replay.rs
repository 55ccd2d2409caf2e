//! Which proofs were used: exact, because one shard owns each key and is asked about every proof of it.
//!
//! A proof is remembered for as long as its time would still be accepted, by slices of that time, and a slice is forgotten
//! whole. What may have been forgotten is refused, and so is what cannot be remembered: never is a proof accepted twice.
//!
//! SPEC: RFC 9449 11.1.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use ring::digest;

use super::presented::finish;
use crate::limits::PROOF_SLICE_SECS;
use crate::limits::PROOF_TOLERANCE;
use crate::limits::PROOFS_PER_KEY_AND_SLICE;
use crate::limits::PROOFS_PER_SHARD;
use crate::time::UnixTime;

/// What tells a proof from all others (its key, its identifier, what it is for), and the slice of time it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofId {
    key: [u8; 16],
    digest: [u8; 16],
    slice: u64,
}

/// What became of using a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// It was not used before, and is now.
    Now,
    /// It was used before, or is from a time of which that is not known any more.
    Before,
    /// It cannot be remembered, so it must not be used: the table, or the share of its key, is full.
    Full,
}

/// The proofs that one shard knows to be used.
#[derive(Debug, Default)]
pub struct ReplayWindow {
    slices: BTreeMap<u64, Slice>,
    count: usize,
    /// Slices before this one are forgotten.
    forgotten: u64,
}

#[derive(Debug, Default)]
struct Slice {
    proofs: BTreeSet<[u8; 16]>,
    by_key: BTreeMap<[u8; 16], u32>,
}

impl ProofId {
    /// The id of the proof `jti` by the key of that thumbprint, from `issued`, for the URI of `target` put together.
    pub(super) fn new(thumbprint: &[u8; 32], jti: &str, target: [&str; 2], issued: UnixTime) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(thumbprint);
        context.update(&jti.len().to_le_bytes());
        context.update(jti.as_bytes());
        for part in target {
            context.update(part.as_bytes());
        }
        Self {
            key: half(thumbprint),
            digest: half(&finish(context)),
            slice: issued.secs() / PROOF_SLICE_SECS,
        }
    }

    /// Which of `shards` owns the key of this proof; every shard computes the same.
    #[must_use]
    pub fn shard(&self, shards: u8) -> u8 {
        let owner = u128::from_le_bytes(self.key) % u128::from(shards.max(1));
        u8::try_from(owner).unwrap_or(0)
    }
}

impl ReplayWindow {
    /// An empty window.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses a proof whose time was found to be acceptable. A shard whose clock is ahead of the asker's may have forgotten
    /// that time meanwhile; the proof then counts as used.
    pub fn spend(&mut self, proof: &ProofId, now: UnixTime) -> Spent {
        self.expire(now);
        let known = |slice: &Slice| slice.proofs.contains(&proof.digest);
        if proof.slice < self.forgotten || self.slices.values().any(known) {
            return Spent::Before;
        }
        if self.count >= PROOFS_PER_SHARD {
            return Spent::Full;
        }
        let slice = self.slices.entry(proof.slice).or_default();
        let of_key = slice.by_key.entry(proof.key).or_default();
        if *of_key >= PROOFS_PER_KEY_AND_SLICE {
            return Spent::Full;
        }
        *of_key += 1;
        slice.proofs.insert(proof.digest);
        self.count += 1;
        Spent::Now
    }

    /// Forgets the slices of which no proof is accepted any more at `now`.
    pub fn expire(&mut self, now: UnixTime) {
        let oldest = now.saturating_sub(PROOF_TOLERANCE).secs() / PROOF_SLICE_SECS;
        if oldest <= self.forgotten {
            return;
        }
        self.forgotten = oldest;
        while let Some(slice) = self.slices.first_entry().filter(|slice| *slice.key() < oldest) {
            self.count -= slice.remove().proofs.len();
        }
    }
}

fn half(whole: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const TARGET: [&str; 2] = ["https://gate.example", "/ledger/mcp"];

    fn key(number: u8) -> [u8; 32] {
        [number; 32]
    }

    fn proof(number: u8, jti: &str, issued: UnixTime) -> ProofId {
        ProofId::new(&key(number), jti, TARGET, issued)
    }

    fn after(secs: u64) -> UnixTime {
        NOW.saturating_add(Duration::from_secs(secs))
    }

    #[test]
    fn a_proof_is_used_once_while_its_time_is_accepted() {
        // Whatever its place in a slice, and whether its sender's clock is behind or ahead.
        for issued in (NOW.secs() - 60..=NOW.secs() + 60).map(UnixTime::from_secs) {
            let mut window = ReplayWindow::new();
            let used = proof(1, "a", issued);
            assert_eq!(window.spend(&used, NOW), Spent::Now);
            let last_accepted = issued.saturating_add(PROOF_TOLERANCE);
            for now in (NOW.secs()..=last_accepted.secs()).map(UnixTime::from_secs) {
                assert_eq!(window.spend(&used, now), Spent::Before);
            }
            assert_eq!(
                window.spend(&used, after(600)),
                Spent::Before,
                "it is never fresh again"
            );
        }
    }

    #[test]
    fn another_key_identifier_or_target_is_another_proof_and_another_time_is_not() {
        let mut window = ReplayWindow::new();
        let elsewhere = ProofId::new(&key(1), "a", ["https://gate.example", "/mail/mcp"], NOW);
        for proof in [proof(1, "a", NOW), proof(2, "a", NOW), proof(1, "b", NOW), elsewhere] {
            assert_eq!(window.spend(&proof, NOW), Spent::Now);
        }
        let (again, dated) = (proof(1, "a", after(1)), proof(1, "a", after(59)));
        assert_eq!(
            [again, dated].map(|proof| window.spend(&proof, NOW)),
            [Spent::Before; 2]
        );
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_fresh() {
        let mut window = ReplayWindow::new();
        let used = proof(1, "a", NOW);
        assert_eq!(window.spend(&used, NOW), Spent::Now);
        window.expire(after(120));
        assert_eq!(window.count, 0);
        assert_eq!(window.spend(&used, NOW), Spent::Before);
    }

    #[test]
    fn one_key_fills_its_share_and_leaves_the_rest() {
        let mut window = ReplayWindow::new();
        for number in 0..PROOFS_PER_KEY_AND_SLICE {
            assert_eq!(window.spend(&proof(1, &number.to_string(), NOW), NOW), Spent::Now);
        }
        assert_eq!(window.spend(&proof(1, "one more", NOW), NOW), Spent::Full);
        assert_eq!(
            window.spend(&proof(1, "0", NOW), NOW),
            Spent::Before,
            "what is known stays known"
        );
        assert_eq!(window.spend(&proof(2, "one more", NOW), NOW), Spent::Now);
        let later = after(PROOF_SLICE_SECS);
        assert_eq!(window.spend(&proof(1, "one more", later), later), Spent::Now);
    }

    #[test]
    fn a_full_window_refuses_and_empties_with_time() {
        let mut window = ReplayWindow::new();
        let keys = u8::try_from(PROOFS_PER_SHARD / usize::try_from(PROOFS_PER_KEY_AND_SLICE).unwrap()).unwrap();
        for number in 0..PROOFS_PER_KEY_AND_SLICE {
            let jti = number.to_string();
            for owner in 0..keys {
                assert_eq!(window.spend(&proof(owner, &jti, NOW), NOW), Spent::Now);
            }
        }
        assert_eq!(window.count, PROOFS_PER_SHARD);
        assert_eq!(window.spend(&proof(keys, "new", NOW), NOW), Spent::Full);
        assert_eq!(window.spend(&proof(0, "0", NOW), NOW), Spent::Before);
        let later = after(120);
        assert_eq!(window.spend(&proof(keys, "new", later), later), Spent::Now);
        assert_eq!(window.count, 1);
    }

    #[test]
    fn every_shard_agrees_on_the_owner_of_a_key() {
        let owner = |number| proof(number, "a", NOW).shard(4);
        assert_eq!(owner(1), proof(1, "b", after(9)).shard(4));
        assert!((0..64).any(|number| owner(number) != owner(1)));
        assert_eq!(proof(9, "a", NOW).shard(0), 0);
    }

    proptest! {
        #[test]
        fn no_proof_is_fresh_twice(steps in proptest::collection::vec((0_u8..3, 0_u8..4, 0_u64..90, 0_u64..7), 0..300)) {
            let (mut window, mut fresh, mut now) = (ReplayWindow::new(), BTreeSet::new(), 1_000);
            for (owner, jti, issued, passed) in steps {
                now += passed;
                // The identifier says the time as well: an honest sender never uses one for two times.
                let (id, issued) = (format!("{jti}-{}", now - 45 + issued), UnixTime::from_secs(now - 45 + issued));
                if window.spend(&proof(owner, &id, issued), UnixTime::from_secs(now)) == Spent::Now {
                    prop_assert!(fresh.insert((owner, id)));
                }
            }
        }
    }
}
