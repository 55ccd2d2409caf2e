//! The command line as its user meets it: the real binary, real files, exit codes and words.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cli/keys.rs"]
mod keys;
#[path = "cli/registry.rs"]
mod registry;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tempfile::TempDir;

fn portreeve(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

fn initialised() -> TempDir {
    let directory = TempDir::new().unwrap();
    assert_eq!(portreeve(directory.path(), &["init"]).status.code(), Some(0));
    directory
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_init_writes_passes_check_and_is_private() {
    let directory = initialised();
    let checked = portreeve(directory.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    assert!(stdout(&checked).starts_with("portreeve.toml is valid"));
    assert!(!stdout(&checked).contains("note:"));
    let state = directory.path().join("state");
    assert_eq!(mode(&state), 0o700);
    let keys: Vec<_> = ["keys", "keys/servers/everything"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(state.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    assert_eq!(keys.len(), 3);
    for key in keys {
        assert_eq!(mode(&key), 0o600);
    }
}

#[test]
fn init_refuses_to_overwrite_and_then_changes_nothing() {
    let directory = initialised();
    let file = directory.path().join("portreeve.toml");
    fs::write(&file, "mine").unwrap();
    let again = portreeve(directory.path(), &["init"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("nothing was written") && stderr(&again).contains("portreeve.toml"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn an_unknown_key_is_shown_with_its_line_and_a_hint() {
    let directory = initialised();
    let file = directory.path().join("portreeve.toml");
    let text = fs::read_to_string(&file).unwrap().replace("listen =", "lisen =");
    let line = text.lines().position(|line| line.starts_with("lisen")).unwrap() + 1;
    fs::write(&file, text).unwrap();
    let checked = portreeve(directory.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(3));
    assert!(
        stderr(&checked).contains(&format!("portreeve.toml:{line}:1: unknown key `lisen`")),
        "{}",
        stderr(&checked)
    );
    assert!(stderr(&checked).contains("did you mean `listen`?"));
    assert!(stdout(&checked).is_empty());
}

#[test]
fn a_broken_policy_is_shown_with_its_line() {
    let directory = initialised();
    let policy = directory.path().join("policies/broken.cedar");
    fs::write(
        &policy,
        "\npermit (principal, action == Action::\"call_tol\", resource);\n",
    )
    .unwrap();
    let checked = portreeve(directory.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(3));
    assert!(stderr(&checked).contains("broken.cedar:2:"), "{}", stderr(&checked));
}

#[test]
fn what_connections_need_is_checked_without_making_any() {
    let directory = initialised();
    let file = directory.path().join("portreeve.toml");
    let text = fs::read_to_string(&file).unwrap();
    let more = r#"
[servers.vault]
url = "https://127.0.0.1:1/mcp"
certificate = "vault.pem"
key = "vault.key"

[servers.swap]
url = "http://127.0.0.1:1/mcp"
credential = { mode = "exchange", at = { issuer = "https://as.example", client_id = "gate", client_auth = "secret_basic", secret = "as" } }
"#;
    fs::write(&file, text + more).unwrap();
    let checked = || portreeve(directory.path(), &["check"]);
    let before_keys = checked();
    assert_eq!(before_keys.status.code(), Some(0), "{}", stderr(&before_keys));
    for server in ["vault", "swap"] {
        let keys = directory.path().join("state/keys/servers");
        fs::create_dir_all(keys.join(server)).unwrap();
        for key in fs::read_dir(keys.join("everything")).unwrap().map(Result::unwrap) {
            fs::copy(key.path(), keys.join(server).join(key.file_name())).unwrap();
        }
    }
    let said = checked();
    assert_eq!(said.status.code(), Some(3));
    for fault in [
        "servers.vault: vault.pem: ",
        "servers.swap.credential: there is no secret `as`",
    ] {
        assert!(stderr(&said).contains(fault), "{}", stderr(&said));
    }
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let directory = initialised();
    let key = directory.path().join("state/keys/servers/everything/mint-ed25519.pk8");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let checked = portreeve(directory.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(3));
    assert!(stderr(&checked).contains("can be used by others") && stderr(&checked).contains("chmod 600"));
}

#[test]
fn token_prints_exactly_two_header_lines() {
    let directory = initialised();
    let token = portreeve(
        directory.path(),
        &["token", "--agent", "claude-code", "--user", "me", "--ttl", "5m"],
    );
    assert_eq!(token.status.code(), Some(0), "{}", stderr(&token));
    let text = stdout(&token);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    let agent = lines[0].strip_prefix("Authorization: Bearer ").unwrap();
    let user = lines[1].strip_prefix("X-AI-User-Assertion: ").unwrap();
    for jwt in [agent, user] {
        assert_eq!(jwt.split('.').count(), 3);
    }
    assert!(stderr(&token).is_empty());
}

#[test]
fn a_bound_pair_names_the_key_in_both_tokens_and_a_private_key_is_refused() {
    let directory = initialised();
    // The key and thumbprint of RFC 8037 A.3.
    let public = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let bind = |jwk: &str| {
        fs::write(directory.path().join("agent.jwk"), jwk).unwrap();
        let bound = [
            "token",
            "--agent",
            "claude-code",
            "--user",
            "me",
            "--bind-to",
            "agent.jwk",
        ];
        portreeve(directory.path(), &bound)
    };
    let token = bind(public);
    assert_eq!(token.status.code(), Some(0), "{}", stderr(&token));
    let text = stdout(&token);
    let mut lines = text.lines();
    for start in ["Authorization: DPoP ", "X-AI-User-Assertion: "] {
        let jwt = lines.next().unwrap().strip_prefix(start).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            claims["cnf"],
            serde_json::json!({"jkt": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"})
        );
    }
    let private = public.replace("\"x\"", "\"d\":\"AA\",\"x\"");
    for (jwk, words) in [
        (private.as_str(), "private half"),
        (r#"{"kty":"oct","k":"AA"}"#, "symmetric"),
        ("not JSON", "missing or of the wrong type"),
    ] {
        let refused = bind(jwk);
        assert_eq!(refused.status.code(), Some(3));
        assert!(
            stdout(&refused).is_empty() && stderr(&refused).contains(words),
            "{}",
            stderr(&refused)
        );
        assert!(!stderr(&refused).contains("11qYAYKx"), "no part of the file is shown");
    }
}

#[test]
fn token_for_somebody_unknown_fails_clearly_and_prints_nothing() {
    let directory = initialised();
    for (agent, user, words) in [
        ("claude", "me", "there is no agent of the embedded issuer `claude`"),
        ("claude-code", "mee", "did you mean `me`?"),
    ] {
        let token = portreeve(directory.path(), &["token", "--agent", agent, "--user", user]);
        assert_eq!(token.status.code(), Some(1));
        assert!(stderr(&token).contains(words), "{}", stderr(&token));
        assert!(stdout(&token).is_empty());
    }
    let long = portreeve(
        directory.path(),
        &["token", "--agent", "claude-code", "--user", "me", "--ttl", "25h"],
    );
    assert_eq!(long.status.code(), Some(1));
    assert!(stderr(&long).contains("max_lifetime"));
}

#[test]
fn a_missing_configuration_says_how_to_get_one() {
    let directory = TempDir::new().unwrap();
    let checked = portreeve(directory.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(3));
    assert!(stderr(&checked).contains("portreeve init"));
}

#[test]
fn help_names_the_exit_codes_and_a_wrong_option_is_a_usage_error() {
    let directory = TempDir::new().unwrap();
    let help = portreeve(directory.path(), &["--help"]);
    assert!(stdout(&help).contains("Exit codes:"));
    assert_eq!(
        portreeve(directory.path(), &["check", "--nonsense"]).status.code(),
        Some(2)
    );
}
