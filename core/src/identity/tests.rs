//! What identity promises beyond single tokens: links, delegation, revocation. Attacks on single tokens are in
//! the corpus (`tests/jwt_corpus.rs`).

use core::time::Duration;
use std::rc::Rc;

use portreeve_jwt_corpus::Corpus;
use portreeve_jwt_corpus::Settings;
use portreeve_jwt_corpus::Side::Agent as AgentSide;
use portreeve_jwt_corpus::Side::User as UserSide;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::*;
use crate::jose::Algorithm;
use crate::jose::jwks::KeySet;
use crate::json::Scratch;
use crate::limits::TOKEN_BYTES_MAX;
use crate::time::UnixTime;

mod api_keys;
mod caches;
mod certificates;
mod dialects;
mod introspection;
mod moments;
mod pairs;
mod proofs;

const NOW_SECS: u64 = 1_800_000_000;
const ABSENT: &str = Corpus::ABSENT;
const TOWN: &str = "https://town.example";
const ABROAD: &str = "https://abroad.example";

fn corpus(issuer: &str) -> Corpus {
    Corpus::generate(Settings {
        issuer: issuer.to_owned(),
        audience: "https://gate.example".to_owned(),
        decoy: "127.0.0.1:1".to_owned(),
        now_secs: NOW_SECS,
    })
}

fn issuer(name: &str, iss: &str, corpus: &Corpus) -> Issuer {
    Issuer {
        name: name.to_owned(),
        issuer: iss.to_owned(),
        roles: Roles {
            agent: true,
            user: true,
        },
        types: vec!["at+jwt".to_owned()],
        algorithms: vec![Algorithm::Es256],
        audiences: vec!["https://gate.example".to_owned()],
        keys: KeySet::parse(corpus.jwks().as_bytes()).unwrap(),
        max_lifetime: None,
        leeway: Duration::from_secs(30),
        claims: ClaimNames::default(),
        dialect: Dialect::default(),
        allow_unlinked_with: Vec::new(),
    }
}

fn registered(name: &str, issuer: &str, subject: &str) -> RegisteredAgent {
    RegisteredAgent {
        name: name.to_owned(),
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        groups: vec!["bots".to_owned()],
        state: AgentState::Active,
        expires: None,
        servers: None,
        clients: Vec::new(),
        require_binding: RequireBinding::None,
        x509: false,
    }
}

/// One issuer for both roles, one registered agent, and the gate that trusts them.
struct Gate {
    corpus: Corpus,
    authenticator: Authenticator,
    scratch: Scratch,
    trust: Trust,
    nonces: Nonces,
    require_nonce: bool,
    certificate: Option<PeerCertificate>,
    now: UnixTime,
}

impl Gate {
    fn new() -> Self {
        let corpus = corpus(TOWN);
        let agents = vec![registered("clerk-bot", "town", Corpus::AGENT)];
        let trust = Trust::new(1, vec![issuer("town", TOWN, &corpus)], agents).unwrap();
        Self::with(corpus, trust)
    }

    fn with(corpus: Corpus, trust: Trust) -> Self {
        Self {
            corpus,
            authenticator: Authenticator::new(64),
            scratch: Scratch::new(),
            trust,
            nonces: Nonces::new([5; 32], UnixTime::from_secs(NOW_SECS - 3600)),
            require_nonce: true,
            certificate: None,
            now: UnixTime::from_secs(NOW_SECS),
        }
    }

    fn identify(&mut self, agent: &[u8], user: Option<&[u8]>) -> Result<Rc<Principal>, IdentityError> {
        let presented = Presented::from_values(Some(agent), user)?;
        self.judge(&presented).map(|identified| identified.principal)
    }

    /// Judges what was presented with a POST to the ledger.
    fn judge(&mut self, presented: &Presented<'_>) -> Result<Identified, IdentityError> {
        let terms = Terms {
            trust: &self.trust,
            nonces: &self.nonces,
            require_nonce: self.require_nonce,
            method: "POST",
            origin: "https://gate.example",
            path: "/ledger/mcp",
            certificate: self.certificate.as_ref(),
        };
        self.authenticator
            .authenticate(presented, &terms, &mut self.scratch, self.now)
    }

    /// The valid agent token with an assertion changed by `claims`.
    fn identify_with(&mut self, claims: Value) -> Result<Rc<Principal>, IdentityError> {
        let (agent, user) = (self.corpus.valid(AgentSide), self.corpus.token(UserSide, claims));
        self.identify(&agent, Some(&user))
    }

    fn trusting(&mut self, generation: u64, agent: RegisteredAgent) {
        let issuers = vec![issuer("town", TOWN, &self.corpus)];
        self.trust = Trust::new(generation, issuers, vec![agent]).unwrap();
    }
}

fn fault(outcome: Result<Rc<Principal>, IdentityError>) -> (Side, Fault) {
    let error = outcome.unwrap_err();
    (error.who(), error.fault())
}

#[test]
fn says_which_agent_calls_for_which_user() {
    let mut gate = Gate::new();
    let principal = gate
        .identify_with(
            json!({"groups": ["clerks", "readers"], "amr": ["otp"], "auth_time": NOW_SECS - 9, "exp": NOW_SECS + 60}),
        )
        .unwrap();
    let (user, agent) = (principal.user(), principal.agent());
    assert_eq!((user.id(), user.issuer()), (Corpus::USER, TOWN));
    assert_eq!(user.groups(), ["clerks", "readers"]);
    assert_eq!(
        (agent.name(), agent.subject(), agent.issuer()),
        ("clerk-bot", Corpus::AGENT, TOWN)
    );
    assert_eq!(agent.groups(), ["bots"]);
    assert!(agent.prior().is_empty());
    assert_eq!(principal.link(), Link::Client);
    assert_eq!(principal.expires(), UnixTime::from_secs(NOW_SECS + 60));
    assert_eq!(principal.auth().amr, ["otp"]);
    assert_eq!(principal.auth().auth_time, Some(UnixTime::from_secs(NOW_SECS - 9)));
    assert!(principal.auth().user_jti.is_some() && principal.auth().agent_jti.is_some());
}

#[test]
fn a_session_binding_survives_refresh_and_nothing_else() {
    let mut gate = Gate::new();
    let first = gate.identify_with(json!({})).unwrap().binding();
    let refreshed = gate
        .identify_with(json!({"exp": NOW_SECS + 900, "groups": []}))
        .unwrap();
    assert_eq!(refreshed.binding(), first);
    let another = gate.identify_with(json!({"sub": "another-user"})).unwrap();
    assert_ne!(another.binding(), first);
}

#[test]
fn takes_exactly_one_bearer_token() {
    let absent = Presented::from_values(None, Some(b"a.b.c")).unwrap_err();
    assert_eq!((absent.who(), absent.reason()), (Side::Agent, "hdr_none"));
    let long = vec![b'a'; TOKEN_BYTES_MAX + 8];
    for (value, expected) in [
        (&b"Bearer a.b.c, Bearer a.b.c"[..], "hdr_dup"),
        (b"Basic YTpi", "hdr_form"),
        (b"Bearer", "hdr_form"),
        (b"", "hdr_form"),
        (b"dpop a.b.c", "pop"),
        (&[b"Bearer ", long.as_slice()].concat(), "hdr_form"),
    ] {
        let error = Presented::from_values(Some(value), None).unwrap_err();
        assert_eq!((error.who(), error.reason()), (Side::Agent, expected));
    }
    let joined = Presented::from_values(Some(b"Bearer a.b.c"), Some(b"a.b.c,a.b.c")).unwrap_err();
    assert_eq!((joined.who(), joined.reason()), (Side::User, "hdr_dup"));
}

#[test]
fn an_agent_alone_is_asked_for_the_user() {
    let mut gate = Gate::new();
    let agent = gate.corpus.valid(AgentSide);
    assert_eq!(fault(gate.identify(&agent, None)), (Side::User, Fault::Absent));
}

#[test]
fn a_delegated_token_stands_alone() {
    let mut gate = Gate::new();
    let act = json!({"sub": Corpus::AGENT, "act": {"sub": "planner", "iss": ABROAD, "act": {"sub": "front-end"}}});
    let claims = json!({"sub": Corpus::USER, "client_id": "front-end", "groups": ["clerks"], "act": act});
    let token = gate.corpus.token(AgentSide, claims);
    let principal = gate.identify(&token, None).unwrap();
    assert_eq!(principal.link(), Link::Delegated);
    assert_eq!(
        (principal.user().id(), principal.agent().name()),
        (Corpus::USER, "clerk-bot")
    );
    assert_eq!(principal.user().groups(), ["clerks"]);
    let prior: Vec<_> = principal
        .agent()
        .prior()
        .iter()
        .map(|actor| actor.subject.as_str())
        .collect();
    assert_eq!(prior, ["planner", "front-end"]);

    let user = gate.corpus.valid(UserSide);
    assert_eq!(
        fault(gate.identify(&token, Some(&user))),
        (Side::Pair, Fault::AlreadyDelegated)
    );
}

#[test]
fn a_delegated_token_needs_an_issuer_of_users_and_a_registered_actor() {
    let mut gate = Gate::new();
    let delegated = |act: Value| json!({"sub": Corpus::USER, "client_id": ABSENT, "act": act});
    for act in [json!({"sub": "stranger"}), json!({"sub": Corpus::AGENT, "iss": ABROAD})] {
        let token = gate.corpus.token(AgentSide, delegated(act));
        assert_eq!(fault(gate.identify(&token, None)), (Side::Agent, Fault::AgentUnknown));
    }
    let mut town = issuer("town", TOWN, &gate.corpus);
    town.roles.user = false;
    let agents = vec![registered("clerk-bot", "town", Corpus::AGENT)];
    gate.trust = Trust::new(2, vec![town], agents).unwrap();
    let token = gate.corpus.token(AgentSide, delegated(json!({"sub": Corpus::AGENT})));
    assert_eq!(fault(gate.identify(&token, None)), (Side::Pair, Fault::Issuer));
}

#[test]
fn links_by_may_act_or_by_client_and_by_nothing_else() {
    let mut gate = Gate::new();
    let link = |gate: &mut Gate, claims| gate.identify_with(claims).map(|principal| principal.link());
    let unlinked = IdentityError::new(Side::Pair, Fault::Unlinked);
    let other = IdentityError::new(Side::Pair, Fault::MayActOther);
    for (claims, expected) in [
        (json!({"azp": Corpus::AGENT}), Ok(Link::Client)),
        (json!({"azp": ABSENT, "client_id": Corpus::AGENT}), Ok(Link::Client)),
        (
            json!({"azp": ABSENT, "may_act": {"sub": Corpus::AGENT}}),
            Ok(Link::MayAct),
        ),
        (
            json!({"azp": "other", "may_act": {"sub": Corpus::AGENT, "iss": TOWN}}),
            Ok(Link::MayAct),
        ),
        (json!({"azp": ABSENT}), Err(unlinked)),
        (json!({"azp": "other"}), Err(unlinked)),
        (json!({"may_act": {"sub": "other"}}), Err(other)),
        (json!({"may_act": {"sub": Corpus::AGENT, "iss": ABROAD}}), Err(other)),
    ] {
        assert_eq!(link(&mut gate, claims.clone()), expected, "{claims}");
    }
}

/// An agent of one issuer with a user of another.
fn across(clients: Vec<AgentClient>, unlinked: &[&str], user_claims: Value) -> Result<Link, Fault> {
    let (town, abroad) = (corpus(TOWN), corpus(ABROAD));
    let mut agent = registered("clerk-bot", "town", Corpus::AGENT);
    agent.clients = clients;
    let mut foreign = issuer("abroad", ABROAD, &abroad);
    foreign.allow_unlinked_with = unlinked.iter().map(|&name| name.to_owned()).collect();
    let trust = Trust::new(1, vec![issuer("town", TOWN, &town), foreign], vec![agent]).unwrap();
    let (agent, user) = (town.valid(AgentSide), abroad.token(UserSide, user_claims));
    Gate::with(town, trust)
        .identify(&agent, Some(&user))
        .map(|principal| principal.link())
        .map_err(IdentityError::fault)
}

#[test]
fn the_same_client_name_at_another_issuer_is_another_client() {
    let own = || AgentClient {
        issuer: "abroad".to_owned(),
        client: "bot-7".to_owned(),
    };
    let azp = |client: &str| json!({"azp": client});
    assert_eq!(across(vec![], &[], azp(Corpus::AGENT)), Err(Fault::Unlinked));
    assert_eq!(across(vec![own()], &[], azp("bot-7")), Ok(Link::Client));
    assert_eq!(across(vec![own()], &[], azp("bot-8")), Err(Fault::Unlinked));
    let may_act = |iss: &str| json!({"azp": ABSENT, "may_act": {"sub": Corpus::AGENT, "iss": iss}});
    assert_eq!(across(vec![], &[], may_act(TOWN)), Ok(Link::MayAct));
    assert_eq!(across(vec![], &[], may_act(ABROAD)), Err(Fault::MayActOther));
}

#[test]
fn an_unlinked_pair_passes_only_where_the_operator_allows_that_pair() {
    let unlinked = || json!({"azp": ABSENT});
    assert_eq!(across(vec![], &[], unlinked()), Err(Fault::Unlinked));
    assert_eq!(across(vec![], &["abroad"], unlinked()), Err(Fault::Unlinked));
    assert_eq!(across(vec![], &["town"], unlinked()), Ok(Link::Configured));
    let contradicted = json!({"azp": ABSENT, "may_act": {"sub": "other", "iss": TOWN}});
    assert_eq!(across(vec![], &["town"], contradicted), Err(Fault::MayActOther));
}

#[test]
fn neither_token_passes_in_the_place_of_the_other() {
    let mut gate = Gate::new();
    let (agent, user) = (gate.corpus.valid(AgentSide), gate.corpus.valid(UserSide));
    let as_agent = [b"Bearer ", user.as_slice()].concat();
    assert_eq!(
        fault(gate.identify(&as_agent, Some(&agent[7..]))),
        (Side::Agent, Fault::AgentUnknown)
    );
    assert_eq!(
        fault(gate.identify(&agent, Some(&agent[7..]))),
        (Side::User, Fault::SubjectIsAgent)
    );
    assert_eq!(
        fault(gate.identify(&as_agent, Some(&user))),
        (Side::Agent, Fault::RefusedBefore)
    );
}

#[test]
fn whatever_is_shut_off_is_refused_by_name_and_nothing_else_is() {
    let mut gate = Gate::new();
    let agent = gate.corpus.token(AgentSide, json!({"jti": "a-1"}));
    let user = gate.corpus.token(UserSide, json!({"jti": "u-1"}));
    let principal = gate.identify(&agent, Some(&user)).unwrap();
    let text = str::to_owned;
    let of = |agent: &str, issuer: &str, user: &str| Revocation::Delegation {
        agent: text(agent),
        issuer: text(issuer),
        user: text(user),
    };
    let name = |agent: &str| Revocation::Agent { agent: text(agent) };
    let person = |issuer: &str, user: &str| Revocation::User {
        issuer: text(issuer),
        user: text(user),
    };
    let token = |issuer: &str, id: &str| Revocation::Token {
        issuer: text(issuer),
        id: text(id),
    };
    for (revocation, expected) in [
        (name("clerk-bot"), Some((Side::Agent, Fault::AgentRevoked))),
        (person(TOWN, Corpus::USER), Some((Side::User, Fault::UserRevoked))),
        (token(TOWN, "a-1"), Some((Side::Agent, Fault::TokenRevoked))),
        (token(TOWN, "u-1"), Some((Side::User, Fault::TokenRevoked))),
        (
            of("clerk-bot", TOWN, Corpus::USER),
            Some((Side::Pair, Fault::DelegationRevoked)),
        ),
        (name("clerk-bot "), None),
        (name(Corpus::USER), None),
        (person(ABROAD, Corpus::USER), None),
        (person(TOWN, "clerk-bot"), None),
        (token(ABROAD, "u-1"), None),
        (token(TOWN, ""), None),
        (of("other-bot", TOWN, Corpus::USER), None),
        (of("clerk-bot", ABROAD, Corpus::USER), None),
        (of("clerk-bot", TOWN, "somebody"), None),
        (
            Revocation::Server {
                server: text("clerk-bot"),
            },
            None,
        ),
    ] {
        let list = Denylist::new([&revocation]).unwrap();
        let found = list.check(&principal).err().map(|error| (error.who(), error.fault()));
        assert_eq!(found, expected, "{revocation:?}");
    }
    assert!(Denylist::default().check(&principal).is_ok());
    let closed = Denylist::new([&Revocation::Server { server: text("ledger") }]).unwrap();
    assert_eq!((closed.closes("ledger"), closed.closes("ledger2")), (true, false));
}

#[test]
fn a_denylist_has_a_maximum() {
    let one = Revocation::Server {
        server: "ledger".to_owned(),
    };
    let many = |count| Denylist::new(core::iter::repeat_n(&one, count)).map(|_| ());
    assert_eq!(many(crate::limits::REVOCATIONS_MAX), Ok(()));
    assert_eq!(many(crate::limits::REVOCATIONS_MAX + 1), Err(DenylistFull));
}

#[test]
fn judges_nothing_by_a_clock_before_the_build() {
    let mut gate = Gate::new();
    gate.now = UnixTime::from_secs(1_000_000);
    let outcome = gate.identify_with(json!({}));
    assert_eq!(outcome.unwrap_err().reason(), "clock");
}

#[test]
fn a_registration_limits_the_servers() {
    let mut gate = Gate::new();
    assert!(gate.trust.may_use("clerk-bot", "ledger"));
    assert!(!gate.trust.may_use("stranger", "ledger"));
    let mut agent = registered("clerk-bot", "town", Corpus::AGENT);
    agent.servers = Some(vec!["mail".to_owned()]);
    gate.trusting(2, agent.clone());
    assert!(gate.trust.may_use("clerk-bot", "mail") && !gate.trust.may_use("clerk-bot", "ledger"));
    agent.state = AgentState::Suspended;
    gate.trusting(3, agent);
    assert!(!gate.trust.may_use("clerk-bot", "mail"));
}

#[test]
fn an_ambiguous_configuration_of_trust_is_refused() {
    let corpus = corpus(TOWN);
    let town = || issuer("town", TOWN, &corpus);
    let bot = |name: &str, subject: &str| registered(name, "town", subject);
    let build = |issuers, agents| Trust::new(1, issuers, agents).map(|_| ());
    let name = || "town".to_owned();

    let changed = |change: fn(&mut Issuer)| {
        let mut issuer = town();
        change(&mut issuer);
        vec![issuer]
    };
    assert_eq!(build(vec![town(), town()], vec![]), Err(TrustError::IssuerName(name())));
    let twin = Issuer {
        name: "twin".to_owned(),
        ..town()
    };
    assert_eq!(
        build(vec![town(), twin], vec![]),
        Err(TrustError::IssuerRole("twin".to_owned()))
    );
    for change in [
        (|issuer| issuer.audiences.clear()) as fn(&mut Issuer),
        |issuer| issuer.algorithms.clear(),
        |issuer| issuer.types.clear(),
        |issuer| issuer.roles = Roles::default(),
    ] {
        assert_eq!(build(changed(change), vec![]), Err(TrustError::IssuerEmpty(name())));
    }
    for change in [
        (|issuer| issuer.leeway = Duration::from_secs(600)) as fn(&mut Issuer),
        |issuer| issuer.max_lifetime = Some(Duration::from_secs(90_000)),
    ] {
        assert_eq!(build(changed(change), vec![]), Err(TrustError::IssuerTimes(name())));
    }
    let unknown = TrustError::UnknownIssuer("nowhere".to_owned());
    let paired = changed(|issuer| issuer.allow_unlinked_with.push("nowhere".to_owned()));
    assert_eq!(build(paired, vec![]), Err(unknown.clone()));
    let stray = registered("a", "nowhere", "1");
    assert_eq!(build(vec![town()], vec![stray]), Err(unknown));
    let twice = vec![bot("a", "1"), bot("a", "2")];
    assert_eq!(build(vec![town()], twice), Err(TrustError::AgentName("a".to_owned())));
    let twice = vec![bot("a", "1"), bot("b", "1")];
    assert_eq!(
        build(vec![town()], twice),
        Err(TrustError::AgentSubject("b".to_owned()))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_token_with_any_byte_changed_is_refused(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut gate = Gate::new();
        let agent = gate.corpus.valid(AgentSide);
        let mut user = gate.corpus.valid(UserSide);
        let place = place.index(user.len());
        prop_assume!(user[place] != byte);
        user[place] = byte;
        prop_assert!(gate.identify(&agent, Some(&user)).is_err());
    }

    #[test]
    fn no_bytes_without_a_signature_identify_anybody(
        agent in proptest::collection::vec(any::<u8>(), 0..300),
        user in "[A-Za-z0-9_.-]{0,300}",
    ) {
        let mut gate = Gate::new();
        let bearer = [b"Bearer ", agent.as_slice()].concat();
        prop_assert!(gate.identify(&bearer, Some(user.as_bytes())).is_err());
    }
}
