//! Where orders of the admin API are carried out, one after the other.

use std::path::PathBuf;

use hyper::StatusCode;
use portreeve_core::audit::{Author, Change, Changed};
use portreeve_core::identity::LastSeen;
use tokio::sync::mpsc::{Sender, UnboundedSender};

use super::registrar::{Job, Task};
use super::reload::{Fresh, Read};
use super::sightings::{Sighted, Then};
use super::status;
use crate::admin::contract::{By, Done, Entry, Lift, Refresh, Revoke, What};
use crate::admin::revocations::{NotAdded, Revocations};
use crate::admin::{Answer, Order, Wanted};
use crate::boot::Gate;
use crate::broker::Broker;
use crate::clock;
use crate::config::{Config, Signals, publish};
use crate::introspector::Introspector;
use crate::issuers::{Keeper, Report};
use crate::say;
use crate::signals::Receivers;
use crate::signals::standing::Remarks;

/// The running gate, its configuration, and what is shut off at it.
pub(super) struct Desk<'g> {
    pub(super) gate: &'g Gate,
    pub(super) config: Config,
    /// The state directory that was claimed at the start; the configuration may name another for the next one.
    pub(super) state_dir: PathBuf,
    pub(super) revocations: Revocations,
    pub(super) keeper: Keeper,
    pub(super) receivers: Receivers,
    pub(super) remarks: Remarks,
    pub(super) broker: Broker,
    pub(super) introspector: Introspector,
    /// Where edits of the file go.
    pub(super) jobs: Sender<Job>,
    /// What is shut off only until the file says so; what somebody else shuts off meanwhile is no longer.
    pub(super) provisional: Vec<What>,
    /// When agents were last let in, as far as the shards have told.
    pub(super) seen: LastSeen,
    /// Whether that has more in it than the disk.
    pub(super) seen_since_kept: bool,
    /// Where what the shards tell goes.
    pub(super) sighted: UnboundedSender<Sighted>,
    /// How often the shards were asked and have not told yet.
    pub(super) looking: usize,
}

impl Desk<'_> {
    /// Carries `order` out and answers it.
    pub(super) fn carry_out(&mut self, order: Order) {
        let answer = match order.wanted {
            Wanted::List => Answer::done(self.revocations.list()),
            Wanted::Revoke(wanted) => {
                self.provisional.retain(|what| *what != wanted.what);
                self.revoke(wanted, order.by)
            }
            Wanted::Lift(wanted) => self.lift(&wanted, order.by),
            Wanted::Status => Answer::done(&status::of(self)),
            Wanted::Refresh(wanted) => self.refresh(&wanted, order.by),
            Wanted::Registry => return self.look(Then::List(order.answer)),
            Wanted::Edit(edit) => return self.begin(Task::Edit(Box::new(edit)), order.by, order.answer),
            Wanted::Undo => return self.begin(Task::Undo, order.by, order.answer),
        };
        // Who did not wait for the answer does not get it.
        let _ = order.answer.send(answer);
    }

    /// Puts in force what an issuer's task reports.
    pub(super) fn hear(&mut self, report: Report) {
        let Some((signer, keys)) = self.keeper.hear(report) else {
            return;
        };
        match Signals::of_signer(&signer) {
            Some(transmitter) => self.receivers.set_keys(transmitter, keys),
            None => drop(self.gate.set_keys(&[(signer, keys)])),
        }
    }

    fn refresh(&self, wanted: &Refresh, by: u32) -> Answer {
        let issuer = &wanted.issuer;
        if !self.keeper.demand(issuer) {
            let reason = format!("no keys are fetched for an issuer `{}`", issuer.escape_debug());
            return Answer::failed(StatusCode::NOT_FOUND, &reason);
        }
        say::notice(&format!("issuer {issuer}: asked for its keys by user id {by}"));
        self.done(true)
    }

    /// Puts what was read from the disk in force.
    pub(super) fn take_up(&mut self, fresh: Fresh) {
        let Read {
            config: fresh,
            mut snapshot,
            origins,
            grants,
            transmitters,
            askers,
            listening,
        } = *fresh;
        let (now, then) = (&self.config.gate, &fresh.gate);
        if now.listen != then.listen
            || now.shards != then.shards
            || now.state_dir != then.state_dir
            || now.tls != then.tls
            || now.client_certificates != then.client_certificates
            || self.config.limits != fresh.limits
        {
            say::notice(
                "listen, tls, shards, state_dir and limits take effect at the next start; everything else is reloaded now",
            );
        }
        if now.tls != then.tls || now.client_certificates != then.client_certificates {
            say::notice("until then certificates and lists of revoked ones are not read again");
        }
        let followed = self.keeper.follow(&fresh);
        if let Err(fault) = followed.and_then(|()| self.receivers.follow(&fresh, transmitters)) {
            // It could be used when it was read, a moment ago.
            say::notice(&format!(
                "issuers and transmitters are asked as before this change: {fault}"
            ));
        }
        // Now, and not when the files were read: keys may have been replaced since.
        self.receivers.set_all_keys(self.keeper.sets());
        publish::set_keys(&mut snapshot, self.keeper.sets());
        let generation = self.gate.publish(&fresh, snapshot, &origins, listening.as_ref());
        self.broker.follow(grants);
        self.introspector.follow(askers, &fresh);
        say::notice(&format!("reloaded: generation {generation} is in force"));
        self.config = fresh;
        self.settle();
        self.warn_of_strangers();
    }

    /// Warns of what is shut off under a name that the configuration does not have: whoever was renamed is let in.
    pub(super) fn warn_of_strangers(&self) {
        let config = &self.config;
        for entry in &self.revocations.list().revocations {
            let known = match &entry.what {
                What::Agent { agent, .. } | What::Delegation { agent, .. } => {
                    config.agents.iter().any(|known| known.name == *agent)
                }
                What::Server { server } => config.servers.iter().any(|known| known.name == *server),
                What::User { .. } | What::Token { .. } | What::Session { .. } | What::Key { .. } => true,
            };
            if !known {
                say::notice(&format!(
                    "{} is shut off, but not configured: if it has a new name, shut that off too",
                    entry.what
                ));
            }
        }
    }

    /// In force first, then kept: a full disk must not let anybody stay in.
    pub(super) fn revoke(&mut self, wanted: Revoke, by: u32) -> Answer {
        let Revoke { what, reason } = wanted;
        let by = By::Uid(by);
        if self.revocations.contains(&what, &by) {
            // Asking again is how somebody mends a list that could not be written down.
            return self.keep(false);
        }
        let entry = Entry {
            what,
            since: clock::now().secs(),
            by,
            reason,
        };
        match self.shut_off(std::slice::from_ref(&entry)) {
            Ok(()) => {
                say::notice(&format!("shut off by {}: {}", entry.by, entry.what));
                self.keep(true)
            }
            Err(error) => {
                let status = match error {
                    NotAdded::Full => StatusCode::INSUFFICIENT_STORAGE,
                    NotAdded::Text | NotAdded::Future | NotAdded::Past => StatusCode::BAD_REQUEST,
                };
                Answer::failed(status, &error.to_string())
            }
        }
    }

    /// Puts `entries` in force, all at once; keeps nothing.
    pub(super) fn shut_off(&mut self, entries: &[Entry]) -> Result<(), NotAdded> {
        let next = self.revocations.with(entries, clock::now())?;
        self.gate.shut_off(next.denylist());
        self.revocations = next;
        for entry in entries {
            self.trace("revoke", &entry.what.to_string(), &entry.by, entry.reason.as_deref());
        }
        Ok(())
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
        if !self.revocations.names(&wanted.what) {
            return self.done(false);
        }
        let next = self
            .revocations
            .without(&wanted.what)
            .map_err(|error| error.to_string());
        let kept = next.and_then(|next| next.keep().map(|()| next).map_err(|error| error.to_string()));
        match kept {
            Ok(next) => {
                self.gate.shut_off(next.denylist());
                self.revocations = next;
                self.trace("lift", &wanted.what.to_string(), &By::Uid(by), None);
                say::notice(&format!("let back in by user id {by}: {}", wanted.what));
                self.done(true)
            }
            Err(error) => {
                // The shorter list may be on the disk already, and must not be what the next start reads.
                let until = match self.revocations.keep() {
                    Ok(()) => "it stays shut off",
                    Err(_) => "it stays shut off until the gate stops",
                };
                let reason = format!("{until}, because the change could not be written down: {error}");
                say::notice(&reason);
                Answer::failed(StatusCode::INTERNAL_SERVER_ERROR, &reason)
            }
        }
    }

    pub(super) fn trace(&self, action: &str, what: &str, by: &By, reason: Option<&str>) {
        let change = Change::new(&Changed {
            time: clock::now(),
            generation: self.gate.generation(),
            action,
            what,
            by: match by {
                By::Uid(uid) => Author::Uid(*uid),
                By::Transmitter { transmitter } => Author::Transmitter(transmitter),
                By::Server { server } => Author::Server(server),
            },
            reason,
        });
        self.gate.note(change.record());
    }

    fn done(&self, changed: bool) -> Answer {
        Answer::done(&Done {
            changed,
            generation: self.gate.generation(),
        })
    }
}
