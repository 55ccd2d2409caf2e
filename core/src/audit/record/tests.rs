//! What records hold, and what they never hold.

use super::*;

fn facts<'a>() -> Facts<'a> {
    Facts {
        time: UnixTime::from_secs(1_700_000_000),
        request: "r-1",
        trace: None,
        generation: 7,
        peer: None,
        caller: None,
        server: None,
        method: None,
        target: None,
        arguments: None,
        split: Split::default(),
    }
}

fn caller<'a>() -> Caller<'a> {
    Caller {
        agent: "claude",
        agent_issuer: "https://agents.example",
        agent_subject: "claude-1",
        prior: vec!["planner"],
        user: "alice",
        user_issuer: "https://idp.example",
        link: "may_act",
        binding: "dpop",
        agent_method: "token",
    }
}

fn json(record: &Record) -> serde_json::Value {
    serde_json::from_slice(record.json()).unwrap()
}

/// A small record for tests of the chain.
pub(in crate::audit) fn small(request: &str) -> Record {
    let turned = Turned::<&str> {
        side: Some("user"),
        reason: "sig",
        status: 401,
        policies: &[],
    };
    Refusal::new(&Facts { request, ..facts() }, &turned).0
}

#[test]
fn an_intent_says_who_what_and_by_which_policy() {
    let arguments = digest(b"{\"id\":1}");
    let intent = Intent::new(
        &Facts {
            trace: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
            peer: Some([127, 0, 0, 1].into()),
            caller: Some(caller()),
            server: Some("ledger"),
            method: Some("tools/call"),
            target: Some(Target::Tool("read_entry")),
            arguments: Some(&arguments),
            split: Split {
                parse_us: 1,
                identity_us: 2,
                policy_us: 3,
                credential_us: 4,
                upstream_us: 0,
            },
            ..facts()
        },
        &Grant {
            policies: &["readers"],
            credential: "mint",
            token_id: Some("t-1"),
            scope: Some("mcp:tool:read_entry"),
        },
    );
    let json = json(intent.record());
    assert_eq!(json["kind"], "intent");
    assert_eq!(json["time"], "2023-11-14T22:13:20.000Z");
    assert_eq!((&json["request"], &json["generation"]), (&"r-1".into(), &7.into()));
    assert_eq!(json["agent"]["name"], "claude");
    assert_eq!(json["agent"]["prior"][0], "planner");
    assert_eq!(json["user"]["id"], "alice");
    assert_eq!((&json["link"], &json["binding"]), (&"may_act".into(), &"dpop".into()));
    assert_eq!(
        (&json["server"], &json["tool"]),
        (&"ledger".into(), &"read_entry".into())
    );
    assert_eq!(json["arguments_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(
        (&json["decision"], &json["policies"][0]),
        (&"permit".into(), &"readers".into())
    );
    assert_eq!((&json["credential"], &json["token"]), (&"mint".into(), &"t-1".into()));
    assert_eq!(json["micros"]["credential"], 4);
    assert!(
        !String::from_utf8_lossy(intent.record().json()).contains("\"id\":1"),
        "argument values stay out"
    );
}

#[test]
fn a_refusal_of_an_unknown_caller_says_which_side_failed_and_why() {
    let turned = Turned::<&str> {
        side: Some("agent"),
        reason: "sig",
        status: 401,
        policies: &[],
    };
    let json = json(Refusal::new(&facts(), &turned).record());
    assert_eq!((&json["kind"], &json["decision"]), (&"refusal".into(), &"deny".into()));
    assert_eq!((&json["side"], &json["reason"]), (&"agent".into(), &"sig".into()));
    assert_eq!(json["status"], 401);
    assert!(json.get("agent").is_none() && json.get("user").is_none());
}

#[test]
fn an_outcome_has_the_status_only_if_there_was_one() {
    let ended = |status| {
        json(
            Outcome::new(
                &facts(),
                &Ending {
                    result: "answered",
                    status,
                    dropped: 2,
                },
            )
            .record(),
        )
    };
    assert_eq!(ended(Some(200))["status"], 200);
    assert_eq!(ended(Some(200))["dropped"], 2);
    assert!(ended(None).get("status").is_none());
}

#[test]
fn a_gap_says_how_many_records_are_missing_and_since_when() {
    let gap = Gap::new(
        UnixTime::from_secs(1_700_000_060),
        3,
        UnixTime::from_secs(1_700_000_000),
    );
    let json = json(gap.record());
    assert_eq!((&json["kind"], &json["lost"]), (&"gap".into(), &3.into()));
    assert_eq!(json["since"], "2023-11-14T22:13:20.000Z");
    assert_eq!(json["time"], "2023-11-14T22:14:20.000Z");
}

#[test]
fn hostile_text_is_cut_and_cannot_break_the_line() {
    let name = "x\"\n\u{202e}".repeat(10_000);
    let policies: Vec<String> = vec![name.clone(); 100];
    let facts = Facts {
        trace: Some(&name),
        caller: Some(Caller {
            agent_subject: &name,
            user: &name,
            prior: vec![&name; 4],
            ..caller()
        }),
        server: Some(&name),
        method: Some(&name),
        target: Some(Target::Resource(&name)),
        ..facts()
    };
    let refusal = Refusal::new(
        &facts,
        &Turned {
            side: None,
            reason: "policy",
            status: 200,
            policies: &policies,
        },
    );
    let line = refusal.record().json();
    assert!(
        !line.contains(&b'\n') && line.len() < crate::limits::AUDIT_LINE_BYTES_MAX,
        "{}",
        line.len()
    );
    let json = json(refusal.record());
    assert_eq!(json["policies"].as_array().unwrap().len(), AUDIT_POLICIES_MAX);
    assert_eq!(json["policies_omitted"], 84);
    assert!(json["tool"].is_null() && json["resource"].is_string());
}

#[test]
fn a_change_says_who_and_what_stood_before_and_after() {
    let changed = Changed {
        time: UnixTime::from_secs(1_700_000_000),
        generation: 7,
        action: "suspend",
        what: "agent claude",
        by: Author::Uid(1_000),
        reason: None,
    };
    let edited = json(Change::edited(&changed, Some("active"), Some("suspended\u{202e}")).record());
    assert_eq!(edited["by_uid"], 1_000);
    assert_eq!(
        (&edited["before"], &edited["after"]),
        (&"active".into(), &"suspended<U+202E>".into())
    );
    let plain = json(Change::new(&changed).record());
    assert!(plain.get("before").is_none() && plain.get("after").is_none());
}
