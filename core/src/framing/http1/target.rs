//! The request target, origin-form only, kept exactly as it was sent.
//!
//! Never decodes, never normalises: a route is compared with these bytes. Specification: RFC 9112 3.2, RFC 3986 3.3.

use super::headers::narrow;
use super::headers::slice;
use super::headers::text;
use crate::framing::FrameError;

/// Where the target lies in its head, and where its path ends.
#[derive(Clone, Copy, Debug)]
pub(in crate::framing) struct Target {
    at: u32,
    len: u32,
    path_len: u32,
}

impl Target {
    /// Checks `target`, which starts at byte `at` of its head.
    pub(in crate::framing) fn check(target: &[u8], at: u32) -> Result<Self, FrameError> {
        if target.first() != Some(&b'/') {
            return Err(FrameError::TargetForm);
        }
        if !target.iter().fold(true, |good, b| good & ALLOWED[usize::from(*b)]) {
            return Err(FrameError::TargetCharacter);
        }
        for percent in memchr::memchr_iter(b'%', target) {
            let triplet = target.get(percent + 1..percent + 3);
            if !triplet.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                return Err(FrameError::TargetCharacter);
            }
        }
        let path_len = memchr::memchr(b'?', target).unwrap_or(target.len());
        Ok(Self {
            at,
            len: narrow(target.len())?,
            path_len: narrow(path_len)?,
        })
    }

    /// Path and query together.
    pub(super) fn whole(self, head: &[u8]) -> &str {
        text(slice(head, self.at, self.len))
    }

    /// Everything before the first `?`.
    pub(super) fn path(self, head: &[u8]) -> &str {
        text(slice(head, self.at, self.path_len))
    }

    /// Everything after the first `?`.
    pub(super) fn query(self, head: &[u8]) -> Option<&str> {
        self.whole(head).get(self.path_len as usize + 1..)
    }
}

/// The bytes of path and query: unreserved, sub-delims, `:`, `@`, `/`, `?` and `%`. No `#`: a fragment is never sent.
const ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        allowed[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
                    | b':'
                    | b'@'
                    | b'/'
                    | b'?'
                    | b'%'
            );
        byte += 1;
    }
    allowed
};
