//! `portreeve secret` as its user meets it: the real binary, real files, exit codes and words.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const SHOWN: &str = "sk-test-0123456789abcdefghij";

/// Runs `portreeve secret` with `input` on standard input.
fn secret(directory: &Path, arguments: &[&str], input: &[u8]) -> Output {
    run(
        Command::new(env!("CARGO_BIN_EXE_portreeve")),
        directory,
        arguments,
        input,
    )
}

fn run(mut command: Command, directory: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = command
        .arg("secret")
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command line that is wrong is not read any further.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn initialised() -> TempDir {
    let directory = TempDir::new().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .arg("init")
        .current_dir(directory.path())
        .output();
    assert!(made.unwrap().status.success());
    directory
}

fn words(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn a_secret_is_set_replaced_listed_and_removed_and_never_shown() {
    let directory = initialised();
    let here = directory.path();
    let line = format!("{SHOWN}\n");
    let set = secret(here, &["set", "town-key"], line.as_bytes());
    assert!(
        set.status.success() && words(&set).contains("`town-key` is set"),
        "{}",
        words(&set)
    );
    let again = secret(here, &["set", "town-key"], line.as_bytes());
    assert!(words(&again).contains("is replaced"), "{}", words(&again));
    let listed = secret(here, &["list"], b"");
    assert!(words(&listed).starts_with("town-key\n  set 20"), "{}", words(&listed));
    let elsewhere = secret(
        Path::new("/"),
        &["list", "--state-dir", here.join("state").to_str().unwrap()],
        b"",
    );
    assert_eq!(words(&listed), words(&elsewhere) + "  used by nobody\n");
    let slip = secret(here, &["rm", "town-kee"], b"");
    assert_eq!(slip.status.code(), Some(1));
    assert!(words(&slip).contains("did you mean `town-key`?"));
    assert!(secret(here, &["rm", "town-key"], b"").status.success());
    assert_eq!(words(&secret(here, &["list"], b"")), "there are no secrets\n");
    for output in [set, again, listed, elsewhere, slip] {
        assert!(!words(&output).contains(SHOWN));
    }
}

#[test]
fn nothing_too_long_or_empty_is_stored_and_nothing_is_taken_from_the_command_line() {
    let directory = initialised();
    let here = directory.path();
    for (input, code) in [
        (vec![], 3),
        (b"\n".to_vec(), 3),
        (vec![b'x'; 8_193], 3),
        (vec![b'x'; 9_000], 3),
    ] {
        let refused = secret(here, &["set", "key"], &input);
        assert_eq!(refused.status.code(), Some(code), "{}", words(&refused));
        assert!(
            words(&refused).contains("a secret has 1 to 8192 bytes"),
            "{}",
            words(&refused)
        );
    }
    assert!(
        secret(here, &["set", "key"], &[&[b'x'; 8_192][..], b"\r\n"].concat())
            .status
            .success()
    );
    assert_eq!(secret(here, &["set", "key", SHOWN], b"").status.code(), Some(2));
    let outside = secret(here, &["set", "../key"], b"x");
    assert_eq!(outside.status.code(), Some(3));
    assert!(words(&outside).contains("is not a name for a secret"));
}

#[test]
fn a_key_of_the_service_manager_is_used_where_it_passes_one() {
    let (directory, passed) = (initialised(), TempDir::new().unwrap());
    let here = directory.path();
    fs::write(passed.path().join("portreeve-store-key"), [9; 32]).unwrap();
    let with_key = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        command.env("CREDENTIALS_DIRECTORY", passed.path());
        run(command, here, arguments, SHOWN.as_bytes())
    };
    assert!(with_key(&["set", "key"]).status.success());
    assert!(!here.join("state/keys/store.key").exists(), "no key of our own is made");
    let without = secret(here, &["set", "other"], b"x");
    assert_eq!(without.status.code(), Some(3));
    assert!(words(&without).contains("their key is missing"), "{}", words(&without));

    let file = here.join("portreeve.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n[secrets]\nkey = \"credential\"\n")).unwrap();
    assert!(with_key(&["set", "key"]).status.success());
    let without = secret(here, &["set", "key"], b"x");
    assert!(words(&without).contains("was not given one"), "{}", words(&without));
    fs::write(&file, format!("{text}\n[secrets]\nkey = \"pocket\"\n")).unwrap();
    let unknown = secret(here, &["list"], b"");
    assert!(
        words(&unknown).contains("unknown value `pocket`"),
        "{}",
        words(&unknown)
    );
}
