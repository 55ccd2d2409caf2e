//! The store on a real disk: what it keeps, and what it refuses.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

use tempfile::TempDir;

use super::*;

fn store(folder: &TempDir) -> Store {
    let state = folder.path().join("state");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&state)
        .unwrap();
    Store::new(&state, KeySource::File)
}

fn secret(text: &str) -> Secret {
    Secret::new(Zeroizing::new(text.as_bytes().to_vec()))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn keeps_replaces_lists_and_removes_for_this_user_only() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    assert!(store.list().unwrap().is_empty() && store.get("town").unwrap().is_none());
    assert!(!store.set("town", &secret("first")).unwrap());
    assert!(store.set("town", &secret("second")).unwrap());
    assert!(!store.set("harbour", &secret("third")).unwrap());
    assert_eq!(store.get("town").unwrap().unwrap().expose(), b"second");
    let names: Vec<String> = store.list().unwrap().into_iter().map(|listed| listed.name).collect();
    assert_eq!(names, ["harbour", "town"]);
    assert_eq!(mode(&store.folder()), 0o700);
    for file in files(&store.folder())
        .into_iter()
        .chain(files(&store.state_dir.join("keys")))
    {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert!(store.remove("town").unwrap() && !store.remove("town").unwrap());
    assert!(store.get("town").unwrap().is_none());
}

#[test]
fn nothing_on_the_disk_or_in_debug_output_shows_a_secret() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let shown = "an-unusual-secret-of-the-town";
    store.set("town", &secret(shown)).unwrap();
    for file in files(&store.folder()) {
        let bytes = fs::read(&file).unwrap();
        assert!(
            !String::from_utf8_lossy(&bytes).contains(&shown[..8]),
            "{}",
            file.display()
        );
    }
    assert_eq!(format!("{:?}", store.get("town").unwrap()), "Some(Secret)");
}

#[test]
fn what_others_could_use_is_refused_with_the_remedy() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    store.set("town", &secret("secret")).unwrap();
    let sealed = store.folder().join("town.sealed");
    let key = store.state_dir.join("keys/store.key");
    for (path, open, closed) in [
        (&sealed, 0o644, 0o600),
        (&key, 0o640, 0o600),
        (&store.folder(), 0o755, 0o700),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(open)).unwrap();
        let fault = store.get("town").unwrap_err();
        assert_eq!(fault.hint.unwrap(), format!("chmod {closed:o} {}", path.display()));
        fs::set_permissions(path, fs::Permissions::from_mode(closed)).unwrap();
    }
    assert!(store.get("town").is_ok());
}

#[test]
fn files_that_change_places_and_keys_that_do_not_fit_are_refused() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    store.set("one", &secret("first")).unwrap();
    store.set("two", &secret("second")).unwrap();
    fs::rename(store.folder().join("one.sealed"), store.folder().join("two.sealed")).unwrap();
    assert!(
        store
            .get("two")
            .unwrap_err()
            .message
            .contains("changed, cut or renamed")
    );
    let key = store.state_dir.join("keys/store.key");
    fs::write(&key, [1; 32]).unwrap();
    assert!(store.get("two").unwrap_err().message.contains("another key"));
    fs::write(&key, [1; 31]).unwrap();
    assert!(store.get("two").unwrap_err().message.contains("exactly 32 bytes"));
}

#[test]
fn a_lost_key_is_never_replaced_while_something_is_sealed_with_it() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    store.set("town", &secret("secret")).unwrap();
    let key = store.state_dir.join("keys/store.key");
    fs::remove_file(&key).unwrap();
    assert!(store.get("town").unwrap_err().message.contains("their key is missing"));
    assert!(
        store
            .set("other", &secret("secret"))
            .unwrap_err()
            .message
            .contains("their key is missing")
    );
    assert!(!key.exists());
    assert!(store.remove("town").unwrap());
    assert!(!store.set("other", &secret("secret")).unwrap());
}

#[test]
fn a_damaged_file_is_mended_by_setting_its_secret_again() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    store.set("town", &secret("first")).unwrap();
    fs::write(store.folder().join("town.sealed"), "nonsense").unwrap();
    assert!(
        store
            .list()
            .unwrap_err()
            .hint
            .unwrap()
            .contains("portreeve secret set town")
    );
    assert!(store.get("town").unwrap_err().message.contains("not a sealed secret"));
    assert!(store.set("town", &secret("second")).unwrap());
    assert_eq!(store.get("town").unwrap().unwrap().expose(), b"second");
}

#[test]
fn names_that_could_leave_the_store_and_secrets_that_are_none_are_refused() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    for name in ["", "../up", "a/b", ".hidden", "-rf", "a b", "ä", &"x".repeat(65)] {
        assert!(store.set(name, &secret("secret")).is_err(), "{name}");
    }
    for wrong in [String::new(), "x".repeat(SECRET_BYTES_MAX + 1)] {
        assert!(store.set("town", &secret(&wrong)).is_err());
    }
    assert!(!store.folder().exists());
}

#[test]
fn many_writers_at_once_leave_whole_secrets_under_one_key() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let store = store.clone();
            scope.spawn(move || {
                for round in 0..8 {
                    store.set("shared", &secret(&format!("{writer}-{round}"))).unwrap();
                    store
                        .set(&format!("own-{writer}"), &secret(&format!("{round}")))
                        .unwrap();
                    assert!(store.get("shared").unwrap().is_some());
                }
            });
        }
    });
    assert_eq!(store.list().unwrap().len(), 9);
    for writer in 0..8 {
        assert_eq!(store.get(&format!("own-{writer}")).unwrap().unwrap().expose(), b"7");
    }
    assert!(
        files(&store.folder())
            .iter()
            .all(|file| file.extension().unwrap() == "sealed")
    );
}

#[test]
fn a_key_that_nobody_passes_is_an_error_that_says_how() {
    let folder = TempDir::new().unwrap();
    let state = store(&folder).state_dir;
    let credential = Store::new(&state, KeySource::Credential);
    let fault = credential.set("town", &secret("secret")).unwrap_err();
    assert!(fault.hint.unwrap().contains("LoadCredentialEncrypted="));
    #[cfg(not(feature = "keychain"))]
    {
        let keychain = Store::new(&state, KeySource::Keychain);
        let fault = keychain.set("town", &secret("secret")).unwrap_err();
        assert!(fault.hint.unwrap().contains("--features keychain"));
    }
}
