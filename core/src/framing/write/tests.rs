//! Promises of the writers.

use super::*;

#[test]
fn writes_a_request_head() {
    let mut out = b"before".to_vec();
    request_head(&mut out, Method::Post, "/mcp?a=b")
        .and_then(|head| head.header("host", b"up.example"))
        .map(|head| head.body(BodyLength::Fixed(1_234_567_890)))
        .map(HeadWriter::finish)
        .unwrap();
    let expected = "beforePOST /mcp?a=b HTTP/1.1\r\nhost: up.example\r\ncontent-length: 1234567890\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn writes_a_response_head() {
    let mut out = Vec::new();
    response_head(&mut out, 404).unwrap().body(BodyLength::Chunked).finish();
    assert_eq!(out, b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n");
    out.clear();
    response_head(&mut out, 299).unwrap().body(BodyLength::None).finish();
    assert_eq!(out, b"HTTP/1.1 299 \r\n\r\n");
}

#[test]
fn a_refused_header_takes_the_whole_head_back() {
    for (name, value, fault) in [
        ("x", &b"a\r\nb: c"[..], FrameError::UnwritableValue),
        ("x", b"a\nb", FrameError::UnwritableValue),
        ("x", b"a\rb", FrameError::UnwritableValue),
        ("x", b"a\0b", FrameError::UnwritableValue),
        ("x", b"a\x7f", FrameError::UnwritableValue),
        ("", b"a", FrameError::UnwritableName),
        ("x y", b"a", FrameError::UnwritableName),
        ("x\r\ny", b"a", FrameError::UnwritableName),
        ("x:", b"a", FrameError::UnwritableName),
    ] {
        let mut out = b"before".to_vec();
        let refused = response_head(&mut out, 200).unwrap().header(name, value).err();
        assert_eq!((refused, out.as_slice()), (Some(fault), &b"before"[..]));
    }
}

#[test]
fn refuses_a_start_line_that_a_server_would_misread() {
    let mut out = Vec::new();
    for target in ["", "mcp", "http://a/", "/a b", "/a\r\nx: y", "/\u{e9}", "/%zz"] {
        let refused = request_head(&mut out, Method::Get, target).err();
        assert_eq!(refused, Some(FrameError::UnwritableStartLine), "{target:?}");
    }
    assert!(request_head(&mut out, Method::Other, "/").is_err());
    assert!(response_head(&mut out, 99).is_err() && response_head(&mut out, 600).is_err());
    assert!(out.is_empty());
}

#[test]
fn an_empty_chunk_is_not_written() {
    let mut out = Vec::new();
    chunk(&mut out, b"");
    assert!(out.is_empty());
    chunk(&mut out, &[b'x'; 0x1a0]);
    assert!(out.starts_with(b"1a0\r\nxxx") && out.ends_with(b"xxx\r\n"));
}
