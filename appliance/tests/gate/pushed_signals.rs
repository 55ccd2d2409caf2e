//! Signals that are pushed: taken from their transmitter alone, and in force when they are answered.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::{Gate, Transmitter, Upstream, end_of};
use crate::signals::{Login, folder, health, said, server};

const TOKEN: &str = "the-token-of-the-transmitter-0123456789";
const PATH: &str = "/signals/tx";

/// A gate that `transmitter` pushes to. The token is in a folder that is not the gate's: it must not turn up there.
fn launch(upstream: &Upstream, transmitter: &Transmitter, elsewhere: &TempDir) -> Gate {
    let file = elsewhere.path().join("push.token");
    fs::write(&file, TOKEN).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let table = transmitter.table();
    let (pushing, _) = table.split_once("poll = ").unwrap();
    let table = format!("{pushing}push = true\npush_token_file = \"{}\"\n", file.display());
    Gate::launch(folder(upstream, transmitter, &table), &[upstream])
}

/// The header lines that a transmitter with this token sends.
fn shown(token: &str) -> String {
    format!("authorization: Bearer {token}\r\ncontent-type: application/secevent+jwt\r\n")
}

/// Pushes `body` with these header lines to a path, and gives back the status and the error that is told.
fn push(gate: &Gate, path: &str, headers: &str, body: &str) -> (u16, String) {
    let (host, length) = (gate.address, body.len());
    let request = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\n\r\n{body}");
    let response = gate.raw(request.as_bytes());
    let told: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    (response.status, told["err"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn what_no_transmitter_brings_and_what_is_no_set_is_turned_away_and_does_nothing() {
    let (upstream, transmitter, elsewhere) = (server(), Transmitter::new(), TempDir::new().unwrap());
    let mut gate = launch(&upstream, &transmitter, &elsewhere);
    let good = transmitter.session_revoked("set-1", "ada");
    let right = shown(TOKEN);
    let mut foreign = transmitter.claims("set-2", "session-revoked", &json!({}), &json!({}));
    foreign["aud"] = json!("https://other.test");
    let (unauthenticated, malformed) = ((401, "authentication_failed"), (400, "invalid_request"));
    let cases = [
        (PATH, shown("another-token-0123456789"), good.clone(), unauthenticated),
        (PATH, shown(&format!("{TOKEN}0")), good.clone(), unauthenticated),
        (PATH, shown(""), good.clone(), unauthenticated),
        (PATH, right.replace("Bearer", "Basic"), good.clone(), unauthenticated),
        (
            PATH,
            right.replace("authorization", "x-authorization"),
            good.clone(),
            unauthenticated,
        ),
        (PATH, right.replace("secevent+jwt", "jwt"), good.clone(), malformed),
        (PATH, right.clone(), String::new(), malformed),
        (PATH, right.clone(), "a".repeat(8193), malformed),
        (PATH, right.clone(), "\u{e9}".to_owned(), malformed),
        (
            PATH,
            right.clone(),
            transmitter.sign(&foreign),
            (400, "invalid_audience"),
        ),
        ("/signals/other", right.clone(), good.clone(), (404, "")),
        ("/signals/tx/", right, good, (404, "")),
    ];
    for (path, headers, body, expected) in &cases {
        let (status, error) = push(&gate, path, headers, body);
        assert_eq!((status, &*error), *expected, "{path} {headers} {body}");
    }
    let reading = format!("GET {PATH} HTTP/1.1\r\nhost: {}\r\n\r\n", gate.address);
    assert_eq!(gate.raw(reading.as_bytes()).status, 405);
    assert_eq!(
        (Login::of("ada").status(&gate), &health(&gate)["accepted"]),
        (200, &json!(0))
    );
    assert!(gate.stop().success());
    let refused = gate
        .audit()
        .iter()
        .filter(|record| record["reason"] == "signal")
        .count();
    assert_eq!(refused, 10);
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "a figure to read; the test only holds it below a second"
)]
fn a_pushed_signal_is_in_force_when_it_is_answered() {
    let (upstream, transmitter, elsewhere) = (server(), Transmitter::new(), TempDir::new().unwrap());
    let mut gate = launch(&upstream, &transmitter, &elsewhere);
    let ada = Login::of("ada");
    let stream = ada.watch(&gate);
    let set = transmitter.session_revoked("set-1", "ada");
    let begun = Instant::now();
    assert_eq!(push(&gate, PATH, &shown(TOKEN), &set), (202, String::new()));
    let answered = begun.elapsed();
    assert_eq!(ada.status(&gate), 401);
    let ended = end_of(stream).duration_since(begun);
    println!("answered after {answered:?}; the stream ended after {ended:?}");
    assert!(ended < Duration::from_secs(1), "{ended:?}");
    assert_eq!(push(&gate, PATH, &shown(TOKEN), &set).0, 202, "the same once more");
    let seen = health(&gate);
    assert_eq!(
        (&seen["accepted"], &seen["repeated"], &seen["push"]),
        (&json!(1), &json!(1), &json!(PATH))
    );
    gate.restart();
    assert_eq!(
        (ada.status(&gate), Login::again("ada").status(&gate)),
        (401, 200),
        "after a restart"
    );
}

#[test]
fn pushes_at_once_are_carried_out_or_put_off_and_none_is_lost() {
    let (upstream, transmitter, elsewhere) = (server(), Transmitter::new(), TempDir::new().unwrap());
    let gate = launch(&upstream, &transmitter, &elsewhere);
    let one = &|number: usize| {
        let name = format!("set-{number}");
        let set = transmitter.session_revoked(&name, &format!("user-{number}"));
        // As a transmitter does: what is put off is brought again.
        while push(&gate, PATH, &shown(TOKEN), &set).0 == 503 {}
    };
    std::thread::scope(|scope| {
        for number in 0..100 {
            scope.spawn(move || one(number));
        }
    });
    assert_eq!(health(&gate)["accepted"], 100);
    assert_eq!(said(&gate, &["revocations"]).matches("by transmitter tx").count(), 100);
}
