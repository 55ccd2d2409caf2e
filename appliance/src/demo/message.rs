//! The messages that the story's clients send, in both eras: JSON-RPC bodies and the headers that must agree with them.
//!
//! SPEC: MCP 2025-11-25 basic/transports; MCP 2026-07-28 basic/transports/streamable-http, basic/index#_meta.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use serde_json::Value;
use serde_json::json;

/// The version of the modern era that the story speaks.
pub const MODERN: &str = "2026-07-28";
/// The version of the legacy era that the story speaks.
pub const LEGACY: &str = "2025-11-25";

/// One message, ready to be posted.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Header fields besides framing and credentials.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON-RPC message.
    pub body: Vec<u8>,
}

/// A request that stands alone.
#[must_use]
pub fn modern(method: &str, mut params: Value) -> Outgoing {
    let mut headers = vec![
        ("mcp-protocol-version", MODERN.to_owned()),
        ("mcp-method", method.to_owned()),
    ];
    if let Some(name) = params["name"].as_str() {
        headers.push(("mcp-name", name.to_owned()));
    }
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": client_info(),
    });
    Outgoing {
        headers,
        body: request(method, &params),
    }
}

/// The request that opens a session.
#[must_use]
pub fn initialize() -> Outgoing {
    let params = json!({ "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client_info() });
    Outgoing {
        headers: Vec::new(),
        body: request("initialize", &params),
    }
}

/// The notification that a session is ready.
#[must_use]
pub fn initialized(session: &str) -> Outgoing {
    let body = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    Outgoing {
        headers: in_session(session),
        body: body.to_string().into_bytes(),
    }
}

/// A request within a session.
#[must_use]
pub fn legacy(session: &str, method: &str, params: &Value) -> Outgoing {
    Outgoing {
        headers: in_session(session),
        body: request(method, params),
    }
}

fn in_session(session: &str) -> Vec<(&'static str, String)> {
    vec![
        ("mcp-protocol-version", LEGACY.to_owned()),
        ("mcp-session-id", session.to_owned()),
    ]
}

fn request(method: &str, params: &Value) -> Vec<u8> {
    // SPEC: MCP 2025-11-25 basic: an id MUST NOT have been used before in the session.
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
        .to_string()
        .into_bytes()
}

fn client_info() -> Value {
    json!({ "name": "portreeve-demo", "version": env!("CARGO_PKG_VERSION") })
}
