//! What has to be accepted: a gate that refuses everything passes no test.

use serde_json::json;

use crate::Corpus;
use crate::Expect::Accept;
use crate::Side;
use crate::forge::ABSENT;
use crate::forge::Forge;
use crate::keys::Signer;

const GROUP: &str = "ok";

pub(super) fn add(forge: &mut Forge<'_>) {
    let keys = forge.keys;
    let signers = [
        ("ES256", "es", Signer::Ecdsa(&keys.es256)),
        ("ES256", "es-2", Signer::Ecdsa(&keys.es256_second)),
        ("ES384", "es384", Signer::Ecdsa(&keys.es384)),
        ("EdDSA", "ed", Signer::Ed25519(&keys.ed25519)),
        ("Ed25519", "ed", Signer::Ed25519(&keys.ed25519)),
        ("RS256", "rs", Signer::Rs256(&keys.rsa)),
        ("PS256", "ps", Signer::Ps256(&keys.rsa)),
        ("RS256", "rsa-without-alg", Signer::Rs256(&keys.rsa)),
    ];
    for (alg, kid, signer) in signers {
        let header = json!({"alg": alg, "kid": kid});
        forge.signed(
            GROUP,
            &format!("{alg} with key {kid}"),
            (header, json!({})),
            signer,
            Accept,
        );
    }
    for (name, header) in [
        ("typ as a whole media type", json!({"typ": "application/at+jwt"})),
        ("typ in capitals", json!({"typ": "Application/AT+JWT"})),
        ("a header member that means nothing", json!({"x-note": "nothing"})),
    ] {
        forge.with_header(GROUP, name, header, Accept);
    }
    let (now, aud) = (forge.now(), forge.settings.audience.clone());
    let cap = match forge.side {
        Side::Agent => 3600,
        Side::User => 24 * 3600,
    };
    for (name, claims) in [
        ("aud as an array", json!({"aud": [aud]})),
        (
            "aud with another one",
            json!({"aud": ["https://elsewhere.example", aud]}),
        ),
        ("life as long as allowed", json!({"iat": now, "exp": now + cap})),
        ("nbf in the past", json!({"nbf": now - 5})),
        (
            "a clock that is a little ahead",
            json!({"iat": now + 20, "nbf": now + 20}),
        ),
        (
            "scope, login facts and a claim that means nothing",
            json!({
                "scope": "mcp:read mcp:write", "auth_time": now - 100, "acr": "aal2", "amr": ["pwd", "otp"], "note": {"a": [1.5]},
            }),
        ),
    ] {
        forge.with_claims(GROUP, name, claims, Accept);
    }
    let token = forge.valid_token();
    match forge.side {
        Side::Agent => forge.add_value(
            GROUP,
            "the scheme in capitals",
            format!("BEARER {token}").into(),
            Accept,
        ),
        Side::User => {
            let claims = json!({"azp": ABSENT, "may_act": {"sub": Corpus::AGENT}});
            forge.with_claims(GROUP, "linked by may_act", claims, Accept);
            let claims = json!({"azp": ABSENT, "client_id": Corpus::AGENT});
            forge.with_claims(GROUP, "linked by client_id", claims, Accept);
        }
    }
}
