//! Proofs of possession at the door of the running gate: a bound token is worth nothing without its key, and a proof is
//! worth one request, on whichever core it arrives.

use std::fs;
use std::io::Write as _;
use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::kit::{
    AUDIENCE, Gate, Holder, Issuer, PERMIT_CLERKS, Response, Upstream, modern_call, modern_headers, portreeve,
    read_one, sha256, until,
};

/// Connections at once: that all of them end up on one of two cores is out of the question.
const MANY: usize = 64;

/// An agent of the issuer that holds a key, with a user's assertion, at a gate.
struct Bound<'g> {
    gate: &'g Gate,
    holder: Holder,
    agent: String,
    user: String,
}

impl<'g> Bound<'g> {
    fn new(gate: &'g Gate, holder: Holder) -> Self {
        let issuer = Issuer::new();
        let bound = json!({"client_id": "clerk-bot", "cnf": {"jkt": holder.jkt()}});
        Self {
            gate,
            agent: issuer.sign(&issuer.claims("clerk-bot", &bound)),
            user: issuer.user("ada", "clerk-bot", &["clerks"]),
            holder,
        }
    }

    /// Header lines with this scheme and these proofs.
    fn headers(&self, scheme: &str, proofs: &[&str]) -> String {
        let proofs: String = proofs.iter().map(|proof| format!("dpop: {proof}\r\n")).collect();
        let headers = modern_headers(&self.agent, &self.user, "tools/call", "read");
        format!("{}{proofs}", headers.replacen("Bearer", scheme, 1))
    }

    fn request(&self, proof: &str) -> Vec<u8> {
        let body = modern_call(1, "read", &json!({}));
        let head = format!(
            "POST /town/mcp HTTP/1.1\r\nhost: {}\r\n{}content-length: {}\r\n\r\n",
            self.gate.address,
            self.headers("DPoP", &[proof]),
            body.len()
        );
        [head.as_bytes(), &body].concat()
    }

    fn call(&self, scheme: &str, proofs: &[&str]) -> Response {
        self.gate
            .post(&self.headers(scheme, proofs), &modern_call(1, "read", &json!({})))
    }

    fn prove(&self, proof: &str) -> Response {
        self.call("DPoP", &[proof])
    }

    /// The nonce that the gate asks for.
    fn nonce(&self) -> String {
        let asked = self.prove(&self.holder.proof(&self.agent, None));
        assert_eq!(asked.status, 401, "{asked:?}");
        asked.header("dpop-nonce").unwrap().to_owned()
    }

    fn claims(&self, nonce: &str) -> Value {
        Holder::claims(&self.agent, Some(nonce))
    }

    fn sign(&self, claims: &Value) -> String {
        self.holder.sign(&self.holder.header(), claims)
    }
}

fn challenge(response: &Response) -> &str {
    response.header("www-authenticate").unwrap()
}

#[test]
fn a_bound_token_passes_with_a_proof_and_a_nonce_and_the_server_sees_none_of_it() {
    let upstream = Upstream::obliging();
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    for holder in [Holder::ed25519(1), Holder::es256()] {
        let bound = Bound::new(&gate, holder);
        let asked = bound.prove(&bound.holder.proof(&bound.agent, None));
        assert_eq!(asked.status, 401, "{asked:?}");
        let challenge = challenge(&asked);
        assert!(
            challenge.starts_with("DPoP algs=\"EdDSA Ed25519 ES256 ES384 PS256 RS256\""),
            "{challenge}"
        );
        assert!(challenge.ends_with("error=\"use_dpop_nonce\""), "{challenge}");
        assert_eq!(asked.header("cache-control"), Some("no-store"));
        let nonce = asked.header("dpop-nonce").unwrap();

        let passed = bound.prove(&bound.holder.proof(&bound.agent, Some(nonce)));
        assert_eq!(passed.status, 200, "{passed:?}");
        // The period may have changed in between, and only then is there another.
        assert!(passed.header("dpop-nonce").is_none_or(|renewed| renewed != nonce));
    }
    assert!(gate.stop().success());
    assert_eq!(upstream.count(), 2);
    let seen = String::from_utf8(upstream.seen().concat())
        .unwrap()
        .to_ascii_lowercase();
    assert!(!seen.contains("dpop"), "{seen}");
    let intents: Vec<Value> = gate
        .audit()
        .into_iter()
        .filter(|record| record["kind"] == "intent")
        .collect();
    assert_eq!(intents.len(), 2);
    for intent in intents {
        assert_eq!(
            (&intent["binding"], &intent["link"]),
            (&json!("dpop"), &json!("client"))
        );
    }
}

/// One proof for each thing that can be wrong with it.
fn wrong(bound: &Bound<'_>, nonce: &str) -> Vec<(&'static str, String)> {
    let thief = Holder::es256();
    let iat = bound.claims(nonce)["iat"].as_u64().unwrap();
    let claims = |name: &str, value: Value| {
        let mut claims = bound.claims(nonce);
        claims[name] = value;
        bound.sign(&claims)
    };
    let header = |change: &dyn Fn(&mut Value)| {
        let mut header = bound.holder.header();
        change(&mut header);
        bound.holder.sign(&header, &bound.claims(nonce))
    };
    vec![
        ("htm", claims("htm", json!("GET"))),
        (
            "htu of another server",
            claims("htu", json!(format!("{AUDIENCE}/mail/mcp"))),
        ),
        (
            "htu by the address that was asked",
            claims("htu", json!(format!("http://{}/town/mcp", bound.gate.address))),
        ),
        ("ath", claims("ath", json!(sha256(&bound.user)))),
        ("iat long ago", claims("iat", json!(iat - 90))),
        ("iat far ahead", claims("iat", json!(iat + 90))),
        ("no jti", claims("jti", json!(null))),
        (
            "oth of another assertion",
            claims("oth", json!({"x-ai-user-assertion": sha256("other")})),
        ),
        (
            "oth of an unknown header",
            claims("oth", json!({"txn-token": sha256(&bound.user)})),
        ),
        (
            "another key, signed with it",
            thief.sign(&thief.header(), &bound.claims(nonce)),
        ),
        ("another key", thief.sign(&bound.holder.header(), &bound.claims(nonce))),
        ("a private key", header(&|header| header["jwk"]["d"] = json!("AA"))),
        ("alg none", header(&|header| header["alg"] = json!("none"))),
        ("alg HS256", header(&|header| header["alg"] = json!("HS256"))),
        ("typ", header(&|header| header["typ"] = json!("at+jwt"))),
        ("kid", header(&|header| header["kid"] = json!("k1"))),
        ("the token itself", bound.agent.clone()),
        ("no JWS", "e30.e30".to_owned()),
    ]
}

#[test]
fn whatever_is_wrong_with_a_proof_it_is_refused_alike_and_nothing_is_sent() {
    let upstream = Upstream::obliging();
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let bound = Bound::new(&gate, Holder::es256());
    let nonce = bound.nonce();
    let (good, wrong) = (bound.claims(&nonce), wrong(&bound, &nonce));
    let reference = gate.post("authorization: Bearer e30.e30.e30\r\n", b"{}");
    let before = upstream.count();
    for (name, proof) in &wrong {
        let refused = bound.prove(proof);
        assert_eq!((refused.status, &refused.body), (401, &reference.body), "{name}");
        let challenge = challenge(&refused);
        assert!(challenge.starts_with("DPoP "), "{name}: {challenge}");
        assert!(
            challenge.ends_with("error=\"invalid_dpop_proof\""),
            "{name}: {challenge}"
        );
        assert_eq!(refused.header("dpop-nonce"), None, "{name}");
    }
    let stale = bound.sign(&bound.claims("AAAAAAAAAAAAAAAAAAAAAA"));
    let refused = bound.prove(&stale);
    assert!(challenge(&refused).ends_with("error=\"use_dpop_nonce\"") && refused.header("dpop-nonce").is_some());
    assert_eq!(refused.body, reference.body);

    let fresh = || bound.sign(&bound.claims(&nonce));
    assert_eq!(bound.call("DPoP", &[&fresh(), &fresh()]).status, 400, "two headers");
    assert_eq!(
        bound.prove(&format!("{}, {}", fresh(), fresh())).status,
        401,
        "two values"
    );
    assert_eq!(upstream.count(), before);
    assert_eq!(
        bound.prove(&bound.sign(&good)).status,
        200,
        "none of them used the good one up"
    );
    assert!(gate.stop().success());
    let reasons: Vec<Value> = gate
        .audit()
        .into_iter()
        .map(|record| record["reason"].clone())
        .collect();
    let of = |wanted: &str| reasons.iter().filter(|reason| *reason == wanted).count();
    assert_eq!(
        of("pop"),
        wrong.len() + 2,
        "with the question for a nonce and the stale one: {reasons:?}"
    );
    assert_eq!(of("hdr_dup"), 1);
}

#[test]
fn a_bound_token_is_no_bearer_token_and_an_unbound_one_needs_no_proof() {
    let upstream = Upstream::obliging();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let mut bound = Bound::new(&gate, Holder::ed25519(1));
    let proof = || bound.holder.proof(&bound.agent, Some(&bound.nonce()));
    let stolen = bound.call("Bearer", &[]);
    assert_eq!(stolen.status, 401);
    assert!(
        challenge(&stolen).starts_with("Bearer resource_metadata="),
        "{stolen:?}"
    );
    assert!(
        stolen.head.contains("\r\nwww-authenticate: DPoP algs="),
        "{}",
        stolen.head
    );
    assert_eq!(
        bound.call("Bearer", &[&proof()]).status,
        401,
        "a proof without its scheme"
    );
    assert_eq!(bound.call("DPoP", &[]).status, 401, "the scheme without a proof");
    assert_eq!(
        bound.call("dpop", &[&proof()]).status,
        200,
        "schemes have no letter case"
    );
    assert_eq!(
        bound.call("Bearer", &[]).status,
        401,
        "also when the pair is remembered"
    );

    bound.agent = Issuer::new().agent("clerk-bot");
    let unbound = bound.holder.proof(&bound.agent, None);
    let refused = bound.prove(&unbound);
    assert_eq!(refused.status, 401);
    assert!(challenge(&refused).ends_with("error=\"invalid_token\""), "{refused:?}");
    assert_eq!(bound.call("Bearer", &[]).status, 200);
    assert_eq!(upstream.count(), 2);
}

#[test]
fn a_proof_is_used_once_on_its_connection_and_on_every_other() {
    let upstream = Upstream::obliging();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let bound = Bound::new(&gate, Holder::ed25519(1));
    let nonce = bound.nonce();
    let request = bound.request(&bound.holder.proof(&bound.agent, Some(&nonce)));
    let mut wire = gate.connect();
    for expected in [200, 401, 401] {
        wire.write_all(&request).unwrap();
        assert_eq!(read_one(&mut wire).status, expected);
    }
    for _ in 0..MANY {
        let replayed = gate.raw(&request);
        assert_eq!(replayed.status, 401);
        assert!(
            challenge(&replayed).ends_with("error=\"invalid_dpop_proof\""),
            "{replayed:?}"
        );
    }
    assert_eq!(upstream.count(), 1);
    assert_eq!(bound.prove(&bound.holder.proof(&bound.agent, Some(&nonce))).status, 200);
}

#[test]
fn of_many_identical_proofs_at_once_exactly_one_passes() {
    let upstream = Upstream::obliging();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    // Keys with an owner on either core.
    for seed in 1..=4 {
        let bound = Bound::new(&gate, Holder::ed25519(seed));
        let request = bound.request(&bound.holder.proof(&bound.agent, Some(&bound.nonce())));
        let together = Barrier::new(MANY);
        let passed: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..MANY)
                .map(|_| {
                    let mut wire = gate.connect();
                    let (request, together) = (&request, &together);
                    scope.spawn(move || {
                        together.wait();
                        wire.write_all(request).unwrap();
                        usize::from(read_one(&mut wire).status == 200)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 1, "key {seed}");
    }
    assert_eq!(upstream.count(), 4);
}

#[test]
fn every_method_needs_its_own_proof() {
    let upstream = Upstream::obliging();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let bound = Bound::new(&gate, Holder::ed25519(1));
    let nonce = bound.nonce();
    for (method, htm, expected) in [("GET", "GET", 405), ("GET", "POST", 401), ("DELETE", "DELETE", 405)] {
        let mut claims = bound.claims(&nonce);
        claims["htm"] = json!(htm);
        let head = format!(
            "{method} /town/mcp?query=is+no+part HTTP/1.1\r\nhost: {}\r\n{}\r\n",
            gate.address,
            bound.headers("DPoP", &[&bound.sign(&claims)])
        );
        assert_eq!(gate.raw(head.as_bytes()).status, expected, "{method} with {htm}");
    }
}

#[test]
fn a_nonce_survives_a_reload_and_no_restart() {
    let upstream = Upstream::obliging();
    let mut gate = Gate::start(&upstream, PERMIT_CLERKS);
    let nonce = Bound::new(&gate, Holder::ed25519(1)).nonce();
    // The new configuration is in force once the nonce that is not required any more is not asked for.
    let file = gate.folder.path().join("portreeve.toml");
    let configured = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{configured}\n[proofs]\nrequire_nonce = false\n")).unwrap();
    let bound = Bound::new(&gate, Holder::ed25519(1));
    until("the configuration was not taken up", || {
        bound.prove(&bound.holder.proof(&bound.agent, None)).status == 200
    });
    assert_eq!(bound.prove(&bound.holder.proof(&bound.agent, Some(&nonce))).status, 200);
    assert_eq!(
        bound
            .prove(&bound.holder.proof(&bound.agent, Some("of somebody else")))
            .status,
        401,
        "not required is not ignored"
    );
    gate.restart();
    let bound = Bound::new(&gate, Holder::ed25519(1));
    let refused = bound.prove(&bound.holder.proof(&bound.agent, Some(&nonce)));
    assert!(challenge(&refused).ends_with("error=\"use_dpop_nonce\""), "{refused:?}");
}

#[test]
fn a_proof_links_the_assertion_that_it_names() {
    let upstream = Upstream::obliging();
    let policies = format!(
        "{PERMIT_CLERKS}\n@id(\"signed\") forbid(principal, action, resource)\n\
         unless {{ context.auth.link == \"proof\" && context.auth.binding == \"dpop\" }};"
    );
    let issuer = Issuer::new();
    let strict = "[agents.strict]\nissuer = \"idp\"\nsubject = \"strict\"\nrequire_binding = \"request\"\n";
    let mut gate = Gate::start_with(&upstream, &policies, &issuer.jwks(), strict);
    let mut bound = Bound::new(&gate, Holder::ed25519(1));
    let cnf = json!({"client_id": "strict", "cnf": {"jkt": bound.holder.jkt()}});
    bound.agent = issuer.sign(&issuer.claims("strict", &cnf));
    let unlinked = json!({"groups": ["clerks"]});
    bound.user = issuer.sign(&issuer.claims("ada", &unlinked));
    let nonce = bound.nonce();
    let naming = |user: &str| {
        let mut claims = bound.claims(&nonce);
        claims["oth"] = json!({"x-ai-user-assertion": sha256(user)});
        bound.sign(&claims)
    };
    assert_eq!(
        bound.prove(&bound.sign(&bound.claims(&nonce))).status,
        401,
        "nothing links it"
    );
    let passed = bound.prove(&naming(&bound.user));
    assert!(
        passed.status == 200 && passed.json()["result"].is_object(),
        "{passed:?}"
    );
    let another = json!({"groups": ["clerks"], "may_act": {"sub": "other-bot"}});
    let contradicted = issuer.sign(&issuer.claims("ada", &another));
    let proof = naming(&contradicted);
    bound.user = contradicted;
    assert_eq!(bound.prove(&proof).status, 401, "its user named another agent");
    assert!(gate.stop().success());
    let intent = gate
        .audit()
        .into_iter()
        .find(|record| record["kind"] == "intent")
        .unwrap();
    assert_eq!((&intent["link"], &intent["binding"]), (&json!("proof"), &json!("dpop")));
}

#[test]
fn an_agent_must_be_bound_as_firmly_as_its_registration_says() {
    for (required, bearer, token, request) in [
        ("none", 200, 200, 200),
        ("token", 401, 200, 200),
        ("request", 401, 401, 200),
    ] {
        let upstream = Upstream::obliging();
        let gate = Gate::start_with(
            &upstream,
            PERMIT_CLERKS,
            &Issuer::new().jwks(),
            &format!("[agents.strict]\nissuer = \"idp\"\nsubject = \"strict\"\nrequire_binding = \"{required}\"\n"),
        );
        let issuer = Issuer::new();
        let holder = Holder::ed25519(1);
        let (plain, tied) = (
            json!({"azp": "strict", "groups": ["clerks"]}),
            json!({"groups": ["clerks"], "cnf": {"jkt": holder.jkt()}}),
        );
        let cnf = json!({"client_id": "strict", "cnf": {"jkt": holder.jkt()}});
        let mut bound = Bound::new(&gate, holder);
        bound.user = issuer.sign(&issuer.claims("ada", &plain));
        let own = issuer.sign(&issuer.claims("strict", &cnf));
        bound.agent = issuer.agent("strict");
        assert_eq!(bound.call("Bearer", &[]).status, bearer, "{required}");
        bound.agent = own;
        let nonce = bound.nonce();
        let fresh = || bound.holder.proof(&bound.agent, Some(&nonce));
        assert_eq!(bound.prove(&fresh()).status, token, "{required}");
        let mut naming = bound.claims(&nonce);
        naming["oth"] = json!({"x-ai-user-assertion": sha256(&bound.user)});
        assert_eq!(bound.prove(&bound.sign(&naming)).status, request, "{required}");
        let proof = fresh();
        bound.user = issuer.sign(&issuer.claims("ada", &tied));
        assert_eq!(bound.prove(&proof).status, request, "{required}, by the same key");
    }
}

#[test]
fn a_proof_in_the_message_is_refused_and_the_metadata_names_the_algorithms() {
    let upstream = Upstream::obliging();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let bound = Bound::new(&gate, Holder::es256());
    let proof = bound.holder.proof(&bound.agent, Some(&bound.nonce()));
    let smuggled = modern_call(1, "read", &json!({"note": proof}));
    assert_eq!(gate.post(&bound.headers("DPoP", &[&proof]), &smuggled).status, 400);
    assert_eq!(upstream.count(), 0);
    let asked = format!(
        "GET /.well-known/oauth-protected-resource/town/mcp HTTP/1.1\r\nhost: {}\r\n\r\n",
        gate.address
    );
    let metadata = gate.raw(asked.as_bytes()).json();
    let algorithms = json!(["EdDSA", "Ed25519", "ES256", "ES384", "PS256", "RS256"]);
    assert_eq!(metadata["dpop_signing_alg_values_supported"], algorithms);
}

#[test]
fn a_key_that_is_shut_off_proves_nothing_any_more_and_other_keys_still_do() {
    let upstream = Upstream::obliging();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let (lost, kept) = (
        Bound::new(&gate, Holder::ed25519(1)),
        Bound::new(&gate, Holder::es256()),
    );
    let nonce = lost.nonce();
    let call = |bound: &Bound<'_>| bound.prove(&bound.holder.proof(&bound.agent, Some(&nonce))).status;
    assert_eq!((call(&lost), call(&kept)), (200, 200));
    let revoked = portreeve(gate.folder.path(), &["revoke", "key", &lost.holder.jkt()]);
    assert!(revoked.status.success(), "{revoked:?}");
    assert_eq!((call(&lost), call(&kept)), (401, 200), "on the very next request");
}
