//! What a shard wants of the control plane: keys that tokens named and the gate does not have, tokens for servers, and
//! what opaque tokens are.
//!
//! Keys are told rarely enough that no flood matters. Must never wait for room: what cannot be told now is told when the
//! next such token comes, and an order that finds no room is refused.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::broker::{self, Ask};
use crate::introspector;
use crate::io::mailbox::MailError;

/// Names that wait to be read. Each shard says each at most once a second.
const WAITING: usize = 64;
/// How often a shard repeats a name.
const REPEAT: Duration = Duration::from_secs(1);

/// The control plane's end.
#[derive(Debug)]
pub struct Heard {
    /// Names of issuers whose keys may have been rotated.
    pub keys: Receiver<String>,
    /// Orders for tokens.
    pub tokens: Receiver<Ask>,
    /// Inquiries about opaque tokens.
    pub opaque: Receiver<introspector::Ask>,
}

/// Tells the control plane. Every shard has its own.
#[derive(Debug)]
pub struct Wants {
    tell: Sender<String>,
    order: Sender<Ask>,
    inquire: Sender<introspector::Ask>,
    told: RefCell<BTreeMap<String, Instant>>,
}

/// Where shards say what they want, and where it is heard.
#[must_use]
pub fn channel_of_wants() -> (Wants, Heard) {
    let (tell, keys) = channel(WAITING);
    let (order, tokens) = channel(broker::ORDERS);
    let (inquire, opaque) = channel(introspector::INQUIRIES);
    let wants = Wants {
        tell,
        order,
        inquire,
        told: RefCell::default(),
    };
    (wants, Heard { keys, tokens, opaque })
}

impl Clone for Wants {
    fn clone(&self) -> Self {
        Self {
            tell: self.tell.clone(),
            order: self.order.clone(),
            inquire: self.inquire.clone(),
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

    /// Orders a token.
    ///
    /// # Errors
    /// There is no room, or nobody who listens.
    pub fn token(&self, ask: Ask) -> Result<(), MailError> {
        self.order.try_send(ask).map_err(undelivered)
    }

    /// Asks about an opaque token.
    ///
    /// # Errors
    /// There is no room, or nobody who listens.
    pub fn inquiry(&self, ask: introspector::Ask) -> Result<(), MailError> {
        self.inquire.try_send(ask).map_err(undelivered)
    }
}

fn undelivered<T>(error: TrySendError<T>) -> MailError {
    match error {
        TrySendError::Full(_) => MailError::Full,
        TrySendError::Closed(_) => MailError::Gone,
    }
}
