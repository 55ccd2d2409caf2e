//! Opaque tokens: only their own issuer is asked, and its answer is judged like a token that can be read.

use super::*;
use crate::limits::INTROSPECTION_BYTES_MAX;

const OPAQUE: &[u8] = b"Bearer opaque-of_the.agent~1+/A==";
const USER: &[u8] = b"opaque-of-the-user-ada";

/// A gate that asks the issuer `town` about opaque tokens.
fn asking() -> Gate {
    let mut gate = Gate::new();
    gate.trust.introspect("town", "");
    gate
}

/// What the issuer says of the agent's token.
fn agent() -> Value {
    json!({
        "active": true, "token_type": "Bearer", "iss": TOWN, "aud": "https://gate.example", "sub": Corpus::AGENT,
        "client_id": Corpus::AGENT, "iat": NOW_SECS - 10, "exp": NOW_SECS + 600, "scope": "mcp read",
    })
}

/// What the issuer says of the user's token.
fn user() -> Value {
    changed(agent(), json!({"sub": "ada", "groups": ["clerks"], "jti": "u-1"}))
}

fn changed(mut answer: Value, change: Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        if *value == json!(ABSENT) {
            answer.as_object_mut().unwrap().remove(name);
        } else {
            answer[name] = value.clone();
        }
    }
    answer
}

impl Gate {
    fn learn(&mut self, side: Side, answer: &[u8]) -> Result<(), IdentityError> {
        let presented = Presented::from_values(Some(OPAQUE), Some(USER)).unwrap();
        let said = Said {
            presented,
            side,
            answer: &Introspected::new(answer.to_vec(), self.now, self.now),
        };
        self.authenticator
            .learn(&said, &self.trust, &mut self.scratch, self.now)
    }

    fn learn_both(&mut self) {
        self.learn(Side::Agent, agent().to_string().as_bytes()).unwrap();
        self.learn(Side::User, user().to_string().as_bytes()).unwrap();
    }

    fn call(&mut self) -> Result<Rc<Principal>, IdentityError> {
        self.identify(OPAQUE, Some(USER))
    }

    fn at(&mut self, secs: u64) {
        self.now = UnixTime::from_secs(NOW_SECS + secs);
    }
}

/// What is wrong with an agent's token of which the issuer says this.
fn fault_of(answer: &[u8]) -> Fault {
    let mut gate = asking();
    let learnt = gate.learn(Side::Agent, answer).unwrap_err();
    assert_eq!(learnt.who(), Side::Agent);
    assert_eq!(fault(gate.call()), (Side::Agent, Fault::RefusedBefore));
    learnt.fault()
}

fn fault_with(change: Value) -> Fault {
    fault_of(changed(agent(), change).to_string().as_bytes())
}

#[test]
fn without_an_issuer_to_ask_an_opaque_token_is_no_token() {
    let mut gate = Gate::new();
    assert!(matches!(fault(gate.call()), (Side::Agent, Fault::Form(_))));
    let valid = gate.corpus.valid(AgentSide);
    assert!(matches!(
        fault(gate.identify(&valid, Some(USER))),
        (Side::User, Fault::Form(_))
    ));
    assert_eq!(
        gate.learn(Side::Agent, agent().to_string().as_bytes())
            .unwrap_err()
            .fault(),
        Fault::Issuer
    );
}

#[test]
fn opaque_tokens_pass_once_their_issuer_has_said_what_they_are() {
    let mut gate = asking();
    assert_eq!(fault(gate.call()), (Side::Agent, Fault::Unchecked));
    gate.learn(Side::Agent, agent().to_string().as_bytes()).unwrap();
    assert_eq!(fault(gate.call()), (Side::User, Fault::Unchecked));
    gate.learn(Side::User, user().to_string().as_bytes()).unwrap();
    let principal = gate.call().unwrap();
    assert_eq!((principal.user().id(), principal.user().issuer()), ("ada", TOWN));
    assert_eq!(principal.user().groups(), ["clerks"]);
    assert_eq!(
        (principal.agent().name(), principal.link()),
        ("clerk-bot", Link::Client)
    );
    assert_eq!(principal.auth().scopes, ["mcp", "read"]);
    assert_eq!(principal.auth().user_jti.as_deref(), Some("u-1"));
    assert_eq!(principal.expires(), UnixTime::from_secs(NOW_SECS + 600));
}

#[test]
fn a_user_with_an_opaque_token_may_come_with_an_agent_that_has_a_readable_one() {
    let mut gate = asking();
    let valid = gate.corpus.valid(AgentSide);
    assert_eq!(fault(gate.identify(&valid, Some(USER))), (Side::User, Fault::Unchecked));
    gate.learn(Side::User, user().to_string().as_bytes()).unwrap();
    assert_eq!(gate.identify(&valid, Some(USER)).unwrap().user().id(), "ada");
}

#[test]
fn nobody_is_asked_about_a_token_of_three_parts_or_about_what_is_no_token() {
    let gate = asking();
    let valid = gate.corpus.valid(AgentSide);
    let valid = valid.strip_prefix(b"Bearer ").unwrap();
    // Of too few bytes, or long enough and of another form.
    for token in [
        "",
        "=",
        "..",
        "a.b.c",
        "aaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaa=",
        "a.b.cccccccccccccccccccc",
        "a.b.ccccccccccccccccccc=",
        "aaaaaaaaaaaaaaaaaaaa=b",
        "aaaaaaaaaaaaaaaaaaaa b",
        "aaaaaaaaaaaaaaaaaaaa\"é,",
    ] {
        let sides = [Side::Agent, Side::User, Side::Pair].map(|side| gate.trust.introspector(token.as_bytes(), side));
        assert!(sides.iter().all(Option::is_none), "{token}");
    }
    let sides = [Side::Agent, Side::User].map(|side| gate.trust.introspector(valid, side));
    assert!(sides.iter().all(Option::is_none));
    for token in [
        &b"aaaaaaaaaaaaaaaaaaaa"[..],
        b"a.bbbbbbbbbbbbbbbbbbbbbb",
        b"a.b.c.dddddddddddddddddd",
        b"a.b.c.d.eeeeeeeeeeeeeeee",
        b"aaaaaaaaaaaaaaaa~+/-_==",
        b"gho_16C7e42F292c6912E7710c838347Ae178B4a",
    ] {
        let name = token.escape_ascii();
        assert!(gate.trust.introspector(token, Side::Agent).is_some(), "{name}");
        assert!(gate.trust.introspector(token, Side::Pair).is_none());
    }
}

#[test]
fn an_answer_is_judged_like_a_token() {
    let (past, future) = (NOW_SECS - 31, NOW_SECS + 31);
    for (change, expected) in [
        (json!({"active": false}), Fault::Inactive),
        (json!({"active": "true"}), Fault::Answer),
        (json!({"active": 1}), Fault::Answer),
        (json!({"active": null}), Fault::Answer),
        (json!({"active": ABSENT}), Fault::Answer),
        (json!({"iss": "https://town.example/"}), Fault::Issuer),
        (json!({"iss": null}), Fault::Issuer),
        (json!({"iss": [TOWN]}), Fault::Issuer),
        (json!({"aud": "https://other.example"}), Fault::Audience),
        (json!({"aud": ["https://other.example"]}), Fault::Audience),
        (json!({"aud": ["https://gate.example", 1]}), Fault::Audience),
        (json!({"aud": ABSENT}), Fault::Audience),
        (json!({"exp": past}), Fault::Expired),
        (json!({"exp": ABSENT}), Fault::TimeShape),
        (json!({"exp": "2000000000"}), Fault::TimeShape),
        (json!({"exp": NOW_SECS + 4000}), Fault::Lifetime),
        (json!({"iat": future}), Fault::NotYetValid),
        (json!({"iat": ABSENT}), Fault::TimeShape),
        (json!({"nbf": future}), Fault::NotYetValid),
        (json!({"sub": ""}), Fault::Subject),
        (json!({"sub": "stranger"}), Fault::AgentUnknown),
        (json!({"client_id": 7}), Fault::Client),
        (json!({"azp": "another"}), Fault::Client),
        (json!({"scope": ["mcp"]}), Fault::Scope),
        (json!({"act": "clerk-bot"}), Fault::Actor),
        (json!({"cnf": {}}), Fault::Confirmation),
        (json!({"cnf": {"kid": "k1"}}), Fault::Confirmation),
        (json!({"token_type": ABSENT}), Fault::Type),
        (json!({"token_type": "refresh_token"}), Fault::Type),
        (json!({"token_type": "N_A"}), Fault::Type),
        (json!({"token_use": "refresh_token"}), Fault::Type),
        (json!({"token_use": null}), Fault::Type),
        (json!({"token_type": "DPoP"}), Fault::Confirmation),
    ] {
        assert_eq!(fault_with(change.clone()), expected, "{change}");
    }
    for change in [
        json!({"iss": ABSENT}),
        json!({"token_type": "bearer", "token_use": "access_token"}),
        json!({"aud": ["https://other.example", "https://gate.example"]}),
        json!({"scope": ABSENT}),
        json!({"username": "anything", "unknown": [{"x": 1}]}),
    ] {
        let answer = changed(agent(), change.clone()).to_string();
        assert_eq!(asking().learn(Side::Agent, answer.as_bytes()), Ok(()), "{change}");
    }
}

#[test]
fn an_answer_that_is_not_one_strict_object_proves_nothing() {
    let good = agent().to_string();
    let doubled = good.replacen('{', "{\"active\":false,", 1);
    let padded = format!("{good}{}", " ".repeat(INTROSPECTION_BYTES_MAX));
    let listed = format!("[{good}]");
    for answer in [
        "",
        "null",
        "{}",
        "true",
        &doubled,
        &padded,
        &listed,
        &good[1..],
        &format!("{good}{good}"),
    ] {
        assert_eq!(fault_of(answer.as_bytes()), Fault::Answer, "{answer:.80}");
    }
}

#[test]
fn a_client_that_acts_for_itself_does_not_pass_for_a_user() {
    let mut gate = asking();
    let answer = changed(user(), json!({"sub": "console", "client_id": "console"})).to_string();
    assert_eq!(
        gate.learn(Side::User, answer.as_bytes()).unwrap_err().fault(),
        Fault::SubjectIsAgent
    );
}

#[test]
fn a_clients_own_token_without_a_subject_is_the_clients() {
    let mut gate = asking();
    let answer = changed(agent(), json!({"sub": ABSENT})).to_string();
    assert_eq!(gate.learn(Side::Agent, answer.as_bytes()), Ok(()));
    assert_eq!(fault_with(json!({"sub": ABSENT, "client_id": ABSENT})), Fault::Subject);
    assert_eq!(
        fault_with(json!({"sub": ABSENT, "client_id": "stranger"})),
        Fault::AgentUnknown
    );
    // It names no user, and a token that can be read needs a subject all the same (RFC 9068 2.2).
    let learnt = gate.learn(Side::User, answer.as_bytes());
    assert_eq!(learnt.unwrap_err().fault(), Fault::Subject);
    let token = gate.corpus.token(AgentSide, json!({"sub": ABSENT}));
    assert_eq!(fault(gate.identify(&token, Some(USER))), (Side::Agent, Fault::Subject));
}

#[test]
fn a_token_is_taken_for_a_minute_and_never_beyond_its_end_without_asking_again() {
    let mut gate = asking();
    gate.learn_both();
    gate.at(59);
    assert!(gate.call().is_ok());
    gate.at(60);
    assert_eq!(fault(gate.call()), (Side::Agent, Fault::Unchecked));

    let mut gate = asking();
    gate.learn_both();
    let answer = changed(user(), json!({"exp": NOW_SECS + 20})).to_string();
    gate.learn(Side::User, answer.as_bytes()).unwrap();
    gate.at(19);
    assert!(gate.call().is_ok());
    gate.at(20);
    assert_eq!(fault(gate.call()), (Side::User, Fault::Unchecked));
}

#[test]
fn a_late_answer_counts_from_when_it_was_asked_for() {
    let at = |secs| UnixTime::from_secs(NOW_SECS + secs);
    let active = |came| Introspected::new(agent().to_string().into_bytes(), at(0), at(came));
    assert_eq!(
        (active(1).until(), active(9).until(), active(1).is_active()),
        (at(60), at(60), true)
    );
    let other = Introspected::new(b"{\"active\":false}".to_vec(), at(0), at(9));
    assert_eq!((other.until(), other.is_active()), (at(14), false));
    let unread = Introspected::new(Vec::new(), at(0), at(0));
    assert_eq!((unread.until(), unread.is_active()), (at(5), false));
}

#[test]
fn a_refused_token_is_refused_for_a_few_seconds_without_asking_again() {
    let mut gate = asking();
    let error = gate.learn(Side::Agent, b"{\"active\":false}").unwrap_err();
    assert_eq!((error.fault(), error.reason()), (Fault::Inactive, "introspection"));
    gate.at(4);
    assert_eq!(fault(gate.call()), (Side::Agent, Fault::RefusedBefore));
    gate.at(5);
    assert_eq!(fault(gate.call()), (Side::Agent, Fault::Unchecked));
}

#[test]
fn what_is_said_of_a_token_counts_on_its_side_and_in_its_generation_only() {
    let mut gate = asking();
    let same = OPAQUE.strip_prefix(b"Bearer ").unwrap();
    gate.learn(Side::Agent, agent().to_string().as_bytes()).unwrap();
    assert_eq!(fault(gate.identify(OPAQUE, Some(same))), (Side::User, Fault::Unchecked));
    gate.learn_both();
    assert!(gate.call().is_ok());
    gate.trust.generation = 2;
    assert_eq!(fault(gate.call()), (Side::Agent, Fault::Unchecked));
}

#[test]
fn a_bound_opaque_token_needs_its_proof() {
    let digest = crate::jose::base64url::encode(&[7; 32]);
    for (confirmed, token_type) in [("jkt", "DPoP"), ("jkt", "Bearer"), ("x5t#S256", "Bearer")] {
        let mut gate = asking();
        gate.learn_both();
        let bound = json!({"token_type": token_type, "cnf": {confirmed: digest}});
        gate.learn(Side::Agent, changed(agent(), bound).to_string().as_bytes())
            .unwrap();
        assert_eq!(fault(gate.call()), (Side::Agent, Fault::BoundToken));
    }
    let mut gate = asking();
    gate.learn_both();
    let bound = json!({"cnf": {"jkt": digest}});
    gate.learn(Side::User, changed(user(), bound).to_string().as_bytes())
        .unwrap();
    assert_eq!(fault(gate.call()), (Side::User, Fault::AssertionBound));
}

#[test]
fn issuers_are_told_apart_by_what_their_tokens_begin_with() {
    let (town, abroad) = (corpus(TOWN), corpus(ABROAD));
    let issuers = vec![issuer("town", TOWN, &town), issuer("abroad", ABROAD, &abroad)];
    let mut trust = Trust::new(1, issuers, Vec::new()).unwrap();
    trust.introspect("town", "town_");
    trust.introspect("abroad", "abroad_");
    let asked = |trust: &Trust, token: &[u8]| trust.introspector(token, Side::User).map(|issuer| issuer.name.clone());
    assert_eq!(asked(&trust, b"town_0123456789abcdef").as_deref(), Some("town"));
    assert_eq!(asked(&trust, b"abroad_0123456789abcdef").as_deref(), Some("abroad"));
    assert_eq!(asked(&trust, b"Town_0123456789abcdef"), None);
    // Whose it is cannot be told: it is shown to nobody.
    trust.introspect("abroad", "");
    assert_eq!(asked(&trust, b"town_0123456789abcdef"), None);
}

/// Any JSON value, now and then one that the member might have had.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        "[a-zA-Z:/.]{0,24}".prop_map(|value| json!(value)),
        prop::collection::vec("[a-z]{0,8}", 0..3).prop_map(|value| json!(value)),
        prop::collection::btree_map("[a-z]{0,4}", "[a-z]{0,4}", 0..3).prop_map(|value| json!(value)),
        Just(json!(ABSENT)),
    ]
}

proptest! {
    #[test]
    fn an_answer_with_another_value_where_one_is_checked_is_refused(
        name in prop::sample::select(vec!["active", "iss", "aud", "sub", "exp", "iat", "token_type", "cnf", "token_use"]),
        value in value(),
    ) {
        // What may be left out, or means the same.
        let absent = value == json!(ABSENT) && ["iss", "sub", "cnf", "token_use"].contains(&name);
        let same = name == "active" && value == json!(true);
        prop_assume!(!absent && !same);
        if let (Some(secs), "exp" | "iat") = (value.as_u64(), name) {
            prop_assume!(secs.abs_diff(NOW_SECS) > 10_000);
        }
        let answer = changed(agent(), json!({name: value})).to_string();
        prop_assert!(asking().learn(Side::Agent, answer.as_bytes()).is_err(), "{}", answer);
    }

    #[test]
    fn an_answer_with_a_byte_changed_never_names_somebody_else(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut answer = agent().to_string().into_bytes();
        let at = at.index(answer.len());
        answer[at] = byte;
        let mut gate = asking();
        if gate.learn(Side::Agent, &answer).is_ok() {
            let user = user().to_string();
            gate.learn(Side::User, user.as_bytes()).unwrap();
            let caller = gate.call();
            // The client may be another one then, or the token bound to something.
            if let Ok(principal) = caller {
                prop_assert_eq!(principal.agent().subject(), Corpus::AGENT);
            }
        }
    }

    #[test]
    fn nothing_that_is_not_an_answer_is_taken_for_one(answer in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(asking().learn(Side::Agent, &answer).is_err());
    }
}

#[test]
fn an_api_key_is_shown_to_no_issuer_on_either_side() {
    let mut gate = asking();
    let key = ApiKey::generate(&[7; 32]);
    let bearer = [b"Bearer ", key.as_bytes()].concat();
    assert_eq!(fault(gate.identify(&bearer, Some(USER))).0, Side::Agent);
    assert_ne!(fault(gate.identify(&bearer, Some(USER))).1, Fault::Unchecked);
    let agent = gate.corpus.valid(AgentSide);
    let (side, fault) = fault(gate.identify(&agent, Some(key.as_bytes())));
    assert_eq!(side, Side::User);
    assert_ne!(fault, Fault::Unchecked);
}
