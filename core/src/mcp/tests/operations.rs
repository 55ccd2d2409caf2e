//! What is recognised: every method in every era, and what policy reads of it.

use super::*;
use proptest::prelude::*;

/// Method, parameters, name header, and whether the legacy and the modern era have it.
const METHODS: &[(&str, &str, &str, bool, bool)] = &[
    ("initialize", r#""protocolVersion":"2025-11-25","#, "", true, false),
    ("ping", "", "", true, false),
    ("server/discover", "", "", false, true),
    ("tools/list", r#""cursor":"","#, "", true, true),
    ("tools/call", r#""name":"n","#, "n", true, true),
    ("prompts/list", "", "", true, true),
    ("prompts/get", r#""name":"n","#, "n", true, true),
    ("resources/list", "", "", true, true),
    ("resources/templates/list", "", "", true, true),
    ("resources/read", r#""uri":"u:/","#, "u:/", true, true),
    ("resources/subscribe", r#""uri":"u:/","#, "", true, false),
    ("resources/unsubscribe", r#""uri":"u:/","#, "", true, false),
    ("resources/directory/read", r#""uri":"u:/","#, "u:/", false, true),
    ("skills/list", "", "", false, true),
    ("skills/get", r#""uri":"u:/","#, "u:/", false, true),
    (
        "completion/complete",
        r#""ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":""},"#,
        "",
        true,
        true,
    ),
    ("logging/setLevel", r#""level":"debug","#, "", true, false),
    ("subscriptions/listen", r#""notifications":{},"#, "", false, true),
    ("tasks/get", r#""taskId":"t","#, "t", true, true),
    ("tasks/update", r#""taskId":"t","#, "t", false, true),
    ("tasks/cancel", r#""taskId":"t","#, "t", true, true),
    ("tasks/result", r#""taskId":"t","#, "", true, false),
    ("tasks/list", "", "", true, false),
    ("sampling/createMessage", "", "", false, false),
    ("roots/list", "", "", false, false),
    ("elicitation/create", "", "", false, false),
    ("notifications/initialized", "", "", false, false),
    ("Tools/call", "", "", false, false),
    ("tools/call ", "", "", false, false),
    ("", "", "", false, false),
];

fn operation<R>(headers: &[(&str, &str)], body: &str, look: impl FnOnce(Operation<'_>) -> R) -> R {
    with(headers, body, |outcome| match outcome.expect(body).kind {
        Kind::Request { operation, .. } => look(operation),
        other => panic!("{other:?}"),
    })
}

#[test]
fn every_method_is_known_in_exactly_the_eras_that_have_it() {
    for &(method, params, name, in_legacy, in_modern) in METHODS {
        let members = format!("{{{}}}", params.trim_end_matches(','));
        let legacy = (vec![], legacy_body(method, &members), in_legacy);
        let modern = (modern_headers(method, name), modern_body(method, params), in_modern);
        for (headers, body, known) in [legacy, modern] {
            operation(&headers, &body, |operation| {
                assert_eq!(!matches!(operation, Operation::Unknown { .. }), known, "{body}");
                assert_eq!(operation.method(), method);
                assert_eq!(
                    operation.name().unwrap_or_default(),
                    if known { name } else { "" },
                    "{body}"
                );
            });
        }
    }
}

#[test]
fn a_tool_call_gives_policy_its_name_and_arguments() {
    let params = r#""name":"städte","arguments":{"a":1.50},"task":{},"inputResponses":{},"#;
    let headers = modern_headers("tools/call", "=?base64?c3TDpGR0ZQ==?=");
    operation(
        &headers,
        &modern_body("tools/call", params),
        |operation| match operation {
            Operation::ToolsCall(call) => {
                assert_eq!((call.name, call.task, call.retry), ("städte", false, true));
                assert_eq!(call.arguments.unwrap().raw(), br#"{"a":1.50}"#);
            }
            other => panic!("{other:?}"),
        },
    );
    let legacy = legacy_body("tools/call", r#"{"name":"n","task":{"ttl":1},"requestState":"s"}"#);
    operation(&[], &legacy, |operation| match operation {
        Operation::ToolsCall(call) => {
            assert_eq!((call.task, call.retry), (true, false));
            assert!(call.arguments.is_none());
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn an_empty_cursor_is_a_cursor_and_null_is_none() {
    for (params, cursor) in [
        (r#"{"cursor":""}"#, Some("")),
        (r#"{"cursor":null}"#, None),
        ("{}", None),
    ] {
        operation(&[], &legacy_body("tools/list", params), |operation| match operation {
            Operation::ToolsList { cursor: read } => assert_eq!(read, cursor),
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn a_completion_names_the_prompt_or_template_that_it_discloses() {
    let body = legacy_body(
        "completion/complete",
        r#"{"ref":{"type":"ref/resource","uri":"f:/{x}"},"argument":{"name":"x","value":"v"},"context":{"arguments":{"y":"z"}}}"#,
    );
    operation(&[], &body, |operation| match operation {
        Operation::Complete(completion) => {
            assert_eq!(completion.reference, Reference::Resource("f:/{x}"));
            assert_eq!((completion.argument, completion.value), ("x", "v"));
            assert_eq!(completion.arguments.unwrap().raw(), br#"{"y":"z"}"#);
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_subscription_lists_what_must_be_authorised_one_by_one() {
    let params = r#""notifications":{"toolsListChanged":true,"resourceSubscriptions":["a","b"],"taskIds":["t"]},"#;
    let headers = modern_headers("subscriptions/listen", "");
    operation(
        &headers,
        &modern_body("subscriptions/listen", params),
        |operation| match operation {
            Operation::Listen(listen) => {
                assert_eq!((listen.tools, listen.prompts, listen.resources), (true, false, false));
                let uris: Vec<_> = listen.uris.unwrap().iter().filter_map(Value::as_str).collect();
                assert_eq!((uris, listen.task_ids.unwrap().len()), (vec!["a", "b"], 1));
            }
            other => panic!("{other:?}"),
        },
    );
}

proptest! {
    #[test]
    fn any_name_survives_the_header_encoding(name in "\\PC{1,40}|[ -~]{1,20}|\\s{1,3}") {
        let (mut header, mut text) = (Vec::new(), Vec::new());
        encode_header(&mut header, &name);
        json::write::string(&mut text, &name);
        let header = String::from_utf8(header).unwrap();
        prop_assert_eq!(header.trim(), &header);
        let body = modern_body("tools/call", &format!("\"name\":{},", String::from_utf8(text).unwrap()));
        prop_assert_eq!(refusal(&modern_headers("tools/call", &header), &body), None);
    }

    #[test]
    fn arbitrary_headers_and_methods_never_panic(
        version in "\\PC{0,12}", method in "\\PC{0,12}", name in "\\PC{0,12}", params in any::<Vec<u8>>(),
    ) {
        let headers = [("mcp-protocol-version", &*version), ("mcp-method", &method), ("mcp-name", &name)];
        let mut text = Vec::new();
        json::write::string(&mut text, &method);
        let method = String::from_utf8(text).unwrap();
        let params = String::from_utf8_lossy(&params);
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":{method},"params":{params}}}"#);
        refusal(&headers, &body);
        refusal(&headers, &params);
    }
}
