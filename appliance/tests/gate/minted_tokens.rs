//! Revoking what the gate minted: whoever holds such a token can end that one, and nothing else.

use serde_json::{Value, json};

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, Upstream, claims, modern_call, modern_headers};

fn call(gate: &Gate, login: &(String, String)) -> u16 {
    let headers = modern_headers(&login.0, &login.1, "tools/call", "read");
    gate.post(&headers, &modern_call(1, "read", &json!({}))).status
}

/// The token of the last request that the server saw.
fn last_token(upstream: &Upstream) -> String {
    let request = String::from_utf8(upstream.seen().pop().unwrap()).unwrap();
    let value = request
        .lines()
        .find_map(|line| line.strip_prefix("authorization: Bearer "));
    value.unwrap().to_owned()
}

fn revoke(gate: &Gate, media: &str, form: &str) -> (u16, Vec<u8>) {
    let (host, length) = (gate.address, form.len());
    let request = format!(
        "POST /oauth/revoke HTTP/1.1\r\nhost: {host}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n{form}"
    );
    let response = gate.raw(request.as_bytes());
    (response.status, response.body)
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn a_server_that_revokes_its_token_is_never_sent_it_again() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let login = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    // Enough that every shard has made its own.
    let mut made: Vec<String> = (0..20)
        .map(|_| {
            assert_eq!(call(&gate, &login), 200);
            last_token(&upstream)
        })
        .collect();
    made.sort();
    made.dedup();
    assert!(made.len() <= 2, "one for each shard");
    for token in &made {
        let dotted = token.replace('.', "%2E");
        assert_eq!(
            revoke(&gate, FORM, &format!("token_type_hint=access_token&token={dotted}")),
            (200, Vec::new())
        );
        assert_eq!(
            revoke(
                &gate,
                "application/x-www-form-urlencoded; charset=UTF-8",
                &format!("token={token}")
            )
            .0,
            200
        );
    }
    for _ in 0..20 {
        assert_eq!(call(&gate, &login), 200, "its holder ended the token, not the user");
        assert!(!made.contains(&last_token(&upstream)), "a revoked token was used again");
    }
    assert!(gate.stop().success());
    let changes: Vec<Value> = gate
        .audit()
        .into_iter()
        .filter(|record| record["kind"] == "change")
        .collect();
    assert_eq!(changes.len(), made.len());
    for token in &made {
        let what = format!("token {} of https://gate.test", claims(token)["jti"].as_str().unwrap());
        assert!(
            changes
                .iter()
                .any(|change| change["what"] == *what && change["by_server"] == "town"),
            "{what}"
        );
    }
}

#[test]
fn a_token_of_the_gate_outlives_neither_token_that_it_was_made_for() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let now = issuer.claims("", &json!({}))["iat"].as_u64().unwrap();
    let login = |agent: u64, user: u64| {
        let agent = json!({"client_id": "clerk-bot", "iat": now - 60, "exp": agent});
        let user = json!({"azp": "clerk-bot", "groups": ["clerks"], "iat": now - 60, "exp": user});
        (
            issuer.sign(&issuer.claims("clerk-bot", &agent)),
            issuer.sign(&issuer.claims("ada", &user)),
        )
    };
    let long = now + 600;
    // A later login with less time left must not be given what an earlier one left behind.
    for (agent, user) in [(long, long), (now + 40, long), (long, now + 35), (now + 30, now + 33)] {
        for _ in 0..8 {
            assert_eq!(call(&gate, &login(agent, user)), 200);
            let end = claims(&last_token(&upstream))["exp"].as_u64().unwrap();
            assert!(end <= agent.min(user), "{end} is after {agent} or {user}");
        }
    }
}

#[test]
fn who_presents_a_token_in_its_leeway_is_asked_for_a_new_one_where_it_leaves_no_time_for_the_gates() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let now = issuer.claims("", &json!({}))["iat"].as_u64().unwrap();
    let ended = json!({"iat": now - 60, "exp": now - 1, "azp": "clerk-bot", "groups": ["clerks"]});
    let (old_agent, old_user) = (
        issuer.sign(&issuer.claims(
            "clerk-bot",
            &json!({"iat": now - 60, "exp": now - 1, "client_id": "clerk-bot"}),
        )),
        issuer.sign(&issuer.claims("ada", &ended)),
    );
    let (agent, user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    for login in [(old_agent, user), (agent, old_user)] {
        let headers = modern_headers(&login.0, &login.1, "tools/call", "read");
        let told = gate.post(&headers, &modern_call(1, "read", &json!({}))).json();
        assert_eq!(told["error"]["data"]["reason"], "credential_stale", "{told}");
        assert_eq!(upstream.count(), 0);
    }
}

#[test]
fn nothing_but_a_live_token_of_the_gate_has_any_effect() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let login = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    assert_eq!(call(&gate, &login), 200);
    let token = last_token(&upstream);
    let (head, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let mut posing = claims(&token);
    posing["exp"] = json!(u64::MAX / 2000);
    let posing = issuer.sign(&posing);
    for unknown in [&*forged, &*posing, &*login.0, &*login.1, "abc", "a.b.c", "%00"] {
        assert_eq!(
            revoke(&gate, FORM, &format!("token={unknown}")),
            (200, Vec::new()),
            "{unknown}"
        );
    }
    let twice = format!("token={token}&token={token}");
    let long = format!("token={}", "a".repeat(40_000));
    for (media, form) in [
        (FORM, "token="),
        (FORM, ""),
        (FORM, "tokens=a"),
        (FORM, "token=%zz"),
        (FORM, &*twice),
        (FORM, &*long),
        ("application/json", "{}"),
    ] {
        let (status, body) = revoke(&gate, media, form);
        let told: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (status, &told["error"]),
            (400, &json!("invalid_request")),
            "{media} {form}"
        );
    }
    let metadata = format!(
        "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nhost: {}\r\n\r\n",
        gate.address
    );
    let metadata = gate.raw(metadata.as_bytes()).json();
    assert_eq!(metadata["revocation_endpoint"], "https://gate.test/oauth/revoke");
    assert_eq!(metadata["revocation_endpoint_auth_methods_supported"], json!(["none"]));
    assert_eq!(call(&gate, &login), 200);
    assert!(gate.stop().success());
    assert!(gate.audit().iter().all(|record| record["kind"] != "change"));
}
