//! The JWT attack corpus at the door of the running gate, on each of the two headers.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use portreeve_jwt_corpus::{Case, Corpus, Expect, Settings, Side};
use serde_json::json;

use crate::kit::{AUDIENCE, Gate, ISSUER, Issuer, PERMIT_CLERKS, Response, Upstream, modern_call, modern_headers};

fn post(gate: &Gate, agent: &[u8], user: &[u8]) -> Response {
    let body = modern_call(1, "read", &json!({}));
    let head = format!(
        "POST /town/mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: read\r\ncontent-length: {}\r\n",
        gate.address,
        body.len()
    );
    gate.raw(
        &[
            head.as_bytes(),
            b"authorization: ",
            agent,
            b"\r\nx-ai-user-assertion: ",
            user,
            b"\r\n\r\n",
            &body,
        ]
        .concat(),
    )
}

/// A token that becomes valid a second from now, which a running gate's clock may reach meanwhile; core's test of the
/// same corpus stops the clock.
fn ripens(case: &Case) -> bool {
    case.name.ends_with("just after the leeway")
}

fn settings(decoy: SocketAddr) -> Settings {
    let now_secs = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    Settings {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        decoy: decoy.to_string(),
        now_secs,
    }
}

/// Whether the header or the claims of a case say to call `decoy`.
fn lures(case: &Case, decoy: SocketAddr) -> bool {
    let decoy = decoy.to_string();
    let token = case.token.strip_prefix(b"Bearer ").unwrap_or(&case.token);
    token
        .split(|&byte| byte == b'.')
        .filter_map(|part| String::from_utf8(BASE64.decode(part).ok()?).ok())
        .any(|text| text.contains(&decoy))
}

#[test]
fn every_attack_on_either_header_is_refused_alike_the_server_sees_nothing_and_nobody_is_called() {
    let decoy = TcpListener::bind("127.0.0.1:0").unwrap();
    let decoy_address = decoy.local_addr().unwrap();
    let (upstream, corpus) = (Upstream::obliging(), Corpus::generate(settings(decoy_address)));
    let agent = format!("[agents.corpus]\nissuer = \"idp\"\nsubject = \"{}\"\n", Corpus::AGENT);
    let policy = r#"@id("anybody") permit(principal, action, resource);"#;
    let mut gate = Gate::start_with(&upstream, policy, corpus.jwks(), &agent);
    let reference = post(&gate, b"Bearer e30.e30.e30", b"e30.e30.e30");
    assert_eq!(reference.status, 401, "{reference:?}");

    let (mut luring, mut wrong, mut outbound) = (0, Vec::new(), Vec::new());
    for side in [Side::Agent, Side::User] {
        let mut refused = 0;
        for case in corpus
            .cases(side)
            .iter()
            .filter(|case| case.expect == Expect::Reject && case.is_field_value() && !ripens(case))
        {
            let partner = corpus.partner(side);
            let response = match side {
                Side::Agent => post(&gate, &case.token, &partner),
                Side::User => post(&gate, &partner, &case.token),
            };
            refused += 1;
            if lures(case, decoy_address) {
                luring += 1;
                outbound.extend(gate.calls_somebody().then(|| format!("{side:?} {}", case.name)));
            }
            // What is too large for a head never becomes a credential.
            let alike = response.status == 401 && response.body == reference.body;
            let too_large = response.status == 431 || response.status == 400 && case.token.len() > 8192;
            if !alike && !too_large {
                wrong.push(format!(
                    "{side:?} {}: {} {}",
                    case.name,
                    response.status,
                    String::from_utf8_lossy(&response.body)
                ));
            }
        }
        assert!(refused >= 180, "{refused} cases on {side:?} are too few");
    }
    assert!(wrong.is_empty(), "{} cases: {wrong:#?}", wrong.len());
    assert!(
        outbound.is_empty() && !gate.calls_somebody(),
        "the gate called somebody: {outbound:#?}"
    );
    assert!(luring >= 2 * 28, "{luring} cases that name the decoy are too few");
    assert_eq!(upstream.count(), 0, "an attack reached the server");
    let good = post(&gate, &corpus.valid(Side::Agent), &corpus.partner(Side::Agent));
    assert_eq!(good.status, 200, "the unharmed pair passes: {good:?}");
    assert!(gate.calls_somebody(), "a connection that the gate opens is seen");

    // The decoy's queue keeps every call, so when the first one in it is ours, there was no other.
    assert!(gate.stop().success());
    let ours = TcpStream::connect(decoy_address).unwrap();
    let (_, first) = decoy.accept().unwrap();
    assert_eq!(first, ours.local_addr().unwrap(), "the gate called the decoy");
}

#[test]
fn who_presents_too_little_is_told_where_tokens_come_from_and_of_no_error() {
    let (upstream, issuer) = (Upstream::obliging(), Issuer::new());
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let ask = |agent: Option<&str>, user: Option<&str>| {
        let agent = agent.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
        let user = user.map_or(String::new(), |token| format!("x-ai-user-assertion: {token}\r\n"));
        let rest: String = modern_headers("", "", "tools/call", "read")
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with("authorization") && !line.starts_with("x-ai-user-assertion"))
            .collect();
        gate.post(&format!("{agent}{user}{rest}"), &modern_call(1, "read", &json!({})))
    };
    let (agent, user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &["clerks"]));
    let document = "/.well-known/oauth-protected-resource/town/mcp";
    let told = format!("Bearer resource_metadata=\"{AUDIENCE}{document}\"");
    let wrong = format!("{told}, error=\"invalid_token\"");
    let mut bodies = Vec::new();
    for (agent, user, challenge) in [
        (None, None, &told),
        (Some(&*agent), None, &told),
        (None, Some(&*user), &told),
        (Some("e30.e30.e30"), None, &wrong),
        (Some(&*agent), Some("e30.e30.e30"), &wrong),
    ] {
        let refused = ask(agent, user);
        assert_eq!(refused.status, 401, "{refused:?}");
        assert_eq!(refused.header("www-authenticate"), Some(&**challenge));
        bodies.push(refused.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the body says what was at fault");
    let request = format!("GET {document} HTTP/1.1\r\nhost: {}\r\n\r\n", gate.address);
    let found = gate.raw(request.as_bytes()).json();
    assert_eq!(found["resource"], format!("{AUDIENCE}/town/mcp"), "{found}");
    assert_eq!(found["authorization_servers"], json!([ISSUER]), "{found}");
    assert_eq!(ask(Some(&agent), Some(&user)).status, 200);
}
