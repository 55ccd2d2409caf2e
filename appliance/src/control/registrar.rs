//! Orders about the registry: shown from what is in force, changed in the configuration file.
//!
//! Who is suspended or revoked is shut off at once, by the list that needs no file ([`Desk::revoke`]); the entry goes
//! again as soon as the file says so and is in force. Where the file cannot be changed the entry stays.

use hyper::StatusCode;
use portreeve_core::audit::{Author, Change, Changed};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::desk::Desk;
use super::not_taken_up;
use super::reload::{Came, Fresh};
use crate::admin::Answer;
use crate::admin::contract::{Edit, Edited, Noun, Registry, Revoke, State, Undone, What};
use crate::clock;
use crate::registry::edit::{Applied, EditError};
use crate::registry::{Done, NotChanged, listing};
use crate::say;

/// An edit on its way to the disk and back.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) task: Task,
    pub(super) by: u32,
    answer: oneshot::Sender<Answer>,
}

/// What is to be done to the file.
#[derive(Debug)]
pub(super) enum Task {
    /// One edit.
    Edit(Box<Edit>),
    /// The last change is taken back.
    Undo,
}

impl Desk<'_> {
    /// Who and what is registered under the configuration in force.
    pub(super) fn registry(&self) -> Registry {
        let generation = Some(self.gate.generation());
        listing::registry(&self.config, &self.revocations, &self.seen, generation, clock::now())
    }

    /// Says how many reviews of access are due.
    pub(super) fn warn_of_reviews(&self) {
        let registry = self.registry();
        let agents = registry.agents.iter().map(|agent| &agent.registration);
        let servers = registry.servers.iter().map(|server| &server.registration);
        match agents
            .chain(servers)
            .filter(|registration| registration.review_due)
            .count()
        {
            0 => {}
            due => say::notice(&format!(
                "reviews of access that are due: {due}; `portreeve agent list` and `portreeve server list` say which"
            )),
        }
    }

    /// Puts what came from the disk in force.
    pub(super) fn take(&mut self, came: Came) {
        match came {
            Came::Reading(Ok(fresh)) => self.take_up(fresh),
            Came::Reading(Err(unread)) => not_taken_up(unread),
            Came::Edited(edited) => {
                let (job, made) = *edited;
                self.finish(job, made);
            }
        }
    }

    /// Shuts off what the task shuts off, and sends it to the disk.
    pub(super) fn begin(&mut self, task: Task, by: u32, answer: oneshot::Sender<Answer>) {
        if let Task::Edit(edit) = &task {
            self.shut_at_once(edit, by);
        }
        if let Err(TrySendError::Full(job) | TrySendError::Closed(job)) = self.jobs.try_send(Job { task, by, answer }) {
            self.refuse(
                job,
                StatusCode::SERVICE_UNAVAILABLE,
                "too many edits wait\n  hint: try again",
            );
        }
    }

    fn shut_at_once(&mut self, edit: &Edit, by: u32) {
        let Edit::SetState { of, name, state } = edit else {
            return;
        };
        let what = What::from(edit);
        let active = listing::is_active(&self.config, *of, name) == Some(true);
        if *state == State::Active || !active || self.revocations.names(&what) {
            return;
        }
        let reason = format!("portreeve {of} {}, until the file says so", edit.action());
        // What cannot be written down is said there, and the file is about to say it anyway.
        let _ = self.revoke(
            Revoke {
                what: what.clone(),
                reason: Some(reason),
            },
            by,
        );
        if self.revocations.names(&what) {
            self.provisional.push(what);
        }
    }

    /// Puts an edit that came back from the disk in force, and answers it.
    fn finish(&mut self, job: Job, made: Result<Done<Fresh>, NotChanged>) {
        let done = match made {
            Ok(done) => done,
            Err(error) => return self.refuse(job, status(&error), &error.to_string()),
        };
        if let Some(fresh) = done.accepted {
            self.take_up(fresh);
        }
        let (Job { task, by, answer }, applied) = (job, done.applied);
        let generation = Some(self.gate.generation());
        let answered = match task {
            Task::Undo => {
                let what = applied.before.unwrap_or_default();
                self.trace_edit("undo", &what, by, None);
                Answer::done(&Undone { what, generation })
            }
            Task::Edit(edit) => {
                let what = What::from(&*edit);
                if applied.changed() {
                    self.trace_edit(edit.action(), &what.to_string(), by, Some(&applied));
                }
                Answer::done(&Edited {
                    changed: applied.changed(),
                    line: listing::line(&done.config, &edit),
                    before: applied.before,
                    after: applied.after,
                    generation,
                    shut_off: self.revocations.names(&what),
                })
            }
        };
        // Who did not wait for the answer does not get it.
        let _ = answer.send(answered);
    }

    fn trace_edit(&self, action: &str, what: &str, by: u32, applied: Option<&Applied>) {
        let changed = Changed {
            time: clock::now(),
            generation: self.gate.generation(),
            action,
            what,
            by: Author::Uid(by),
            reason: None,
        };
        let before = applied.and_then(|applied| applied.before.as_deref());
        let after = applied.map(|applied| applied.after.as_str());
        self.gate.note(Change::edited(&changed, before, after).record());
        say::notice(&format!("changed by user id {by}: {what} ({action})"));
    }

    /// Takes what was put on the list for the time being off it, as far as the configuration in force says the same.
    pub(super) fn settle(&mut self) {
        let config = &self.config;
        let said = |what: &mut What| match what {
            What::Agent {
                agent,
                issued_before: None,
            } => listing::is_active(config, Noun::Agent, agent) == Some(false),
            What::Server { server } => listing::is_active(config, Noun::Server, server) == Some(false),
            _ => false,
        };
        let settled: Vec<What> = self.provisional.extract_if(.., said).collect();
        for what in settled {
            let next = self.revocations.without(&what).ok();
            if let Some(next) = next.filter(|next| next.keep().is_ok()) {
                self.gate.shut_off(next.denylist());
                self.revocations = next;
            } else {
                say::notice(&format!(
                    "{what} also stays on the list of what is shut off, which could not be written"
                ));
            }
        }
    }

    fn refuse(&mut self, job: Job, status: StatusCode, reason: &str) {
        let mut reason = reason.to_owned();
        if let Task::Edit(edit) = &job.task
            && matches!(**edit, Edit::SetState { state, .. } if state != State::Active)
        {
            let what = What::from(&**edit);
            if self.provisional.contains(&what) {
                self.provisional.retain(|provisional| *provisional != what);
                reason.push_str(&format!(
                    "\n  {what} is shut off at the running gate all the same, until `portreeve restore {what}`"
                ));
            }
        }
        let _ = job.answer.send(Answer::failed(status, &reason));
    }
}

const fn status(error: &NotChanged) -> StatusCode {
    match error {
        NotChanged::Edit(EditError::Unknown(..)) => StatusCode::NOT_FOUND,
        NotChanged::Edit(EditError::Value(..)) => StatusCode::BAD_REQUEST,
        NotChanged::Edit(_) | NotChanged::Busy(_) => StatusCode::CONFLICT,
        NotChanged::Before(_) | NotChanged::After(_) => StatusCode::UNPROCESSABLE_ENTITY,
        NotChanged::Io(..) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
