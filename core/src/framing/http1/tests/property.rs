//! Properties: cutting the bytes anywhere changes nothing, and what is written is read back.

use proptest::prelude::*;

use super::*;
use crate::framing::write;
use crate::fuzzing;

/// Lines that are mostly right, so that generated heads get past the first check.
const LINES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /mcp?a=b HTTP/1.1\r\n",
    "HTTP/1.1 200 OK\r\n",
    "Host: a\r\n",
    "Authorization: Bearer x\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Mcp-Param-X: 1\r\n",
    "X_Y: \t\r\n",
    "Z:\n",
    " fold\r\n",
    "N : 1\r\n",
    "\r\n",
    "\n",
    "\0",
    "\u{e9}",
];

fn heads() -> impl Strategy<Value = Vec<u8>> {
    let tail = prop::collection::vec(prop::sample::select(LINES), 0..8);
    let start = prop::sample::select(&LINES[..4]);
    (start, tail, any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(
        |(start, lines, at, byte, spoil)| {
            let mut head = [start, &lines.concat(), "\r\n"].concat().into_bytes();
            let at = at.index(head.len());
            if spoil {
                head[at] = byte;
            }
            head
        },
    )
}

proptest! {
    #[test]
    fn a_request_is_judged_the_same_however_it_is_cut(head in heads(), limit in 1_usize..200) {
        let limits = HeadLimits { head_bytes: limit, headers: 4, target_bytes: 8, ..HeadLimits::REQUEST };
        refusal(&head, &limits);
        refusal(&head, &HeadLimits::REQUEST);
    }

    #[test]
    fn hyper_accepts_and_reads_alike_what_is_accepted(mut request in heads(), body in "[0-9a-f\r\n]{0,16}") {
        request.extend_from_slice(body.as_bytes());
        fuzzing::http1(&request);
    }

    #[test]
    fn a_response_is_judged_the_same_however_it_is_cut(head in heads(), limit in 1_usize..200) {
        let limits = HeadLimits { head_bytes: limit, headers: 4, ..HeadLimits::RESPONSE };
        let outcome = |bytes: &[u8]| match parse_response(bytes, &limits, false) {
            Ok(Progress::Partial) => None,
            Ok(Progress::Complete { head, consumed }) => Some(Ok((head.status, head.body, head.keep_alive, consumed))),
            Err(error) => Some(Err(error)),
        };
        let grown = (0..=head.len()).find_map(|len| outcome(&head[..len]));
        prop_assert_eq!(outcome(&head), grown);
    }

    #[test]
    fn a_written_request_is_read_back(
        method in prop::sample::select(&[Method::Get, Method::Post, Method::Delete, Method::Options, Method::Head][..]),
        target in "/[a-z0-9._~!$&'()*+,;=:@/?-]{0,40}",
        fields in prop::collection::vec(("x-[a-z0-9!#$%&'*+.^`|~-]{1,20}", "([!-~\u{80}-\u{ff}]([ -~\t]{0,30}[!-~])?)?"), 0..20),
    ) {
        let mut out = Vec::new();
        let mut writer = write::request_head(&mut out, method, &target).unwrap().header("host", b"a").unwrap();
        for (name, value) in &fields {
            writer = writer.header(name, value.as_bytes()).unwrap();
        }
        writer.finish();
        let Ok(Progress::Complete { head, consumed }) = parse_request(&out, &HeadLimits::REQUEST) else {
            panic!("refused: {:?}", String::from_utf8_lossy(&out));
        };
        prop_assert_eq!(consumed, out.len());
        let view = head.view(&out);
        prop_assert_eq!((view.method(), view.target()), (method, target.as_str()));
        let read: Vec<_> = view.headers().skip(1).map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
        let written: Vec<_> = fields.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        prop_assert_eq!(read, written);
    }

    #[test]
    fn a_written_response_is_read_back(status in 100_u16..=599, bytes in any::<u64>(), chunked in any::<bool>()) {
        let length = if chunked { BodyLength::Chunked } else { BodyLength::Fixed(bytes) };
        let bodiless = status < 200 || matches!(status, 204 | 304);
        let length = if bodiless { BodyLength::None } else { length };
        let mut out = Vec::new();
        write::response_head(&mut out, status).unwrap().body(length).finish();
        let parsed = parse_response(&out, &HeadLimits::RESPONSE, false);
        if status == 101 {
            prop_assert_eq!(parsed.err(), Some(FrameError::Status));
            return Ok(());
        }
        let Ok(Progress::Complete { head, consumed }) = parsed else { panic!("{parsed:?}") };
        prop_assert_eq!(consumed, out.len());
        let read = if length == BodyLength::Fixed(0) { BodyLength::None } else { length };
        prop_assert_eq!((head.status, head.body), (status, read));
    }
}
