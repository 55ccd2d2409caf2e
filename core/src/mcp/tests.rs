//! Promises of the MCP reader: the era ladder, the agreement of headers and body, every method, every refusal.

mod operations;
mod refusals;

use super::*;
use crate::json;
use crate::json::Limits;
use crate::json::Scratch;

const VERSION: &str = "2026-07-28";
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#;

/// Reads `body` with `headers` and hands the outcome to `look`.
fn with<R>(headers: &[(&str, &str)], body: &str, look: impl FnOnce(Result<Message<'_>, McpError>) -> R) -> R {
    let mut scratch = Scratch::new();
    let fields = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    let headers = match McpHeaders::read(fields) {
        Ok(headers) => headers,
        Err(refused) => return look(Err(refused)),
    };
    match json::parse(body.as_bytes(), &mut scratch, &Limits::MESSAGE) {
        Ok(document) => look(parse(&headers, document.root())),
        Err(refused) => look(Err(refused.into())),
    }
}

/// The headers of a modern request, `name` left out when empty.
fn modern_headers<'h>(method: &'h str, name: &'h str) -> Vec<(&'h str, &'h str)> {
    let mut headers = vec![("mcp-protocol-version", VERSION), ("mcp-method", method)];
    headers.extend((!name.is_empty()).then_some(("mcp-name", name)));
    headers
}

/// A modern request; `params` are members, each followed by a comma.
fn modern_body(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{{params}{META}}}}}"#)
}

/// A legacy request with `params` as they are.
fn legacy_body(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#)
}

/// Status, code and id with which the message is refused.
fn refusal(headers: &[(&str, &str)], body: &str) -> Option<(u16, i64, Option<OwnedId>)> {
    with(headers, body, |outcome| {
        let refused = outcome.err()?;
        Some((refused.http_status(), refused.code(), refused.id))
    })
}

const SEVEN: Option<OwnedId> = Some(OwnedId::Integer(7));

#[test]
fn a_modern_request_is_recognised_by_body_and_header_together() {
    with(
        &modern_headers("tools/list", ""),
        &modern_body("tools/list", ""),
        |outcome| {
            let message = outcome.unwrap();
            assert_eq!(
                (message.era, message.version),
                (Era::Modern, Some(Version::V2026_07_28))
            );
            assert!(message.meta.is_some());
        },
    );
}

#[test]
fn a_request_without_any_modern_claim_is_legacy_with_or_without_a_version_header() {
    for version in [
        None,
        Some("2024-11-05"),
        Some("2025-03-26"),
        Some("2025-06-18"),
        Some("2025-11-25"),
    ] {
        let headers: Vec<_> = version
            .map(|version| ("MCP-Protocol-Version", version))
            .into_iter()
            .collect();
        with(&headers, &legacy_body("tools/list", "{}"), |outcome| {
            let message = outcome.unwrap();
            assert_eq!(message.era, Era::Legacy);
            assert_eq!(message.version.map(Version::as_str), version);
        });
    }
}

#[test]
fn refuses_era_claims_that_disagree() {
    let method = ("mcp-method", "tools/list");
    let modern = modern_body("tools/list", "");
    // Modern body, header legacy or absent.
    for headers in [
        vec![("mcp-protocol-version", "2025-11-25"), method],
        vec![method],
        vec![],
    ] {
        assert_eq!(refusal(&headers, &modern), Some((400, code::HEADER_MISMATCH, SEVEN)));
    }
    // Modern header, body without the metadata.
    let bare = legacy_body("tools/list", "{}");
    assert_eq!(
        refusal(&modern_headers("tools/list", ""), &bare),
        Some((400, code::INVALID_PARAMS, SEVEN))
    );
    // Unknown revision in the header of a message that is legacy otherwise.
    for unknown in ["2025-01-01", "1", "", "2025-11-25 "] {
        assert_eq!(
            refusal(&[("mcp-protocol-version", unknown)], &bare),
            Some((400, code::INVALID_REQUEST, SEVEN)),
            "{unknown}"
        );
    }
}

#[test]
fn missing_metadata_goes_before_a_wrong_header_and_a_wrong_header_before_an_unknown_version() {
    let body = |meta: &str| legacy_body("server/discover", &format!("{{\"_meta\":{{{meta}}}}}"));
    let version = |name: &str| format!("\"{META_VERSION}\":\"{name}\"");
    let capabilities = format!("\"{META_CAPABILITIES}\":{{}}");
    let discover = ("mcp-method", "server/discover");
    for meta in [
        String::new(),
        version(VERSION),
        capabilities.clone(),
        format!("\"{META_VERSION}\":1,{capabilities}"),
    ] {
        for header in [VERSION, "v999.0.0"] {
            let refused = refusal(&[("mcp-protocol-version", header), discover], &body(&meta));
            assert_eq!(refused, Some((400, code::INVALID_PARAMS, SEVEN)), "{meta} {header}");
        }
    }
    let bogus = body(&format!("{},{capabilities}", version("v999.0.0")));
    assert_eq!(
        refusal(&[("mcp-protocol-version", VERSION), discover], &bogus),
        Some((400, code::HEADER_MISMATCH, SEVEN))
    );
    // The version is judged before the method header.
    assert_eq!(
        refusal(&[("mcp-protocol-version", "v999.0.0"), ("mcp-method", "x")], &bogus),
        Some((400, code::UNSUPPORTED_VERSION, SEVEN))
    );
    let legacy = body(&format!("{},{capabilities}", version("2025-11-25")));
    assert_eq!(
        refusal(&[("mcp-protocol-version", "2025-11-25"), discover], &legacy),
        Some((400, code::UNSUPPORTED_VERSION, SEVEN))
    );
}

#[test]
fn an_unknown_version_is_answered_with_what_is_served_and_what_was_asked_for() {
    let body = modern_body("server/discover", "").replace(VERSION, "v999.0.0");
    with(&[("mcp-protocol-version", "v999.0.0")], &body, |outcome| {
        let mut out = Vec::new();
        outcome.unwrap_err().write_body(&mut out, Version::MODERN);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32022,"message":"the protocol version is not supported","data":{"supported":["2026-07-28"],"requested":"v999.0.0"}}}"#
        );
    });
    let long = "é".repeat(500);
    assert_eq!(
        Fault::version_not_served(&long),
        Fault::VersionNotServed {
            requested: "é".repeat(32).into()
        }
    );
}

#[test]
fn initialize_with_modern_metadata_is_an_unknown_method() {
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
    ] {
        with(
            &modern_headers(method, ""),
            &modern_body(method, ""),
            |outcome| match outcome.unwrap().kind {
                Kind::Request {
                    operation: Operation::Unknown { method: name },
                    ..
                } => assert_eq!(name, method),
                other => panic!("{method}: {other:?}"),
            },
        );
    }
}

#[test]
fn initialize_never_offers_the_server_a_modern_or_unknown_revision() {
    for (asked, requested, offered) in [
        ("2025-06-18", Some(Version::V2025_06_18), Version::V2025_06_18),
        ("2026-07-28", Some(Version::V2026_07_28), Version::V2025_11_25),
        ("2031-01-01", None, Version::V2025_11_25),
    ] {
        let params = format!(r#"{{"protocolVersion": "{asked}" ,"capabilities":{{}},"clientInfo":{{"name":"c"}}}}"#);
        with(&[], &legacy_body("initialize", &params), |outcome| {
            match outcome.unwrap().kind {
                Kind::Request {
                    operation: Operation::Initialize(initialize),
                    ..
                } => {
                    assert_eq!((initialize.requested, initialize.offered()), (requested, offered));
                    assert_eq!(initialize.version.raw(), format!("\"{asked}\"").as_bytes());
                    assert!(initialize.capabilities.is_some() && initialize.client_info.is_some());
                }
                other => panic!("{other:?}"),
            }
        });
    }
    let modern = ("mcp-protocol-version", VERSION);
    let body = legacy_body("initialize", r#"{"protocolVersion":"2025-11-25"}"#);
    assert_eq!(refusal(&[modern], &body), Some((400, code::INVALID_PARAMS, SEVEN)));
    assert_eq!(
        refusal(&[], &legacy_body("initialize", "{}")),
        Some((400, code::INVALID_PARAMS, SEVEN))
    );
}

#[test]
fn values_that_a_header_cannot_carry_are_wrapped_and_others_are_not() {
    for (value, encoded) in [
        ("echo", "echo"),
        ("us west 1", "us west 1"),
        ("", ""),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("=?BASE64?x?=", "=?BASE64?x?="),
    ] {
        let mut out = Vec::new();
        encode_header(&mut out, value);
        assert_eq!(String::from_utf8(out).unwrap(), encoded);
        if !value.is_empty() {
            let mut name = Vec::new();
            json::write::string(&mut name, value);
            let body = modern_body("tools/call", &format!("\"name\":{},", String::from_utf8(name).unwrap()));
            assert_eq!(refusal(&modern_headers("tools/call", encoded), &body), None, "{value}");
        }
    }
}

#[test]
fn an_error_body_carries_the_id_in_its_type_or_none() {
    let body = |id: Option<MessageId<'_>>| {
        let mut out = Vec::new();
        error_body(&mut out, id, code::DENIED, "no", Some(b"[1]"));
        String::from_utf8(out).unwrap()
    };
    let tail = r#""error":{"code":-31403,"message":"no","data":[1]}}"#;
    assert_eq!(
        body(Some(MessageId::Text("7"))),
        format!(r#"{{"jsonrpc":"2.0","id":"7",{tail}"#)
    );
    assert_eq!(
        body(Some(MessageId::Integer(7))),
        format!(r#"{{"jsonrpc":"2.0","id":7,{tail}"#)
    );
    assert_eq!(body(None), format!(r#"{{"jsonrpc":"2.0",{tail}"#));
    assert!(!(-32768..=-32000).contains(&code::DENIED));
}
