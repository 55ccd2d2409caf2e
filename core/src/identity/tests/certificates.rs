//! Certificates of connections: a token that is bound to one is worth nothing on any other connection, and an X.509-SVID
//! says who the agent is where it is registered so.

use super::*;
use crate::jose::base64url;

const DOMAIN: &str = "spiffe://town.example";
const BOT: &str = "spiffe://town.example/clerk-bot";
/// The time of the tests and the two moments of validity around it.
const VALIDITY: [&str; 2] = ["270115075900Z", "270115090000Z"];
const ENDS: u64 = 1_800_003_600;
const SIGNS: [u8; 4] = [0x03, 0x02, 0x07, 0x80];

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let head = match u8::try_from(length) {
        Ok(short @ 0..0x80) => vec![tag, short],
        Ok(long) => vec![tag, 0x81, long],
        Err(_) => [&[tag, 0x82][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
    };
    [&head, contents].concat()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

fn extension(id: u8, value: &[u8]) -> Vec<u8> {
    let id = element(0x06, &[0x55, 0x1d, id]);
    sequence(&[id, element(0x01, &[0xff]), element(0x04, value)])
}

fn names(uris: &[&str]) -> Vec<u8> {
    let uris: Vec<Vec<u8>> = uris.iter().map(|uri| element(0x86, uri.as_bytes())).collect();
    extension(0x11, &sequence(&[element(0x82, b"bot.town.example"), uris.concat()]))
}

/// A certificate with these extensions. Nobody here looks at its signature.
fn certificate(extensions: &[Vec<u8>]) -> Vec<u8> {
    let validity = VALIDITY.map(|moment| element(0x17, moment.as_bytes()));
    let empty = || sequence(&[]);
    let body = [
        element(0xa0, &[0x02, 0x01, 0x02]),
        element(0x02, &[7]),
        empty(),
        empty(),
        sequence(&validity),
        empty(),
        empty(),
        element(0xa3, &sequence(extensions)),
    ];
    sequence(&[sequence(&body), empty(), element(0x03, &[0, 1])])
}

fn svid() -> Vec<u8> {
    certificate(&[extension(0x0f, &SIGNS), extension(0x13, &sequence(&[])), names(&[BOT])])
}

fn read(extensions: &[Vec<u8>]) -> Option<String> {
    let read = PeerCertificate::vouched(&certificate(extensions)).unwrap();
    read.svid().map(str::to_owned)
}

fn cnf(certificate: &PeerCertificate) -> Value {
    json!({"x5t#S256": base64url::encode(certificate.digest())})
}

/// A gate with a connection that shows `certificate`, and an agent token bound to `to`.
fn bound(shown: Option<PeerCertificate>, to: &PeerCertificate) -> (Gate, Vec<u8>) {
    let mut gate = Gate::new();
    gate.certificate = shown;
    let agent = gate.corpus.token(AgentSide, json!({"cnf": cnf(to)}));
    (gate, agent)
}

#[test]
fn an_svid_is_read_as_it_is() {
    let shown = PeerCertificate::vouched(&svid()).unwrap();
    assert_eq!(shown.svid(), Some(BOT));
    let digest = ring::digest::digest(&ring::digest::SHA256, &svid());
    assert_eq!(shown.digest(), digest.as_ref());
    assert!(!shown.has_ended(UnixTime::from_secs(ENDS)));
    assert!(shown.has_ended(UnixTime::from_secs(ENDS + 1)));
    let unvouched = PeerCertificate::unvouched(&svid());
    assert_eq!((unvouched.digest(), unvouched.svid()), (shown.digest(), None));
}

#[test]
fn what_is_no_svid_names_nobody() {
    let signs = || extension(0x0f, &SIGNS);
    assert_eq!(read(&[signs(), names(&[BOT])]).as_deref(), Some(BOT));
    for (what, extensions) in [
        ("no names", vec![signs()]),
        ("no URI", vec![signs(), names(&[])]),
        ("two URIs", vec![signs(), names(&[BOT, "spiffe://town.example/other"])]),
        ("the same URI twice", vec![signs(), names(&[BOT, BOT])]),
        (
            "another scheme besides",
            vec![signs(), names(&[BOT, "https://town.example"])],
        ),
        ("another scheme", vec![signs(), names(&["https://town.example/bot"])]),
        ("a line break", vec![signs(), names(&["spiffe://town.example/a\nb"])]),
        ("not ASCII", vec![signs(), names(&["spiffe://town.example/\u{e9}"])]),
        (
            "too long",
            vec![signs(), names(&[&format!("{BOT}{}", "x".repeat(255))])],
        ),
        ("no key usage", vec![names(&[BOT])]),
        (
            "no signatures",
            vec![extension(0x0f, &[0x03, 0x02, 0x05, 0x20]), names(&[BOT])],
        ),
        (
            "signs certificates",
            vec![extension(0x0f, &[0x03, 0x02, 0x02, 0x84]), names(&[BOT])],
        ),
        (
            "signs revocations",
            vec![extension(0x0f, &[0x03, 0x02, 0x01, 0x82]), names(&[BOT])],
        ),
        (
            "an authority",
            vec![
                signs(),
                extension(0x13, &sequence(&[element(0x01, &[0xff])])),
                names(&[BOT]),
            ],
        ),
    ] {
        assert_eq!(read(&extensions), None, "{what}");
    }
}

#[test]
fn what_cannot_be_read_is_no_certificate() {
    let whole = svid();
    for length in 0..whole.len() {
        assert_eq!(PeerCertificate::vouched(&whole[..length]), None, "{length}");
    }
    let twice = certificate(&[names(&[BOT]), names(&[])]);
    assert_eq!(PeerCertificate::vouched(&twice), None);
    assert_eq!(PeerCertificate::vouched(&[&whole[..], b"\0"].concat()), None);
}

proptest! {
    #[test]
    fn a_changed_byte_never_makes_another_agent_of_it_unless_it_is_in_the_name(at in 0_usize..200, to: u8) {
        let mut changed = svid();
        let at = at % changed.len();
        changed[at] = to;
        let named = PeerCertificate::vouched(&changed).and_then(|read| read.svid().map(str::to_owned));
        if let Some(named) = named && named != BOT {
            let differing = named.bytes().zip(BOT.bytes()).filter(|(one, other)| one != other).count();
            prop_assert!(named.len() == BOT.len() && differing == 1, "{named}");
        }
    }

    #[test]
    fn whatever_comes_is_read_or_refused(bytes: Vec<u8>) {
        prop_assert!(PeerCertificate::vouched(&bytes).is_none_or(|read| read.svid().is_none()));
    }
}

#[test]
fn a_bound_token_holds_on_its_connection_and_on_no_other() {
    let (mine, other) = (
        PeerCertificate::unvouched(b"mine"),
        PeerCertificate::unvouched(b"other"),
    );
    let (mut gate, agent) = bound(Some(mine.clone()), &mine);
    let user = gate.corpus.valid(UserSide);
    for _warm in 0..2 {
        gate.certificate = Some(mine.clone());
        let principal = gate.identify(&agent, Some(&user)).unwrap();
        assert_eq!((principal.binding_name(), principal.link()), ("mtls", Link::Client));
        for shown in [None, Some(other.clone())] {
            gate.certificate = shown;
            let refused = gate.identify(&agent, Some(&user)).unwrap_err();
            assert_eq!((refused.fault(), refused.reason()), (Fault::BoundToken, "pop"));
        }
    }
}

#[test]
fn a_certificate_whose_time_is_up_counts_for_nothing() {
    let shown = PeerCertificate::vouched(&svid()).unwrap();
    let (mut gate, agent) = bound(Some(shown.clone()), &shown);
    gate.trusting(2, registered("clerk-bot", "town", Corpus::AGENT));
    let user = gate.corpus.valid(UserSide);
    assert!(gate.identify(&agent, Some(&user)).is_ok());
    let until = json!({"cnf": cnf(&shown), "iat": ENDS - 5, "exp": ENDS + 60});
    // What it opens ends with it, whatever its token says.
    gate.now = UnixTime::from_secs(ENDS - 1);
    let long = gate.corpus.token(AgentSide, until.clone());
    let lasting = gate.corpus.token(UserSide, json!({"iat": ENDS - 5, "exp": ENDS + 60}));
    let principal = gate.identify(&long, Some(&lasting)).unwrap();
    assert_eq!(principal.expires(), UnixTime::from_secs(ENDS));
    gate.now = UnixTime::from_secs(ENDS + 1);
    let agent = gate.corpus.token(AgentSide, until);
    assert_eq!(
        fault(gate.identify(&agent, Some(&user))),
        (Side::Agent, Fault::BoundToken)
    );
}

#[test]
fn an_unbound_token_gains_nothing_by_a_certificate() {
    let mut gate = Gate::new();
    gate.certificate = PeerCertificate::vouched(&svid());
    let (agent, user) = (gate.corpus.valid(AgentSide), gate.corpus.valid(UserSide));
    assert_eq!(gate.identify(&agent, Some(&user)).unwrap().binding_name(), "none");
    gate.trusting(
        2,
        RegisteredAgent {
            require_binding: RequireBinding::Token,
            ..registered("clerk-bot", "town", Corpus::AGENT)
        },
    );
    let loose = (Side::Pair, Fault::BindingRequired);
    assert_eq!(fault(gate.identify(&agent, Some(&user))), loose);
}

#[test]
fn an_assertion_bound_to_the_same_certificate_is_linked_and_covered() {
    let mine = PeerCertificate::unvouched(b"mine");
    let (mut gate, agent) = bound(Some(mine.clone()), &mine);
    gate.trusting(
        2,
        RegisteredAgent {
            require_binding: RequireBinding::Request,
            ..registered("clerk-bot", "town", Corpus::AGENT)
        },
    );
    let user = gate.corpus.token(UserSide, json!({"azp": ABSENT, "cnf": cnf(&mine)}));
    let principal = gate.identify(&agent, Some(&user)).unwrap();
    assert_eq!((principal.link(), principal.is_covered()), (Link::Key, true));

    let other = json!({"cnf": cnf(&PeerCertificate::unvouched(b"other"))});
    let user = gate.corpus.token(UserSide, other);
    assert_eq!(
        fault(gate.identify(&agent, Some(&user))),
        (Side::User, Fault::AssertionBound)
    );
    let user = gate.corpus.valid(UserSide);
    assert_eq!(
        fault(gate.identify(&agent, Some(&user))),
        (Side::Pair, Fault::BindingRequired)
    );
}

/// A gate that takes the X.509-SVID of an agent of a trust domain, and users of `town`.
fn of_domain(agent: RegisteredAgent) -> Gate {
    let corpus = corpus(TOWN);
    let domain = Issuer {
        dialect: Dialect {
            svid: true,
            ..Dialect::default()
        },
        ..issuer("domain", DOMAIN, &corpus)
    };
    let trust = Trust::new(1, vec![issuer("town", TOWN, &corpus), domain], vec![agent]).unwrap();
    let mut gate = Gate::with(corpus, trust);
    gate.certificate = PeerCertificate::vouched(&svid());
    gate
}

fn by_certificate() -> RegisteredAgent {
    RegisteredAgent {
        x509: true,
        ..registered("clerk-bot", "domain", BOT)
    }
}

fn show(gate: &mut Gate, shown: &PeerCertificate, user: Option<&[u8]>) -> Result<Rc<Principal>, IdentityError> {
    let presented = Presented::with_certificate(shown, user, None)?;
    gate.judge(&presented).map(|identified| identified.principal)
}

#[test]
fn an_svid_is_the_agent_and_the_user_must_still_be_linked_to_it() {
    let mut gate = of_domain(by_certificate());
    let shown = gate.certificate.clone().unwrap();
    let linked = json!({"azp": ABSENT, "may_act": {"iss": DOMAIN, "sub": BOT}});
    let user = gate.corpus.token(UserSide, linked);
    for _warm in 0..2 {
        let principal = show(&mut gate, &shown, Some(&user)).unwrap();
        let agent = principal.agent();
        assert_eq!(
            (agent.name(), agent.issuer(), agent.subject()),
            ("clerk-bot", DOMAIN, BOT)
        );
        assert_eq!((principal.binding_name(), principal.link()), ("mtls", Link::MayAct));
        assert_eq!(principal.expires(), UnixTime::from_secs(ENDS).min(principal.expires()));
    }
    for (claims, expected) in [
        (json!({"azp": ABSENT}), Fault::Unlinked),
        (json!({"azp": ABSENT, "may_act": {"sub": BOT}}), Fault::MayActOther),
    ] {
        let user = gate.corpus.token(UserSide, claims);
        assert_eq!(fault(show(&mut gate, &shown, Some(&user))), (Side::Pair, expected));
    }
    assert_eq!(fault(show(&mut gate, &shown, None)), (Side::User, Fault::Absent));

    // The same tokens on a connection of another certificate, or of none.
    let other = PeerCertificate::vouched(&certificate(&[names(&[BOT])])).unwrap();
    for other in [Some(other), None] {
        gate.certificate.clone_from(&other);
        let presented = other.as_ref().unwrap_or(&shown);
        assert_eq!(show(&mut gate, presented, Some(&user)).unwrap_err().who(), Side::Agent);
    }
    gate.certificate = Some(shown.clone());
    gate.now = UnixTime::from_secs(ENDS + 1);
    assert_eq!(
        fault(show(&mut gate, &shown, Some(&user))),
        (Side::Agent, Fault::Absent)
    );
}

#[test]
fn what_an_svid_opened_does_not_hold_once_it_is_not_enough_any_more() {
    let mut gate = of_domain(by_certificate());
    let shown = gate.certificate.clone().unwrap();
    let user = gate.corpus.token(UserSide, json!({"azp": ABSENT, "cnf": cnf(&shown)}));
    let principal = show(&mut gate, &shown, Some(&user)).unwrap();
    assert!(gate.trust.still_holds(&principal, gate.now));
    let by_token = registered("clerk-bot", "domain", BOT);
    assert!(!of_domain(by_token).trust.still_holds(&principal, gate.now));
}

#[test]
fn an_assertion_bound_to_the_svid_is_linked_to_its_agent() {
    let mut gate = of_domain(RegisteredAgent {
        require_binding: RequireBinding::Request,
        ..by_certificate()
    });
    let shown = gate.certificate.clone().unwrap();
    let user = gate.corpus.token(UserSide, json!({"azp": ABSENT, "cnf": cnf(&shown)}));
    assert_eq!(show(&mut gate, &shown, Some(&user)).unwrap().link(), Link::Key);
}

#[test]
fn only_a_registered_agent_that_may_comes_by_its_certificate() {
    let suspended = RegisteredAgent {
        state: AgentState::Suspended,
        ..by_certificate()
    };
    for (agent, expected) in [
        (registered("clerk-bot", "domain", BOT), Fault::Absent),
        (
            RegisteredAgent {
                subject: format!("{BOT}2"),
                ..by_certificate()
            },
            Fault::AgentUnknown,
        ),
        (suspended, Fault::AgentSuspended),
    ] {
        let mut gate = of_domain(agent);
        let shown = gate.certificate.clone().unwrap();
        let user = gate.corpus.valid(UserSide);
        assert_eq!(fault(show(&mut gate, &shown, Some(&user))), (Side::Agent, expected));
    }
    let mut gate = Gate::new();
    gate.certificate = PeerCertificate::vouched(&svid());
    let (shown, user) = (gate.certificate.clone().unwrap(), gate.corpus.valid(UserSide));
    assert_eq!(
        fault(show(&mut gate, &shown, Some(&user))),
        (Side::Agent, Fault::Absent)
    );
}
