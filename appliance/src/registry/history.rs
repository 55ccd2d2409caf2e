//! The last texts of the configuration file before each change by command, in the state directory, to take back from.
//!
//! Holds what the file held, so only its owner may read it. A text is given back only if nothing else changed since.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// The folder's name in the state directory.
const FOLDER: &str = "history";
/// Versions that are kept; the oldest goes first.
pub const VERSIONS_MAX: usize = 20;

/// A change by command, and the text before it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Version {
    /// When, in seconds since 1970.
    pub time: u64,
    /// The user id of whoever asked for it.
    pub by: u32,
    /// What was done, as the command line has it.
    pub what: String,
    /// Whether it is for good: that is not taken back.
    pub is_final: bool,
    /// SHA-256 of the text after it, in hexadecimal.
    pub after: String,
    /// The text before it.
    pub before: String,
}

/// The versions of one state directory.
#[derive(Clone, Debug)]
pub struct History {
    folder: PathBuf,
}

impl History {
    /// That of `state_dir`, which may be missing: then there is none.
    #[must_use]
    pub fn of(state_dir: &Path) -> Self {
        Self {
            folder: state_dir.join(FOLDER),
        }
    }

    /// Every version with the file that keeps it, oldest first. What is no version is passed over.
    ///
    /// # Errors
    /// The folder is there and cannot be read.
    pub fn versions(&self) -> io::Result<Vec<(PathBuf, Version)>> {
        let version = |file: PathBuf| {
            let version = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            Some((file, version))
        };
        Ok(self.files()?.into_iter().filter_map(version).collect())
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let files: io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut files = files?;
        files.sort();
        Ok(files)
    }

    /// Keeps one more, and gives back its file.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn keep(&self, version: &Version) -> io::Result<PathBuf> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let kept = self.files()?;
        let last = kept.iter().filter_map(|file| number(file)).max().unwrap_or(0);
        let file = self.folder.join(format!("{:09}.json", last + 1));
        let mut made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)?;
        made.write_all(&serde_json::to_vec(version)?)?;
        for old in kept.iter().take((kept.len() + 1).saturating_sub(VERSIONS_MAX)) {
            fs::remove_file(old)?;
        }
        Ok(file)
    }
}

fn number(file: &Path) -> Option<u64> {
    file.file_stem()?.to_str()?.parse().ok()
}

/// SHA-256 of `text`, in hexadecimal.
pub(super) fn sha256(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut out, byte| {
        // A string takes everything.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
