//! Shutting off by session and by time of issue: old tokens die, and whoever logs in again gets in.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, Upstream, claims, modern_call, modern_headers};

fn portreeve(gate: &Gate, arguments: &[&str]) -> (Option<i32>, String) {
    let output = crate::kit::portreeve(gate.folder.path(), arguments);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn done(gate: &Gate, arguments: &[&str]) -> String {
    let (status, said) = portreeve(gate, arguments);
    assert_eq!(status, Some(0), "{said}");
    said
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// `token` with other claims, signed again.
fn with(issuer: &Issuer, token: &str, more: &Value) -> String {
    let mut claims = claims(token);
    claims
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    issuer.sign(&claims)
}

fn status(gate: &Gate, agent: &str, user: &str) -> u16 {
    let headers = modern_headers(agent, user, "tools/call", "read");
    gate.post(&headers, &modern_call(1, "read", &json!({}))).status
}

#[test]
fn a_session_ends_with_all_its_tokens_and_no_other_one() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let agent = issuer.agent("clerk-bot");
    let user = issuer.user("ada", "clerk-bot", &["clerks"]);
    let in_session = |sid: &str, jti: &str| with(&issuer, &user, &json!({"sid": sid, "jti": jti}));
    let tokens = [
        in_session("s-1", "a"),
        in_session("s-1", "b"),
        in_session("s-2", "c"),
        user.clone(),
    ];
    let all = || tokens.each_ref().map(|user| status(&gate, &agent, user));
    assert_eq!(all(), [200; 4]);
    done(&gate, &["revoke", "session", "s-1", "--issuer", "idp"]);
    assert_eq!(all(), [401, 401, 200, 200]);
    let listed = done(&gate, &["revocations"]);
    assert!(listed.starts_with("session s-1 of https://idp.test\n"), "{listed}");
    done(&gate, &["restore", "session", "s-1"]);
    assert_eq!(all(), [200; 4]);
}

#[test]
fn what_was_issued_before_a_moment_dies_and_a_new_login_gets_in() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let old = json!({"iat": now() - 60});
    let (new_agent, new_user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    let (old_agent, old_user) = (with(&issuer, &new_agent, &old), with(&issuer, &new_user, &old));
    let bob = with(&issuer, &issuer.user("bob", "clerk-bot", &["clerks"]), &old);
    let all = || {
        [
            status(&gate, &new_agent, &old_user),
            status(&gate, &new_agent, &new_user),
            status(&gate, &old_agent, &new_user),
            status(&gate, &new_agent, &bob),
        ]
    };
    assert_eq!(all(), [200; 4]);
    done(&gate, &["revoke", "user", "ada", "--issued-before", "30s"]);
    assert_eq!(all(), [401, 200, 200, 200]);
    let again = done(&gate, &["revoke", "user", "ada", "--issued-before", "5m"]);
    assert!(again.ends_with(" was shut off already\n"), "{again}");
    done(&gate, &["revoke", "agent", "clerk-bot", "--issued-before", "30s"]);
    assert_eq!(all(), [401, 200, 401, 200]);
    let (refused, said) = portreeve(&gate, &["restore", "user", "ada"]);
    assert_eq!(refused, Some(1), "a user who was not shut off as such: {said}");
    done(&gate, &["restore", "user", "ada", "--issued-before", "now"]);
    done(&gate, &["restore", "agent", "clerk-bot", "--issued-before", "now"]);
    assert_eq!(all(), [200; 4]);
    done(&gate, &["revoke", "user", "ada", "--issued-before", "now"]);
    assert_eq!(
        all(),
        [401, 401, 401, 200],
        "a token of this very second is older than now"
    );
}

#[test]
fn a_slip_in_a_moment_or_a_thumbprint_is_told() {
    let upstream = Upstream::obliging();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let millis = (now() * 1000).to_string();
    for (arguments, expected, code) in [
        (
            ["revoke", "user", "ada", "--issued-before", &millis],
            "issued_before is in the future",
            1,
        ),
        (
            ["revoke", "user", "ada", "--issued-before", "soon"],
            "write `now`, a time span ago",
            2,
        ),
        (["revoke", "key", "abc", "--reason", "lost"], "43 characters", 2),
    ] {
        let (status, said) = portreeve(&gate, &arguments);
        assert!(status == Some(code) && said.contains(expected), "{said}");
    }
    let thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    done(&gate, &["revoke", "key", thumbprint]);
    assert!(done(&gate, &["revocations"]).starts_with(&format!("key {thumbprint}\n")));
}
