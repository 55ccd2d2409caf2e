//! Request heads: one promise per refusal, then what an accepted head says.

use super::*;

/// A well-formed POST with `$field` added before the empty line.
macro_rules! with {
    ($field:expr) => {
        concat!("POST /mcp HTTP/1.1\r\nHost: gate.example\r\n", $field, "\r\n")
    };
}

refuses! {
    refuses_a_leading_crlf: "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::LeadingLineBreak;
    refuses_a_leading_lf: "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::LeadingLineBreak;
    refuses_a_method_that_is_no_token: "G@T / HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::Method;
    refuses_an_empty_method: " / HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::Method;
    refuses_two_spaces_before_the_target: "GET  / HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::TargetCharacter;
    refuses_a_missing_version: "GET /\r\nHost: a\r\n\r\n" => FrameError::TargetCharacter;
    refuses_text_after_the_version: "GET / HTTP/1.1 \r\nHost: a\r\n\r\n" => FrameError::StartLine;
    refuses_absolute_form: "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::TargetForm;
    refuses_authority_form: "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::TargetForm;
    refuses_connect_to_a_path: "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::TargetForm;
    refuses_asterisk_form: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::TargetForm;
    refuses_a_fragment: "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::TargetCharacter;
    refuses_a_backslash_in_the_target: "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::TargetCharacter;
    refuses_non_ascii_in_the_target: "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::TargetCharacter;
    refuses_a_broken_percent_triplet: "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::TargetCharacter;
    refuses_nul_in_the_target: "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n" => FrameError::TargetCharacter;
    refuses_http_1_0: "GET / HTTP/1.0\r\nHost: a\r\n\r\n" => FrameError::Version;
    refuses_the_http_2_preface: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" => FrameError::Version;
    refuses_lower_case_version: "GET / http/1.1\r\nHost: a\r\n\r\n" => FrameError::Version;
    refuses_bare_lf_after_the_start_line: "GET / HTTP/1.1\nHost: a\r\n\r\n" => FrameError::BareLineFeed;
    refuses_bare_lf_after_a_header: "GET / HTTP/1.1\r\nHost: a\nAccept: b\r\n\r\n" => FrameError::BareLineFeed;
    refuses_bare_lf_after_the_last_header: "GET / HTTP/1.1\r\nHost: a\n\r\n" => FrameError::BareLineFeed;
    refuses_bare_lf_as_the_empty_line: "GET / HTTP/1.1\r\nHost: a\r\n\n" => FrameError::BareLineFeed;
    refuses_bare_lf_after_an_empty_value: "GET / HTTP/1.1\r\nHost: a\r\nX:\nY: 1\r\n\r\n" => FrameError::BareLineFeed;
    refuses_bare_lf_everywhere: "GET / HTTP/1.1\nHost: a\n\n" => FrameError::BareLineFeed;
    refuses_bare_cr_in_a_value: with!("X: a\rb\r\n") => FrameError::HeaderValue;
    refuses_bare_cr_at_a_line_start: with!("\rX: a\r\n") => FrameError::StartLine;
    refuses_nul_in_a_value: with!("X: a\0b\r\n") => FrameError::HeaderValue;
    refuses_del_in_a_value: with!("X: a\x7fb\r\n") => FrameError::HeaderValue;
    refuses_nul_in_a_name: with!("X\0: a\r\n") => FrameError::HeaderName;
    refuses_obs_fold: with!("X: a\r\n b\r\n") => FrameError::ObsoleteFold;
    refuses_obs_fold_with_tab: with!("X: a\r\n\tb\r\n") => FrameError::ObsoleteFold;
    refuses_a_space_before_the_first_header: "GET / HTTP/1.1\r\n Host: a\r\n\r\n" => FrameError::ObsoleteFold;
    refuses_space_before_colon: with!("X : a\r\n") => FrameError::SpaceBeforeColon;
    refuses_tab_before_colon: with!("X\t: a\r\n") => FrameError::SpaceBeforeColon;
    refuses_an_empty_header_name: with!(": a\r\n") => FrameError::HeaderName;
    refuses_a_header_without_colon: with!("X\r\n") => FrameError::HeaderName;
    refuses_non_ascii_in_a_name: with!("X\u{e9}: a\r\n") => FrameError::HeaderName;

    refuses_a_missing_host: "GET / HTTP/1.1\r\nAccept: a\r\n\r\n" => FrameError::MissingHost;
    refuses_an_empty_host: "GET / HTTP/1.1\r\nHost:\r\n\r\n" => FrameError::Host;
    refuses_two_hosts: with!("host: gate.example\r\n") => FrameError::RepeatedHeader("host");
    refuses_a_host_list: "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n" => FrameError::Host;
    refuses_user_information_in_host: "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n" => FrameError::Host;
    refuses_a_path_in_host: "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" => FrameError::Host;
    refuses_an_empty_port: "GET / HTTP/1.1\r\nHost: a:\r\n\r\n" => FrameError::Host;
    refuses_a_port_that_is_no_number: "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n" => FrameError::Host;
    refuses_a_port_without_host: "GET / HTTP/1.1\r\nHost: :80\r\n\r\n" => FrameError::Host;
    refuses_an_open_address_bracket: "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n" => FrameError::Host;
    refuses_text_after_an_address: "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n" => FrameError::Host;

    refuses_two_authorizations: with!("Authorization: A\r\nauthorization: A\r\n")
        => FrameError::RepeatedHeader("authorization");
    refuses_two_user_assertions: with!("X-AI-User-Assertion: A\r\nx-ai-user-assertion: B\r\n")
        => FrameError::RepeatedHeader("x-ai-user-assertion");
    refuses_two_dpop_proofs: with!("DPoP: A\r\nDPoP: B\r\n") => FrameError::RepeatedHeader("dpop");
    refuses_two_origins: with!("Origin: A\r\nOrigin: B\r\n") => FrameError::RepeatedHeader("origin");
    refuses_two_content_types: with!("Content-Type: A\r\nContent-Type: B\r\n")
        => FrameError::RepeatedHeader("content-type");
    refuses_two_content_encodings: with!("Content-Encoding: A\r\nContent-Encoding: B\r\n")
        => FrameError::RepeatedHeader("content-encoding");
    refuses_two_protocol_versions: with!("MCP-Protocol-Version: A\r\nMcp-Protocol-Version: B\r\n")
        => FrameError::RepeatedHeader("mcp-protocol-version");
    refuses_two_mcp_methods: with!("Mcp-Method: A\r\nMcp-Method: A\r\n") => FrameError::RepeatedHeader("mcp-method");
    refuses_two_mcp_names: with!("Mcp-Name: A\r\nMcp-Name: B\r\n") => FrameError::RepeatedHeader("mcp-name");
    refuses_two_session_ids: with!("Mcp-Session-Id: A\r\nMcp-Session-Id: B\r\n")
        => FrameError::RepeatedHeader("mcp-session-id");
    refuses_two_last_event_ids: with!("Last-Event-ID: A\r\nLast-Event-ID: B\r\n")
        => FrameError::RepeatedHeader("last-event-id");
    refuses_two_equal_mcp_params: with!("Mcp-Param-City: A\r\nX: 1\r\nmcp-param-CITY: A\r\n")
        => FrameError::RepeatedHeader("mcp-*");
    refuses_an_underscore_twin_of_a_credential: with!("X_AI_User_Assertion: A\r\n") => FrameError::ShadowHeader;
    refuses_a_dotted_twin_of_a_credential: with!("X.AI.User.Assertion: A\r\n") => FrameError::ShadowHeader;
    refuses_an_underscore_twin_of_an_mcp_header: with!("Mcp_Param_City: A\r\n") => FrameError::ShadowHeader;
    refuses_an_underscore_twin_of_a_length: with!("Content_Length: 5\r\n") => FrameError::ShadowHeader;

    refuses_length_with_transfer_encoding: with!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")
        => FrameError::LengthConflict;
    refuses_transfer_encoding_with_length: with!("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")
        => FrameError::LengthConflict;
    refuses_two_content_lengths: with!("Content-Length: 5\r\nContent-Length: 5\r\n")
        => FrameError::RepeatedHeader("content-length");
    refuses_differing_content_lengths: with!("Content-Length: 5\r\nContent-Length: 6\r\n")
        => FrameError::RepeatedHeader("content-length");
    refuses_a_content_length_list: with!("Content-Length: 5, 5\r\n") => FrameError::ContentLength;
    refuses_a_signed_content_length: with!("Content-Length: +5\r\n") => FrameError::ContentLength;
    refuses_a_negative_content_length: with!("Content-Length: -5\r\n") => FrameError::ContentLength;
    refuses_an_empty_content_length: with!("Content-Length:\r\n") => FrameError::ContentLength;
    refuses_an_octal_looking_content_length: with!("Content-Length: 010\r\n") => FrameError::ContentLength;
    refuses_a_hexadecimal_content_length: with!("Content-Length: 0x5\r\n") => FrameError::ContentLength;
    refuses_an_overflowing_content_length: with!("Content-Length: 18446744073709551616\r\n")
        => FrameError::ContentLength;
    refuses_tab_before_content_length: with!("Content-Length:\t5\r\n") => FrameError::ContentLength;
    refuses_space_after_content_length: with!("Content-Length: 5 \r\n") => FrameError::ContentLength;
    refuses_a_declared_body_over_the_limit: with!("Content-Length: 4194305\r\n") => FrameError::BodyTooLarge;
    refuses_chunked_twice: with!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")
        => FrameError::RepeatedHeader("transfer-encoding");
    refuses_a_chunked_list: with!("Transfer-Encoding: chunked, chunked\r\n") => FrameError::TransferCoding;
    refuses_identity_then_chunked: with!("Transfer-Encoding: identity, chunked\r\n") => FrameError::TransferCoding;
    refuses_gzip_as_transfer_coding: with!("Transfer-Encoding: gzip\r\n") => FrameError::TransferCoding;
    refuses_tab_before_chunked: with!("Transfer-Encoding:\tchunked\r\n") => FrameError::TransferCoding;
    refuses_two_spaces_before_chunked: with!("Transfer-Encoding:  chunked\r\n") => FrameError::TransferCoding;
    refuses_space_after_chunked: with!("Transfer-Encoding: chunked \r\n") => FrameError::TransferCoding;
    refuses_a_body_on_get: "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n" => FrameError::UnexpectedBody;
    refuses_a_chunked_body_on_delete: "DELETE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        => FrameError::UnexpectedBody;

    refuses_a_connection_option_naming_a_credential: with!("Connection: authorization\r\n")
        => FrameError::ConnectionOption;
    refuses_a_hop_by_hop_credential_beside_close: with!("Connection: close, X-AI-User-Assertion\r\n")
        => FrameError::ConnectionOption;
    refuses_a_hop_by_hop_credential_in_a_second_field: with!("Connection: close\r\nConnection: dpop\r\n")
        => FrameError::ConnectionOption;
    refuses_an_upgrade_to_h2c: with!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n")
        => FrameError::Upgrade;
    refuses_an_upgrade_without_connection_option: with!("Upgrade: websocket\r\n") => FrameError::Upgrade;
    refuses_an_unknown_expectation: with!("Expect: 200-ok\r\n") => FrameError::Expectation;
    refuses_two_expectations: with!("Expect: 100-continue\r\nExpect: 100-continue\r\n")
        => FrameError::RepeatedHeader("expect");
}

#[test]
fn refuses_one_header_more_than_the_limit() {
    let head = |fields: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(fields - 1));
    accepted(&head(64));
    assert_eq!(
        refusal(head(65).as_bytes(), &HeadLimits::REQUEST),
        Some(FrameError::TooManyHeaders)
    );
}

#[test]
fn refuses_a_head_over_the_limit_before_it_ends() {
    let limits = HeadLimits {
        head_bytes: 64,
        ..HeadLimits::REQUEST
    };
    let exact = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(64 - 32));
    assert_eq!(exact.len(), 64);
    assert_eq!(refusal(exact.as_bytes(), &limits), None);
    let longer = exact.replace("X: ", "X: x");
    assert_eq!(refusal(longer.as_bytes(), &limits), Some(FrameError::HeadTooLarge));
    assert_eq!(
        parse_request(&longer.as_bytes()[..64], &limits).err(),
        Some(FrameError::HeadTooLarge)
    );
}

#[test]
fn refuses_a_target_over_the_limit() {
    let head = |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(bytes - 1));
    accepted(&head(4096));
    assert_eq!(
        refusal(head(4097).as_bytes(), &HeadLimits::REQUEST),
        Some(FrameError::TargetTooLong)
    );
    let endless = [b'/'; 40_000];
    let request = [b"GET ", endless.as_slice()].concat();
    assert_eq!(
        parse_request(&request, &HeadLimits::REQUEST).err(),
        Some(FrameError::TargetTooLong)
    );
}

#[test]
fn limits_above_the_ceiling_count_as_the_ceiling() {
    let all = usize::MAX;
    let limits = HeadLimits {
        head_bytes: all,
        headers: all,
        ..HeadLimits::REQUEST
    };
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(32 * 1024));
    assert_eq!(
        parse_request(long.as_bytes(), &limits).err(),
        Some(FrameError::HeadTooLarge)
    );
}

#[test]
fn reads_what_an_agent_sends() {
    let (head, bytes) = accepted(
        "POST /files/mcp?x=%41&y HTTP/1.1\r\nhost: gate.example:8443\r\nauthorization: Bearer a.b.c\r\n\
         x-ai-user-assertion: d.e.f\r\nAccept: application/json\r\nAccept: text/event-stream\r\n\
         mcp-param-City: \t Lyon \r\nX-Empty:\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n",
    );
    assert_eq!((head.method, head.body), (Method::Post, BodyLength::Fixed(2)));
    assert!(head.keep_alive && head.expect_continue);
    let mut grown = bytes.to_vec();
    grown.extend_from_slice(b"{}GET /next");
    let view = head.view(&grown);
    assert_eq!((view.path(), view.query()), ("/files/mcp", Some("x=%41&y")));
    assert_eq!(view.target(), "/files/mcp?x=%41&y");
    assert_eq!(view.host(), "gate.example:8443");
    assert_eq!(view.known(Known::Authorization), Some(&b"Bearer a.b.c"[..]));
    assert_eq!(view.known(Known::UserAssertion), Some(&b"d.e.f"[..]));
    assert_eq!(view.known(Known::Dpop), None);
    let accepts: Vec<_> = view.known_all(Known::Accept).collect();
    assert_eq!(accepts, [&b"application/json"[..], b"text/event-stream"]);
    assert_eq!(view.header_str("MCP-PARAM-CITY"), Some(&b"Lyon"[..]));
    assert_eq!(view.header_str("x-empty"), Some(&b""[..]));
    assert_eq!(view.header_str("x-absent"), None);
    assert_eq!(view.headers().count(), 9);
    assert_eq!(view.headers().nth(5), Some(("mcp-param-City", &b"Lyon"[..])));
}

#[test]
fn tells_methods_apart_by_their_exact_case() {
    let method = |name: &str| accepted(&format!("{name} / HTTP/1.1\r\nHost: a\r\n\r\n")).0.method;
    for known in [Method::Get, Method::Post, Method::Delete, Method::Options, Method::Head] {
        assert_eq!(method(known.name().unwrap()), known);
    }
    assert_eq!(method("get"), Method::Other);
    assert_eq!(method("PATCH"), Method::Other);
}

#[test]
fn finds_the_end_of_the_body() {
    let body = |field: &str| accepted(&format!("POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n")).0.body;
    assert_eq!(body(""), BodyLength::None);
    assert_eq!(body("Content-Length: 0\r\n"), BodyLength::None);
    assert_eq!(body("content-length:4194304\r\n"), BodyLength::Fixed(4_194_304));
    assert_eq!(body("Transfer-Encoding: Chunked\r\n"), BodyLength::Chunked);
}

#[test]
fn closes_only_when_asked() {
    let keep_alive = |value: &str| {
        accepted(&format!("GET / HTTP/1.1\r\nHost: a\r\n{value}\r\n"))
            .0
            .keep_alive
    };
    assert!(keep_alive(""));
    assert!(keep_alive("Connection: keep-alive\r\n"));
    assert!(keep_alive("Connection: TE\r\nTE: trailers\r\n"));
    assert!(!keep_alive("Connection: keep-alive, CLOSE\r\n"));
    assert!(!keep_alive("Connection: keep-alive\r\nConnection: close\r\n"));
}

#[test]
fn waits_for_continue_only_with_a_body() {
    let (head, _) = accepted("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
    assert!(!head.expect_continue);
}

#[test]
fn accepts_every_form_of_host() {
    for host in [
        "a",
        "a-b.example",
        "127.0.0.1:8080",
        "[::1]",
        "[::ffff:1.2.3.4]:65535",
        "_srv.local",
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let (head, bytes) = accepted(&text);
        assert_eq!(head.view(bytes).host(), host);
    }
}

#[test]
fn leaves_unreserved_names_alone() {
    let (head, bytes) = accepted("GET / HTTP/1.1\r\nHost: a\r\nX_Custom: 1\r\nX_Custom: 2\r\n\r\n");
    assert_eq!(head.view(bytes).header_str("x_custom"), Some(&b"1"[..]));
}

#[test]
fn leaves_pipelined_bytes_unread() {
    let first = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let both = format!("{first}\0 anything");
    let outcome = parse_request(both.as_bytes(), &HeadLimits::REQUEST);
    assert!(matches!(outcome, Ok(Progress::Complete { consumed, .. }) if consumed == first.len()));
}

#[test]
fn a_view_of_other_bytes_is_harmless() {
    let (head, _) = accepted("GET /path HTTP/1.1\r\nHost: a\r\n\r\n");
    let view = head.view(b"\xff\xff\xff\xff\xff\xff\xff");
    assert_eq!((view.path(), view.host(), view.query()), ("", "", None));
    assert_eq!(view.known(Known::Host), Some(&b""[..]));
}

#[test]
fn every_refusal_has_a_client_status() {
    assert_eq!(FrameError::BareLineFeed.status(), 400);
    assert_eq!(FrameError::BodyTooLarge.status(), 413);
    assert_eq!(FrameError::TargetTooLong.status(), 414);
    assert_eq!(FrameError::Expectation.status(), 417);
    assert_eq!(FrameError::HeadTooLarge.status(), 431);
    assert_eq!(FrameError::TooManyHeaders.status(), 431);
    assert_eq!(FrameError::TransferCoding.status(), 501);
    assert_eq!(FrameError::Version.status(), 505);
}

#[test]
fn refusals_name_no_bytes_of_the_message() {
    assert_eq!(
        FrameError::RepeatedHeader("host").to_string(),
        "header host is repeated"
    );
    assert_eq!(
        FrameError::LengthConflict.to_string(),
        "content-length together with transfer-encoding"
    );
}
