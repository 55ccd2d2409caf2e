//! What the list of revocations keeps, what it forgets, and what it takes from whom.

use super::*;

const NOW: u64 = 1_800_000_000;

fn entry(what: What, since: u64, by: By) -> Entry {
    Entry {
        what,
        since,
        by,
        reason: None,
    }
}

fn user(issued_before: Option<u64>) -> What {
    What::User {
        issuer: "https://idp.test".to_owned(),
        user: "ada".to_owned(),
        issued_before,
    }
}

fn agent(issued_before: Option<u64>) -> What {
    What::Agent {
        agent: "clerk-bot".to_owned(),
        issued_before,
    }
}

fn session() -> What {
    What::Session {
        issuer: "https://idp.test".to_owned(),
        session: "s-1".to_owned(),
    }
}

fn token() -> What {
    What::Token {
        issuer: "https://idp.test".to_owned(),
        id: "t-1".to_owned(),
    }
}

fn idp() -> By {
    By::Transmitter {
        transmitter: "idp".to_owned(),
    }
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn empty() -> Revocations {
    Revocations::of(PathBuf::new(), Listed::default()).unwrap()
}

#[test]
fn an_entry_is_forgotten_once_no_token_it_concerns_can_be_valid() {
    let gone = TOKEN_GONE_AFTER.as_secs();
    for (what, by, forgotten) in [
        (token(), idp(), true),
        // They may be of keys and certificates, which last for months.
        (token(), By::Uid(1), false),
        (agent(Some(NOW)), By::Uid(1), false),
        (agent(Some(NOW)), idp(), false),
        (user(Some(NOW)), By::Uid(1), true),
        (session(), idp(), true),
        (session(), By::Uid(1), false),
        (user(None), By::Uid(1), false),
    ] {
        let list = empty().with(&[entry(what.clone(), NOW, by)], at(NOW)).unwrap();
        let other = |now| list.with(&[], at(now)).unwrap().contains(&what, &idp());
        assert!(other(NOW + gone - 1), "{what} was forgotten early");
        assert_eq!(!other(NOW + gone), forgotten, "{what}");
    }
}

#[test]
fn of_one_subject_the_latest_moment_is_kept_once_and_beside_a_whole_revocation() {
    let add = |list: &Revocations, what| list.with(&[entry(what, NOW, By::Uid(1))], at(NOW)).unwrap();
    let list = add(&add(&empty(), user(Some(NOW - 9))), user(None));
    assert!(list.contains(&user(Some(NOW - 10)), &idp()) && !list.contains(&user(Some(NOW)), &idp()));
    let list = add(&list, user(Some(NOW)));
    assert!(list.contains(&user(Some(NOW)), &idp()) && list.contains(&user(None), &idp()));
    assert_eq!(list.list().revocations.len(), 2);
    let both = [user(Some(NOW + 5)), user(Some(NOW + 1))].map(|what| entry(what, NOW, idp()));
    assert!(
        list.with(&both, at(NOW))
            .unwrap()
            .contains(&user(Some(NOW + 5)), &idp()),
        "the order does not matter"
    );
    let list = list.without(&user(Some(0))).unwrap();
    assert!(list.contains(&user(None), &idp()) && !list.contains(&user(Some(1)), &idp()));
}

#[test]
fn what_an_operator_shuts_off_as_well_is_not_forgotten_with_what_a_transmitter_did() {
    let theirs = empty().with(&[entry(session(), NOW, idp())], at(NOW)).unwrap();
    assert!(theirs.contains(&session(), &idp()) && !theirs.contains(&session(), &By::Uid(1)));
    let ours = theirs.with(&[entry(session(), NOW, By::Uid(1))], at(NOW)).unwrap();
    let ours = ours.with(&[entry(session(), NOW + 1, idp())], at(NOW)).unwrap();
    assert_eq!(ours.list().revocations, [entry(session(), NOW, By::Uid(1))]);
    let later = empty().with(&[entry(user(Some(NOW)), NOW, idp())], at(NOW)).unwrap();
    let later = later
        .with(&[entry(user(Some(NOW - 9)), NOW, By::Uid(1))], at(NOW))
        .unwrap();
    assert!(
        later.contains(&user(Some(NOW)), &idp()),
        "an operator makes it no earlier"
    );
}

#[test]
fn a_moment_that_no_valid_token_is_older_than_is_a_slip_of_an_operator() {
    let old = |by| empty().with(&[entry(user(Some(15)), NOW, by)], at(NOW)).map(|_| ());
    assert_eq!((old(By::Uid(1)), old(idp())), (Err(NotAdded::Past), Ok(())));
}

#[test]
fn a_minted_token_is_forgotten_soon_and_servers_leave_room_for_others() {
    let by = || By::Server {
        server: "town".to_owned(),
    };
    let numbered = |number: usize| {
        let what = What::Token {
            issuer: "https://gate.test".to_owned(),
            id: number.to_string(),
        };
        entry(what, NOW, by())
    };
    let many: Vec<Entry> = (0..MINTED_REVOCATIONS_MAX).map(numbered).collect();
    let full = empty().with(&many, at(NOW)).unwrap();
    let one_more = [numbered(MINTED_REVOCATIONS_MAX)];
    assert_eq!(full.with(&one_more, at(NOW)).map(|_| ()), Err(NotAdded::Full));
    assert!(full.with(&[entry(session(), NOW, By::Uid(1))], at(NOW)).is_ok());
    let then = NOW + MINT_LIFETIME_MAX.as_secs();
    let later = full.with(&one_more.map(|entry| Entry { since: then, ..entry }), at(then));
    let later = later.unwrap();
    assert_eq!(later.list().revocations.len(), 1);
}

#[test]
fn tokens_of_the_future_are_not_shut_off_by_a_slip() {
    let millis = entry(user(Some(NOW * 1000)), NOW, By::Uid(1));
    assert_eq!(empty().with(&[millis], at(NOW)).unwrap_err(), NotAdded::Future);
}

#[test]
fn a_list_written_before_there_were_sessions_is_read() {
    let text = r#"{"revocations": [
        {"what": {"kind": "user", "issuer": "https://idp.test", "user": "ada"}, "since": 1, "by": 1000},
        {"what": {"kind": "agent", "agent": "a"}, "since": 1, "by": 0, "reason": "lost"}]}"#;
    let listed: Listed = serde_json::from_str(text).unwrap();
    assert_eq!(listed.revocations[0], entry(user(None), 1, By::Uid(1000)));
    for slip in ["\"x\"", "{\"transmitter\": 1}", "-1"] {
        let text = text.replace("\"by\": 1000", &format!("\"by\": {slip}"));
        assert!(serde_json::from_str::<Listed>(&text).is_err(), "{slip}");
    }
}

#[test]
fn a_thumbprint_has_one_spelling() {
    let key = |text: &str| serde_json::from_value::<What>(serde_json::json!({"kind": "key", "thumbprint": text}));
    let text = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    let read = key(text).unwrap();
    assert_eq!(read.to_string(), format!("key {text}"));
    for other in [
        "",
        "abc",
        &format!("{text}="),
        &text.replace('s', "t"),
        &text.replace('-', "+"),
    ] {
        assert!(key(other).is_err(), "{other}");
    }
}
