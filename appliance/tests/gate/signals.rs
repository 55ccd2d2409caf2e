//! Shared signals: what an identity provider says about sessions and users bites at once, and only if it is to be believed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::{
    AUDIENCE, Gate, ISSUER, Idp, Issuer, JWKS, PERMIT_CLERKS, Transmitter, Upstream, Wire, body_of, claims, end_of,
    json_response, modern_call, modern_headers, portreeve,
};

/// A bound on waiting for what the gate does at its own pace.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn folder(upstream: &Upstream, transmitter: &Transmitter, signals: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    write("policies/test.cedar", PERMIT_CLERKS);
    write("jwks.json", &Issuer::new().jwks());
    write("tx.json", &transmitter.jwks().to_string());
    let configuration = format!(
        "[gate]\nlisten = \"127.0.0.1:0\"\npublic_url = \"{AUDIENCE}\"\nshards = 2\n\
         [issuers.idp]\nissuer = \"{ISSUER}\"\njwks_file = \"jwks.json\"\ntokens = [\"agent\", \"user\"]\n\
         [agents.clerk-bot]\nissuer = \"idp\"\nsubject = \"clerk-bot\"\n[servers.town]\nurl = \"http://{}/upstream\"\n{signals}",
        upstream.address
    );
    write("portreeve.toml", &configuration);
    folder
}

fn launch(upstream: &Upstream, transmitter: &Transmitter) -> Gate {
    Gate::launch(folder(upstream, transmitter, &transmitter.table()), &[upstream])
}

pub(crate) fn said(gate: &Gate, arguments: &[&str]) -> String {
    let output = portreeve(gate.folder.path(), arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What `portreeve status` says of the transmitter.
pub(crate) fn health(gate: &Gate) -> Value {
    let status: Value = serde_json::from_str(&said(gate, &["status", "--json"])).unwrap();
    status["signals"][0].clone()
}

/// Asks until `wanted` is so; asking takes a process.
fn until(gate: &Gate, wanted: impl Fn(&Value) -> bool) -> Value {
    let since = Instant::now();
    loop {
        let health = health(gate);
        if wanted(&health) {
            return health;
        }
        assert!(since.elapsed() < PATIENCE, "{health}");
    }
}

/// Keeps a stream open for `watch` and answers every other call.
pub(crate) fn server() -> Upstream {
    Upstream::with(|request| {
        let message: Value = serde_json::from_slice(body_of(request)).unwrap_or(Value::Null);
        if message["params"]["name"] == "watch" {
            return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec();
        }
        json_response(
            &json!({"jsonrpc": "2.0", "id": message["id"], "result": {"resultType": "complete", "content": []}}),
        )
    })
}

/// The tokens of one login: the same bytes every time.
pub(crate) struct Login(String, String);

impl Login {
    pub(crate) fn of(user: &str) -> Self {
        let issuer = Issuer::new();
        Self(issuer.agent("clerk-bot"), issuer.user(user, "clerk-bot", &["clerks"]))
    }

    /// A login that is newer than anything that was said so far; the issuer's clock is a little ahead.
    pub(crate) fn again(user: &str) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let Self(agent, old) = Self::of(user);
        let mut renewed = claims(&old);
        renewed["iat"] = json!(now.as_secs() + 10);
        Self(agent, Issuer::new().sign(&renewed))
    }

    pub(crate) fn status(&self, gate: &Gate) -> u16 {
        let headers = modern_headers(&self.0, &self.1, "tools/call", "read");
        gate.post(&headers, &modern_call(1, "read", &json!({}))).status
    }

    pub(crate) fn watch(&self, gate: &Gate) -> Wire {
        let headers = modern_headers(&self.0, &self.1, "tools/call", "watch");
        let body = modern_call(1, "watch", &json!({}));
        let mut wire = gate.connect();
        let head = format!("POST /town/mcp HTTP/1.1\r\nhost: {}\r\n{headers}", gate.address);
        write!(wire, "{head}content-length: {}\r\n\r\n", body.len()).unwrap();
        wire.write_all(&body).unwrap();
        let mut status = [0; 12];
        wire.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        wire
    }
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "a figure to read; the test only holds it below a second"
)]
fn a_revoked_session_is_over_within_a_second_and_a_new_login_gets_in() {
    let (upstream, transmitter) = (server(), Transmitter::new());
    let mut gate = launch(&upstream, &transmitter);
    let (ada, bob) = (Login::of("ada"), Login::of("bob"));
    let stream = ada.watch(&gate);
    // On every shard: the tokens are verified, and one for the server is made.
    for _ in 0..10 {
        assert_eq!((ada.status(&gate), bob.status(&gate)), (200, 200));
    }
    let begun = Instant::now();
    let set = ("set-1".to_owned(), transmitter.session_revoked("set-1", "ada"));
    transmitter.put([set.clone()]);
    let ended = end_of(stream).duration_since(begun);
    let asked = upstream.count();
    for _ in 0..10 {
        assert_eq!(ada.status(&gate), 401);
    }
    let refused = begun.elapsed();
    assert_eq!(upstream.count(), asked, "a call of a revoked session was sent");
    println!("the stream ended after {ended:?}; ten calls had been refused after {refused:?}");
    assert!(ended < Duration::from_secs(1), "{ended:?}");
    transmitter.acknowledged("set-1");
    assert_eq!(bob.status(&gate), 200);
    assert_eq!(Login::again("ada").status(&gate), 200);

    let listed = said(&gate, &["revocations"]);
    assert!(
        listed.starts_with(&format!("user ada of {ISSUER} (tokens issued before 20")),
        "{listed}"
    );
    assert!(
        listed.contains("by transmitter tx\n  session-revoked (SET set-1)\n"),
        "{listed}"
    );
    gate.restart();
    assert_eq!(
        (ada.status(&gate), Login::again("ada").status(&gate)),
        (401, 200),
        "after a restart"
    );
    // The same once more, to a gate that does not remember it.
    transmitter.put([set]);
    transmitter.acknowledged("set-1");
    assert_eq!(
        (ada.status(&gate), Login::again("ada").status(&gate)),
        (401, 200),
        "after a repetition"
    );

    assert!(gate.stop().success());
    let mut changes = gate.audit();
    changes.retain(|record| record["kind"] == "change");
    assert_eq!(changes[0]["by_transmitter"], "tx");
    assert_eq!(changes[0]["action"], "revoke");
    assert!(changes[0].get("by_uid").is_none());
}

#[test]
fn what_was_minted_in_a_revoked_session_is_not_used_for_the_next_one() {
    let (upstream, transmitter) = (Upstream::obliging(), Transmitter::new());
    let gate = launch(&upstream, &transmitter);
    let shown = || {
        let request = String::from_utf8(upstream.seen().pop().unwrap()).unwrap();
        let value = request
            .lines()
            .find_map(|line| line.strip_prefix("authorization: Bearer "));
        value.unwrap().to_owned()
    };
    // Enough calls that every shard has a token of its own.
    let tokens = |login: &Login| {
        let calls = (0..10).map(|_| {
            assert_eq!(login.status(&gate), 200);
            shown()
        });
        calls.collect::<BTreeSet<_>>()
    };
    let before = tokens(&Login::of("ada"));
    transmitter.put([("set-1".to_owned(), transmitter.session_revoked("set-1", "ada"))]);
    transmitter.acknowledged("set-1");
    let after = tokens(&Login::again("ada"));
    assert!(before.len() <= 2, "one for each shard");
    assert!(
        before.is_disjoint(&after),
        "a token of the revoked session was used again"
    );
}

#[test]
fn a_session_that_is_named_is_the_only_one_that_ends() {
    let (upstream, transmitter) = (server(), Transmitter::new());
    let gate = launch(&upstream, &transmitter);
    let Login(agent, user) = Login::of("ada");
    let in_session = |sid: &str| {
        let mut claims = claims(&user);
        claims["sid"] = json!(sid);
        Login(agent.clone(), Issuer::new().sign(&claims))
    };
    let (first, second) = (in_session("s-1"), in_session("s-2"));
    assert_eq!((first.status(&gate), second.status(&gate)), (200, 200));
    let subject = json!({"format": "complex", "session": {"format": "opaque", "id": "s-1"},
        "user": {"format": "iss_sub", "iss": ISSUER, "sub": "ada"}});
    let claims = transmitter.claims("set-1", "session-revoked", &json!({"event_timestamp": 1}), &subject);
    transmitter.put([("set-1".to_owned(), transmitter.sign(&claims))]);
    transmitter.acknowledged("set-1");
    assert_eq!((first.status(&gate), second.status(&gate)), (401, 200));
}

#[test]
fn what_is_not_to_be_believed_is_refused_told_and_does_nothing() {
    let (upstream, transmitter) = (server(), Transmitter::new());
    let gate = launch(&upstream, &transmitter);
    let ada = Login::of("ada");
    let user = json!({"format": "iss_sub", "iss": ISSUER, "sub": "ada"});
    let with = |jti: &str, name: &str, value: Value| {
        let mut claims = transmitter.claims(jti, "session-revoked", &json!({}), &user);
        claims[name] = value;
        transmitter.sign(&claims)
    };
    let foreign = json!({"format": "iss_sub", "iss": "https://other.test", "sub": "ada"});
    let expected = [
        ("exp", with("exp", "exp", json!(u64::MAX)), "invalid_request"),
        ("sub", with("sub", "sub", json!("ada")), "invalid_request"),
        ("iss", with("iss", "iss", json!("https://other.test")), "invalid_issuer"),
        (
            "aud",
            with("aud", "aud", json!("https://other.test")),
            "invalid_audience",
        ),
        ("iat", with("iat", "iat", json!(1_790_000_000)), "invalid_request"),
        (
            "events",
            with("events", "events", json!({"https://other.test": {}})),
            "invalid_request",
        ),
        ("subject", with("subject", "sub_id", foreign), "invalid_request"),
        ("name", with("other", "txn", json!("1")), "invalid_request"),
        (
            "token",
            Issuer::new().sign(&transmitter.claims("token", "session-revoked", &json!({}), &user)),
            "invalid_request",
        ),
        ("text", "not a SET".to_owned(), "invalid_request"),
    ];
    transmitter.put(expected.iter().map(|(name, set, _)| ((*name).to_owned(), set.clone())));
    let refused = transmitter.settled();
    for (name, _, code) in &expected {
        assert_eq!(refused[*name]["err"], *code, "{name}: {:?}", refused[*name]);
    }
    assert_eq!((refused.len(), ada.status(&gate)), (expected.len(), 200));
    let health = health(&gate);
    assert_eq!(
        (&health["refused"], &health["accepted"]),
        (&json!(expected.len()), &json!(0)),
        "{health}"
    );
    assert!(health["last_refusal"]["error"].is_string());
    let log = fs::read_to_string(gate.folder.path().join("stderr.log")).unwrap();
    assert!(
        log.contains("signals tx: a SET is refused: aud is another receiver"),
        "{log}"
    );
    assert_eq!(said(&gate, &["revocations"]), "nothing is shut off\n");
}

#[test]
fn a_set_with_a_key_that_nobody_knows_is_refused_for_it() {
    let (upstream, transmitter) = (server(), Transmitter::new());
    let gate = launch(&upstream, &transmitter);
    let mut stranger = Transmitter::with_key("tx2", 22);
    stranger.address = transmitter.address;
    let mut forger = Transmitter::with_key("tx1", 23);
    forger.address = transmitter.address;
    transmitter.put([
        ("a".to_owned(), stranger.session_revoked("a", "ada")),
        ("b".to_owned(), forger.session_revoked("b", "ada")),
    ]);
    let refused = transmitter.settled();
    assert_eq!(
        (&refused["a"]["err"], &refused["b"]["err"]),
        (&json!("invalid_key"), &json!("authentication_failed"))
    );
    assert_eq!(Login::of("ada").status(&gate), 200);
}

#[test]
fn a_set_that_comes_twice_counts_once_and_its_name_is_no_other_ones() {
    let (upstream, transmitter) = (server(), Transmitter::new());
    let gate = launch(&upstream, &transmitter);
    let set = transmitter.session_revoked("set-1", "ada");
    for _ in 0..2 {
        transmitter.put([("set-1".to_owned(), set.clone())]);
        transmitter.acknowledged("set-1");
    }
    let seen = health(&gate);
    assert_eq!((&seen["accepted"], &seen["repeated"]), (&json!(1), &json!(1)), "{seen}");
    transmitter.put([("set-1".to_owned(), transmitter.session_revoked("set-1", "bob"))]);
    assert_eq!(transmitter.settled()["set-1"]["err"], "invalid_request");
    assert_eq!(Login::of("bob").status(&gate), 200);
}

#[test]
fn a_set_signed_with_a_new_key_waits_until_the_keys_were_fetched() {
    let (upstream, transmitter, keys) = (server(), Transmitter::new(), Idp::empty());
    let metadata = json!({"issuer": keys.iss(), "jwks_uri": format!("{}{JWKS}", keys.iss())});
    keys.says("/.well-known/ssf-configuration", json_response(&metadata));
    keys.says(JWKS, json_response(&Transmitter::with_key("tx0", 20).jwks()));
    let issuer = |iss: &str| format!("issuer = \"{iss}\"");
    let table = transmitter.table().replace("jwks_file = \"tx.json\"\n", "");
    let table = table.replace(&issuer(&transmitter.iss()), &issuer(&keys.iss()));
    let gate = Gate::launch(folder(&upstream, &transmitter, &table), &[&upstream]);
    let ada = Login::of("ada");
    let subject = json!({"format": "iss_sub", "iss": ISSUER, "sub": "ada"});
    let mut claims = transmitter.claims("set-1", "session-revoked", &json!({}), &subject);
    claims["iss"] = json!(keys.iss());
    transmitter.put([("set-1".to_owned(), transmitter.sign(&claims))]);
    until(&gate, |health| health["answered"].is_u64());
    assert_eq!((ada.status(&gate), &health(&gate)["refused"]), (200, &json!(0)));
    keys.says(JWKS, json_response(&transmitter.jwks()));
    said(&gate, &["issuer", "refresh", "signals.tx"]);
    transmitter.acknowledged("set-1");
    assert_eq!(ada.status(&gate), 401);
}

#[test]
fn the_stream_is_asked_with_a_token_that_is_shown_to_nobody_else() {
    let (upstream, transmitter) = (server(), Transmitter::new());
    let table = transmitter.table() + "token_file = \"poll.token\"\n";
    let folder = folder(&upstream, &transmitter, &table);
    let file = folder.path().join("poll.token");
    let secret = "a-wrong-token-that-is-long-enough-to-look-for";
    fs::write(&file, secret).unwrap();
    let check = || {
        let arguments = ["check", "--config"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        command
            .args(arguments)
            .arg(folder.path().join("portreeve.toml"))
            .output()
            .unwrap()
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let checked = check();
    let words = String::from_utf8(checked.stderr).unwrap();
    assert!(
        checked.status.code() == Some(3) && words.contains("others can read this token"),
        "{words}"
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(check().status.code(), Some(0));

    transmitter.demand("the-right-one");
    let gate = Gate::launch(folder, &[&upstream]);
    transmitter.turned_away();
    let failing = until(&gate, |health| health["failing"].is_object());
    let expected = format!("http://{}/poll answered 401", transmitter.address);
    assert_eq!(failing["failing"]["error"], expected);
    let log = fs::read_to_string(gate.folder.path().join("stderr.log")).unwrap();
    assert!(!log.contains(secret) && !failing.to_string().contains(secret));
    // Read anew with each request: a token is renewed without a restart.
    fs::write(gate.folder.path().join("poll.token"), "the-right-one\n").unwrap();
    transmitter.put([("set-1".to_owned(), transmitter.session_revoked("set-1", "ada"))]);
    transmitter.acknowledged("set-1");
    assert!(health(&gate).get("failing").is_none());
}

#[test]
fn a_flood_of_signals_is_bounded_and_holds_no_order_up() {
    let (upstream, transmitter) = (server(), Transmitter::new());
    let gate = launch(&upstream, &transmitter);
    let many: Value = (0..65)
        .map(|number| (number.to_string(), json!("x")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (answer, expected) in [
        (
            json_response(&json!({"sets": many})),
            "answered with more than the 64 SETs it was asked for",
        ),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec(),
            "answered 302",
        ),
    ] {
        transmitter.say(Some(answer));
        until(&gate, |health| {
            health["failing"]["error"]
                .as_str()
                .is_some_and(|error| error.contains(expected))
        });
    }
    let sets = (0..500).map(|number| {
        let name = format!("set-{number}");
        let set = transmitter.session_revoked(&name, &format!("user-{number}"));
        (name, set)
    });
    transmitter.put(sets);
    transmitter.say(None);
    let begun = Instant::now();
    said(&gate, &["revoke", "agent", "clerk-bot"]);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "an order waited {:?}",
        begun.elapsed()
    );
    assert!(transmitter.settled().is_empty());
    let health = health(&gate);
    assert_eq!(health["accepted"], 500, "{health}");
    assert_eq!(said(&gate, &["revocations"]).matches("by transmitter tx").count(), 500);
}

#[test]
fn policies_know_what_was_said_of_a_user_over_reloads_and_restarts() {
    let (upstream, transmitter) = (server(), Transmitter::new());
    let folder = folder(&upstream, &transmitter, &transmitter.table());
    let policies = format!(
        "{PERMIT_CLERKS}\n@id(\"risk\") forbid(principal, action, resource) when {{ context has user_risk && \
         context.user_risk == \"high\" }};\n@id(\"device\") forbid(principal, action, resource) when {{ \
         context has device_compliant && !context.device_compliant }};"
    );
    fs::write(folder.path().join("policies/test.cedar"), policies).unwrap();
    let mut gate = Gate::launch(folder, &[&upstream]);
    let denied_tool = |gate: &Gate, user: &str, tool: &str| {
        let Login(agent, user) = Login::of(user);
        let headers = modern_headers(&agent, &user, "tools/call", tool);
        gate.post(&headers, &modern_call(1, tool, &json!({}))).json()["error"].is_object()
    };
    let denied = |gate: &Gate, user: &str| denied_tool(gate, user, "read");
    let user = json!({"format": "iss_sub", "iss": ISSUER, "sub": "ada"});
    let say = |jti: &str, event: &str, payload: Value| {
        let set = transmitter.sign(&transmitter.claims(jti, event, &payload, &user));
        transmitter.put([(jti.to_owned(), set)]);
        transmitter.acknowledged(jti);
    };
    assert!(!denied(&gate, "ada"));
    say(
        "set-1",
        "risk-level-change",
        json!({"principal": "USER", "current_level": "HIGH"}),
    );
    assert!(denied(&gate, "ada") && !denied(&gate, "bob"));
    gate.restart();
    assert!(denied(&gate, "ada") && !denied(&gate, "bob"), "after a restart");
    // A tool that only the new policies forbid says when they are in force.
    let file = gate.folder.path().join("policies/test.cedar");
    let policies = fs::read_to_string(&file).unwrap();
    let drop = "@id(\"drop\") forbid(principal, action == Action::\"town/drop\", resource);";
    fs::write(&file, format!("{policies}\n{drop}")).unwrap();
    let since = Instant::now();
    while !denied_tool(&gate, "bob", "drop") {
        assert!(since.elapsed() < PATIENCE, "the policies were not taken up");
    }
    assert!(denied(&gate, "ada") && !denied(&gate, "bob"), "after a reload");
    let broken = json!({"previous_status": "compliant", "current_status": "not-compliant"});
    say("set-2", "device-compliance-change", broken);
    assert!(denied(&gate, "ada"));
    assert!(gate.stop().success());
    let records = gate.audit();
    let noted = records.iter().any(|record| {
        record["what"] == format!("user ada of {ISSUER}: risk is high") && record["by_transmitter"] == "tx"
    });
    assert!(noted, "{records:?}");
    let by_both = json!(["device", "risk"]);
    assert!(
        records.iter().any(|record| record["policies"] == by_both),
        "{records:?}"
    );
}
