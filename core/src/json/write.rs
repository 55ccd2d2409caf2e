//! Writing JSON text into a byte buffer. Owns escaping; keeps no tree.
//!
//! Must never be given text that is not JSON through `raw`: it is copied as it is, from a checked document.

use core::ops::Range;

/// Writes an object's members in the order of the calls. [`ObjectWriter::finish`] closes it.
#[must_use = "an object is not closed until `finish`"]
pub struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

/// Writes an array's items in the order of the calls. [`ArrayWriter::finish`] closes it.
#[must_use = "an array is not closed until `finish`"]
pub struct ArrayWriter<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> ObjectWriter<'o> {
    /// Opens an object at the end of `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Writes a string member.
    pub fn string(&mut self, name: &str, value: &str) -> &mut Self {
        string(self.name(name), value);
        self
    }

    /// Writes a string member if there is a value.
    pub fn optional_string(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.string(name, value),
            None => self,
        }
    }

    /// Writes a number member.
    pub fn number_u64(&mut self, name: &str, value: u64) -> &mut Self {
        unsigned(self.name(name), value);
        self
    }

    /// Writes a number member.
    pub fn number_i64(&mut self, name: &str, value: i64) -> &mut Self {
        signed(self.name(name), value);
        self
    }

    /// Writes a boolean member.
    pub fn boolean(&mut self, name: &str, value: bool) -> &mut Self {
        boolean(self.name(name), value);
        self
    }

    /// Writes a `null` member.
    pub fn null(&mut self, name: &str) -> &mut Self {
        self.raw(name, b"null")
    }

    /// Writes a member whose value is JSON text already.
    pub fn raw(&mut self, name: &str, json: &[u8]) -> &mut Self {
        self.name(name).extend_from_slice(json);
        self
    }

    /// Writes a member that is an object, and closes it.
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) -> &mut Self {
        let mut inner = ObjectWriter::new(self.name(name));
        fill(&mut inner);
        inner.finish();
        self
    }

    /// Writes a member that is an array, and closes it.
    pub fn array(&mut self, name: &str, fill: impl FnOnce(&mut ArrayWriter<'_>)) -> &mut Self {
        let mut inner = ArrayWriter::new(self.name(name));
        fill(&mut inner);
        inner.finish();
        self
    }

    /// Closes the object.
    pub fn finish(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        separate(self.out, &mut self.empty);
        string(self.out, name);
        self.out.push(b':');
        self.out
    }
}

impl<'o> ArrayWriter<'o> {
    /// Opens an array at the end of `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, empty: true }
    }

    /// Writes a string item.
    pub fn string(&mut self, value: &str) -> &mut Self {
        string(self.item(), value);
        self
    }

    /// Writes a number item.
    pub fn number_u64(&mut self, value: u64) -> &mut Self {
        unsigned(self.item(), value);
        self
    }

    /// Writes an item that is JSON text already.
    pub fn raw(&mut self, json: &[u8]) -> &mut Self {
        self.item().extend_from_slice(json);
        self
    }

    /// Writes an item that is an object, and closes it.
    pub fn object(&mut self, fill: impl FnOnce(&mut ObjectWriter<'_>)) -> &mut Self {
        let mut inner = ObjectWriter::new(self.item());
        fill(&mut inner);
        inner.finish();
        self
    }

    /// Closes the array.
    pub fn finish(self) {
        self.out.push(b']');
    }

    fn item(&mut self) -> &mut Vec<u8> {
        separate(self.out, &mut self.empty);
        self.out
    }
}

/// Writes `value` as a JSON string (RFC 8259 7), quotes included.
pub fn string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    let bytes = value.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        // SPEC: RFC 8259 7: quotation mark, reverse solidus and U+0000 to U+001F MUST be escaped.
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => &control_escape(byte),
            _ => continue,
        };
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(escape);
        copied = at + 1;
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

fn control_escape(byte: u8) -> [u8; 6] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| HEX[usize::from(nibble & 0xf)];
    [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]
}

/// A range of a source text, and what stands there instead.
pub type Edit = (Range<usize>, Vec<u8>);

/// Appends `source` with `edits` applied, in whatever order they come; everything else is copied byte for byte. The
/// ranges are spans of values of that source and do not overlap.
pub fn edited(out: &mut Vec<u8>, source: &[u8], mut edits: Vec<Edit>) {
    edits.sort_unstable_by_key(|(range, _)| range.start);
    let mut copied = 0;
    for (range, replacement) in edits {
        out.extend_from_slice(source.get(copied..range.start).unwrap_or_default());
        out.extend_from_slice(&replacement);
        copied = range.end;
    }
    out.extend_from_slice(source.get(copied..).unwrap_or_default());
}

/// Writes `value` in decimal.
pub fn unsigned(out: &mut Vec<u8>, value: u64) {
    let mut digits = [b'0'; 20];
    let mut rest = value;
    let mut first = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        first = place;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// Writes `value` in decimal.
pub fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(out, value.unsigned_abs());
}

/// Writes `true` or `false`.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn separate(out: &mut Vec<u8>, empty: &mut bool) {
    if !core::mem::take(empty) {
        out.push(b',');
    }
}
