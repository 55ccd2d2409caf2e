//! No byte of an inbound credential reaches the server, the log or the audit, whatever became of the request.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, Upstream, modern_call, modern_headers};

#[test]
fn no_inbound_credential_byte_reaches_server_log_or_audit() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let (agent, user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    let stranger = issuer.user("eve", "other-bot", &[]);
    let headers = |user: &str| modern_headers(&agent, user, "tools/call", "read");
    let call = |arguments| modern_call(1, "read", &arguments);

    let passed = gate.post(&headers(&user), &call(json!({"page": 1})));
    assert_eq!(passed.status, 200);
    let unlinked = gate.post(&headers(&stranger), &call(json!({})));
    assert_eq!(unlinked.status, 401);
    let smuggled = [
        gate.post(&headers(&user), &call(json!({"note": agent}))),
        gate.post(&headers(&user), &call(json!({"deep": [{"note": format!("x{user}x")}]}))),
        gate.post(
            &format!("{}mcp-param-note: {user}\r\n", headers(&user)),
            &call(json!({})),
        ),
        gate.post(
            &format!("{}cookie: {agent}\r\nforwarded: {user}\r\n", headers(&user)),
            &call(json!({})),
        ),
    ];
    assert_eq!(
        smuggled.map(|response| response.status),
        [400, 400, 400, 200],
        "the last is stripped, not refused"
    );
    let torn = format!(
        "POST /town/mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {agent}\r\n bad: {user}\r\n\r\n",
        gate.address
    );
    assert_eq!(gate.raw(torn.as_bytes()).status, 400);
    let query = format!(
        "GET /town/mcp?access_token={agent} HTTP/1.1\r\nhost: {}\r\n\r\n",
        gate.address
    );
    assert_eq!(gate.raw(query.as_bytes()).status, 401);

    assert!(gate.stop().success());
    let audit = serde_json::Value::from(gate.audit()).to_string();
    assert!(audit.contains("intent") && audit.contains("refusal"), "{audit}");
    assert_eq!(upstream.count(), 2);
    let sent = upstream.seen().concat();
    // The search for the tokens, as in every test.
    drop(gate);
    assert!(
        !String::from_utf8_lossy(&sent)
            .to_ascii_lowercase()
            .contains("x-ai-user-assertion")
    );
}

/// A gate that was sent one agent's token, and that token.
fn sent(upstream: &Upstream) -> (Gate, String) {
    let (gate, token) = (Gate::start(upstream, PERMIT_CLERKS), Issuer::new().agent("clerk-bot"));
    let refused = gate.post(&format!("authorization: Bearer {token}\r\n"), b"{}");
    assert_eq!(refused.status, 401);
    (gate, token)
}

#[test]
#[should_panic(expected = "state/audit/planted.jsonl holds a part of a credential")]
fn a_token_in_a_file_of_the_gate_fails_the_test_that_sent_it() {
    let (gate, token) = sent(&Upstream::obliging());
    fs::write(gate.folder.path().join("state/audit/planted.jsonl"), token).unwrap();
}

#[test]
#[should_panic(expected = "a request to a server holds a part of a credential")]
fn a_token_that_reaches_the_server_fails_the_test_that_sent_it() {
    let upstream = Upstream::obliging();
    let (_gate, token) = sent(&upstream);
    let mut straight = TcpStream::connect(upstream.address).unwrap();
    straight
        .write_all(format!("GET / HTTP/1.1\r\nauthorization: Bearer {token}\r\n\r\n").as_bytes())
        .unwrap();
    // Once it answers, it has seen the request.
    straight.read_exact(&mut [0]).unwrap();
}

#[test]
fn the_server_sees_one_token_for_one_server_and_one_tool_with_the_whole_chain() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let headers = modern_headers(
        &issuer.agent("clerk-bot"),
        &issuer.user("ada", "clerk-bot", &["clerks"]),
        "tools/call",
        "read",
    );
    assert_eq!(gate.post(&headers, &modern_call(1, "read", &json!({}))).status, 200);

    let request = String::from_utf8(upstream.seen().concat()).unwrap();
    let token = request
        .lines()
        .find_map(|line| line.strip_prefix("authorization: Bearer "))
        .unwrap();
    let claims = crate::kit::claims(token);
    assert_eq!(claims["iss"], crate::kit::AUDIENCE);
    assert_eq!(claims["aud"], format!("http://{}/upstream", upstream.address));
    assert_eq!(claims["scope"], "mcp:tool:read");
    assert_eq!(claims["act"]["sub"], "clerk-bot");
    assert_eq!(claims["sub_id"]["sub"], "ada");
    assert!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap() <= 60);
    assert!(request.starts_with("POST /upstream HTTP/1.1\r\n"));
    assert!(
        request.ends_with(std::str::from_utf8(&modern_call(1, "read", &json!({}))).unwrap()),
        "the checked bytes"
    );
}
