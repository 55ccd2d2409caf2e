//! What a shard wants of the control plane: keys that tokens named and the gate does not have, told rarely enough that no
//! flood matters; what becomes of a SET that was pushed; and that a minted token is shut off.
//!
//! Telling must never wait: what cannot be told now is told when the next such token, or the same SET, comes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use portreeve_core::credential::Minted;
use portreeve_core::mediation::SignalOutcome;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

/// Names that wait to be read. Each shard says each at most once a second.
const WAITING: usize = 64;
/// How often a shard repeats a name.
const REPEAT: Duration = Duration::from_secs(1);

/// Questions of one shard that wait to be answered; who asks has shown a token for each.
const ASKED: usize = 32;

/// Takes what shards want.
pub type Heard = Receiver<Want>;

/// What a shard wants.
#[derive(Debug)]
pub enum Want {
    /// The keys of this issuer, which may have been rotated.
    Keys(String),
    /// To know what becomes of a SET.
    Judgement(Pushed),
    /// To have a minted token shut off, for who holds it.
    Revocation(Minted, Ticket),
}

/// A SET that was pushed.
#[derive(Debug)]
pub struct Pushed {
    /// The transmitter, by its configured name.
    pub transmitter: String,
    /// The SET, as it came.
    pub set: Vec<u8>,
    /// Where the answer goes.
    pub ticket: Ticket,
}

/// Which shard waits for an answer, and which of its questions it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The shard's number.
    pub shard: u8,
    number: u64,
}

/// Tells the control plane. Every shard has its own.
#[derive(Debug)]
pub struct Wants {
    tell: Sender<Want>,
    told: RefCell<BTreeMap<String, Instant>>,
    /// Questions that are not answered yet.
    asked: RefCell<BTreeMap<u64, oneshot::Sender<SignalOutcome>>>,
    questions: Cell<u64>,
}

/// Where shards say what they want, and where it is heard.
#[must_use]
pub fn channel_of_wants() -> (Wants, Heard) {
    let (tell, heard) = channel(WAITING);
    (Wants::telling(tell), heard)
}

impl Clone for Wants {
    fn clone(&self) -> Self {
        Self::telling(self.tell.clone())
    }
}

impl Wants {
    fn telling(tell: Sender<Want>) -> Self {
        Self {
            tell,
            told: RefCell::default(),
            asked: RefCell::default(),
            questions: Cell::new(0),
        }
    }

    /// Asks, for the shard of that number, what becomes of `set`; nobody has time to say where too many ask.
    pub async fn judgement(&self, shard: u8, transmitter: &str, set: &[u8]) -> SignalOutcome {
        let pushed = |ticket| Pushed {
            transmitter: transmitter.to_owned(),
            set: set.to_owned(),
            ticket,
        };
        self.ask(shard, |ticket| Want::Judgement(pushed(ticket))).await
    }

    /// Has `token` shut off, for the shard of that number; nobody has time for it where too many ask.
    pub async fn revocation(&self, shard: u8, token: &Minted) -> SignalOutcome {
        self.ask(shard, |ticket| Want::Revocation(token.clone(), ticket)).await
    }

    async fn ask(&self, shard: u8, want: impl FnOnce(Ticket) -> Want) -> SignalOutcome {
        let question = self.questions.get();
        let (answer, answered) = oneshot::channel();
        {
            let mut asked = self.asked.borrow_mut();
            // Who gave up waiting needs no answer.
            asked.retain(|_, answer| !answer.is_closed());
            if asked.len() >= ASKED {
                return SignalOutcome::Later;
            }
            asked.insert(question, answer);
        }
        self.questions.set(question + 1);
        let ticket = Ticket {
            shard,
            number: question,
        };
        if self.tell.try_send(want(ticket)).is_err() {
            self.asked.borrow_mut().remove(&question);
            return SignalOutcome::Later;
        }
        answered.await.unwrap_or(SignalOutcome::Later)
    }

    /// Passes an answer on to who waits for it.
    pub fn judged(&self, ticket: Ticket, outcome: SignalOutcome) {
        if let Some(answer) = self.asked.borrow_mut().remove(&ticket.number) {
            let _gave_up = answer.send(outcome);
        }
    }

    /// Says that a key of `issuer`, one of the configured names, is lacking.
    pub fn keys_of(&self, issuer: String) {
        let now = Instant::now();
        let mut told = self.told.borrow_mut();
        if told.get(&issuer).is_some_and(|last| now.duration_since(*last) < REPEAT) {
            return;
        }
        // INVARIANT: only configured names come here, so that this is bounded by them and by reloads.
        told.insert(issuer.clone(), now);
        let _full_or_gone = self.tell.try_send(Want::Keys(issuer));
    }
}
