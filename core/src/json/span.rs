//! Where each value stands in the source text: computed once, and only for documents that are asked for it.
//!
//! The tape has no positions, but the parser's structural index and the tape list the same values in the same order.
//! Must never be asked about a text that was not parsed: it relies on the grammar and checks nothing again.

use core::cell::Cell;
use core::cell::OnceCell;
use core::ops::Range;

use super::check::string_end;

/// The source position of one tape node.
#[derive(Clone, Copy)]
pub(super) struct Span {
    start: usize,
    /// For a container the offset after its closing bracket; zero for a leaf, whose end is found when asked for.
    end: usize,
}

/// The positions of all nodes of a document, filled on first use into reused memory.
pub(super) struct Spans {
    found: OnceCell<Vec<Span>>,
    spare: Cell<Vec<Span>>,
}

impl Spans {
    pub(super) fn new(spare: Vec<Span>) -> Self {
        Self {
            found: OnceCell::new(),
            spare: Cell::new(spare),
        }
    }

    /// The memory, to be used for the next document.
    pub(super) fn take(&mut self) -> Vec<Span> {
        self.found.take().unwrap_or_else(|| self.spare.take())
    }

    /// The byte range of the node at `index`.
    pub(super) fn range(&self, source: &[u8], structurals: &[u32], index: usize) -> Range<usize> {
        let spans = self.found.get_or_init(|| {
            let mut spans = self.spare.take();
            locate(source, structurals, &mut spans);
            spans
        });
        let Some(span) = spans.get(index) else {
            return 0..0;
        };
        let start = span.start;
        let end = match source.get(start) {
            Some(b'{' | b'[') => span.end,
            Some(b'"') => string_end(source, start).unwrap_or(source.len()),
            _ => scalar_end(source, start),
        };
        start..end
    }
}

fn locate(source: &[u8], structurals: &[u32], spans: &mut Vec<Span>) {
    spans.clear();
    // While a container is open, its `end` holds the index of the container around it.
    let mut open = 0;
    for &at in structurals {
        // The parser takes no text longer than `u32::MAX`, and the address space is at least that large.
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        match source.get(at) {
            Some(b',' | b':') | None => {}
            Some(b'}' | b']') => {
                if let Some(span) = spans.get_mut(open) {
                    open = span.end;
                    span.end = at + 1;
                }
            }
            Some(b'{' | b'[') => {
                let index = spans.len();
                spans.push(Span { start: at, end: open });
                open = index;
            }
            Some(_) => spans.push(Span { start: at, end: 0 }),
        }
    }
}

fn scalar_end(source: &[u8], start: usize) -> usize {
    let rest = source.get(start..).unwrap_or_default();
    let length = rest
        .iter()
        .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
    start + length.unwrap_or(rest.len())
}
