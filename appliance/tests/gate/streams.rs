//! Event streams: what reaches the client of them, and how they end.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, Upstream, body_of, json_response, modern_call, modern_headers};

/// A response that is an event stream with these blocks and ends after them.
fn stream(blocks: &[&str]) -> Vec<u8> {
    let body: String = blocks.iter().map(|block| format!("{block}\n\n")).collect();
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn message_of(request: &[u8]) -> Value {
    serde_json::from_slice(body_of(request)).unwrap_or(Value::Null)
}

/// Everything the gate answers to one request, up to the end of its stream, and whether that end is a proper one.
fn ask(gate: &Gate, headers: &str, body: &[u8]) -> (String, bool) {
    let head = format!(
        "POST /town/mcp HTTP/1.1\r\nhost: {}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n",
        gate.address,
        body.len()
    );
    let mut connection = gate.connect();
    connection.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    let whole = answer.ends_with(b"\r\n0\r\n\r\n");
    (String::from_utf8(answer).unwrap(), whole)
}

fn identities() -> String {
    let issuer = Issuer::new();
    let (agent, user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    format!(
        "authorization: Bearer {agent}\r\nx-ai-user-assertion: {user}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n"
    )
}

fn modern(method: &str) -> String {
    let issuer = Issuer::new();
    let user = issuer.user("ada", "clerk-bot", &["clerks"]);
    let headers = modern_headers(&issuer.agent("clerk-bot"), &user, method, "read");
    match method {
        "subscriptions/listen" => headers.replace("mcp-name: read\r\n", ""),
        _ => headers,
    }
}

/// The errors in a stream, as (id, message).
fn errors(answer: &str) -> Vec<(i64, String)> {
    let data = answer.lines().filter_map(|line| line.strip_prefix("data: "));
    let messages = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    messages
        .filter_map(|message| {
            let text = message["error"]["message"].as_str()?.to_owned();
            Some((message["id"].as_i64()?, text))
        })
        .collect()
}

fn outcomes(gate: &mut Gate) -> Vec<Value> {
    assert!(gate.stop().success());
    let mut records = gate.audit();
    records.retain(|record| record["kind"] == "outcome");
    records
}

/// Results of a stream that answers one modern call: the errors, whether it ended properly, and the outcome.
fn modern_stream(blocks: &'static [&'static str]) -> (String, Vec<(i64, String)>, bool, Value) {
    let upstream = Upstream::with(move |_| stream(blocks));
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let (answer, whole) = ask(&gate, &modern("tools/call"), &modern_call(7, "read", &json!({})));
    let outcome = outcomes(&mut gate).remove(0);
    (answer.clone(), errors(&answer), whole, outcome)
}

const PROGRESS: &str =
    r#"data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#;

#[test]
fn a_response_that_cannot_be_read_becomes_an_error_for_its_request() {
    const TWICE: &str =
        r#"data: {"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[],"content":[]}}"#;
    let (answer, errors, whole, outcome) = modern_stream(&[PROGRESS, TWICE]);
    assert!(answer.contains("notifications/progress"), "{answer}");
    assert_eq!(errors, [(7, "the server's answer cannot be passed on".to_owned())]);
    assert!(whole, "{answer}");
    assert_eq!(
        (&outcome["result"], &outcome["dropped"]),
        (&"unusable".into(), &1.into())
    );
}

#[test]
fn a_response_of_no_known_type_ends_the_stream_with_an_error_at_once() {
    const PARTIAL: &str = r#"data: {"jsonrpc":"2.0","id":7,"result":{"resultType":"partial","content":[]}}"#;
    let (answer, errors, whole, outcome) = modern_stream(&[PARTIAL, PROGRESS]);
    assert_eq!(errors, [(7, "the server's answer cannot be passed on".to_owned())]);
    assert!(whole && !answer.contains("notifications/progress"), "{answer}");
    assert_eq!(outcome["result"], "unusable");
}

#[test]
fn a_stream_that_ends_without_its_response_does_not_end_in_silence() {
    let (answer, errors, whole, outcome) = modern_stream(&[PROGRESS]);
    assert_eq!(
        errors,
        [(7, "the server did not answer; the call may have run".to_owned())]
    );
    assert!(whole, "{answer}");
    assert_eq!(outcome["result"], "ambiguous");
}

/// Answers one legacy call, in a session, with a stream of these blocks.
fn legacy_stream(blocks: &'static [&'static str]) -> (String, bool) {
    let upstream = Upstream::with(move |request| {
        let message = message_of(request);
        if message["method"] == "initialize" {
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}});
            return json_response(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
        }
        stream(blocks)
    });
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let open = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let opened = gate.post(&identities(), open.to_string().as_bytes());
    let session = opened.header("mcp-session-id").unwrap();
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "read"}});
    let headers = format!("{}mcp-session-id: {session}\r\n", identities());
    ask(&gate, &headers, call.to_string().as_bytes())
}

#[test]
fn a_legacy_client_gets_an_error_where_there_is_nothing_to_resume() {
    for blocks in [
        &[r#"data: {"jsonrpc":"2.0","id":7,"result":{"content":[],"content":[]}}"#] as &'static [&'static str],
        &["id: 1\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"content\":[],\"content\":[]}}"],
        &[PROGRESS],
    ] {
        let (answer, whole) = legacy_stream(blocks);
        assert_eq!(errors(&answer).len(), 1, "{blocks:?}: {answer}");
        assert!(whole, "{answer}");
    }
}

#[test]
fn a_legacy_stream_that_can_be_resumed_may_end_before_its_response() {
    let (answer, whole) = legacy_stream(&["id: 1\ndata: ", PROGRESS]);
    assert!(errors(&answer).is_empty() && whole, "{answer}");
}

#[test]
fn a_listener_hears_of_its_own_tasks_and_of_no_other() {
    let upstream = Upstream::with(|request| {
        let message = message_of(request);
        if message["method"] == "tools/call" {
            let result = json!({"resultType": "task", "taskId": "t-own", "status": "working"});
            return json_response(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
        }
        let note = |params: Value| {
            let note = json!({"jsonrpc": "2.0", "method": "notifications/tasks", "params": params});
            format!("data: {note}")
        };
        let of = |task: &str| note(json!({"taskId": task, "status": "completed"}));
        stream(&[&of("t-own"), &of("t-foreign"), &note(json!({"status": "completed"}))])
    });
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let made = gate.post(&modern("tools/call"), &modern_call(1, "read", &json!({})));
    assert_eq!(made.json()["result"]["taskId"], "t-own");
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
    });
    let listen = json!({"jsonrpc": "2.0", "id": 2, "method": "subscriptions/listen",
        "params": {"notifications": {"taskIds": ["t-own", "t-foreign"]}, "_meta": meta}});
    let (answer, _) = ask(&gate, &modern("subscriptions/listen"), listen.to_string().as_bytes());
    assert!(answer.contains("t-own") && !answer.contains("t-foreign"), "{answer}");
    assert_eq!(answer.matches("notifications/tasks").count(), 1, "{answer}");
    let listened = outcomes(&mut gate)
        .into_iter()
        .find(|outcome| outcome["method"] == "subscriptions/listen");
    assert_eq!(listened.unwrap()["dropped"], 2);
}

#[test]
fn a_call_that_names_no_task_hears_of_none() {
    const FOREIGN: &str =
        r#"data: {"jsonrpc":"2.0","method":"notifications/tasks","params":{"taskId":"t","status":"working"}}"#;
    const DONE: &str = r#"data: {"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[]}}"#;
    let (answer, errors, whole, outcome) = modern_stream(&[FOREIGN, DONE]);
    assert!(
        !answer.contains("notifications/tasks") && errors.is_empty() && whole,
        "{answer}"
    );
    assert_eq!((&outcome["result"], &outcome["dropped"]), (&"ok".into(), &1.into()));
}
