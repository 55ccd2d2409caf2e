//! State that must be exact across shards has one owner, and is reached by message.
//!
//! A question to this very shard is answered in place, without a message and without waiting. An owner that cannot be
//! reached (the gate is stopping) answers as if it knew nothing: unknown sessions and tasks are refused, and so are proofs
//! that nobody remembers.

use std::cell::RefCell;

use portreeve_core::identity::{ProofId, ReplayWindow, Spent};
use portreeve_core::mcp::{OwnedId, Version};
use portreeve_core::session::{SessionError, SessionFacts, SessionId, SessionLimits, SessionTable};
use portreeve_core::task::{TaskFacts, TaskKey, TaskTable};
use portreeve_core::time::UnixTime;

use super::Order;
use crate::clock;
use crate::io::mailbox::{Answer, MailError, Post};

/// A question to the owner of a session, task or key.
#[derive(Debug)]
pub enum Ask {
    /// What does this session id stand for?
    FindSession(SessionId),
    /// Is this answer awaited? It no longer is afterwards.
    TakeAnswer(SessionId, OwnedId),
    /// The upstream chose this version.
    PinVersion(SessionId, Version),
    /// The client is about to be shown this server request.
    ExpectAnswer(SessionId, OwnedId),
    /// The session is over.
    Close(SessionId),
    /// Who made this task?
    FindTask(TaskKey),
    /// This caller made this task.
    RememberTask(TaskKey, TaskFacts),
    /// Was this proof used before? It is from now on.
    SpendProof(ProofId),
}

/// The owner's answer.
#[derive(Debug)]
pub enum Told {
    /// To [`Ask::FindSession`].
    Session(Option<SessionFacts>),
    /// To [`Ask::TakeAnswer`].
    Awaited(bool),
    /// To [`Ask::FindTask`].
    Task(Option<TaskFacts>),
    /// To [`Ask::SpendProof`].
    Proof(Spent),
    /// To everything else.
    Done,
}

/// What this shard owns, and the way to what others own.
pub struct Owners {
    shard: u8,
    shards: u8,
    sessions: RefCell<SessionTable>,
    tasks: RefCell<TaskTable>,
    proofs: RefCell<ReplayWindow>,
    post: Post<Order>,
}

impl Owners {
    /// The owner tables of `shard`, empty.
    #[must_use]
    pub fn new(shard: u8, shards: u8, limits: SessionLimits, post: Post<Order>) -> Self {
        let sessions = RefCell::new(SessionTable::new(limits));
        Self {
            shard,
            shards,
            sessions,
            tasks: RefCell::new(TaskTable::new()),
            proofs: RefCell::new(ReplayWindow::new()),
            post,
        }
    }

    /// Gives the shard's seat up: whoever asks from now on hears that nobody is here.
    pub fn leave(&self) {
        self.post.leave();
    }

    /// What a session id stands for, at its owner.
    pub async fn find_session(&self, id: SessionId) -> Option<SessionFacts> {
        match self.ask(id.shard(), Ask::FindSession(id)).await {
            Some(Told::Session(found)) => found,
            _ => None,
        }
    }

    /// Who made a task, at its owner.
    pub async fn find_task(&self, key: TaskKey) -> Option<TaskFacts> {
        match self.ask(key.shard(self.shards), Ask::FindTask(key)).await {
            Some(Told::Task(found)) => found,
            _ => None,
        }
    }

    /// Uses a proof, at the owner of its key. Where nobody is left to remember it, it is not used.
    pub async fn spend_proof(&self, proof: ProofId) -> Spent {
        match self.ask(proof.shard(self.shards), Ask::SpendProof(proof)).await {
            Some(Told::Proof(spent)) => spent,
            _ => Spent::Full,
        }
    }

    /// Whether a posted answer is awaited, at the owner of its session.
    pub async fn take_answer(&self, id: SessionId, request: OwnedId) -> bool {
        matches!(
            self.ask(id.shard(), Ask::TakeAnswer(id, request)).await,
            Some(Told::Awaited(true))
        )
    }

    /// Has `deliver` take the place for an answer of the control plane, and waits for it.
    ///
    /// # Errors
    /// It was not delivered, or nobody answered.
    pub async fn ask_control<R: Send + 'static>(
        &self,
        deliver: impl FnOnce(Answer<R>) -> Result<(), MailError>,
    ) -> Result<R, MailError> {
        self.post.ask_by(deliver).await
    }

    /// Opens a session; a new id is always of this shard.
    ///
    /// # Errors
    /// This shard holds as many as it may.
    pub fn open(&self, id: SessionId, facts: SessionFacts) -> Result<(), SessionError> {
        self.sessions.borrow_mut().open(id, facts, clock::now())
    }

    /// Tells the owner something that needs no answer but must have happened before what follows.
    pub async fn tell(&self, ask: Ask) {
        let owner = match &ask {
            Ask::FindSession(id)
            | Ask::TakeAnswer(id, _)
            | Ask::PinVersion(id, _)
            | Ask::ExpectAnswer(id, _)
            | Ask::Close(id) => id.shard(),
            Ask::FindTask(key) | Ask::RememberTask(key, _) => key.shard(self.shards),
            Ask::SpendProof(proof) => proof.shard(self.shards),
        };
        let _done_or_stopping = self.ask(owner, ask).await;
    }

    /// Answers a question as the owner.
    pub fn answer(&self, ask: Ask) -> Told {
        let now = clock::now();
        match ask {
            Ask::FindSession(id) => return Told::Session(self.sessions.borrow_mut().find(&id, now)),
            Ask::TakeAnswer(id, request) => {
                return Told::Awaited(self.sessions.borrow_mut().take_answer(&id, &request, now));
            }
            Ask::FindTask(key) => return Told::Task(self.tasks.borrow_mut().find(&key, now)),
            Ask::SpendProof(proof) => return Told::Proof(self.proofs.borrow_mut().spend(&proof, now)),
            Ask::PinVersion(id, version) => self.sessions.borrow_mut().pin_version(&id, version, now),
            Ask::ExpectAnswer(id, request) => self.sessions.borrow_mut().expect_answer(&id, request, now),
            Ask::Close(id) => self.sessions.borrow_mut().close(&id),
            Ask::RememberTask(key, facts) => self.tasks.borrow_mut().remember(key, facts, now),
        }
        Told::Done
    }

    /// Drops what nobody used for its time to live.
    pub fn expire(&self, now: UnixTime) {
        self.sessions.borrow_mut().expire(now);
        self.tasks.borrow_mut().expire(now);
        self.proofs.borrow_mut().expire(now);
    }

    async fn ask(&self, owner: u8, ask: Ask) -> Option<Told> {
        if owner == self.shard {
            return Some(self.answer(ask));
        }
        if owner >= self.shards {
            return None;
        }
        self.post.ask(owner.into(), |answer| Order::Ask(ask, answer)).await.ok()
    }
}

impl std::fmt::Debug for Owners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owners")
            .field("shard", &self.shard)
            .finish_non_exhaustive()
    }
}
