//! The Wycheproof vectors for JWS and JWK (C2SP/wycheproof, Apache-2.0) against keys and signatures.
//!
//! The payloads are no claims, so the signature is driven, not the authenticator. Known quirks of the vectors, all on
//! the side of refusing more:
//! - tc346 and tc350 call it valid that a header says PS384 where the JWK says PS256; tc347 and tc351 use a JWK `alg`
//!   "ES521", which does not exist. None of these algorithms is supported here.
//! - tc372 and tc373 call it valid that base64url has a `?` in it; they are HMAC, which is not supported either.
//! - "rejectsKeyWithRocaVulnerability" needs a fingerprint of weak prime generators, which is the issuer's business.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says how many vectors there were"
)]

use portreeve_core::jose::Algorithm;
use portreeve_core::jose::jwks::KeySet;
use portreeve_core::jose::jws::Compact;
use portreeve_core::jose::jws::Header;
use portreeve_core::json::Scratch;
use serde_json::Value;
use serde_json::json;
use wycheproof_ng_kdf_jose::json_web::TestName;

/// Each group's key set with each of its tests.
fn vectors(name: TestName) -> Vec<(KeySet, Value)> {
    let set: Value = serde_json::from_str(name.json_data()).unwrap();
    let mut vectors = Vec::new();
    for group in set["testGroups"].as_array().unwrap() {
        let keys = if group["public"].is_null() {
            &group["private"]
        } else {
            &group["public"]
        };
        let document = if keys["keys"].is_array() {
            keys.clone()
        } else {
            json!({"keys": [keys]})
        };
        let keys = KeySet::parse(document.to_string().as_bytes()).unwrap();
        for test in group["tests"].as_array().unwrap() {
            vectors.push((keys.clone(), test.clone()));
        }
    }
    vectors
}

/// As identity verifies: the header's algorithm has to be the one of the key that it names.
fn verifies(token: &str, keys: &KeySet) -> bool {
    let verify = || {
        let compact = Compact::split(token.as_bytes()).ok()?;
        let header = Header::read(&compact, &mut Vec::new(), &mut Scratch::new()).ok()?;
        let key = keys.get(&header.kid?)?;
        let algorithm = header.algorithm?;
        (key.algorithm(&[algorithm]) == Some(algorithm)).then_some(())?;
        compact.verify(key.public(), algorithm).ok()
    };
    verify().is_some()
}

/// Whether the token's own header names an algorithm that is supported, as far as that can be told.
fn supported(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    portreeve_core::jose::base64url::decode(header.as_bytes())
        .ok()
        .and_then(|header| serde_json::from_slice::<Value>(&header).ok())
        .and_then(|header| Algorithm::from_name(header["alg"].as_str()?))
        .is_some()
}

#[test]
fn signatures_verify_exactly_when_the_vectors_say_so() {
    let (mut valid, mut invalid, mut unsupported) = (0, 0, 0);
    for (keys, test) in vectors(TestName::JsonWebSignature) {
        let name = format!("tc{} {}", test["tcId"], test["comment"]);
        // JSON serialisations come as objects, and are refused as such.
        let token = test["jws"]
            .as_str()
            .map_or_else(|| test["jws"].to_string(), str::to_owned);
        let verified = verifies(&token, &keys);
        match test["result"].as_str().unwrap() {
            "valid" if supported(&token) => {
                assert!(verified, "{name} is valid");
                valid += 1;
            }
            "valid" => {
                assert!(!verified, "{name} is not supported");
                unsupported += 1;
            }
            _ => {
                assert!(!verified, "{name} is invalid");
                invalid += 1;
            }
        }
    }
    println!("{valid} valid, {invalid} invalid, {unsupported} valid but not supported");
    assert_eq!(valid + invalid + unsupported, 401);
    assert!(valid >= 10);
}

#[test]
fn keys_are_used_exactly_when_the_vectors_say_so() {
    let mut used = 0;
    for (keys, test) in vectors(TestName::JsonWebKey) {
        let (Some(token), Some(comment)) = (test["jws"].as_str(), test["comment"].as_str()) else {
            continue;
        };
        let verified = verifies(token, &keys);
        if test["result"] == "valid" && supported(token) {
            assert!(verified, "tc{} {comment} is valid", test["tcId"]);
            used += 1;
        } else if comment != "rejectsKeyWithRocaVulnerability" {
            assert!(!verified, "tc{} {comment} is not to be used", test["tcId"]);
        }
    }
    assert!(used >= 1);
}
