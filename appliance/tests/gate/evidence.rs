//! What the audit says about requests that end in no ordinary way.

use std::io::Write;
use std::sync::{Mutex, mpsc};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, Upstream, modern_call, modern_headers};

fn headers() -> String {
    let issuer = Issuer::new();
    let user = issuer.user("ada", "clerk-bot", &["clerks"]);
    modern_headers(&issuer.agent("clerk-bot"), &user, "tools/call", "read")
}

fn of_kind<'r>(audit: &'r [Value], kind: &str) -> Vec<&'r Value> {
    audit.iter().filter(|record| record["kind"] == kind).collect()
}

#[test]
fn a_call_that_is_cut_when_the_gate_stops_has_its_outcome_in_the_audit() {
    let (arrive, arrived) = mpsc::channel::<()>();
    let (never, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let upstream = Upstream::with(move |_| {
        arrive.send(()).unwrap();
        // Until the test ends.
        let _gone = released.lock().unwrap().recv();
        Vec::new()
    });
    let short = "[limits]\ndrain_timeout = \"1s\"";
    let mut gate = Gate::start_with(&upstream, PERMIT_CLERKS, &Issuer::new().jwks(), short);
    let body = modern_call(1, "read", &json!({}));
    let head = format!(
        "POST /town/mcp HTTP/1.1\r\nhost: {}\r\n{}content-length: {}\r\n\r\n",
        gate.address,
        headers(),
        body.len()
    );
    let mut stream = gate.connect();
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    arrived.recv().unwrap();
    assert!(gate.stop().success());
    drop(never);

    let audit = gate.audit();
    let (intents, outcomes) = (of_kind(&audit, "intent"), of_kind(&audit, "outcome"));
    assert_eq!((intents.len(), outcomes.len()), (1, 1), "{audit:#?}");
    assert_eq!(outcomes[0]["result"], "gate_stopped");
    assert_eq!(intents[0]["request"], outcomes[0]["request"]);
}

#[test]
fn bytes_that_are_no_request_leave_a_refusal_and_nothing_of_themselves() {
    let upstream = Upstream::obliging();
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let host = gate.address;
    let long = "x".repeat(5_000);
    let torn = [
        ("frame_start_line", 400, "sesame\r\n\r\n".to_owned()),
        (
            "frame_header",
            400,
            format!("GET / HTTP/1.1\r\nhost: {host}\r\nsesame\u{1}: a\r\n\r\n"),
        ),
        (
            "frame_too_large",
            413,
            format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: 999999999\r\n\r\n"),
        ),
        (
            "frame_too_large",
            414,
            format!("GET /sesame{long} HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        ),
        (
            "frame_too_large",
            431,
            format!("GET / HTTP/1.1\r\nhost: {host}\r\n{}\r\n", "a: sesame\r\n".repeat(100)),
        ),
        (
            "frame_unsupported",
            501,
            format!("POST / HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: gzip, chunked\r\n\r\n"),
        ),
    ];
    let mut expected = Vec::new();
    for (reason, status, bytes) in torn {
        assert_eq!(gate.raw(bytes.as_bytes()).status, status, "{reason}: {bytes}");
        expected.push((reason.to_owned(), u64::from(status)));
    }
    assert!(gate.stop().success());

    let audit = gate.audit();
    let mut found: Vec<(String, u64)> = of_kind(&audit, "refusal")
        .into_iter()
        .map(|record| {
            assert_eq!(record["peer"], "127.0.0.1");
            (
                record["reason"].as_str().unwrap().to_owned(),
                record["status"].as_u64().unwrap(),
            )
        })
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let log = std::fs::read_to_string(gate.folder.path().join("stderr.log")).unwrap();
    assert!(!format!("{:?}{log}", gate.audit()).contains("sesame"));
}

/// `text` with every character written as a JSON escape.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("\\u{byte:04x}")).collect()
}

#[test]
fn a_callers_own_token_is_found_in_its_message_however_it_is_escaped() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let (agent, user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    let headers = modern_headers(&agent, &user, "tools/call", "read");
    let last = |token: &str| token.replace('-', "\\u002d").replace('_', "\\u005f");
    for (smuggled, value) in [
        (format!("{{\"note\":\"{}\"}}", escaped(&agent)), "a value"),
        (
            format!("{{\"note\":[\"x{}x\"]}}", last(&user)),
            "only what may be written both ways",
        ),
        (format!("{{\"{}\":1}}", escaped(&user)), "a name"),
    ] {
        let body = String::from_utf8(modern_call(1, "read", &json!("arguments"))).unwrap();
        let body = body.replace("\"arguments\":\"arguments\"", &format!("\"arguments\":{smuggled}"));
        assert_eq!(gate.post(&headers, body.as_bytes()).status, 400, "{value}");
    }
    let coded = format!("{headers}mcp-param-note: =?base64?{}?=\r\n", STANDARD.encode(&user));
    assert_eq!(
        gate.post(&coded, &modern_call(1, "read", &json!({}))).status,
        400,
        "a coded header"
    );
    assert_eq!(upstream.count(), 0);
    let harmless = modern_call(1, "read", &json!({"note": "a\"quote\n"}));
    assert_eq!(gate.post(&headers, &harmless).status, 200, "other escapes pass");
    assert!(gate.stop().success());
    let reasons = gate.audit();
    let reasons = of_kind(&reasons, "refusal");
    assert!(
        reasons.iter().all(|record| record["reason"] == "credential_in_body"),
        "{reasons:#?}"
    );
}
