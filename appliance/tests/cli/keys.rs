//! `portreeve agent key` and `token` for an agent with API keys, where no gate runs.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{initialised, portreeve, stderr, stdout};

#[test]
fn a_key_is_printed_once_and_its_digest_is_in_the_file() {
    let directory = initialised();
    let run = |arguments: &[&str]| portreeve(directory.path(), arguments);
    let added = run(&["agent", "add", "quill", "--issuer", "api-key"]);
    assert_eq!(added.status.code(), Some(0), "{}", stderr(&added));
    assert!(stdout(&run(&["check"])).contains("agent quill has no API key that is taken"));
    assert_eq!(
        stdout(&run(&["agent", "key", "list", "quill"])),
        "agent quill has no API key\n"
    );

    let made = run(&["agent", "key", "new", "quill", "--expires", "2999-01-31"]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let key = stdout(&made);
    assert!(
        key.len() == 52 && key.starts_with("prk_") && key.ends_with('\n'),
        "the key alone"
    );
    assert!(stderr(&made).contains("agent quill: keys none -> ") && stderr(&made).contains("no gate runs here"));
    let file = fs::read_to_string(directory.path().join("portreeve.toml")).unwrap();
    assert!(file.contains("expires = 2999-01-31, sha256 = \"") && !file.contains("prk_"));

    let listed = stdout(&run(&["agent", "key", "list", "quill"]));
    let id = listed.lines().nth(1).unwrap().split(' ').next().unwrap();
    assert!(
        file.contains(&format!("sha256 = \"{id}")) && listed.contains("active"),
        "{listed}"
    );
    assert!(stdout(&run(&["agent", "show", "quill"])).contains(&format!("API keys  {id}\n")));
    assert!(!stdout(&run(&["check"])).contains("note:"));
    let dropped = run(&["agent", "key", "drop", "quill", id]);
    assert!(
        stdout(&dropped).contains(&format!("agent quill: keys {id} -> none")),
        "{}",
        stderr(&dropped)
    );
}

#[test]
fn an_agent_with_tokens_gets_no_key() {
    let directory = initialised();
    let file = directory.path().join("portreeve.toml");
    let before = fs::read_to_string(&file).unwrap();
    let refused = portreeve(directory.path(), &["agent", "key", "new", "claude-code"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stdout(&refused).is_empty(), "no key is printed that opens nothing");
    assert!(stderr(&refused).contains("an agent with tokens of an issuer has no API keys"));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}

#[test]
fn the_embedded_issuer_makes_the_users_assertion_alone() {
    let directory = initialised();
    let run = |arguments: &[&str]| portreeve(directory.path(), arguments);
    run(&["agent", "add", "quill", "--issuer", "api-key"]);
    let token = run(&["token", "--agent", "quill", "--user", "me"]);
    assert_eq!(token.status.code(), Some(0), "{}", stderr(&token));
    let text = stdout(&token);
    assert_eq!(text.lines().count(), 1);
    let jwt = text.trim().strip_prefix("X-AI-User-Assertion: ").unwrap();
    let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(
        claims["may_act"],
        serde_json::json!({"iss": "http://127.0.0.1:8477/api-keys", "sub": "quill"})
    );
    let jwk = directory.path().join("key.jwk");
    fs::write(&jwk, "{}").unwrap();
    let bound = run(&["token", "--agent", "quill", "--user", "me", "--bind-to", "key.jwk"]);
    assert_eq!(bound.status.code(), Some(1));
    assert!(stderr(&bound).contains("leave --bind-to out") && stdout(&bound).is_empty());
}
