//! Tokens of authorization servers: exchanged for the caller's, never wider, asked for once, and used while they last.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::{
    AUDIENCE, Gate, ISSUER, Idp, Issuer, PERMIT_CLERKS, Response, Upstream, claims, folder_of, json_response,
    modern_call, modern_headers, until,
};

const TOKEN: &str = "/token";
const EXCHANGE: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const TARGET: &str = "https://tools.test/mcp";

/// A gate whose server `town` is shown tokens like this, and the authorization server that is asked for them.
fn gate(upstream: &Upstream, idp: &Idp, credential: &str) -> Gate {
    Gate::launch(folder(upstream, idp, credential), &[upstream])
}

fn folder(upstream: &Upstream, idp: &Idp, credential: &str) -> TempDir {
    let iss = idp.iss();
    let text = format!(
        r#"
[gate]
listen = "127.0.0.1:0"
public_url = "{AUDIENCE}"
shards = 2

[issuers.idp]
issuer = "{ISSUER}"
jwks_file = "jwks.json"
tokens = ["agent", "user"]
audience = "{AUDIENCE}"

[agents.clerk-bot]
issuer = "idp"
subject = "clerk-bot"

[servers.town]
url = "http://{}/upstream"
audience = "{TARGET}"

[servers.town.credential]
scopes_default = "town"
scopes.read = "town:read"
resource = "{TARGET}"
at = {{ issuer = "{iss}", token_endpoint = "{iss}{TOKEN}", client_id = "portreeve-town" }}
{credential}
"#,
        upstream.address
    );
    folder_of(PERMIT_CLERKS, &Issuer::new().jwks(), &text)
}

fn jwt(claims: &Value) -> String {
    format!(
        "{}.{}.{}",
        BASE64.encode("{}"),
        BASE64.encode(claims.to_string()),
        BASE64.encode("signature")
    )
}

/// What the authorization server answers: a token that says these things, and changes to the answer.
fn answer(claims: Value, change: &Value) -> Vec<u8> {
    let mut all = json!({"aud": TARGET, "sub": "ada", "act": {"sub": "clerk-bot"}, "jti": "exchanged-1"});
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let mut answer = json!({
        "access_token": jwt(&all), "token_type": "Bearer", "expires_in": 300, "issued_token_type": ACCESS_TOKEN,
    });
    answer
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    json_response(&answer)
}

fn refusal(status: &str, error: &str) -> Vec<u8> {
    let body = json!({"error": error}).to_string();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A call of the one login that there is: with another, there is another token.
fn call(gate: &Gate, tool: &str) -> Response {
    static LOGIN: LazyLock<[String; 2]> = LazyLock::new(|| {
        let issuer = Issuer::new();
        [issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"])]
    });
    let [agent, user] = &*LOGIN;
    gate.post(
        &modern_headers(agent, user, "tools/call", tool),
        &modern_call(1, tool, &json!({})),
    )
}

/// The `Authorization` of the last request that the server saw.
fn shown(upstream: &Upstream) -> String {
    let request = String::from_utf8(upstream.seen().pop().unwrap()).unwrap();
    let value = request.lines().find_map(|line| line.strip_prefix("authorization: "));
    value.unwrap().to_owned()
}

/// A field of a form.
fn field(request: &str, name: &str) -> Option<String> {
    let body = request.split("\r\n\r\n").nth(1).unwrap();
    let value = body
        .split('&')
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
    Some(value.replace("%3A", ":").replace("%2F", "/").replace('+', " "))
}

#[test]
fn a_call_carries_a_token_that_the_authorization_server_exchanged_for_the_callers() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    idp.says(TOKEN, answer(json!({}), &json!({})));
    let gate = gate(&upstream, &idp, "mode = \"exchange\"");
    assert_eq!(call(&gate, "read").status, 200);
    assert!(shown(&upstream).starts_with(&format!("Bearer {}.", BASE64.encode("{}"))));

    let [form] = &idp.requests(TOKEN)[..] else {
        panic!("one request")
    };
    assert!(form.contains(&format!("grant_type={EXCHANGE}")), "{form}");
    let said = |name: &str| claims(&field(form, name).unwrap());
    assert_eq!(said("subject_token")["sub"], "ada");
    assert_eq!(said("actor_token")["sub"], "clerk-bot");
    assert_eq!(said("client_assertion")["iss"], "portreeve-town");
    assert_eq!(said("client_assertion")["aud"], idp.iss());
    assert_eq!(
        field(form, "scope").as_deref(),
        Some("town:read"),
        "the scope of this tool"
    );
    assert_eq!(field(form, "resource").as_deref(), Some(TARGET));

    let audit = gate.audit();
    let intent = audit.iter().find(|record| record["credential"] == "exchange").unwrap();
    assert_eq!(
        (&intent["token"], &intent["scope"]),
        (&json!("exchanged-1"), &json!("town:read"))
    );
}

#[test]
fn a_token_is_asked_for_once_for_all_cores_and_connections_and_anew_for_another_scope() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    idp.says(TOKEN, answer(json!({}), &json!({})));
    let gate = gate(&upstream, &idp, "mode = \"exchange\"");
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| assert_eq!(call(&gate, "read").status, 200));
        }
    });
    assert_eq!(idp.requests(TOKEN).len(), 1);
    assert_eq!(call(&gate, "write").status, 200);
    let forms = idp.requests(TOKEN);
    assert_eq!(forms.len(), 2);
    assert_eq!(field(&forms[1], "scope").as_deref(), Some("town"));
}

#[test]
fn what_one_assertion_was_exchanged_for_is_not_for_another_of_the_same_user() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    idp.says(TOKEN, answer(json!({}), &json!({})));
    let gate = gate(&upstream, &idp, "mode = \"exchange\"");
    let issuer = Issuer::new();
    let agent = issuer.agent("clerk-bot");
    // How often the authorization server was asked once a call with this assertion has passed.
    let with = |id: Option<&str>, ends: u64| {
        let more = json!({"azp": "clerk-bot", "groups": ["clerks"], "exp": ends});
        let mut claims = issuer.claims("ada", &more);
        match id {
            Some(id) => claims["jti"] = json!(id),
            None => drop(claims.as_object_mut().unwrap().remove("jti")),
        }
        let headers = modern_headers(&agent, &issuer.sign(&claims), "tools/call", "read");
        let response = gate.post(&headers, &modern_call(1, "read", &json!({})));
        assert_eq!(response.status, 200, "{response:?}");
        idp.requests(TOKEN).len()
    };
    let ends = claims(&agent)["exp"].as_u64().unwrap() - 100;
    assert_eq!(with(Some("first"), ends), 1);
    assert_eq!(with(Some("first"), ends), 1);
    assert_eq!(with(Some("second"), ends), 2);
    assert_eq!(with(Some("first"), ends), 2);
    assert_eq!(with(None, ends), 3);
    assert_eq!(with(None, ends), 3);
    assert_eq!(with(None, ends - 1), 4);
    // Of these the agent's token ends first.
    assert_eq!(with(None, ends + 150), 5);
    assert_eq!(with(None, ends + 151), 6);
}

#[test]
fn the_gate_acts_with_a_token_of_its_own_for_the_same_target() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    idp.says(TOKEN, answer(json!({"act": {"sub": "portreeve-town"}}), &json!({})));
    let gate = gate(&upstream, &idp, "mode = \"exchange\"\nactor = \"gateway\"");
    assert_eq!(call(&gate, "read").status, 200);
    let [own, exchange] = &idp.requests(TOKEN)[..] else {
        panic!("two requests")
    };
    assert_eq!(field(own, "grant_type").as_deref(), Some("client_credentials"));
    assert_eq!(field(own, "resource").as_deref(), Some(TARGET));
    assert_eq!(field(own, "scope"), None);
    assert!(shown(&upstream).ends_with(&field(exchange, "actor_token").unwrap()));
}

#[test]
fn nothing_wider_longer_or_unattributed_reaches_the_server() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    let mut reasons = Vec::new();
    let mut gate = gate(&upstream, &idp, "mode = \"exchange\"");
    for (number, (claims, change, reason)) in [
        (json!({}), json!({"scope": "town:read admin"}), "credential_forbidden"),
        (json!({"aud": "https://other.test"}), json!({}), "credential_forbidden"),
        (json!({"act": null}), json!({}), "credential_forbidden"),
        (json!({"act": {"sub": "other-bot"}}), json!({}), "credential_forbidden"),
        (json!({}), json!({"token_type": "N_A"}), "credential_unavailable"),
        (
            json!({}),
            json!({"issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}),
            "credential_unavailable",
        ),
        (json!({"exp": 1}), json!({}), "credential_stale"),
    ]
    .into_iter()
    .enumerate()
    {
        idp.says(TOKEN, answer(claims, &change));
        // Each under a scope of its own: a refusal stands for a while.
        let tool = format!("tool-{number}");
        let response = call(&gate, &tool);
        let expected = if reason == "credential_unavailable" { 503 } else { 200 };
        assert_eq!(response.status, expected, "{change}: {response:?}");
        assert!(response.json()["result"].is_null(), "{response:?}");
        assert_eq!(upstream.count(), 0, "{change}");
        reasons.push(reason);
        // All tools but `read` share a scope, and so its refusal; a reload forgets it.
        reload(&gate);
    }
    assert!(gate.stop().success());
    let audit = gate.audit();
    let mut refused: Vec<&str> = audit.iter().filter_map(|record| record["reason"].as_str()).collect();
    // Each core has a file of its own.
    refused.sort_unstable();
    reasons.sort_unstable();
    assert_eq!(refused, reasons);
}

/// Has the gate take its configuration up anew, which forgets tokens and refusals.
fn reload(gate: &Gate) {
    let log = gate.folder.path().join("stderr.log");
    let said = || {
        fs::read_to_string(&log)
            .unwrap()
            .matches("reloaded: generation")
            .count()
    };
    let before = said();
    let file = gate.folder.path().join("portreeve.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + "\n").unwrap();
    until("the configuration was not taken up", || said() != before);
}

#[test]
fn what_the_authorization_server_refuses_is_told_to_whom_it_concerns() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    let gate = gate(&upstream, &idp, "mode = \"exchange\"");
    for (answer, status, words) in [
        (refusal("400 Bad Request", "invalid_grant"), 200, "get new ones"),
        (
            refusal("400 Bad Request", "invalid_target"),
            200,
            "gives no token for this server",
        ),
        (refusal("401 Unauthorized", "invalid_client"), 503, "at the moment"),
        (refusal("503 Later", "temporarily_unavailable"), 503, "at the moment"),
    ] {
        idp.says(TOKEN, answer);
        let response = call(&gate, "read");
        assert_eq!(response.status, status, "{response:?}");
        assert!(
            response.json()["error"]["message"].as_str().unwrap().contains(words),
            "{response:?}"
        );
        assert_eq!(response.header("retry-after").is_some(), status == 503);
        let asked = idp.requests(TOKEN).len();
        assert_eq!(call(&gate, "read").status, status);
        assert_eq!(idp.requests(TOKEN).len(), asked, "a refusal stands for a while");
        reload(&gate);
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_slow_authorization_server_holds_up_nobody_else() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    idp.says(TOKEN, Vec::new());
    let folder = folder(&upstream, &idp, "mode = \"exchange\"");
    let file = folder.path().join("portreeve.toml");
    let text = fs::read_to_string(&file).unwrap();
    let other = format!("[servers.other]\nurl = \"http://{}/upstream\"\n", upstream.address);
    fs::write(&file, text + &other).unwrap();
    let policy = r#"@id("all") permit(principal in Group::"clerks", action, resource);"#;
    fs::write(folder.path().join("policies/test.cedar"), policy).unwrap();
    let gate = Gate::launch(folder, &[&upstream]);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call(&gate, "read"));
        until("nothing was asked for", || !idp.requests(TOKEN).is_empty());
        let issuer = Issuer::new();
        let (agent, user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
        let head = modern_headers(&agent, &user, "tools/call", "read");
        let body = modern_call(1, "read", &json!({}));
        for _ in 0..8 {
            let request = format!(
                "POST /other/mcp HTTP/1.1\r\nhost: {}\r\n{head}content-length: {}\r\n\r\n",
                gate.address,
                body.len()
            );
            assert_eq!(gate.raw(&[request.as_bytes(), &body].concat()).status, 200);
        }
        assert!(!waiting.is_finished());
        assert_eq!(waiting.join().unwrap().status, 503, "it has a deadline");
    });
}

#[test]
fn a_token_of_the_gates_own_names_nobody_and_is_shared_by_all() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    idp.says(
        TOKEN,
        json_response(&json!({"access_token": "opaque", "token_type": "Bearer", "expires_in": 60})),
    );
    let gate = gate(&upstream, &idp, "mode = \"client_credentials\"");
    let issuer = Issuer::new();
    for user in ["ada", "bob"] {
        let (agent, user) = (issuer.agent("clerk-bot"), issuer.user(user, "clerk-bot", &["clerks"]));
        let headers = modern_headers(&agent, &user, "tools/call", "read");
        assert_eq!(gate.post(&headers, &modern_call(1, "read", &json!({}))).status, 200);
        assert_eq!(shown(&upstream), "Bearer opaque");
    }
    let [form] = &idp.requests(TOKEN)[..] else {
        panic!("one request")
    };
    assert_eq!(field(form, "grant_type").as_deref(), Some("client_credentials"));
    assert_eq!(field(form, "subject_token"), None);
}

#[test]
fn an_assertion_of_the_identity_provider_is_redeemed_at_the_servers_own() {
    let (upstream, at, idp) = (Upstream::obliging(), Idp::empty(), Idp::empty());
    let id_jag = "urn:ietf:params:oauth:token-type:id-jag";
    let assertion = jwt(&json!({"aud": at.iss(), "sub": "ada"}));
    idp.says(
        TOKEN,
        json_response(&json!({
            "access_token": assertion, "token_type": "N_A", "issued_token_type": id_jag, "expires_in": 60,
        })),
    );
    let token = |actor: &str| jwt(&json!({"aud": TARGET, "sub": "ada", "act": {"sub": actor}}));
    let redeemed =
        |token: &str| json_response(&json!({"access_token": token, "token_type": "Bearer", "expires_in": 60}));
    at.says(TOKEN, redeemed(&token("other-bot")));
    let iss = idp.iss();
    let gate = gate(
        &upstream,
        &at,
        &format!(
            "mode = \"id_jag\"\nidp = {{ issuer = \"{iss}\", token_endpoint = \"{iss}{TOKEN}\", client_id = \"gate\" }}"
        ),
    );
    assert!(call(&gate, "write").json()["error"].is_object());
    assert_eq!(upstream.count(), 0, "nobody is seen to act for the user in this token");
    at.says(TOKEN, redeemed(&token("clerk-bot")));
    assert_eq!(call(&gate, "read").status, 200);
    assert_eq!(shown(&upstream), format!("Bearer {}", token("clerk-bot")));
    let [_, first] = &idp.requests(TOKEN)[..] else {
        panic!("one request for each scope")
    };
    assert_eq!(field(first, "requested_token_type").as_deref(), Some(id_jag));
    assert_eq!(field(first, "audience"), Some(at.iss()));
    assert_eq!(claims(&field(first, "subject_token").unwrap())["sub"], "ada");
    let [_, second] = &at.requests(TOKEN)[..] else {
        panic!("one request for each scope")
    };
    assert_eq!(field(second, "assertion"), Some(assertion));
    assert_eq!(
        field(second, "subject_token"),
        None,
        "the server's own never sees the caller's tokens"
    );
}

#[test]
fn an_assertion_in_the_place_of_a_token_is_shown_to_no_server() {
    let (upstream, at, idp) = (Upstream::obliging(), Idp::empty(), Idp::empty());
    let id_jag = "urn:ietf:params:oauth:token-type:id-jag";
    let assertion = json_response(&json!({
        "access_token": jwt(&json!({"aud": at.iss(), "sub": "ada"})), "token_type": "N_A",
        "issued_token_type": id_jag, "expires_in": 60,
    }));
    idp.says(TOKEN, assertion.clone());
    at.says(TOKEN, assertion);
    let iss = idp.iss();
    let mode = format!(
        "mode = \"id_jag\"\nidp = {{ issuer = \"{iss}\", token_endpoint = \"{iss}{TOKEN}\", client_id = \"gate\" }}"
    );
    let gate = gate(&upstream, &at, &mode);
    let refused = call(&gate, "read");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some());
    assert_eq!((upstream.count(), at.requests(TOKEN).len()), (0, 1));
}

#[test]
fn a_client_secret_comes_from_the_store_and_is_shown_to_that_server_alone() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    idp.says(
        TOKEN,
        json_response(&json!({"access_token": "opaque", "token_type": "Bearer", "expires_in": 60})),
    );
    let folder = folder(&upstream, &idp, "mode = \"client_credentials\"");
    let file = folder.path().join("portreeve.toml");
    let text = fs::read_to_string(&file).unwrap();
    let with_secret = "client_id = \"portreeve-town\", client_auth = \"secret_basic\", secret = \"town\"";
    fs::write(&file, text.replace("client_id = \"portreeve-town\"", with_secret)).unwrap();

    let portreeve = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        command.args(arguments).current_dir(folder.path());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let missing = portreeve(&["serve"]).wait_with_output().unwrap();
    assert_eq!(missing.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&missing.stderr).contains("portreeve secret set town"),
        "{missing:?}"
    );
    let mut set = portreeve(&["secret", "set", "town"]);
    set.stdin.take().unwrap().write_all(b"s:cr/t").unwrap();
    assert!(set.wait().unwrap().success());

    let gate = Gate::launch(folder, &[&upstream]);
    assert_eq!(call(&gate, "read").status, 200);
    let [form] = &idp.requests(TOKEN)[..] else {
        panic!("one request")
    };
    // SPEC: RFC 6749 2.3.1: form-encoded before they are put together.
    let expected = base64::engine::general_purpose::STANDARD.encode("portreeve-town:s%3Acr%2Ft");
    assert!(form.contains(&format!("authorization: Basic {expected}")), "{form}");
}

#[test]
fn the_gates_key_at_the_authorization_server_is_published_for_that_server() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    idp.says(TOKEN, answer(json!({}), &json!({})));
    let gate = gate(&upstream, &idp, "mode = \"exchange\"");
    assert_eq!(call(&gate, "read").status, 200);
    let request = format!(
        "GET /.well-known/jwks.json/town HTTP/1.1\r\nhost: {}\r\n\r\n",
        gate.address
    );
    let keys = gate.raw(request.as_bytes()).json();
    let [form] = &idp.requests(TOKEN)[..] else {
        panic!("one request")
    };
    let assertion = field(form, "client_assertion").unwrap();
    let header: Value = serde_json::from_slice(&BASE64.decode(assertion.split('.').next().unwrap()).unwrap()).unwrap();
    let published = keys["keys"].as_array().unwrap();
    let key = published.iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let public = BASE64.decode(key["x"].as_str().unwrap()).unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public)
        .verify(signed.as_bytes(), &BASE64.decode(signature).unwrap())
        .unwrap();
}
