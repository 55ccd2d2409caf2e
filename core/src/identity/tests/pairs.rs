//! Who may stand on which side of a pair: an agent is no user, and only the actor that is named last acts.

use super::proofs::Holder;
use super::proofs::sha256;
use super::*;

/// The agent's own token under its registered name, as an issuer writes it that names no clients.
fn nameless(more: &Value) -> Value {
    let mut claims = json!({"sub": Corpus::AGENT, "client_id": ABSENT, "azp": ABSENT, "groups": ABSENT});
    claims
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    claims
}

#[test]
fn no_agent_is_a_user_whoever_lets_it_act() {
    let mut gate = Gate::new();
    let mut town = issuer("town", TOWN, &gate.corpus);
    town.allow_unlinked_with = vec!["town".to_owned()];
    let agents = ["clerk-bot", "other-bot"].map(|name| {
        let subject = if name == "clerk-bot" { Corpus::AGENT } else { name };
        registered(name, "town", subject)
    });
    gate.trust = Trust::new(2, vec![town], agents.to_vec()).unwrap();
    let agent = gate.corpus.token(AgentSide, nameless(&json!({})));
    let refused = (Side::User, Fault::SubjectIsAgent);
    assert_eq!(
        fault(gate.identify(&agent, Some(&agent[7..]))),
        refused,
        "one token twice"
    );
    for subject in [Corpus::AGENT, "other-bot"] {
        for link in [
            json!({}),
            json!({"may_act": {"sub": Corpus::AGENT}}),
            json!({"azp": "front-end"}),
        ] {
            let mut claims = nameless(&link);
            claims["sub"] = json!(subject);
            let user = gate.corpus.token(UserSide, claims);
            assert_eq!(fault(gate.identify(&agent, Some(&user))), refused, "{subject} {link}");
        }
    }
}

#[test]
fn an_agent_is_not_its_own_user_by_one_token_that_is_bound_to_its_key() {
    let (mut gate, holder) = (Gate::new(), Holder::new(1));
    let claims = nameless(&json!({"cnf": {"jkt": holder.jkt()}}));
    let agent = gate.corpus.token(AgentSide, claims);
    let proof = holder.sign(
        &json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": holder.jwk()}),
        &json!({
            "jti": "p-1", "htm": "POST", "htu": "https://gate.example/ledger/mcp", "iat": NOW_SECS,
            "ath": sha256(&agent[7..]), "nonce": gate.nonces.current(gate.now),
        }),
    );
    let value = [b"DPoP ", &agent[7..]].concat();
    let presented = Presented::with_proof(Some(&value), Some(&agent[7..]), Some(&proof)).unwrap();
    let refused = gate.judge(&presented).unwrap_err();
    assert_eq!((refused.who(), refused.fault()), (Side::User, Fault::SubjectIsAgent));
}

#[test]
fn an_agent_is_not_its_own_user_in_a_delegated_token() {
    let mut gate = Gate::new();
    let own = nameless(&json!({"act": {"sub": Corpus::AGENT}}));
    let token = gate.corpus.token(AgentSide, own);
    let outcome = gate.identify(&token, None);
    assert_eq!(fault(outcome), (Side::Agent, Fault::SubjectIsAgent));
}

#[test]
fn an_actor_that_came_before_does_not_act() {
    let mut gate = Gate::new();
    let delegated = |act: Value| json!({"sub": Corpus::USER, "client_id": ABSENT, "act": act});
    for act in [
        json!({"sub": "stranger", "act": {"sub": Corpus::AGENT}}),
        json!({"sub": "stranger", "act": {"sub": Corpus::AGENT, "iss": TOWN}}),
        json!({"sub": "stranger", "act": {"sub": "other", "act": {"sub": Corpus::AGENT}}}),
    ] {
        let token = gate.corpus.token(AgentSide, delegated(act.clone()));
        assert_eq!(
            fault(gate.identify(&token, None)),
            (Side::Agent, Fault::AgentUnknown),
            "{act}"
        );
    }
}

#[test]
fn one_delegated_token_does_not_stand_on_both_sides() {
    let mut gate = Gate::new();
    let claims = json!({"sub": Corpus::USER, "client_id": ABSENT, "act": {"sub": Corpus::AGENT}});
    let token = gate.corpus.token(AgentSide, claims);
    for _warm in 0..2 {
        assert!(gate.identify(&token, None).is_ok(), "alone it is good");
        assert_eq!(
            fault(gate.identify(&token, Some(&token[7..]))),
            (Side::Pair, Fault::AlreadyDelegated)
        );
    }
}
