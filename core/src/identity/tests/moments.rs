//! Shutting off by session and by time of issue.

use super::*;

#[test]
fn a_session_and_what_is_older_than_a_moment_are_refused_and_nothing_else_is() {
    let mut gate = Gate::new();
    let claims = |sid| json!({"sid": sid, "iat": NOW_SECS - 60});
    let agent = gate.corpus.token(AgentSide, claims("s-a"));
    let user = gate.corpus.token(UserSide, claims("s-u"));
    let principal = gate.identify(&agent, Some(&user)).unwrap();
    let text = str::to_owned;
    let session = |issuer: &str, session: &str| Revocation::Session {
        issuer: text(issuer),
        session: text(session),
    };
    let agent_before = |agent: &str, moment| Revocation::AgentBefore {
        agent: text(agent),
        issued_before: UnixTime::from_secs(moment),
    };
    let user_before = |issuer: &str, user: &str, moment| Revocation::UserBefore {
        issuer: text(issuer),
        user: text(user),
        issued_before: UnixTime::from_secs(moment),
    };
    for (revocation, expected) in [
        (session(TOWN, "s-a"), Some((Side::Agent, Fault::SessionRevoked))),
        (session(TOWN, "s-u"), Some((Side::User, Fault::SessionRevoked))),
        (
            agent_before("clerk-bot", NOW_SECS),
            Some((Side::Agent, Fault::Outdated)),
        ),
        (
            user_before(TOWN, Corpus::USER, NOW_SECS),
            Some((Side::User, Fault::Outdated)),
        ),
        (agent_before("clerk-bot", NOW_SECS - 60), None),
        (user_before(TOWN, Corpus::USER, NOW_SECS - 60), None),
        (user_before(ABROAD, Corpus::USER, NOW_SECS), None),
        (user_before(TOWN, "somebody", NOW_SECS), None),
        (agent_before("other-bot", NOW_SECS), None),
        (session(ABROAD, "s-u"), None),
        (session(TOWN, "s"), None),
        (Revocation::Key { thumbprint: [0; 32] }, None),
    ] {
        let list = Denylist::new([&revocation]).unwrap();
        let found = list.check(&principal).err().map(|error| (error.who(), error.fault()));
        assert_eq!(found, expected, "{revocation:?}");
    }
}

#[test]
fn of_two_moments_the_later_one_counts_in_either_order() {
    let mut gate = Gate::new();
    let principal = gate.identify_with(json!({"iat": NOW_SECS - 60})).unwrap();
    let before = |moment| Revocation::UserBefore {
        issuer: TOWN.to_owned(),
        user: Corpus::USER.to_owned(),
        issued_before: UnixTime::from_secs(moment),
    };
    let (early, late) = (before(NOW_SECS - 100), before(NOW_SECS - 59));
    for list in [[&early, &late], [&late, &early]] {
        let error = Denylist::new(list).unwrap().check(&principal).unwrap_err();
        assert_eq!(error.fault(), Fault::Outdated);
        assert_eq!(error.reason(), "revoked");
    }
    assert!(Denylist::new([&early]).unwrap().check(&principal).is_ok());
}

#[test]
fn no_token_outlives_the_time_for_which_its_revocation_is_kept() {
    let longest = crate::limits::TOKEN_LIFETIME_MAX + 2 * crate::limits::TOKEN_LEEWAY_MAX;
    assert_eq!(crate::limits::TOKEN_GONE_AFTER, longest);
}
