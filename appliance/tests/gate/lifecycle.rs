//! Start, reload and stop, as an operator sees them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, Upstream, modern_call, modern_headers, read_response};

fn headers(issuer: &Issuer) -> String {
    modern_headers(
        &issuer.agent("clerk-bot"),
        &issuer.user("ada", "clerk-bot", &["clerks"]),
        "tools/call",
        "read",
    )
}

/// Repeats a call until its answer satisfies `done`: the reload is noticed by the kernel, at its own pace.
fn until(gate: &Gate, headers: &str, done: impl Fn(&serde_json::Value) -> bool) -> bool {
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(20) {
        if done(&gate.post(headers, &modern_call(1, "read", &json!({}))).json()) {
            return true;
        }
    }
    false
}

#[test]
fn a_changed_policy_is_in_force_without_a_restart_and_a_broken_one_never_is() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let headers = headers(&issuer);
    let policy = gate.folder.path().join("policies/test.cedar");
    assert!(gate.post(&headers, &modern_call(1, "read", &json!({}))).json()["result"].is_object());

    fs::write(&policy, "permit(principal, action, resource").unwrap();
    let log = gate.folder.path().join("stderr.log");
    let begun = std::time::Instant::now();
    while !fs::read_to_string(&log).unwrap().contains("NOT reloaded") {
        assert!(begun.elapsed().as_secs() < 20, "the broken policy was not reported");
    }
    assert!(
        gate.post(&headers, &modern_call(1, "read", &json!({}))).json()["result"].is_object(),
        "the last good one"
    );

    fs::write(&policy, r#"@id("nobody") forbid(principal, action, resource is Tool);"#).unwrap();
    assert!(until(&gate, &headers, |answer| answer["error"]["code"] == -31403));
}

#[test]
fn a_folder_that_policies_move_to_is_watched_from_then_on() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let (headers, folder) = (headers(&issuer), gate.folder.path());
    let forbid = r#"@id("nobody") forbid(principal, action, resource);"#;
    let place = |folder: &std::path::Path, policy: &str| fs::write(folder.join("test.cedar"), policy).unwrap();
    let becomes = |permitted: bool| until(&gate, &headers, |answer| answer["result"].is_object() == permitted);
    let (moved, next) = (folder.join("moved"), folder.join("next"));
    fs::create_dir(&moved).unwrap();
    place(&moved, forbid);
    let file = folder.join("portreeve.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("policies = \"policies\"", "policies = \"moved\"")).unwrap();
    assert!(becomes(false));
    place(&moved, PERMIT_CLERKS);
    assert!(becomes(true), "a change in the folder that they moved to");

    fs::create_dir(&next).unwrap();
    place(&next, forbid);
    fs::rename(&moved, folder.join("gone")).unwrap();
    fs::rename(&next, &moved).unwrap();
    assert!(becomes(false), "another folder takes its name");
    place(&moved, PERMIT_CLERKS);
    assert!(becomes(true), "a change in that one");
}

#[test]
fn a_revoked_agent_is_refused_from_the_next_request_on() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let headers = headers(&issuer);
    assert_eq!(gate.post(&headers, &modern_call(1, "read", &json!({}))).status, 200);
    let file = gate.folder.path().join("portreeve.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replacen(
            "subject = \"clerk-bot\"",
            "subject = \"clerk-bot\"\nstate = \"revoked\"",
            1,
        ),
    )
    .unwrap();
    assert!(until(&gate, &headers, |answer| answer["error"]["code"] == -31401));
}

#[test]
fn no_policy_at_all_denies_everything() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, "");
    let answer = gate.post(&headers(&issuer), &modern_call(1, "read", &json!({})));
    assert_eq!((answer.status, answer.code()), (200, Some(-31403)));
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_call_that_runs_when_the_gate_is_told_to_stop_still_gets_its_answer() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (arrive, arrived) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let upstream = Upstream::with(move |_| {
        arrive.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        crate::kit::json_response(
            &json!({"jsonrpc": "2.0", "id": 1, "result": {"resultType": "complete", "content": []}}),
        )
    });
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let body = modern_call(1, "read", &json!({}));
    let mut stream = gate.connect();
    let head = format!(
        "POST /town/mcp HTTP/1.1\r\nhost: {}\r\n{}content-length: {}\r\n\r\n",
        gate.address,
        headers(&Issuer::new()),
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    arrived.recv().unwrap();
    let stopping = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| gate.stop());
        release.send(()).unwrap();
        assert_eq!(read_response(&mut stream).status, 200);
        stopping.join().unwrap()
    });
    assert!(stopping.success());
}

#[test]
fn a_port_in_use_is_an_error_that_says_what_to_do() {
    let (upstream, taken) = (
        Upstream::obliging(),
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let file = gate.folder.path().join("portreeve.toml");
    let address = taken.local_addr().unwrap().to_string();
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("127.0.0.1:0", &address)
        .replace("\"state\"", "\"elsewhere\"");
    fs::write(&file, text).unwrap();
    let mut second = Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(["serve", "--config"])
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let words: Vec<String> = BufReader::new(second.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .collect();
    assert_eq!(second.wait().unwrap().code(), Some(1), "{words:?}");
    assert!(words.concat().contains(&address), "{words:?}");
}

#[test]
fn every_request_leaves_an_intent_and_an_outcome_or_a_refusal() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let headers = headers(&issuer);
    assert_eq!(
        gate.post(&headers, &modern_call(1, "read", &json!({"page": 2}))).status,
        200
    );
    assert_eq!(gate.post("", b"{}").status, 401);
    assert!(gate.stop().success());
    let audit = gate.audit();
    let find = |kind: &str| {
        audit
            .iter()
            .find(|record| record["kind"] == kind)
            .unwrap_or_else(|| panic!("{kind}: {audit:#?}"))
    };
    let (intent, outcome, refusal) = (find("intent"), find("outcome"), find("refusal"));
    assert_eq!(intent["request"], outcome["request"]);
    assert_eq!(intent["policies"], json!(["clerks"]));
    assert_eq!(outcome["status"], 200);
    assert_eq!(refusal["reason"], "hdr_none");
    for fact in ["agent", "user", "server", "method", "arguments", "token", "scope"] {
        assert!(
            intent.get(fact).is_some_and(|value| !value.is_null()) || intent.to_string().contains(fact),
            "{fact}: {intent}"
        );
    }
}

#[test]
fn a_log_beside_the_configuration_is_no_reason_to_read_it_again() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    // Its standard error goes into a file in the very folder of its configuration.
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let headers = headers(&issuer);
    let replace = |text: &str| {
        let next = gate.folder.path().join("policies/next");
        fs::write(&next, text).unwrap();
        fs::rename(&next, gate.folder.path().join("policies/test.cedar")).unwrap();
    };
    replace(r#"@id("nobody") forbid(principal, action, resource is Tool);"#);
    assert!(until(&gate, &headers, |answer| answer["error"]["code"] == -31403));
    replace(PERMIT_CLERKS);
    assert!(until(&gate, &headers, |answer| answer["result"].is_object()));
    assert!(gate.stop().success());
    let said = fs::read_to_string(gate.folder.path().join("stderr.log")).unwrap();
    assert_eq!(said.matches("reloaded: generation").count(), 2, "{said}");
}
