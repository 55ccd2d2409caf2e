//! One core's share of the gate: its caches, its connections, what it owns, and the loop that accepts.
//!
//! Everything here belongs to one executor. What crosses to another shard goes through [`owners`], what comes from the
//! control plane through [`crate::publish`].

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use portreeve_core::credential::{GrantRefusal, Minted};
use portreeve_core::framing::http1::HeadLimits;
use portreeve_core::identity::{LastSeen, PeerCertificate};
use portreeve_core::mediation::{
    Bench, Context, Conversation, Destination, Head, Inquiry, SideEffect, SignalOutcome, TokenOrder, Unanswered,
    UpstreamFault,
};
use portreeve_core::snapshot::Snapshot;

use crate::audit::Audit;
use crate::broker::{Ask, Told};
use crate::clock;
use crate::config;
use crate::introspector;
use crate::io::IoError;
use crate::io::dial::Origin;
use crate::io::mailbox::Answer;
use crate::io::timer::Timers;
use crate::publish::Published;
use crate::tls::Listening;
use crate::upstream::{self, Exchange, Patience, Pool, UpstreamError};

pub mod owners;
mod run;
mod signal;
mod wants;

use owners::Owners;
pub use run::{Handle, Order, Plan, start};
pub use signal::Signal;
pub use wants::{Heard, Pushed, Question, Wants, channel_of_wants};

/// How long a token of an authorization server may take: two requests, each with a deadline of its own.
const OBTAIN: Duration = Duration::from_secs(25);
/// How long the control plane may take to answer.
const JUDGEMENT: Duration = Duration::from_secs(10);
/// How long it may take to learn what an opaque token is; the control plane gives up before.
const INQUIRE: Duration = Duration::from_secs(7);
/// How long a client may take to accept what is written to it.
const WRITE: Duration = Duration::from_secs(30);

/// The limits of one connection and one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sizes of heads and bodies.
    pub head: HeadLimits,
    /// From the first byte of a request to the end of its head.
    pub header: Duration,
    /// From the end of the head to the end of the body.
    pub body: Duration,
    /// Between requests.
    pub idle: Duration,
    /// For the client to take what is written.
    pub write: Duration,
    /// For a connection to a server to open, TLS included.
    pub connect: Duration,
    /// Bytes of one reply.
    pub reply_bytes: u64,
    /// From the request's last byte to the upstream's first, and between pieces of a JSON answer.
    pub first_byte: Duration,
    /// Open client connections of one shard.
    pub connections: usize,
}

/// One core's share of the gate.
pub struct Shard {
    /// Deadlines.
    pub timers: Timers,
    /// Limits of connections and exchanges.
    pub limits: Limits,
    /// What this shard owns, and the way to what others own.
    pub owners: Owners,
    /// This shard's audit file.
    pub audit: Audit,
    /// Connections to the servers behind the gate.
    pub pool: Pool,
    /// Where lacking keys are told.
    wants: Wants,
    origins: RefCell<Origins>,
    listening: RefCell<Option<Listening>>,
    published: Arc<Published>,
    current: RefCell<Arc<Snapshot>>,
    bench: RefCell<Bench>,
    connections: Cell<usize>,
    /// Connections so far.
    admitted: Cell<u64>,
    /// The gate is stopping: waiting for a request ends.
    draining: Signal,
    /// Its time is up: what still runs is cut, and concludes.
    cut: Signal,
    /// Who waits for the last connection to end.
    emptied: Cell<Option<Waker>>,
}

/// The certificate that a client showed.
#[derive(Debug)]
pub struct Shown {
    /// What it says.
    pub certificate: PeerCertificate,
    /// What the listener spoke when it took it.
    pub under: Listening,
}

/// The servers behind the gate.
pub type Origins = Vec<Route>;

/// How a server is reached.
#[derive(Clone)]
pub struct Route {
    /// Its name.
    pub server: Arc<str>,
    /// `host[:port]`, as in the snapshot that goes with it.
    pub authority: Box<str>,
    /// Its addresses and TLS.
    pub origin: Arc<Origin>,
}

impl Limits {
    /// One shard's share of the limits of the gate.
    #[must_use]
    pub fn of(gate: &config::Limits, shards: u8) -> Self {
        Self {
            head: HeadLimits {
                body_bytes: gate.message_bytes,
                ..HeadLimits::REQUEST
            },
            header: gate.head_timeout,
            body: gate.body_timeout,
            idle: gate.idle_timeout,
            write: WRITE,
            connect: gate.connect_timeout,
            first_byte: gate.first_byte_timeout,
            reply_bytes: gate.reply_bytes,
            connections: gate.connections.div_ceil(usize::from(shards)),
        }
    }
}

impl Shard {
    /// The configuration in force now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let mut current = self.current.borrow_mut();
        self.published.refresh(&mut current);
        Arc::clone(&current)
    }

    /// Runs one synchronous stage of mediation under `snapshot`: a request is admitted and decided under one generation.
    pub fn under<T>(&self, snapshot: &Snapshot, stage: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let mut context = Context {
            snapshot,
            bench: &mut self.bench.borrow_mut(),
            now: clock::now(),
            ticks: &clock::ticks,
            entropy: &mut clock::entropy,
        };
        stage(&mut context)
    }

    /// Tells the control plane if a token named a key that its issuer does not have.
    pub fn tell_lacking(&self) {
        if let Some(issuer) = self.bench.borrow_mut().authenticator.take_lacking() {
            self.wants.keys_of(issuer);
        }
    }

    /// Obtains a token for a server; other requests go on meanwhile.
    pub async fn obtain(&self, order: TokenOrder) -> Told {
        let asking = self
            .owners
            .ask_control(|answer| self.wants.token(Ask { order, answer }));
        match self.timers.deadline(OBTAIN, asking).await {
            Ok(Ok(told)) => told,
            _ => Err(GrantRefusal::Unavailable),
        }
    }

    /// Asks the control plane what becomes of a SET that `transmitter` pushed.
    pub async fn judgement(&self, transmitter: &str, set: &[u8]) -> SignalOutcome {
        let (transmitter, set) = (transmitter.to_owned(), set.to_owned());
        self.ask(|answer| {
            Question::Judgement(Pushed {
                transmitter,
                set,
                answer,
            })
        })
        .await
    }

    /// Has the control plane shut a minted token off.
    pub async fn revocation(&self, token: &Minted) -> SignalOutcome {
        let token = token.clone();
        self.ask(|answer| Question::Revocation(token, answer)).await
    }

    async fn ask(&self, question: impl FnOnce(Answer<SignalOutcome>) -> Question) -> SignalOutcome {
        let asking = self.owners.ask_control(|answer| self.wants.question(question(answer)));
        match self.timers.deadline(JUDGEMENT, asking).await {
            Ok(Ok(outcome)) => outcome,
            _ => SignalOutcome::Later,
        }
    }

    /// Asks the issuer of an opaque token what it is; other requests go on meanwhile.
    pub async fn introspect(&self, inquiry: Inquiry) -> introspector::Told {
        let asking = self
            .owners
            .ask_control(|answer| self.wants.inquiry(introspector::Ask { inquiry, answer }));
        match self.timers.deadline(INQUIRE, asking).await {
            Ok(Ok(told)) => told,
            _ => Err(Unanswered),
        }
    }

    /// Runs one stage under the configuration in force now: what is on its way back must hold today.
    pub fn with_context<T>(&self, stage: impl FnOnce(&mut Context<'_>) -> T) -> T {
        self.under(&self.snapshot(), stage)
    }

    /// When agents were last let in here, since this was last asked.
    pub fn take_last_seen(&self) -> LastSeen {
        self.bench.borrow_mut().seen.take()
    }

    /// Performs what a conversation asks for before its last message may pass.
    ///
    /// # Errors
    /// What the caller is then told: the message must not pass.
    pub async fn perform(self: &Rc<Self>, conversation: &mut Conversation) -> Result<(), UpstreamFault> {
        for effect in conversation.take_effects() {
            match effect {
                SideEffect::Open(id, facts) => {
                    self.owners.open(id, facts).map_err(|_| UpstreamFault::Unusable)?;
                }
                SideEffect::PinVersion(id, version) => self.owners.tell(owners::Ask::PinVersion(id, version)).await,
                SideEffect::ExpectAnswer(id, request) => self.owners.tell(owners::Ask::ExpectAnswer(id, request)).await,
                SideEffect::Close(id) => self.owners.tell(owners::Ask::Close(id)).await,
                SideEffect::RememberTask(key, facts) => self.owners.tell(owners::Ask::RememberTask(key, facts)).await,
                SideEffect::AnswerUpstream { to, head, body } => {
                    let shard = Rc::clone(self);
                    glommio::spawn_local(async move { shard.answer_upstream(&to, head, &body).await }).detach();
                }
            }
        }
        Ok(())
    }

    /// Sends a request and waits for the head of its answer. A stream somebody listens on may take its time.
    ///
    /// # Errors
    /// How far it came.
    pub async fn send_upstream(
        &self,
        to: &Destination,
        head: &mut Vec<u8>,
        body: &[u8],
        listening: bool,
    ) -> Result<Exchange, UpstreamError> {
        let origin = self
            .origins
            .borrow()
            .iter()
            .find(|route| *route.server == *to.server && *route.authority == *to.authority)
            .map(|route| Arc::clone(&route.origin));
        let origin = origin.ok_or(UpstreamError::Connect(IoError::Unreachable))?;
        let reply_bytes_max = if listening { u64::MAX } else { self.limits.reply_bytes };
        let patience = Patience {
            connect: self.limits.connect,
            write: self.limits.write,
            first_byte: self.limits.first_byte,
        };
        let request = upstream::Request {
            head,
            body,
            is_head: false,
            reply_bytes_max,
        };
        self.pool.send(&origin, request, &patience).await
    }

    /// Tells a server that its request was refused; what it answers to that interests nobody.
    async fn answer_upstream(&self, to: &Destination, mut head: Head, body: &[u8]) {
        let _acknowledged = self.send_upstream(to, &mut head, body, false).await;
    }

    /// Replaces the servers behind the gate; exchanges under way go on with the old ones.
    pub fn set_origins(&self, origins: Origins) {
        *self.origins.borrow_mut() = origins;
    }

    /// What connections that are accepted from now on speak.
    pub fn set_listening(&self, listening: Option<Listening>) {
        *self.listening.borrow_mut() = listening;
    }

    /// What the listener speaks now.
    pub fn listening(&self) -> Option<Listening> {
        self.listening.borrow().clone()
    }

    /// Whether the certificate that was shown would have to be judged anew.
    pub fn is_outdated(&self, shown: &Shown) -> bool {
        let listening = self.listening.borrow();
        !listening.as_ref().is_some_and(|now| now.judges_as(&shown.under))
    }

    /// Waits until no connection is left.
    pub async fn quiet(&self) {
        poll_fn(|cx| {
            if self.connections.get() == 0 {
                return Poll::Ready(());
            }
            self.emptied.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Whether the gate is stopping: no connection serves another request.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_raised()
    }

    /// Begins to stop: connections that wait for a request end now, the others after their answer.
    pub fn drain(&self) {
        self.draining.raise();
        self.look_again();
    }

    /// What a conversation looks at again when it changes: the generation in force, and whether the gate is stopping.
    #[must_use]
    pub fn occasion(&self) -> (u64, bool) {
        (self.published.generation(), self.draining.is_raised())
    }

    /// Has every conversation look whether it may go on.
    pub fn look_again(&self) {
        self.cut.nudge();
    }

    /// Ends what still runs, and waits until every conversation has noted its outcome.
    pub async fn cut(&self) {
        self.cut.raise();
        self.cut.idle().await;
    }

    /// Open client connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.get()
    }

    /// Runs `future` unless and until the gate is stopping; `None` then.
    pub async fn unless_draining<F: Future>(&self, connection: u64, future: F) -> Option<F::Output> {
        self.draining.unless(connection, future).await
    }

    /// Runs a part of a conversation unless and until the gate's time to stop is up; `None` then. Whoever gets `None`
    /// notes the outcome before it waits for anything else: the shard ends after that.
    pub async fn unless_cut<F: Future>(&self, connection: u64, future: F) -> Option<F::Output> {
        self.cut.unless(connection, future).await
    }

    /// Whether the gate's time to stop is up: no conversation begins.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut.is_raised()
    }

    /// Takes a place for one more connection; it is given back when the guard goes.
    pub fn admit_connection(self: &Rc<Self>) -> Option<Place> {
        if self.connections.get() >= self.limits.connections {
            return None;
        }
        self.connections.set(self.connections.get() + 1);
        self.admitted.set(self.admitted.get() + 1);
        Some(Place {
            shard: Rc::clone(self),
            number: self.admitted.get(),
        })
    }
}

/// A connection's place among those a shard may hold.
pub struct Place {
    shard: Rc<Shard>,
    /// Numbers the connections of a shard from one.
    pub number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = self.shard.connections.get() - 1;
        self.shard.connections.set(left);
        if left == 0
            && let Some(waker) = self.shard.emptied.take()
        {
            waker.wake();
        }
    }
}
