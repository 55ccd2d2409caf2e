//! Text from outside made fit for a record: bounded, and without characters that act on a terminal or hide others.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::limits::AUDIT_TEXT_BYTES_MAX;
use crate::time::UnixTime;

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

/// `2026-11-20T23:30:16.123Z` (RFC 3339).
pub(super) fn timestamp(time: UnixTime) -> String {
    let (days, second) = (time.secs() / 86_400, time.secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hours, minutes, seconds) = (second / 3_600, second / 60 % 60, second % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z",
        time.millis() % 1_000
    )
}

/// Year, month and day of a number of days since 1970-01-01, proleptic Gregorian.
///
/// Counts from 0000-03-01, so that the leap day is the last of its year and a month is a linear function of the day.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
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

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(timestamp(UnixTime::from_millis(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            timestamp(UnixTime::from_millis(951_782_399_999)),
            "2000-02-28T23:59:59.999Z"
        );
        assert_eq!(timestamp(UnixTime::from_secs(951_782_400)), "2000-02-29T00:00:00.000Z");
        assert_eq!(
            timestamp(UnixTime::from_secs(1_709_251_200)),
            "2024-03-01T00:00:00.000Z"
        );
        assert_eq!(
            timestamp(UnixTime::from_secs(4_102_444_799)),
            "2099-12-31T23:59:59.000Z"
        );
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
