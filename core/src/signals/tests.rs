//! What a SET must be to be believed, and what it means then.

use core::time::Duration;

use proptest::prelude::*;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair as _;
use serde_json::Value;
use serde_json::json;

use super::*;
use crate::jose::base64url::encode;
use crate::json::Scratch;
use crate::limits::SIGNAL_AGE_MAX;
use crate::limits::SIGNAL_LEEWAY;

const NOW: u64 = 1_800_000_000;
const IDP: &str = "https://idp.example";
const MAIL: &str = "https://mail.example";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn transmitter() -> Transmitter {
    let x = encode(key(7).public_key().as_ref());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "alg": "EdDSA", "x": x}]});
    let subject = |issuer: &str, named_by| SubjectIssuer {
        issuer: issuer.to_owned(),
        named_by,
    };
    Transmitter {
        issuer: "https://tx.example".to_owned(),
        audience: "https://gate.example".to_owned(),
        algorithms: vec![Algorithm::EdDsa, Algorithm::Es256],
        keys: KeySet::parse(keys.to_string().as_bytes()).unwrap(),
        subjects: vec![subject(IDP, NamedBy::Sub), subject(MAIL, NamedBy::Email)],
    }
}

fn user() -> Value {
    json!({"format": "iss_sub", "iss": IDP, "sub": "ada"})
}

fn claims(event: &str, payload: &Value, sub_id: &Value) -> Value {
    json!({
        "iss": "https://tx.example", "aud": "https://gate.example", "jti": "set-1", "iat": NOW,
        "sub_id": sub_id, "events": {format!("{CAEP}{event}"): payload},
    })
}

fn good() -> Value {
    claims("session-revoked", &json!({"event_timestamp": NOW - 9}), &user())
}

fn header() -> Value {
    json!({"alg": "EdDSA", "kid": "k1", "typ": "secevent+jwt"})
}

fn signed(header: &str, claims: &str, seed: u8) -> Vec<u8> {
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let signature = encode(key(seed).sign(signed.as_bytes()).as_ref());
    format!("{signed}.{signature}").into_bytes()
}

fn read(set: &[u8]) -> Result<Signal, SignalError> {
    transmitter().read(set, &mut Scratch::new(), UnixTime::from_secs(NOW))
}

fn judge(claims: &Value) -> Result<Signal, SignalError> {
    read(&signed(&header().to_string(), &claims.to_string(), 7))
}

/// What an event about `sub_id` does.
fn effects(event: &str, payload: &Value, sub_id: &Value) -> Result<Vec<Effect>, SignalError> {
    judge(&claims(event, payload, sub_id)).map(|signal| signal.effects)
}

/// The good claims, with `patch` over them; null takes a member out.
fn patched(patch: &Value) -> Value {
    let mut claims = good();
    for (name, value) in patch.as_object().unwrap() {
        let members = claims.as_object_mut().unwrap();
        members.remove(name);
        if !value.is_null() {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

fn before(issuer: &str, user: &str) -> Effect {
    Effect::Revoke(Revocation::UserBefore {
        issuer: issuer.to_owned(),
        user: user.to_owned(),
        issued_before: UnixTime::from_secs(NOW + 1),
    })
}

fn session(issuer: &str, session: &str) -> Effect {
    Effect::Revoke(Revocation::Session {
        issuer: issuer.to_owned(),
        session: session.to_owned(),
    })
}

fn token(issuer: &str, id: &str) -> Effect {
    Effect::Revoke(Revocation::Token {
        issuer: issuer.to_owned(),
        id: id.to_owned(),
    })
}

#[test]
fn a_good_set_says_what_happened_to_whom() {
    let signal = judge(&good()).unwrap();
    assert_eq!((&*signal.id, signal.event), ("set-1", "session-revoked"));
    assert_eq!(signal.issued, UnixTime::from_secs(NOW));
    assert_eq!(signal.effects, [before(IDP, "ada")]);
    let several = json!({"aud": ["https://other.example", "https://gate.example"]});
    assert!(judge(&patched(&several)).is_ok());
}

#[test]
fn what_is_no_set_for_this_gate_by_this_transmitter_is_refused() {
    let far = |time: Duration| time.as_secs();
    for (patch, expected) in [
        (json!({"exp": NOW + 60}), SignalError::OtherToken),
        (json!({"sub": "ada"}), SignalError::OtherToken),
        (json!({"iss": "https://tx.example/"}), SignalError::Issuer),
        (json!({"iss": IDP}), SignalError::Issuer),
        (json!({"iss": null}), SignalError::Issuer),
        (json!({"aud": "https://gate.example/"}), SignalError::Audience),
        (json!({"aud": ["https://gate.example", 1]}), SignalError::Audience),
        (json!({"aud": []}), SignalError::Audience),
        (json!({"aud": null}), SignalError::Audience),
        (json!({"iat": NOW + far(SIGNAL_LEEWAY) + 1}), SignalError::Time),
        (json!({"iat": NOW - far(SIGNAL_AGE_MAX) - 1}), SignalError::Time),
        (json!({"iat": format!("{NOW}")}), SignalError::Claims),
        (json!({"iat": null}), SignalError::Claims),
        (json!({"jti": null}), SignalError::Claims),
        (json!({"jti": ""}), SignalError::Claims),
        (json!({"jti": "a\nb"}), SignalError::Claims),
        (json!({"jti": 7}), SignalError::Claims),
        (json!({"events": null}), SignalError::Events),
        (json!({"events": {}}), SignalError::Events),
        (
            json!({"events": {"https://a.example": {}, "https://b.example": {}}}),
            SignalError::Events,
        ),
        (json!({"events": {"https://a.example": {}}}), SignalError::Event),
        (
            json!({"events": {format!("{CAEP}session-revoked"): "now"}}),
            SignalError::Payload,
        ),
        (json!({"sub_id": null}), SignalError::Subject),
        (json!({"sub_id": "ada"}), SignalError::Subject),
    ] {
        assert_eq!(judge(&patched(&patch)), Err(expected), "{patch}");
    }
    for edge in [NOW + far(SIGNAL_LEEWAY), NOW - far(SIGNAL_AGE_MAX)] {
        assert!(judge(&patched(&json!({"iat": edge}))).is_ok(), "{edge}");
    }
}

#[test]
fn a_set_is_typed_and_signed_with_a_key_of_the_transmitter() {
    let with = |patch: Value, seed| {
        let mut header = header();
        header
            .as_object_mut()
            .unwrap()
            .extend(patch.as_object().unwrap().clone());
        read(&signed(&header.to_string(), &good().to_string(), seed)).err()
    };
    assert_eq!(with(json!({"typ": "application/SecEvent+JWT"}), 7), None);
    for (patch, seed, expected) in [
        (json!({"typ": "at+jwt"}), 7, SignalError::Type),
        (json!({"typ": "JWT"}), 7, SignalError::Type),
        (json!({"typ": ""}), 7, SignalError::Type),
        (json!({"alg": "none"}), 7, SignalError::Algorithm),
        (json!({"alg": "HS256"}), 7, SignalError::Algorithm),
        (json!({"alg": "ES256"}), 7, SignalError::Algorithm),
        (json!({"alg": "RS256"}), 7, SignalError::Algorithm),
        (json!({"kid": "k2"}), 7, SignalError::Key),
        (json!({}), 8, SignalError::Signature),
    ] {
        assert_eq!(with(patch.clone(), seed), Some(expected), "{patch}");
    }
    assert!(matches!(
        with(json!({"jku": "https://tx.example"}), 7),
        Some(SignalError::Header(_))
    ));
    let untyped = read(&signed(r#"{"alg":"EdDSA","kid":"k1"}"#, &good().to_string(), 7));
    assert_eq!(untyped, Err(SignalError::Type));
    let twice = good().to_string().replacen('{', r#"{"jti":"x","#, 1);
    assert_eq!(
        read(&signed(&header().to_string(), &twice, 7)),
        Err(SignalError::Claims)
    );
    assert!(matches!(read(b"a.b"), Err(SignalError::Form(_))));
}

#[test]
fn a_session_is_ended_where_it_is_named_and_a_user_where_not() {
    let ends = |sub_id: Value| effects("session-revoked", &json!({}), &sub_id).unwrap();
    let opaque = json!({"format": "opaque", "id": "s-1"});
    assert_eq!(ends(opaque.clone()), [session(IDP, "s-1"), session(MAIL, "s-1")]);
    let complex = |members: Value| {
        let mut sub_id = json!({"format": "complex"});
        sub_id
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        sub_id
    };
    let tenant = json!({"format": "opaque", "id": "t"});
    let both = complex(json!({"user": user(), "session": opaque, "tenant": tenant}));
    assert_eq!(ends(both), [session(IDP, "s-1")]);
    assert_eq!(
        ends(complex(json!({"session": opaque}))),
        [session(IDP, "s-1"), session(MAIL, "s-1")]
    );
    let unnamed = json!({"format": "iss_sub", "iss": MAIL, "sub": "17"});
    assert_eq!(
        ends(complex(json!({"user": unnamed, "session": opaque}))),
        [session(MAIL, "s-1")]
    );
    let session_at = json!({"format": "iss_sub", "iss": IDP, "sub": "s-2"});
    assert_eq!(ends(complex(json!({"session": session_at}))), [session(IDP, "s-2")]);
    // A device cannot be told apart: the whole user.
    assert_eq!(
        ends(complex(json!({"user": user(), "device": opaque}))),
        [before(IDP, "ada")]
    );
    assert_eq!(
        ends(json!({"format": "jwt_id", "iss": IDP, "jti": "t-1"})),
        [token(IDP, "t-1")]
    );
    let email = json!({"format": "email", "email": "ada@mail.example"});
    assert_eq!(ends(email.clone()), [before(MAIL, "ada@mail.example")]);
    let phone = json!({"format": "phone_number", "phone_number": "+1"});
    let aliases = json!({"format": "aliases", "identifiers": [phone, email, user()]});
    assert_eq!(ends(aliases), [before(MAIL, "ada@mail.example"), before(IDP, "ada")]);
}

#[test]
fn a_subject_that_nothing_can_be_done_for_is_refused() {
    let group = json!({"format": "opaque", "id": "g"});
    for sub_id in [
        json!({"format": "iss_sub", "iss": "https://other.example", "sub": "ada"}),
        json!({"format": "iss_sub", "iss": MAIL, "sub": "ada"}),
        json!({"format": "iss_sub", "iss": IDP}),
        json!({"format": "iss_sub", "iss": IDP, "sub": ["ada"]}),
        json!({"format": "account", "uri": "acct:ada@idp.example"}),
        json!({"format": "phone_number", "phone_number": "+1"}),
        json!({"format": "jwt_id", "iss": "https://other.example", "jti": "t-1"}),
        json!({"format": "complex", "group": group}),
        json!({"format": "complex", "user": "ada"}),
        json!({"format": "complex", "session": user(), "user": {"format": "iss_sub", "iss": "https://o.example", "sub": "a"}}),
        json!({"format": "complex", "session": {"format": "email", "email": "a@b"}}),
        json!({"format": "aliases", "identifiers": []}),
        json!({"format": "aliases", "identifiers": [{"format": "aliases", "identifiers": [user()]}]}),
        json!({"format": "aliases", "identifiers": vec![user(); 17]}),
        json!({"format": 1}),
        json!({}),
    ] {
        let outcome = effects("session-revoked", &json!({}), &sub_id);
        assert_eq!(outcome, Err(SignalError::Subject), "{sub_id}");
    }
    let opaque = json!({"format": "opaque", "id": "s-1"});
    let change = json!({"credential_type": "password", "change_type": "update"});
    assert_eq!(
        effects("credential-change", &change, &opaque),
        Err(SignalError::Subject)
    );
}

#[test]
fn changed_credentials_and_claims_make_older_tokens_die() {
    let change = |kind: &str| json!({"credential_type": "password", "change_type": kind});
    for kind in ["revoke", "update", "delete"] {
        assert_eq!(
            effects("credential-change", &change(kind), &user()),
            Ok(vec![before(IDP, "ada")])
        );
    }
    assert_eq!(effects("credential-change", &change("create"), &user()), Ok(vec![]));
    assert_eq!(
        effects("credential-change", &change("burn"), &user()),
        Err(SignalError::Payload)
    );
    assert_eq!(
        effects("credential-change", &json!({}), &user()),
        Err(SignalError::Payload)
    );
    let claims = json!({"claims": {"role": "guest"}});
    assert_eq!(
        effects("token-claims-change", &claims, &user()),
        Ok(vec![before(IDP, "ada")])
    );
    let jwt = json!({"format": "jwt_id", "iss": IDP, "jti": "t-1"});
    assert_eq!(
        effects("token-claims-change", &claims, &jwt),
        Ok(vec![token(IDP, "t-1")])
    );
    assert_eq!(
        effects("token-claims-change", &json!({}), &user()),
        Err(SignalError::Payload)
    );
}

#[test]
fn devices_and_risks_are_told_to_policies() {
    let note = |about| {
        Effect::Note(Remark {
            issuer: IDP.to_owned(),
            user: "ada".to_owned(),
            issued: UnixTime::from_secs(NOW),
            about,
        })
    };
    let device = |device: &str, compliant| {
        note(About::Device {
            device: device.to_owned(),
            compliant,
        })
    };
    let change = |to: &str| json!({"previous_status": "compliant", "current_status": to});
    let on = |device: Value| json!({"format": "complex", "user": user(), "device": device});
    let phone = on(json!({"format": "opaque", "id": "phone"}));
    for (payload, sub_id, expected) in [
        (change("not-compliant"), user(), device("", false)),
        (change("not-compliant"), phone.clone(), device("phone", false)),
        (change("compliant"), phone, device("phone", true)),
        (
            change("compliant"),
            on(json!({"format": "iss_sub", "iss": "https://mdm.example", "sub": "7"})),
            device("https://mdm.example 7", true),
        ),
    ] {
        assert_eq!(
            effects("device-compliance-change", &payload, &sub_id),
            Ok(vec![expected])
        );
    }
    let opaque = json!({"format": "opaque", "id": "phone"});
    let only_device = json!({"format": "complex", "device": opaque});
    for (payload, sub_id, expected) in [
        (change("broken"), user(), SignalError::Payload),
        (json!({"current_status": "compliant"}), user(), SignalError::Payload),
        (change("compliant"), only_device, SignalError::Subject),
        (change("compliant"), opaque, SignalError::Subject),
    ] {
        assert_eq!(effects("device-compliance-change", &payload, &sub_id), Err(expected));
    }
    let risk = |principal: &str, level: &str| json!({"principal": principal, "current_level": level});
    for (level, expected) in [("LOW", Risk::Low), ("MEDIUM", Risk::Medium), ("HIGH", Risk::High)] {
        let effects = effects("risk-level-change", &risk("USER", level), &user());
        assert_eq!(effects, Ok(vec![note(About::Risk(expected))]));
    }
    assert_eq!(
        effects("risk-level-change", &risk("USER", "NONE"), &user()),
        Err(SignalError::Payload)
    );
    assert_eq!(
        effects("risk-level-change", &risk("DEVICE", "LOW"), &user()),
        Err(SignalError::Subject)
    );
    assert_eq!(
        effects("risk-level-change", &json!({}), &user()),
        Err(SignalError::Payload)
    );
}

#[test]
fn events_that_inform_do_nothing_and_unknown_ones_are_refused() {
    for event in ["assurance-level-change", "session-established", "session-presented"] {
        assert_eq!(effects(event, &json!({}), &user()), Ok(vec![]));
    }
    let stream = json!({"format": "opaque", "id": "stream-1"});
    let mut claims = claims("", &json!({}), &stream);
    let ssf = "https://schemas.openid.net/secevent/ssf/event-type/";
    claims["events"] = json!({format!("{ssf}verification"): {"state": "x"}});
    let signal = judge(&claims).unwrap();
    assert_eq!((signal.event, signal.effects), ("verification", vec![]));
    for event in ["session-revoke", "", "session-revoked/", "Session-Revoked"] {
        assert_eq!(effects(event, &json!({}), &user()), Err(SignalError::Event), "{event}");
    }
}

#[test]
fn every_refusal_has_a_registered_code() {
    let codes = [
        "invalid_request",
        "invalid_key",
        "invalid_issuer",
        "invalid_audience",
        "authentication_failed",
    ];
    for error in [
        SignalError::Type,
        SignalError::Key,
        SignalError::Issuer,
        SignalError::Audience,
        SignalError::Signature,
    ] {
        assert!(codes.contains(&error.code()) && !error.to_string().is_empty());
    }
}

proptest! {
    #[test]
    fn no_other_bytes_than_the_signed_ones_are_believed(at in any::<prop::sample::Index>(), other in any::<u8>()) {
        let whole = signed(&header().to_string(), &good().to_string(), 7);
        let mut set = whole.clone();
        set[at.index(whole.len())] = other;
        prop_assert!(set == whole || read(&set).is_err());
    }

    #[test]
    fn no_part_of_a_set_is_believed(end in any::<prop::sample::Index>()) {
        let whole = signed(&header().to_string(), &good().to_string(), 7);
        prop_assert!(read(&whole[..end.index(whole.len())]).is_err());
    }

    #[test]
    fn signed_claims_without_one_of_their_members_are_refused(at in any::<prop::sample::Index>()) {
        let mut claims = good();
        let names: Vec<String> = claims.as_object().unwrap().keys().cloned().collect();
        claims.as_object_mut().unwrap().remove(at.get(&names));
        prop_assert!(judge(&claims).is_err());
    }

    #[test]
    fn nothing_but_known_users_comes_of_any_subject(format in "[a-z_]{1,8}", iss in "[a-z:/.]{0,24}", sub in ".{0,40}") {
        let sub_id = json!({"format": format, "iss": iss, "sub": sub, "id": sub, "email": sub});
        for effect in effects("session-revoked", &json!({}), &sub_id).unwrap_or_default() {
            let Effect::Revoke(revocation) = effect else {
                panic!("a remark by a revocation");
            };
            let known = match &revocation {
                Revocation::UserBefore { issuer, .. } | Revocation::Session { issuer, .. } => [IDP, MAIL].contains(&&**issuer),
                _ => false,
            };
            prop_assert!(known, "{revocation:?}");
        }
    }
}
