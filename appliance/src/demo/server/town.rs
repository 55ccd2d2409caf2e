//! The town behind the HTTP door: one MCP message in, one reply out, in both eras.
//!
//! Reads messages with the same strict reader as the gate, keeps the legacy sessions and the record of what it was
//! sent. Does nothing for a caller whose token the guard refuses, and calls a tool only with a token for that tool.
//!
//! SPEC: MCP 2025-11-25 basic/transports (sessions); MCP 2026-07-28 basic/transports/streamable-http, server/discover,
//! server/utilities/caching.

use std::collections::VecDeque;

use portreeve_core::framing::http1::Known;
use portreeve_core::framing::http1::Method;
use portreeve_core::framing::http1::RequestHead;
use portreeve_core::framing::http1::RequestView;
use portreeve_core::framing::sse;
use portreeve_core::json;
use portreeve_core::mcp;
use portreeve_core::mcp::Era;
use portreeve_core::mcp::Kind;
use portreeve_core::mcp::McpHeaders;
use portreeve_core::mcp::Message;
use portreeve_core::mcp::MessageId;
use portreeve_core::mcp::Operation;
use portreeve_core::mcp::Version;
use portreeve_core::mcp::code;
use serde_json::Value;
use serde_json::json;

use super::guard::Grant;
use super::guard::Guard;
use super::record::Record;
use super::record::Records;
use crate::clock;
use crate::demo::ledger::Ledger;
use crate::demo::message::MODERN;
use crate::demo::tools;

/// Legacy sessions kept; the oldest goes when a further one is opened.
const SESSIONS_MAX: usize = 64;
/// How long a modern client may keep a list, in milliseconds.
const TTL_MS: u64 = 60_000;

/// An HTTP answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    fn json(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body,
        }
    }

    fn result(id: MessageId<'_>, result: &Value) -> Self {
        let mut body = b"{\"jsonrpc\":\"2.0\",\"id\":".to_vec();
        id.write(&mut body);
        body.extend_from_slice(format!(",\"result\":{result}}}").as_bytes());
        Self::json(200, body)
    }

    /// The same message as the only event of a stream.
    fn streamed(self) -> Self {
        let mut body = Vec::with_capacity(self.body.len() + 32);
        let event = sse::Event {
            id: None,
            event: Some(b"message"),
            data: Some(&self.body),
            retry_ms: None,
        };
        match sse::write_event(&mut body, &event) {
            Ok(()) => Self {
                headers: vec![("content-type", "text/event-stream".to_owned())],
                body,
                ..self
            },
            Err(_) => self,
        }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The ledger, the sessions and the records.
#[derive(Debug)]
pub(super) struct Town {
    ledger: Ledger,
    sessions: VecDeque<String>,
    records: Records,
}

impl Town {
    pub(super) fn new() -> Self {
        Self {
            ledger: Ledger::of_saltmarsh(),
            sessions: VecDeque::new(),
            records: Records::default(),
        }
    }

    pub(super) const fn records(&self) -> &Records {
        &self.records
    }

    /// Answers one request; `head_bytes` are the bytes of `head`.
    pub(super) fn answer(&mut self, head: &RequestHead, head_bytes: &[u8], body: &[u8], guard: &Guard) -> Reply {
        let view = head.view(head_bytes);
        let grant = guard.check(view.known(Known::Authorization), clock::now());
        let mut record = Record {
            bytes: [head_bytes, body].concat(),
            headers: view.headers().map(|(name, _)| name.to_ascii_lowercase()).collect(),
            claims: grant.as_ref().ok().map(|grant| grant.claims.clone()),
            tool: None,
        };
        let reply = match grant {
            // SPEC: RFC 6750 3.
            Err(_) => Reply::empty(401).with("www-authenticate", "Bearer error=\"invalid_token\"".to_owned()),
            Ok(_) if view.path() != super::PATH => Reply::empty(404),
            Ok(grant) => match head.method {
                Method::Post => self.post(&view, body, &grant, &mut record.tool),
                Method::Delete => self.close(&view),
                _ => Reply::empty(405).with("allow", "POST, DELETE".to_owned()),
            },
        };
        self.records.keep(record);
        reply
    }

    fn close(&mut self, view: &RequestView<'_>) -> Reply {
        let id = view.known(Known::SessionId).unwrap_or_default();
        let open = self.sessions.len();
        self.sessions.retain(|session| session.as_bytes() != id);
        Reply::empty(if self.sessions.len() < open { 204 } else { 404 })
    }

    fn post(&mut self, view: &RequestView<'_>, body: &[u8], grant: &Grant, tool: &mut Option<String>) -> Reply {
        let mut scratch = json::Scratch::new();
        let Ok(document) = json::parse(body, &mut scratch, &json::Limits::MESSAGE) else {
            return failure(400, None, code::PARSE_ERROR, "parse error");
        };
        match McpHeaders::read(view.headers()).and_then(|headers| mcp::parse(&headers, document.root())) {
            Ok(message) => self.dispatch(view, &message, grant, tool),
            Err(error) => {
                let mut body = Vec::new();
                error.write_body(&mut body, Version::ALL);
                Reply::json(error.http_status(), body)
            }
        }
    }

    fn dispatch(
        &mut self,
        view: &RequestView<'_>,
        message: &Message<'_>,
        grant: &Grant,
        tool: &mut Option<String>,
    ) -> Reply {
        let Kind::Request { id, operation } = message.kind else {
            return Reply::empty(202);
        };
        let opens = matches!(operation, Operation::Initialize(_));
        if message.era == Era::Legacy && !opens {
            // SPEC: MCP 2025-11-25 basic/transports: 400 without a session, 404 for one that is not known.
            let Some(session) = view.known(Known::SessionId) else {
                return Reply::empty(400);
            };
            if !self.sessions.iter().any(|open| open.as_bytes() == session) {
                return Reply::empty(404);
            }
        }
        match operation {
            Operation::Initialize(asked) => self.open(id, asked.offered()),
            Operation::Discover => Reply::result(id, &listing(discovery())),
            Operation::Ping => Reply::result(id, &json!({})),
            Operation::ToolsList { .. } => list(id, message.era),
            Operation::ToolsCall(call) => {
                *tool = Some(call.name.to_owned());
                if !grant.covers(call.name) {
                    // SPEC: RFC 6750 3.1.
                    return Reply::empty(403)
                        .with("www-authenticate", "Bearer error=\"insufficient_scope\"".to_owned());
                }
                self.call(id, message.era, call.name, call.arguments)
            }
            _ => {
                let status = if message.era == Era::Modern { 404 } else { 200 };
                failure(status, Some(id), code::METHOD_NOT_FOUND, "method not found")
            }
        }
    }

    fn open(&mut self, id: MessageId<'_>, version: Version) -> Reply {
        let mut bytes = [0; 16];
        clock::entropy(&mut bytes);
        let session: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.sessions.len() == SESSIONS_MAX {
            self.sessions.pop_front();
        }
        self.sessions.push_back(session.clone());
        let result = json!({
            "protocolVersion": version.as_str(), "capabilities": { "tools": {} },
            "serverInfo": server_info(), "instructions": INSTRUCTIONS,
        });
        Reply::result(id, &result).with("mcp-session-id", session)
    }

    fn call(&mut self, id: MessageId<'_>, era: Era, tool: &str, arguments: Option<json::Value<'_>>) -> Reply {
        let (text, failed) = match tools::read(tool, arguments) {
            // SPEC: MCP 2026-07-28 server/tools: an unknown tool is a protocol error, a bad argument a tool error.
            Err(tools::ToolError::NoSuchTool) => {
                return failure(200, Some(id), code::INVALID_PARAMS, "no such tool");
            }
            Err(error) => (error.to_string(), true),
            Ok(call) => match self.ledger.perform(call) {
                Ok(text) => (text, false),
                Err(refusal) => (refusal.to_string(), true),
            },
        };
        let mut result = json!({ "content": [{ "type": "text", "text": text }], "isError": failed });
        if era == Era::Modern {
            result["resultType"] = json!("complete");
        }
        Reply::result(id, &result)
    }
}

const INSTRUCTIONS: &str = "The town ledger of Saltmarsh. Amounts are whole crowns.";

fn server_info() -> Value {
    json!({ "name": "town-ledger", "version": env!("CARGO_PKG_VERSION") })
}

fn discovery() -> Value {
    json!({
        "supportedVersions": [MODERN], "capabilities": { "tools": {} }, "instructions": INSTRUCTIONS,
        "_meta": { "io.modelcontextprotocol/serverInfo": server_info() },
    })
}

/// The tools: as JSON in the modern era, as one event in the legacy one, as most servers of that era do.
fn list(id: MessageId<'_>, era: Era) -> Reply {
    let tools: Value = serde_json::from_str(tools::DEFINITIONS).unwrap_or_default();
    match era {
        Era::Modern => Reply::result(id, &listing(json!({ "tools": tools }))),
        Era::Legacy => Reply::result(id, &json!({ "tools": tools })).streamed(),
    }
}

/// `result` as something that this server would let anybody keep. The gate must not: it filters.
fn listing(mut result: Value) -> Value {
    result["resultType"] = json!("complete");
    result["ttlMs"] = json!(TTL_MS);
    result["cacheScope"] = json!("public");
    result
}

fn failure(status: u16, id: Option<MessageId<'_>>, code: i64, message: &str) -> Reply {
    let mut body = Vec::new();
    mcp::error_body(&mut body, id, code, message, None);
    Reply::json(status, body)
}
