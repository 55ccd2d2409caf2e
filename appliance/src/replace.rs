//! Replaces a file as a whole: who reads it sees the old one or the new one, also after a crash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Puts `bytes` in the place of the file at `path`, readable by its owner alone.
///
/// # Errors
/// What the file system says. Either may be on the disk then, but whole.
pub(crate) fn file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    let next = Path::new(&next);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(next, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
