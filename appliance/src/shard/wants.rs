//! What a shard wants of the control plane: keys that tokens named and the gate does not have, tokens for servers, and
//! what opaque tokens are, and answers to what was pushed at it.
//!
//! Keys are told rarely enough that no flood matters. Must never wait for room: what cannot be told now is told when the
//! next such token comes, and what finds no room is refused.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use portreeve_core::credential::Minted;
use portreeve_core::mediation::SignalOutcome;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::broker::{self, Ask};
use crate::introspector;
use crate::io::mailbox::{Answer, MailError};

/// Names that wait to be read. Each shard says each at most once a second.
const WAITING: usize = 64;
/// How often a shard repeats a name.
const REPEAT: Duration = Duration::from_secs(1);
/// Questions of all shards that wait to be read; who asks has shown a token for each.
const ASKED: usize = 256;

/// The control plane's end.
pub struct Heard {
    /// Names of issuers whose keys may have been rotated.
    pub keys: Receiver<String>,
    /// Orders for tokens.
    pub tokens: Receiver<Ask>,
    /// Inquiries about opaque tokens.
    pub opaque: Receiver<introspector::Ask>,
    /// Questions.
    pub questions: Receiver<Question>,
}

/// What a shard asks.
pub enum Question {
    /// What becomes of a SET?
    Judgement(Pushed),
    /// Shut a minted token off, for who holds it.
    Revocation(Minted, Answer<SignalOutcome>),
}

/// A SET that was pushed.
pub struct Pushed {
    /// The transmitter, by its configured name.
    pub transmitter: String,
    /// The SET, as it came.
    pub set: Vec<u8>,
    /// Where the answer goes.
    pub answer: Answer<SignalOutcome>,
}

/// Tells the control plane. Every shard has its own.
pub struct Wants {
    tell: Sender<String>,
    order: Sender<Ask>,
    ask: Sender<Question>,
    inquire: Sender<introspector::Ask>,
    told: RefCell<BTreeMap<String, Instant>>,
}

/// Where shards say what they want, and where it is heard.
#[must_use]
pub fn channel_of_wants() -> (Wants, Heard) {
    let (tell, keys) = channel(WAITING);
    let (order, tokens) = channel(broker::ORDERS);
    let (ask, questions) = channel(ASKED);
    let (inquire, opaque) = channel(introspector::INQUIRIES);
    let wants = Wants {
        tell,
        order,
        inquire,
        ask,
        told: RefCell::default(),
    };
    let heard = Heard {
        keys,
        tokens,
        opaque,
        questions,
    };
    (wants, heard)
}

impl Clone for Wants {
    fn clone(&self) -> Self {
        Self {
            tell: self.tell.clone(),
            order: self.order.clone(),
            ask: self.ask.clone(),
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
        sent(self.order.try_send(ask))
    }

    /// Asks a question.
    ///
    /// # Errors
    /// There is no room, or nobody who listens.
    pub fn question(&self, question: Question) -> Result<(), MailError> {
        sent(self.ask.try_send(question))
    }

    /// Asks about an opaque token.
    ///
    /// # Errors
    /// There is no room, or nobody who listens.
    pub fn inquiry(&self, ask: introspector::Ask) -> Result<(), MailError> {
        sent(self.inquire.try_send(ask))
    }
}

fn sent<T>(result: Result<(), TrySendError<T>>) -> Result<(), MailError> {
    result.map_err(|error| match error {
        TrySendError::Full(_) => MailError::Full,
        TrySendError::Closed(_) => MailError::Gone,
    })
}
