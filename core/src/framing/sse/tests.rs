//! Promises of the event stream codec, checked against a reader that sees the whole stream at once.

use proptest::prelude::*;

use super::*;
use crate::framing::FrameError;
use crate::fuzzing::sse::Owned;
use crate::fuzzing::sse::decode;
use crate::fuzzing::sse::own;
use crate::fuzzing::sse::reference;

fn frames(stream: &str) -> Vec<Owned> {
    let (frames, outcome) = decode(&[stream.as_bytes()], 1024);
    assert_eq!(outcome, Ok(()));
    frames
}

fn event(id: Option<&str>, event: Option<&str>, data: Option<&str>, retry_ms: Option<u64>) -> Owned {
    let own = |field: Option<&str>| field.map(|text| text.as_bytes().to_vec());
    Some((own(id), own(event), own(data), retry_ms))
}

#[test]
fn lines_end_in_crlf_lf_or_cr() {
    let expected = [event(Some("1"), None, Some("a\nb"), None)];
    for end in ["\n", "\r\n", "\r"] {
        let stream = ["id: 1", "data: a", "data: b", "", ""].join(end);
        assert_eq!(frames(&stream), expected, "{end:?}");
    }
    assert_eq!(frames("id: 1\rdata: a\r\ndata: b\n\r\n"), expected);
}

#[test]
fn fields_come_in_any_order() {
    let expected = [event(Some("0/0"), Some("message"), Some("{}"), Some(3000))];
    assert_eq!(frames("data: {}\nid: 0/0\nretry: 3000\nevent: message\n\n"), expected);
    assert_eq!(frames("event: message\nretry: 3000\nid: 0/0\ndata: {}\n\n"), expected);
}

#[test]
fn an_interrupted_value_is_still_one() {
    assert_eq!(
        frames("data: a\nid: 1\ndata: b\nid: 2\n\n"),
        [event(Some("2"), None, Some("a\nb"), None)]
    );
}

#[test]
fn removes_one_space_after_the_colon_and_no_more() {
    assert_eq!(
        frames("data:a\n\ndata: a\n\ndata:  a \n\n"),
        [
            event(None, None, Some("a"), None),
            event(None, None, Some("a"), None),
            event(None, None, Some(" a "), None),
        ]
    );
}

#[test]
fn a_line_without_colon_is_a_field_without_value() {
    assert_eq!(frames("data\nid\n\n"), [event(Some(""), None, Some(""), None)]);
    assert_eq!(frames("data\ndata\n\n"), [event(None, None, Some("\n"), None)]);
}

#[test]
fn priming_events_and_retry_alone_are_kept() {
    assert_eq!(frames("id: 7\ndata:\n\n"), [event(Some("7"), None, Some(""), None)]);
    assert_eq!(
        frames("id: 7\n\nretry: 10\n\nevent: x\n\n"),
        [
            event(Some("7"), None, None, None),
            event(None, None, None, Some(10)),
            event(None, Some("x"), None, None),
        ]
    );
}

#[test]
fn comments_are_signs_of_life() {
    assert_eq!(
        frames(": ping\n\n:\n\ndata: a\n:x\ndata: b\n\n"),
        [None, None, None, event(None, None, Some("a\nb"), None),]
    );
}

#[test]
fn ignores_what_the_specification_ignores() {
    assert_eq!(frames("Data: a\nfoo: b\n data: c\n\n"), []);
    assert_eq!(
        frames("id: a\0b\nretry: 1s\nretry: -1\nretry: \nretry: 99999999999999999999\n\n"),
        []
    );
    assert_eq!(frames("retry: 5\nretry: x\n\n"), [event(None, None, None, Some(5))]);
    assert_eq!(frames("\n\n\r\r\n"), []);
}

#[test]
fn a_byte_order_mark_opens_a_stream_only_once() {
    assert_eq!(
        frames("\u{feff}data: a\n\n\u{feff}data: b\n\n"),
        [event(None, None, Some("a"), None)]
    );
    let bytes = "\u{feff}data: a\n\n".as_bytes();
    let pieces: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(decode(&pieces, 64).0, [event(None, None, Some("a"), None)]);
}

#[test]
fn an_unfinished_block_is_not_delivered() {
    assert_eq!(frames("data: a\n\ndata: b\n"), [event(None, None, Some("a"), None)]);
    assert_eq!(frames("data: a"), []);
}

#[test]
fn an_event_is_delivered_with_its_last_cr() {
    assert_eq!(decode(&[b"data: a\r\r"], 64).0.len(), 1);
    assert_eq!(decode(&[b"data: a\r", b"\n\r", b"\ndata: b\r\n\r\n"], 64).0.len(), 2);
}

#[test]
fn refuses_a_block_over_the_limit_after_delivering_the_one_before() {
    let before = event(None, None, Some("ok"), None);
    let too_large = Err(FrameError::EventTooLarge);
    assert_eq!(decode(&[b"data: ok\n\ndata: 1234\n\n"], 10).0.len(), 2);
    assert_eq!(
        decode(&[b"data: ok\n\ndata: 12345\n\n"], 10),
        (vec![before.clone()], too_large)
    );
    assert_eq!(
        decode(&[b"data: ok\n\ndata: 12345"], 10),
        (vec![before.clone()], too_large)
    );
    assert_eq!(
        decode(&[b"data: ok\n\ndata\ndata\nda\nd\n\n"], 10),
        (vec![before], too_large)
    );
}

#[test]
fn stays_refused() {
    let mut decoder = Decoder::new(4);
    assert_eq!(decoder.push(b"data: a"), Err(FrameError::EventTooLarge));
    assert_eq!(decoder.push(b"\n\n:\n"), Err(FrameError::EventTooLarge));
    assert_eq!(decoder.next_event(), None);
}

#[test]
fn comments_without_end_do_not_add_up() {
    let stream = ": ping\n".repeat(100);
    assert_eq!(decode(&[stream.as_bytes()], 10).0.len(), 100);
}

#[test]
fn keeps_frames_that_were_not_taken_before_the_next_push() {
    let mut decoder = Decoder::default();
    decoder.push(b"data: a\n\ndata: b").unwrap();
    decoder.push(b"c\n\n").unwrap();
    let first = decoder.next_event().map(own);
    decoder.push(b"data: d\n\n").unwrap();
    let rest: Vec<_> = core::iter::from_fn(|| decoder.next_event().map(own)).collect();
    assert_eq!(first, Some(event(None, None, Some("a"), None)));
    assert_eq!(
        rest,
        [event(None, None, Some("bc"), None), event(None, None, Some("d"), None)]
    );
}

#[test]
fn refuses_to_write_a_line_break_into_a_name() {
    for bad in [&b"a\nb"[..], b"a\rb", b"a\0b"] {
        let mut out = Vec::new();
        for event in [
            Event {
                id: Some(bad),
                ..Event::default()
            },
            Event {
                event: Some(bad),
                ..Event::default()
            },
        ] {
            assert_eq!(write_event(&mut out, &event), Err(FrameError::UnwritableValue));
        }
        assert!(out.is_empty());
    }
}

#[test]
fn a_written_comment_is_only_a_comment() {
    let mut out = Vec::new();
    write_comment(&mut out);
    assert_eq!(frames(core::str::from_utf8(&out).unwrap()), [None]);
}

fn streams() -> impl Strategy<Value = Vec<u8>> {
    let tokens = [
        "data", "id", "event", "retry", ":", ": ", " ", "\n", "\r", "\r\n", "12", "{}", "\0", "\u{feff}", "\n\n",
    ];
    prop::collection::vec(prop::sample::select(tokens.to_vec()), 0..40).prop_map(|tokens| tokens.concat().into_bytes())
}

proptest! {
    #[test]
    fn a_stream_reads_the_same_however_it_is_cut(
        stream in streams(),
        cuts in prop::collection::vec(1_usize..9, 0..30),
        max in 1_usize..40,
    ) {
        let mut pieces = Vec::new();
        let mut rest = stream.as_slice();
        for cut in cuts {
            let (piece, next) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = next;
        }
        pieces.push(rest);
        prop_assert_eq!(decode(&[&stream], max), decode(&pieces, max));
    }

    #[test]
    fn a_stream_reads_as_the_specification_says(stream in streams()) {
        prop_assert_eq!(decode(&[&stream], 4096), (reference(&stream), Ok(())));
    }

    #[test]
    fn a_written_event_is_read_back(
        id in prop::option::of("[ -~]{0,8}"),
        name in prop::option::of("[ -~]{0,8}"),
        data in prop::option::of("[ -~\r\n]{0,20}"),
        retry_ms in any::<Option<u64>>(),
    ) {
        let bytes = |field: &Option<String>| field.as_ref().map(|text| text.clone().into_bytes());
        let (id, name, data) = (bytes(&id), bytes(&name), data);
        let written = Event { id: id.as_deref(), event: name.as_deref(), data: data.as_ref().map(String::as_bytes), retry_ms };
        let mut out = Vec::new();
        write_event(&mut out, &written).unwrap();
        let normal = data.as_ref().map(|data| data.replace("\r\n", "\n").replace('\r', "\n").into_bytes());
        let expected = (written != Event::default()).then_some(Some((id, name, normal, retry_ms)));
        prop_assert_eq!(decode(&[&out], 4096), (expected.into_iter().collect(), Ok(())));
    }
}
