//! Every attack of the corpus against the authenticator, on both sides, each refused by a step that may refuse it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says how many cases there were"
)]

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use portreeve_core::identity::AgentState;
use portreeve_core::identity::Authenticator;
use portreeve_core::identity::ClaimNames;
use portreeve_core::identity::Dialect;
use portreeve_core::identity::Issuer;
use portreeve_core::identity::Nonces;
use portreeve_core::identity::Presented;
use portreeve_core::identity::Principal;
use portreeve_core::identity::RegisteredAgent;
use portreeve_core::identity::RequireBinding;
use portreeve_core::identity::Roles;
use portreeve_core::identity::Terms;
use portreeve_core::identity::Trust;
use portreeve_core::jose::Algorithm;
use portreeve_core::jose::jwks::KeySet;
use portreeve_core::json::Scratch;
use portreeve_core::time::UnixTime;
use portreeve_jwt_corpus::Case;
use portreeve_jwt_corpus::Corpus;
use portreeve_jwt_corpus::Expect;
use portreeve_jwt_corpus::Settings;
use portreeve_jwt_corpus::Side;

const NOW_SECS: u64 = 1_800_000_000;

fn corpus() -> Corpus {
    Corpus::generate(Settings {
        issuer: "https://issuer.example".to_owned(),
        audience: "https://gate.example/ledger".to_owned(),
        decoy: "127.0.0.1:1".to_owned(),
        now_secs: NOW_SECS,
    })
}

fn trust(corpus: &Corpus) -> Trust {
    let issuer = Issuer {
        name: "corpus".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        roles: Roles {
            agent: true,
            user: true,
        },
        types: vec!["at+jwt".to_owned()],
        algorithms: vec![
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::Rs256,
            Algorithm::Ps256,
            Algorithm::EdDsa,
        ],
        audiences: vec!["https://gate.example/ledger".to_owned()],
        keys: KeySet::parse(corpus.jwks().as_bytes()).unwrap(),
        max_lifetime: None,
        leeway: Duration::from_secs(30),
        claims: ClaimNames::default(),
        dialect: Dialect::default(),
        allow_unlinked_with: Vec::new(),
    };
    let agent = RegisteredAgent {
        name: "clerk-bot".to_owned(),
        issuer: "corpus".to_owned(),
        subject: Corpus::AGENT.to_owned(),
        groups: Vec::new(),
        state: AgentState::Active,
        expires: None,
        servers: None,
        clients: Vec::new(),
        require_binding: RequireBinding::None,
        x509: false,
    };
    Trust::new(1, vec![issuer], vec![agent]).unwrap()
}

/// The steps that may refuse a case of a group.
fn steps(group: &str) -> &'static [&'static str] {
    match group {
        "alg" => &["alg", "jose_hdr", "hdr_form"],
        "kid" => &["kid", "sig", "jose_hdr", "hdr_form"],
        "key" => &["kid"],
        "embedded" | "crit" => &["jose_hdr"],
        "fetched" => &["jose_hdr", "sig"],
        "sig" => &["sig", "jose_hdr"],
        "form" => &["hdr_form", "hdr_dup", "jose_hdr", "claims", "iss_unknown", "sig", "pop"],
        "dup" => &["claims", "jose_hdr"],
        "typ" => &["typ", "jose_hdr"],
        "cnf" => &["pop"],
        "time" => &["time", "claims"],
        "iss" => &["iss_unknown"],
        "aud" => &["aud"],
        "claims" => &["claims", "agent_unknown", "link", "hdr_form"],
        "link" => &["link"],
        other => panic!("group {other} has no steps"),
    }
}

struct Door {
    authenticator: Authenticator,
    trust: Trust,
    nonces: Nonces,
    scratch: Scratch,
}

impl Door {
    fn knock(&mut self, agent: &[u8], user: &[u8]) -> Result<std::rc::Rc<Principal>, &'static str> {
        let now = UnixTime::from_secs(NOW_SECS);
        let terms = Terms {
            trust: &self.trust,
            nonces: &self.nonces,
            require_nonce: true,
            method: "POST",
            origin: "https://gate.example",
            path: "/ledger/mcp",
            certificate: None,
        };
        Presented::from_values(Some(agent), Some(user))
            .and_then(|presented| {
                self.authenticator
                    .authenticate(&presented, &terms, &mut self.scratch, now)
            })
            .map(|identified| identified.principal)
            .map_err(|error| error.reason())
    }

    fn judge(&mut self, side: Side, case: &Case, partner: &[u8]) {
        let name = format!("{side:?}, {}: {}", case.group, case.name);
        let (agent, user) = match side {
            Side::Agent => (case.token.as_slice(), partner),
            Side::User => (partner, case.token.as_slice()),
        };
        let (first, second) = (self.knock(agent, user), self.knock(agent, user));
        assert_eq!(first.is_ok(), second.is_ok(), "{name}: the second time differs");
        match (case.expect, first) {
            (Expect::Accept, Ok(principal)) => {
                assert_eq!(principal.user().id(), Corpus::USER, "{name}");
                assert_eq!(principal.agent().name(), "clerk-bot", "{name}");
            }
            (Expect::Accept, Err(reason)) => panic!("{name}: refused by {reason}"),
            (Expect::Reject, Ok(_)) => panic!("{name}: accepted"),
            (Expect::Reject, Err(reason)) => {
                assert!(steps(case.group).contains(&reason), "{name}: refused by {reason}");
                let again = second.unwrap_err();
                assert!(again == reason || again == "tok_neg", "{name}: {reason}, then {again}");
            }
            (Expect::Either, _) => {}
        }
    }
}

#[test]
fn refuses_every_attack_on_both_sides_and_nothing_else() {
    let corpus = corpus();
    let mut door = Door {
        authenticator: Authenticator::new(1024),
        trust: trust(&corpus),
        nonces: Nonces::new([1; 32], UnixTime::from_secs(NOW_SECS)),
        scratch: Scratch::new(),
    };
    for side in [Side::Agent, Side::User] {
        let cases = corpus.cases(side);
        let partner = corpus.partner(side);
        for case in &cases {
            door.judge(side, case, &partner);
        }
        let refused = cases.iter().filter(|case| case.expect == Expect::Reject).count();
        let accepted = cases.iter().filter(|case| case.expect == Expect::Accept).count();
        println!(
            "{side:?}: {} cases, {refused} to refuse, {accepted} to accept",
            cases.len()
        );
        assert!(refused >= 180 && accepted >= 9, "{side:?}: {refused} and {accepted}");
        let names: BTreeSet<_> = cases.iter().map(|case| (case.group, case.name.as_str())).collect();
        assert_eq!(names.len(), cases.len(), "two cases have one name");
        let mut tokens = BTreeMap::new();
        for case in &cases {
            let twin = tokens.insert(&case.token, &case.name);
            assert_eq!(twin, None, "{} is the same token", case.name);
        }
    }
}

#[test]
fn drops_every_unusable_key_of_the_set_and_no_other() {
    let corpus = corpus();
    let keys = KeySet::parse(corpus.jwks().as_bytes()).unwrap();
    assert_eq!(keys.dropped().len(), Corpus::UNUSABLE_KEYS);
    let kids: Vec<_> = keys.keys().iter().map(|key| key.kid()).collect();
    assert_eq!(kids, ["es", "es-2", "es384", "ed", "rs", "ps", "rsa-without-alg"]);
}
