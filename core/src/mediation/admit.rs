//! From a whole request to the point where its operation can be decided: the door, both identities, the proof, the session.
//!
//! Asks the owner shard for what this core cannot know. Possession of a session or task id is never enough: what comes
//! back is compared with who is asking, and a mismatch answers exactly as an unknown id does.

use std::rc::Rc;

use super::call::Call;
use super::introspect::NeedsIntrospection;
use super::{Context, Next, Refusal, Request, decide, door, revoke, signal};
use crate::framing::http1::{Known, Method};
use crate::identity::{
    Fault, Identified, IdentityError, Presented, Principal, ProofFault, ProofId, Scheme, Spent, Terms,
};
use crate::mcp::{Era, OwnedId, Version};
use crate::session::{SessionFacts, SessionId};
use crate::snapshot::Server;
use crate::task::{TaskFacts, TaskKey};

/// A caller whose both identities hold, at a server it may use.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) call: Call,
    pub(super) principal: Rc<Principal>,
    pub(super) session: Option<(SessionId, SessionFacts)>,
    /// Tasks the owners were asked for, with their creator if it is this caller.
    pub(super) tasks: Vec<(TaskKey, Option<TaskFacts>)>,
}

/// Waits for the shard that owns the key to say whether a proof was used before.
#[derive(Debug)]
#[must_use = "a request ends unanswered when its continuation is dropped"]
pub struct NeedsProof {
    id: ProofId,
    admitted: Box<Admitted>,
}

impl NeedsProof {
    /// The proof to use.
    #[must_use]
    pub const fn id(&self) -> &ProofId {
        &self.id
    }

    /// Goes on with what the owner says.
    pub fn resume(self, spent: Spent, request: &Request<'_>, context: &mut Context<'_>) -> Next {
        let call = self.admitted.call;
        let snapshot = context.snapshot;
        let Some(server) = call.server().and_then(|name| snapshot.server(name)) else {
            return call.refuse(&Refusal::Path, context);
        };
        let admitted = Admitted { call, ..*self.admitted };
        match spent {
            Spent::Now => in_session(admitted, server, request, context),
            Spent::Before => {
                let refusal = Refusal::Identity {
                    error: IdentityError::replayed(),
                    metadata: door::metadata_url(server, snapshot),
                    scheme: Scheme::Dpop,
                };
                admitted.call.refuse(&refusal, context)
            }
            Spent::Full => admitted.call.refuse(&Refusal::Busy { id: None }, context),
        }
    }
}

/// Waits for the owner shard to say what a session id stands for.
#[derive(Debug)]
#[must_use = "a request ends unanswered when its continuation is dropped"]
pub struct NeedsSession {
    id: SessionId,
    admitted: Box<Admitted>,
}

impl NeedsSession {
    /// The session to find.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Goes on with what the owner found.
    pub fn resume(self, found: Option<SessionFacts>, request: &Request<'_>, context: &mut Context<'_>) -> Next {
        let Self { id, mut admitted } = self;
        let binding = admitted.principal.binding();
        let facts = found.filter(|facts| facts.binding == binding && Some(&facts.server) == admitted.call.server());
        let Some(facts) = facts else {
            return admitted.call.refuse(&Refusal::SessionUnknown, context);
        };
        if contradicts_version(request, &facts) {
            return admitted.call.refuse(&Refusal::SessionVersion, context);
        }
        admitted.session = Some((id, facts));
        decide::decide(*admitted, request, context)
    }
}

/// Waits for the owner shard to say who made a task.
#[derive(Debug)]
#[must_use = "a request ends unanswered when its continuation is dropped"]
pub struct NeedsTask {
    pub(super) key: TaskKey,
    pub(super) admitted: Box<Admitted>,
}

impl NeedsTask {
    /// The task to find.
    #[must_use]
    pub const fn key(&self) -> &TaskKey {
        &self.key
    }

    /// Goes on with what the owner found.
    pub fn resume(self, found: Option<TaskFacts>, request: &Request<'_>, context: &mut Context<'_>) -> Next {
        let Self { key, mut admitted } = self;
        let binding = admitted.principal.binding();
        admitted.tasks.push((key, found.filter(|task| task.binding == binding)));
        decide::decide(*admitted, request, context)
    }
}

/// Waits for the owner shard to say whether the client's answer belongs to a request it was shown.
#[derive(Debug)]
#[must_use = "a request ends unanswered when its continuation is dropped"]
pub struct NeedsAnswer {
    pub(super) session: SessionId,
    pub(super) id: OwnedId,
    pub(super) admitted: Box<Admitted>,
}

impl NeedsAnswer {
    /// The session the answer was posted in.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The server request it answers.
    #[must_use]
    pub const fn id(&self) -> &OwnedId {
        &self.id
    }

    /// Forwards an awaited answer; takes any other without effect, as every server does.
    pub fn resume(self, awaited: bool, request: &Request<'_>, context: &mut Context<'_>) -> Next {
        if awaited {
            return decide::forward_answer(*self.admitted, request, context);
        }
        self.admitted.call.refuse(
            &Refusal::Denied {
                id: None,
                reason: "answer_unasked",
                decision: String::new(),
            },
            context,
        )
    }
}

/// The first stage: everything that the head decides.
pub fn admit(request: &Request<'_>, context: &mut Context<'_>) -> Next {
    let mut call = Call::begin(request, context);
    let server = match door::enter(request, context.snapshot) {
        Ok(door::Route::Server(server)) => server,
        Ok(door::Route::Document(reply)) => return Call::publish(reply),
        Ok(door::Route::Signal(door)) => return signal::receive(call, door, request, context),
        Ok(door::Route::Revocation) => return revoke::receive(call, request, context),
        Err(refusal) => return call.refuse(&refusal, context),
    };
    call.at(server);
    proceed(call, server, 0, request, context)
}

/// From both identities on. `asked`: how many opaque tokens of this request an issuer was asked about.
pub(super) fn proceed(
    mut call: Call,
    server: &Server,
    asked: u8,
    request: &Request<'_>,
    context: &mut Context<'_>,
) -> Next {
    match identify(&mut call, server, request, context) {
        Ok((principal, proof)) => {
            let admitted = Admitted {
                call,
                principal,
                session: None,
                tasks: Vec::new(),
            };
            match proof {
                None => in_session(admitted, server, request, context),
                Some(id) => Next::SpendProof(NeedsProof {
                    id,
                    admitted: Box::new(admitted),
                }),
            }
        }
        Err(Refusal::Identity { error, .. }) if error.fault() == Fault::Unchecked => {
            NeedsIntrospection::ask(call, error.who(), asked, request, context)
        }
        Err(refusal) => call.refuse(&refusal, context),
    }
}

fn identify(
    call: &mut Call,
    server: &Server,
    request: &Request<'_>,
    context: &mut Context<'_>,
) -> Result<(Rc<Principal>, Option<ProofId>), Refusal> {
    let begun = (context.ticks)();
    let snapshot = context.snapshot;
    let bench = &mut *context.bench;
    let terms = Terms {
        trust: &snapshot.trust,
        nonces: &snapshot.proofs.nonces,
        require_nonce: snapshot.proofs.require_nonce,
        method: request.method.name().unwrap_or_default(),
        origin: &snapshot.front.public_url,
        path: &server.path,
        certificate: request.certificate,
    };
    let verified = Presented::from_request(&request.view, request.certificate).and_then(|shown| {
        bench
            .authenticator
            .authenticate(&shown, &terms, &mut bench.scratch, context.now)
    });
    call.split.identity_us += micros((context.ticks)().saturating_sub(begun));
    let challenge = |error| Refusal::Identity {
        error,
        metadata: door::metadata_url(server, snapshot),
        scheme: Scheme::of(request.view.known(Known::Authorization).unwrap_or_default()),
    };
    let wants_nonce = match &verified {
        Ok(identified) => identified.proof.is_some_and(|proof| proof.renews),
        Err(error) => error.fault() == Fault::Proof(ProofFault::Nonce),
    };
    if wants_nonce {
        call.offers_nonce(snapshot.proofs.nonces.current(context.now));
    }
    let Identified { principal, proof } = verified.map_err(challenge)?;
    call.known_as(&principal);
    snapshot.denylist.check(&principal).map_err(challenge)?;
    context.bench.seen.note(principal.agent().name(), context.now);
    if !snapshot.may_use(&principal, server) {
        return Err(Refusal::Server);
    }
    Ok((principal, proof.map(|proof| proof.id)))
}

/// Whole microseconds of a span of nanoseconds.
pub(super) fn micros(nanos: u64) -> u64 {
    nanos / 1_000
}

fn in_session(admitted: Admitted, server: &Server, request: &Request<'_>, context: &mut Context<'_>) -> Next {
    let checked = match request.method {
        Method::Post => door::check_post(request),
        _ if is_modern(request) || !server.eras.legacy() => Err(Refusal::Method { allow: "POST" }),
        Method::Get if !accepts_events(request) => Err(Refusal::Accept),
        _ => Ok(()),
    };
    if let Err(refusal) = checked {
        return admitted.call.refuse(&refusal, context);
    }
    match request.view.known(Known::SessionId) {
        // SPEC: MCP 2026-07-28: the session header is not part of the revision and is ignored.
        Some(_) if is_modern(request) => decide::decide(admitted, request, context),
        Some(text) => match SessionId::parse(text) {
            Some(id) => Next::FindSession(NeedsSession {
                id,
                admitted: Box::new(admitted),
            }),
            None => admitted.call.refuse(&Refusal::SessionUnknown, context),
        },
        None if request.method == Method::Post => decide::decide(admitted, request, context),
        None => admitted.call.refuse(&Refusal::SessionMissing, context),
    }
}

fn is_modern(request: &Request<'_>) -> bool {
    let version = request
        .view
        .known(Known::ProtocolVersion)
        .and_then(|text| core::str::from_utf8(text).ok());
    version
        .and_then(Version::parse)
        .is_some_and(|version| version.era() == Era::Modern)
}

fn accepts_events(request: &Request<'_>) -> bool {
    let accept = request.view.known(Known::Accept).unwrap_or_default();
    memchr::memmem::find(&accept.to_ascii_lowercase(), b"text/event-stream").is_some()
}

/// No upstream enforces that a session keeps its version, so the gate does.
fn contradicts_version(request: &Request<'_>, facts: &SessionFacts) -> bool {
    let Some(sent) = request.view.known(Known::ProtocolVersion) else {
        return false;
    };
    facts.version.is_some_and(|pinned| pinned.as_str().as_bytes() != sent)
}
