//! Reads an event stream that arrives in pieces of any size.
//!
//! Every line is looked at once. Buffers are reused, so a stream allocates only while its events grow.

use std::collections::VecDeque;

use super::Event;
use super::Frame;
use crate::framing::FrameError;
use crate::limits::EVENT_BYTES_MAX;

/// The UTF-8 byte order mark, which may open a stream and means nothing.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Capacity that a buffer keeps after a large event, in bytes.
const KEPT_BYTES: usize = 16 * 1024;

/// An event stream between two reads.
///
/// Take every frame after each [`Decoder::push`]: what is held then is one unfinished block of at most the limit, and
/// what that push completed.
#[derive(Clone, Debug)]
pub struct Decoder {
    max_bytes: usize,
    /// The unfinished last line.
    line: Vec<u8>,
    /// The block being read.
    block: Block,
    /// Bytes of the finished lines of that block.
    block_bytes: usize,
    /// Frames that wait to be taken.
    ready: VecDeque<Ready>,
    /// Field values of the events in `ready`, one after the other.
    values: Vec<u8>,
    /// Bytes of `values` that belong to frames already taken.
    taken: usize,
    /// The last byte was CR: an LF right after it belongs to the same line end.
    after_cr: bool,
    at_start: bool,
    failed: bool,
}

/// A finished frame: the lengths of its values in [`Decoder::values`], in the order id, event, data.
#[derive(Clone, Copy, Debug)]
enum Ready {
    Event {
        id: Option<usize>,
        event: Option<usize>,
        data: Option<usize>,
        retry_ms: Option<u64>,
    },
    Comment,
}

#[derive(Clone, Debug, Default)]
struct Block {
    id: Value,
    event: Value,
    data: Value,
    retry_ms: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Value {
    present: bool,
    bytes: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(EVENT_BYTES_MAX)
    }
}

impl Decoder {
    /// A decoder at the start of a stream whose blocks may have at most `max_bytes`, line ends not counted; the
    /// ceiling is [`EVENT_BYTES_MAX`].
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes: max_bytes.min(EVENT_BYTES_MAX),
            line: Vec::new(),
            block: Block::default(),
            block_bytes: 0,
            ready: VecDeque::new(),
            values: Vec::new(),
            taken: 0,
            after_cr: false,
            at_start: true,
            failed: false,
        }
    }

    /// Reads the next piece of the stream.
    ///
    /// # Errors
    /// [`FrameError::EventTooLarge`], now and from now on. Frames completed before the fault can still be taken.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if self.ready.is_empty() {
            self.values.clear();
            self.values.shrink_to(KEPT_BYTES);
            self.taken = 0;
        }
        let mut rest = bytes;
        while let Some(first) = rest.first()
            && !self.failed
        {
            if core::mem::take(&mut self.after_cr) && *first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            // SPEC: WHATWG HTML 9.2.5. Lines end in CRLF, LF or CR.
            let end = memchr::memchr2(b'\r', b'\n', rest);
            let piece = &rest[..end.unwrap_or(rest.len())];
            self.failed = self.block_bytes + self.line.len() + piece.len() > self.max_bytes;
            if self.failed {
                break;
            }
            match end {
                None => {
                    self.line.extend_from_slice(piece);
                    break;
                }
                Some(end) => {
                    self.after_cr = rest[end] == b'\r';
                    rest = &rest[end + 1..];
                    self.end_line(piece);
                }
            }
        }
        if self.failed {
            Err(FrameError::EventTooLarge)
        } else {
            Ok(())
        }
    }

    /// Takes the next frame; `None` until more bytes are pushed.
    ///
    /// A block that the stream leaves unfinished is never delivered, as in a browser.
    pub fn next_event(&mut self) -> Option<Frame<'_>> {
        match self.ready.pop_front()? {
            Ready::Comment => Some(Frame::Comment),
            Ready::Event {
                id,
                event,
                data,
                retry_ms,
            } => {
                let mut next = |len: Option<usize>| {
                    let from = self.taken;
                    self.taken += len.unwrap_or_default();
                    len.map(|_| from..self.taken)
                };
                let (id, event, data) = (next(id), next(event), next(data));
                let value = |range: Option<core::ops::Range<usize>>| range.map(|range| &self.values[range]);
                Some(Frame::Event(Event {
                    id: value(id),
                    event: value(event),
                    data: value(data),
                    retry_ms,
                }))
            }
        }
    }

    /// The line that began in earlier pieces ends with `piece`.
    fn end_line(&mut self, piece: &[u8]) {
        if self.line.is_empty() {
            return self.read_line(piece);
        }
        let mut line = core::mem::take(&mut self.line);
        line.extend_from_slice(piece);
        self.read_line(&line);
        line.clear();
        line.shrink_to(KEPT_BYTES);
        self.line = line;
    }

    fn read_line(&mut self, mut line: &[u8]) {
        if core::mem::take(&mut self.at_start) {
            line = line.strip_prefix(BOM).unwrap_or(line);
        }
        let (name, value) = match memchr::memchr(b':', line) {
            _ if line.is_empty() => return self.end_block(),
            Some(0) => return self.ready.push_back(Ready::Comment),
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        self.block_bytes += line.len();
        self.block.read_field(name, value.strip_prefix(b" ").unwrap_or(value));
    }

    fn end_block(&mut self) {
        self.block_bytes = 0;
        let block = &mut self.block;
        let fields = [&mut block.id, &mut block.event, &mut block.data];
        let [id, event, data] = fields.map(|field| field.move_to(&mut self.values));
        let retry_ms = block.retry_ms.take();
        if id.is_some() || event.is_some() || data.is_some() || retry_ms.is_some() {
            self.ready.push_back(Ready::Event {
                id,
                event,
                data,
                retry_ms,
            });
        }
    }
}

impl Block {
    /// SPEC: WHATWG HTML 9.2.6, "process the field". Names are case-sensitive; other names are ignored.
    fn read_field(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"data" => self.data.append_line(value),
            b"event" => self.event.set(value),
            b"id" if memchr::memchr(0, value).is_none() => self.id.set(value),
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                // More than a u64 holds is no time that anybody waits: such a field is ignored like a malformed one.
                let parsed = core::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                self.retry_ms = parsed.or(self.retry_ms);
            }
            _ => {}
        }
    }
}

impl Value {
    fn set(&mut self, value: &[u8]) {
        self.present = true;
        self.bytes.clear();
        self.bytes.extend_from_slice(value);
    }

    fn append_line(&mut self, line: &[u8]) {
        if self.present {
            self.bytes.push(b'\n');
        }
        self.present = true;
        self.bytes.extend_from_slice(line);
    }

    /// Empties this value into `out`; its length, if it was present.
    fn move_to(&mut self, out: &mut Vec<u8>) -> Option<usize> {
        let len = self.bytes.len();
        out.extend_from_slice(&self.bytes);
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        core::mem::take(&mut self.present).then_some(len)
    }
}
