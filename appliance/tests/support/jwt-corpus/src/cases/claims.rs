//! Claims: the wrong issuer, audience, subject or link, and claims of the wrong type.

use serde_json::Value;
use serde_json::json;

use crate::Corpus;
use crate::Expect::Either;
use crate::Expect::Reject;
use crate::Side;
use crate::forge::ABSENT;
use crate::forge::Forge;

pub(super) fn add(forge: &mut Forge<'_>) {
    issuers(forge);
    audiences(forge);
    subjects(forge);
    shapes(forge);
    match forge.side {
        Side::Agent => agents(forge),
        Side::User => users(forge),
    }
}

fn issuers(forge: &mut Forge<'_>) {
    let iss = &forge.settings.issuer;
    let decoy = &forge.settings.decoy;
    for (name, value) in [
        ("absent", json!(ABSENT)),
        ("null", json!(null)),
        ("empty", json!("")),
        ("an array", json!([iss])),
        ("an object", json!({"iss": iss})),
        ("another one", json!("https://attacker.example")),
        ("a place that answers", json!(format!("http://{decoy}"))),
        ("a place that answers over TLS", json!(format!("https://{decoy}"))),
        ("ours at a place that answers", json!(format!("{iss}@{decoy}"))),
        ("with a slash after it", json!(format!("{iss}/"))),
        ("with a path after it", json!(format!("{iss}/tenant"))),
        ("with a suffix", json!(format!("{iss}.attacker.example"))),
        ("cut", json!(&iss[..iss.len() - 1])),
        ("in capitals", json!(iss.to_uppercase())),
        ("with a space after it", json!(format!("{iss} "))),
    ] {
        forge.with_claims("iss", &format!("iss is {name}"), json!({"iss": value}), Reject);
    }
}

fn audiences(forge: &mut Forge<'_>) {
    let aud = &forge.settings.audience;
    let many: Vec<String> = (0..40).map(|index| format!("https://{index}.example")).collect();
    for (name, value) in [
        ("absent", json!(ABSENT)),
        ("null", json!(null)),
        ("empty", json!("")),
        ("an empty array", json!([])),
        ("a number", json!(1)),
        ("an object", json!({"aud": aud})),
        ("another one", json!("https://elsewhere.example")),
        (
            "an array of others",
            json!(["https://elsewhere.example", "https://third.example"]),
        ),
        ("ours and a number", json!([aud, 1])),
        ("ours in an inner array", json!([[aud]])),
        ("with a slash after it", json!(format!("{aud}/"))),
        ("with a suffix", json!(format!("{aud}.attacker.example"))),
        ("cut", json!(&aud[..aud.len() - 1])),
        ("in capitals", json!(aud.to_uppercase())),
        ("with a query", json!(format!("{aud}?a=b"))),
        ("two in one text", json!(format!("{aud} https://elsewhere.example"))),
        ("forty others", json!(many)),
    ] {
        forge.with_claims("aud", &format!("aud is {name}"), json!({"aud": value}), Reject);
    }
}

fn subjects(forge: &mut Forge<'_>) {
    let ours = match forge.side {
        Side::Agent => Corpus::AGENT,
        Side::User => Corpus::USER,
    };
    for (name, value) in [
        ("absent", json!(ABSENT)),
        ("null", json!(null)),
        ("empty", json!("")),
        ("a number", json!(7)),
        ("an array", json!([ours])),
        ("an object", json!({"sub": ours})),
        ("followed by NUL", json!(format!("{ours}\0"))),
        ("followed by a line end", json!(format!("{ours}\n"))),
        ("with an escape sequence", json!(format!("\u{1b}[2K{ours}"))),
        ("of 256 bytes", json!("s".repeat(256))),
        ("of 5 000 bytes", json!("s".repeat(5000))),
        ("of 64 KiB", json!("s".repeat(64 << 10))),
    ] {
        forge.with_claims("claims", &format!("sub is {name}"), json!({"sub": value}), Reject);
    }
    // These are other subjects: never this agent, but any text may be a user's id.
    let other = match forge.side {
        Side::Agent => Reject,
        Side::User => Either,
    };
    for (name, value) in [
        ("a homoglyph", ours.replace('o', "\u{43e}")),
        ("decomposed", ours.replace('o', "o\u{301}")),
        ("in capitals", ours.to_uppercase()),
        ("followed by a space", format!("{ours} ")),
    ] {
        forge.with_claims("claims", &format!("sub is {name}"), json!({"sub": value}), other);
    }
}

fn shapes(forge: &mut Forge<'_>) {
    let nested =
        |depth: usize| (0..depth).fold(json!({"sub": "first"}), |inner, _| json!({"sub": "next", "act": inner}));
    let scopes = "s ".repeat(100);
    for (name, claims) in [
        ("scope is an array", json!({"scope": ["mcp:read"]})),
        ("scope is a number", json!({"scope": 1})),
        ("scope has a line end", json!({"scope": "mcp:read\nmcp:write"})),
        ("scope has a hundred values", json!({"scope": scopes})),
        ("client_id is a number", json!({"client_id": 1})),
        ("client_id is empty", json!({"client_id": ""})),
        (
            "client_id and azp differ",
            json!({"client_id": Corpus::AGENT, "azp": "another"}),
        ),
        ("azp is an array", json!({"azp": [Corpus::AGENT]})),
        ("jti is a number", json!({"jti": 1})),
        ("jti is empty", json!({"jti": ""})),
        ("auth_time is a string", json!({"auth_time": "now"})),
        ("acr is a number", json!({"acr": 2})),
        ("amr is a string", json!({"amr": "pwd"})),
        ("act is a string", json!({"act": "agent"})),
        ("act is null", json!({"act": null})),
        ("act has no sub", json!({"act": {}})),
        ("act has a number as sub", json!({"act": {"sub": 1}})),
        ("act is five deep", json!({"act": nested(4)})),
        ("act is a hundred deep", json!({"act": nested(99)})),
        ("may_act is a string", json!({"may_act": Corpus::AGENT})),
        ("may_act has no sub", json!({"may_act": {}})),
    ] {
        forge.with_claims("claims", name, claims, Reject);
    }
}

fn agents(forge: &mut Forge<'_>) {
    for (name, claims) in [
        (
            "an agent that is not registered",
            json!({"sub": "stranger", "client_id": "stranger"}),
        ),
        ("the user as agent", json!({"sub": Corpus::USER})),
        (
            "a delegated token beside an assertion",
            json!({"sub": Corpus::USER, "act": {"sub": Corpus::AGENT}}),
        ),
        (
            "delegated to an agent that is not registered",
            json!({"sub": Corpus::USER, "act": {"sub": "stranger"}}),
        ),
    ] {
        forge.with_claims("claims", name, claims, Reject);
    }
    let assertion: Value = json!({"sub": Corpus::USER, "azp": Corpus::AGENT, "client_id": ABSENT});
    forge.with_claims("claims", "a user's assertion in the agent's place", assertion, Reject);
}

fn users(forge: &mut Forge<'_>) {
    let groups: Vec<String> = (0..600).map(|index| index.to_string()).collect();
    for (name, claims) in [
        ("groups is a string", json!({"groups": "clerks"})),
        ("groups is an object", json!({"groups": {"clerks": true}})),
        ("groups has a number", json!({"groups": ["clerks", 1]})),
        ("groups has an empty text", json!({"groups": [""]})),
        ("six hundred groups", json!({"groups": groups})),
        (
            "groups that are elsewhere",
            json!({"groups": ABSENT, "_claim_names": {"groups": "src1"}}),
        ),
        (
            "a client as user",
            json!({"sub": "client", "client_id": "client", "azp": ABSENT}),
        ),
        ("the agent as user", json!({"sub": Corpus::AGENT, "azp": "another"})),
        ("a delegated token as assertion", json!({"act": {"sub": Corpus::AGENT}})),
    ] {
        forge.with_claims("claims", name, claims, Reject);
    }
    for (name, claims) in [
        ("nothing links it to the agent", json!({"azp": ABSENT})),
        ("issued to another client", json!({"azp": "another"})),
        (
            "issued to a client of almost that name",
            json!({"azp": format!("{} ", Corpus::AGENT)}),
        ),
        ("may_act names another agent", json!({"may_act": {"sub": "another"}})),
        (
            "may_act names the agent of another issuer",
            json!({
                "may_act": {"sub": Corpus::AGENT, "iss": "https://attacker.example"},
            }),
        ),
    ] {
        forge.with_claims("link", name, claims, Reject);
    }
    let agent = json!({"sub": Corpus::AGENT, "client_id": Corpus::AGENT, "azp": ABSENT, "groups": ABSENT});
    forge.with_claims("claims", "the agent's own token as assertion", agent, Reject);
}
