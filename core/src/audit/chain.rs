//! The place of a record: its number, and the SHA-256 of the line before it. Offline verification of what was written.
//!
//! A changed, removed, inserted or reordered line makes the next line's `prev` wrong. What this cannot show by itself is
//! that lines are missing from the end, or that everything was written anew: compare [`Chain::head`] with a copy of it
//! that was kept elsewhere.

use core::fmt;

use ring::digest::{SHA256, digest};

use super::record::Record;
use super::text::hex;
use crate::limits::AUDIT_LINE_BYTES_MAX;

/// The end of a chain: what the next line must follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    head: [u8; 32],
    next: u64,
}

impl Chain {
    /// The start of a new chain.
    #[must_use]
    pub const fn new() -> Self {
        Self { head: [0; 32], next: 0 }
    }

    /// SHA-256 of the last line without its line feed, in hexadecimal; 64 zeros for a new chain.
    #[must_use]
    pub fn head(&self) -> String {
        hex(&self.head)
    }

    /// How many lines there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.next
    }

    /// Whether there is no line.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// Appends `record` to `out` as the next line of this chain.
    pub fn append(&mut self, record: &Record, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(self.place().as_bytes());
        out.extend_from_slice(record.json().strip_prefix(b"{").unwrap_or_default());
        self.advance(&out[start..]);
        out.push(b'\n');
    }

    /// Follows `lines`, which were written after this end, and returns the end after them.
    ///
    /// # Errors
    /// The first line that does not follow, with the end before it.
    pub fn follow(mut self, lines: &[u8]) -> Result<Self, Broken> {
        let mut intact_bytes = 0;
        while let Some(rest) = lines.get(intact_bytes..).filter(|rest| !rest.is_empty()) {
            let broken = |fault| Broken {
                fault,
                line: self.next + 1,
                intact_bytes,
                intact: self,
            };
            let bounded = &rest[..rest.len().min(AUDIT_LINE_BYTES_MAX + 1)];
            let Some(length) = memchr::memchr(b'\n', bounded) else {
                return Err(broken(if bounded.len() < rest.len() {
                    Fault::TooLong
                } else {
                    Fault::Torn
                }));
            };
            let line = &rest[..length];
            // A control character could hide the next record inside this line; records have none.
            let whole = line.ends_with(b"}") && !line.iter().any(u8::is_ascii_control);
            if !whole || !line.starts_with(self.place().as_bytes()) {
                return Err(broken(Fault::DoesNotFollow));
            }
            self.advance(line);
            intact_bytes += length + 1;
        }
        Ok(self)
    }

    /// What the next line begins with.
    fn place(&self) -> String {
        format!("{{\"v\":1,\"seq\":{},\"prev\":\"{}\",", self.next, hex(&self.head))
    }

    fn advance(&mut self, line: &[u8]) {
        self.head.copy_from_slice(digest(&SHA256, line).as_ref());
        self.next += 1;
    }
}

/// Verifies a whole chain from its first line.
///
/// # Errors
/// The first line that does not follow.
pub fn verify(lines: &[u8]) -> Result<Chain, Broken> {
    Chain::new().follow(lines)
}

/// Where a chain breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong.
    pub fault: Fault,
    /// The line, from 1.
    pub line: u64,
    /// Bytes before it, all of which follow.
    pub intact_bytes: usize,
    /// The end of the chain before it.
    pub intact: Chain,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The last line has no end: a write was cut off.
    Torn,
    /// It does not follow the line before it: that one was changed, or lines were removed, inserted or reordered.
    DoesNotFollow,
    /// It is longer than any record.
    TooLong,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            Fault::Torn => "was cut off while it was written",
            Fault::DoesNotFollow => "does not follow the line before it",
            Fault::TooLong => "is longer than any record",
        };
        write!(f, "line {} {what}", self.line)
    }
}

impl core::error::Error for Broken {}

#[cfg(test)]
mod tests {
    use super::super::record::Gap;
    use super::super::record::tests::small;
    use super::*;
    use crate::time::UnixTime;

    fn written(requests: &[&str]) -> (Chain, Vec<u8>) {
        let mut chain = Chain::new();
        let mut out = Vec::new();
        for request in requests {
            chain.append(&small(request), &mut out);
        }
        (chain, out)
    }

    fn lines(bytes: &[u8]) -> Vec<&[u8]> {
        bytes.split_inclusive(|byte| *byte == b'\n').collect()
    }

    #[test]
    fn what_was_appended_verifies_and_can_be_continued() {
        let (mut chain, mut out) = written(&["a", "b"]);
        assert_eq!(verify(&out), Ok(chain));
        chain.append(&small("c"), &mut out);
        assert_eq!(verify(&out).unwrap().head(), chain.head());
        assert_eq!(chain.len(), 3);
        for line in lines(&out) {
            let json: serde_json::Value = serde_json::from_slice(line).unwrap();
            assert_eq!(json["v"], 1);
        }
        assert_eq!(verify(b""), Ok(Chain::new()));
    }

    #[test]
    fn a_gap_has_its_place_in_the_chain_and_cannot_be_taken_out() {
        let (mut chain, mut out) = written(&["a"]);
        let now = UnixTime::from_secs(1);
        chain.append(Gap::new(now, 2, now).record(), &mut out);
        chain.append(&small("b"), &mut out);
        assert_eq!(verify(&out), Ok(chain));
        let whole = lines(&out);
        let without = verify(&[whole[0], whole[2]].concat()).unwrap_err();
        assert_eq!((without.fault, without.line), (Fault::DoesNotFollow, 2));
    }

    #[test]
    fn a_changed_removed_inserted_or_swapped_line_shows() {
        let (_, out) = written(&["a", "b", "c", "d"]);
        let whole = lines(&out);
        let fault_of = |lines: &[&[u8]]| verify(&lines.concat()).map_err(|broken| (broken.fault, broken.line));
        let changed = String::from_utf8(whole[1].to_vec())
            .unwrap()
            .replace("\"sig\"", "\"aud\"");
        let follows = Err((Fault::DoesNotFollow, 3));
        assert_eq!(fault_of(&[whole[0], changed.as_bytes(), whole[2], whole[3]]), follows);
        assert_eq!(
            fault_of(&[whole[0], whole[2], whole[3]]),
            Err((Fault::DoesNotFollow, 2))
        );
        assert_eq!(fault_of(&[whole[0], whole[1], whole[1], whole[2]]), follows);
        assert_eq!(
            fault_of(&[whole[0], whole[2], whole[1], whole[3]]),
            Err((Fault::DoesNotFollow, 2))
        );
        assert_eq!(fault_of(&[whole[1]]), Err((Fault::DoesNotFollow, 1)));
    }

    #[test]
    fn every_single_flipped_byte_before_the_last_line_shows() {
        let (_, out) = written(&["a", "b"]);
        let first = lines(&out)[0].len();
        for at in 0..first {
            let mut flipped = out.clone();
            flipped[at] ^= 1;
            assert!(verify(&flipped).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_missing_end_changes_the_head() {
        let (chain, out) = written(&["a", "b"]);
        let shorter = verify(lines(&out)[0]).unwrap();
        assert_ne!(shorter.head(), chain.head());
    }

    #[test]
    fn a_torn_last_line_says_how_much_is_intact() {
        let (_, out) = written(&["a", "b"]);
        let broken = verify(&out[..out.len() - 5]).unwrap_err();
        let first = lines(&out)[0];
        assert_eq!(
            (broken.fault, broken.line, broken.intact_bytes),
            (Fault::Torn, 2, first.len())
        );
        assert_eq!(broken.intact, verify(first).unwrap());
        assert_eq!(broken.to_string(), "line 2 was cut off while it was written");
    }

    #[test]
    fn an_endless_line_is_refused_without_reading_it_whole() {
        let endless = vec![b'x'; AUDIT_LINE_BYTES_MAX * 2];
        assert_eq!(verify(&endless).unwrap_err().fault, Fault::TooLong);
    }
}
