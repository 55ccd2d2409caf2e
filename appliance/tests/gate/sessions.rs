//! Legacy sessions: the gate's own ids, bound to who opened them, reachable from every core.

use serde_json::{Value, json};

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, Response, Upstream, body_of};

const ROUNDS: usize = 12;

/// A legacy server with one session, `upstream-session`, that answers lists with two tools.
fn server() -> Upstream {
    Upstream::with(|request| {
        let message: Value = serde_json::from_slice(body_of(request)).unwrap_or(Value::Null);
        let result = match message["method"].as_str() {
            Some("initialize") => {
                json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}})
            }
            Some("tools/list") => json!({"tools": [
                {"name": "read", "inputSchema": {"type": "object"}},
                {"name": "drop", "inputSchema": {"type": "object"}},
            ]}),
            Some("tools/call") => json!({"content": [{"type": "text", "text": "done"}]}),
            _ => return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_vec(),
        };
        let body = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: upstream-session\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    })
}

struct Client<'g> {
    gate: &'g Gate,
    identities: String,
    session: Option<String>,
}

impl<'g> Client<'g> {
    fn new(gate: &'g Gate, agent: &str, user: &str) -> Self {
        let issuer = Issuer::new();
        let identities = format!(
            "authorization: Bearer {}\r\nx-ai-user-assertion: {}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n",
            issuer.agent(agent),
            issuer.user(user, agent, &["clerks"])
        );
        Self {
            gate,
            identities,
            session: None,
        }
    }

    fn send(&self, message: &Value) -> Response {
        let session = self
            .session
            .as_ref()
            .map(|id| format!("mcp-session-id: {id}\r\nmcp-protocol-version: 2025-11-25\r\n"));
        self.gate.post(
            &format!("{}{}", self.identities, session.unwrap_or_default()),
            message.to_string().as_bytes(),
        )
    }

    fn open(&mut self, version: &str) -> Response {
        let response = self.send(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}));
        self.session = response.header("mcp-session-id").map(str::to_owned);
        response
    }
}

fn call(tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool}})
}

#[test]
fn a_session_is_reached_from_every_core_and_its_upstream_id_stays_inside() {
    let upstream = server();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let mut client = Client::new(&gate, "clerk-bot", "ada");
    let opened = client.open("2025-11-25");
    assert_eq!(opened.status, 200, "{opened:?}");
    assert_eq!(opened.json()["result"]["protocolVersion"], "2025-11-25");
    assert_ne!(client.session.as_deref(), Some("upstream-session"));
    // Every call is a new connection, and the kernel spreads them over both shards.
    for _ in 0..ROUNDS {
        assert_eq!(
            client.send(&call("read")).json()["result"]["content"][0]["text"],
            "done"
        );
    }
    let last = String::from_utf8(upstream.seen().pop().unwrap()).unwrap();
    assert!(last.contains("mcp-session-id: upstream-session\r\n"), "{last}");
    assert!(last.contains("mcp-protocol-version: 2025-11-25\r\n"), "{last}");
}

#[test]
fn a_session_of_somebody_else_is_answered_like_one_that_never_was() {
    let upstream = server();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let mut owner = Client::new(&gate, "clerk-bot", "ada");
    owner.open("2025-11-25");
    for (agent, user) in [("clerk-bot", "bob"), ("other-bot", "ada")] {
        let mut thief = Client::new(&gate, agent, user);
        thief.session = owner.session.clone();
        let stolen = thief.send(&call("read"));
        thief.session = Some("00".repeat(17));
        let unknown = thief.send(&call("read"));
        assert_eq!(
            (stolen.status, &stolen.body),
            (404, &unknown.body),
            "{agent} for {user}"
        );
    }
    assert_eq!(owner.send(&call("read")).status, 200, "the owner still has it");
}

#[test]
fn a_refreshed_token_keeps_its_session() {
    let upstream = server();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let mut client = Client::new(&gate, "clerk-bot", "ada");
    client.open("2025-11-25");
    let issuer = Issuer::new();
    let mut claims = crate::kit::claims(&issuer.agent("clerk-bot"));
    claims["jti"] = "another".into();
    let identities = client
        .identities
        .replacen(&issuer.agent("clerk-bot"), &issuer.sign(&claims), 1);
    client.identities = identities;
    assert_eq!(client.send(&call("read")).status, 200);
}

#[test]
fn a_modern_version_in_the_handshake_is_clamped_before_the_server_sees_it() {
    let upstream = server();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    Client::new(&gate, "clerk-bot", "ada").open("2026-07-28");
    let sent = String::from_utf8(upstream.seen().concat()).unwrap();
    assert!(sent.contains("2025-11-25") && !sent.contains("2026-07-28"), "{sent}");
}

#[test]
fn an_ended_session_is_gone_and_one_is_needed() {
    let upstream = server();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let mut client = Client::new(&gate, "clerk-bot", "ada");
    assert_eq!(client.send(&call("read")).status, 400, "no session, no call");
    client.open("2025-11-25");
    let session = client.session.clone().unwrap();
    let delete = format!(
        "DELETE /town/mcp HTTP/1.1\r\nhost: {}\r\n{}mcp-session-id: {session}\r\n\r\n",
        gate.address, client.identities
    );
    assert_eq!(gate.raw(delete.as_bytes()).status, 200);
    assert_eq!(client.send(&call("read")).status, 404);
}

#[test]
fn lists_show_only_what_may_be_called_and_a_hidden_tool_is_denied_all_the_same() {
    let upstream = server();
    let gate = Gate::start(
        &upstream,
        r#"@id("read") permit(principal, action == Action::"town/read", resource);"#,
    );
    let mut client = Client::new(&gate, "clerk-bot", "ada");
    client.open("2025-11-25");
    let listed = client.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
    let names: Vec<Value> = listed.json()["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].clone())
        .collect();
    assert_eq!(names, ["read"]);
    let before = upstream.count();
    let denied = client.send(&call("drop"));
    assert_eq!((denied.status, denied.code()), (200, Some(-31403)));
    assert_eq!(upstream.count(), before);
    assert_eq!(client.send(&call("read")).status, 200, "the session survives a denial");
}

#[test]
fn an_answer_nobody_asked_for_is_taken_and_not_forwarded() {
    let upstream = server();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let mut client = Client::new(&gate, "clerk-bot", "ada");
    client.open("2025-11-25");
    let before = upstream.count();
    let response = client.send(&json!({"jsonrpc": "2.0", "id": 99, "result": {"action": "accept"}}));
    assert_eq!(response.status, 202);
    assert_eq!(upstream.count(), before);
}
