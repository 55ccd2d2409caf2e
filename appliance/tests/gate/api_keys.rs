//! Agents with API keys at a running gate: made, rotated and dropped by command, and in force on the next request.

use std::fs;

use portreeve_core::identity::ApiKey;
use serde_json::{Value, json};

use crate::kit::{
    AUDIENCE, Gate, Idp, Issuer, PERMIT_CLERKS, Response, Upstream, modern_call, modern_headers, portreeve,
};
use crate::revocation::done;

const QUILL: &str = "[agents.quill]\nissuer = \"api-key\"\n";

fn start(upstream: &Upstream, policies: &str) -> Gate {
    Gate::start_with(upstream, policies, &Issuer::new().jwks(), QUILL)
}

/// A fresh key, with what standard error says about it.
fn new_key(gate: &Gate) -> (String, String) {
    let output = portreeve(gate.folder.path(), &["agent", "key", "new", "quill"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let key = String::from_utf8(output.stdout).unwrap();
    let key = key.strip_suffix('\n').unwrap().to_owned();
    assert!(ApiKey::is_well_formed(key.as_bytes()));
    assert!(!said.contains(&key));
    (key, said)
}

/// What the users' issuer says for use by `quill`.
fn assertion() -> String {
    let issuer = Issuer::new();
    let agent = json!({"iss": format!("{AUDIENCE}/api-keys"), "sub": "quill"});
    issuer.sign(&issuer.claims("ada", &json!({"groups": ["clerks"], "may_act": agent})))
}

fn call(gate: &Gate, key: &str, user: &str, arguments: &Value) -> Response {
    let headers = modern_headers(key, user, "tools/call", "read");
    gate.post(&headers, &modern_call(1, "read", arguments))
}

fn status(gate: &Gate, key: &str, user: &str) -> u16 {
    call(gate, key, user, &json!({})).status
}

#[test]
fn a_key_takes_over_from_another_and_the_dropped_one_is_refused_on_the_next_request() {
    let upstream = Upstream::obliging();
    let gate = start(&upstream, PERMIT_CLERKS);
    let (first, said) = new_key(&gate);
    assert!(said.starts_with("agent quill: keys none -> ") && said.contains("in force on every core"));
    let user = assertion();
    assert_eq!(status(&gate, &first, &user), 200);

    let (second, _) = new_key(&gate);
    for key in [&first, &second] {
        assert_eq!(status(&gate, key, &user), 200, "both count while one takes over");
    }
    let third = portreeve(gate.folder.path(), &["agent", "key", "new", "quill"]);
    assert!(!third.status.success() && third.stdout.is_empty());
    assert!(String::from_utf8(third.stderr).unwrap().contains("has 2 keys already"));

    let listed = done(&gate, &["agent", "key", "list", "quill", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let id = ApiKey::id(&ApiKey::digest(first.as_bytes()));
    assert_eq!((&listed[0]["id"], &listed[0]["expired"]), (&json!(id), &json!(false)));
    done(&gate, &["agent", "key", "drop", "quill", &id]);
    let before = upstream.count();
    for _ in 0..8 {
        assert_eq!(status(&gate, &first, &user), 401, "on every core");
    }
    assert_eq!(upstream.count(), before);
    assert_eq!(status(&gate, &second, &user), 200);
    let undone = portreeve(gate.folder.path(), &["undo"]);
    assert!(String::from_utf8(undone.stderr).unwrap().contains("which is for good"));
    assert_eq!(status(&gate, &first, &user), 401);
}

#[test]
fn only_the_digest_of_a_key_is_kept_and_the_audit_says_how_the_agent_came() {
    let upstream = Upstream::obliging();
    let mut gate = start(&upstream, PERMIT_CLERKS);
    let (key, _) = new_key(&gate);
    let user = assertion();
    assert_eq!(status(&gate, &key, &user), 200);
    let in_body = call(&gate, &key, &user, &json!({"note": format!("mine is {key}")}));
    assert_eq!(in_body.status, 400, "a key in a message goes nowhere");
    let file = fs::read_to_string(gate.folder.path().join("portreeve.toml")).unwrap();
    let digest: String = ApiKey::digest(key.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(file.contains(&digest) && !file.contains("prk_"));
    // The kit looks for the key itself in every file, in the gate's output and in what the server saw.
    gate.stop();
    let audit = gate.audit();
    let intent = audit.iter().find(|record| record["kind"] == "intent").unwrap();
    assert_eq!(
        (&intent["agent"], &intent["agent_method"], &intent["binding"]),
        (
            &json!({"name": "quill", "issuer": format!("{AUDIENCE}/api-keys"), "subject": "quill"}),
            &json!("api_key"),
            &json!("none")
        )
    );
    let change = audit.iter().find(|record| record["kind"] == "change").unwrap();
    assert_eq!(
        (&change["action"], &change["what"], &change["after"]),
        (&json!("key new"), &json!("agent quill"), &json!(digest[..8]))
    );
}

#[test]
fn policies_may_shut_keys_out() {
    let upstream = Upstream::obliging();
    let policies = format!(
        "{PERMIT_CLERKS}\n@id(\"no-keys\") forbid(principal, action, resource) when {{ context.auth.agent_method == \"api_key\" }};"
    );
    let gate = start(&upstream, &policies);
    let (key, _) = new_key(&gate);
    let denied = call(&gate, &key, &assertion(), &json!({}));
    assert_eq!((denied.status, denied.code()), (200, Some(-31403)));
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_revoked_agent_has_no_use_of_its_key() {
    let upstream = Upstream::obliging();
    let gate = start(&upstream, PERMIT_CLERKS);
    let (key, _) = new_key(&gate);
    let user = assertion();
    done(&gate, &["revoke", "agent", "quill"]);
    assert_eq!(status(&gate, &key, &user), 401);
    done(&gate, &["restore", "agent", "quill"]);
    assert_eq!(status(&gate, &key, &user), 200);
    done(&gate, &["agent", "suspend", "quill"]);
    assert_eq!(status(&gate, &key, &user), 401);
    assert_eq!(upstream.count(), 1);
}

#[test]
fn a_key_is_refused_like_every_other_credential() {
    let upstream = Upstream::obliging();
    let mut gate = start(&upstream, PERMIT_CLERKS);
    let (key, _) = new_key(&gate);
    let user = assertion();
    let stranger = ApiKey::generate(&[3; 32]);
    let mut bodies = Vec::new();
    for (key, user) in [(stranger.as_str(), user.as_str()), (&key[..50], &user), (&key, &key)] {
        let refused = call(&gate, key, user, &json!({}));
        assert_eq!(refused.status, 401);
        assert!(
            refused
                .header("www-authenticate")
                .unwrap()
                .ends_with("error=\"invalid_token\"")
        );
        bodies.push(refused.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "nothing tells a caller what was wrong");
    assert_eq!(upstream.count(), 0);
    gate.stop();
    let audit = gate.audit();
    let refusals = audit.iter().filter(|record| record["kind"] == "refusal");
    let reasons: Vec<&Value> = refusals.map(|record| &record["reason"]).collect();
    for reason in ["api_key", "hdr_form"] {
        assert!(reasons.contains(&&json!(reason)), "{reasons:?}");
    }
}

#[test]
fn the_embedded_issuer_vouches_for_users_of_agents_with_keys() {
    let upstream = Upstream::obliging();
    // A token for the server would say the same of the user as the assertion, in the same letters.
    let more = format!("credential.mode = \"none\"\n\n{QUILL}\n[embedded_issuer]\nusers.me.groups = [\"clerks\"]\n");
    let gate = Gate::start_with(&upstream, PERMIT_CLERKS, &Issuer::new().jwks(), &more);
    let (key, _) = new_key(&gate);
    let said = done(&gate, &["token", "--agent", "quill", "--user", "me"]);
    let user = said.trim().strip_prefix("X-AI-User-Assertion: ").unwrap();
    assert_eq!(status(&gate, &key, user), 200);
}

#[test]
fn no_authorization_server_is_shown_a_key() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    let more = format!(
        "credential.mode = \"exchange\"\ncredential.at.issuer = \"{0}\"\ncredential.at.token_endpoint = \"{0}/token\"\n\
         credential.at.client_id = \"portreeve-town\"\n\n{QUILL}",
        idp.iss()
    );
    let gate = Gate::start_with(&upstream, PERMIT_CLERKS, &Issuer::new().jwks(), &more);
    let (key, _) = new_key(&gate);
    let refused = call(&gate, &key, &assertion(), &json!({}));
    assert_eq!((refused.status, refused.code()), (200, Some(-31403)));
    assert_eq!(refused.json()["error"]["data"]["reason"], "credential_forbidden");
    assert!(idp.requests("/token").is_empty());
    assert_eq!(upstream.count(), 0);
}
