//! Where the key of the store comes from: a file of its own, the service manager, or the desktop's keychain.
//!
//! A key is made once and never replaced: what it sealed could not be opened any more. Never prints one.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::seal::{KEY_BYTES, StoreKey};
use super::{is_there, unfinished, write_new};
use crate::config::Diagnostic;
use crate::config::keys::{make_folder, refuse_shared};

/// What the service manager calls the key (systemd.exec(5), "Credentials").
const CREDENTIAL: &str = "portreeve-store-key";

/// Where the key is kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum KeySource {
    /// The service manager's, where it passes one; else a file. What is meant when nothing is said.
    #[default]
    #[serde(skip)]
    Automatic,
    /// A file in the state directory, made on first use.
    File,
    /// A credential of the service manager, and nothing else.
    Credential,
    /// The desktop's keychain.
    Keychain,
}

impl KeySource {
    /// Whether this build can take the key from there.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        cfg!(feature = "keychain") || !matches!(self, Self::Keychain)
    }
}

/// Where the key is, in words.
pub(super) fn place(state_dir: &Path, source: KeySource) -> String {
    match resolved(source) {
        Place::File => file(state_dir).display().to_string(),
        Place::Credential(Some(path)) => path.display().to_string(),
        Place::Credential(None) => format!("the credential {CREDENTIAL}"),
        Place::Keychain => "the keychain".to_owned(),
    }
}

/// The key, if it is there.
pub(super) fn find(state_dir: &Path, source: KeySource) -> Result<Option<StoreKey>, Diagnostic> {
    match resolved(source) {
        Place::File => {
            let path = file(state_dir);
            if !is_there(&path)? {
                return Ok(None);
            }
            refuse_shared(state_dir, 0o700)?;
            refuse_shared(&path, 0o600)?;
            read(&path).map(Some)
        }
        // Its mode is the service manager's business: it may show the mask of an access list.
        Place::Credential(Some(path)) => read(&path).map(Some),
        Place::Credential(None) => Err(no_credential(state_dir)),
        Place::Keychain => keychain::find(state_dir),
    }
}

/// Makes the key, or takes the one that somebody else has made meanwhile.
pub(super) fn make(state_dir: &Path, source: KeySource) -> Result<StoreKey, Diagnostic> {
    match resolved(source) {
        Place::File => make_file(&file(state_dir)),
        Place::Credential(_) => Err(no_credential(state_dir)),
        Place::Keychain => keychain::make(state_dir),
    }
}

enum Place {
    File,
    Credential(Option<PathBuf>),
    Keychain,
}

fn resolved(source: KeySource) -> Place {
    let passed = || {
        let folder = env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty())?;
        Some(PathBuf::from(folder).join(CREDENTIAL)).filter(|path| path.exists())
    };
    match source {
        KeySource::File => Place::File,
        KeySource::Credential => Place::Credential(passed()),
        KeySource::Keychain => Place::Keychain,
        KeySource::Automatic => passed().map_or(Place::File, |path| Place::Credential(Some(path))),
    }
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("keys").join("store.key")
}

fn read(path: &Path) -> Result<StoreKey, Diagnostic> {
    let bytes = fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| Diagnostic::of_file(path, format!("cannot be read: {error}")))?;
    StoreKey::new(&bytes).ok_or_else(|| {
        Diagnostic::of_file(
            path,
            format!("a store key has exactly {KEY_BYTES} bytes, and this has not"),
        )
        .hint("restore it from a backup; what was sealed with it cannot be opened with another")
    })
}

/// Written beside and linked into place, so that it is never there in part and never replaced.
fn make_file(path: &Path) -> Result<StoreKey, Diagnostic> {
    let fault = |error: io::Error| Diagnostic::of_file(path, format!("cannot be written: {error}"));
    let bytes = random().ok_or_else(|| Diagnostic::of_file(path, "cannot be made: the system gives no randomness"))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let next = unfinished(path);
    // Nothing may be sealed with a key that a power cut could still take away.
    let linked = write_new(&next, &bytes[..])
        .and_then(|()| fs::hard_link(&next, path))
        .and_then(|()| fs::File::open(folder)?.sync_all());
    // It may never have been made.
    let _ = fs::remove_file(&next);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(fault(error)),
        _ => read(path),
    }
}

fn random() -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    SystemRandom::new().fill(&mut bytes[..]).ok()?;
    Some(bytes)
}

fn no_credential(state_dir: &Path) -> Diagnostic {
    let message = format!("the key of its secrets is the credential {CREDENTIAL}, and this process was not given one");
    Diagnostic::of_file(state_dir, message).hint(
        "in the unit: LoadCredentialEncrypted=portreeve-store-key; on a terminal: systemd-run --pty -p \
         LoadCredentialEncrypted=portreeve-store-key portreeve secret set ...",
    )
}

#[cfg(feature = "keychain")]
mod keychain {
    //! The key in the desktop's keychain, under the path of the state directory.

    use keyring_core::api::CredentialStoreApi as _;
    use keyring_core::{Entry, Error};
    use zbus_secret_service_keyring_store::Store;

    use super::{Diagnostic, Path, StoreKey, Zeroizing, fs, random};

    pub(super) fn find(state_dir: &Path) -> Result<Option<StoreKey>, Diagnostic> {
        let found = entry(state_dir).and_then(|entry| entry.get_secret());
        match found.map(Zeroizing::new) {
            Ok(bytes) => StoreKey::new(&bytes)
                .map(Some)
                .ok_or_else(|| Diagnostic::of_file(state_dir, "what the keychain holds for portreeve is no store key")),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(fault(state_dir, &error)),
        }
    }

    pub(super) fn make(state_dir: &Path) -> Result<StoreKey, Diagnostic> {
        let bytes = random().ok_or_else(|| {
            Diagnostic::of_file(state_dir, "the system gives no randomness for the key of its secrets")
        })?;
        entry(state_dir)
            .and_then(|entry| entry.set_secret(&bytes[..]))
            .map_err(|error| fault(state_dir, &error))?;
        find(state_dir)?
            .ok_or_else(|| Diagnostic::of_file(state_dir, "the keychain did not keep the key of its secrets"))
    }

    fn entry(state_dir: &Path) -> Result<Entry, Error> {
        let place = fs::canonicalize(state_dir).unwrap_or_else(|_| state_dir.to_owned());
        Store::new()?.build("portreeve-store-key", &place.display().to_string(), None)
    }

    fn fault(state_dir: &Path, error: &Error) -> Diagnostic {
        Diagnostic::of_file(
            state_dir,
            format!("the keychain does not give the key of its secrets: {error}"),
        )
        .hint("unlock it, or keep the key elsewhere: [secrets] key = \"file\"")
    }
}

#[cfg(not(feature = "keychain"))]
mod keychain {
    //! Says that there is none in this build.

    use super::{Diagnostic, Path, StoreKey};

    pub(super) fn find(state_dir: &Path) -> Result<Option<StoreKey>, Diagnostic> {
        make(state_dir).map(Some)
    }

    pub(super) fn make(state_dir: &Path) -> Result<StoreKey, Diagnostic> {
        Err(Diagnostic::of_file(
            state_dir,
            "the key of its secrets is in the keychain, and this portreeve cannot use one",
        )
        .hint("build it with --features keychain, or say [secrets] key = \"file\""))
    }
}
