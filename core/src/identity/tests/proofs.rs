//! Proofs of possession: a good one passes, and one that differs from it in anything does not.

use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair;

use super::*;
use crate::jose::base64url;
use crate::jose::jwk::PublicKey;
use crate::jose::proof::ProofHeaderError;
use crate::limits::PROOF_BYTES_MAX;

/// Who has a key, and shows it.
pub(super) struct Holder(Ed25519KeyPair);

impl Holder {
    pub(super) fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub(super) fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode(self.0.public_key().as_ref())})
    }

    pub(super) fn jkt(&self) -> String {
        let key: [u8; 32] = self.0.public_key().as_ref().try_into().unwrap();
        base64url::encode(&PublicKey::ed25519(key).thumbprint())
    }

    pub(super) fn sign(&self, header: &Value, claims: &Value) -> Vec<u8> {
        let encode = |part: &Value| base64url::encode(part.to_string().as_bytes());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = base64url::encode(self.0.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}").into_bytes()
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    base64url::encode(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// A gate with an agent token that is bound to a key, and an assertion.
struct Scene {
    gate: Gate,
    holder: Holder,
    agent: Vec<u8>,
    user: Option<Vec<u8>>,
}

impl Scene {
    fn new() -> Self {
        Self::with(json!({}))
    }

    /// With an assertion changed by `claims`.
    fn with(claims: Value) -> Self {
        let (gate, holder) = (Gate::new(), Holder::new(1));
        let agent = gate.corpus.token(AgentSide, json!({"cnf": {"jkt": holder.jkt()}}));
        let user = gate.corpus.token(UserSide, claims);
        Self {
            agent: agent.strip_prefix(b"Bearer ").unwrap().to_vec(),
            user: Some(user),
            gate,
            holder,
        }
    }

    fn require(&mut self, require_binding: RequireBinding) {
        let agent = RegisteredAgent {
            require_binding,
            ..registered("clerk-bot", "town", Corpus::AGENT)
        };
        self.gate.trusting(2, agent);
    }

    fn header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": self.holder.jwk()})
    }

    fn claims(&self) -> Value {
        json!({
            "jti": "p-1", "htm": "POST", "htu": "https://gate.example/ledger/mcp", "iat": NOW_SECS,
            "ath": sha256(&self.agent), "nonce": self.gate.nonces.current(self.gate.now),
        })
    }

    fn covering(&self) -> Value {
        let user = self.user.as_deref().unwrap_or_default();
        changed(self.claims(), "oth", json!({"x-ai-user-assertion": sha256(user)}))
    }

    fn present(&mut self, scheme: &str, proof: Option<&[u8]>) -> Result<Identified, IdentityError> {
        let authorization = [scheme.as_bytes(), b" ", &self.agent].concat();
        let presented = Presented::with_proof(Some(&authorization), self.user.as_deref(), proof)?;
        self.gate.judge(&presented)
    }

    /// Presents a proof of these claims.
    fn prove(&mut self, claims: &Value) -> Result<Identified, IdentityError> {
        let proof = self.holder.sign(&self.header(), claims);
        self.present("DPoP", Some(&proof))
    }

    fn fault(&mut self, claims: &Value) -> ProofFault {
        proof_fault(self.prove(claims))
    }
}

fn changed(mut claims: Value, name: &str, value: Value) -> Value {
    if value == json!(ABSENT) {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

fn refusal(outcome: Result<Identified, IdentityError>) -> (Side, Fault) {
    let error = outcome.unwrap_err();
    assert_eq!(error.reason(), "pop");
    (error.who(), error.fault())
}

fn proof_fault(outcome: Result<Identified, IdentityError>) -> ProofFault {
    match refusal(outcome) {
        (Side::Agent, Fault::Proof(fault)) => fault,
        other => panic!("{other:?} is no fault of the proof"),
    }
}

#[test]
fn a_good_proof_shows_that_the_token_is_the_callers_own() {
    let mut scene = Scene::new();
    let claims = scene.claims();
    let identified = scene.prove(&claims).unwrap();
    let principal = &identified.principal;
    assert_eq!(principal.agent().name(), "clerk-bot");
    assert_eq!((principal.binding_name(), principal.link()), ("dpop", Link::Client));
    assert!(!principal.is_covered());
    assert!(!identified.proof.unwrap().renews);
    let again = scene.prove(&claims).unwrap();
    assert!(Rc::ptr_eq(principal, &again.principal), "the tokens are remembered");
    assert_eq!(
        again.proof.unwrap().id,
        identified.proof.unwrap().id,
        "and the owner of its key knows it again"
    );
}

#[test]
fn a_token_is_presented_as_it_is_bound() {
    let mut scene = Scene::new();
    let proof = scene.holder.sign(&scene.header(), &scene.claims());
    for _warm in 0..2 {
        assert_eq!(refusal(scene.present("Bearer", None)), (Side::Agent, Fault::BoundToken));
        assert_eq!(proof_fault(scene.present("Bearer", Some(&proof))), ProofFault::Unasked);
        assert_eq!(proof_fault(scene.present("DPoP", None)), ProofFault::Absent);
        for scheme in ["DPoP", "dpop", "DPOP"] {
            assert!(scene.present(scheme, Some(&proof)).is_ok(), "{scheme}");
        }
    }
    let twice = [proof.as_slice(), b", ", &proof].concat();
    assert_eq!(scene.present("DPoP", Some(&twice)).unwrap_err().reason(), "hdr_dup");

    let unbound = scene.gate.corpus.valid(AgentSide);
    scene.agent = unbound[7..].to_vec();
    let claims = scene.claims();
    assert_eq!(refusal(scene.prove(&claims)), (Side::Agent, Fault::UnboundToken));
    assert!(scene.present("Bearer", None).is_ok());
    assert_eq!(
        refusal(scene.prove(&claims)),
        (Side::Agent, Fault::UnboundToken),
        "also when it is remembered"
    );
}

#[test]
fn a_token_that_is_bound_to_a_certificate_is_refused_either_way() {
    let mut scene = Scene::new();
    let cnf = json!({"cnf": {"x5t#S256": scene.holder.jkt()}});
    scene.agent = scene.gate.corpus.token(AgentSide, cnf)[7..].to_vec();
    let claims = scene.claims();
    assert_eq!(refusal(scene.prove(&claims)), (Side::Agent, Fault::BoundToken));
    assert_eq!(refusal(scene.present("Bearer", None)), (Side::Agent, Fault::BoundToken));
}

#[test]
fn each_claim_must_be_there_and_of_its_type() {
    let mut scene = Scene::new();
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        for value in [json!(ABSENT), json!(null), json!([]), json!({})] {
            let claims = changed(scene.claims(), name, value.clone());
            assert_eq!(scene.fault(&claims), ProofFault::Claims, "{name}: {value}");
        }
    }
    for (name, value) in [
        ("jti", json!("")),
        ("jti", json!("x".repeat(256))),
        ("iat", json!(NOW_SECS as f64 + 0.5)),
        ("iat", json!(NOW_SECS.to_string())),
        ("iat", json!(-1)),
        ("ath", json!("AA")),
        ("nonce", json!(1)),
        ("nonce", json!("")),
        ("exp", json!("soon")),
        ("oth", json!([])),
        ("oth", json!("x-ai-user-assertion")),
    ] {
        let claims = changed(scene.claims(), name, value.clone());
        assert_eq!(scene.fault(&claims), ProofFault::Claims, "{name}: {value}");
    }
    for claims in [json!([]), json!("p"), json!(1)] {
        assert_eq!(scene.fault(&claims), ProofFault::Encoding);
    }
}

#[test]
fn a_proof_for_something_else_is_refused() {
    let mut scene = Scene::new();
    for (name, value, expected) in [
        ("htm", json!("GET"), ProofFault::Method),
        ("htm", json!("post"), ProofFault::Method),
        ("htu", json!("https://gate.example/mail/mcp"), ProofFault::Target),
        ("htu", json!("https://127.0.0.1/ledger/mcp"), ProofFault::Target),
        ("htu", json!("https://gate.example/ledger/mcp?a"), ProofFault::Target),
        ("iat", json!(NOW_SECS - 61), ProofFault::Time),
        ("iat", json!(NOW_SECS + 61), ProofFault::Time),
        ("iat", json!(0), ProofFault::Time),
        ("iat", json!(u64::MAX), ProofFault::Time),
        ("exp", json!(NOW_SECS), ProofFault::Time),
        ("ath", json!(sha256(b"another token")), ProofFault::Token),
    ] {
        let claims = changed(scene.claims(), name, value.clone());
        assert_eq!(scene.fault(&claims), expected, "{name}: {value}");
    }
    for (name, value) in [
        ("iat", json!(NOW_SECS - 60)),
        ("iat", json!(NOW_SECS + 60)),
        ("exp", json!(NOW_SECS + 1)),
        ("htu", json!("HTTPS://Gate.Example:443/ledger/mcp")),
        ("unknown", json!({"claims": "are left alone"})),
    ] {
        let claims = changed(scene.claims(), name, value.clone());
        assert!(scene.prove(&claims).is_ok(), "{name}: {value}");
    }
}

#[test]
fn a_proof_by_another_key_or_by_nobody_is_refused() {
    let mut scene = Scene::new();
    let (header, claims, thief) = (scene.header(), scene.claims(), Holder::new(2));
    let own_key = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": thief.jwk()});
    let with = |scene: &mut Scene, proof: Vec<u8>| proof_fault(scene.present("DPoP", Some(&proof)));
    assert_eq!(with(&mut scene, thief.sign(&own_key, &claims)), ProofFault::OtherKey);
    assert_eq!(with(&mut scene, thief.sign(&header, &claims)), ProofFault::Signature);
    for alg in ["none", "HS256"] {
        let forged = scene.holder.sign(&changed(header.clone(), "alg", json!(alg)), &claims);
        assert_eq!(
            with(&mut scene, forged),
            ProofFault::Header(ProofHeaderError::Algorithm),
            "{alg}"
        );
    }
    let mut private = header;
    private["jwk"]["d"] = json!("AA");
    let shown = scene.holder.sign(&private, &claims);
    assert!(matches!(
        with(&mut scene, shown),
        ProofFault::Header(ProofHeaderError::Key(_))
    ));
    let long = changed(scene.claims(), "padding", json!("x".repeat(PROOF_BYTES_MAX)));
    assert!(matches!(scene.fault(&long), ProofFault::Form(_)));
}

#[test]
fn a_proof_that_passed_is_good_at_no_later_second() {
    let mut scene = Scene::new();
    scene.gate.require_nonce = false;
    let claims = changed(scene.claims(), "nonce", json!(ABSENT));
    for issued in [-60, -59, -1, 0, 1, 59, 60].map(|offset: i64| NOW_SECS.saturating_add_signed(offset)) {
        let claims = changed(claims.clone(), "iat", json!(issued));
        let proof = scene.holder.sign(&scene.header(), &claims);
        let mut window = ReplayWindow::new();
        for now in (NOW_SECS..NOW_SECS + 130).map(UnixTime::from_secs) {
            scene.gate.now = now;
            let judged = scene.present("DPoP", Some(&proof));
            let passes = judged.is_ok_and(|judged| window.spend(&judged.proof.unwrap().id, now) == Spent::Now);
            assert_eq!(passes, now.secs() == NOW_SECS, "from {issued} at {}", now.secs());
        }
    }
}

#[test]
fn a_nonce_is_asked_for_only_of_who_has_the_key_and_renewed_when_it_ages() {
    let mut scene = Scene::new();
    let without = changed(scene.claims(), "nonce", json!(ABSENT));
    assert_eq!(scene.fault(&without), ProofFault::Nonce);
    let strange = changed(scene.claims(), "nonce", json!("AAAAAAAAAAAAAAAAAAAAAA"));
    assert_eq!(scene.fault(&strange), ProofFault::Nonce);
    let forged = Holder::new(2).sign(&scene.header(), &without);
    assert_eq!(proof_fault(scene.present("DPoP", Some(&forged))), ProofFault::Signature);

    let given_out = scene.claims();
    for (later, expected) in [
        (119, Ok(false)),
        (120, Ok(true)),
        (239, Ok(true)),
        (240, Err(ProofFault::Nonce)),
    ] {
        scene.gate.now = UnixTime::from_secs(NOW_SECS + later);
        let claims = changed(given_out.clone(), "iat", json!(NOW_SECS + later));
        let proved = scene.prove(&claims);
        match expected {
            Ok(renews) => assert_eq!(proved.unwrap().proof.unwrap().renews, renews, "{later}"),
            Err(fault) => assert_eq!(proof_fault(proved), fault, "{later}"),
        }
    }
}

#[test]
fn where_no_nonce_is_required_one_that_is_there_must_still_count() {
    let mut scene = Scene::new();
    scene.gate.require_nonce = false;
    let claims = scene.claims();
    assert!(scene.prove(&changed(claims.clone(), "nonce", json!(ABSENT))).is_ok());
    assert!(scene.prove(&claims).is_ok());
    assert_eq!(scene.fault(&changed(claims, "nonce", json!("old"))), ProofFault::Nonce);
}

#[test]
fn a_proof_that_names_the_assertion_links_it_and_no_other() {
    let mut scene = Scene::with(json!({"azp": ABSENT}));
    let claims = scene.claims();
    let unlinked = scene.prove(&claims).unwrap_err();
    assert_eq!(unlinked.fault(), Fault::Unlinked);
    let covering = scene.covering();
    assert_eq!(
        scene.prove(&covering).unwrap_err().fault(),
        Fault::Unlinked,
        "nobody has made this agent's word count"
    );
    scene.require(RequireBinding::Request);
    let principal = scene.prove(&covering).unwrap().principal;
    assert_eq!((principal.link(), principal.is_covered()), (Link::Proof, true));
    // What one proof said is not remembered for the next.
    assert_eq!(scene.prove(&claims).unwrap_err().fault(), Fault::Unlinked);

    let assertion = covering["oth"]["x-ai-user-assertion"].clone();
    for others in [
        json!({"x-ai-user-assertion": sha256(b"another")}),
        json!({"x-ai-user-assertion": null}),
        json!({"X-AI-User-Assertion": assertion}),
        json!({"x-ai-user-assertion": assertion, "txn-token": assertion}),
        json!({"authorization": assertion}),
    ] {
        let claims = changed(scene.claims(), "oth", others.clone());
        assert_eq!(scene.fault(&claims), ProofFault::Others, "{others}");
    }
    scene.user = None;
    assert_eq!(
        scene.fault(&covering),
        ProofFault::Others,
        "an assertion that is not there"
    );
}

#[test]
fn an_assertion_bound_to_the_same_key_is_linked_and_to_anything_else_refused() {
    let key = Holder::new(1).jkt();
    let mut scene = Scene::with(json!({"azp": ABSENT, "cnf": {"jkt": key}}));
    let claims = scene.claims();
    let principal = scene.prove(&claims).unwrap().principal;
    assert_eq!((principal.link(), principal.is_covered()), (Link::Key, true));
    for cnf in [json!({"jkt": Holder::new(2).jkt()}), json!({"x5t#S256": key})] {
        let mut scene = Scene::with(json!({"cnf": cnf}));
        let claims = scene.covering();
        assert_eq!(
            refusal(scene.prove(&claims)),
            (Side::User, Fault::AssertionBound),
            "{cnf}"
        );
    }
    let mut gate = Gate::new();
    let bearer = gate.identify_with(json!({"cnf": {"jkt": key}})).unwrap_err();
    assert_eq!((bearer.who(), bearer.fault()), (Side::User, Fault::AssertionBound));
}

#[test]
fn an_assertion_that_names_another_agent_stays_refused_whatever_the_proof_says() {
    let mut scene = Scene::with(json!({"may_act": {"sub": "other"}, "cnf": {"jkt": Holder::new(1).jkt()}}));
    let claims = scene.covering();
    assert_eq!(scene.prove(&claims).unwrap_err().fault(), Fault::MayActOther);
}

#[test]
fn the_user_issuers_word_is_the_link_that_counts_first() {
    let mut scene = Scene::with(json!({"azp": ABSENT, "may_act": {"sub": Corpus::AGENT}}));
    let claims = scene.covering();
    let principal = scene.prove(&claims).unwrap().principal;
    assert_eq!((principal.link(), principal.is_covered()), (Link::MayAct, true));
}

#[test]
fn an_agent_may_be_required_to_bind_its_token_or_the_whole_request() {
    let mut scene = Scene::new();
    let (plain, covering) = (scene.claims(), scene.covering());
    let unbound = scene.gate.corpus.valid(AgentSide);
    let loose = (Side::Pair, Fault::BindingRequired);
    for (required, bearer, bound) in [
        (RequireBinding::None, true, true),
        (RequireBinding::Token, false, true),
        (RequireBinding::Request, false, false),
    ] {
        scene.require(required);
        scene.gate.trust.generation = 10 + required as u64;
        let user = scene.user.clone();
        let outcome = scene.gate.identify(&unbound, user.as_deref());
        assert_eq!(
            outcome.map_err(|error| (error.who(), error.fault())).err(),
            (!bearer).then_some(loose)
        );
        assert_eq!(
            scene.prove(&plain).map_err(|error| (error.who(), error.fault())).err(),
            (!bound).then_some(loose)
        );
        let principal = scene.prove(&covering).unwrap().principal;
        assert!(scene.gate.trust.still_holds(&principal, scene.gate.now));
    }
}

#[test]
fn an_open_stream_ends_when_a_stronger_binding_is_required() {
    let mut scene = Scene::new();
    let claims = scene.claims();
    let principal = scene.prove(&claims).unwrap().principal;
    scene.require(RequireBinding::Token);
    assert!(scene.gate.trust.still_holds(&principal, scene.gate.now));
    scene.require(RequireBinding::Request);
    assert!(!scene.gate.trust.still_holds(&principal, scene.gate.now));
}

#[test]
fn a_delegated_token_that_is_bound_covers_itself() {
    let mut scene = Scene::new();
    scene.require(RequireBinding::Request);
    let delegated =
        |cnf: Value| json!({"sub": Corpus::USER, "client_id": ABSENT, "act": {"sub": Corpus::AGENT}, "cnf": cnf});
    let token = scene
        .gate
        .corpus
        .token(AgentSide, delegated(json!({"jkt": scene.holder.jkt()})));
    (scene.agent, scene.user) = (token[7..].to_vec(), None);
    let claims = scene.claims();
    assert_eq!(scene.prove(&claims).unwrap().principal.link(), Link::Delegated);
    let loose = scene.gate.corpus.token(AgentSide, delegated(json!(ABSENT)));
    assert_eq!(
        fault(scene.gate.identify(&loose, None)),
        (Side::Pair, Fault::BindingRequired)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_proof_with_any_byte_changed_is_refused(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut scene = Scene::new();
        let mut proof = scene.holder.sign(&scene.header(), &scene.covering());
        let place = place.index(proof.len());
        prop_assume!(proof[place] != byte);
        proof[place] = byte;
        prop_assert!(scene.present("DPoP", Some(&proof)).is_err());
    }

    #[test]
    fn a_signed_proof_passes_only_if_no_claim_was_changed(
        name in prop::sample::select(vec!["jti", "htm", "htu", "iat", "ath", "nonce", "oth"]),
        value in prop_oneof![
            any::<u64>().prop_map(|number| json!(number)),
            any::<String>().prop_map(|text| json!(text)),
            any::<Vec<bool>>().prop_map(|list| json!(list)),
            "[a-z-]{1,20}".prop_map(|member| json!({member: "AA"})),
            Just(json!(null)),
        ],
    ) {
        let mut scene = Scene::new();
        let good = scene.covering();
        prop_assume!(good[name] != value);
        let claims = changed(good, name, value.clone());
        // Any other identifier is as good as this one.
        let is_identifier = name == "jti" && value.as_str().is_some_and(|text| (1..256).contains(&text.len()));
        let is_near = name == "iat" && value.as_u64().is_some_and(|secs| secs.abs_diff(NOW_SECS) <= 60);
        prop_assert_eq!(scene.prove(&claims).is_ok(), is_identifier || is_near);
    }

    #[test]
    fn no_bytes_without_a_signature_are_a_proof(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        text in "[A-Za-z0-9_.-]{0,300}",
    ) {
        let mut scene = Scene::new();
        prop_assert!(scene.present("DPoP", Some(&bytes)).is_err());
        prop_assert!(scene.present("DPoP", Some(text.as_bytes())).is_err());
    }
}
