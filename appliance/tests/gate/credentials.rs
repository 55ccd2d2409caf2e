//! With what right the gate speaks to each server: its own keys, a secret, or nothing.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use crate::kit::{Gate, Issuer, Upstream, modern_call, modern_headers};

const PERMIT_ALL: &str = r#"@id("clerks") permit(principal in Group::"clerks", action, resource);"#;

fn headers(issuer: &Issuer) -> String {
    let user = issuer.user("ada", "clerk-bot", &["clerks"]);
    modern_headers(&issuer.agent("clerk-bot"), &user, "tools/call", "read")
}

/// Calls `read` at `server`.
fn call(gate: &Gate, server: &str) -> crate::kit::Response {
    let body = modern_call(1, "read", &json!({}));
    let head = format!(
        "POST /{server}/mcp HTTP/1.1\r\nhost: {}\r\n{}content-length: {}\r\n\r\n",
        gate.address,
        headers(&Issuer::new()),
        body.len()
    );
    gate.raw(&[head.as_bytes(), &body].concat())
}

/// The values of a header among the requests that a server saw.
fn seen(upstream: &Upstream, name: &str) -> Vec<String> {
    let requests = upstream.seen();
    let lines = requests.iter().flat_map(|request| request.split(|byte| *byte == b'\n'));
    lines
        .filter_map(|line| {
            let line = std::str::from_utf8(line).ok()?;
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
        .collect()
}

/// The ids of the keys in a published document.
fn published(gate: &Gate, path: &str) -> Vec<String> {
    let document = gate.raw(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", gate.address).as_bytes());
    assert_eq!(document.status, 200, "{path}");
    let keys = document.json()["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The id of the key that signed the last token a server saw.
fn signed_by(upstream: &Upstream) -> String {
    let token = seen(upstream, "authorization").pop().unwrap();
    let header = token.strip_prefix("Bearer ").unwrap().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&BASE64.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Repeats a look until it is as wanted: the kernel says at its own pace that a file changed.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed().as_secs() < 20, "{what}");
    }
}

fn add(gate: &Gate, more: &str) {
    let file = gate.folder.path().join("portreeve.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}{more}")).unwrap();
}

#[test]
fn each_server_has_its_own_keys_also_one_that_is_added_while_the_gate_runs() {
    let (town, harbour) = (Upstream::obliging(), Upstream::obliging());
    let gate = Gate::start(&town, PERMIT_ALL);
    assert_eq!(call(&gate, "town").status, 200);
    add(
        &gate,
        &format!(
            "[servers.harbour]\nurl = \"http://{}/\"\naudience = \"http://{}/upstream\"\n",
            harbour.address, town.address
        ),
    );
    until("the new server was not taken up", || {
        call(&gate, "harbour").status == 200
    });

    let (of_town, of_harbour) = (
        published(&gate, "/.well-known/jwks.json/town"),
        published(&gate, "/.well-known/jwks.json/harbour"),
    );
    assert!(of_town.contains(&signed_by(&town)) && !of_harbour.contains(&signed_by(&town)));
    assert!(of_harbour.contains(&signed_by(&harbour)) && !of_town.contains(&signed_by(&harbour)));
    let mut all = [of_harbour, of_town].concat();
    let mut shared = published(&gate, "/.well-known/jwks.json");
    all.sort();
    shared.sort();
    assert_eq!((shared, all.len()), (all.clone(), 4));
    let nobody = format!(
        "GET /.well-known/jwks.json/nobody HTTP/1.1\r\nhost: {}\r\n\r\n",
        gate.address
    );
    assert_eq!(gate.raw(nobody.as_bytes()).status, 404);
}
