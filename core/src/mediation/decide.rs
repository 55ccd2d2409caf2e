//! One reading of one set of bytes becomes one operation, and one operation one decision.
//!
//! Everything between the parse and the permit happens in one synchronous step on borrowed data: nothing can change in
//! between, and what was decided is exactly what is then forwarded.

use std::rc::Rc;
use std::sync::Arc;

use super::admit::{Admitted, NeedsAnswer, NeedsTask, micros};
use super::call::Call;
use super::challenge::Challenge;
use super::forward::{self, Body, Plan};
use super::reply::Expect;
use super::{Context, Next, Refusal, Request, listen};
use crate::framing::http1::Method;
use crate::identity::{self, Principal};
use crate::json::{self, Value};
use crate::mcp::{self, Era, Initialize, Kind, McpError, McpHeaders, Message, Operation, OwnedId, Reference, Version};
use crate::policy::{self, AccessRequest, Action, Decision, Demands, DenyReason, Facts, Permit, Who};
use crate::response::{Ask, Asked, List};
use crate::session::SessionId;
use crate::snapshot::{Server, Snapshot};
use crate::task::TaskKey;

/// What one reading of a request comes to.
enum Judged {
    Send(Box<Plan>),
    FindTask(TaskKey),
    TakeAnswer(SessionId, OwnedId),
}

/// Reads, decides, and builds what goes upstream.
pub(super) fn decide(mut admitted: Admitted, request: &Request<'_>, context: &mut Context<'_>) -> Next {
    match judge(&mut admitted, request, context) {
        Ok(Judged::Send(plan)) => forward::build(admitted, *plan, request, context),
        Ok(Judged::FindTask(key)) => Next::FindTask(NeedsTask {
            key,
            admitted: Box::new(admitted),
        }),
        Ok(Judged::TakeAnswer(session, id)) => Next::TakeAnswer(NeedsAnswer {
            session,
            id,
            admitted: Box::new(admitted),
        }),
        Err(refusal) => admitted.call.refuse(&refusal, context),
    }
}

/// The client's answer to a server request it was shown: decided as part of its session.
pub(super) fn forward_answer(mut admitted: Admitted, request: &Request<'_>, context: &mut Context<'_>) -> Next {
    let Some(bench) = Judge::of(&admitted.call, &admitted.principal, context) else {
        return admitted.call.refuse(&Refusal::Path, context);
    };
    match bench.permit(Action::Session, None, None, &mut admitted.call) {
        Ok(permit) => forward::build(admitted, Plan::new(permit, Expect::Nothing), request, context),
        Err(refusal) => admitted.call.refuse(&refusal, context),
    }
}

/// Who decides: one principal at one server under one generation.
pub(super) struct Judge<'c> {
    pub(super) snapshot: &'c Snapshot,
    pub(super) server: &'c Server,
    principal: Rc<Principal>,
    facts: Facts,
    ticks: &'c dyn Fn() -> u64,
}

impl<'c> Judge<'c> {
    /// The judge of one request; `None` if its server is no longer configured.
    pub(super) fn of(call: &Call, principal: &Rc<Principal>, context: &Context<'c>) -> Option<Self> {
        let server = context.snapshot.server(call.server()?)?;
        let facts = Facts {
            now: context.now,
            peer_ip: call.peer,
            tls: call.tls,
            credential: context.snapshot.credentials.mode(&server.name)?.name(),
            standing: context.snapshot.standing.of(principal.user()),
        };
        Some(Self {
            snapshot: context.snapshot,
            server,
            principal: Rc::clone(principal),
            facts,
            ticks: context.ticks,
        })
    }

    /// Decides one action; a denial is a refusal that names the decision and nothing else.
    pub(super) fn permit(
        &self,
        action: Action<'_>,
        arguments: Option<Value<'_>>,
        id: Option<&OwnedId>,
        call: &mut Call,
    ) -> Result<Permit, Refusal> {
        let begun = (self.ticks)();
        let decision = self.decide(action, arguments);
        call.split.policy_us += micros((self.ticks)().saturating_sub(begun));
        match decision {
            Decision::Permit(permit) => match self.lacking(action) {
                Some(asks) => Err(self.challenge(asks, id)),
                None => Ok(permit),
            },
            Decision::Deny(denial) => {
                call.denied_by(&denial);
                if denial.reason == DenyReason::RequirementUnmet && id.is_some() {
                    return Err(self.challenge(Demands::of_policies(&denial.unmet), id));
                }
                Err(Refusal::Denied {
                    id: id.cloned(),
                    reason: denial.reason.as_str(),
                    decision: call.id().to_owned(),
                })
            }
        }
    }

    /// Whether an action would be permitted; spends nothing.
    pub(super) fn allows(&self, action: Action<'_>) -> bool {
        matches!(self.decide(action, None), Decision::Permit(_)) && self.lacking(action).is_none()
    }

    /// What the caller lacks for an action that the policies permit.
    fn lacking(&self, action: Action<'_>) -> Option<Demands> {
        let demands = self.snapshot.catalog.demands(&self.server.name, action)?;
        demands.lacking(self.principal.auth(), self.facts.now)
    }

    fn challenge(&self, asks: Demands, id: Option<&OwnedId>) -> Refusal {
        let caller = (&*self.principal, self.server, self.snapshot);
        Refusal::Challenge(Box::new(Challenge::new(id.cloned(), asks, caller)))
    }

    /// Whether the server may ask the client for this.
    pub(super) fn allows_ask(&self, ask: Ask) -> bool {
        self.allows(match ask {
            Ask::Sampling => Action::Sampling,
            Ask::Elicit => Action::Elicit,
            Ask::Roots => Action::Roots,
            Ask::ClientTask => Action::Session,
        })
    }

    /// Whether an entry of a list may be shown.
    pub(super) fn shows(&self, asked: Asked, name: &str) -> bool {
        let Asked::List(list) = asked else { return false };
        let action = match list {
            List::Tools => Action::CallTool { name },
            List::Prompts => Action::GetPrompt { name },
            List::Resources | List::ResourceTemplates | List::Skills => Action::ReadResource { uri: name },
            List::Contents => return self.allows(Action::ReadResource { uri: name }),
            // The gate does not offer tasks/list.
            List::Tasks => return false,
        };
        policy::listable(&self.snapshot.policies, &self.snapshot.catalog, &self.ask(action, None))
    }

    fn ask<'a>(&'a self, action: Action<'a>, arguments: Option<Value<'a>>) -> AccessRequest<'a> {
        AccessRequest {
            who: Who::from(&*self.principal),
            action,
            server: &self.server.name,
            arguments,
            facts: self.facts,
        }
    }

    fn decide(&self, action: Action<'_>, arguments: Option<Value<'_>>) -> Decision {
        policy::decide(
            &self.snapshot.policies,
            &self.snapshot.catalog,
            &self.ask(action, arguments),
        )
    }
}

fn judge(admitted: &mut Admitted, request: &Request<'_>, context: &mut Context<'_>) -> Result<Judged, Refusal> {
    let judge = Judge::of(&admitted.call, &admitted.principal, context).ok_or(Refusal::Path)?;
    if request.method != Method::Post {
        let expect = if request.method == Method::Get {
            Expect::Stream
        } else {
            Expect::Closed
        };
        let permit = judge.permit(Action::Session, None, None, &mut admitted.call)?;
        return Ok(Judged::Send(Box::new(Plan::new(permit, expect))));
    }
    let begun = (context.ticks)();
    let document = json::parse(request.body, &mut context.bench.scratch, &json::Limits::MESSAGE)
        .map_err(|error| Refusal::Message(McpError::from(error)))?;
    let headers = McpHeaders::read(request.view.headers()).map_err(Refusal::Message)?;
    let message = mcp::parse(&headers, document.root()).map_err(Refusal::Message)?;
    admitted.call.split.parse_us = micros((context.ticks)().saturating_sub(begun));
    if forward::credentials(request).any(|credential| holds(&document, credential)) {
        return Err(Refusal::CredentialInBody);
    }
    check_era(&message, admitted, judge.server)?;
    match &message.kind {
        Kind::Response { id, .. } => {
            let (session, _) = admitted.session.as_ref().ok_or(Refusal::SessionMissing)?;
            Ok(Judged::TakeAnswer(*session, OwnedId::from(*id)))
        }
        // SPEC: MCP 2026-07-28: over HTTP a closed stream cancels; no other notification is a client's to send.
        Kind::Notification { .. } if message.era == Era::Modern => Err(Refusal::Denied {
            id: None,
            reason: "not_forwarded",
            decision: String::new(),
        }),
        Kind::Notification { .. } => {
            admitted.call.reads(&message);
            let permit = judge.permit(Action::Session, None, None, &mut admitted.call)?;
            Ok(Judged::Send(Box::new(Plan::of(&message, permit, Expect::Nothing))))
        }
        Kind::Request { id, operation } => {
            admitted.call.reads(&message);
            let asks = Asks {
                id: OwnedId::from(*id),
                operation,
                message: &message,
            };
            judge_request(&judge, &asks, admitted, request)
        }
    }
}

/// A request among the messages.
struct Asks<'m> {
    id: OwnedId,
    operation: &'m Operation<'m>,
    message: &'m Message<'m>,
}

fn judge_request(
    judge: &Judge<'_>,
    asks: &Asks<'_>,
    admitted: &mut Admitted,
    request: &Request<'_>,
) -> Result<Judged, Refusal> {
    let Asks { id, operation, message } = asks;
    let call = &mut admitted.call;
    let expect = Expect::reply_to(operation, message.era, id);
    let (action, arguments) = match operation {
        // Whose tasks they are is known one by one, so the list is not offered; the tasks extension has dropped it too.
        Operation::Unknown { .. } | Operation::TasksList { .. } => return Err(unknown(message.era, id)),
        Operation::Listen(filter) => {
            let wanted = match listen::narrow(judge, filter, id, admitted, request)? {
                listen::Narrowed::FindTask(key) => return Ok(Judged::FindTask(key)),
                listen::Narrowed::Body(body) => body,
            };
            let permit = judge.permit(Action::Session, None, Some(id), &mut admitted.call)?;
            return Ok(Judged::Send(Box::new(
                Plan::of(message, permit, expect).with_body(wanted),
            )));
        }
        Operation::Initialize(initialize) => {
            let permit = judge.permit(Action::Session, None, Some(id), call)?;
            let body = clamp_version(initialize, request.body);
            return Ok(Judged::Send(Box::new(
                Plan::of(message, permit, expect).with_body(body),
            )));
        }
        Operation::ToolsCall(tool) => (Action::CallTool { name: tool.name }, tool.arguments),
        Operation::ResourcesRead { uri, .. } | Operation::SkillsGet { uri } | Operation::DirectoryRead { uri } => {
            (Action::ReadResource { uri }, None)
        }
        Operation::ResourcesSubscribe { uri } | Operation::ResourcesUnsubscribe { uri } => {
            (Action::Subscribe { uri }, None)
        }
        Operation::PromptsGet(prompt) => (Action::GetPrompt { name: prompt.name }, prompt.arguments),
        Operation::Complete(completion) => match completion.reference {
            Reference::Prompt(name) => (Action::CompletePrompt { name }, None),
            Reference::Resource(uri) => (Action::CompleteResource { uri }, None),
        },
        Operation::SetLogLevel { .. } => (Action::SetLogLevel, None),
        Operation::TasksGet { task_id }
        | Operation::TasksResult { task_id }
        | Operation::TasksUpdate { task_id }
        | Operation::TasksCancel { task_id } => {
            let key = TaskKey {
                server: Arc::clone(&judge.server.name),
                task: (*task_id).into(),
            };
            let Some((_, owner)) = admitted.tasks.iter().find(|(known, _)| *known == key) else {
                return Ok(Judged::FindTask(key));
            };
            let facts = owner.as_ref().ok_or_else(|| Refusal::Task { id: Some(id.clone()) })?;
            let permit = judge.permit(Action::FollowTask { tool: &facts.tool }, None, Some(id), call)?;
            return Ok(Judged::Send(Box::new(Plan::of(message, permit, expect))));
        }
        // Lists are filtered on the way back, item by item; asking for one is part of the session.
        _ => (Action::Session, None),
    };
    let permit = judge.permit(action, arguments, Some(id), call)?;
    Ok(Judged::Send(Box::new(Plan::of(message, permit, expect))))
}

/// SPEC: MCP 2026-07-28 streamable-http: 404 with -32601; earlier revisions answer 200.
fn unknown(era: Era, id: &OwnedId) -> Refusal {
    let status = if era == Era::Modern { 404 } else { 200 };
    Refusal::Unknown {
        id: Some(id.clone()),
        status,
    }
}

/// Holds the message's era against what the server serves and what the session pinned.
fn check_era(message: &Message<'_>, admitted: &Admitted, server: &Server) -> Result<(), Refusal> {
    let id = match &message.kind {
        Kind::Request { id, .. } | Kind::Response { id, .. } => Some(OwnedId::from(*id)),
        Kind::Notification { .. } => None,
    };
    let served = if message.era == Era::Modern {
        server.eras.modern()
    } else {
        server.eras.legacy()
    };
    if let (
        false,
        Kind::Request {
            id,
            operation: Operation::Discover,
        },
    ) = (served, &message.kind)
    {
        // The probe of a client that can do both eras. All SDKs fall back to the handshake on this; on -32022 rmcp does
        // not (docs/decisions/0012).
        return Err(unknown(message.era, &OwnedId::from(*id)));
    }
    if !served {
        let requested = message.version.map_or("", Version::as_str).to_owned();
        return Err(Refusal::Era {
            id,
            requested,
            supported: server.eras.versions(),
        });
    }
    let opens = matches!(
        message.kind,
        Kind::Request {
            operation: Operation::Initialize(_),
            ..
        }
    );
    match (message.era, &admitted.session, opens) {
        (Era::Legacy, None, false) => Err(Refusal::SessionMissing),
        (Era::Legacy, Some(_), true) => Err(Refusal::SessionUnknown),
        _ => Ok(()),
    }
}

/// Keeps the handshake inside the legacy era: one SDK answers `2026-07-28` to it, without a session.
fn clamp_version(initialize: &Initialize<'_>, body: &[u8]) -> Body {
    let offered = initialize.offered();
    if initialize.requested == Some(offered) {
        return Body::AsReceived;
    }
    let mut version = Vec::with_capacity(16);
    json::write::string(&mut version, offered.as_str());
    Body::edited(body, vec![(initialize.version.span(), version)])
}

/// Whether a message holds the part of `credential` that nobody else could know, as it stands or as it reads: an escape
/// (RFC 8259 7) hides it from a search of the bytes and from no server. Only a message with escapes is searched twice.
fn holds(document: &json::Document<'_>, credential: &[u8]) -> bool {
    let escapes = || memchr::memchr(b'\\', document.bytes()).is_some();
    let unescaped = || document.strings().any(|text| carries(text.as_bytes(), credential));
    carries(document.bytes(), credential) || (escapes() && unescaped())
}

/// Whether `text` holds the part of `credential` that nobody else could know.
///
/// Of a JWS the signature is enough: header and claims alone open nothing, and the search stays one pass over the body. Of
/// an opaque token, and of an API key, it is everything but the padding.
pub(super) fn carries(text: &[u8], credential: &[u8]) -> bool {
    const SHORTEST_SIGNATURE: usize = 64;
    let token = credential.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let (secret, shortest) = match identity::opaque(token) {
        Some(opaque) => (opaque, 0),
        None => (
            token.rsplit(|byte| *byte == b'.').next().unwrap_or_default(),
            SHORTEST_SIGNATURE,
        ),
    };
    secret.len() >= shortest && memchr::memmem::find(text, secret).is_some()
}
