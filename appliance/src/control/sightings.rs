//! When agents were last let in: each shard knows its own part, and tells it when it is asked.
//!
//! Asked for every listing, every minute and at the stop. No order waits for a shard longer than [`PATIENCE`].

use std::path::Path;
use std::time::Duration;

use portreeve_core::identity::LastSeen;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::desk::Desk;
use crate::admin::Answer;
use crate::registry::seen;
use crate::say;

/// How often what was seen is kept.
pub(super) const EVERY: Duration = Duration::from_secs(60);
/// How long shards may take to tell.
const PATIENCE: Duration = Duration::from_secs(1);

/// What shards saw, and what it was asked for; nothing more where a shard came late.
pub(super) struct Sighted {
    seen: LastSeen,
    then: Option<Then>,
}

/// What happens once the shards have told.
pub(super) enum Then {
    /// The registry is listed.
    List(oneshot::Sender<Answer>),
    /// It is kept on the disk.
    Keep,
    /// Nothing yet: it is kept when the gate ends.
    End,
}

impl Desk<'_> {
    /// Asks every shard whom it saw. What they tell comes to [`Self::sighted`].
    pub(super) fn look(&mut self, then: Then) {
        let (tell, mut told) = unbounded_channel();
        self.gate.ask_last_seen(&tell);
        // A shard that is gone drops its end too; with the last one the channel ends.
        drop(tell);
        self.looking += 1;
        let sighted = self.sighted.clone();
        tokio::spawn(async move {
            let deadline = Instant::now() + PATIENCE;
            let mut seen = LastSeen::default();
            while let Ok(Some(more)) = timeout_at(deadline, told.recv()).await {
                seen.merge(more);
            }
            let then = Some(then);
            let _gate_is_gone = sighted.send(Sighted { seen, then });
            while let Some(seen) = told.recv().await {
                let _gate_is_gone = sighted.send(Sighted { seen, then: None });
            }
        });
    }

    /// Takes in what shards told.
    pub(super) fn sighted(&mut self, sighted: Sighted) {
        self.seen_since_kept |= !sighted.seen.is_empty();
        self.seen.merge(sighted.seen);
        let Some(then) = sighted.then else {
            return;
        };
        self.looking -= 1;
        match then {
            // Who did not wait for the answer does not get it.
            Then::List(answer) => drop(answer.send(Answer::done(&self.registry()))),
            Then::Keep if self.seen_since_kept => {
                self.seen_since_kept = false;
                let (state_dir, seen) = (self.state_dir.clone(), self.seen.clone());
                tokio::task::spawn_blocking(move || keep(&state_dir, &seen));
            }
            Then::Keep | Then::End => {}
        }
    }

    /// Waits for what shards have yet to tell, and keeps it: the end of a gate.
    pub(super) async fn last_look(&mut self, came: &mut UnboundedReceiver<Sighted>) {
        while self.looking > 0 {
            match timeout(PATIENCE, came.recv()).await {
                Ok(Some(sighted)) => self.sighted(sighted),
                _ => break,
            }
        }
        keep(&self.state_dir, &self.seen);
    }
}

fn keep(state_dir: &Path, seen: &LastSeen) {
    if let Err(error) = seen::keep(state_dir, seen) {
        say::notice(&format!("when agents were last seen cannot be kept: {error}"));
    }
}
