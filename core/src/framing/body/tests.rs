//! Promises of the body decoder.

use proptest::prelude::*;

use super::*;
use crate::framing::write;

/// Content, bytes taken and whether the body is done; or the refusal and the content before it.
type Outcome = Result<(Vec<u8>, usize, bool), (FrameError, Vec<u8>)>;

/// The content and the bytes left over, or the refusal with the content before it, when `input` comes in `pieces`.
fn decode(length: BodyLength, max: u64, pieces: &[&[u8]]) -> Outcome {
    let mut decoder = Decoder::new(length, max);
    let (mut out, mut consumed) = (Vec::new(), 0);
    for piece in pieces {
        match decoder.decode(piece, &mut out) {
            Ok(decoded) => consumed += decoded.consumed,
            Err(error) => return Err((error, out)),
        }
    }
    Ok((out, consumed, decoder.is_done()))
}

/// The refusal of a chunked body, the same in one piece and byte by byte.
fn refusal(body: &[u8]) -> Option<FrameError> {
    let whole = decode(BodyLength::Chunked, 1024, &[body]);
    let bytes: Vec<_> = body.chunks(1).collect();
    assert_eq!(whole, decode(BodyLength::Chunked, 1024, &bytes));
    whole.err().map(|(error, _)| error)
}

#[test]
fn takes_exactly_the_declared_length() {
    let taken = decode(BodyLength::Fixed(5), 5, &[b"he", b"llo!"]).unwrap();
    assert_eq!(taken, (b"hello".to_vec(), 5, true));
    assert_eq!(
        decode(BodyLength::Fixed(5), 5, &[b"hell"]).unwrap(),
        (b"hell".to_vec(), 4, false)
    );
}

#[test]
fn takes_nothing_when_there_is_no_body() {
    for length in [BodyLength::None, BodyLength::Fixed(0)] {
        assert_eq!(decode(length, 0, &[b"GET / "]).unwrap(), (Vec::new(), 0, true));
    }
}

#[test]
fn joins_chunks_and_stops_after_the_last() {
    let body = b"5\r\nhello\r\n00A\r\n, world...\r\n0\r\n\r\nGET /";
    let (content, consumed, done) = decode(BodyLength::Chunked, 15, &[body]).unwrap();
    assert_eq!(
        (content.as_slice(), consumed, done),
        (&b"hello, world..."[..], body.len() - 5, true)
    );
}

#[test]
fn takes_everything_until_close() {
    let mut decoder = Decoder::new(BodyLength::UntilClose, 10);
    let mut out = Vec::new();
    assert_eq!(
        decoder.decode(b"0\r\n\r\n", &mut out),
        Ok(Decoded {
            consumed: 5,
            done: false
        })
    );
    assert_eq!(decoder.finish_on_close(), Ok(()));
    assert_eq!((out.as_slice(), decoder.is_done()), (&b"0\r\n\r\n"[..], true));
}

#[test]
fn a_close_inside_the_body_is_a_truncation() {
    for (length, received) in [
        (BodyLength::Fixed(5), "1234"),
        (BodyLength::Chunked, "4\r\n1234\r\n0\r\n"),
    ] {
        let mut decoder = Decoder::new(length, 10);
        decoder.decode(received.as_bytes(), &mut Vec::new()).unwrap();
        assert_eq!(decoder.finish_on_close(), Err(FrameError::Truncated));
    }
}

#[test]
fn refuses_more_than_the_limit() {
    let too_large = |length, body: &[u8]| decode(length, 4, &[body]).err();
    assert_eq!(
        too_large(BodyLength::Fixed(5), b"1"),
        Some((FrameError::BodyTooLarge, Vec::new()))
    );
    assert_eq!(
        too_large(BodyLength::UntilClose, b"12345"),
        Some((FrameError::BodyTooLarge, b"1234".to_vec()))
    );
    assert_eq!(too_large(BodyLength::UntilClose, b"1234"), None);
    assert_eq!(
        too_large(BodyLength::Chunked, b"5\r\n"),
        Some((FrameError::BodyTooLarge, Vec::new()))
    );
    assert_eq!(
        too_large(BodyLength::Chunked, b"3\r\nabc\r\n2\r\n"),
        Some((FrameError::BodyTooLarge, b"abc".to_vec()))
    );
}

/// One named promise per line: this chunked body is refused for this reason.
macro_rules! refuses {
    ($($name:ident: $body:expr => $error:expr;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(refusal($body), Some($error));
        }
    )*};
}

refuses! {
    refuses_an_empty_chunk_size: b"\r\n" => FrameError::ChunkSize;
    refuses_a_signed_chunk_size: b"+5\r\n" => FrameError::ChunkSize;
    refuses_a_prefixed_chunk_size: b"0x5\r\n" => FrameError::ChunkSize;
    refuses_a_space_before_the_chunk_size: b" 5\r\n" => FrameError::ChunkSize;
    refuses_a_chunk_size_of_17_digits: b"00000000000000005\r\n" => FrameError::ChunkSize;
    refuses_lf_after_the_chunk_size: b"5\nhello\r\n" => FrameError::ChunkSize;
    refuses_a_chunk_extension: b"5;a=b\r\nhello\r\n" => FrameError::ChunkExtension;
    refuses_a_space_after_the_chunk_size: b"5 \r\nhello\r\n" => FrameError::ChunkExtension;
    refuses_a_tab_after_the_chunk_size: b"5\t\r\nhello\r\n" => FrameError::ChunkExtension;
    refuses_an_extension_on_the_last_chunk: b"0;a\r\n\r\n" => FrameError::ChunkExtension;
    refuses_bare_cr_after_the_chunk_size: b"5\rhello\r\n" => FrameError::ChunkEnd;
    refuses_a_chunk_that_is_longer_than_its_size: b"5\r\nhello!\r\n" => FrameError::ChunkEnd;
    refuses_lf_after_chunk_data: b"5\r\nhello\n" => FrameError::ChunkEnd;
    refuses_cr_alone_after_chunk_data: b"5\r\nhello\r0\r\n" => FrameError::ChunkEnd;
    refuses_trailers: b"0\r\nAuthorization: x\r\n\r\n" => FrameError::Trailers;
    refuses_lf_as_the_last_line: b"0\r\n\n" => FrameError::Trailers;
    refuses_cr_alone_as_the_last_line: b"0\r\n\r0" => FrameError::ChunkEnd;
}

#[test]
fn refuses_the_largest_chunk_size_without_overflow() {
    assert_eq!(refusal(b"ffffffffffffffff\r\n"), Some(FrameError::BodyTooLarge));
}

proptest! {
    #[test]
    fn a_body_is_judged_the_same_however_it_is_cut(
        tokens in prop::collection::vec(prop::sample::select(&["5", "a", "0", "\r\n", "hello", "\n", "\r", ";x"][..]), 0..12),
        cuts in prop::collection::vec(1_usize..6, 0..20),
        max in 0_u64..20,
        length in prop::sample::select(&[BodyLength::Chunked, BodyLength::Fixed(9), BodyLength::UntilClose][..]),
    ) {
        let body = tokens.concat().into_bytes();
        let mut pieces = Vec::new();
        let mut rest = body.as_slice();
        for cut in cuts {
            let (piece, next) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = next;
        }
        pieces.push(rest);
        prop_assert_eq!(decode(length, max, &[&body]), decode(length, max, &pieces));
    }

    #[test]
    fn written_chunks_are_read_back(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8)) {
        let mut wire = Vec::new();
        for chunk in &chunks {
            write::chunk(&mut wire, chunk);
        }
        write::last_chunk(&mut wire);
        let content = chunks.concat();
        prop_assert_eq!(decode(BodyLength::Chunked, 4096, &[&wire]), Ok((content, wire.len(), true)));
    }
}
