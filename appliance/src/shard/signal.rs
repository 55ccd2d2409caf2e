//! Something that happens once to a shard, and the work that ends with it.
//!
//! Belongs to one executor; a connection has at most one piece of work under each signal.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};

/// A signal that is raised once and stays raised.
#[derive(Default)]
pub struct Signal {
    raised: Cell<bool>,
    /// The work that is under way, by connection.
    working: RefCell<BTreeMap<u64, Waker>>,
    /// Who waits for the last of it.
    idle: Cell<Option<Waker>>,
}

impl Signal {
    /// Whether it was raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.raised.get()
    }

    /// Raises it: all work under it ends at its next turn, which is now due.
    pub fn raise(&self) {
        self.raised.set(true);
        self.nudge();
    }

    /// Gives all work under it a turn.
    pub fn nudge(&self) {
        for waker in self.working.borrow().values() {
            waker.wake_by_ref();
        }
    }

    /// Runs `work` for a connection unless and until the signal is raised; `None` then, with `work` dropped.
    pub async fn unless<F: Future>(&self, connection: u64, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        let output = poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            if self.raised.get() {
                return Poll::Ready(None);
            }
            let mut working = self.working.borrow_mut();
            if !working
                .get(&connection)
                .is_some_and(|known| known.will_wake(cx.waker()))
            {
                working.insert(connection, cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
        self.working.borrow_mut().remove(&connection);
        if self.working.borrow().is_empty()
            && let Some(waker) = self.idle.take()
        {
            waker.wake();
        }
        output
    }

    /// Waits until no work is under way.
    pub async fn idle(&self) {
        poll_fn(|cx| {
            if self.working.borrow().is_empty() {
                return Poll::Ready(());
            }
            self.idle.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}
