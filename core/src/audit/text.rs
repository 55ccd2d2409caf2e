//! Text from outside made fit for a record: bounded, and without characters that act on a terminal or hide others.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::limits::AUDIT_TEXT_BYTES_MAX;

/// `text` itself where it is short and plain; else cut, with what acts replaced by its code point.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let kept = &text[..text.floor_char_boundary(AUDIT_TEXT_BYTES_MAX)];
    if kept.len() == text.len() && !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(kept.len() + 32);
    for c in kept.chars() {
        if acts(c) {
            write!(out, "<U+{:04X}>", u32::from(c)).expect("a String takes every write");
        } else {
            out.push(c);
        }
    }
    if kept.len() < text.len() {
        write!(out, "<{} bytes cut>", text.len() - kept.len()).expect("a String takes every write");
    }
    Cow::Owned(out)
}

/// Controls, line and paragraph separators, direction marks and overrides, and what has no width.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut out, byte| {
        write!(out, "{byte:02x}").expect("a String takes every write");
        out
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_passes_as_it_is() {
        assert!(matches!(printable("create_issue 日本語 é"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_acts_on_a_terminal_or_hides_is_spelled_out() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b\n"), "a<U+001B>[31m<U+202E>b<U+000A>");
        assert_eq!(printable("pay\u{200b}pal\u{feff}"), "pay<U+200B>pal<U+FEFF>");
    }

    #[test]
    fn long_text_is_cut_between_characters_and_says_so() {
        let long = "é".repeat(AUDIT_TEXT_BYTES_MAX);
        let cut = printable(&long);
        assert!(cut.ends_with(&format!("é<{AUDIT_TEXT_BYTES_MAX} bytes cut>")));
    }

    proptest! {
        #[test]
        fn any_text_becomes_bounded_and_inert(text in "\\PC*|.*") {
            let out = printable(&text);
            prop_assert!(!out.contains(acts));
            prop_assert!(out.len() <= AUDIT_TEXT_BYTES_MAX * 8 + 32);
        }
    }
}
