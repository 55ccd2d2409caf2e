//! How a new configuration reaches the shards: one snapshot at a time, by generation.
//!
//! A shard compares one number per request and takes the lock only when it changed, so publication costs the data plane
//! one relaxed-cost load. A request keeps the snapshot it started with; an open stream looks again as it goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use portreeve_core::identity::{Denylist, Trust};
use portreeve_core::signals::Standing;
use portreeve_core::snapshot::Snapshot;

use crate::issuers::Changed;

/// The snapshot in force, shared by the control plane (which replaces it) and all shards (which read it).
#[derive(Debug)]
pub struct Published {
    generation: AtomicU64,
    latest: Mutex<Arc<Snapshot>>,
}

impl Published {
    /// Begins with `snapshot`.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            generation: AtomicU64::new(snapshot.generation),
            latest: Mutex::new(Arc::new(snapshot)),
        }
    }

    /// Replaces the configuration in force; it is given the next generation, which is returned. What is shut off stays
    /// shut off, and nonces that were given out still count.
    pub fn publish(&self, mut snapshot: Snapshot) -> u64 {
        self.replace(|latest, generation| {
            snapshot.denylist = Arc::clone(&latest.denylist);
            snapshot.proofs.nonces = Arc::clone(&latest.proofs.nonces);
            snapshot.standing = Arc::clone(&latest.standing);
            // A trust that another snapshot shares is not a new one, and keeps its number.
            if let Some(trust) = Arc::get_mut(&mut snapshot.trust) {
                trust.generation = generation;
            }
            snapshot
        })
    }

    /// Replaces what is shut off, and nothing else: every cache stays warm.
    pub fn shut_off(&self, denylist: Arc<Denylist>) -> u64 {
        self.replace(|latest, _| Snapshot {
            denylist,
            ..latest.clone()
        })
    }

    /// Replaces what is known of users, and nothing else.
    pub fn know(&self, standing: Arc<Standing>) -> u64 {
        self.replace(|latest, _| Snapshot {
            standing,
            ..latest.clone()
        })
    }

    /// Replaces the keys of the named issuers, and nothing else. Every token is then verified anew.
    pub fn set_keys(&self, changed: &[Changed]) -> u64 {
        self.replace(|latest, generation| {
            let mut trust = Trust::clone(&latest.trust);
            for (issuer, keys) in changed {
                trust.set_keys(issuer, keys.clone());
            }
            trust.generation = generation;
            Snapshot {
                trust: Arc::new(trust),
                ..latest.clone()
            }
        })
    }

    fn replace(&self, next: impl FnOnce(&Snapshot, u64) -> Snapshot) -> u64 {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = latest.generation + 1;
        let mut snapshot = next(&latest, generation);
        snapshot.generation = generation;
        *latest = Arc::new(snapshot);
        self.generation.store(generation, Ordering::Release);
        generation
    }

    /// The generation in force.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The snapshot in force.
    #[must_use]
    pub fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Brings `held` up to date.
    pub fn refresh(&self, held: &mut Arc<Snapshot>) {
        if held.generation != self.generation() {
            *held = self.latest();
        }
    }
}
