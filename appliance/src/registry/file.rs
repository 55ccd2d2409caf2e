//! Replaces a file as a whole, or not at all; never writes into it.
//!
//! A link stays a link: what it leads to is replaced. Mode and owner stay.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Puts `new` in the place of the file at `target`, which is no link, unless it holds something else than `seen` by
/// now. On the disk when this returns true.
///
/// # Errors
/// What the file system says. The file is as it was, or (if only its folder could not be synced) holds all of `new`.
pub(super) fn replace(target: &Path, seen: &str, new: &str) -> io::Result<bool> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let draft = Draft::beside(target, folder)?;
    draft.write(target, new)?;
    // Nobody who saves the file at this very moment is heard of: no system call replaces a file only if it is unchanged.
    if fs::read(target)? != seen.as_bytes() {
        return Ok(false);
    }
    fs::rename(&draft.0, target)?;
    File::open(folder)?.sync_all()?;
    Ok(true)
}

/// A file that becomes the target, or is removed.
struct Draft(PathBuf);

impl Draft {
    fn beside(target: &Path, folder: &Path) -> io::Result<Self> {
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(".next");
        let path = folder.join(name);
        // One that a crash left behind; nobody else writes here meanwhile, whoever edits holds the lock.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self(path)),
        }
    }

    fn write(&self, target: &Path, text: &str) -> io::Result<()> {
        let old = fs::metadata(target)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.0)?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))
                .map_err(|error| io::Error::new(error.kind(), format!("its owner cannot be kept: {error}")))?;
        }
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename there is none.
        let _ = fs::remove_file(&self.0);
    }
}
