//! The search for inbound credentials where none may be: in what a gate wrote and in what its servers saw.
//!
//! Whatever a client sent in a credential header counts, forged or not. Looked for are runs of bytes, so that a token
//! that was cut is found too.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

const HEADERS: [&[u8]; 3] = [b"authorization", b"dpop", b"x-ai-user-assertion"];

/// What is shorter may stand anywhere by chance. Of a signature, a run of this length is enough.
const SHORT: usize = 20;

/// Of anything else: claims share shorter runs (an issuer, an audience) with the tokens that the gate makes itself.
const LONG: usize = 48;

/// The credentials that one gate was sent.
#[derive(Default)]
pub(crate) struct Credentials {
    parts: BTreeSet<Vec<u8>>,
    /// The runs to look for, by their first bytes.
    runs: HashMap<Vec<u8>, HashSet<Vec<u8>>>,
}

impl Credentials {
    /// Keeps the credentials among the header lines that a client wrote.
    pub(crate) fn keep(&mut self, written: &[u8]) {
        for line in written.split(|&byte| byte == b'\n') {
            let Some(colon) = line.iter().position(|&byte| byte == b':') else {
                continue;
            };
            let name = line[..colon].trim_ascii();
            if HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header)) {
                line[colon + 1..]
                    .split(|byte| byte.is_ascii_whitespace() || *byte == b',')
                    .for_each(|value| self.keep_token(value));
            }
        }
    }

    /// How many different parts are looked for.
    pub(crate) fn count(&self) -> usize {
        self.parts.len()
    }

    /// Panics if `haystack`, which is `place`, holds anything of a credential.
    pub(crate) fn assert_absent(&self, place: &str, haystack: &[u8]) {
        let found = haystack.windows(SHORT).enumerate().find(|(at, start)| {
            let follows = |rest: &Vec<u8>| haystack[at + SHORT..].starts_with(rest);
            self.runs.get(*start).is_some_and(|rests| rests.iter().any(follows))
        });
        assert!(
            found.is_none(),
            "{place} holds a part of a credential: {:?}",
            found.map(|(_, start)| String::from_utf8_lossy(start))
        );
    }

    /// As [`Credentials::assert_absent`], for every file in `folder` and below, and their names.
    pub(crate) fn assert_absent_from_files(&self, folder: &Path) {
        for file in files(folder) {
            let place = file.display().to_string();
            self.assert_absent(&place, &fs::read(&file).expect("a readable file"));
            self.assert_absent("a file name", place.as_bytes());
        }
    }

    fn keep_token(&mut self, token: &[u8]) {
        let parts: Vec<&[u8]> = token.split(|&byte| byte == b'.').collect();
        for (index, part) in parts.iter().enumerate() {
            // The header of a token is no secret.
            let is_header = index == 0 && parts.len() > 1;
            if is_header || part.len() < SHORT || !self.parts.insert(part.to_vec()) {
                continue;
            }
            // Some forged tokens carry JSON where the signature belongs.
            let is_signature = index == 2 && !part.starts_with(b"eyJ");
            let length = if is_signature { SHORT } else { LONG.min(part.len()) };
            for run in part.windows(length) {
                let (start, rest) = run.split_at(SHORT);
                self.runs.entry(start.to_vec()).or_default().insert(rest.to_vec());
            }
        }
    }
}

/// Every file in `folder` and below; none when the test has removed it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    const HEADER: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVzIn0";

    fn claims() -> String {
        format!("eyJ{}", ('A'..='Z').chain('a'..='z').collect::<String>().repeat(2))
    }

    fn signature() -> String {
        ('a'..='z').rev().chain('0'..='9').collect::<String>().repeat(2)
    }

    fn credentials() -> Credentials {
        let mut credentials = Credentials::default();
        let request = format!(
            "POST / HTTP/1.1\r\nAUTHORIZATION: Bearer {HEADER}.{}.{}\r\nx-ai-user-assertion:opaque-secret-of-somebody\r\n\
             x-other: not-a-credential-but-long-enough\r\n\r\n",
            claims(),
            signature()
        );
        credentials.keep(request.as_bytes());
        assert_eq!(credentials.count(), 3);
        credentials
    }

    fn finds(text: &str) -> bool {
        let credentials = credentials();
        catch_unwind(|| credentials.assert_absent("the text", text.as_bytes())).is_err()
    }

    #[test]
    fn a_planted_part_is_found_whole_or_cut_and_nothing_else_is() {
        for planted in [
            claims(),
            claims()[30..30 + LONG].to_owned(),
            signature(),
            signature()[9..9 + SHORT].to_owned(),
            "opaque-secret-of-somebody".to_owned(),
        ] {
            assert!(finds(&format!("before {planted} after")), "{planted}");
            assert!(finds(&planted), "{planted}");
        }
        for harmless in [
            HEADER,
            &claims()[..LONG - 1],
            &signature()[..SHORT - 1],
            "not-a-credential-but-long-enough",
            "",
        ] {
            assert!(!finds(&format!("before {harmless} after")), "{harmless}");
        }
    }

    #[test]
    fn a_planted_part_is_found_in_a_file_of_an_inner_folder() {
        let (credentials, folder) = (credentials(), tempfile::tempdir().expect("a temporary folder"));
        let inner = folder.path().join("state/audit");
        fs::create_dir_all(&inner).expect("a folder");
        fs::write(inner.join("1.jsonl"), "{}").expect("a file");
        credentials.assert_absent_from_files(folder.path());
        fs::write(inner.join("2.jsonl"), format!("{{\"token\":\"{}\"}}", signature())).expect("a file");
        assert!(catch_unwind(|| credentials.assert_absent_from_files(folder.path())).is_err());
    }
}
