//! What is refused: envelopes, ids, headers, parameters, notifications and responses.

use super::*;
use crate::limits::MCP_ID_BYTES;
use crate::limits::MCP_NAME_BYTES;

#[test]
fn refuses_envelopes_that_some_server_reads_otherwise() {
    for (body, code, id) in [
        ("[]", code::INVALID_REQUEST, None),
        (
            r#"[{"jsonrpc":"2.0","id":7,"method":"ping"}]"#,
            code::INVALID_REQUEST,
            None,
        ),
        ("1", code::INVALID_REQUEST, None),
        (r#"{"id":7,"method":"ping"}"#, code::INVALID_REQUEST, SEVEN),
        (
            r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
            code::INVALID_REQUEST,
            SEVEN,
        ),
        (
            r#"{"jsonrpc":2.0,"id":7,"method":"ping"}"#,
            code::INVALID_REQUEST,
            SEVEN,
        ),
        (r#"{"jsonrpc":"2.0","id":7}"#, code::INVALID_REQUEST, SEVEN),
        (r#"{"jsonrpc":"2.0","id":7,"method":1}"#, code::INVALID_REQUEST, SEVEN),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}"#,
            code::INVALID_REQUEST,
            SEVEN,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","Method":"x"}"#,
            code::INVALID_REQUEST,
            SEVEN,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","extra":1}"#,
            code::INVALID_REQUEST,
            SEVEN,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{}}"#,
            code::INVALID_REQUEST,
            SEVEN,
        ),
        (r#"{"jsonrpc":"2.0","result":{}}"#, code::INVALID_REQUEST, None),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}"#,
            code::INVALID_PARAMS,
            SEVEN,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","method":"x"}"#,
            code::INVALID_REQUEST,
            None,
        ),
        ("{", code::PARSE_ERROR, None),
        ("\u{feff}{}", code::PARSE_ERROR, None),
        ("NaN", code::PARSE_ERROR, None),
    ] {
        assert_eq!(refusal(&[], body), Some((400, code, id)), "{body}");
    }
    let long = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{}"}}"#, "m".repeat(129));
    assert_eq!(refusal(&[], &long), Some((400, code::INVALID_REQUEST, SEVEN)));
    let huge = format!("\"{}\"", "x".repeat(Limits::MESSAGE.bytes));
    assert_eq!(refusal(&[], &huge), Some((413, code::INVALID_REQUEST, None)));
}

#[test]
fn ids_are_bounded_strings_or_exact_integers_and_keep_their_type() {
    let body = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    let longest = format!("\"{}\"", "i".repeat(MCP_ID_BYTES));
    for id in [
        "\"\"",
        "\"7\"",
        "0",
        "7",
        "-1",
        "9007199254740991",
        "-9007199254740991",
        &longest,
    ] {
        with(&[], &body(id), |outcome| match outcome.unwrap().kind {
            Kind::Request { id: read, .. } => {
                let mut out = Vec::new();
                read.write(&mut out);
                assert_eq!(String::from_utf8(out).unwrap(), id);
                assert_eq!(OwnedId::from(read).as_id(), read);
            }
            other => panic!("{other:?}"),
        });
    }
    let too_long = format!("\"{}\"", "i".repeat(MCP_ID_BYTES + 1));
    let refused = [
        "null",
        "true",
        "{}",
        "[1]",
        "1.5",
        "1.0",
        "-0",
        "1e0",
        "9007199254740992",
        "9007199254740993",
    ];
    for id in refused.into_iter().chain(["-9007199254740992", &too_long]) {
        assert_eq!(
            refusal(&[], &body(id)),
            Some((400, code::INVALID_REQUEST, None)),
            "{id}"
        );
    }
    assert_ne!(OwnedId::Integer(7), OwnedId::Text("7".into()));
}

#[test]
fn refuses_a_method_header_that_is_missing_or_differs_even_in_case() {
    let body = modern_body("tools/list", "");
    for headers in [
        vec![],
        vec![("mcp-method", "prompts/list")],
        vec![("mcp-method", "TOOLS/LIST")],
    ] {
        let headers = [vec![("mcp-protocol-version", VERSION)], headers].concat();
        assert_eq!(refusal(&headers, &body), Some((400, code::HEADER_MISMATCH, SEVEN)));
    }
    for name in ["mcp-method", "MCP-METHOD", "Mcp-Method"] {
        assert_eq!(
            refusal(&[("MCP-Protocol-Version", VERSION), (name, "tools/list")], &body),
            None
        );
    }
}

#[test]
fn refuses_a_name_header_that_is_missing_differs_or_is_malformed() {
    for (method, member, value) in [
        ("tools/call", "name", "echo"),
        ("prompts/get", "name", "echo"),
        ("resources/read", "uri", "echo"),
        ("tasks/get", "taskId", "echo"),
        ("tasks/update", "taskId", "echo"),
        ("tasks/cancel", "taskId", "echo"),
    ] {
        let body = modern_body(method, &format!("\"{member}\":\"{value}\","));
        for good in ["echo", "=?base64?ZWNobw==?="] {
            assert_eq!(refusal(&modern_headers(method, good), &body), None, "{method} {good}");
        }
        for bad in [
            "",
            "Echo",
            "echo2",
            "=?BASE64?ZWNobw==?=",
            "=?base64?ZWNobw==",
            "=?base64?ZWNobw?=",
            "=?base64?ZWNobx==?=",
            "=?base64?ZWNo!w==?=",
            "=?base64?ZWNobw==\n?=",
            "=?base64?/w==?=",
            "ech\u{f6}",
            "ec\tho",
        ] {
            let refused = refusal(&modern_headers(method, bad), &body);
            assert_eq!(refused, Some((400, code::HEADER_MISMATCH, SEVEN)), "{method} {bad}");
        }
    }
}

#[test]
fn a_name_header_where_the_extension_does_not_ask_for_one_must_still_be_true() {
    for method in ["skills/get", "resources/directory/read"] {
        let body = modern_body(method, r#""uri":"skill://a","#);
        assert_eq!(refusal(&modern_headers(method, ""), &body), None);
        assert_eq!(refusal(&modern_headers(method, "skill://a"), &body), None);
        let refused = refusal(&modern_headers(method, "skill://b"), &body);
        assert_eq!(refused, Some((400, code::HEADER_MISMATCH, SEVEN)));
    }
}

#[test]
fn unknown_param_headers_pass_unless_repeated_or_malformed() {
    let body = modern_body("tools/call", r#""name":"t","#);
    let with_params = |params: &[(&'static str, &'static str)]| {
        refusal(&[&modern_headers("tools/call", "t"), params].concat(), &body)
    };
    assert_eq!(
        with_params(&[("Mcp-Param-Region", "us west 1"), ("mcp-param-size", "42")]),
        None
    );
    assert_eq!(
        with_params(&[
            ("Mcp-Param-A", "=?base64?SGVsbG8=?="),
            ("Mcp-Param-B", "=?base64?SGVsbG8")
        ]),
        None
    );
    for bad in ["=?base64?SGVsbG8?=", "=?base64?SGVs!!!bG8=?=", "a\u{1}b", "h\u{e9}"] {
        assert_eq!(
            with_params(&[("Mcp-Param-A", bad)]),
            Some((400, code::HEADER_MISMATCH, SEVEN)),
            "{bad}"
        );
    }
    assert_eq!(
        with_params(&[("Mcp-Param-A", "1"), ("x", "y"), ("MCP-PARAM-a", "1")]),
        Some((400, code::HEADER_MISMATCH, None))
    );
}

#[test]
fn refuses_a_repeated_header_in_either_era() {
    for name in [
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
        "mcp-session-id",
        "last-event-id",
    ] {
        let upper = name.to_ascii_uppercase();
        let refused = refusal(&[(name, "a"), (&upper, "a")], &legacy_body("ping", "{}"));
        assert_eq!(refused, Some((400, code::HEADER_MISMATCH, None)), "{name}");
    }
}

#[test]
fn refuses_case_twins_of_what_decides() {
    for params in [
        r#""name":"t","Name":"u","#,
        r#""name":"t","NAME":"u","#,
        r#""name":"t","Arguments":{},"#,
        r#""name":"t","ta\u017fk":{},"#,
    ] {
        let refused = refusal(&modern_headers("tools/call", "t"), &modern_body("tools/call", params));
        assert_eq!(refused, Some((400, code::INVALID_REQUEST, SEVEN)), "{params}");
    }
    let twin = META.replace(
        "\"_meta\":{",
        "\"_meta\":{\"IO.modelcontextprotocol/protocolVersion\":\"x\",",
    );
    let body = modern_body("tools/list", "").replace(META, &twin);
    assert_eq!(
        refusal(&modern_headers("tools/list", ""), &body),
        Some((400, code::INVALID_REQUEST, SEVEN))
    );
    let inner = legacy_body(
        "completion/complete",
        r#"{"ref":{"type":"ref/prompt","name":"p","Name":"q"},"argument":{"name":"a","value":""}}"#,
    );
    assert_eq!(refusal(&[], &inner), Some((400, code::INVALID_REQUEST, SEVEN)));
    // Arguments are the tool's own, and so are their names.
    let own = legacy_body("tools/call", r#"{"name":"t","arguments":{"name":1,"Name":2}}"#);
    assert_eq!(refusal(&[], &own), None);
}

#[test]
fn refuses_parameters_that_are_missing_of_another_type_or_too_long() {
    let long = format!(r#"{{"name":"{}"}}"#, "n".repeat(MCP_NAME_BYTES + 1));
    for (method, params) in [
        ("tools/call", "{}"),
        ("tools/call", r#"{"name":""}"#),
        ("tools/call", r#"{"name":1}"#),
        ("tools/call", &long),
        ("tools/call", r#"{"name":"t","arguments":[]}"#),
        ("tools/call", r#"{"name":"t","arguments":null}"#),
        ("tools/call", r#"{"name":"t","task":1}"#),
        ("tools/call", r#"{"name":"t","_meta":1}"#),
        ("tools/list", r#"{"cursor":1}"#),
        ("prompts/get", r#"{"name":"p","arguments":1}"#),
        ("resources/read", r#"{"uri":["a"]}"#),
        ("resources/subscribe", "{}"),
        ("logging/setLevel", "{}"),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"}}"#),
        (
            "completion/complete",
            r#"{"ref":{"type":"x","name":"p"},"argument":{"name":"a","value":""}}"#,
        ),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a"}}"#,
        ),
        ("tasks/result", r#"{"taskId":1}"#),
    ] {
        let refused = refusal(&[], &legacy_body(method, params));
        assert_eq!(refused, Some((400, code::INVALID_PARAMS, SEVEN)), "{method} {params}");
    }
    for (method, params) in [
        ("subscriptions/listen", ""),
        ("subscriptions/listen", r#""notifications":{"toolsListChanged":1},"#),
        (
            "subscriptions/listen",
            r#""notifications":{"resourceSubscriptions":[1]},"#,
        ),
        ("subscriptions/listen", r#""notifications":{"taskIds":"t"},"#),
        ("tools/call", r#""name":"t","inputResponses":[],"#),
        ("tools/call", r#""name":"t","requestState":{},"#),
    ] {
        let refused = refusal(&modern_headers(method, "t"), &modern_body(method, params));
        assert_eq!(refused, Some((400, code::INVALID_PARAMS, SEVEN)), "{method} {params}");
    }
}

#[test]
fn refuses_notifications_outside_the_list_of_their_era() {
    let body = |method: &str, params: &str| format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{{params}}}}}"#);
    let modern = [("mcp-protocol-version", VERSION)];
    for (method, params, in_legacy, in_modern) in [
        ("notifications/initialized", "", true, false),
        ("notifications/cancelled", r#""requestId":1"#, true, true),
        ("notifications/progress", "", true, false),
        ("notifications/roots/list_changed", "", true, false),
        ("notifications/tasks/status", r#""taskId":"t""#, true, false),
        ("notifications/message", "", false, false),
        ("notifications/resources/updated", "", false, false),
        ("tools/call", r#""name":"t""#, false, false),
        ("notifications/whatever", "", false, false),
    ] {
        let refused = Some((400, code::INVALID_REQUEST, None));
        let body = body(method, params);
        assert_eq!(
            refusal(&[], &body),
            (!in_legacy).then(|| refused.clone()).flatten(),
            "{method}"
        );
        assert_eq!(
            refusal(&modern, &body),
            (!in_modern).then_some(refused).flatten(),
            "{method}"
        );
    }
    let cancelled = body("notifications/cancelled", r#""requestId":null"#);
    assert_eq!(refusal(&[], &cancelled), Some((400, code::INVALID_PARAMS, None)));
    let headers = [modern[0], ("mcp-method", "notifications/progress")];
    let cancelled = body("notifications/cancelled", r#""requestId":1"#);
    assert_eq!(refusal(&headers, &cancelled), Some((400, code::HEADER_MISMATCH, None)));
}

#[test]
fn refuses_modern_requests_about_tasks_from_clients_that_declare_no_tasks() {
    for (method, params, name) in [
        ("tasks/get", r#""taskId":"t","#, "t"),
        ("tasks/update", r#""taskId":"t","inputResponses":{},"#, "t"),
        ("tasks/cancel", r#""taskId":"t","#, "t"),
        ("subscriptions/listen", r#""notifications":{"taskIds":["t"]},"#, ""),
    ] {
        let headers = modern_headers(method, name);
        let declaring = modern_body(method, params);
        assert_eq!(refusal(&headers, &declaring), None, "{method}");
        for undeclared in [
            "{}",
            r#"{"io.modelcontextprotocol/tasks":true}"#,
            r#"{"IO.modelcontextprotocol/tasks":{}}"#,
        ] {
            let body = declaring.replace(r#"{"io.modelcontextprotocol/tasks":{}}"#, undeclared);
            let refused = refusal(&headers, &body);
            assert_eq!(refused, Some((400, code::MISSING_CAPABILITY, SEVEN)), "{method}");
        }
    }
    let legacy = legacy_body("tasks/get", r#"{"taskId":"t"}"#);
    assert_eq!(refusal(&[], &legacy), None);
}

#[test]
fn names_the_extension_that_a_client_must_declare() {
    let refused = McpError {
        fault: Fault::TasksNotDeclared,
        id: SEVEN,
    };
    let mut body = Vec::new();
    refused.write_body(&mut body, Version::MODERN);
    let data = r#""data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#;
    assert!(String::from_utf8(body).unwrap().contains(data));
}

#[test]
fn only_legacy_clients_answer_requests() {
    for (member, is_error) in [("result", false), ("error", true)] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":"a","{member}":{{}}}}"#);
        with(
            &[("mcp-protocol-version", "2025-11-25")],
            &body,
            |outcome| match outcome.unwrap().kind {
                Kind::Response { id, is_error: read } => assert_eq!((id, read), (MessageId::Text("a"), is_error)),
                other => panic!("{other:?}"),
            },
        );
        let refused = refusal(&[("mcp-protocol-version", VERSION)], &body);
        assert_eq!(
            refused,
            Some((400, code::INVALID_REQUEST, Some(OwnedId::Text("a".into()))))
        );
    }
}
