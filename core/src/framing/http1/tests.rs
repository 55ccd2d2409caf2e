//! Promises of the head parsers: what is refused and why, what is accepted and how it reads.

use super::*;
use crate::framing::FrameError;

mod property;
mod requests;
mod responses;

/// Parses a complete request head, which must be accepted.
fn accepted(head: &str) -> (RequestHead, &[u8]) {
    match parse_request(head.as_bytes(), &HeadLimits::REQUEST) {
        Ok(Progress::Complete { head: parsed, consumed }) => {
            assert_eq!(consumed, head.len(), "the whole head belongs to it");
            (parsed, head.as_bytes())
        }
        other => panic!("refused: {other:?}"),
    }
}

/// The outcome of a request head, however its bytes are cut: the first prefix that is not partial decides.
fn refusal(head: &[u8], limits: &HeadLimits) -> Option<FrameError> {
    let whole = parse_request(head, limits).err();
    let grown = (0..=head.len()).find_map(|len| match parse_request(&head[..len], limits) {
        Ok(Progress::Partial) => None,
        Ok(Progress::Complete { .. }) => Some(None),
        Err(error) => Some(Some(error)),
    });
    assert_eq!(whole, grown.flatten(), "incremental and one-shot parsing disagree");
    whole
}

/// One named promise per line: these bytes are refused for this reason, in one piece and byte by byte.
macro_rules! refuses {
    ($($name:ident: $head:expr => $error:expr;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(refusal($head.as_ref(), &HeadLimits::REQUEST), Some($error));
        }
    )*};
}
use refuses;
