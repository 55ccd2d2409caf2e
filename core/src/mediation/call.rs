//! What is known of one request from its first byte to its last record.
//!
//! Collects; decides nothing. The three ends of a request (turned away, sent, concluded) are written from here, so that
//! every request leaves the same facts behind.

use core::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::reply::{Ended, Ending};
use super::{Context, Next, Refusal, Reply, Request, UpstreamFault};
use crate::audit::{self, Caller, Facts, Grant, Intent, Outcome, Record, Split, Target, Turned};
use crate::credential::BoundCredential;
use crate::framing::FrameError;
use crate::framing::http1::Known;
use crate::identity::Principal;
use crate::mcp::{Kind, Message, Operation};
use crate::policy::{Denial, PolicyId};
use crate::snapshot::Server;

/// What is known of one request.
pub struct Call {
    id: String,
    trace: Option<String>,
    pub(super) peer: IpAddr,
    pub(super) tls: bool,
    principal: Option<Rc<Principal>>,
    server: Option<Arc<str>>,
    method: Option<Box<str>>,
    target: Option<Subject>,
    arguments: Option<[u8; 32]>,
    denied_by: Vec<PolicyId>,
    fault: Option<UpstreamFault>,
    /// What the next proof should hold.
    nonce: Option<String>,
    pub(super) split: Split,
}

/// What a message is about, kept beyond the message.
enum Subject {
    Tool(Box<str>),
    Prompt(Box<str>),
    Resource(Box<str>),
    Task(Box<str>),
}

/// A request that the gate answers by itself.
#[derive(Debug)]
pub struct Refused {
    /// The answer.
    pub reply: Reply,
    /// The record of it; `None` for the gate's public documents.
    pub record: Option<audit::Refusal>,
}

/// Turns away bytes that are no request: the answer is their status, the record holds no byte of them (RFC 9112 2.2).
///
/// One record for each connection, which ends with the answer: no more than a refused request leaves.
pub fn unframed(error: FrameError, peer: IpAddr, tls: bool, context: &mut Context<'_>) -> Refused {
    let call = Call::from(peer, tls, context);
    let status = error.status();
    let turned = Turned::<PolicyId> {
        side: None,
        reason: error.reason(),
        status,
        policies: &[],
    };
    Refused {
        reply: Reply::empty(status),
        record: Some(audit::Refusal::new(&call.facts(context), &turned)),
    }
}

impl Call {
    pub(super) fn begin(request: &Request<'_>, context: &mut Context<'_>) -> Self {
        Self {
            trace: request.view.known(Known::Traceparent).and_then(trace_id),
            ..Self::from(request.peer, request.tls, context)
        }
    }

    fn from(peer: IpAddr, tls: bool, context: &mut Context<'_>) -> Self {
        Self {
            id: hex(context.random::<16>()),
            trace: None,
            peer,
            tls,
            principal: None,
            server: None,
            method: None,
            target: None,
            arguments: None,
            denied_by: Vec::new(),
            fault: None,
            nonce: None,
            split: Split::default(),
        }
    }

    /// Names the decision: the same in the records and in a denial.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The server the request leads to.
    #[must_use]
    pub const fn server(&self) -> Option<&Arc<str>> {
        self.server.as_ref()
    }

    pub(super) fn at(&mut self, server: &Server) {
        self.server = Some(Arc::clone(&server.name));
    }

    pub(super) fn known_as(&mut self, principal: &Rc<Principal>) {
        self.principal = Some(Rc::clone(principal));
    }

    /// Has every answer carry the nonce that the caller's next proof should hold.
    pub(super) fn offers_nonce(&mut self, nonce: String) {
        self.nonce = Some(nonce);
    }

    /// Puts into an answer what every answer to this request carries.
    ///
    /// SPEC: RFC 9449 8.2 and 9: a nonce may come with any answer, which should not be stored then.
    pub(super) fn stamp(&self, reply: &mut Reply) {
        let Some(nonce) = &self.nonce else { return };
        reply.headers.push(("dpop-nonce", nonce.clone()));
        if !reply.headers.iter().any(|(name, _)| *name == "cache-control") {
            reply.headers.push(("cache-control", "no-store".to_owned()));
        }
    }

    /// Notes what a message asks for.
    pub(super) fn reads(&mut self, message: &Message<'_>) {
        let operation = match &message.kind {
            Kind::Request { operation, .. } => operation,
            Kind::Notification { method, .. } => return self.method = Some((*method).into()),
            Kind::Response { .. } => return,
        };
        self.method = Some(operation.method().into());
        self.target = match operation {
            Operation::ToolsCall(call) => {
                self.arguments = call.arguments.map(|arguments| audit::digest(arguments.raw()));
                Some(Subject::Tool(call.name.into()))
            }
            Operation::PromptsGet(prompt) => Some(Subject::Prompt(prompt.name.into())),
            Operation::ResourcesRead { uri, .. }
            | Operation::ResourcesSubscribe { uri }
            | Operation::ResourcesUnsubscribe { uri } => Some(Subject::Resource((*uri).into())),
            Operation::TasksGet { task_id }
            | Operation::TasksResult { task_id }
            | Operation::TasksUpdate { task_id }
            | Operation::TasksCancel { task_id } => Some(Subject::Task((*task_id).into())),
            _ => None,
        };
    }

    /// The tool called, if one is.
    pub(super) fn tool(&self) -> Option<&str> {
        match &self.target {
            Some(Subject::Tool(name)) => Some(name),
            _ => None,
        }
    }

    pub(super) fn denied_by(&mut self, denial: &Denial) {
        self.denied_by = denial.policies.clone();
    }

    pub(super) fn failed(&mut self, fault: UpstreamFault) {
        self.fault.get_or_insert(fault);
    }

    /// Ends the request with an answer of the gate's own.
    pub(super) fn refuse(self, refusal: &Refusal, context: &Context<'_>) -> Next {
        let mut reply = refusal.reply();
        self.stamp(&mut reply);
        let turned = Turned {
            side: refusal.side(),
            reason: refusal.reason(),
            status: reply.status,
            policies: &self.denied_by,
        };
        let record = Some(audit::Refusal::new(&self.facts(context), &turned));
        Next::Reply(Box::new(Refused { reply, record }))
    }

    /// One of the gate's public documents: nothing to record.
    pub(super) fn publish(reply: Reply) -> Next {
        Next::Reply(Box::new(Refused { reply, record: None }))
    }

    /// The record that must be durable before anything is sent.
    pub(super) fn intent(&self, credential: &BoundCredential, context: &Context<'_>) -> Intent {
        let permit = credential.permit();
        let grant = Grant {
            policies: permit.policies(),
            credential: credential.mode().name(),
            token_id: credential.token_id(),
            scope: credential.scope(),
        };
        Intent::new(&self.facts(context), &grant)
    }

    /// The record of how it ended.
    pub(super) fn outcome(&self, ended: &Ended, context: &Context<'_>) -> Outcome {
        let result = match (self.fault, ended.ending) {
            (Some(fault), _) => fault.name(),
            (None, Ending::ClientGone) => "client_gone",
            (None, _) => "ok",
        };
        let ending = audit::Ending {
            result,
            status: ended.status,
            dropped: ended.dropped,
        };
        Outcome::new(&self.facts(context), &ending)
    }

    fn facts<'a>(&'a self, context: &Context<'_>) -> Facts<'a> {
        Facts {
            time: context.now,
            request: &self.id,
            trace: self.trace.as_deref(),
            generation: context.snapshot.generation,
            peer: Some(self.peer),
            caller: self.principal.as_deref().map(Caller::from),
            server: self.server.as_deref(),
            method: self.method.as_deref(),
            target: self.target.as_ref().map(|target| match target {
                Subject::Tool(name) => Target::Tool(name),
                Subject::Prompt(name) => Target::Prompt(name),
                Subject::Resource(uri) => Target::Resource(uri),
                Subject::Task(id) => Target::Task(id),
            }),
            arguments: self.arguments.as_ref(),
            split: self.split,
        }
    }
}

impl core::fmt::Debug for Call {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Refused {
    /// The line for the audit.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref().map(audit::Refusal::record)
    }
}

fn hex(bytes: [u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// The trace id of a well-formed `traceparent`. Untrusted: good for joining records, never for a decision.
///
/// SPEC: W3C Trace Context 3.2.2.
fn trace_id(value: &[u8]) -> Option<String> {
    let mut parts = core::str::from_utf8(value).ok()?.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let is_hex = trace.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (version.len() == 2 && trace.len() == 32 && is_hex && trace.bytes().any(|byte| byte != b'0'))
        .then(|| trace.to_owned())
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn only_a_well_formed_trace_id_is_kept() {
        let good = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace_id(good).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in [
            "",
            "00",
            "00-0000",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-1-01",
            "00-00000000000000000000000000000000-1-01",
        ] {
            assert_eq!(trace_id(bad.as_bytes()), None, "{bad}");
        }
    }
}
