//! Keys that tokens named and the gate does not have: told to the control plane, rarely enough that no flood matters.
//!
//! Must never wait: what cannot be told now is told when the next such token comes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Names that wait to be read. Each shard says each at most once a second.
const WAITING: usize = 64;
/// How often a shard repeats a name.
const REPEAT: Duration = Duration::from_secs(1);

/// Takes the names of issuers whose keys may have been rotated.
pub type Heard = Receiver<String>;

/// Tells the control plane. Every shard has its own.
#[derive(Debug)]
pub struct Wants {
    tell: Sender<String>,
    told: RefCell<BTreeMap<String, Instant>>,
}

/// Where shards say what they want, and where it is heard.
#[must_use]
pub fn channel_of_wants() -> (Wants, Heard) {
    let (tell, heard) = channel(WAITING);
    let wants = Wants {
        tell,
        told: RefCell::default(),
    };
    (wants, heard)
}

impl Clone for Wants {
    fn clone(&self) -> Self {
        Self {
            tell: self.tell.clone(),
            told: RefCell::default(),
        }
    }
}

impl Wants {
    /// Says that a key of `issuer`, one of the configured names, is lacking.
    pub fn keys_of(&self, issuer: String) {
        let now = Instant::now();
        let mut told = self.told.borrow_mut();
        if told.get(&issuer).is_some_and(|last| now.duration_since(*last) < REPEAT) {
            return;
        }
        // INVARIANT: only configured names come here, so that this is bounded by them and by reloads.
        told.insert(issuer.clone(), now);
        let _full_or_gone = self.tell.try_send(issuer);
    }
}
