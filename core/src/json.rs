//! Strict JSON: one reading of one set of bytes, on the simd-json tape.
//!
//! Owns parsing, reading and writing of JSON text (RFC 8259) for messages, tokens and replies. What two parsers could
//! read differently is refused here: duplicate member names at any depth (compared after unescaping), U+0000 in a
//! name, a byte order mark, invalid UTF-8, unpaired surrogates, numbers outside of RFC 8259 or of the machine's range,
//! anything after the value. Sizes are bounded by [`Limits`].
//!
//! Must never change the caller's bytes: simd-json unescapes in place, so the text is copied once into a [`Scratch`]
//! that is reused, and [`Value::raw`] still returns the exact source text of any value.
//!
//! INVARIANT: a [`Document`] that exists has passed every check; readers of values need none of their own.

mod check;
mod error;
mod limits;
mod span;
mod value;
pub mod write;

#[cfg(test)]
mod tests;

use core::mem;

use simd_json::Buffers;
use simd_json::Node;
use simd_json::Tape;

pub use self::error::JsonError;
pub use self::limits::Limits;
use self::span::Spans;
pub use self::value::Array;
pub use self::value::Items;
pub use self::value::Kind;
pub use self::value::Members;
pub use self::value::Number;
pub use self::value::Object;
pub use self::value::Value;
use crate::limits::JSON_DEPTH_MAX;
use crate::limits::JSON_SCRATCH_KEPT_BYTES;

/// The reusable memory of a parser: one per core, and one document at a time.
///
/// After the first ordinary message a parse allocates nothing. What a message above
/// [`JSON_SCRATCH_KEPT_BYTES`] has made it grow to is given back at the next smaller one.
pub struct Scratch {
    text: Vec<u8>,
    buffers: Buffers,
    order: Vec<usize>,
    kept: Kept,
}

/// The parts that a [`Document`] holds while it lives and hands back when it is dropped.
struct Kept {
    tape: Tape<'static>,
    spans: Vec<span::Span>,
}

/// A checked JSON text and the tape of its values.
pub struct Document<'s> {
    source: &'s [u8],
    structurals: &'s [u32],
    tape: Tape<'s>,
    spans: Spans,
    kept: &'s mut Kept,
}

/// Parses `bytes` as exactly one strict JSON text.
///
/// The document borrows both the source bytes, which stay as they are, and the scratch memory.
///
/// # Errors
///
/// A [`JsonError`] that names the first deviation found; the scratch stays usable.
pub fn parse<'s>(bytes: &'s [u8], scratch: &'s mut Scratch, limits: &Limits) -> Result<Document<'s>, JsonError> {
    check::before_parse(bytes, limits)?;
    scratch.prepare(bytes);
    let Scratch {
        text,
        buffers,
        order,
        kept,
    } = scratch;
    let mut tape = mem::replace(&mut kept.tape, Tape(Vec::new())).reset();
    let parsed = simd_json::fill_tape_padded(text, bytes.len(), buffers, &mut tape)
        .map_err(|fault| JsonError::from_parser(&fault, bytes))
        .and_then(|()| check::after_parse(&tape.0, limits, order));
    if let Err(fault) = parsed {
        kept.tape = tape.reset();
        return Err(fault);
    }
    Ok(Document {
        source: bytes,
        structurals: buffers.structural_indexes(),
        tape,
        spans: Spans::new(mem::take(&mut kept.spans)),
        kept,
    })
}

impl Scratch {
    /// Scratch memory that has not parsed anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            text: Vec::new(),
            buffers: Buffers::with_max_depth(0, JSON_DEPTH_MAX),
            order: Vec::new(),
            kept: Kept {
                tape: Tape(Vec::new()),
                spans: Vec::new(),
            },
        }
    }

    /// Copies `bytes` in, with the padding that the parser may read beyond them.
    fn prepare(&mut self, bytes: &[u8]) {
        let needed = bytes.len() + simd_json::INPUT_PADDING;
        if self.text.capacity() > JSON_SCRATCH_KEPT_BYTES && needed <= JSON_SCRATCH_KEPT_BYTES {
            *self = Self::new();
        }
        self.text.clear();
        self.text.reserve(needed);
        self.text.extend_from_slice(bytes);
        self.text.resize(needed, b' ');
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Document<'_> {
    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        Value::root(self)
    }

    /// Every string after unescaping, the names of members among them, in source order.
    pub fn strings(&self) -> impl Iterator<Item = &str> {
        self.tape.0.iter().filter_map(|node| match node {
            Node::String(text) => Some(*text),
            _ => None,
        })
    }

    /// The text that was parsed, byte for byte.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.source
    }
}

impl Drop for Document<'_> {
    fn drop(&mut self) {
        self.kept.tape = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        self.kept.spans = self.spans.take();
    }
}
