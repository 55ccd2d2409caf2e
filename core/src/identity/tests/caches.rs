//! What is remembered of a token, and what ends that memory.

use super::*;

#[test]
fn suspension_reaches_what_was_cached() {
    let mut gate = Gate::new();
    let (agent, user) = (gate.corpus.valid(AgentSide), gate.corpus.valid(UserSide));
    let principal = gate.identify(&agent, Some(&user)).unwrap();
    assert!(gate.trust.still_holds(&principal, gate.now));

    let active = registered("clerk-bot", "town", Corpus::AGENT);
    for (generation, state, expected) in [
        (3, AgentState::Suspended, Fault::AgentSuspended),
        (4, AgentState::Revoked, Fault::AgentRevoked),
    ] {
        gate.trusting(
            generation,
            RegisteredAgent {
                state,
                ..active.clone()
            },
        );
        assert!(!gate.trust.still_holds(&principal, gate.now));
        assert_eq!(fault(gate.identify(&agent, Some(&user))), (Side::Agent, expected));
    }
    gate.trusting(5, active);
    assert!(gate.identify(&agent, Some(&user)).is_ok());
}

#[test]
fn an_expired_agent_is_refused_at_its_second_from_every_cache() {
    let mut gate = Gate::new();
    let (agent, user) = (gate.corpus.valid(AgentSide), gate.corpus.valid(UserSide));
    let end = UnixTime::from_secs(NOW_SECS + 7);
    let until = |end| RegisteredAgent {
        expires: Some(end),
        ..registered("clerk-bot", "town", Corpus::AGENT)
    };
    gate.trusting(2, until(end));
    let principal = gate.identify(&agent, Some(&user)).unwrap();
    assert_eq!(principal.expires(), end, "no minted token outlives the registration");
    gate.now = UnixTime::from_millis(end.millis() - 1);
    let cached = gate.identify(&agent, Some(&user)).unwrap();
    assert!(Rc::ptr_eq(&principal, &cached) && gate.trust.still_holds(&principal, gate.now));

    gate.now = end;
    assert!(!gate.trust.still_holds(&principal, gate.now), "nor does a stream");
    for _ in 0..2 {
        let error = gate.identify(&agent, Some(&user)).unwrap_err();
        assert_eq!(
            (error.who(), error.fault(), error.reason()),
            (Side::Agent, Fault::AgentExpired, "agent_expired")
        );
    }
    gate.trusting(3, until(UnixTime::from_secs(NOW_SECS + 60)));
    assert!(
        gate.identify(&agent, Some(&user)).is_ok(),
        "a later end lets it back in"
    );
    gate.trusting(4, until(end));
    assert!(
        !gate.trust.still_holds(&cached, gate.now),
        "an earlier one reaches what is open"
    );
}

#[test]
fn a_cached_principal_ends_with_its_tokens() {
    let mut gate = Gate::new();
    let agent = gate.corpus.valid(AgentSide);
    let user = gate.corpus.token(UserSide, json!({"exp": NOW_SECS + 20}));
    let first = gate.identify(&agent, Some(&user)).unwrap();
    gate.now = UnixTime::from_millis((NOW_SECS + 50) * 1000 - 1);
    assert!(Rc::ptr_eq(&first, &gate.identify(&agent, Some(&user)).unwrap()));
    gate.now = UnixTime::from_secs(NOW_SECS + 50);
    assert_eq!(fault(gate.identify(&agent, Some(&user))), (Side::User, Fault::Expired));
}

#[test]
fn a_forged_token_is_refused_from_memory_for_a_while() {
    let mut gate = Gate::new();
    let user = gate.corpus.valid(UserSide);
    let stranger = corpus(TOWN).valid(AgentSide);
    assert_eq!(
        fault(gate.identify(&stranger, Some(&user))),
        (Side::Agent, Fault::Signature)
    );
    assert_eq!(
        fault(gate.identify(&stranger, Some(&user))),
        (Side::Agent, Fault::RefusedBefore)
    );
    gate.now = UnixTime::from_secs(NOW_SECS + 60);
    assert_eq!(
        fault(gate.identify(&stranger, Some(&user))),
        (Side::Agent, Fault::Signature)
    );
    gate.trusting(2, registered("clerk-bot", "town", Corpus::AGENT));
    assert_eq!(
        fault(gate.identify(&stranger, Some(&user))),
        (Side::Agent, Fault::Signature)
    );
}

#[test]
fn a_token_that_comes_too_early_is_not_held_against_itself() {
    let mut gate = Gate::new();
    let agent = gate.corpus.valid(AgentSide);
    let user = gate.corpus.token(UserSide, json!({"nbf": NOW_SECS + 45}));
    assert_eq!(
        fault(gate.identify(&agent, Some(&user))),
        (Side::User, Fault::NotYetValid)
    );
    gate.now = UnixTime::from_secs(NOW_SECS + 15);
    assert!(gate.identify(&agent, Some(&user)).is_ok());
}

#[test]
fn a_key_that_is_replaced_under_its_own_name_ends_what_it_signed() {
    let mut gate = Gate::new();
    let (agent, user) = (gate.corpus.valid(AgentSide), gate.corpus.valid(UserSide));
    let renewed = corpus(TOWN);
    let (new_agent, new_user) = (renewed.valid(AgentSide), renewed.valid(UserSide));
    assert!(gate.identify(&agent, Some(&user)).is_ok());
    let forged = (Side::Agent, Fault::Signature);
    assert_eq!(
        fault(gate.identify(&new_agent, Some(&new_user))),
        forged,
        "nobody published it yet"
    );

    let agents = vec![registered("clerk-bot", "town", Corpus::AGENT)];
    gate.trust = Trust::new(2, vec![issuer("town", TOWN, &renewed)], agents).unwrap();
    assert!(
        gate.identify(&new_agent, Some(&new_user)).is_ok(),
        "nor was that held against it"
    );
    assert_eq!(fault(gate.identify(&agent, Some(&user))), forged);
    assert_eq!(
        fault(gate.identify(&new_agent, Some(&user))),
        (Side::User, Fault::Signature)
    );
}
