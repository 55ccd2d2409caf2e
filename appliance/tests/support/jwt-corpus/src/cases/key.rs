//! Keys: identifiers that are not keys of the set, keys that must not be used, keys that a token brings along.

use serde_json::json;

use crate::Expect::Reject;
use crate::forge::ABSENT;
use crate::forge::Forge;
use crate::keys::Signer;
use crate::keys::ec;

pub(super) fn add(forge: &mut Forge<'_>) {
    identifiers(forge);
    unusable(forge);
    brought_along(forge);
    extensions(forge);
}

fn identifiers(forge: &mut Forge<'_>) {
    let decoy = &forge.settings.decoy;
    let odd = [
        ("absent", json!(ABSENT)),
        ("null", json!(null)),
        ("a number", json!(7)),
        ("an object", json!({"kid": "es"})),
        ("an array", json!(["es"])),
        ("empty", json!("")),
        ("unknown", json!("nobody")),
        ("in capitals", json!("ES")),
        ("followed by a space", json!("es ")),
        ("followed by NUL", json!("es\0")),
        ("a path", json!("../../../../dev/null")),
        ("SQL", json!("x' UNION SELECT 'secret' --")),
        ("a URL", json!(format!("http://{decoy}/keys"))),
        ("a shell command", json!("|sleep 10")),
        ("longer than allowed", json!("k".repeat(300))),
        ("of 100 kB", json!("k".repeat(100_000))),
        ("that of another key", json!("es-2")),
    ];
    for (name, kid) in odd {
        forge.with_header("kid", &format!("kid is {name}"), json!({"kid": kid}), Reject);
    }
}

fn unusable(forge: &mut Forge<'_>) {
    let keys = forge.keys;
    for kid in ["enc", "key-ops", "private", "twin", "unknown-alg", "curve", "short"] {
        let signer = Signer::Ecdsa(&keys.unusable);
        forge.signed(
            "key",
            &format!("signed with key {kid}"),
            (json!({"kid": kid}), json!({})),
            signer,
            Reject,
        );
    }
    let signer = Signer::Ecdsa(&keys.es256);
    forge.signed(
        "key",
        "signed with the other key twin",
        (json!({"kid": "twin"}), json!({})),
        signer,
        Reject,
    );
    for alg in ["ES256", "ES384"] {
        let header = json!({"kid": "wrong-alg", "alg": alg});
        let signer = Signer::Ecdsa(&keys.unusable);
        forge.signed(
            "key",
            &format!("{alg} with a P-256 key for ES384"),
            (header, json!({})),
            signer,
            Reject,
        );
    }
    for kid in ["weak", "e3"] {
        let header = json!({"kid": kid, "alg": "RS256"});
        forge.signed(
            "key",
            &format!("RS256 with key {kid}"),
            (header, json!({})),
            Signer::Rs256(&keys.rsa),
            Reject,
        );
    }
    let signer = Signer::Ecdsa(&keys.foreign);
    forge.signed(
        "sig",
        "signed by a stranger under our kid",
        (json!({}), json!({})),
        signer,
        Reject,
    );
}

fn brought_along(forge: &mut Forge<'_>) {
    let keys = forge.keys;
    let foreign = ec("attacker", &keys.foreign, json!({}));
    for (name, header) in [
        ("jwk with our kid", json!({"jwk": foreign})),
        ("jwk without kid", json!({"jwk": foreign, "kid": ABSENT})),
        ("x5c", json!({"x5c": ["MIIB"]})),
    ] {
        forge.signed(
            "embedded",
            name,
            (header, json!({})),
            Signer::Ecdsa(&keys.foreign),
            Reject,
        );
    }
    fetched(forge);
    let ours = ec("es", &keys.es256, json!({}));
    forge.with_header("embedded", "jwk that is our own key", json!({"jwk": ours}), Reject);
}

/// Keys that are somewhere else: whoever looks there lets a stranger choose whom the gate calls.
fn fetched(forge: &mut Forge<'_>) {
    let keys = forge.keys;
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://{}/jwks.json", forge.settings.decoy);
        for (name, header, claims) in [
            ("jku with our kid", json!({"jku": url}), json!({})),
            (
                "jku with its own kid",
                json!({"jku": url, "kid": "attacker"}),
                json!({}),
            ),
            ("jku without kid", json!({"jku": url, "kid": ABSENT}), json!({})),
            ("x5u", json!({"x5u": url}), json!({})),
            ("x5u without kid", json!({"x5u": url, "kid": ABSENT}), json!({})),
            ("jwks_uri in the header", json!({"jwks_uri": url}), json!({})),
            ("jwk as a URL", json!({"jwk": url}), json!({})),
            ("kid and jku as one URL", json!({"kid": url, "jku": url}), json!({})),
            ("iss and jku of one host", json!({"jku": url}), json!({"iss": url})),
            ("jwks_uri in the claims", json!({}), json!({"jwks_uri": url})),
            ("a confirmation key by URL", json!({}), json!({"cnf": {"jku": url}})),
            (
                "claims by URL",
                json!({}),
                json!({"_claim_names": {"groups": "s"}, "_claim_sources": {"s": {"endpoint": url}}}),
            ),
        ] {
            let name = format!("{name}, {scheme}");
            forge.signed("fetched", &name, (header, claims), Signer::Ecdsa(&keys.foreign), Reject);
        }
    }
}

fn extensions(forge: &mut Forge<'_>) {
    for (name, header) in [
        ("crit with an unknown name", json!({"crit": ["exp-v2"], "exp-v2": 1})),
        ("crit with a name that is not there", json!({"crit": ["exp-v2"]})),
        ("crit with b64", json!({"crit": ["b64"], "b64": false})),
        ("crit that is empty", json!({"crit": []})),
        ("crit with alg", json!({"crit": ["alg"]})),
        ("crit as a string", json!({"crit": "exp"})),
        ("crit as null", json!({"crit": null})),
        ("b64 without crit", json!({"b64": false})),
        ("b64 that changes nothing", json!({"b64": true})),
        ("zip", json!({"zip": "DEF"})),
        ("cty of a nested token", json!({"cty": "JWT"})),
    ] {
        forge.with_header("crit", name, header, Reject);
    }
}
