//! One upstream message at a time, from a JSON body or from an event: may it pass, and as what.
//!
//! The same rules serve both framings and every stream, so that no door is wider than another. [`crate::response`] says
//! what a message is; this file says what follows from it for this caller.

use std::rc::Rc;
use std::sync::Arc;

use super::decide::Judge;
use super::reply::{Conversation, Expect, Reading, SideEffect, Verdict};
use super::{Context, UpstreamFault};
use crate::credential::Mode;
use crate::json::{self, Value};
use crate::limits;
use crate::mcp::{self, Era, MessageId, OwnedId, Version, code};
use crate::policy::Action;
use crate::response::{self, Ask, Asked, List, Outcome, ReplyFilter};
use crate::task::{TaskFacts, TaskKey};

/// What servers may tell clients. Anything else is dropped: what is not known cannot be judged.
const NOTIFICATIONS: [&str; 8] = [
    "notifications/cancelled",
    "notifications/elicitation/complete",
    "notifications/message",
    "notifications/progress",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/subscriptions/acknowledged",
    "notifications/tools/list_changed",
];

impl Conversation {
    /// Decides about one JSON-RPC message. `out` is empty on entry and holds what may pass afterwards, if anything.
    pub fn message(&mut self, data: &[u8], out: &mut Vec<u8>, context: &mut Context<'_>) -> Verdict {
        if self.exposes(data, context) {
            return self.withhold(out);
        }
        let Some(judge) = Judge::of(&self.call, &self.principal, context) else {
            return self.drop_message();
        };
        let (asked, era, id) = match &self.expect {
            Expect::Response(owed) => (owed.asked, owed.era, Some(owed.id.clone())),
            Expect::Nothing | Expect::Closed | Expect::Stream => (Asked::Other, Era::Legacy, None),
        };
        let filter = ReplyFilter {
            asked,
            modern: era == Era::Modern,
            id: id.as_ref().map(OwnedId::as_id),
        };
        let mut shows = |name: &str| judge.shows(asked, name);
        match filter.filter(data, &mut context.bench.scratch, &mut shows, out) {
            Ok(response::Verdict::Response(outcome)) => self.response(outcome, data, out, context),
            Ok(response::Verdict::Notification { method, subject, asks }) => {
                let passes = match (method.as_str(), &subject) {
                    ("notifications/resources/updated", Some(uri)) => judge.allows(Action::Subscribe { uri }),
                    ("notifications/tasks" | "notifications/tasks/status", Some(task)) => self.follows(task, &judge),
                    (
                        "notifications/resources/updated" | "notifications/tasks" | "notifications/tasks/status",
                        None,
                    ) => false,
                    (method, _) => NOTIFICATIONS.contains(&method),
                };
                if passes && asks.iter().all(|ask| judge.allows_ask(*ask)) {
                    Verdict::Pass
                } else {
                    self.drop_message()
                }
            }
            Ok(response::Verdict::Request(ask)) => self.server_request(judge.allows_ask(ask), data, context),
            Ok(response::Verdict::Ping) => self.server_request(true, data, context),
            Err(response::ReplyError::ForeignId) if matches!(self.expect, Expect::Stream) => {
                self.resumed_response(data, context)
            }
            Err(response::ReplyError::ServerRequest) if era == Era::Legacy => self.server_request(false, data, context),
            Err(response::ReplyError::ServerRequest | response::ReplyError::ForeignId) => self.drop_message(),
            // Only a response with this id can fail like this.
            Err(response::ReplyError::ResultType | response::ReplyError::NotAList | response::ReplyError::TaskId)
                if self.streamed =>
            {
                self.dropped = self.dropped.saturating_add(1);
                self.answer_for_server(UpstreamFault::Unusable, out)
            }
            Err(_) => {
                self.unreadable = true;
                self.drop_message()
            }
        }
    }

    /// Whether a text of the server's holds the secret that it is shown; such a text must not be passed on.
    #[must_use]
    pub fn is_secret(&self, text: &[u8]) -> bool {
        self.credential.is_shown_in(text)
    }

    /// Whether a message holds the secret, as it stands or as it reads: an escape (RFC 8259 7) hides it from a search of
    /// the bytes and from no client.
    fn exposes(&self, data: &[u8], context: &mut Context<'_>) -> bool {
        if self.credential.mode() != Mode::Static {
            return false;
        }
        let escapes = memchr::memchr(b'\\', data).is_some();
        let mut unescaped = || {
            json::parse(data, &mut context.bench.scratch, &json::Limits::REPLY)
                .is_ok_and(|document| document.strings().any(|text| self.is_secret(text.as_bytes())))
        };
        self.is_secret(data) || (escapes && unescaped())
    }

    /// Passes nothing on of a message that holds the secret; a response that is owed becomes an error.
    fn withhold(&mut self, out: &mut Vec<u8>) -> Verdict {
        self.call.failed(UpstreamFault::Exposed);
        self.dropped = self.dropped.saturating_add(1);
        match &self.expect {
            Expect::Response(owed) if owed.reading != Reading::Listen && !self.answered => {
                self.answer_for_server(UpstreamFault::Exposed, out)
            }
            _ => Verdict::Drop,
        }
    }

    /// Notes that an event had an id: a client that loses the stream can ask for what came after it.
    pub fn has_position(&mut self) {
        self.resumable = true;
    }

    /// What a stream still owes its client when it ends: an error in place of the response that did not come or could
    /// not be read, because a client without either waits for ever. Writes it to `out`, which is empty on entry, and
    /// says whether there is one. `fault` is why the stream ends, if not by itself.
    ///
    /// SPEC: MCP 2025-11-25 basic/transports: a server may close a stream before the response, and the client resumes
    /// after the last event id; without an id, or with a response that was not passed on, there is nothing to resume.
    /// MCP 2026-07-28 has no resumption.
    pub fn closing(&mut self, fault: Option<UpstreamFault>, out: &mut Vec<u8>) -> bool {
        let Expect::Response(owed) = &self.expect else {
            return false;
        };
        let goes_on = matches!(fault, None | Some(UpstreamFault::Ambiguous)) && !self.unreadable;
        let resumes = owed.era == Era::Legacy && self.resumable && goes_on;
        if self.answered || owed.reading == Reading::Listen || resumes {
            return false;
        }
        let unread = if self.unreadable {
            UpstreamFault::Unusable
        } else {
            UpstreamFault::Ambiguous
        };
        self.answer_for_server(fault.unwrap_or(unread), out);
        true
    }

    /// Gives the client an error in place of the response, which ends the exchange.
    fn answer_for_server(&mut self, fault: UpstreamFault, out: &mut Vec<u8>) -> Verdict {
        self.answered = true;
        self.call.failed(fault);
        if matches!(&self.expect, Expect::Response(owed) if owed.reading == Reading::Handshake) {
            self.close_session();
        }
        out.clear();
        let id = self.expect.id().map(OwnedId::as_id);
        mcp::error_body(out, id, code::INTERNAL_ERROR, fault.message(), None);
        Verdict::Last
    }

    /// Whether this exchange is about this task, and the caller, whose task it is, may still follow it.
    ///
    /// SPEC: MCP 2025-11-25 basic/utilities/tasks: nobody may rely on a status notification, so that a stream which
    /// names no task can do without; MCP 2026-07-28 tasks: they come to whoever listens to the task.
    fn follows(&self, task: &str, judge: &Judge<'_>) -> bool {
        self.tasks
            .iter()
            .any(|(key, facts)| *key.task == *task && judge.allows(Action::FollowTask { tool: &facts.tool }))
    }

    fn drop_message(&mut self) -> Verdict {
        self.dropped = self.dropped.saturating_add(1);
        Verdict::Drop
    }

    /// The server asks the client for something: the way out for data and the way in for injected prompts.
    fn server_request(&mut self, allowed: bool, data: &[u8], context: &mut Context<'_>) -> Verdict {
        let id = json::parse(data, &mut context.bench.scratch, &json::Limits::REPLY)
            .ok()
            .and_then(|document| MessageId::read(document.root().get("id")?).map(OwnedId::from));
        let (Some(id), Some((session, _))) = (id, &self.session) else {
            return self.drop_message();
        };
        if allowed {
            self.effects.push(SideEffect::ExpectAnswer(*session, id));
            return Verdict::Pass;
        }
        self.answer_for_client(&id, context);
        self.drop_message()
    }

    fn response(&mut self, outcome: Outcome, data: &[u8], out: &mut Vec<u8>, context: &mut Context<'_>) -> Verdict {
        let judge = Judge::of(&self.call, &self.principal, context);
        let (Expect::Response(owed), Some(judge)) = (&self.expect, &judge) else {
            return self.drop_message();
        };
        let owed = Rc::clone(owed);
        self.answered = true;
        match outcome {
            Outcome::Error if owed.reading == Reading::Handshake => {
                self.close_session();
                Verdict::Pass
            }
            Outcome::Complete { .. } if owed.reading == Reading::Handshake => self.handshake(data, out, context),
            Outcome::Error => Verdict::Pass,
            Outcome::Complete { removed, asks } => {
                self.dropped = self.dropped.saturating_add(u32::try_from(removed).unwrap_or(u32::MAX));
                self.asked(&asks, &owed.id, judge, out)
            }
            Outcome::InputRequired(asks) => self.asked(&asks, &owed.id, judge, out),
            Outcome::Task(task) => {
                let key = TaskKey {
                    server: Arc::clone(&judge.server.name),
                    task: task.into(),
                };
                let facts = TaskFacts {
                    binding: self.principal.binding(),
                    tool: self.call.tool().unwrap_or_default().into(),
                };
                if self.tasks.len() < limits::LISTEN_ENTRIES {
                    self.tasks.push((key.clone(), facts.clone()));
                }
                self.effects.push(SideEffect::RememberTask(key, facts));
                Verdict::Rewritten
            }
        }
    }

    /// A result that asks the client for something passes only if all of it may be asked.
    fn asked(&mut self, asks: &[Ask], id: &OwnedId, judge: &Judge<'_>, out: &mut Vec<u8>) -> Verdict {
        if !asks.iter().all(|ask| judge.allows_ask(*ask)) {
            self.dropped = self.dropped.saturating_add(1);
            out.clear();
            mcp::error_body(out, Some(id.as_id()), code::DENIED, "denied by policy", None);
        }
        Verdict::Rewritten
    }

    /// Pins the version of a new session. A server that answers the legacy handshake with a modern version has no
    /// session to speak of, so there is none.
    fn handshake(&mut self, data: &[u8], out: &mut Vec<u8>, context: &mut Context<'_>) -> Verdict {
        let version = json::parse(data, &mut context.bench.scratch, &json::Limits::REPLY)
            .ok()
            .and_then(|document| {
                Version::parse(
                    document
                        .root()
                        .path(&["result", "protocolVersion"])
                        .and_then(Value::as_str)?,
                )
            });
        match (version.filter(|version| version.era() == Era::Legacy), &self.session) {
            (Some(version), Some((session, _))) => {
                self.effects.push(SideEffect::PinVersion(*session, version));
                Verdict::Rewritten
            }
            _ => self.answer_for_server(UpstreamFault::Unusable, out),
        }
    }

    /// A resumed stream carries the response to an earlier request, which is not known here. It passes if it is not a
    /// list in any of its shapes: no list leaves unfiltered.
    fn resumed_response(&mut self, data: &[u8], context: &mut Context<'_>) -> Verdict {
        let Ok(document) = json::parse(data, &mut context.bench.scratch, &json::Limits::REPLY) else {
            return self.drop_message();
        };
        let result = document.root().get("result");
        let is_list = result.is_some_and(|result| List::ALL.iter().any(|list| result.get(list.member()).is_some()));
        if is_list { self.drop_message() } else { Verdict::Pass }
    }
}
