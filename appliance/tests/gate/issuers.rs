//! Issuers whose keys are fetched: found, rotated without a gap, and never given up for bad news.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::{
    AUDIENCE, Gate, Idp, Issuer, JWKS, OPENID, PERMIT_CLERKS, Upstream, json_response, modern_call, modern_headers,
    portreeve, read_one, until,
};

/// A bound on waiting for what the gate does at its own pace.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with a configuration for these issuers, each given by its name, its `iss` and further keys of its table.
fn folder(upstream: &Upstream, issuers: &[(&str, &str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/test.cedar"), PERMIT_CLERKS).unwrap();
    configure(folder.path(), upstream, issuers);
    folder
}

fn configure(folder: &Path, upstream: &Upstream, issuers: &[(&str, &str, &str)]) {
    let mut text = format!(
        "[gate]\nlisten = \"127.0.0.1:0\"\npublic_url = \"{AUDIENCE}\"\nshards = 2\n\
         [servers.town]\nurl = \"http://{}/upstream\"\n",
        upstream.address
    );
    for (name, iss, more) in issuers {
        text += &format!(
            "[issuers.{name}]\nissuer = \"{iss}\"\ntokens = [\"agent\", \"user\"]\naudience = \"{AUDIENCE}\"\n{more}\n\
             [agents.{name}-bot]\nissuer = \"{name}\"\nsubject = \"clerk-bot\"\n"
        );
    }
    fs::write(folder.join("portreeve.toml"), text).unwrap();
}

/// What `portreeve status` says of the issuer of that name.
fn status(gate: &Gate, name: &str) -> Value {
    let output = portreeve(gate.folder.path(), &["status", "--json"]);
    let status: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let issuers = status["issuers"].as_array().unwrap();
    issuers.iter().find(|issuer| issuer["name"] == name).unwrap().clone()
}

/// Waits until the status of that issuer is as `done` says.
fn settled(gate: &Gate, name: &str, done: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let status = status(gate, name);
        if done(&status) {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "{status}");
    }
}

fn refresh(gate: &Gate, name: &str) {
    let output = portreeve(gate.folder.path(), &["issuer", "refresh", name]);
    assert!(output.status.success(), "{output:?}");
}

/// The HTTP status of a call with tokens of `issuer`.
fn call(gate: &Gate, issuer: &Issuer) -> u16 {
    gate.post(&headers(issuer), &modern_call(1, "read", &json!({}))).status
}

fn headers(issuer: &Issuer) -> String {
    let (agent, user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    modern_headers(&agent, &user, "tools/call", "read")
}

/// An identity provider, and the issuer whose keys it publishes.
fn idp(kid: &str, seed: u8) -> (Idp, Issuer) {
    let idp = Idp::empty();
    let issuer = Issuer::named(&idp.iss(), kid, seed);
    idp.publish(&issuer);
    (idp, issuer)
}

#[test]
fn finds_the_keys_of_an_issuer_through_its_metadata() {
    let upstream = Upstream::obliging();
    let (idp, issuer) = idp("k1", 1);
    let gate = Gate::launch(folder(&upstream, &[("idp", &idp.iss(), "")]), &[&upstream]);
    assert_eq!(call(&gate, &issuer), 200);
    assert_eq!(idp.asked(), [OPENID, JWKS]);
    let status = status(&gate, "idp");
    assert_eq!((&status["keys"], &status["fetches"]), (&json!(1), &json!(true)));
    assert_eq!(status["place"], format!("{}{JWKS}", idp.iss()));
}

#[test]
fn finds_the_metadata_of_rfc_8414_where_there_is_no_other() {
    let upstream = Upstream::obliging();
    let idp = Idp::empty();
    let iss = format!("{}/t", idp.iss());
    let issuer = Issuer::named(&iss, "k1", 1);
    let well_known = "/.well-known/oauth-authorization-server/t";
    let metadata = json!({"issuer": iss, "jwks_uri": format!("{}{JWKS}", idp.iss())});
    idp.says(well_known, json_response(&metadata));
    idp.says(JWKS, json_response(&serde_json::from_str(&issuer.jwks()).unwrap()));
    let gate = Gate::launch(folder(&upstream, &[("idp", &iss, "")]), &[&upstream]);
    assert_eq!(call(&gate, &issuer), 200);
    assert_eq!(idp.asked(), ["/t/.well-known/openid-configuration", well_known, JWKS]);
}

#[test]
fn asks_only_the_place_that_the_operator_names() {
    let upstream = Upstream::obliging();
    let (idp, _) = idp("k1", 1);
    let issuer = Issuer::named("https://idp.test", "k1", 1);
    let more = format!("jwks_uri = \"{}{JWKS}\"", idp.iss());
    let gate = Gate::launch(folder(&upstream, &[("idp", "https://idp.test", &more)]), &[&upstream]);
    assert_eq!(call(&gate, &issuer), 200);
    assert_eq!(idp.asked(), [JWKS]);
}

#[test]
fn rotated_keys_are_taken_up_when_a_token_names_one() {
    let upstream = Upstream::obliging();
    let (idp, old) = idp("old", 1);
    let mut gate = Gate::launch(folder(&upstream, &[("idp", &idp.iss(), "")]), &[&upstream]);
    assert_eq!(call(&gate, &old), 200);
    // Started again: it knows the keys, has no reason to ask, and may ask at once when it has one.
    gate.restart();
    assert_eq!(call(&gate, &old), 200);
    assert_eq!(idp.fetches(), 1, "kept keys are not asked for before they are due");

    let new = Issuer::named(&idp.iss(), "new", 2);
    idp.publish(&new);
    assert_eq!(call(&gate, &new), 401, "nobody waits for an issuer");
    until("the new key was not taken up", || call(&gate, &new) == 200);
    assert_eq!(idp.fetches(), 2);
    assert_eq!(
        call(&gate, &old),
        401,
        "a key that is no longer published signs nothing"
    );
}

#[test]
fn an_operator_can_have_keys_fetched_now() {
    let upstream = Upstream::obliging();
    let (idp, old) = idp("old", 1);
    let gate = Gate::launch(folder(&upstream, &[("idp", &idp.iss(), "")]), &[&upstream]);
    let new = Issuer::named(&idp.iss(), "new", 2);
    idp.publish(&new);
    refresh(&gate, "idp");
    until("the new key was not taken up", || call(&gate, &new) == 200);
    assert_eq!(call(&gate, &old), 401);
    let unknown = portreeve(gate.folder.path(), &["issuer", "refresh", "ipd"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("idp"), "{unknown:?}");
}

#[test]
fn a_flood_of_unknown_keys_costs_the_issuer_one_fetch_and_others_nothing() {
    let upstream = Upstream::obliging();
    let ((noisy, victim), (quiet, other)) = (idp("k1", 1), idp("k1", 2));
    let issuers = [("noisy", &*noisy.iss(), ""), ("quiet", &quiet.iss(), "")];
    let mut gate = Gate::launch(folder(&upstream, &issuers), &[&upstream]);
    // With kept keys nothing has been asked for since the start, so that the flood finds an open door.
    gate.restart();
    let mut wire = gate.connect();
    for number in 0..1_000 {
        let forged = Issuer::named(&noisy.iss(), &format!("made-up-{number}"), 9);
        let body = modern_call(1, "read", &json!({}));
        let head = format!(
            "POST /town/mcp HTTP/1.1\r\nhost: {}\r\n{}content-length: {}\r\n\r\n",
            gate.address,
            headers(&forged),
            body.len()
        );
        wire.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        assert_eq!(read_one(&mut wire).status, 401);
    }
    assert_eq!((call(&gate, &victim), call(&gate, &other)), (200, 200));
    assert!(
        noisy.fetches() <= 2,
        "one at the first start, one for the flood: {}",
        noisy.fetches()
    );
    assert_eq!(quiet.fetches(), 1);
}

/// Ways for an issuer to be wrong, and what the operator reads.
fn lies(idp: &Idp) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let keys = |keys: Value| json_response(&json!({"keys": keys}));
    let huge = json!({"keys": [], "padding": "x".repeat(70_000)});
    let elsewhere = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}/elsewhere\r\ncontent-length: 0\r\n\r\n",
        idp.iss()
    );
    let metadata = |issuer: &str, jwks_uri: &str| json_response(&json!({"issuer": issuer, "jwks_uri": jwks_uri}));
    vec![
        (
            OPENID,
            metadata("https://other.test", "https://other.test/keys"),
            "another issuer",
        ),
        (OPENID, metadata(&idp.iss(), "http://10.0.0.1/keys"), "is not https"),
        (OPENID, metadata(&idp.iss(), "file:///etc/passwd"), "is not"),
        (OPENID, json_response(&json!({"issuer": idp.iss()})), "jwks_uri"),
        (OPENID, elsewhere.clone().into_bytes(), "redirects are not followed"),
        (
            OPENID,
            b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_vec(),
            "answered 500",
        ),
        (JWKS, elsewhere.into_bytes(), "redirects are not followed"),
        (
            JWKS,
            b"HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n".to_vec(),
            "answered 503",
        ),
        (JWKS, json_response(&huge), "more than 65536 bytes"),
        (JWKS, keys(json!([])), "none of its 0 keys"),
        (
            JWKS,
            keys(json!([{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}])),
            "none of its 1 keys",
        ),
        (JWKS, json_response(&json!(["no", "set"])), "not an object"),
        (
            JWKS,
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnot json!".to_vec(),
            "not strict JSON",
        ),
        (JWKS, b"not HTTP at all\r\n\r\n".to_vec(), "cannot be reached"),
    ]
}

#[test]
fn good_keys_outlive_every_lie_and_outage_of_their_issuer() {
    let upstream = Upstream::obliging();
    let (idp, issuer) = idp("k1", 1);
    let gate = Gate::launch(folder(&upstream, &[("idp", &idp.iss(), "")]), &[&upstream]);
    for (path, answer, reason) in lies(&idp) {
        idp.publish(&issuer);
        idp.says(path, answer);
        refresh(&gate, "idp");
        let status = settled(&gate, "idp", |status| {
            status["failing"]["error"]
                .as_str()
                .is_some_and(|error| error.contains(reason))
        });
        assert_eq!(status["keys"], 1, "{reason}");
        assert_eq!(call(&gate, &issuer), 200, "{reason}");
        idp.publish(&issuer);
        refresh(&gate, "idp");
        settled(&gate, "idp", |status| status["failing"].is_null());
    }
    assert!(
        !idp.asked().contains(&"/elsewhere".to_owned()),
        "a redirect was followed"
    );
    idp.die();
    refresh(&gate, "idp");
    let status = settled(&gate, "idp", |status| status["failing"].is_object());
    assert!(
        status["failing"]["error"]
            .as_str()
            .unwrap()
            .contains("cannot be reached"),
        "{status}"
    );
    assert_eq!(call(&gate, &issuer), 200);
    let said = String::from_utf8(portreeve(gate.folder.path(), &["status"]).stdout).unwrap();
    assert!(
        said.contains("FAILING") && said.contains("stay in force until"),
        "{said}"
    );
}

#[test]
fn a_published_private_key_is_not_used_and_raises_an_alarm() {
    let upstream = Upstream::obliging();
    let (idp, issuer) = idp("k1", 1);
    let gate = Gate::launch(folder(&upstream, &[("idp", &idp.iss(), "")]), &[&upstream]);
    let leaked = Issuer::named(&idp.iss(), "leaked", 2);
    let mut keys: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let mut private: Value = serde_json::from_str(&leaked.jwks()).unwrap();
    private["keys"][0]["d"] = json!("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U");
    keys["keys"].as_array_mut().unwrap().push(private["keys"][0].clone());
    idp.says(JWKS, json_response(&keys));
    refresh(&gate, "idp");
    let status = settled(&gate, "idp", |status| !status["dropped"].as_array().unwrap().is_empty());
    assert_eq!(status["keys"], 1);
    assert_eq!((call(&gate, &issuer), call(&gate, &leaked)), (200, 401));
    let log = fs::read_to_string(gate.folder.path().join("stderr.log")).unwrap();
    assert!(log.contains("ALARM"), "{log}");
    assert!(!log.contains("c2VjcmV0"), "{log}");
}

#[test]
fn a_silent_issuer_holds_nobody_up() {
    let upstream = Upstream::obliging();
    let ((silent, held_up), (quick, other)) = (idp("k1", 1), idp("k1", 2));
    let issuers = [("silent", &*silent.iss(), ""), ("quick", &quick.iss(), "")];
    let gate = Gate::launch(folder(&upstream, &issuers), &[&upstream]);
    silent.says(JWKS, Vec::new());
    let fetches = silent.fetches();
    refresh(&gate, "silent");
    until("the issuer was not asked", || silent.fetches() != fetches);
    // Asked, and not answering: this is when everything else must go on.
    assert_eq!((call(&gate, &held_up), call(&gate, &other)), (200, 200));
    refresh(&gate, "quick");
    settled(&gate, "silent", |status| {
        let error = status["failing"]["error"].as_str().unwrap_or_default();
        error.contains("did not answer within 5 s")
    });
    assert_eq!(call(&gate, &held_up), 200);
}

#[test]
fn starts_with_kept_keys_while_the_issuer_is_gone() {
    let upstream = Upstream::obliging();
    let (idp, issuer) = idp("k1", 1);
    let mut gate = Gate::launch(
        folder(&upstream, &[("idp", &idp.iss(), "require_at_start = true")]),
        &[&upstream],
    );
    idp.die();
    gate.restart();
    assert_eq!(call(&gate, &issuer), 200);
}

#[test]
fn kept_keys_are_believed_no_longer_than_the_operator_says() {
    let upstream = Upstream::obliging();
    let (idp, issuer) = idp("k1", 1);
    let mut gate = Gate::launch(
        folder(&upstream, &[("idp", &idp.iss(), "max_stale = \"1h\"")]),
        &[&upstream],
    );
    idp.die();
    let kept = gate.folder.path().join("state/issuers/idp.json");
    let mut keys: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    keys["fetched"] = json!(keys["fetched"].as_u64().unwrap() - 3_601);
    fs::write(&kept, keys.to_string()).unwrap();
    gate.restart();
    assert_eq!(call(&gate, &issuer), 401);
    let said = String::from_utf8(portreeve(gate.folder.path(), &["status"]).stdout).unwrap();
    assert!(said.contains("NO KEYS: its tokens are refused"), "{said}");
}

#[test]
fn kept_keys_are_of_the_issuer_and_place_that_are_configured() {
    let upstream = Upstream::obliging();
    let (idp, _) = idp("k1", 1);
    let mut gate = Gate::launch(folder(&upstream, &[("idp", &idp.iss(), "")]), &[&upstream]);
    // The name stays, the issuer is another one, which is not there.
    let moved = Issuer::named("http://127.0.0.1:9", "k1", 1);
    configure(gate.folder.path(), &upstream, &[("idp", "http://127.0.0.1:9", "")]);
    gate.restart();
    assert_eq!(call(&gate, &moved), 401);
}

#[test]
fn starts_without_keys_unless_the_operator_insists_on_them() {
    let upstream = Upstream::obliging();
    let (idp, issuer) = idp("k1", 1);
    idp.die();
    let insisting = folder(&upstream, &[("idp", &idp.iss(), "require_at_start = true")]);
    let refused = portreeve(insisting.path(), &["serve"]);
    assert_eq!(refused.status.code(), Some(3));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("issuers.idp has no keys") && said.contains("cannot be reached"),
        "{said}"
    );

    let gate = Gate::launch(folder(&upstream, &[("idp", &idp.iss(), "")]), &[&upstream]);
    assert_eq!(call(&gate, &issuer), 401);
}

#[test]
fn an_issuer_that_is_added_while_the_gate_runs_is_asked_and_the_others_keep_their_keys() {
    let upstream = Upstream::obliging();
    let ((first, one), (second, two)) = (idp("k1", 1), idp("k1", 2));
    let gate = Gate::launch(folder(&upstream, &[("first", &first.iss(), "")]), &[&upstream]);
    first.die();
    let issuers = [("first", &*first.iss(), ""), ("second", &second.iss(), "")];
    configure(gate.folder.path(), &upstream, &issuers);
    until("the new issuer was not taken up", || call(&gate, &two) == 200);
    assert_eq!(call(&gate, &one), 200);
}

#[test]
fn a_test_of_a_token_says_step_by_step_what_is_wrong_and_never_shows_it() {
    let upstream = Upstream::obliging();
    let (idp, issuer) = idp("k1", 1);
    let folder = folder(&upstream, &[("idp", &idp.iss(), "")]);
    let file = folder.path().join("token");
    let test = |token: &str, of: &str| {
        fs::write(&file, format!("Bearer {token}\n")).unwrap();
        let output = portreeve(
            folder.path(),
            &["issuer", "test", "idp", "--of", of, "--token", "token"],
        );
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(token.split('.').all(|part| !said.contains(part)), "{said}");
        (output.status.code().unwrap(), said)
    };
    // Without a gate: it fetches the keys itself.
    let (code, said) = test(&issuer.agent("clerk-bot"), "agent");
    assert!(
        code == 0 && said.contains("accepted") && said.contains("idp-bot"),
        "{said}"
    );
    let (code, said) = test(&issuer.user("ada", "clerk-bot", &["clerks"]), "user");
    assert!(
        code == 0 && said.contains("\"ada\"") && said.contains("\"clerks\""),
        "{said}"
    );

    let forged = Issuer::named(&idp.iss(), "k1", 9);
    let (code, said) = test(&forged.agent("clerk-bot"), "agent");
    assert!(code == 1 && said.contains("FAIL  signature"), "{said}");
    let unknown = Issuer::named(&idp.iss(), "k2", 1);
    let (code, said) = test(&unknown.agent("clerk-bot"), "agent");
    assert!(
        code == 1 && said.contains("FAIL  key          \"k2\"; wanted \"k1\""),
        "{said}"
    );
    let (code, said) = test(&issuer.agent("stranger"), "agent");
    assert!(
        code == 1 && said.contains("the agent is not registered (audit reason agent_unknown)"),
        "{said}"
    );
    let (code, said) = test("nonsense", "agent");
    assert!(code == 1 && said.contains("FAIL  form"), "{said}");

    idp.die();
    let (code, said) = test(&issuer.agent("clerk-bot"), "agent");
    assert!(
        code == 1 && said.contains("the keys of issuer idp cannot be fetched"),
        "{said}"
    );
}
