//! Agents with keys: what a key opens, for how long, and what it never does.

use super::*;
use crate::jose::base64url;
use crate::limits::API_KEYS_PER_AGENT_MAX;

const KEYS: &str = "https://gate.example/api-keys";
const SECRET: [u8; 32] = [7; 32];

fn bearer(key: &str) -> Vec<u8> {
    format!("Bearer {key}").into_bytes()
}

fn key_of(agent: &str, random: [u8; 32], expires: u64) -> ApiKey {
    ApiKey {
        agent: agent.to_owned(),
        sha256: ApiKey::digest(ApiKey::generate(&random).as_bytes()),
        expires: UnixTime::from_secs(expires),
    }
}

fn holder(name: &str) -> RegisteredAgent {
    registered(name, API_KEY_ISSUER, name)
}

/// `quill` and `bell` have keys; `clerk-bot` has tokens.
fn trust(generation: u64, corpus: &Corpus, agents: Vec<RegisteredAgent>, keys: Vec<ApiKey>) -> Trust {
    let issuers = vec![issuer("town", TOWN, corpus), Issuer::of_api_keys(KEYS.to_owned())];
    Trust::new(generation, issuers, agents)
        .and_then(|trust| trust.with_api_keys(keys))
        .unwrap()
}

fn agents() -> Vec<RegisteredAgent> {
    vec![
        holder("quill"),
        holder("bell"),
        registered("clerk-bot", "town", Corpus::AGENT),
    ]
}

fn gate() -> Gate {
    let corpus = corpus(TOWN);
    let keys = vec![
        key_of("quill", SECRET, NOW_SECS + 300),
        key_of("bell", [8; 32], NOW_SECS + 300),
    ];
    let trust = trust(1, &corpus, agents(), keys);
    Gate::with(corpus, trust)
}

/// What the users' issuer says for use by that agent.
fn assertion(gate: &Gate, agent: &str) -> Vec<u8> {
    gate.corpus
        .token(UserSide, json!({"may_act": {"iss": KEYS, "sub": agent}}))
}

fn agent_of(gate: &mut Gate, key: &str, user: &[u8]) -> Result<String, (Side, Fault)> {
    let identified = gate.identify(&bearer(key), Some(user));
    identified
        .map(|principal| principal.agent().name().to_owned())
        .map_err(|error| (error.who(), error.fault()))
}

#[test]
fn a_key_is_its_agents_and_policies_see_that_it_is_a_key() {
    let mut gate = gate();
    let (key, user) = (ApiKey::generate(&SECRET), assertion(&gate, "quill"));
    for _ in 0..2 {
        let principal = gate.identify(&bearer(&key), Some(&user)).unwrap();
        let agent = principal.agent();
        assert_eq!(
            (agent.name(), agent.issuer(), agent.subject()),
            ("quill", KEYS, "quill")
        );
        assert_eq!(principal.agent_method().name(), "api_key");
        assert_eq!((principal.binding_name(), principal.link()), ("none", Link::MayAct));
        assert_eq!(principal.expires(), UnixTime::from_secs(NOW_SECS + 300));
        assert!(principal.auth().scopes.is_empty());
        let id = ApiKey::id(&ApiKey::digest(key.as_bytes()));
        assert_eq!(principal.auth().agent_jti.as_ref(), Some(&id));
        assert!(gate.trust.still_holds(&principal, gate.now));
    }
    let by_token = gate.corpus.valid(AgentSide);
    let user = gate.corpus.valid(UserSide);
    let principal = gate.identify(&by_token, Some(&user)).unwrap();
    assert_eq!(principal.agent_method(), AgentMethod::Token);
}

#[test]
fn a_key_ends_at_its_second_although_it_was_taken_before() {
    let mut gate = gate();
    let (key, user) = (ApiKey::generate(&SECRET), assertion(&gate, "quill"));
    let end = UnixTime::from_secs(NOW_SECS + 300);
    for (now, outcome) in [
        (gate.now, Ok("quill".to_owned())),
        (UnixTime::from_millis(end.millis() - 1), Ok("quill".to_owned())),
        (end, Err((Side::Agent, Fault::ApiKeyExpired))),
    ] {
        gate.now = now;
        assert_eq!(agent_of(&mut gate, &key, &user), outcome, "{now}");
    }
}

#[test]
fn what_is_not_exactly_a_known_key_is_refused() {
    let mut gate = gate();
    let (key, user) = (ApiKey::generate(&SECRET), assertion(&gate, "quill"));
    let stranger = ApiKey::generate(&[9; 32]);
    assert_eq!(
        agent_of(&mut gate, &stranger, &user),
        Err((Side::Agent, Fault::ApiKeyUnknown))
    );
    for at in 0..key.len() {
        let cut = agent_of(&mut gate, &key[..at], &user).unwrap_err();
        assert!(
            matches!(cut, (Side::Agent, Fault::ApiKeyForm | Fault::Form(_))),
            "{at}: {cut:?}"
        );
        let mut typo = key.as_bytes().to_vec();
        typo[at] = if typo[at] == b'A' { b'B' } else { b'A' };
        let typo = String::from_utf8(typo).unwrap();
        let refused = agent_of(&mut gate, &typo, &user).unwrap_err();
        assert!(
            matches!(refused, (Side::Agent, Fault::ApiKeyForm | Fault::Form(_))),
            "{at}: {refused:?}"
        );
    }
    for more in [
        format!("{}A", *key),
        format!("{} ", *key),
        format!("{}.a.b", *key),
        key.to_uppercase(),
    ] {
        assert!(agent_of(&mut gate, &more, &user).is_err(), "{more}");
    }
    assert_eq!(agent_of(&mut gate, &key, &user).as_deref(), Ok("quill"));
}

#[test]
fn a_key_alone_says_nothing_about_a_user() {
    let mut gate = gate();
    let key = ApiKey::generate(&SECRET);
    assert_eq!(fault(gate.identify(&bearer(&key), None)), (Side::User, Fault::Absent));
    let of_another = assertion(&gate, "bell");
    assert_eq!(
        agent_of(&mut gate, &key, &of_another),
        Err((Side::Pair, Fault::MayActOther))
    );
    let of_nobody = gate.corpus.valid(UserSide);
    assert_eq!(
        agent_of(&mut gate, &key, &of_nobody),
        Err((Side::Pair, Fault::Unlinked))
    );
    let as_user = gate.identify(&gate.corpus.valid(AgentSide), Some(key.as_bytes()));
    assert_eq!(as_user.unwrap_err().who(), Side::User);
}

#[test]
fn a_user_may_be_tied_to_a_key_by_the_registration_or_the_configuration() {
    let (corpus, key) = (corpus(TOWN), ApiKey::generate(&SECRET));
    let user = corpus.valid(UserSide);
    let known = RegisteredAgent {
        clients: vec![AgentClient {
            issuer: "town".to_owned(),
            client: Corpus::AGENT.to_owned(),
        }],
        ..holder("quill")
    };
    let keys = || vec![key_of("quill", SECRET, NOW_SECS + 300)];
    let by_client = trust(1, &corpus, vec![known], keys());
    let mut gate = Gate::with(corpus, by_client);
    let link = |gate: &mut Gate| gate.identify(&bearer(&key), Some(&user)).unwrap().link();
    assert_eq!(link(&mut gate), Link::Client);

    let mut loose = issuer("town", TOWN, &gate.corpus);
    loose.allow_unlinked_with = vec![API_KEY_ISSUER.to_owned()];
    let issuers = vec![loose, Issuer::of_api_keys(KEYS.to_owned())];
    let by_configuration = Trust::new(2, issuers, vec![holder("quill")]);
    gate.trust = by_configuration.unwrap().with_api_keys(keys()).unwrap();
    assert_eq!(link(&mut gate), Link::Configured);
}

#[test]
fn a_key_that_is_dropped_or_whose_agent_is_stopped_opens_nothing_any_more() {
    let mut gate = gate();
    let (key, user) = (ApiKey::generate(&SECRET), assertion(&gate, "quill"));
    assert!(agent_of(&mut gate, &key, &user).is_ok());
    let principal = gate.identify(&bearer(&key), Some(&user)).unwrap();
    let end = UnixTime::from_secs(NOW_SECS + 300);
    assert!(gate.trust.still_holds(&principal, gate.now) && !gate.trust.still_holds(&principal, end));
    gate.trust = trust(
        2,
        &gate.corpus,
        agents(),
        vec![key_of("quill", [9; 32], NOW_SECS + 300)],
    );
    assert!(!gate.trust.still_holds(&principal, gate.now), "nor does a stream go on");
    assert_eq!(
        agent_of(&mut gate, &key, &user),
        Err((Side::Agent, Fault::ApiKeyUnknown))
    );
    let states = [
        (AgentState::Suspended, None, Fault::AgentSuspended),
        (AgentState::Revoked, None, Fault::AgentRevoked),
        (AgentState::Active, Some(gate.now), Fault::AgentExpired),
    ];
    for (generation, (state, expires, fault)) in (3..).zip(states) {
        let stopped = RegisteredAgent {
            state,
            expires,
            ..holder("quill")
        };
        let keys = vec![key_of("quill", SECRET, NOW_SECS + 300)];
        gate.trust = trust(generation, &gate.corpus, vec![stopped], keys);
        assert_eq!(agent_of(&mut gate, &key, &user), Err((Side::Agent, fault)));
    }
}

#[test]
fn a_key_is_no_binding() {
    let corpus = corpus(TOWN);
    let key = ApiKey::generate(&SECRET);
    for require_binding in [RequireBinding::Token, RequireBinding::Request] {
        let firm = RegisteredAgent {
            require_binding,
            ..holder("quill")
        };
        let keys = vec![key_of("quill", SECRET, NOW_SECS + 300)];
        let trust = trust(1, &corpus, vec![firm], keys);
        let mut gate = Gate::with(super::corpus(TOWN), trust.clone());
        gate.trust = trust;
        let user = corpus.token(UserSide, json!({"may_act": {"iss": KEYS, "sub": "quill"}}));
        assert_eq!(
            agent_of(&mut gate, &key, &user),
            Err((Side::Pair, Fault::BindingRequired))
        );
    }
}

#[test]
fn a_key_is_not_presented_with_a_proof() {
    let mut gate = gate();
    let (key, user) = (ApiKey::generate(&SECRET), assertion(&gate, "quill"));
    let authorization = format!("DPoP {}", *key);
    let presented = Presented::with_proof(Some(authorization.as_bytes()), Some(&user), Some(b"a.b.c")).unwrap();
    let error = gate.judge(&presented).unwrap_err();
    assert_eq!((error.who(), error.fault()), (Side::Agent, Fault::UnboundToken));
}

#[test]
fn no_token_passes_for_a_key() {
    let mut gate = gate();
    let user = assertion(&gate, "quill");
    let posing = gate
        .corpus
        .token(AgentSide, json!({"iss": KEYS, "sub": "quill", "aud": KEYS}));
    assert_eq!(fault(gate.identify(&posing, Some(&user))), (Side::Agent, Fault::Type));
    let delegated = gate.corpus.token(
        AgentSide,
        json!({"sub": Corpus::USER, "act": {"iss": KEYS, "sub": "quill"}}),
    );
    assert_eq!(
        fault(gate.identify(&delegated, None)),
        (Side::Pair, Fault::AgentUnknown)
    );
}

#[test]
fn a_key_is_one_agents_and_an_agent_has_two_at_most() {
    let refused = |keys: Vec<ApiKey>| {
        let issuers = vec![
            issuer("town", TOWN, &corpus(TOWN)),
            Issuer::of_api_keys(KEYS.to_owned()),
        ];
        let trust = Trust::new(1, issuers, agents()).unwrap().with_api_keys(keys);
        trust.map(|_| ())
    };
    let fault = |agent: &str| Err(TrustError::ApiKeys(agent.to_owned()));
    let count = u8::try_from(API_KEYS_PER_AGENT_MAX).unwrap();
    let keys = |count: u8| (0..count).map(|byte| key_of("quill", [byte; 32], NOW_SECS)).collect();
    assert_eq!(refused(keys(count)), Ok(()));
    assert_eq!(refused(keys(count + 1)), fault("quill"));
    assert_eq!(refused(vec![key_of("clerk-bot", SECRET, NOW_SECS)]), fault("clerk-bot"));
    assert_eq!(refused(vec![key_of("nobody", SECRET, NOW_SECS)]), fault("nobody"));
    let shared = vec![key_of("quill", SECRET, NOW_SECS), key_of("bell", SECRET, NOW_SECS)];
    assert_eq!(refused(shared), fault("bell"));
}

#[test]
fn a_key_is_written_so_that_scanners_and_people_know_it() {
    let key = ApiKey::generate(&[0; 32]);
    assert_eq!(key.len(), 51);
    assert!(key.starts_with(&format!("prk_{}", "A".repeat(43))));
    let sum = ApiKey::digest(&key.as_bytes()[..47]);
    assert_eq!(key[47..], base64url::encode(&sum[..3]));
}

proptest! {
    #[test]
    fn every_key_that_is_made_is_well_formed_and_no_other_text_is(random: [u8; 32], other in "prk_[A-Za-z0-9_-]{0,60}") {
        let key = ApiKey::generate(&random);
        prop_assert!(ApiKey::is_well_formed(key.as_bytes()));
        prop_assert!(!ApiKey::is_well_formed(other.as_bytes()) || other.len() == key.len());
    }

    #[test]
    fn any_bytes_are_judged_without_panic(bytes: Vec<u8>) {
        let mut text = b"prk_".to_vec();
        text.extend(bytes);
        prop_assert!(!ApiKey::is_well_formed(&text) || text.len() == 51);
    }
}
