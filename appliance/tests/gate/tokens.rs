//! The JWT attack corpus at the door of the running gate, on each of the two headers.

use std::time::SystemTime;

use portreeve_jwt_corpus::{Case, Corpus, Expect, Settings, Side};
use serde_json::json;

use crate::kit::{AUDIENCE, Gate, ISSUER, Response, Upstream, modern_call};

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

fn settings() -> Settings {
    let now_secs = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    Settings {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        now_secs,
    }
}

#[test]
fn every_attack_on_either_header_is_refused_alike_and_the_server_sees_nothing() {
    let (upstream, corpus) = (Upstream::obliging(), Corpus::generate(settings()));
    let agent = format!("[agents.corpus]\nissuer = \"idp\"\nsubject = \"{}\"\n", Corpus::AGENT);
    let policy = r#"@id("anybody") permit(principal, action, resource);"#;
    let gate = Gate::start_with(&upstream, policy, corpus.jwks(), &agent);
    let reference = post(&gate, b"Bearer e30.e30.e30", b"e30.e30.e30");
    assert_eq!(reference.status, 401, "{reference:?}");

    let (mut refused, mut wrong) = (0, Vec::new());
    for side in [Side::Agent, Side::User] {
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
    }
    assert!(wrong.is_empty(), "{} of {refused}: {wrong:#?}", wrong.len());
    assert!(refused >= 2 * 170, "{refused} cases are too few");
    assert_eq!(upstream.count(), 0, "an attack reached the server");
    let good = post(&gate, &corpus.valid(Side::Agent), &corpus.partner(Side::Agent));
    assert_eq!(good.status, 200, "the unharmed pair passes: {good:?}");
}
