//! Inputs on which real MCP servers disagree: the gate refuses each, and the server behind it sees nothing.

use std::io::{Read, Write};

use serde_json::json;

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, Upstream, modern_call, modern_headers, read_response};

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

/// What a hazard changes of an otherwise good `tools/call` of `read`.
struct Hazard {
    name: &'static str,
    /// Replaces header lines: from, to.
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
    statuses: &'static [u16],
}

fn call(name: &'static str, statuses: &'static [u16], body: impl Into<Vec<u8>>) -> Hazard {
    Hazard {
        name,
        headers: &[],
        body: body.into(),
        statuses,
    }
}

fn header(name: &'static str, statuses: &'static [u16], headers: &'static [(&'static str, &'static str)]) -> Hazard {
    Hazard {
        name,
        headers,
        body: modern_call(1, "read", &json!({})),
        statuses,
    }
}

/// A message whose `params` members and top-level members are written out.
fn message(top: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"tools/call",{top}"params":{{{params}{META}}}}}"#)
}

fn with_id(id: &str) -> String {
    message(&format!(r#""id":{id},"#), r#""name":"read","#)
}

fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
    text.encode_utf16()
        .flat_map(|unit| {
            if big_endian {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        })
        .collect()
}

#[expect(clippy::too_many_lines, reason = "one table, a line for each hazard")]
fn hazards() -> Vec<Hazard> {
    const BAD: &[u16] = &[400];
    const MEDIA: &[u16] = &[415];
    let good = with_id("1");
    let nested = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    let mut hazards = vec![
        call(
            "duplicate params.name",
            BAD,
            message(r#""id":1,"#, r#""name":"read","name":"drop","#),
        ),
        call(
            "duplicate name after unescaping",
            BAD,
            message(r#""id":1,"#, r#""name":"read","na\u006de":"drop","#),
        ),
        call(
            "duplicate method",
            BAD,
            message(r#""id":1,"method":"tools/list","#, r#""name":"read","#),
        ),
        call(
            "duplicate params",
            BAD,
            good.replacen('{', r#"{"params":{"name":"drop"},"#, 1),
        ),
        call(
            "duplicate deep in arguments",
            BAD,
            message(r#""id":1,"#, r#""name":"read","arguments":{"a":[{"b":1,"b":2}]},"#),
        ),
        call(
            "case twin of a known member",
            BAD,
            message(r#""id":1,"#, r#""name":"read","Name":"drop","#),
        ),
        call(
            "NUL in a member name",
            BAD,
            message(r#""id":1,"#, r#""name":"read","name\u0000":"drop","#),
        ),
        call("id null", BAD, with_id("null")),
        call("id true", BAD, with_id("true")),
        call("id object", BAD, with_id("{}")),
        call("id 1.5", BAD, with_id("1.5")),
        call("id 1.0", BAD, with_id("1.0")),
        call("id 2^53+1", BAD, with_id("9007199254740993")),
        call("id 2^64+1", BAD, with_id("18446744073709551617")),
        call("duplicate id", BAD, message(r#""id":1,"id":2,"#, r#""name":"read","#)),
        call(
            "request with a result",
            BAD,
            message(r#""id":1,"result":{},"#, r#""name":"read","#),
        ),
        call("batch", BAD, format!("[{good}]")),
        call("byte order mark", BAD, format!("\u{feff}{good}")),
        call("UTF-16 LE", BAD, utf16(&good, false)),
        call("UTF-16 BE", BAD, utf16(&good, true)),
        call(
            "invalid UTF-8 in a string",
            BAD,
            [good.as_bytes()[..good.len() - 1].to_vec(), b",\"x\":\"\xff\"}".to_vec()].concat(),
        ),
        call(
            "invalid UTF-8 in a name",
            BAD,
            replace(&good, b"\"read\"", b"\"re\xc3\x28ad\""),
        ),
        call(
            "lone surrogate",
            BAD,
            message(r#""id":1,"#, r#""name":"read","arguments":{"a":"\ud800"},"#),
        ),
        call(
            "NaN",
            BAD,
            message(r#""id":1,"#, r#""name":"read","arguments":{"a":NaN},"#),
        ),
        call(
            "nesting 2000",
            BAD,
            message(r#""id":1,"#, &format!(r#""name":"read","arguments":{{"a":{nested}}},"#)),
        ),
        call("trailing data", BAD, format!("{good}{{}}")),
        call("comment", BAD, format!("/* read */{good}")),
        call("trailing comma", BAD, good.replace("}}", "},}")),
        call("notification tools/call", BAD, message("", r#""name":"read","#)),
        call(
            "posted response in the modern era",
            BAD,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        ),
        header(
            "UTF-16 with its charset",
            MEDIA,
            &[("application/json\r\n", "application/json; charset=utf-16\r\n")],
        ),
        header(
            "charset=utf-7",
            MEDIA,
            &[(
                "content-type: application/json\r\n",
                "content-type: application/json; charset=utf-7\r\n",
            )],
        ),
        header(
            "charset=iso-8859-1",
            MEDIA,
            &[(
                "content-type: application/json\r\n",
                "content-type: application/json; charset=iso-8859-1\r\n",
            )],
        ),
        header(
            "gzip",
            MEDIA,
            &[("content-type:", "content-encoding: gzip\r\ncontent-type:")],
        ),
        header(
            "text/plain",
            MEDIA,
            &[("content-type: application/json\r\n", "content-type: text/plain\r\n")],
        ),
        header("no content type", MEDIA, &[("content-type: application/json\r\n", "")]),
        header(
            "two Mcp-Name",
            BAD,
            &[("mcp-name: read\r\n", "mcp-name: read\r\nmcp-name: drop\r\n")],
        ),
        header(
            "two versions",
            BAD,
            &[(
                "mcp-protocol-version: 2026-07-28\r\n",
                "mcp-protocol-version: 2026-07-28\r\nmcp-protocol-version: 2025-11-25\r\n",
            )],
        ),
        header(
            "two session ids",
            BAD,
            &[("mcp-name", "mcp-session-id: a\r\nmcp-session-id: b\r\nmcp-name")],
        ),
        header(
            "two authorizations",
            BAD,
            &[("content-type:", "authorization: Bearer a.b.c\r\ncontent-type:")],
        ),
        header(
            "underscore twin of the assertion",
            BAD,
            &[("content-type:", "x_ai_user_assertion: a\r\ncontent-type:")],
        ),
        header("Mcp-Name of another tool", BAD, &[("mcp-name: read", "mcp-name: drop")]),
        header(
            "Mcp-Method of another method",
            BAD,
            &[("mcp-method: tools/call", "mcp-method: tools/list")],
        ),
        header("legacy header, modern body", BAD, &[("2026-07-28", "2025-11-25")]),
        header(
            "broken sentinel",
            BAD,
            &[("mcp-name: read", "mcp-name: =?base64?cmVhZA?=")],
        ),
    ];
    hazards.push(call(
        "5 MiB",
        &[413],
        message(
            r#""id":1,"#,
            &format!(r#""name":"read","arguments":{{"a":"{}"}},"#, "x".repeat(5 << 20)),
        ),
    ));
    hazards
}

fn replace(text: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = text
        .as_bytes()
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    [&text.as_bytes()[..at], to, &text.as_bytes()[at + from.len()..]].concat()
}

#[test]
fn every_hazard_is_refused_and_the_server_sees_nothing() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let (agent, user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    let good = modern_headers(&agent, &user, "tools/call", "read");

    let mut wrong = Vec::new();
    for hazard in hazards() {
        let headers = hazard.headers.iter().fold(good.clone(), |text, (from, to)| {
            assert!(
                text.contains(from),
                "{}: {from} is not there to be replaced",
                hazard.name
            );
            text.replacen(from, to, 1)
        });
        let response = gate.post(&headers, &hazard.body);
        if !hazard.statuses.contains(&response.status) {
            wrong.push(format!(
                "{}: {} {}",
                hazard.name,
                response.status,
                String::from_utf8_lossy(&response.body)
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(upstream.count(), 0, "a refused request reached the server");

    let response = gate.post(&good, &modern_call(1, "read", &json!({})));
    assert_eq!(
        (response.status, upstream.count()),
        (200, 1),
        "the unharmed request passes: {response:?}"
    );
}

#[test]
fn only_the_exact_path_leads_to_a_server() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let headers = modern_headers(
        &issuer.agent("clerk-bot"),
        &issuer.user("ada", "clerk-bot", &["clerks"]),
        "tools/call",
        "read",
    );
    let body = modern_call(1, "read", &json!({}));
    for path in [
        "/town/MCP",
        "/town/mcp/",
        "/town/%6dcp",
        "/town//mcp",
        "/town/./mcp",
        "/TOWN/mcp",
        "/upstream",
        "/",
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\n{headers}content-length: {}\r\n\r\n",
            gate.address,
            body.len()
        );
        let response = gate.raw(&[head.as_bytes(), &body].concat());
        assert_eq!(response.status, 404, "{path}: {response:?}");
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_head_gets_no_body_that_could_pass_for_the_next_response() {
    let gate = Gate::start(&Upstream::obliging(), PERMIT_CLERKS);
    let mut stream = gate.connect();
    let ask = |method: &str| {
        format!(
            "{method} /.well-known/jwks.json HTTP/1.1\r\nhost: {}\r\n\r\n",
            gate.address
        )
    };
    stream.write_all(ask("HEAD").as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 405"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    stream.write_all(ask("GET").as_bytes()).unwrap();
    let next = read_response(&mut stream);
    assert_eq!(next.status, 200, "{next:?}");
    assert!(next.json()["keys"].as_array().is_some_and(|keys| !keys.is_empty()));
}

#[test]
fn a_foreign_host_or_origin_is_refused_before_anybody_is_known() {
    let upstream = Upstream::obliging();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    for (host, origin) in [("evil.example", ""), ("gate.test", "origin: https://evil.example\r\n")] {
        let request = format!("POST /town/mcp HTTP/1.1\r\nhost: {host}\r\n{origin}content-length: 0\r\n\r\n");
        assert_eq!(gate.raw(request.as_bytes()).status, 403, "{host} {origin}");
    }
}

#[test]
fn two_members_that_only_a_case_folding_server_confuses_are_refused_in_both_eras() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let (agent, user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    let headers = format!(
        "authorization: Bearer {agent}\r\nx-ai-user-assertion: {user}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n"
    );
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","Method":"tools/call","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    assert_eq!(gate.post(&headers, body.as_bytes()).status, 400);
    assert_eq!(upstream.count(), 0);
}
