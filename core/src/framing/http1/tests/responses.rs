//! Response heads: what servers may not send, and where their bodies end.

use super::*;

fn parsed(head: &str, to_head: bool) -> Result<ResponseHead, FrameError> {
    match parse_response(head.as_bytes(), &HeadLimits::RESPONSE, to_head)? {
        Progress::Complete { head: parsed, consumed } => {
            assert_eq!(consumed, head.len());
            Ok(parsed)
        }
        Progress::Partial => panic!("partial: {head:?}"),
    }
}

fn body(head: &str) -> Result<BodyLength, FrameError> {
    parsed(head, false).map(|head| head.body)
}

#[test]
fn reads_what_a_server_sends() {
    let bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nmcp-session-id: s\r\n\
                 Transfer-Encoding: chunked\r\nX-Other: 1\r\n\r\n";
    let head = parsed(bytes, false).unwrap();
    assert_eq!(
        (head.status, head.body, head.keep_alive),
        (200, BodyLength::Chunked, true)
    );
    let view = head.view(bytes.as_bytes());
    assert_eq!(view.known(Known::ContentType), Some(&b"text/event-stream"[..]));
    assert_eq!(view.known(Known::SessionId), Some(&b"s"[..]));
    assert_eq!(view.header_str("x-other"), Some(&b"1"[..]));
    assert_eq!(view.headers().count(), 4);
}

#[test]
fn finds_the_end_of_the_body() {
    assert_eq!(
        body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
        Ok(BodyLength::Fixed(3))
    );
    assert_eq!(
        body("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        Ok(BodyLength::None)
    );
    assert_eq!(body("HTTP/1.1 200\r\n\r\n"), Ok(BodyLength::UntilClose));
    assert_eq!(body("HTTP/1.1 204 No Content\r\n\r\n"), Ok(BodyLength::None));
    assert_eq!(
        body("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
        Ok(BodyLength::None)
    );
    assert_eq!(body("HTTP/1.1 100 Continue\r\n\r\n"), Ok(BodyLength::None));
    let to_head = parsed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true).unwrap();
    assert_eq!(to_head.body, BodyLength::None);
}

#[test]
fn tells_interim_responses_apart() {
    assert!(parsed("HTTP/1.1 103 Early Hints\r\n\r\n", false).unwrap().is_interim());
    assert!(
        !parsed("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", false)
            .unwrap()
            .is_interim()
    );
}

#[test]
fn reuses_a_connection_only_when_its_end_is_known() {
    let keep_alive = |head: &str| parsed(head, false).unwrap().keep_alive;
    assert!(keep_alive("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"));
    assert!(!keep_alive(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: Close\r\n\r\n"
    ));
    assert!(!keep_alive("HTTP/1.1 200 OK\r\n\r\n"));
    assert!(!keep_alive(
        "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n"
    ));
}

/// One named promise per line: this head is refused for this reason.
macro_rules! refuses {
    ($($name:ident: $head:expr => $error:expr;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(body($head), Err($error));
        }
    )*};
}

refuses! {
    refuses_a_leading_crlf: "\r\nHTTP/1.1 200 OK\r\n\r\n" => FrameError::LeadingLineBreak;
    refuses_another_protocol: "SIP/2.0 200 OK\r\n\r\n" => FrameError::Version;
    refuses_a_status_below_100: "HTTP/1.1 099 X\r\n\r\n" => FrameError::Status;
    refuses_a_status_above_599: "HTTP/1.1 600 X\r\n\r\n" => FrameError::Status;
    refuses_a_status_of_two_digits: "HTTP/1.1 20 OK\r\n\r\n" => FrameError::Status;
    refuses_switching_protocols: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" => FrameError::Status;
    refuses_nul_in_the_reason: "HTTP/1.1 200 O\0K\r\n\r\n" => FrameError::Status;
    refuses_bare_lf: "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n" => FrameError::BareLineFeed;
    refuses_bare_lf_at_the_end: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n" => FrameError::BareLineFeed;
    refuses_obs_fold: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n" => FrameError::ObsoleteFold;
    refuses_space_before_colon: "HTTP/1.1 200 OK\r\nX : a\r\n\r\n" => FrameError::SpaceBeforeColon;
    refuses_two_content_lengths: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n"
        => FrameError::RepeatedHeader("content-length");
    refuses_length_with_transfer_encoding: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        => FrameError::LengthConflict;
    refuses_gzip_as_transfer_coding: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
        => FrameError::TransferCoding;
    refuses_chunks_in_http_1_0: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" => FrameError::TransferCoding;
    refuses_content_without_content: "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"
        => FrameError::UnexpectedBody;
    refuses_chunks_on_an_interim_response: "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n"
        => FrameError::UnexpectedBody;
    refuses_two_content_types: "HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n"
        => FrameError::RepeatedHeader("content-type");
    refuses_two_session_ids: "HTTP/1.1 200 OK\r\nMcp-Session-Id: a\r\nMcp-Session-Id: b\r\n\r\n"
        => FrameError::RepeatedHeader("mcp-session-id");
}

#[test]
fn refuses_a_head_over_the_limit_before_it_ends() {
    let limits = HeadLimits {
        head_bytes: 16,
        ..HeadLimits::RESPONSE
    };
    assert_eq!(
        parse_response(b"HTTP/1.1 200 OK\r", &limits, false).err(),
        Some(FrameError::HeadTooLarge)
    );
    assert!(matches!(
        parse_response(b"HTTP/1.1 200 OK", &limits, false),
        Ok(Progress::Partial)
    ));
}
