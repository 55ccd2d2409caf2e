//! Messages between shards, and from the control thread to shards: bounded, typed, answered, without polling.
//!
//! Every shard has one inbox behind a lock that is held for a push or a swap. The runtime's wakers are not safe to
//! *drop* on a foreign thread at the moment their task ends, so exactly one waker per shard is ever seen by other
//! threads, they only wake it by reference under the inbox lock, and its shard alone replaces and drops it. Whoever
//! waits for an answer waits locally.
//!
//! A full inbox refuses the message and says so to the sender; answers are never refused, because each was asked for.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Poll;
use std::task::Waker;

use futures_lite::future::yield_now;
use tokio::sync::oneshot;

/// Messages that wait in one shard's inbox at most; answers are not counted.
pub const INBOX_MESSAGES_MAX: usize = 4_096;

/// Answers that one shard waits for at most.
pub const QUESTIONS_MAX: usize = 65_536;

/// Why a message was not delivered or a question not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailError {
    /// The receiver has too many messages waiting, or the sender too many questions.
    Full,
    /// The receiver has stopped, or there is no shard of that number.
    Gone,
    /// The receiver let the question go without an answer.
    Unanswered,
}

impl fmt::Display for MailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "too many messages are waiting",
            Self::Gone => "the shard has stopped",
            Self::Unanswered => "the shard did not answer",
        })
    }
}

impl std::error::Error for MailError {}

/// Builds the inboxes of `shards` shards: a seat for each of them, and the control thread's end.
#[must_use]
pub fn mesh<M: Send + 'static>(shards: usize) -> (Control<M>, Vec<Seat<M>>) {
    let inboxes: Arc<[Arc<Inbox<M>>]> = (0..shards).map(|_| Arc::new(Inbox::new())).collect();
    let seats = (0..shards)
        .map(|index| Seat {
            index,
            inboxes: Arc::clone(&inboxes),
        })
        .collect();
    (Control { inboxes }, seats)
}

/// The end for threads that are not shards.
pub struct Control<M> {
    inboxes: Arc<[Arc<Inbox<M>>]>,
}

impl<M: Send + 'static> Control<M> {
    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.inboxes.len()
    }

    /// Sends `message` to one shard.
    ///
    /// # Errors
    /// [`MailError::Full`] or [`MailError::Gone`].
    pub fn tell(&self, shard: usize, message: M) -> Result<(), MailError> {
        tell(&self.inboxes, shard, message)
    }

    /// Sends the message that `question` makes of the place for its answer. The receiver may be awaited on any
    /// runtime or blocked on; it fails if the shard stops or does not answer.
    ///
    /// # Errors
    /// [`MailError::Full`] or [`MailError::Gone`].
    pub fn ask<R: Send + 'static>(
        &self,
        shard: usize,
        question: impl FnOnce(Answer<R>) -> M,
    ) -> Result<oneshot::Receiver<R>, MailError> {
        let (sender, receiver) = oneshot::channel();
        self.tell(shard, question(Answer(Some(Asker::Thread(sender)))))?;
        Ok(receiver)
    }
}

impl<M> Clone for Control<M> {
    fn clone(&self) -> Self {
        Self {
            inboxes: Arc::clone(&self.inboxes),
        }
    }
}

/// One shard's place in the mesh, on its way to the shard.
pub struct Seat<M> {
    index: usize,
    inboxes: Arc<[Arc<Inbox<M>>]>,
}

impl<M: Send + 'static> Seat<M> {
    /// Takes the seat on the current executor: `handle` gets every message, in order per sender, and must not wait
    /// (it may spawn what does). The first message comes when the current task next waits.
    pub fn serve(self, handle: impl FnMut(M) + 'static) -> Post<M> {
        let questions = Rc::new(RefCell::new(Questions::default()));
        let inbox = Arc::clone(&self.inboxes[self.index]);
        let desk = Desk {
            inbox,
            questions: Rc::clone(&questions),
        };
        glommio::spawn_local(desk.work(handle)).detach();
        Post {
            seat: Rc::new(self),
            questions,
        }
    }
}

/// One shard's end: sends to every shard, itself included. Clones are the same end.
pub struct Post<M> {
    seat: Rc<Seat<M>>,
    questions: Rc<RefCell<Questions>>,
}

impl<M: Send + 'static> Post<M> {
    /// The number of this shard.
    #[must_use]
    pub fn shard(&self) -> usize {
        self.seat.index
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.seat.inboxes.len()
    }

    /// Sends `message` to one shard.
    ///
    /// # Errors
    /// [`MailError::Full`] or [`MailError::Gone`].
    pub fn tell(&self, shard: usize, message: M) -> Result<(), MailError> {
        tell(&self.seat.inboxes, shard, message)
    }

    /// Sends the message that `question` makes of the place for its answer, and waits for the answer. Dropping the
    /// future drops the answer. Has no deadline of its own.
    ///
    /// # Errors
    /// Any [`MailError`].
    pub async fn ask<R: Send + 'static>(
        &self,
        shard: usize,
        question: impl FnOnce(Answer<R>) -> M,
    ) -> Result<R, MailError> {
        self.ask_by(|answer| self.tell(shard, question(answer))).await
    }

    /// Has `deliver` take the place for an answer to somebody who is no shard, and waits for the answer, as
    /// [`ask`](Self::ask) does.
    ///
    /// # Errors
    /// What `deliver` says, else any [`MailError`].
    pub async fn ask_by<R: Send + 'static>(
        &self,
        deliver: impl FnOnce(Answer<R>) -> Result<(), MailError>,
    ) -> Result<R, MailError> {
        let ticket = self.questions.borrow_mut().open()?;
        let waiting = Waiting {
            ticket,
            questions: &self.questions,
        };
        let home: Arc<dyn Home> = Arc::clone(&self.seat.inboxes[self.seat.index]) as Arc<dyn Home>;
        deliver(Answer(Some(Asker::Shard(home, ticket))))?;
        let value = poll_fn(|cx| waiting.questions.borrow_mut().poll(ticket, cx.waker())).await;
        value
            .and_then(|value| value.downcast::<R>().ok())
            .map(|value| *value)
            .ok_or(MailError::Unanswered)
    }

    /// Gives the seat up: what waits in the inbox is dropped, later messages are refused with [`MailError::Gone`].
    pub fn leave(&self) {
        self.seat.inboxes[self.seat.index].close();
    }
}

impl<M> Clone for Post<M> {
    fn clone(&self) -> Self {
        Self {
            seat: Rc::clone(&self.seat),
            questions: Rc::clone(&self.questions),
        }
    }
}

/// The place for one answer. Dropped without [`send`](Self::send), it tells the asker that there will be none.
pub struct Answer<R: Send + 'static>(Option<Asker<R>>);

enum Asker<R> {
    Shard(Arc<dyn Home>, u64),
    Thread(oneshot::Sender<R>),
}

impl<R: Send + 'static> Answer<R> {
    /// Answers. Whoever asked may have stopped waiting; then the answer is dropped.
    pub fn send(mut self, value: R) {
        match self.0.take() {
            Some(Asker::Shard(home, ticket)) => home.answer(ticket, Some(Box::new(value))),
            Some(Asker::Thread(sender)) => drop(sender.send(value)),
            None => {}
        }
    }
}

impl<R: Send + 'static> Drop for Answer<R> {
    fn drop(&mut self) {
        if let Some(Asker::Shard(home, ticket)) = self.0.take() {
            home.answer(ticket, None);
        }
    }
}

type Value = Option<Box<dyn Any + Send>>;

/// Where an answer goes back to, whatever the messages there are.
trait Home: Send + Sync {
    fn answer(&self, ticket: u64, value: Value);
}

enum Letter<M> {
    Message(M),
    Answer(u64, Value),
}

struct Inbox<M>(Mutex<InboxState<M>>);

struct InboxState<M> {
    letters: Vec<Letter<M>>,
    messages: usize,
    open: bool,
    /// The shard's desk. Set, replaced and dropped on its shard only (see the head of this file).
    desk: Option<Waker>,
}

impl<M> Inbox<M> {
    fn new() -> Self {
        Self(Mutex::new(InboxState {
            letters: Vec::new(),
            messages: 0,
            open: true,
            desk: None,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, InboxState<M>> {
        // Nothing panics under the lock, and the state is valid at every step anyway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.open = false;
        state.wake();
    }
}

impl<M> InboxState<M> {
    fn push(&mut self, letter: Letter<M>) {
        let sleeping = self.letters.is_empty();
        self.letters.push(letter);
        if sleeping {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(desk) = &self.desk {
            desk.wake_by_ref();
        }
    }
}

impl<M: Send> Home for Inbox<M> {
    fn answer(&self, ticket: u64, value: Value) {
        let mut state = self.lock();
        if state.open {
            state.push(Letter::Answer(ticket, value));
        }
    }
}

fn tell<M>(inboxes: &[Arc<Inbox<M>>], shard: usize, message: M) -> Result<(), MailError> {
    let inbox = inboxes.get(shard).ok_or(MailError::Gone)?;
    let mut state = inbox.lock();
    let refused = match (state.open, state.messages < INBOX_MESSAGES_MAX) {
        (false, _) => MailError::Gone,
        (true, false) => MailError::Full,
        (true, true) => {
            state.messages += 1;
            state.push(Letter::Message(message));
            return Ok(());
        }
    };
    // The message may hold an answer for this very inbox, which is given back when it drops: not under the lock.
    drop(state);
    drop(message);
    Err(refused)
}

/// The one task of a shard that opens its letters.
struct Desk<M> {
    inbox: Arc<Inbox<M>>,
    questions: Rc<RefCell<Questions>>,
}

impl<M> Desk<M> {
    async fn work(self, mut handle: impl FnMut(M)) {
        // The runtime runs a new task at once; whoever takes the seat gets its post before the first message.
        yield_now().await;
        let mut batch = Vec::new();
        loop {
            let open = poll_fn(|cx| {
                let mut state = self.inbox.lock();
                if !state.open {
                    return Poll::Ready(false);
                }
                if !state.letters.is_empty() {
                    state.messages = 0;
                    std::mem::swap(&mut batch, &mut state.letters);
                    return Poll::Ready(true);
                }
                match &mut state.desk {
                    Some(desk) => desk.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                Poll::Pending
            })
            .await;
            if !open {
                return;
            }
            for letter in batch.drain(..) {
                match letter {
                    Letter::Message(message) => handle(message),
                    Letter::Answer(ticket, value) => self.questions.borrow_mut().settle(ticket, value),
                }
            }
        }
    }
}

impl<M> Drop for Desk<M> {
    fn drop(&mut self) {
        let (letters, desk) = {
            let mut state = self.inbox.lock();
            state.open = false;
            (std::mem::take(&mut state.letters), state.desk.take())
        };
        // Outside of the lock: a message may hold an answer for this very inbox.
        drop((letters, desk));
        self.questions.borrow_mut().abandon();
    }
}

/// What this shard has asked and not yet heard.
#[derive(Default)]
struct Questions {
    last: u64,
    open: HashMap<u64, Question>,
}

enum Question {
    Asked(Option<Waker>),
    Settled(Value),
}

impl Questions {
    fn open(&mut self) -> Result<u64, MailError> {
        if self.open.len() >= QUESTIONS_MAX {
            return Err(MailError::Full);
        }
        self.last += 1;
        self.open.insert(self.last, Question::Asked(None));
        Ok(self.last)
    }

    fn settle(&mut self, ticket: u64, value: Value) {
        if let Some(question) = self.open.get_mut(&ticket)
            && let Question::Asked(waker) = std::mem::replace(question, Question::Settled(value))
            && let Some(waker) = waker
        {
            waker.wake();
        }
    }

    fn abandon(&mut self) {
        let tickets: Vec<u64> = self.open.keys().copied().collect();
        for ticket in tickets {
            if matches!(self.open.get(&ticket), Some(Question::Asked(_))) {
                self.settle(ticket, None);
            }
        }
    }

    fn poll(&mut self, ticket: u64, waker: &Waker) -> Poll<Value> {
        match self.open.get_mut(&ticket) {
            Some(Question::Asked(current)) => {
                *current = Some(waker.clone());
                Poll::Pending
            }
            Some(Question::Settled(value)) => Poll::Ready(value.take()),
            None => Poll::Ready(None),
        }
    }
}

/// Forgets the question when its asker stops waiting.
struct Waiting<'a> {
    ticket: u64,
    questions: &'a RefCell<Questions>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let question = self.questions.borrow_mut().open.remove(&self.ticket);
        // Outside of the borrow: an answer that nobody takes may be anything.
        drop(question);
    }
}
