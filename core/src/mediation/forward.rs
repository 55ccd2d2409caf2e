//! The one place that turns a permit into bytes for a server: a credential and rebuilt headers.
//!
//! Headers are written from what was understood, never copied: a header this file does not name does not travel.
//!
//! SPEC: MCP 2026-07-28 streamable-http "Standard MCP Request Headers" and the duties of intermediaries; RFC 9110 7.6.

use core::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::admit::{Admitted, micros};
use super::call::Call;
use super::decide::carries;
use super::obtain::NeedsCredential;
use super::reply::{Conversation, Expect, Sent};
use super::{Context, Next, Refusal, Request};
use crate::audit::Intent;
use crate::credential::{BoundCredential, CredentialError, GrantRefusal, Occasion, Spent};
use crate::framing::FrameError;
use crate::framing::http1::{BodyLength, Known, Method};
use crate::framing::write::{self, HeadWriter};
use crate::identity::Principal;
use crate::json::{self, write::Edit};
use crate::mcp::{self, Era, Kind, Message, Operation, OwnedId, Version};
use crate::policy::Permit;
use crate::session::{SessionFacts, SessionId};
use crate::snapshot::Server;
use crate::task::{TaskFacts, TaskKey};

/// What goes upstream as the body.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// The very bytes that were checked.
    AsReceived,
    /// Checked bytes with something cut or clamped.
    Rewritten(Vec<u8>),
}

impl Body {
    /// `body` with `edits` applied.
    pub(super) fn edited(body: &[u8], edits: Vec<Edit>) -> Self {
        if edits.is_empty() {
            return Self::AsReceived;
        }
        let mut out = Vec::with_capacity(body.len());
        json::write::edited(&mut out, body, edits);
        Self::Rewritten(out)
    }
}

impl core::fmt::Debug for Body {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::AsReceived => "AsReceived",
            Self::Rewritten(_) => "Rewritten",
        })
    }
}

/// Where a request was decided to go: the server by name, and the host that name stood for. A server that has moved since
/// gets nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The server.
    pub server: Arc<str>,
    /// `host[:port]`.
    pub authority: Box<str>,
}

impl Destination {
    pub(super) fn of(server: &Server) -> Self {
        Self {
            server: Arc::clone(&server.name),
            authority: server.authority.as_str().into(),
        }
    }
}

/// A permitted operation, ready to be given a credential.
pub(super) struct Plan {
    permit: Permit,
    expect: Expect,
    outgoing: Option<Outgoing>,
    body: Body,
}

/// What the headers of a message say about it, in the form that its body has.
#[derive(Debug)]
struct Outgoing {
    version: Option<Version>,
    /// `Mcp-Method` and `Mcp-Name`; only the modern era has them.
    method: Option<Box<str>>,
    name: Option<Vec<u8>>,
}

impl Outgoing {
    fn of(message: &Message<'_>) -> Self {
        let operation = match &message.kind {
            Kind::Request { operation, .. } if message.era == Era::Modern => Some(operation),
            _ => None,
        };
        Self {
            version: message.version,
            method: operation.map(|operation| operation.method().into()),
            name: operation.and_then(Operation::name).map(|name| {
                let mut value = Vec::with_capacity(name.len());
                mcp::encode_header(&mut value, name);
                value
            }),
        }
    }
}

impl Plan {
    /// A plan for a request that is no JSON-RPC request: GET, DELETE, or the client's answer.
    pub(super) const fn new(permit: Permit, expect: Expect) -> Self {
        Self {
            permit,
            expect,
            outgoing: None,
            body: Body::AsReceived,
        }
    }

    /// A plan for a message whose headers are rebuilt from it.
    pub(super) fn of(message: &Message<'_>, permit: Permit, expect: Expect) -> Self {
        Self {
            permit,
            expect,
            outgoing: Some(Outgoing::of(message)),
            body: Body::AsReceived,
        }
    }

    pub(super) fn with_body(self, body: Body) -> Self {
        Self { body, ..self }
    }
}

/// A complete request head, with the server's credential in it: wiped when it is dropped, and blind to `Debug`.
pub struct Head(Zeroizing<Vec<u8>>);

impl Deref for Head {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Head {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl core::fmt::Debug for Head {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Head")
    }
}

/// A request that may be sent once its intent is durable.
///
/// INVARIANT: exists only where a [`Permit`] was spent, and is consumed by being sent.
#[derive(Debug)]
#[must_use = "the intent has to be recorded and the request sent"]
pub struct Forward {
    /// Where to send it.
    pub to: Destination,
    /// The record that must be durable first.
    pub intent: Intent,
    /// The request head, complete.
    pub head: Head,
    /// The request body.
    pub body: Body,
    /// What happens from here on.
    pub conversation: Conversation,
}

/// Everything but the credential that a request needs.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) call: Call,
    principal: Rc<Principal>,
    session: Option<(SessionId, SessionFacts)>,
    tasks: Vec<(TaskKey, TaskFacts)>,
    expect: Expect,
    outgoing: Option<Outgoing>,
    body: Body,
}

/// Spends the permit on a credential and writes the request, or has the credential obtained first.
pub(super) fn build(admitted: Admitted, plan: Plan, request: &Request<'_>, context: &mut Context<'_>) -> Next {
    let Admitted {
        mut call,
        principal,
        session,
        tasks,
    } = admitted;
    // What cannot be decoded has been refused as a header; if not, the bytes themselves are looked at.
    let mut values = forwarded_headers(request).map(|(_, value)| mcp::decode_header(value).unwrap_or(value.into()));
    if values.any(|value| credentials(request).any(|secret| carries(&value, secret))) {
        return call.refuse(&Refusal::CredentialInBody, context);
    }
    let begun = (context.ticks)();
    let entropy = context.random();
    let occasion = Occasion {
        transaction: call.id(),
        generation: context.snapshot.generation,
        now: context.now,
        entropy,
    };
    let spent = context
        .snapshot
        .credentials
        .spend(plan.permit, &principal, &mut context.bench.minted, &occasion);
    call.split.credential_us = micros((context.ticks)().saturating_sub(begun));
    let prepared = Prepared {
        call,
        principal,
        session,
        tasks: tasks.into_iter().filter_map(|(key, own)| Some((key, own?))).collect(),
        expect: plan.expect,
        outgoing: plan.outgoing,
        body: plan.body,
    };
    match spent {
        Ok(Spent::Ready(credential)) => prepared.forward(credential, request, context),
        Ok(Spent::Wanted(wanted)) => Next::Obtain(Box::new(NeedsCredential::new(wanted, prepared, begun))),
        Err(error) => prepared.without_credential(error, context),
    }
}

impl Prepared {
    /// The id of the request, if it has one.
    pub(super) fn id(&self) -> Option<OwnedId> {
        self.expect.id().cloned()
    }

    /// Who calls, for whom.
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Writes the request.
    pub(super) fn forward(self, credential: BoundCredential, request: &Request<'_>, context: &mut Context<'_>) -> Next {
        let snapshot = context.snapshot;
        let Some(server) = self.call.server().and_then(|name| snapshot.server(name)) else {
            return self.fail(context);
        };
        let length = match &self.body {
            Body::AsReceived => request.body.len(),
            Body::Rewritten(body) => body.len(),
        };
        let facts = self.session.as_ref().map(|(_, facts)| facts);
        let address = Address {
            server,
            credential: &credential,
            session: facts,
        };
        let Ok(head) = address.head(request, self.outgoing.as_ref(), length) else {
            return self.fail(context);
        };
        let intent = self.call.intent(&credential, context);
        let sent = Sent {
            call: self.call,
            principal: self.principal,
            session: self.session,
            expect: self.expect,
            tasks: self.tasks,
            credential: Rc::new(credential),
        };
        let conversation = Conversation::new(sent, context);
        Next::Forward(Box::new(Forward {
            to: Destination::of(server),
            intent,
            head,
            body: self.body,
            conversation,
        }))
    }

    /// Tokens that were taken in their leeway have no time left for another one.
    pub(super) fn without_credential(self, error: CredentialError, context: &Context<'_>) -> Next {
        let CredentialError::Expired = error else {
            return self.fail(context);
        };
        let (id, refusal) = (self.id(), GrantRefusal::Stale);
        self.call.refuse(&Refusal::Credential { id, refusal }, context)
    }

    fn fail(self, context: &Context<'_>) -> Next {
        let id = self.id();
        self.call.refuse(&Refusal::Internal { id }, context)
    }
}

/// The credentials a request presents, as they stand in its headers.
pub(super) fn credentials<'a>(request: &Request<'a>) -> impl Iterator<Item = &'a [u8]> {
    [Known::Authorization, Known::UserAssertion, Known::Dpop]
        .into_iter()
        .filter_map(|known| request.view.known(known))
}

/// Where an upstream request goes and with what right.
pub(super) struct Address<'a> {
    pub(super) server: &'a Server,
    pub(super) credential: &'a BoundCredential,
    pub(super) session: Option<&'a SessionFacts>,
}

impl Address<'_> {
    fn head(&self, request: &Request<'_>, outgoing: Option<&Outgoing>, length: usize) -> Result<Head, FrameError> {
        let mut bytes = self.empty();
        let mut head = self.begin(&mut bytes, request.method)?;
        if let Some(version) = outgoing.and_then(|outgoing| outgoing.version).or(self.pinned()) {
            head = head.header("mcp-protocol-version", version.as_str().as_bytes())?;
        }
        if let Some(method) = outgoing.and_then(|outgoing| outgoing.method.as_deref()) {
            head = head.header("mcp-method", method.as_bytes())?;
        }
        if let Some(name) = outgoing.and_then(|outgoing| outgoing.name.as_deref()) {
            head = head.header("mcp-name", name)?;
        }
        for (name, value) in forwarded_headers(request) {
            head = head.header(name, value)?;
        }
        finish(head, request.method, length)?;
        Ok(Head(bytes))
    }

    /// The head of a POST by which the gate answers a server request in the client's place.
    pub(super) fn answer_head(&self, length: usize) -> Result<Head, FrameError> {
        let mut bytes = self.empty();
        let mut head = self.begin(&mut bytes, Method::Post)?;
        if let Some(version) = self.pinned() {
            head = head.header("mcp-protocol-version", version.as_str().as_bytes())?;
        }
        finish(head, Method::Post, length)?;
        Ok(Head(bytes))
    }

    /// Room for a head without growing: what grows leaves copies behind.
    fn empty(&self) -> Zeroizing<Vec<u8>> {
        let shown = self.credential.header().map_or(0, |(_, value)| value.len());
        Zeroizing::new(Vec::with_capacity(1_536 + shown))
    }

    fn pinned(&self) -> Option<Version> {
        self.session.and_then(|facts| facts.version)
    }

    fn begin<'o>(&self, bytes: &'o mut Vec<u8>, method: Method) -> Result<HeadWriter<'o>, FrameError> {
        let accept: &[u8] = match method {
            Method::Get => b"text/event-stream",
            _ => b"application/json, text/event-stream",
        };
        let mut head = write::request_head(bytes, method, &self.server.upstream_path)?
            .header("host", self.server.authority.as_bytes())?;
        if let Some((name, value)) = self.credential.header() {
            head = head.header(name, value)?;
        }
        head = head
            .header("user-agent", b"portreeve")?
            .header("accept", accept)?
            .header("accept-encoding", b"identity")?;
        match self.session.and_then(|facts| facts.upstream.as_deref()) {
            Some(session) => head.header("mcp-session-id", session.as_bytes()),
            None => Ok(head),
        }
    }
}

fn finish(head: HeadWriter<'_>, method: Method, length: usize) -> Result<(), FrameError> {
    if method == Method::Post {
        let length = u64::try_from(length).map_err(|_| FrameError::BodyTooLarge)?;
        head.header("content-type", b"application/json")?
            .body(BodyLength::Fixed(length))
            .finish();
    } else {
        head.finish();
    }
    Ok(())
}

/// The only inbound header values that travel on, each one checked for a credential first.
fn forwarded_headers<'a>(request: &Request<'a>) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    const PARAM: &[u8] = b"mcp-param-";
    let resume = request
        .view
        .known(Known::LastEventId)
        .filter(|_| request.method == Method::Get);
    let params = request.view.headers().filter(|(name, _)| {
        name.as_bytes()
            .get(..PARAM.len())
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case(PARAM))
    });
    resume.map(|value| ("last-event-id", value)).into_iter().chain(params)
}

#[cfg(test)]
mod tests {
    use super::Body;

    #[test]
    fn edits_in_any_order_leave_the_rest_byte_for_byte() {
        let body = b"0123456789";
        let edits = vec![(7..9, b"B".to_vec()), (1..3, b"[]".to_vec())];
        assert!(matches!(Body::edited(body, edits), Body::Rewritten(out) if out == b"0[]3456B9"));
        assert!(matches!(Body::edited(body, Vec::new()), Body::AsReceived));
    }
}
