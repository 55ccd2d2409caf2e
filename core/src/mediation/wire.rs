//! The one table from a refusal to the wire: HTTP status, challenge headers, JSON-RPC code.
//!
//! Says no more than the caller may know: every identity failure has the same body, a foreign session answers like an
//! unknown one, and a denied call never names another principal's policies or tools.
//!
//! SPEC: MCP 2026-07-28 basic/transports/streamable-http (statuses), basic/authorization (challenges), RFC 6750 3,
//! RFC 9449 7.1, RFC 9728 5.1.

use super::challenge::Challenge;
use super::signal::SignalRefusal;
use crate::credential::GrantRefusal;
use crate::identity::{Fault, IdentityError, ProofFault, Scheme, Side};
use crate::jose;
use crate::json::write::ObjectWriter;
use crate::mcp::{self, McpError, OwnedId, Version, code};

/// A complete answer of the gate's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Header fields besides framing, in order.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer without a body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A JSON document.
    #[must_use]
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body,
        }
    }

    /// A JSON-RPC error with an optional `data` member, which must be JSON.
    #[must_use]
    pub fn error(status: u16, id: Option<&OwnedId>, code: i64, message: &str, data: Option<&[u8]>) -> Self {
        let mut body = Vec::with_capacity(128);
        mcp::error_body(&mut body, id.map(OwnedId::as_id), code, message, data);
        Self::json(status, body)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Why the gate answers by itself instead of forwarding.
#[derive(Debug)]
pub enum Refusal {
    /// `Host` is not one of the gate's names.
    Host,
    /// `Origin` is present and not allowed.
    Origin,
    /// No server and no document lives at this path.
    Path,
    /// The path exists, the HTTP method does not apply to it.
    Method {
        /// The value of `Allow`.
        allow: &'static str,
    },
    /// An identity is missing, invalid or not linked to the other.
    Identity {
        /// What the pipeline found; only the audit sees it.
        error: IdentityError,
        /// Where the protected resource metadata of this server is.
        metadata: String,
        /// How the caller presented its token.
        scheme: Scheme,
    },
    /// A pushed signal is not taken.
    Signal(SignalRefusal),
    /// A revocation is not a form with one token.
    RevocationForm,
    /// A revocation cannot be put in force at the moment.
    RevocationLater,
    /// The issuer of an opaque token cannot be asked about it: neither good nor bad.
    Unchecked {
        /// Which one it is; only the audit sees it.
        side: Side,
    },
    /// The agent may not use this server at all.
    Server,
    /// The body is not declared as JSON in UTF-8.
    MediaType,
    /// The body is compressed.
    ContentEncoding,
    /// A GET that does not accept an event stream.
    Accept,
    /// The body carries the caller's own credential.
    CredentialInBody,
    /// Not a message this gate understands, or one that contradicts its headers.
    Message(McpError),
    /// A legacy request without the session it needs.
    SessionMissing,
    /// The session is unknown, ended, idle too long, or somebody else's.
    SessionUnknown,
    /// The version header contradicts the version negotiated in this session.
    SessionVersion,
    /// The server does not serve this era.
    Era {
        /// The request's id.
        id: Option<OwnedId>,
        /// The version asked for, escaped and bounded.
        requested: String,
        /// What the server does serve.
        supported: &'static [&'static str],
    },
    /// Policy denies the operation.
    Denied {
        /// The request's id; `None` for a notification.
        id: Option<OwnedId>,
        /// Reason class, such as `policy`.
        reason: &'static str,
        /// Names this decision in the audit.
        decision: String,
    },
    /// The caller lacks something that it can get.
    Challenge(Box<Challenge>),
    /// The task is unknown, or somebody else's.
    Task {
        /// The request's id.
        id: Option<OwnedId>,
    },
    /// Unknown method.
    Unknown {
        /// The request's id.
        id: Option<OwnedId>,
        /// The HTTP status of its era.
        status: u16,
    },
    /// The gate is at a limit that clears by itself.
    Busy {
        /// The request's id.
        id: Option<OwnedId>,
    },
    /// The gate could not write its audit, so it may not act.
    Audit {
        /// The request's id.
        id: Option<OwnedId>,
    },
    /// The authorization server gave no token for the server behind the gate.
    Credential {
        /// The request's id.
        id: Option<OwnedId>,
        /// What that means.
        refusal: GrantRefusal,
    },
    /// The gate itself failed.
    Internal {
        /// The request's id.
        id: Option<OwnedId>,
    },
    /// The server behind the gate did not answer as it must.
    Upstream {
        /// The request's id.
        id: Option<OwnedId>,
        /// What is wrong, for the caller.
        fault: UpstreamFault,
    },
}

/// What a server behind the gate did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamFault {
    /// No connection could be made; nothing was sent.
    Unreachable,
    /// The request was sent and no answer came: it may or may not have run.
    Ambiguous,
    /// It answered in a way that cannot be passed on.
    Unusable,
    /// It showed the gate's own secret in its answer.
    Exposed,
    /// It refused the gate's credential.
    Unauthorized,
    /// The agent or the session was shut off while the answer was on its way.
    Revoked,
    /// The gate stopped while the call ran: it may or may not have run.
    Stopped,
}

impl UpstreamFault {
    /// The name of this fault in the audit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Ambiguous => "ambiguous",
            Self::Unusable => "unusable",
            Self::Exposed => "credential_in_reply",
            Self::Unauthorized => "unauthorized",
            Self::Revoked => "revoked",
            Self::Stopped => "gate_stopped",
        }
    }

    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Unreachable => "the server cannot be reached; the call was not sent",
            Self::Ambiguous => "the server did not answer; the call may have run",
            Self::Unusable | Self::Exposed => "the server's answer cannot be passed on",
            Self::Unauthorized => "the server refused the gate's credential",
            Self::Revoked => "access was withdrawn",
            Self::Stopped => "the gate stopped; the call may have run",
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::Ambiguous | Self::Stopped => 504,
            Self::Unreachable | Self::Unusable | Self::Exposed | Self::Unauthorized | Self::Revoked => 502,
        }
    }
}

impl Refusal {
    /// The reason class of this refusal in the audit.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Path => "path",
            Self::Method { .. } => "http_method",
            Self::Identity { error, .. } => error.reason(),
            Self::Signal(_) => "signal",
            Self::RevocationForm | Self::RevocationLater => "revocation",
            Self::Unchecked { .. } => "introspection_unavailable",
            Self::Server => "server_not_allowed",
            Self::MediaType => "media_type",
            Self::ContentEncoding => "content_encoding",
            Self::Accept => "accept",
            Self::CredentialInBody => "credential_in_body",
            Self::Message(_) => "message",
            Self::SessionMissing => "session_missing",
            Self::SessionUnknown => "session_unknown",
            Self::SessionVersion => "session_version",
            Self::Era { .. } => "era",
            Self::Denied { reason, .. } => reason,
            Self::Challenge(challenge) => challenge.reason(),
            Self::Task { .. } => "task_unknown",
            Self::Unknown { .. } => "method_unknown",
            Self::Busy { .. } => "busy",
            Self::Audit { .. } => "audit",
            Self::Credential { refusal, .. } => refusal.name(),
            Self::Internal { .. } => "internal",
            Self::Upstream { fault, .. } => fault.name(),
        }
    }

    /// Whose credential was at fault, for identity failures.
    #[must_use]
    pub fn side(&self) -> Option<&'static str> {
        let side = match self {
            Self::Identity { error, .. } => error.who(),
            Self::Unchecked { side } => *side,
            _ => return None,
        };
        Some(match side {
            Side::Agent => "agent",
            Side::User => "user",
            Side::Pair => "pair",
        })
    }

    /// What the caller gets.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::Host => plain(403, "host not allowed"),
            Self::Origin => plain(403, "origin not allowed"),
            Self::Path => plain(404, "no server lives at this path"),
            Self::Method { allow } => plain(405, "method not allowed").with("allow", *allow),
            Self::Identity {
                error,
                metadata,
                scheme,
            } => challenge(error, metadata, *scheme),
            Self::Signal(refusal) => refusal.reply(),
            // SPEC: RFC 6749 5.2; RFC 7009 2.2.1.
            Self::RevocationForm => Reply::json(400, br#"{"error":"invalid_request"}"#.to_vec()),
            Self::RevocationLater => Reply::empty(503).with("retry-after", "5"),
            Self::Unchecked { .. } => {
                let message = "a credential cannot be checked at the moment";
                Reply::error(503, None, code::INTERNAL_ERROR, message, None).with("retry-after", "5")
            }
            Self::Server => plain(403, "this agent may not use this server"),
            Self::MediaType => plain(415, "the body must be application/json in UTF-8"),
            Self::ContentEncoding => plain(415, "the body must not be encoded").with("accept-encoding", "identity"),
            Self::Accept => plain(406, "accept must list text/event-stream"),
            Self::CredentialInBody => plain(400, "the message carries a credential"),
            Self::Message(error) => {
                let mut body = Vec::with_capacity(160);
                error.write_body(&mut body, Version::MODERN);
                Reply::json(error.http_status(), body)
            }
            Self::SessionMissing => plain(400, "session required"),
            Self::SessionUnknown => plain(404, "session not found"),
            Self::SessionVersion => plain(400, "MCP-Protocol-Version is not the one negotiated in this session"),
            Self::Era {
                id,
                requested,
                supported,
            } => era(id.as_ref(), requested, supported),
            Self::Challenge(challenge) => challenge.reply(),
            Self::Denied { id, reason, decision } => denied(id.as_ref(), reason, decision),
            Self::Task { id } => Reply::error(200, id.as_ref(), code::INVALID_PARAMS, "unknown task", None),
            Self::Unknown { id, status } => {
                Reply::error(*status, id.as_ref(), code::METHOD_NOT_FOUND, "method not found", None)
            }
            Self::Busy { id } => Reply::error(503, id.as_ref(), code::INTERNAL_ERROR, "the gate is at its limit", None)
                .with("retry-after", "1"),
            Self::Audit { id } => Reply::error(
                503,
                id.as_ref(),
                code::INTERNAL_ERROR,
                "the call cannot be recorded, so it is refused",
                None,
            ),
            Self::Credential { id, refusal } => no_credential(id.as_ref(), *refusal),
            Self::Internal { id } => Reply::error(500, id.as_ref(), code::INTERNAL_ERROR, "internal error", None),
            Self::Upstream { id, fault } => {
                Reply::error(fault.status(), id.as_ref(), code::INTERNAL_ERROR, fault.message(), None)
            }
        }
    }
}

/// A refusal that no JSON-RPC request caused: an error without an id, as MCP allows for any HTTP error.
fn plain(status: u16, message: &str) -> Reply {
    Reply::error(status, None, code::INVALID_REQUEST, message, None)
}

/// 401 with one body for every cause; only a presented token earns `error`, as RFC 6750 3.1 asks. Whoever presented a proof
/// is told whether that was at fault (RFC 9449 7.1); everybody else, that a proof could be presented.
fn challenge(error: &IdentityError, metadata: &str, scheme: Scheme) -> Reply {
    let possession = format!("DPoP algs=\"{}\"", jose::proof::ALGORITHMS.join(" "));
    let metadata = format!("resource_metadata=\"{metadata}\"");
    // Absent is no fault of a token; whichever side it is, the body stays the same.
    let cause = match (error.fault(), scheme) {
        (Fault::Absent, _) => "",
        (Fault::Proof(ProofFault::Nonce), Scheme::Dpop) => ", error=\"use_dpop_nonce\"",
        (Fault::Proof(_), Scheme::Dpop) => ", error=\"invalid_dpop_proof\"",
        _ => ", error=\"invalid_token\"",
    };
    let message = "both identities must be presented and valid";
    let reply = Reply::error(401, None, code::UNAUTHENTICATED, message, None);
    match scheme {
        Scheme::Bearer | Scheme::Certificate => reply
            .with("www-authenticate", format!("Bearer {metadata}{cause}"))
            .with("www-authenticate", possession),
        Scheme::Dpop => reply.with("www-authenticate", format!("{possession}, {metadata}{cause}")),
    }
}

/// What the caller can do something about is told at HTTP 200 (docs/decisions/0002); an outage is 503.
fn no_credential(id: Option<&OwnedId>, refusal: GrantRefusal) -> Reply {
    let message = match refusal {
        GrantRefusal::Stale => "no token for the server can be had for these tokens any more; get new ones",
        GrantRefusal::StepUp => "the identity provider asks the user to log in again",
        GrantRefusal::Forbidden => "the identity provider gives no token for this server and tool",
        GrantRefusal::Client | GrantRefusal::Unavailable => {
            let message = "no credential for the server can be had at the moment; the call was not sent";
            return Reply::error(503, id, code::INTERNAL_ERROR, message, None).with("retry-after", "5");
        }
    };
    let mut data = Vec::with_capacity(48);
    let mut object = ObjectWriter::new(&mut data);
    object.string("reason", refusal.name());
    object.finish();
    if id.is_none() {
        return Reply::empty(202);
    }
    Reply::error(200, id, code::DENIED, message, Some(&data))
}

/// HTTP 200: any other status ends the session of two official clients (docs/decisions/0002).
fn denied(id: Option<&OwnedId>, reason: &str, decision: &str) -> Reply {
    let mut data = Vec::with_capacity(96);
    let mut object = ObjectWriter::new(&mut data);
    object.string("reason", reason).string("decision", decision);
    object.finish();
    if id.is_none() {
        return Reply::empty(202);
    }
    Reply::error(200, id, code::DENIED, "denied by policy", Some(&data))
}

fn era(id: Option<&OwnedId>, requested: &str, supported: &[&str]) -> Reply {
    let mut data = Vec::with_capacity(96);
    let mut object = ObjectWriter::new(&mut data);
    object.array("supported", |list| {
        for version in supported {
            list.string(version);
        }
    });
    object.string("requested", requested);
    object.finish();
    Reply::error(
        400,
        id,
        code::UNSUPPORTED_VERSION,
        "unsupported protocol version",
        Some(&data),
    )
}
