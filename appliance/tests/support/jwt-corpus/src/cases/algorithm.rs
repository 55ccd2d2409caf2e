//! Algorithms: none, symmetric ones keyed with public knowledge, and a key used with another algorithm than its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::signature::KeyPair;
use serde_json::json;

use crate::Expect::Reject;
use crate::forge::ABSENT;
use crate::forge::Forge;
use crate::forge::patch;
use crate::keys::OCT_SECRET;
use crate::keys::Signer;
use crate::keys::ec;
use crate::keys::encode;

const GROUP: &str = "alg";

pub(super) fn add(forge: &mut Forge<'_>) {
    unsigned(forge);
    names(forge);
    public_key_as_secret(forge);
    crossed(forge);
}

fn unsigned(forge: &mut Forge<'_>) {
    for alg in ["none", "None", "NONE", "nOnE", "none "] {
        let mut header = forge.header();
        patch(&mut header, json!({"alg": alg}));
        let token = forge.valid_claims_under(&header);
        let unsigned = &token[..=token.rfind('.').expect("a token has dots")];
        forge.add(GROUP, &format!("{alg:?} without a signature"), unsigned, Reject);
        forge.add(GROUP, &format!("{alg:?} with a signature"), &token, Reject);
    }
}

fn names(forge: &mut Forge<'_>) {
    let odd = [
        json!(ABSENT),
        json!(null),
        json!(["ES256"]),
        json!({"ES256": true}),
        json!(256),
        json!(true),
        json!(""),
        json!("es256"),
        json!("Es256"),
        json!(" ES256"),
        json!("ES256 "),
        json!("ES256\0"),
        json!("ES256,none"),
        json!("\u{ff25}S256"),
        json!("ES256K"),
        json!("ES512"),
        json!("ES521"),
        json!("RS1"),
        json!("RS512"),
        json!("Ed448"),
        json!("SHA256withECDSA"),
        json!("dir"),
        json!("RSA-OAEP"),
        json!("PBES2-HS256+A128KW"),
    ];
    for alg in odd {
        forge.with_header(GROUP, &format!("alg is {alg}"), json!({"alg": alg}), Reject);
    }
}

/// RS256, ES256 or EdDSA to HS256: the secret is something that everybody knows.
fn public_key_as_secret(forge: &mut Forge<'_>) {
    const P256_SPKI: &[u8] =
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\
        \x03\x42\x00";
    const RSA_SPKI: &[u8] =
        b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";
    const ED25519_SPKI: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
    let keys = forge.keys;
    let point = keys.es256.public_key().as_ref().to_vec();
    let rsa = keys.rsa.public_key().as_ref().to_vec();
    let ed25519 = keys.ed25519.public_key().as_ref().to_vec();
    let spki = [
        ("es", [P256_SPKI, &point].concat()),
        ("rs", [RSA_SPKI, &rsa].concat()),
        ("ed", [ED25519_SPKI, &ed25519].concat()),
    ];
    let mut secrets: Vec<(&str, String, Vec<u8>)> = Vec::new();
    for (kid, der) in spki {
        secrets.push((kid, "its SPKI in PEM".to_owned(), pem(&der).into_bytes()));
        secrets.push((
            kid,
            "its SPKI in PEM without the last line end".to_owned(),
            pem(&der).trim_end().into(),
        ));
        secrets.push((kid, "its SPKI in DER".to_owned(), der));
    }
    for (kid, what, secret) in [
        ("es", "its point", point.clone()),
        ("es", "its x", point[1..33].to_vec()),
        (
            "es",
            "its JWK",
            ec("es", &keys.es256, json!({})).to_string().into_bytes(),
        ),
        ("rs", "its PKCS#1 form", rsa),
        ("rs", "its modulus", keys.rsa_modulus()),
        ("rs", "its modulus as text", encode(&keys.rsa_modulus()).into_bytes()),
        ("ed", "its raw bytes", ed25519),
        ("es", "nothing", Vec::new()),
        ("oct", "the published symmetric key", OCT_SECRET.to_vec()),
        ("oct-hs256", "the published symmetric key", OCT_SECRET.to_vec()),
        ("oct-rs256", "the published symmetric key", OCT_SECRET.to_vec()),
    ] {
        secrets.push((kid, what.to_owned(), secret));
    }
    for (kid, what, secret) in &secrets {
        let header = json!({"alg": "HS256", "kid": kid});
        let signer = Signer::Hmac(hmac::HMAC_SHA256, secret);
        forge.signed(
            GROUP,
            &format!("HS256 with {kid}: {what}"),
            (header, json!({})),
            signer,
            Reject,
        );
    }
    for (alg, algorithm) in [("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)] {
        let signer = Signer::Hmac(algorithm, OCT_SECRET);
        let header = json!({"alg": alg, "kid": "oct"});
        forge.signed(
            GROUP,
            &format!("{alg} with a published key"),
            (header, json!({})),
            signer,
            Reject,
        );
    }
}

fn crossed(forge: &mut Forge<'_>) {
    let keys = forge.keys;
    for (name, alg, kid, signer) in [
        ("PS256 with the RS256 key", "PS256", "rs", Signer::Ps256(&keys.rsa)),
        ("RS256 with the PS256 key", "RS256", "ps", Signer::Rs256(&keys.rsa)),
        (
            "PS256 with the key that has no alg",
            "PS256",
            "rsa-without-alg",
            Signer::Ps256(&keys.rsa),
        ),
        ("ES384 with a P-256 key", "ES384", "es", Signer::Ecdsa(&keys.es256)),
        ("ES256 with a P-384 key", "ES256", "es384", Signer::Ecdsa(&keys.es384)),
        ("EdDSA with a P-256 key", "EdDSA", "es", Signer::Ed25519(&keys.ed25519)),
        ("ES256 with an Ed25519 key", "ES256", "ed", Signer::Ecdsa(&keys.es256)),
        ("RS256 with a P-256 key", "RS256", "es", Signer::Rs256(&keys.rsa)),
    ] {
        forge.signed(
            GROUP,
            name,
            (json!({"alg": alg, "kid": kid}), json!({})),
            signer,
            Reject,
        );
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for start in (0..text.len()).step_by(64) {
        pem += &text[start..text.len().min(start + 64)];
        pem += "\n";
    }
    pem + "-----END PUBLIC KEY-----\n"
}
