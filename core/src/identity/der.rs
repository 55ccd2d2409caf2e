//! A reader of DER (X.690 10), as far as certificates need it: definite lengths, tags of one byte.
//!
//! Must never read beyond what it was given, or take a second spelling of a length.

use crate::time::UnixTime;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// What is left to read of a value.
#[derive(Clone, Copy)]
pub(super) struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    pub(super) const fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element: its tag and its contents.
    pub(super) fn any(&mut self) -> Option<(u8, &'d [u8])> {
        let (&[tag, short], rest) = self.0.split_first_chunk()?;
        // Tags of more than one byte appear in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            0x81 => {
                let (&[length], rest) = rest.split_first_chunk()?;
                (usize::from(length), rest)
            }
            0x82 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            _ => return None,
        };
        // SPEC: X.690 10.1: the fewest octets that can hold it.
        if matches!((short, length), (0x81, 0..0x80) | (0x82, 0..0x100)) {
            return None;
        }
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next element, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'d [u8]> {
        self.any()
            .filter(|(found, _)| *found == tag)
            .map(|(_, contents)| contents)
    }

    /// As [`Reader::take`], if the next element has this tag.
    pub(super) fn take_if(&mut self, tag: u8) -> Option<Option<&'d [u8]>> {
        if self.0.first() == Some(&tag) {
            self.take(tag).map(Some)
        } else {
            Some(None)
        }
    }

    /// SPEC: RFC 5280 4.1.2.5: UTC to the second; years from 50 on are of the last century.
    pub(super) fn time(&mut self) -> Option<UnixTime> {
        let (tag, text) = self.any()?;
        let digits = text.strip_suffix(b"Z")?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = |digits: &[u8]| digits.iter().fold(0, |all, digit| all * 10 + u64::from(digit - b'0'));
        let (year, rest) = match (tag, digits.len()) {
            (UTC_TIME, 12) => {
                let year = number(&digits[..2]);
                (if year < 50 { 2_000 + year } else { 1_900 + year }, &digits[2..])
            }
            (GENERALIZED_TIME, 14) => (number(&digits[..4]), &digits[4..]),
            _ => return None,
        };
        let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|at| number(&rest[at..at + 2]));
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let start = UnixTime::from_day(year, month, day)?;
        Some(UnixTime::from_secs(start.secs() + hour * 3_600 + minute * 60 + second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_read_whole_or_not_at_all() {
        let long = [&[0x04, 0x81, 0x80][..], &[7; 0x80]].concat();
        assert_eq!(Reader::new(&long).take(OCTET_STRING).map(<[u8]>::len), Some(0x80));
        let longer = [&[0x04, 0x82, 0x01, 0x00][..], &[7; 0x100]].concat();
        assert_eq!(Reader::new(&longer).take(OCTET_STRING).map(<[u8]>::len), Some(0x100));
        for bad in [
            &[][..],
            &[0x04],
            &[0x04, 0x02, 0x00],
            &[0x04, 0x80, 0x00, 0x00],
            &[0x04, 0x81, 0x01, 0x00],
            &[0x04, 0x82, 0x00, 0x01, 0x00],
            &[0x04, 0x83, 0x00, 0x00, 0x01, 0x00],
            &[0x1f, 0x01, 0x00],
        ] {
            assert!(Reader::new(bad).any().is_none(), "{bad:02x?}");
        }
        assert_eq!(Reader::new(&[0x04, 0x00]).take(INTEGER), None);
        assert_eq!(Reader::new(&[0x04, 0x00]).take_if(INTEGER), Some(None));
        assert_eq!(Reader::new(&[0x02, 0x01]).take_if(INTEGER), None);
    }

    #[test]
    fn both_forms_of_time_are_read_and_no_other() {
        let time = |tag: u8, text: &str| {
            let length = u8::try_from(text.len()).unwrap();
            Reader::new(&[&[tag, length], text.as_bytes()].concat()).time()
        };
        assert_eq!(
            time(UTC_TIME, "270115080000Z"),
            Some(UnixTime::from_secs(1_800_000_000))
        );
        assert_eq!(
            time(GENERALIZED_TIME, "20270115080000Z"),
            time(UTC_TIME, "270115080000Z")
        );
        assert_eq!(time(UTC_TIME, "700101000001Z"), Some(UnixTime::from_secs(1)));
        for (tag, bad) in [
            (UTC_TIME, "2701150800Z"),
            (UTC_TIME, "270115080000+0100"),
            (UTC_TIME, "270115080000"),
            (UTC_TIME, "270230080000Z"),
            (UTC_TIME, "270115240000Z"),
            (UTC_TIME, "27011508000/Z"),
            (UTC_TIME, "600101000000Z"),
            (GENERALIZED_TIME, "270115080000Z"),
            (GENERALIZED_TIME, "20270115080000.5Z"),
            (OCTET_STRING, "270115080000Z"),
        ] {
            assert_eq!(time(tag, bad), None, "{bad}");
        }
    }
}
