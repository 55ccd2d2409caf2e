//! Tokens of providers that do not write RFC 9068: told by their marks, never by guessing.

use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair as _;
use serde_json::Value;
use serde_json::json;

use crate::identity::AgentState;
use crate::identity::Authenticator;
use crate::identity::ClaimNames;
use crate::identity::ClientSign;
use crate::identity::Dialect;
use crate::identity::Fault;
use crate::identity::Issuer;
use crate::identity::Marked;
use crate::identity::Nonces;
use crate::identity::Presented;
use crate::identity::RegisteredAgent;
use crate::identity::RequireBinding;
use crate::identity::Roles;
use crate::identity::Side;
use crate::identity::Terms;
use crate::identity::Trust;
use crate::identity::examine;
use crate::jose::Algorithm;
use crate::jose::jwks::KeySet;
use crate::json::Scratch;
use crate::time::UnixTime;

const NOW: u64 = 1_800_000_000;
const ISS: &str = "https://idp.example";
const GATE: &str = "https://gate.example";

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap()
}

/// A token with this `typ` and the valid claims changed by `claims`; null takes a claim out.
fn token(typ: Option<&str>, claims: &Value) -> Vec<u8> {
    let mut header = json!({"alg": "EdDSA", "kid": "k"});
    if let Some(typ) = typ {
        header["typ"] = json!(typ);
    }
    let mut all = json!({"iss": ISS, "sub": "ada", "aud": GATE, "iat": NOW, "exp": NOW + 600});
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let signed = format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(all.to_string())
    );
    let signature = BASE64.encode(key().sign(signed.as_bytes()));
    format!("{signed}.{signature}").into_bytes()
}

fn issuer(dialect: Dialect, claims: ClaimNames) -> Issuer {
    let x = BASE64.encode(key().public_key());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "use": "jwt-svid", "x": x}]});
    Issuer {
        name: "idp".to_owned(),
        issuer: ISS.to_owned(),
        roles: Roles {
            agent: true,
            user: true,
        },
        types: vec!["at+jwt".to_owned()],
        dialect,
        algorithms: vec![Algorithm::EdDsa],
        audiences: vec![GATE.to_owned()],
        keys: KeySet::parse(keys.to_string().as_bytes()).unwrap(),
        max_lifetime: None,
        leeway: Duration::from_secs(30),
        claims,
        allow_unlinked_with: vec!["idp".to_owned()],
    }
}

fn trust(issuer: Issuer, agent: &str) -> Trust {
    let agent = RegisteredAgent {
        name: "bot".to_owned(),
        issuer: issuer.name.clone(),
        subject: agent.to_owned(),
        groups: Vec::new(),
        state: AgentState::Active,
        servers: None,
        clients: Vec::new(),
        require_binding: RequireBinding::None,
        x509: false,
        expires: None,
    };
    Trust::new(1, vec![issuer], vec![agent]).unwrap()
}

fn judge(token: &[u8], side: Side, trust: &Trust) -> Result<(), Fault> {
    let examination = examine(token, side, "idp", trust, UnixTime::from_secs(NOW));
    examination.verdict.map(drop)
}

fn marked(typ: Option<&str>, claim: &str, values: &[&str]) -> Dialect {
    Dialect {
        marked: vec![Marked {
            typ: typ.map(str::to_owned),
            claims: vec![claim.to_owned()],
            values: values.iter().map(|&value| value.to_owned()).collect(),
        }],
        ..Dialect::default()
    }
}

#[test]
fn a_weak_type_counts_only_with_its_mark() {
    let untyped = trust(issuer(marked(None, "cid", &[]), ClaimNames::default()), "bot");
    assert_eq!(
        judge(&token(None, &json!({"cid": "web"})), Side::User, &untyped),
        Ok(())
    );
    for (typ, claims) in [
        (None, json!({})),
        (None, json!({"CID": "web"})),
        (Some("JWT"), json!({"cid": "web"})),
        (Some(""), json!({"cid": "web"})),
    ] {
        assert_eq!(
            judge(&token(typ, &claims), Side::User, &untyped),
            Err(Fault::Type),
            "{typ:?} {claims}"
        );
    }
    let said = trust(
        issuer(marked(Some("JWT"), "typ", &["Bearer"]), ClaimNames::default()),
        "bot",
    );
    assert_eq!(
        judge(&token(Some("jwt"), &json!({"typ": "Bearer"})), Side::User, &said),
        Ok(())
    );
    for claims in [
        json!({"typ": "ID"}),
        json!({"typ": "bearer"}),
        json!({"typ": ["Bearer"]}),
        json!({}),
    ] {
        assert_eq!(
            judge(&token(Some("JWT"), &claims), Side::User, &said),
            Err(Fault::Type),
            "{claims}"
        );
    }
    let strict = trust(issuer(Dialect::default(), ClaimNames::default()), "bot");
    assert_eq!(
        judge(&token(None, &json!({"cid": "web"})), Side::User, &strict),
        Err(Fault::Type)
    );
}

#[test]
fn a_clients_own_token_never_names_a_user() {
    let refuses = |sign: ClientSign, claims: Value| {
        let dialect = Dialect {
            client_signs: vec![sign],
            ..Dialect::default()
        };
        let trust = trust(issuer(dialect, ClaimNames::default()), "bot");
        judge(&token(Some("at+jwt"), &claims), Side::User, &trust)
    };
    let lacks = || ClientSign::Lacks("scp".to_owned());
    let has = || ClientSign::Has("clientHost".to_owned());
    let ends = || ClientSign::SubjectEnds("@clients".to_owned());
    assert_eq!(refuses(lacks(), json!({})), Err(Fault::SubjectIsAgent));
    assert_eq!(refuses(lacks(), json!({"scp": "read"})), Ok(()));
    assert_eq!(
        refuses(has(), json!({"clientHost": "10.0.0.1"})),
        Err(Fault::SubjectIsAgent)
    );
    assert_eq!(refuses(has(), json!({})), Ok(()));
    assert_eq!(
        refuses(ends(), json!({"sub": "abc@clients"})),
        Err(Fault::SubjectIsAgent)
    );
    assert_eq!(refuses(ends(), json!({"sub": "ada"})), Ok(()));
}

#[test]
fn claims_are_found_under_other_names_and_deeper_down() {
    let names = ClaimNames {
        user: "uid".to_owned(),
        groups: "/realm_access/roles".to_owned(),
        client: vec!["cid".to_owned()],
        scope: "scp".to_owned(),
        scope_is_array: true,
        ..ClaimNames::default()
    };
    let trust = trust(issuer(Dialect::default(), names), "bot");
    let agent = token(Some("at+jwt"), &json!({"sub": "bot"}));
    let user = |claims: Value| token(Some("at+jwt"), &claims);
    let good = json!({"uid": "00u1", "cid": "web", "scp": ["a", "b"], "realm_access": {"roles": ["clerks"]}});
    let authenticate = |user: &[u8]| {
        let bearer = [b"Bearer ", &agent[..]].concat();
        let presented = Presented::from_values(Some(&bearer), Some(user)).unwrap();
        let now = UnixTime::from_secs(NOW);
        let mut authenticator = Authenticator::new(8);
        let terms = Terms {
            trust: &trust,
            nonces: &Nonces::new([5; 32], now),
            require_nonce: true,
            method: "POST",
            origin: GATE,
            path: "/town/mcp",
            certificate: None,
        };
        let identified = authenticator.authenticate(&presented, &terms, &mut Scratch::new(), now);
        let principal = identified.map(|identified| identified.principal);
        principal.map(|principal| (principal.user().id().to_owned(), principal.user().groups().to_vec()))
    };
    assert_eq!(
        authenticate(&user(good.clone())).unwrap(),
        ("00u1".to_owned(), vec!["clerks".to_owned()])
    );
    for (change, fault) in [
        (json!({"uid": null}), Fault::Subject),
        (json!({"scp": "a b"}), Fault::Scope),
        (json!({"realm_access": {"roles": "clerks"}}), Fault::Groups),
        (json!({"cid": "00u1"}), Fault::SubjectIsAgent),
    ] {
        let mut claims = good.clone();
        claims
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        assert_eq!(authenticate(&user(claims)).unwrap_err().fault(), fault, "{change}");
    }
}

#[test]
fn a_pointer_is_read_as_rfc_6901_says() {
    let names = |groups: &str| ClaimNames {
        groups: groups.to_owned(),
        ..ClaimNames::default()
    };
    let claims = json!({"a/b": {"c~d": ["clerks"]}, "https://x/groups": ["clerks"]});
    for (name, count) in [("/a~1b/c~0d", 1), ("https://x/groups", 1), ("/a/b", 0), ("/", 0)] {
        let trust = trust(issuer(Dialect::default(), names(name)), "bot");
        let now = UnixTime::from_secs(NOW);
        let examination = examine(&token(Some("at+jwt"), &claims), Side::User, "idp", &trust, now);
        let facts = examination.verdict.unwrap();
        let groups = facts
            .iter()
            .find(|(name, _)| *name == "groups")
            .map(|(_, text)| text.as_str());
        assert_eq!(groups, Some(if count == 1 { "\"clerks\"" } else { "none" }), "{name}");
    }
}

#[test]
fn an_svid_belongs_to_its_trust_domain_whatever_its_issuer_says() {
    let dialect = Dialect {
        svid: true,
        ..marked(None, "sub", &[])
    };
    let domain = Issuer {
        issuer: "spiffe://town.example".to_owned(),
        ..issuer(dialect, ClaimNames::default())
    };
    let trust = trust(domain, "spiffe://town.example/bot");
    let svid = |claims: Value| {
        let mut all = json!({"iss": null, "iat": null, "sub": "spiffe://town.example/bot"});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        judge(&token(None, &all), Side::Agent, &trust)
    };
    assert_eq!(svid(json!({})), Ok(()));
    assert_eq!(svid(json!({"iss": "https://spire.example"})), Ok(()));
    assert_eq!(
        svid(json!({"exp": NOW + 3_601})),
        Err(Fault::Lifetime),
        "counted from now"
    );
    assert_eq!(svid(json!({"exp": null})), Err(Fault::TimeShape));
    assert_eq!(
        svid(json!({"sub": "spiffe://town.example/other"})),
        Err(Fault::AgentUnknown)
    );
    for sub in [
        "spiffe://town.example.evil/bot",
        "spiffe://town.example",
        "spiffe://town.example/",
        "spiffe://other.example/bot",
        "bot",
    ] {
        assert_eq!(svid(json!({"sub": sub})), Err(Fault::Issuer), "{sub}");
    }
    let foreign = json!({"iss": "spiffe://town.example", "sub": "spiffe://other.example/bot"});
    assert_eq!(
        svid(foreign),
        Err(Fault::Subject),
        "of its issuer, but not in its domain"
    );
}

#[test]
fn an_examination_says_where_a_token_failed_and_never_repeats_it() {
    let trust = trust(issuer(Dialect::default(), ClaimNames::default()), "bot");
    let bytes = token(Some("at+jwt"), &json!({"aud": "https://other.example"}));
    let examination = examine(&bytes, Side::User, "idp", &trust, UnixTime::from_secs(NOW));
    assert_eq!(examination.verdict, Err(Fault::Audience));
    let failed = examination
        .steps
        .iter()
        .position(|step| step.passed == Some(false))
        .unwrap();
    let step = &examination.steps[failed];
    assert_eq!(
        (step.name, step.found.as_str()),
        ("audience", "aud \"https://other.example\"")
    );
    assert_eq!(step.wanted, "\"https://gate.example\"");
    assert!(examination.steps[..failed].iter().all(|step| step.passed == Some(true)));
    assert!(examination.steps[failed + 1..].iter().all(|step| step.passed.is_none()));
    let said = format!("{examination:?}");
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.split('.').all(|part| !said.contains(part)), "{said}");
}
