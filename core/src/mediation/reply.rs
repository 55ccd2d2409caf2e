//! The way back: which upstream answers may pass, and what each message may do.
//!
//! Fails closed: a message that cannot be understood where it must be understood is dropped and audited, an answer that
//! nobody asked for is dropped, a server request that policy does not allow never reaches the client.
//!
//! SPEC: MCP 2025-11-25 basic/transports; MCP 2026-07-28 streamable-http, patterns/mrtr, patterns/subscriptions.

use std::rc::Rc;
use std::sync::Arc;

use super::admit::micros;
use super::call::Call;
use super::forward::{Address, Destination, Head};
use super::{Context, Refusal, Reply, UpstreamFault};
use crate::audit::Outcome;
use crate::credential::BoundCredential;
use crate::identity::Principal;
use crate::limits;
use crate::mcp::{self, Era, Operation, OwnedId, Version, code};
use crate::response::{Asked, List};
use crate::session::{SessionFacts, SessionId};
use crate::task::{TaskFacts, TaskKey};

/// What the caller is owed.
#[derive(Clone, Debug)]
pub(super) enum Expect {
    /// An acknowledgement: the client sent a notification or an answer.
    Nothing,
    /// The end of the session.
    Closed,
    /// A stream of the server's own messages.
    Stream,
    /// One response.
    Response(Rc<Owed>),
}

/// The response that is owed.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) id: OwnedId,
    pub(super) era: Era,
    pub(super) asked: Asked,
    pub(super) reading: Reading,
}

/// How a response is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The handshake: its version is pinned.
    Handshake,
    /// Its parts decide what may pass.
    Whole,
    /// It ends a stream that the client listens on.
    Listen,
}

impl Reading {
    fn of(operation: &Operation<'_>) -> Self {
        match operation {
            Operation::Initialize(_) => Self::Handshake,
            Operation::Listen(_) => Self::Listen,
            // What it is decides what may pass, and only a reading says what it is: a body may hold a request.
            _ => Self::Whole,
        }
    }
}

fn asked(operation: &Operation<'_>) -> Asked {
    match operation {
        Operation::ToolsList { .. } => Asked::List(List::Tools),
        Operation::PromptsList { .. } => Asked::List(List::Prompts),
        Operation::ResourcesList { .. } => Asked::List(List::Resources),
        Operation::ResourceTemplatesList { .. } => Asked::List(List::ResourceTemplates),
        Operation::ResourcesRead { .. } | Operation::DirectoryRead { .. } => Asked::List(List::Contents),
        Operation::SkillsList { .. } => Asked::List(List::Skills),
        Operation::ToolsCall(_) => Asked::CallTool,
        Operation::PromptsGet(_) => Asked::GetPrompt,
        Operation::Discover => Asked::Discover,
        _ => Asked::Other,
    }
}

impl Expect {
    /// What a request of this kind is owed.
    pub(super) fn reply_to(operation: &Operation<'_>, era: Era, id: &OwnedId) -> Self {
        Self::Response(Rc::new(Owed {
            id: id.clone(),
            era,
            asked: asked(operation),
            reading: Reading::of(operation),
        }))
    }

    /// The request's id, where there is one.
    pub(super) fn id(&self) -> Option<&OwnedId> {
        match self {
            Self::Response(owed) => Some(&owed.id),
            Self::Nothing | Self::Closed | Self::Stream => None,
        }
    }
}

/// The head of the upstream's answer, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamHead<'a> {
    /// HTTP status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'a [u8]>,
    /// `Mcp-Session-Id`.
    pub session_id: Option<&'a [u8]>,
}

/// What to do with the upstream's answer.
#[derive(Debug)]
pub enum HeadPlan {
    /// Answer with this; the upstream's body is not wanted.
    Answer(Reply),
    /// Read the body whole, give it to [`Conversation::message`], answer with what that leaves.
    Whole(Reply),
    /// Pass events on one by one, each through [`Conversation::message`].
    Events(Reply),
}

/// What to do with one message.
#[derive(Debug)]
pub enum Verdict {
    /// Pass the bytes on as they are.
    Pass,
    /// Pass on what was written to `out` instead.
    Rewritten,
    /// Pass nothing on.
    Drop,
    /// Pass on what was written to `out`, then end the stream.
    Last,
}

/// What has to happen, in order, before a message is passed on.
#[derive(Debug)]
pub enum SideEffect {
    /// Open a session at its owner shard.
    Open(SessionId, SessionFacts),
    /// Pin the version the upstream chose.
    PinVersion(SessionId, Version),
    /// Expect the client's answer to this server request.
    ExpectAnswer(SessionId, OwnedId),
    /// Forget the session.
    Close(SessionId),
    /// Remember who made a task.
    RememberTask(TaskKey, TaskFacts),
    /// Post this JSON-RPC message to the upstream in the same session: the gate answers for the client.
    AnswerUpstream {
        /// Where to.
        to: Destination,
        /// The request head, complete.
        head: Head,
        /// The request body.
        body: Vec<u8>,
    },
}

/// How an exchange with the upstream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The answer passed completely.
    Complete,
    /// The client went away first.
    ClientGone,
    /// The upstream failed.
    Failed(UpstreamFault),
}

/// A request that was sent, until its outcome is recorded.
#[derive(Debug)]
#[must_use = "an exchange has to be concluded, so that its outcome is recorded"]
pub struct Conversation {
    pub(super) call: Call,
    pub(super) principal: Rc<Principal>,
    pub(super) session: Option<(SessionId, SessionFacts)>,
    pub(super) expect: Expect,
    pub(super) effects: Vec<SideEffect>,
    pub(super) status: Option<u16>,
    pub(super) dropped: u32,
    pub(super) answered: bool,
    /// Server requests that the gate refused in the client's place; a server that goes on asking gets no more answers.
    answered_for_client: usize,
    pub(super) streamed: bool,
    /// A message came that may have been the response and could not be read.
    pub(super) unreadable: bool,
    /// The stream has events that a client can resume after.
    pub(super) resumable: bool,
    /// The tasks this request is about that are this caller's: what it may hear of.
    pub(super) tasks: Vec<(TaskKey, TaskFacts)>,
    pub(super) credential: Rc<BoundCredential>,
    sent_at: u64,
}

impl Conversation {
    pub(super) fn new(sent: Sent, context: &Context<'_>) -> Self {
        let Sent {
            call,
            principal,
            session,
            expect,
            tasks,
            credential,
        } = sent;
        Self {
            call,
            principal,
            session,
            expect,
            effects: Vec::new(),
            status: None,
            dropped: 0,
            answered: false,
            answered_for_client: 0,
            streamed: false,
            unreadable: false,
            resumable: false,
            tasks,
            credential,
            sent_at: (context.ticks)(),
        }
    }

    /// What must be done before the last head or message is passed on, in order.
    pub fn take_effects(&mut self) -> Vec<SideEffect> {
        core::mem::take(&mut self.effects)
    }

    /// Whether a client that goes away cancels the call.
    ///
    /// SPEC: MCP 2026-07-28 streamable-http: closing the stream cancels; 2025-11-25: disconnection is not cancellation.
    #[must_use]
    pub fn cancelled_by_disconnect(&self) -> bool {
        match &self.expect {
            Expect::Response(owed) => owed.era == Era::Modern,
            Expect::Stream => true,
            Expect::Nothing | Expect::Closed => false,
        }
    }

    /// Whether the answer may stay silent for long: a stream the client listens on.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        match &self.expect {
            Expect::Stream => true,
            Expect::Response(owed) => owed.reading == Reading::Listen,
            Expect::Nothing | Expect::Closed => false,
        }
    }

    /// Whether this exchange may go on under the configuration now in force, at this time.
    ///
    /// Checked on every open stream: a stream outlives the request that was decided, revocation must not.
    #[must_use]
    pub fn may_continue(&self, context: &Context<'_>) -> bool {
        let snapshot = context.snapshot;
        let server = self.call.server().and_then(|name| snapshot.server(name));
        context.now < self.principal.expires()
            && server.is_some_and(|server| snapshot.may_use(&self.principal, server))
            && snapshot.trust.still_holds(&self.principal, context.now)
            && snapshot.denylist.check(&self.principal).is_ok()
    }

    /// Reads the upstream's head and says how its body is treated.
    pub fn head(&mut self, head: &UpstreamHead<'_>, context: &mut Context<'_>) -> HeadPlan {
        let mut plan = self.plan(head, context);
        let (HeadPlan::Answer(reply) | HeadPlan::Whole(reply) | HeadPlan::Events(reply)) = &mut plan;
        self.call.stamp(reply);
        plan
    }

    fn plan(&mut self, head: &UpstreamHead<'_>, context: &mut Context<'_>) -> HeadPlan {
        self.status = Some(head.status);
        if head
            .content_encoding
            .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"))
        {
            return self.unusable();
        }
        match (&self.expect, head.status) {
            (_, 401 | 403) => self.fail(UpstreamFault::Unauthorized),
            (Expect::Closed, 200..=299 | 404 | 405) => {
                self.close_session();
                HeadPlan::Answer(Reply::empty(200))
            }
            (Expect::Nothing | Expect::Stream | Expect::Response(_), 404) if self.session.is_some() => {
                self.session_gone(head)
            }
            (Expect::Nothing, 200..=299) => HeadPlan::Answer(Reply::empty(202)),
            (Expect::Stream, 200) if is(head, b"text/event-stream") => HeadPlan::Events(events()),
            (Expect::Stream, 405) => HeadPlan::Answer(Refusal::Method { allow: "POST, DELETE" }.reply()),
            (Expect::Nothing | Expect::Response(_), 400 | 404) if is(head, b"application/json") => {
                HeadPlan::Whole(Reply::json(head.status, Vec::new()))
            }
            (Expect::Response(owed), 200) => {
                let owed = Rc::clone(owed);
                self.responds(&owed, head, context)
            }
            _ => self.unusable(),
        }
    }

    fn responds(&mut self, owed: &Owed, head: &UpstreamHead<'_>, context: &mut Context<'_>) -> HeadPlan {
        let mut reply = if is(head, b"application/json") {
            Reply::json(200, Vec::new())
        } else if is(head, b"text/event-stream") {
            events()
        } else {
            return self.unusable();
        };
        if owed.reading == Reading::Handshake {
            let Some(id) = self.open_session(head, context) else {
                return self.unusable();
            };
            reply.headers.push(("mcp-session-id", id.to_string()));
        }
        if is(head, b"text/event-stream") {
            self.streamed = true;
            HeadPlan::Events(reply)
        } else {
            HeadPlan::Whole(reply)
        }
    }

    /// Every legacy session is the gate's own, whether or not the upstream keeps one.
    fn open_session(&mut self, head: &UpstreamHead<'_>, context: &mut Context<'_>) -> Option<SessionId> {
        let upstream = match head.session_id {
            None => None,
            // SPEC: MCP 2025-11-25 basic/transports: visible ASCII only.
            Some(id)
                if !id.is_empty() && id.len() <= limits::SESSION_ID_BYTES && id.iter().all(u8::is_ascii_graphic) =>
            {
                Some(Arc::from(core::str::from_utf8(id).ok()?))
            }
            Some(_) => return None,
        };
        let id = SessionId::new(context.bench.shard, context.random());
        let server = Arc::clone(self.call.server()?);
        let facts = SessionFacts {
            binding: self.principal.binding(),
            server,
            upstream,
            version: None,
        };
        self.effects.push(SideEffect::Open(id, facts.clone()));
        self.session = Some((id, facts));
        Some(id)
    }

    pub(super) fn close_session(&mut self) {
        if let Some((id, _)) = self.session.take() {
            self.effects.push(SideEffect::Close(id));
        }
    }

    /// A 404 without a JSON-RPC error means that the upstream forgot the session, and so does the gate.
    fn session_gone(&mut self, head: &UpstreamHead<'_>) -> HeadPlan {
        if is(head, b"application/json") && matches!(self.expect, Expect::Response(_)) {
            self.close_session();
            return HeadPlan::Whole(Reply::json(404, Vec::new()));
        }
        self.close_session();
        HeadPlan::Answer(Refusal::SessionUnknown.reply())
    }

    fn unusable(&mut self) -> HeadPlan {
        self.fail(UpstreamFault::Unusable)
    }

    fn fail(&mut self, fault: UpstreamFault) -> HeadPlan {
        self.call.failed(fault);
        let id = self.expect.id().cloned();
        HeadPlan::Answer(Refusal::Upstream { id, fault }.reply())
    }

    /// The gate's own answer where the upstream gave none that can be passed on.
    #[must_use]
    pub fn failure(&self, fault: UpstreamFault) -> Reply {
        let id = self.expect.id().cloned();
        self.stamped(&Refusal::Upstream { id, fault })
    }

    /// The gate's own answer when the intent could not be recorded.
    #[must_use]
    pub fn unrecorded(&self) -> Reply {
        let id = self.expect.id().cloned();
        self.stamped(&Refusal::Audit { id })
    }

    fn stamped(&self, refusal: &Refusal) -> Reply {
        let mut reply = refusal.reply();
        self.call.stamp(&mut reply);
        reply
    }

    /// Lets the gate answer a server request in the client's place, with a JSON-RPC error.
    pub(super) fn answer_for_client(&mut self, id: &OwnedId, context: &Context<'_>) {
        if self.answered_for_client >= limits::UNANSWERED_PER_SESSION {
            return;
        }
        self.answered_for_client += 1;
        let mut body = Vec::with_capacity(128);
        mcp::error_body(&mut body, Some(id.as_id()), code::DENIED, "denied by policy", None);
        let Some(server) = self.call.server().and_then(|name| context.snapshot.server(name)) else {
            return;
        };
        let session = self.session.as_ref().map(|(_, facts)| facts);
        let address = Address {
            server,
            credential: &self.credential,
            session,
        };
        if let Ok(head) = address.answer_head(body.len()) {
            self.effects.push(SideEffect::AnswerUpstream {
                to: Destination::of(server),
                head,
                body,
            });
        }
    }

    /// The only end of an exchange: its outcome, for the audit.
    ///
    /// A call whose stream ended before its response is ambiguous: it may have run.
    pub fn conclude(mut self, ending: Ending, context: &Context<'_>) -> Outcome {
        self.call.split.upstream_us = micros((context.ticks)().saturating_sub(self.sent_at));
        match ending {
            Ending::Failed(fault) => self.call.failed(fault),
            Ending::Complete if self.is_unanswered() => self.call.failed(UpstreamFault::Ambiguous),
            Ending::Complete | Ending::ClientGone => {}
        }
        let ended = Ended {
            ending,
            status: self.status,
            dropped: self.dropped,
        };
        self.call.outcome(&ended, context)
    }

    /// SPEC: MCP 2025-11-25: a server may close a stream early and be polled, so only a modern stream must have ended
    /// with its response.
    fn is_unanswered(&self) -> bool {
        matches!(&self.expect, Expect::Response(owed) if owed.era == Era::Modern && owed.reading != Reading::Listen)
            && self.streamed
            && !self.answered
    }
}

/// What [`Conversation::new`] takes over from the request.
pub(super) struct Sent {
    pub(super) call: Call,
    pub(super) principal: Rc<Principal>,
    pub(super) session: Option<(SessionId, SessionFacts)>,
    pub(super) expect: Expect,
    pub(super) tasks: Vec<(TaskKey, TaskFacts)>,
    pub(super) credential: Rc<BoundCredential>,
}

/// What is known of an exchange at its end.
pub(super) struct Ended {
    pub(super) ending: Ending,
    pub(super) status: Option<u16>,
    pub(super) dropped: u32,
}

fn is(head: &UpstreamHead<'_>, media: &[u8]) -> bool {
    let declared = head.content_type.unwrap_or_default();
    declared
        .split(|byte| *byte == b';')
        .next()
        .is_some_and(|part| part.trim_ascii().eq_ignore_ascii_case(media))
}

/// SPEC: MCP 2026-07-28 streamable-http: `X-Accel-Buffering: no` keeps intermediaries from holding events back.
fn events() -> Reply {
    let headers = [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
    ];
    Reply {
        status: 200,
        headers: headers.map(|(name, value)| (name, value.to_owned())).to_vec(),
        body: Vec::new(),
    }
}
