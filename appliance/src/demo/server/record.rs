//! What the sample server was sent, kept so that the story can show it and search it.
//!
//! Holds every byte of each request, so that "no inbound credential reached the server" is a search over all of it and
//! not over what somebody thought to keep. In memory only, and bounded.

use std::collections::VecDeque;

/// Requests kept; the oldest goes when a further one comes.
const RECORDS_MAX: usize = 64;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Record {
    /// Head and decoded body, every byte.
    pub bytes: Vec<u8>,
    /// The names of its header fields, in order, lower-case.
    pub headers: Vec<String>,
    /// The claims of the delegated token, as JSON; none if the guard refused it.
    pub claims: Option<String>,
    /// The tool it called, if it called one.
    pub tool: Option<String>,
}

impl Record {
    /// Whether `needle` stands anywhere in the request.
    #[must_use]
    pub fn contains(&self, needle: &[u8]) -> bool {
        !needle.is_empty() && self.bytes.windows(needle.len()).any(|window| window == needle)
    }
}

/// The newest records, oldest first.
#[derive(Debug, Default)]
pub(super) struct Records(VecDeque<Record>);

impl Records {
    pub(super) fn keep(&mut self, record: Record) {
        if self.0.len() == RECORDS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(record);
    }

    pub(super) fn to_vec(&self) -> Vec<Record> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_record_goes_first_and_a_search_sees_every_byte() {
        let mut records = Records::default();
        for number in 0..=RECORDS_MAX {
            let bytes = format!("request {number}.").into_bytes();
            records.keep(Record {
                bytes,
                headers: Vec::new(),
                claims: None,
                tool: None,
            });
        }
        let kept = records.to_vec();
        assert_eq!(kept.len(), RECORDS_MAX);
        assert!(kept[0].contains(b"request 1."));
        assert!(!kept[0].contains(b"request 0."));
        assert!(!kept[0].contains(b""));
    }
}
