//! The header fields of one head as offsets, checked and indexed in a single pass.
//!
//! Owns what holds for every field: line ends, repetition, names that imitate reserved ones. Never copies a value.

use core::iter;

use super::Known;
use crate::framing::FrameError;
use crate::limits::HEADERS_MAX;

/// Marks a known header that did not come.
const ABSENT: u8 = u8::MAX;

/// The family of headers that MCP keeps for itself; every member may come once.
const MCP_PREFIX: &[u8] = b"mcp-";

const _: () = assert!(
    HEADERS_MAX < ABSENT as usize,
    "a header's number must fit beside ABSENT"
);

/// Where one field lies, from the first byte of the head.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    name_at: u32,
    value_at: u32,
    name_len: u32,
    value_len: u32,
}

/// All fields of one head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Headers {
    spans: [Span; HEADERS_MAX],
    count: usize,
    first: [u8; Known::COUNT],
}

impl Headers {
    /// Indexes what `httparse` found in `head`, which must be the whole head.
    pub(super) fn collect(head: &[u8], parsed: &[httparse::Header<'_>]) -> Result<Self, FrameError> {
        // SPEC: RFC 9112 2.2. A lone LF as a line end is tolerated by some readers only.
        if !head.ends_with(b"\r\n\r\n") {
            return Err(FrameError::BareLineFeed);
        }
        let mut headers = Self {
            spans: [Span::default(); HEADERS_MAX],
            count: parsed.len(),
            first: [ABSENT; Known::COUNT],
        };
        for (at, (field, span)) in parsed.iter().zip(&mut headers.spans).enumerate() {
            *span = Span {
                name_at: offset(head, field.name.as_bytes())?,
                value_at: offset(head, field.value)?,
                name_len: narrow(field.name.len())?,
                value_len: narrow(field.value.len())?,
            };
            let line = wide(span.name_at);
            if !head[..line].ends_with(b"\r\n") {
                return Err(FrameError::BareLineFeed);
            }
            let name = field.name.as_bytes();
            let Some(known) = Known::of(name) else {
                refuse_reserved(name, &parsed[..at])?;
                continue;
            };
            let first = &mut headers.first[known.index()];
            if *first == ABSENT {
                *first = u8::try_from(at).map_err(|_| FrameError::TooManyHeaders)?;
            } else if known.is_singleton() {
                return Err(FrameError::RepeatedHeader(known.name()));
            }
        }
        Ok(headers)
    }

    /// The value of `known`, the first one if it came more than once.
    #[inline]
    pub(super) fn known<'b>(&self, head: &'b [u8], known: Known) -> Option<&'b [u8]> {
        self.span_of(known).map(|span| value(head, span))
    }

    /// Every value of `known`, in order.
    pub(super) fn all<'b>(&self, head: &'b [u8], known: Known) -> impl Iterator<Item = &'b [u8]> {
        let from = usize::from(self.first[known.index()]).min(self.count);
        self.spans[from..self.count]
            .iter()
            .filter(move |span| name(head, span).eq_ignore_ascii_case(known.name().as_bytes()))
            .map(move |span| value(head, span))
    }

    /// Whether nothing but at most one space surrounds the value of `known`.
    pub(super) fn is_plain(&self, head: &[u8], known: Known) -> bool {
        self.span_of(known).is_some_and(|span| {
            let (value_from, value_to) = (wide(span.value_at), wide(span.value_at) + wide(span.value_len));
            let gap = head.get(wide(span.name_at) + wide(span.name_len) + 1..value_from);
            matches!(gap, Some(b"" | b" ")) && head.get(value_to) == Some(&b'\r')
        })
    }

    /// Every field with its name as it was sent.
    pub(super) fn iter<'b>(&'b self, head: &'b [u8]) -> HeaderIter<'b> {
        HeaderIter {
            head,
            spans: self.spans[..self.count].iter(),
        }
    }

    fn span_of(&self, known: Known) -> Option<&Span> {
        self.spans[..self.count].get(usize::from(self.first[known.index()]))
    }
}

/// The fields of a head in the order in which they came: name as sent, value without surrounding white space.
#[derive(Clone, Debug)]
pub struct HeaderIter<'b> {
    head: &'b [u8],
    spans: core::slice::Iter<'b, Span>,
}

impl<'b> Iterator for HeaderIter<'b> {
    type Item = (&'b str, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let span = self.spans.next()?;
        Some((text(name(self.head, span)), value(self.head, span)))
    }
}

impl iter::FusedIterator for HeaderIter<'_> {}

/// `bytes` as text; they were checked to be ASCII when the head was parsed.
pub(super) fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// `head[at..at + len]`, or nothing when the view was given other bytes than those that were parsed.
#[inline]
pub(super) fn slice(head: &[u8], at: u32, len: u32) -> &[u8] {
    head.get(wide(at)..wide(at) + wide(len)).unwrap_or_default()
}

/// Where `part`, a slice of `head`, starts in it.
pub(super) fn offset(head: &[u8], part: &[u8]) -> Result<u32, FrameError> {
    narrow(part.as_ptr().addr() - head.as_ptr().addr())
}

/// An offset or length below the head limit.
pub(super) fn narrow(bytes: usize) -> Result<u32, FrameError> {
    u32::try_from(bytes).map_err(|_| FrameError::HeadTooLarge)
}

fn name<'b>(head: &'b [u8], span: &Span) -> &'b [u8] {
    slice(head, span.name_at, span.name_len)
}

fn value<'b>(head: &'b [u8], span: &Span) -> &'b [u8] {
    slice(head, span.value_at, span.value_len)
}

const fn wide(bytes: u32) -> usize {
    bytes as usize
}

/// Checks a name that is not known against the families that the gate keeps for itself.
fn refuse_reserved(name: &[u8], before: &[httparse::Header<'_>]) -> Result<(), FrameError> {
    if is_mcp(name)
        && before
            .iter()
            .any(|field| field.name.as_bytes().eq_ignore_ascii_case(name))
    {
        return Err(FrameError::RepeatedHeader("mcp-*"));
    }
    // Not `all`: without the early exit the loop is vectorised, and nearly every name passes anyway.
    let plain = name
        .iter()
        .fold(true, |plain, b| plain & (b.is_ascii_alphanumeric() | (*b == b'-')));
    if plain {
        return Ok(());
    }
    // A CGI-style reader maps every other character to one and the same, so `X_AI_User_Assertion` and
    // `X.AI.User.Assertion` both reach an application as the real header.
    let mut folded = [0; 32];
    let known = match folded.get_mut(..name.len()) {
        Some(folded) => {
            fold(name, folded);
            Known::of(folded).is_some()
        }
        None => false,
    };
    let mut prefix = [0; MCP_PREFIX.len()];
    fold(name, &mut prefix);
    if known || prefix.eq_ignore_ascii_case(MCP_PREFIX) {
        return Err(FrameError::ShadowHeader);
    }
    Ok(())
}

fn is_mcp(name: &[u8]) -> bool {
    name.get(..MCP_PREFIX.len())
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(MCP_PREFIX))
}

/// Copies as much of `name` as fits, with everything but letters and digits turned into a hyphen.
fn fold(name: &[u8], out: &mut [u8]) {
    for (to, from) in out.iter_mut().zip(name) {
        *to = if from.is_ascii_alphanumeric() { *from } else { b'-' };
    }
}
