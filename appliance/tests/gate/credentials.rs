//! With what right the gate speaks to each server: its own keys, a secret, or nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::{Gate, Issuer, Upstream, modern_call, modern_headers, until};

const PERMIT_ALL: &str = r#"@id("clerks") permit(principal in Group::"clerks", action, resource);"#;

const FIRST: &str = "sk-first-0123456789-abcdefghij";
const SECOND: &str = "sk-second-ABCDEFGHIJ-9876543210";
const STATIC: &str = "[servers.town.credential]\nmode = \"static\"\nsecret = \"town-key\"\n";

/// `portreeve secret` on the configuration in `folder`.
fn secret(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .arg("secret")
        .args(arguments)
        .arg("--config")
        .arg(folder.join("portreeve.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn set(folder: &Path, value: &str) {
    let done = secret(folder, &["set", "town-key"], value);
    assert!(done.status.success(), "{done:?}");
}

/// A gate that shows `upstream` the secret `value`, as the lines of `more` say.
fn holding(upstream: &Upstream, policies: &str, value: &str, more: &str) -> Gate {
    let folder = Gate::prepare(upstream, policies, &Issuer::new().jwks(), &format!("{STATIC}{more}"));
    set(folder.path(), value);
    let gate = Gate::launch(folder, &[upstream]);
    gate.holds(value);
    gate
}

/// What becomes of starting a gate that must not start.
fn refused(folder: &TempDir) -> String {
    let mut serve = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    let output = serve
        .args(["serve", "--config"])
        .arg(folder.path().join("portreeve.toml"))
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(3));
    String::from_utf8(output.stderr).unwrap()
}

fn of_kind(audit: &[Value], kind: &str) -> Vec<Value> {
    audit.iter().filter(|record| record["kind"] == kind).cloned().collect()
}

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

/// Calls `read` at `town`, and reads until the connection ends.
fn call_to_the_end(gate: &Gate) -> String {
    let body = modern_call(1, "read", &json!({}));
    let head = format!(
        "POST /town/mcp HTTP/1.1\r\nhost: {}\r\n{}connection: close\r\ncontent-length: {}\r\n\r\n",
        gate.address,
        headers(&Issuer::new()),
        body.len()
    );
    let mut connection = gate.connect();
    connection.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
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

fn edit(gate: &Gate, change: impl FnOnce(String) -> String) {
    let file = gate.folder.path().join("portreeve.toml");
    fs::write(&file, change(fs::read_to_string(&file).unwrap())).unwrap();
}

#[test]
fn each_server_has_its_own_keys_also_one_that_is_added_while_the_gate_runs() {
    let (town, harbour) = (Upstream::obliging(), Upstream::obliging());
    let gate = Gate::start(&town, PERMIT_ALL);
    assert_eq!(call(&gate, "town").status, 200);
    edit(&gate, |text| {
        format!(
            "{text}[servers.harbour]\nurl = \"http://{}/\"\naudience = \"http://{}/upstream\"\n",
            harbour.address, town.address
        )
    });
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

#[test]
fn a_key_was_published_before_it_signs_and_outlives_a_restart() {
    let upstream = Upstream::obliging();
    let mut gate = Gate::start(&upstream, PERMIT_ALL);
    let keys_of_town = "/.well-known/jwks.json/town";
    assert_eq!(call(&gate, "town").status, 200);
    let (before, first) = (published(&gate, keys_of_town), signed_by(&upstream));
    gate.restart();
    assert_eq!(call(&gate, "town").status, 200);
    assert_eq!(
        (published(&gate, keys_of_town), signed_by(&upstream)),
        (before.clone(), first.clone())
    );

    // The next key takes the place of the first one, and another next key is made.
    let folder = gate.folder.path().join("state/keys/servers/town");
    fs::rename(folder.join("mint-next-ed25519.pk8"), folder.join("mint-ed25519.pk8")).unwrap();
    gate.restart();
    assert_eq!(call(&gate, "town").status, 200);
    let second = signed_by(&upstream);
    assert!(
        second != first && before.contains(&second),
        "{second} was not known before it signed"
    );
    let after = published(&gate, keys_of_town);
    assert!(
        after.len() == 2 && after.contains(&second) && !after.contains(&first),
        "{after:?}"
    );
}

#[test]
fn tokens_have_the_scopes_the_lifetime_and_the_claims_that_their_server_names() {
    let upstream = Upstream::obliging();
    let named = "[servers.town.credential]\nlifetime = \"30s\"\nscopes.read = \"files:read audit\"\n\
                 scopes_default = \"files\"\n\
                 claims = { rename = { sub_id = \"person\" }, drop = [\"txn\"], constant = { tenant = \"t-1\" } }\n";
    let mut gate = Gate::start_with(&upstream, PERMIT_ALL, &Issuer::new().jwks(), named);
    assert_eq!(call(&gate, "town").status, 200);
    let other = headers(&Issuer::new()).replace("mcp-name: read", "mcp-name: write");
    assert_eq!(gate.post(&other, &modern_call(1, "write", &json!({}))).status, 200);
    let tokens = seen(&upstream, "authorization");
    let claims: Vec<Value> = tokens.iter().map(|token| crate::kit::claims(token)).collect();
    assert_eq!(
        (&claims[0]["scope"], &claims[1]["scope"]),
        (&json!("files:read audit"), &json!("files"))
    );
    assert_eq!(
        claims[0]["exp"].as_u64().unwrap() - claims[0]["iat"].as_u64().unwrap(),
        30
    );
    assert_eq!(
        (&claims[0]["person"]["sub"], &claims[0]["tenant"]),
        (&json!("ada"), &json!("t-1"))
    );
    assert!(claims[0].get("sub_id").is_none() && claims[0].get("txn").is_none());
    assert!(gate.stop().success());
    // Each shard has its own file.
    let intents = of_kind(&gate.audit(), "intent");
    let read = intents.iter().find(|intent| intent["tool"] == "read").unwrap();
    assert_eq!(read["scope"], "files:read audit");
}

#[test]
fn a_secret_reaches_its_server_under_its_header_and_shows_nowhere_else() {
    let upstream = Upstream::obliging();
    let mut gate = holding(&upstream, PERMIT_ALL, FIRST, "");
    assert_eq!(call(&gate, "town").status, 200);
    for file in ["cmdline", "environ"] {
        let of_process = fs::read(format!("/proc/{}/{file}", gate.process())).unwrap();
        assert!(!String::from_utf8_lossy(&of_process).contains(FIRST), "{file}");
    }
    assert_eq!(seen(&upstream, "authorization"), [format!("Bearer {FIRST}")]);
    assert!(seen(&upstream, "x-ai-user-assertion").is_empty());
    assert!(gate.stop().success());
    let intent = &of_kind(&gate.audit(), "intent")[0];
    assert_eq!(
        (&intent["credential"], &intent["user"]["id"]),
        (&json!("static"), &json!("ada"))
    );
    assert!(intent.get("token").is_none() && intent.get("scope").is_none());
    // Ending looks through everything that the gate wrote.
}

#[test]
fn a_secret_goes_into_the_header_that_is_named() {
    let upstream = Upstream::obliging();
    let gate = holding(&upstream, PERMIT_ALL, FIRST, "header = \"X-Api-Key\"\n");
    assert_eq!(call(&gate, "town").status, 200);
    assert_eq!(seen(&upstream, "x-api-key"), [FIRST]);
    assert!(seen(&upstream, "authorization").is_empty());
}

#[test]
fn a_server_that_is_shown_nothing_gets_no_credential() {
    let upstream = Upstream::obliging();
    let none = "[servers.town.credential]\nmode = \"none\"\n";
    let mut gate = Gate::start_with(&upstream, PERMIT_ALL, &Issuer::new().jwks(), none);
    assert_eq!(call(&gate, "town").status, 200);
    assert_eq!(upstream.count(), 1);
    let names = String::from_utf8(upstream.seen().concat())
        .unwrap()
        .to_ascii_lowercase();
    assert!(!names.contains("authorization") && !names.contains("bearer"), "{names}");
    assert!(
        !gate.folder.path().join("state/keys/servers").exists(),
        "no keys are made for it"
    );
    assert!(gate.stop().success());
    assert_eq!(of_kind(&gate.audit(), "intent")[0]["credential"], "none");
}

#[test]
fn a_secret_that_is_missing_or_unfit_keeps_the_gate_from_starting_and_names_the_command() {
    let upstream = Upstream::obliging();
    let folder = Gate::prepare(&upstream, PERMIT_ALL, &Issuer::new().jwks(), STATIC);
    let words = refused(&folder);
    assert!(
        words.contains("portreeve.toml:27:10: there is no secret `town-key`"),
        "{words}"
    );
    assert!(
        words.contains("hint: portreeve secret set town-key --config "),
        "{words}"
    );
    let mut check = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    let checked = check
        .args(["check", "--config"])
        .arg(folder.path().join("portreeve.toml"))
        .output();
    assert_eq!(checked.unwrap().status.code(), Some(3));

    let unfit = secret(folder.path(), &["set", "town-key"], "two\nlines");
    assert_eq!(unfit.status.code(), Some(3), "{unfit:?}");
    let state = folder.path().join("state");
    let unasked = ["set", "town-key", "--state-dir", state.to_str().unwrap()];
    assert!(secret(folder.path(), &unasked, "two\nlines").status.success());
    let words = refused(&folder);
    assert!(
        words.contains("this secret cannot stand in a header") && !words.contains("two"),
        "{words}"
    );
    set(folder.path(), FIRST);
    let sealed = folder.path().join("state/secrets/town-key.sealed");
    let mut bytes = fs::read(&sealed).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&sealed, bytes).unwrap();
    let words = refused(&folder);
    assert!(words.contains("the file was changed, cut or renamed"), "{words}");
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_secret_that_is_set_again_is_in_use_without_a_restart() {
    let upstream = Upstream::obliging();
    let gate = holding(&upstream, PERMIT_ALL, FIRST, "");
    assert_eq!(call(&gate, "town").status, 200);
    set(gate.folder.path(), SECOND);
    gate.holds(SECOND);
    let rotated = format!("Bearer {SECOND}");
    until("the new secret was not taken up", || {
        assert_eq!(call(&gate, "town").status, 200);
        seen(&upstream, "authorization").contains(&rotated)
    });
    let values = seen(&upstream, "authorization");
    let turn = values.iter().position(|value| *value == rotated).unwrap();
    assert!(values[..turn].iter().all(|value| *value == format!("Bearer {FIRST}")));

    let used = secret(gate.folder.path(), &["rm", "town-key"], "");
    assert_eq!(used.status.code(), Some(1));
    assert!(
        String::from_utf8(used.stderr)
            .unwrap()
            .contains("`town-key` is used by town")
    );
    let listed = secret(gate.folder.path(), &["list"], "");
    assert!(String::from_utf8(listed.stdout).unwrap().ends_with("used by town\n"));
}

#[test]
fn a_damaged_secret_leaves_the_last_good_one_in_force() {
    let upstream = Upstream::obliging();
    let gate = holding(&upstream, PERMIT_ALL, FIRST, "");
    fs::write(gate.folder.path().join("state/secrets/town-key.sealed"), "nonsense").unwrap();
    let log = gate.folder.path().join("stderr.log");
    until("the damage was not reported", || {
        fs::read_to_string(&log).unwrap().contains("NOT reloaded")
    });
    assert!(
        fs::read_to_string(&log)
            .unwrap()
            .contains("this is not a sealed secret")
    );
    assert_eq!(call(&gate, "town").status, 200);
    assert_eq!(seen(&upstream, "authorization"), [format!("Bearer {FIRST}")]);
}

#[test]
fn a_change_of_mode_is_taken_up_while_the_gate_runs() {
    let upstream = Upstream::obliging();
    let gate = holding(&upstream, PERMIT_ALL, FIRST, "");
    let shown = || {
        assert_eq!(call(&gate, "town").status, 200);
        let last = upstream.seen().pop().unwrap();
        let last = String::from_utf8(last).unwrap();
        let value = last.lines().find_map(|line| line.strip_prefix("authorization: "));
        value.map(str::to_owned)
    };
    assert_eq!(shown(), Some(format!("Bearer {FIRST}")));
    edit(&gate, |text| {
        text.replace(STATIC, "[servers.town.credential]\nmode = \"none\"\n")
    });
    until("none is shown", || shown().is_none());
    edit(&gate, |text| text.replace("mode = \"none\"", "mode = \"mint\""));
    until("a token is shown", || {
        shown().is_some_and(|value| value.starts_with("Bearer eyJ"))
    });
    edit(&gate, |text| {
        text.replace("mode = \"mint\"", "mode = \"static\"\nsecret = \"town-key\"")
    });
    until("the secret is shown", || shown() == Some(format!("Bearer {FIRST}")));
}

#[test]
fn policy_can_forbid_by_the_kind_of_credential() {
    let upstream = Upstream::obliging();
    let policies = format!(
        r#"{PERMIT_ALL} @id("no-shared-keys") forbid(principal, action in Action::"class:admin", resource)
           when {{ context.credential == "static" }};"#
    );
    let gate = holding(&upstream, &policies, FIRST, "");
    assert_eq!(call(&gate, "town").code(), Some(-31403));
    edit(&gate, |text| text.replace(STATIC, ""));
    until("a minted token is allowed", || {
        call(&gate, "town").json()["result"].is_object()
    });
}

#[test]
fn an_answer_that_holds_the_secret_is_not_passed_on_however_it_is_written() {
    let escaped: String = FIRST.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let body = |text: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"resultType":"complete","content":[{{"type":"text","text":"{text}"}}]}}}}"#
        )
    };
    let stream = |lines: &str| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ";
        format!("{head}{}\r\n\r\n{lines}", lines.len()).into_bytes()
    };
    let whole = |text: &str| {
        let body = body(text);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
        format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let answers = [
        whole(&format!("you sent Bearer {FIRST}!")),
        whole(&escaped),
        stream(&format!("data: {}\n\n", body(FIRST))),
        stream(&format!("data: {}\n\n", body(&escaped))),
        stream(&format!("event: {FIRST}\ndata: {}\n\n", body("fine"))),
        stream(&format!("id: {FIRST}\n\ndata: {}\n\n", body("fine"))),
    ];
    let count = answers.len();
    let answers = std::sync::Mutex::new(answers.into_iter());
    let upstream = Upstream::with(move |_| answers.lock().unwrap().next().unwrap());
    let mut gate = holding(&upstream, PERMIT_ALL, FIRST, "");
    for turn in 0..count {
        let text = call_to_the_end(&gate);
        assert!(!text.contains(FIRST) && !text.contains(&escaped), "{turn}: {text}");
        assert!(text.contains("cannot be passed on"), "{turn}: {text}");
    }
    assert!(gate.stop().success());
    let outcomes = of_kind(&gate.audit(), "outcome");
    assert_eq!(outcomes.len(), count);
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome["result"] == "credential_in_reply"),
        "{outcomes:#?}"
    );
}
