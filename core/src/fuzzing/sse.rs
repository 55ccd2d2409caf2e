//! Event streams against a naive reading of the specification that sees the whole stream at once.

use crate::framing::FrameError;
use crate::framing::sse::Decoder;
use crate::framing::sse::Event;
use crate::framing::sse::Frame;
use crate::framing::sse::write_event;

/// A frame that owns its bytes: `None` is a comment, otherwise id, event, data and retry time.
pub(crate) type Owned = Option<(Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<u64>)>;

/// Reads `bytes` as a stream: whole, cut and as the specification says must agree, and every event must survive
/// being written and read again.
pub fn sse(bytes: &[u8]) {
    let (frames, outcome) = decode(&[bytes], bytes.len());
    assert_eq!(outcome, Ok(()), "a block cannot be longer than its stream");
    assert_eq!(frames, reference(bytes));
    for eighth in 0..8 {
        let (first, second) = bytes.split_at(bytes.len() * eighth / 8);
        for limit in [bytes.len(), bytes.len() / 4] {
            assert_eq!(decode(&[bytes], limit), decode(&[first, second], limit));
        }
    }
    let mut written = Vec::new();
    for (id, event, data, retry_ms) in frames.iter().flatten() {
        let event = Event {
            id: id.as_deref(),
            event: event.as_deref(),
            data: data.as_deref(),
            retry_ms: *retry_ms,
        };
        // An event name may hold NUL on the way in; it is not passed on.
        if write_event(&mut written, &event).is_err() {
            return;
        }
    }
    let events: Vec<_> = frames.into_iter().filter(Option::is_some).collect();
    assert_eq!(decode(&[&written], written.len()), (events, Ok(())));
}

/// Every frame of a stream that comes in `pieces`, and the refusal that ended it early.
pub(crate) fn decode(pieces: &[&[u8]], max_bytes: usize) -> (Vec<Owned>, Result<(), FrameError>) {
    let mut decoder = Decoder::new(max_bytes);
    let mut frames = Vec::new();
    for piece in pieces {
        let outcome = decoder.push(piece);
        while let Some(frame) = decoder.next_event() {
            frames.push(own(frame));
        }
        if outcome.is_err() {
            return (frames, outcome);
        }
    }
    (frames, Ok(()))
}

/// Copies a frame out of its decoder.
pub(crate) fn own(frame: Frame<'_>) -> Owned {
    let copy = |field: Option<&[u8]>| field.map(<[u8]>::to_vec);
    match frame {
        Frame::Comment => None,
        Frame::Event(event) => Some((copy(event.id), copy(event.event), copy(event.data), event.retry_ms)),
    }
}

/// Normalises the line ends, splits, and collects the fields of each block.
pub(crate) fn reference(stream: &[u8]) -> Vec<Owned> {
    let mut lines = lines(stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream));
    lines.pop(); // what follows the last line end is not a line
    let (mut frames, mut id, mut event, mut retry) = (Vec::new(), None, None, None);
    let mut data: Vec<&[u8]> = Vec::new();
    for line in &lines {
        if line.is_empty() {
            let joined = (!data.is_empty()).then(|| data.join(&b'\n'));
            let block = (id.take(), event.take(), joined, retry.take());
            data.clear();
            if block != (None, None, None, None) {
                frames.push(Some(block));
            }
            continue;
        }
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"" => frames.push(None),
            b"data" => data.push(value),
            b"event" => event = Some(value.to_vec()),
            b"id" if !value.contains(&0) => id = Some(value.to_vec()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                retry = String::from_utf8_lossy(value).parse().ok().or(retry);
            }
            _ => {}
        }
    }
    frames
}

fn lines(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    let mut before = 0;
    for byte in stream {
        match byte {
            b'\n' if before == b'\r' => {}
            b'\r' | b'\n' => lines.push(Vec::new()),
            other => {
                if let Some(line) = lines.last_mut() {
                    line.push(*other);
                }
            }
        }
        before = *byte;
    }
    lines
}
