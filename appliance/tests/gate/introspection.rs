//! Opaque tokens at the door of the running gate: their issuer is asked once, and believed for a while.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::SystemTime;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::{
    AUDIENCE, Gate, Holder, Idp, Issuer, PERMIT_CLERKS, Response, Upstream, folder_of, json_response, modern_call,
    modern_headers, portreeve,
};

const AGENTS: &str = "/agents";
const USERS: &str = "/users";
const AGENTS_ISS: &str = "https://agents.test";
const USERS_ISS: &str = "https://users.test";
const AGENT: &str = "agent_7fK+/9.x~0123456789==";
const USER: &str = "user_Qm0dA-2_Zz0123456789";
const SECRET: &str = "s3cret-of-the-gate";

/// A gate that asks one issuer about agents and another about users.
struct Scene {
    upstream: Upstream,
    idp: Idp,
    gate: Gate,
}

impl Scene {
    /// Both issuers say that all is well.
    fn new() -> Self {
        let idp = Idp::empty();
        idp.says(AGENTS, json_response(&agent()));
        idp.says(USERS, json_response(&user()));
        Self::before(idp)
    }

    fn before(idp: Idp) -> Self {
        let upstream = Upstream::obliging();
        let gate = Gate::launch(folder(&upstream, &idp), &[&upstream]);
        gate.holds(SECRET);
        Self { upstream, idp, gate }
    }

    fn call(&self, agent: &str, user: &str) -> Response {
        let headers = modern_headers(agent, user, "tools/call", "read");
        self.gate.post(&headers, &modern_call(1, "read", &json!({})))
    }

    /// How often was asked about agents and users.
    fn asked(&self) -> (usize, usize) {
        (self.idp.requests(AGENTS).len(), self.idp.requests(USERS).len())
    }

    /// Stops the gate. Every request that was turned away: whose token, why, with which status.
    fn refusals(&mut self) -> Vec<Value> {
        assert!(self.gate.stop().success());
        let audit = self.gate.audit();
        let refusals = audit.iter().filter(|record| record["kind"] == "refusal");
        let mut refusals: Vec<Value> = refusals
            .map(|record| json!([record["side"], record["reason"], record["status"]]))
            .collect();
        refusals.sort_by_key(Value::to_string);
        refusals
    }
}

fn folder(upstream: &Upstream, idp: &Idp) -> TempDir {
    let at = idp.iss();
    let text = format!(
        r#"
[gate]
listen = "127.0.0.1:0"
public_url = "{AUDIENCE}"
shards = 2

[issuers.agents]
issuer = "{AGENTS_ISS}"
jwks_file = "jwks.json"
tokens = ["agent"]
audience = "{AUDIENCE}"
introspection = {{ endpoint = "{at}{AGENTS}", client_id = "the gate", secret = "as", prefix = "agent_" }}

[issuers.users]
issuer = "{USERS_ISS}"
jwks_file = "jwks.json"
tokens = ["user"]
audience = "{AUDIENCE}"
introspection = {{ endpoint = "{at}{USERS}", client_id = "gate", client_auth = "secret_post", secret = "as" }}

[agents.clerk-bot]
issuer = "agents"
subject = "clerk-bot"
clients.users = "clerk-bot"

[servers.town]
url = "http://{}/upstream"
"#,
        upstream.address
    );
    let folder = folder_of(PERMIT_CLERKS, &Issuer::new().jwks(), &text);
    set_secret(&folder);
    folder
}

fn set_secret(folder: &TempDir) {
    let mut set = Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(["secret", "set", "as"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    set.stdin.take().unwrap().write_all(SECRET.as_bytes()).unwrap();
    assert!(set.wait().unwrap().success());
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs()
}

fn agent() -> Value {
    json!({
        "active": true, "token_type": "Bearer", "iss": AGENTS_ISS, "aud": AUDIENCE, "sub": "clerk-bot",
        "client_id": "clerk-bot", "iat": now(), "exp": now() + 600,
    })
}

fn user() -> Value {
    json!({
        "active": true, "token_type": "Bearer", "aud": [AUDIENCE], "sub": "ada", "username": "ada@users.test",
        "client_id": "clerk-bot", "groups": ["clerks"], "iat": now(), "exp": now() + 600,
    })
}

fn with(mut answer: Value, name: &str, value: Value) -> Vec<u8> {
    answer[name] = value;
    json_response(&answer)
}

#[test]
fn opaque_tokens_pass_and_each_is_asked_about_once_for_all_cores() {
    let scene = Scene::new();
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| assert_eq!(scene.call(AGENT, USER).status, 200));
        }
    });
    assert_eq!(scene.asked(), (1, 1));
    assert_eq!(scene.upstream.count(), 32);
    let intents = scene.gate.audit();
    let intent = intents.iter().find(|record| record["kind"] == "intent").unwrap();
    assert_eq!(intent["user"]["id"], "ada", "{intent}");
    assert_eq!(intent["agent"]["name"], "clerk-bot", "{intent}");

    let asked = scene.idp.requests(AGENTS).pop().unwrap();
    assert!(
        asked.ends_with("\r\n\r\ntoken=agent_7fK%2B%2F9.x%7E0123456789%3D%3D&token_type_hint=access_token"),
        "{asked}"
    );
    // SPEC: RFC 6749 2.3.1: the id is form-encoded first.
    assert!(
        asked.contains("authorization: Basic dGhlK2dhdGU6czNjcmV0LW9mLXRoZS1nYXRl\r\n"),
        "{asked}"
    );
    let asked = scene.idp.requests(USERS).pop().unwrap();
    assert!(
        asked.ends_with(&format!("&client_id=gate&client_secret={SECRET}")),
        "{asked}"
    );
}

#[test]
fn what_its_issuer_does_not_vouch_for_is_refused_like_any_bad_token() {
    let same = {
        let scene = Scene::new();
        let refused = scene.call("agent_x.y.z", USER);
        assert_eq!((refused.status, scene.asked()), (401, (0, 0)));
        (refused.head, refused.body)
    };
    for (answer, reason) in [
        (with(agent(), "active", json!(false)), "introspection"),
        (json_response(&json!({"active": false})), "introspection"),
        (json_response(&json!([])), "introspection"),
        (with(agent(), "aud", json!("https://elsewhere.test")), "aud"),
        (with(agent(), "exp", json!(now() - 60)), "time"),
        (with(agent(), "iss", json!(USERS_ISS)), "iss_unknown"),
        (with(agent(), "sub", json!("stranger")), "agent_unknown"),
        (with(agent(), "token_type", json!(null)), "typ"),
    ] {
        let mut scene = Scene::new();
        scene.idp.says(AGENTS, answer);
        let refused = scene.call(AGENT, USER);
        assert_eq!((refused.status, &refused.head, &refused.body), (401, &same.0, &same.1));
        // Nobody is asked about the user of an agent that is not known, nor again about that agent.
        assert_eq!(scene.call(AGENT, USER).status, 401);
        assert_eq!((scene.asked(), scene.upstream.count()), ((1, 0), 0));
        // The second one may have come to another core, which is told the same.
        let refusals = scene.refusals();
        assert!(refusals.contains(&json!(["agent", reason, 401])), "{refusals:?}");
        let known = [reason, "tok_neg"];
        assert!(
            refusals
                .iter()
                .all(|refusal| known.iter().any(|known| refusal[1] == *known)),
            "{refusals:?}"
        );
    }
}

#[test]
fn a_user_whose_token_is_not_active_is_refused() {
    let mut scene = Scene::new();
    scene.idp.says(USERS, json_response(&json!({"active": false})));
    assert_eq!(scene.call(AGENT, USER).status, 401);
    // Another token of the same user is another question.
    scene.idp.says(USERS, json_response(&user()));
    assert_eq!(scene.call(AGENT, "user_another-0123456789").status, 200);
    assert_eq!(scene.asked(), (1, 2));
    assert_eq!(scene.refusals(), [json!(["user", "introspection", 401])]);
}

#[test]
fn readable_tokens_are_never_shown_to_their_issuer() {
    let scene = Scene::new();
    let (agents, users) = (Issuer::named(AGENTS_ISS, "k1", 7), Issuer::named(USERS_ISS, "k1", 7));
    let (agent, user) = (agents.agent("clerk-bot"), users.user("ada", "clerk-bot", &["clerks"]));
    assert_eq!(scene.call(&agent, &user).status, 200);
    for broken in [
        agent.replace('.', ".A"),
        format!("{agent}A"),
        "..".to_owned(),
        "e30.e30.".to_owned(),
    ] {
        assert_eq!(scene.call(&broken, &user).status, 401, "{broken}");
        assert_eq!(scene.call(&agent, &broken).status, 401, "{broken}");
    }
    assert_eq!(scene.asked(), (0, 0));
    // One of the two may be opaque.
    assert_eq!(scene.call(&agent, USER).status, 200);
    assert_eq!(scene.call(AGENT, &user).status, 200);
    assert_eq!(scene.asked(), (1, 1));
}

#[test]
fn a_token_that_nobody_issues_is_shown_to_nobody() {
    let scene = Scene::new();
    for token in [
        "other_0123456789abcdef",
        "Agent_0123456789abcdef",
        "agent",
        "agent_0123456789",
        "agent_0123456789abcdef\"",
        "agent_0123456789 abcdef",
        "agent_0123456789abcdef\u{e9}",
        &format!("agent_{}", "a".repeat(9000)),
    ] {
        assert_eq!(scene.call(token, USER).status, 401, "{token:.40}");
    }
    assert_eq!(scene.asked(), (0, 0));
}

#[test]
fn while_an_issuer_is_silent_its_callers_wait_and_all_others_go_on() {
    let mut scene = Scene::new();
    assert_eq!(scene.call(AGENT, USER).status, 200);
    scene.idp.says(AGENTS, Vec::new());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| scene.call("agent_unknown-0123456789", USER));
        while scene.asked().0 < 2 {
            thread::yield_now();
        }
        for _ in 0..20 {
            assert_eq!(scene.call(AGENT, USER).status, 200);
        }
        assert!(!waiting.is_finished());
        let late = waiting.join().unwrap();
        assert_eq!((late.status, late.header("retry-after")), (503, Some("5")));
    });
    assert_eq!(scene.upstream.count(), 21);
    assert_eq!(scene.refusals(), [json!(["agent", "introspection_unavailable", 503])]);
}

#[test]
fn while_an_issuer_is_down_known_tokens_pass_and_unknown_ones_are_neither_good_nor_bad() {
    let mut scene = Scene::new();
    assert_eq!(scene.call(AGENT, USER).status, 200);
    scene.idp.die();
    assert_eq!(scene.call(AGENT, USER).status, 200);
    assert_eq!(scene.call(AGENT, "user_unknown-0123456789").status, 503);
    let unknown = scene.call("agent_unknown-0123456789", USER);
    assert_eq!((unknown.status, unknown.header("retry-after")), (503, Some("5")));
    assert!(unknown.header("www-authenticate").is_none());
    assert_eq!(scene.upstream.count(), 2);
    let unavailable = ["agent", "user"].map(|side| json!([side, "introspection_unavailable", 503]));
    assert_eq!(scene.refusals(), unavailable);
}

#[test]
fn an_issuer_that_does_not_know_the_gate_says_nothing_of_a_token() {
    for status in [
        "401 Unauthorized",
        "403 Forbidden",
        "400 Bad Request",
        "500 Oops",
        "302 Found",
    ] {
        let scene = Scene::new();
        let answer = format!("HTTP/1.1 {status}\r\nlocation: /users\r\ncontent-length: 16\r\n\r\n{{\"active\":false}}");
        scene.idp.says(AGENTS, answer.into_bytes());
        assert_eq!(scene.call(AGENT, USER).status, 503, "{status}");
        // What was wrong with the gate says nothing of the token later on.
        scene.idp.says(AGENTS, json_response(&agent()));
        assert_eq!(scene.call(AGENT, USER).status, 200, "{status}");
        assert_eq!(scene.asked(), (2, 1));
    }
}

#[test]
fn an_opaque_token_that_is_bound_needs_a_proof_of_its_key() {
    let mut scene = Scene::new();
    let (holder, thief) = (Holder::ed25519(1), Holder::ed25519(2));
    let mut bound = agent();
    bound["token_type"] = "DPoP".into();
    bound["cnf"] = json!({"jkt": holder.jkt()});
    scene.idp.says(AGENTS, json_response(&bound));
    let gate = &scene.gate;
    let prove = |holder: &Holder, token: &str, nonce: Option<&str>| {
        let headers = modern_headers(AGENT, USER, "tools/call", "read").replacen("Bearer", "DPoP", 1);
        let headers = format!("{headers}dpop: {}\r\n", holder.proof(token, nonce));
        gate.post(&headers, &modern_call(1, "read", &json!({})))
    };
    assert_eq!(scene.call(AGENT, USER).status, 401);
    let asked = prove(&holder, AGENT, None);
    let nonce = asked.header("dpop-nonce").unwrap();
    assert_eq!(prove(&thief, AGENT, Some(nonce)).status, 401);
    assert_eq!(prove(&holder, "another", Some(nonce)).status, 401);
    assert_eq!(prove(&holder, AGENT, Some(nonce)).status, 200);
    assert_eq!(scene.asked(), (1, 1));
    let reasons: Vec<Value> = scene.refusals().into_iter().map(|refusal| refusal[1].clone()).collect();
    assert_eq!(reasons, ["pop"; 4]);
}

#[test]
fn who_is_shut_off_here_is_shut_off_whatever_the_issuer_says() {
    let mut scene = Scene::new();
    assert_eq!(scene.call(AGENT, USER).status, 200);
    let order = ["revoke", "agent", "clerk-bot", "--reason", "test"];
    let revoked = portreeve(scene.gate.folder.path(), &order);
    assert!(revoked.status.success(), "{revoked:?}");
    assert_eq!(scene.call(AGENT, USER).status, 401);
    assert_eq!(scene.call("agent_another-0123456789", USER).status, 401);
    assert_eq!(scene.refusals(), vec![json!(["agent", "revoked", 401]); 2]);
}

#[test]
fn an_opaque_token_in_a_message_goes_nowhere() {
    let scene = Scene::new();
    let escaped = USER.replace('_', "\\u005f");
    for (held, status) in [(AGENT, 400), (USER, 400), (&*escaped, 400), ("agent_ and user_", 200)] {
        let body = String::from_utf8(modern_call(1, "read", &json!({"note": "HELD"}))).unwrap();
        let headers = modern_headers(AGENT, USER, "tools/call", "read");
        let answer = scene.gate.post(
            &headers,
            body.replace("HELD", &format!("see {held}, please")).as_bytes(),
        );
        assert_eq!(answer.status, status, "{held}: {answer:?}");
    }
    assert_eq!(scene.upstream.count(), 1);
}
