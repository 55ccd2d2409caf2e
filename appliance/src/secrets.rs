//! The sealed store: what servers ask of the gate itself (API keys and the like), encrypted in the state directory.
//!
//! One file for each secret, replaced as a whole, so that who reads while somebody writes sees the one or the other.
//! Never shows a secret or how long it is. What others could read or change is refused, not repaired.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use portreeve_core::limits::SECRET_BYTES_MAX;
use portreeve_core::time::UnixTime;
use zeroize::Zeroizing;

use crate::clock;
use crate::config::Diagnostic;
use crate::config::keys::{make_folder, refuse_shared};

mod key;
mod seal;

pub use key::KeySource;

use seal::{FILE_BYTES_MAX, Fault};

/// The store's directory in the state directory.
pub const FOLDER: &str = "secrets";
/// How the files of the store end.
const ENDING: &str = ".sealed";
/// Bytes of a secret's name.
const NAME_BYTES_MAX: usize = 64;
/// Secrets in one store.
const SECRETS_MAX: usize = 1_024;

/// A secret in the clear, wiped when it is dropped.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes `bytes` over.
    #[must_use]
    pub const fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The secret itself, for who wipes it.
    #[must_use]
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What may be known of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// When it was set, as its file says.
    pub set: UnixTime,
}

/// The store of one state directory.
#[derive(Clone, Debug)]
pub struct Store {
    state_dir: PathBuf,
    source: KeySource,
}

impl Store {
    /// The store in `state_dir` whose key comes from `source`. Touches nothing yet.
    #[must_use]
    pub fn new(state_dir: &Path, source: KeySource) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            source,
        }
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.state_dir.join(FOLDER)
    }

    /// Makes its directory where it is missing.
    ///
    /// # Errors
    /// It cannot be made, or others can use it.
    pub fn prepare(&self) -> Result<(), Diagnostic> {
        let folder = self.folder();
        make_folder(&folder)?;
        refuse_shared(&self.state_dir, 0o700)?;
        refuse_shared(&folder, 0o700)
    }

    /// The secret of this name; `None` if there is none.
    ///
    /// # Errors
    /// The file or the key is damaged, missing or open to others, or they do not belong together.
    pub fn get(&self, name: &str) -> Result<Option<Secret>, Diagnostic> {
        let path = self.path(name)?;
        if !is_there(&path)? {
            return Ok(None);
        }
        refuse_shared(&self.state_dir, 0o700)?;
        refuse_shared(&self.folder(), 0o700)?;
        refuse_shared(&path, 0o600)?;
        let file = read(&path)?;
        let key = key::find(&self.state_dir, self.source)?.ok_or_else(|| self.lost_key())?;
        seal::open(&key, name, &file)
            .map(|opened| Some(Secret(opened)))
            .map_err(|fault| self.unopened(&path, name, fault))
    }

    /// Seals `secret` under `name`. Says whether there was one before.
    ///
    /// # Errors
    /// The name or secret is refused, the key is missing though something was sealed with it, or the disk fails.
    pub fn set(&self, name: &str, secret: &Secret) -> Result<bool, Diagnostic> {
        let path = self.path(name)?;
        if secret.expose().is_empty() || secret.expose().len() > SECRET_BYTES_MAX {
            let message = format!("a secret has 1 to {SECRET_BYTES_MAX} bytes; nothing was stored");
            return Err(Diagnostic::of_file(&path, message));
        }
        self.refuse_stranger()?;
        self.prepare()?;
        // By name alone: this is how a file that is damaged is mended.
        let names = self.names()?;
        let replaces = names.iter().any(|other| other == name);
        if !replaces && names.len() >= SECRETS_MAX {
            let message = format!("the store is full, with {SECRETS_MAX} secrets");
            return Err(Diagnostic::of_file(&self.folder(), message).hint("remove some: portreeve secret rm NAME"));
        }
        let key = match key::find(&self.state_dir, self.source)? {
            Some(key) => key,
            // What is sealed already could not be opened with a new key.
            None if !names.is_empty() => return Err(self.lost_key()),
            None => key::make(&self.state_dir, self.source)?,
        };
        let sealed = seal::seal(&key, name, secret.expose(), clock::now())
            .ok_or_else(|| Diagnostic::of_file(&path, "cannot be sealed: the system gives no randomness"))?;
        replace(&path, &sealed).map_err(|error| Diagnostic::of_file(&path, format!("cannot be written: {error}")))?;
        Ok(replaces)
    }

    /// Every secret by name. Needs no key and opens nothing.
    ///
    /// # Errors
    /// The directory cannot be read, or a file in it is no sealed secret.
    pub fn list(&self) -> Result<Vec<Listed>, Diagnostic> {
        let listed = |name: String| {
            let path = self.path(&name)?;
            let set = seal::set_at(&read(&path)?).map_err(|fault| self.unopened(&path, &name, fault))?;
            Ok(Listed { name, set })
        };
        self.names()?.into_iter().map(listed).collect()
    }

    /// The names of all secrets, in order.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn names(&self) -> Result<Vec<String>, Diagnostic> {
        let folder = self.folder();
        let fault = |error: io::Error| Diagnostic::of_file(&folder, format!("cannot be read: {error}"));
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fault(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file_name = entry.map_err(fault)?.file_name();
            let name = file_name.to_str().and_then(|name| name.strip_suffix(ENDING));
            names.extend(name.filter(|name| is_name(name)).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Removes the secret of this name; says whether there was one.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self, name: &str) -> Result<bool, Diagnostic> {
        let path = self.path(name)?;
        let removed = fs::remove_file(&path).and_then(|()| File::open(self.folder())?.sync_all());
        match removed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Diagnostic::of_file(&path, format!("cannot be removed: {error}"))),
        }
    }

    /// Names stand in file names and commands, so they are plain.
    fn path(&self, name: &str) -> Result<PathBuf, Diagnostic> {
        let folder = self.folder();
        if is_name(name) {
            return Ok(folder.join(format!("{name}{ENDING}")));
        }
        Err(
            Diagnostic::of_file(&folder, format!("`{}` is not a name for a secret", name.escape_debug()))
                .hint("letters, digits, - and _, at most 64, first a letter or digit"),
        )
    }

    /// Files of another user could not be read by the gate.
    fn refuse_stranger(&self) -> Result<(), Diagnostic> {
        let (Ok(state), us) = (fs::metadata(&self.state_dir), rustix::process::geteuid().as_raw()) else {
            // It is made by us, then.
            return Ok(());
        };
        if state.uid() == us {
            return Ok(());
        }
        let message = format!(
            "this directory belongs to user id {}, and this is user id {us}",
            state.uid()
        );
        let hint = format!(
            "run this as the gate's own user: sudo -u '#{}' portreeve secret set ...",
            state.uid()
        );
        Err(Diagnostic::of_file(&self.state_dir, message).hint(hint))
    }

    fn lost_key(&self) -> Diagnostic {
        let place = key::place(&self.state_dir, self.source);
        Diagnostic::of_file(&self.folder(), format!("secrets are sealed here, and their key is missing: {place}")).hint(
            "restore the key, or say in [secrets] where it is; if it is lost, remove the files here and set each secret \
             again",
        )
    }

    fn unopened(&self, path: &Path, name: &str, fault: Fault) -> Diagnostic {
        let again = format!("set it again: portreeve secret set {name}");
        let hint = match fault {
            Fault::OtherKey => format!(
                "the key in use is {}; give the right one, or {again}",
                key::place(&self.state_dir, self.source)
            ),
            Fault::NotSealed | Fault::Version(_) | Fault::Altered => again,
        };
        Diagnostic::of_file(path, fault.to_string()).hint(hint)
    }
}

/// Whether `name` can be the name of a secret.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with(['-', '_'])
}

/// Whether there is something at `path`; what cannot be looked at is not taken for absent.
fn is_there(path: &Path) -> Result<bool, Diagnostic> {
    path.try_exists()
        .map_err(|error| Diagnostic::of_file(path, format!("cannot be read: {error}")))
}

fn read(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| Diagnostic::of_file(path, format!("cannot be read: {error}")))?;
    Ok(bytes)
}

/// Writes a file that is there whole or not at all, for this user only.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = unfinished(path);
    let written = write_new(&next, bytes).and_then(|()| fs::rename(&next, path));
    if written.is_err() {
        // It may never have been made.
        let _ = fs::remove_file(&next);
    }
    written?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// A name beside `path` that nobody else writes to, and that is no secret's.
fn unfinished(path: &Path) -> PathBuf {
    let mut random = [0; 8];
    clock::entropy(&mut random);
    path.with_file_name(format!(".{:016x}.next", u64::from_be_bytes(random)))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
