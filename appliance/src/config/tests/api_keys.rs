//! Agents with API keys in the configuration: what is one, and where they may be.

use super::*;
use crate::config::api_key::{API_KEY_ISSUER, keys, profile};

const FIRST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const SECOND: &str = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn agent(name: &str, digests: &[&str]) -> String {
    let keys: Vec<String> = digests
        .iter()
        .map(|digest| format!("{{ sha256 = \"{digest}\", created = 2026-11-25, expires = 2027-01-31 }}"))
        .collect();
    format!(
        "[agents.{name}]\nissuer = \"api-key\"\napi_keys = [{}]\n",
        keys.join(", ")
    )
}

fn refusal(text: &str) -> String {
    let faults = parsed(text).unwrap_err();
    faults.iter().map(Diagnostic::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_agent_with_keys_needs_no_issuer_table_and_is_called_by_its_name() {
    let config = parsed(&format!("{MINIMAL}{}", agent("quill", &[FIRST, SECOND]))).unwrap();
    let quill = &config.agents[0];
    assert_eq!(
        (quill.issuer.as_str(), quill.subject.as_str()),
        (API_KEY_ISSUER, "quill")
    );
    assert_eq!(quill.api_keys[0].id(), "00112233");
    let keys = keys(&config);
    assert_eq!(keys.len(), 2);
    assert_eq!((keys[1].agent.as_str(), keys[1].sha256[0]), ("quill", 0xff));
    assert_eq!(keys[1].expires.to_string(), "2027-02-01T00:00:00.000Z");
    assert_eq!(profile(&config).unwrap().issuer, "http://127.0.0.1:8477/api-keys");
    assert!(profile(&parsed(MINIMAL).unwrap()).is_none());
}

#[test]
fn keys_that_cannot_be_are_refused() {
    for (agents, words) in [
        (agent("quill", &["0011"]), "this is not the SHA-256 of a key"),
        (
            agent("quill", &[&FIRST.to_uppercase()]),
            "this is not the SHA-256 of a key",
        ),
        (agent("quill", &[FIRST, FIRST]), "this key stands here already"),
        (
            agent("quill", &[FIRST]) + &agent("bell", &[FIRST]),
            "this key stands here already",
        ),
        (
            agent("quill", &[FIRST, SECOND, &SECOND.replace("ff11", "ee11")]),
            "this is one API key too many",
        ),
        (
            agent("quill", &[FIRST]).replace(", expires = 2027-01-31", ""),
            "this is not a date or moment",
        ),
        (
            agent("quill", &[FIRST]).replace("created", "made"),
            "unknown key `made`",
        ),
    ] {
        let said = refusal(&format!("{MINIMAL}{agents}"));
        assert!(said.contains(words), "{agents}\n{said}");
    }
}

#[test]
fn an_agent_with_tokens_has_no_keys_beside_them() {
    let both = SITE.replace(
        "subject = \"claude-1\"\n",
        &format!("subject = \"claude-1\"\napi_keys = [{{ sha256 = \"{FIRST}\", expires = 2027-01-31 }}]\n"),
    );
    assert!(refusal(&both).contains("an agent with tokens of an issuer has no API keys"));
    let posing = SITE.replace("issuers.fleet", "issuers.api-key");
    assert!(refusal(&posing).contains("this name belongs to agents with API keys"));
}

#[test]
fn users_may_be_tied_to_agents_with_keys_by_the_configuration() {
    let text = SITE.replace(
        "unlinked_with = [\"fleet\"]",
        "unlinked_with = [\"fleet\", \"api-key\"]",
    );
    assert!(profile(&parsed(&text).unwrap()).is_some());
}

#[test]
fn no_key_crosses_a_network_in_plain_http() {
    let quill = agent("quill", &[FIRST]);
    let words = "plain HTTP beyond this machine would show the API keys";
    for open in [
        "[gate]\nlisten = \"0.0.0.0:80\"\npublic_url = \"https://gate.example\"\nallow_plaintext = true\n",
        "[gate]\nlisten = \"127.0.0.1:80\"\npublic_url = \"http://gate.example\"\nallow_plaintext = true\n",
    ] {
        assert!(parsed(open).is_ok());
        assert!(refusal(&format!("{open}{quill}")).contains(words), "{open}");
    }
    for closed in [
        SITE,
        MINIMAL,
        "[gate]\nlisten = \"127.0.0.1:80\"\npublic_url = \"https://gate.example\"\n",
    ] {
        assert!(parsed(&format!("{closed}{quill}")).is_ok(), "{closed}");
    }
}
