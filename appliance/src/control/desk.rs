//! Where orders of the admin API are carried out, one after the other.

use hyper::StatusCode;

use crate::admin::contract::{Done, Entry, Lift, Revoke};
use crate::admin::revocations::Revocations;
use crate::admin::{Answer, Order, Wanted};
use crate::boot::Gate;
use crate::clock;
use crate::say;

/// The running gate, and what is shut off at it.
pub(super) struct Desk<'g> {
    pub(super) gate: &'g Gate,
    pub(super) revocations: Revocations,
}

impl Desk<'_> {
    /// Carries `order` out and answers it.
    pub(super) fn carry_out(&mut self, order: Order) {
        let answer = match order.wanted {
            Wanted::List => Answer::done(&self.revocations.list()),
            Wanted::Revoke(wanted) => self.revoke(wanted, order.by),
            Wanted::Lift(wanted) => self.lift(&wanted, order.by),
        };
        // Who did not wait for the answer does not get it.
        let _ = order.answer.send(answer);
    }

    /// In force first, then kept: a full disk must not let anybody stay in.
    fn revoke(&mut self, wanted: Revoke, by: u32) -> Answer {
        let Revoke { what, reason } = wanted;
        if self.revocations.contains(&what) {
            // Asking again is how somebody mends a list that could not be written down.
            return self.keep(false);
        }
        let said = format!("shut off by user id {by}: {what}");
        let since = clock::now().secs();
        let next = self.revocations.with(Entry {
            what,
            since,
            by,
            reason,
        });
        let denylist = match next.denylist() {
            Ok(denylist) => denylist,
            Err(full) => return Answer::failed(StatusCode::INSUFFICIENT_STORAGE, &full.to_string()),
        };
        self.gate.shut_off(denylist);
        self.revocations = next;
        say::notice(&said);
        self.keep(true)
    }

    fn keep(&self, changed: bool) -> Answer {
        match self.revocations.keep() {
            Ok(()) => self.done(changed),
            Err(error) => {
                let reason = format!(
                    "it is shut off now, but that could not be written down ({error}): it ends when the gate stops"
                );
                say::notice(&reason);
                Answer::failed(StatusCode::INTERNAL_SERVER_ERROR, &reason)
            }
        }
    }

    /// Kept first, then in force: what cannot be written down stays shut off.
    fn lift(&mut self, wanted: &Lift, by: u32) -> Answer {
        if !self.revocations.contains(&wanted.what) {
            return self.done(false);
        }
        let next = self.revocations.without(&wanted.what);
        let kept = next.keep().map_err(|error| error.to_string());
        match kept.and_then(|()| next.denylist().map_err(|error| error.to_string())) {
            Ok(denylist) => {
                self.gate.shut_off(denylist);
                self.revocations = next;
                say::notice(&format!("let back in by user id {by}: {}", wanted.what));
                self.done(true)
            }
            Err(error) => Answer::failed(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("it stays shut off, because the change could not be written down: {error}"),
            ),
        }
    }

    fn done(&self, changed: bool) -> Answer {
        Answer::done(&Done {
            changed,
            generation: self.gate.generation(),
        })
    }
}
