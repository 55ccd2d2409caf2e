//! The sample server on its own, over real sockets, with tokens made as the gate makes them.

use portreeve_core::credential::SigningAlgorithm;
use portreeve_core::credential::SigningKey;
use portreeve_core::credential::documents;
use portreeve_core::jose::jwks::KeySet;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use serde_json::Value;
use serde_json::json;

use super::*;
use crate::clock;
use crate::demo::client;
use crate::demo::client::Answer;
use crate::demo::message;
use crate::demo::message::Outgoing;

const ISSUER: &str = "http://gate.example";
const AUDIENCE: &str = "https://ledger.example/mcp";

struct Fixture {
    server: Server,
    key: SigningKey,
}

fn fixture() -> Fixture {
    let key = fresh_key();
    let keys = KeySet::parse(&documents::jwks([&key])).unwrap();
    let guard = Guard {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        keys,
    };
    Fixture {
        server: Bound::new().unwrap().serve(guard).unwrap(),
        key,
    }
}

fn fresh_key() -> SigningKey {
    let random = SystemRandom::new();
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    SigningKey::from_pkcs8(SigningAlgorithm::Ed25519, pkcs8.as_ref(), &random).unwrap()
}

fn claims(scope: &str) -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "scope": scope, "exp": clock::now().secs() + 60 })
}

impl Fixture {
    fn post(&self, claims: &Value, outgoing: &Outgoing) -> Answer {
        self.post_signed(&self.key, "at+jwt", claims, outgoing)
    }

    fn post_signed(&self, key: &SigningKey, media: &str, claims: &Value, outgoing: &Outgoing) -> Answer {
        let mut bearer = b"Bearer ".to_vec();
        key.sign(media, claims.to_string().as_bytes(), &mut bearer).unwrap();
        let bearer = String::from_utf8(bearer).unwrap();
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(outgoing.headers.iter().map(|(name, value)| (*name, value.as_str())));
        client::post(self.server.address, PATH, &headers, &outgoing.body).unwrap()
    }
}

fn read_entry() -> Outgoing {
    message::modern(
        "tools/call",
        json!({ "name": "read_entry", "arguments": { "id": "permit-204" } }),
    )
}

#[test]
fn the_modern_era_is_discovered_listed_and_called_without_a_session() {
    let town = fixture();
    let session = claims("mcp:session");
    let found = town.post(&session, &message::modern("server/discover", json!({})));
    assert_eq!(found.message["result"]["supportedVersions"], json!(["2026-07-28"]));
    let listed = town.post(&session, &message::modern("tools/list", json!({})));
    assert_eq!(listed.message["result"]["tools"].as_array().unwrap().len(), 5);
    assert_eq!(
        listed.message["result"]["cacheScope"], "public",
        "the gate has something to correct"
    );
    let called = town.post(&claims("mcp:tool:read_entry"), &read_entry());
    assert_eq!(called.status, 200);
    assert_eq!(called.message["result"]["resultType"], "complete");
    assert_eq!(called.message["result"]["isError"], false);
    assert_eq!(called.session, None);
}

#[test]
fn the_legacy_era_lives_in_a_session_and_lists_in_an_event_stream() {
    let town = fixture();
    let (session_token, call_token) = (claims("mcp:session"), claims("mcp:tool:list_entries"));
    let opened = town.post(&session_token, &message::initialize());
    assert_eq!(opened.message["result"]["protocolVersion"], "2025-11-25");
    let session = opened.session.unwrap();
    assert_eq!(town.post(&session_token, &message::initialized(&session)).status, 202);
    let listed = town.post(&session_token, &message::legacy(&session, "tools/list", &json!({})));
    assert_eq!(listed.message["result"]["tools"].as_array().unwrap().len(), 5);
    let call = json!({ "name": "list_entries", "arguments": { "kind": "fee" } });
    let called = town.post(&call_token, &message::legacy(&session, "tools/call", &call));
    let text = called.message["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(text.lines().count(), 2);
    assert_eq!(
        town.post(&call_token, &message::legacy("someone-elses", "tools/call", &call))
            .status,
        404
    );
}

#[test]
fn a_token_for_another_tool_does_not_call() {
    let town = fixture();
    let answer = town.post(&claims("mcp:tool:list_entries"), &read_entry());
    assert_eq!(answer.status, 403);
    assert!(answer.challenge.unwrap().contains("insufficient_scope"));
}

#[test]
fn only_a_live_access_token_of_the_gate_for_this_server_gets_in() {
    let town = fixture();
    let good = claims("mcp:tool:read_entry");
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    for (what, wrong) in [
        ("another issuer", with("iss", json!("http://other.example"))),
        ("another audience", with("aud", json!("https://other.example/mcp"))),
        ("expired", with("exp", json!(clock::now().secs()))),
        ("no expiry", with("exp", Value::Null)),
    ] {
        assert_eq!(town.post(&wrong, &read_entry()).status, 401, "{what}");
    }
    assert_eq!(
        town.post_signed(&fresh_key(), "at+jwt", &good, &read_entry()).status,
        401,
        "another key"
    );
    assert_eq!(
        town.post_signed(&town.key, "JWT", &good, &read_entry()).status,
        401,
        "another type"
    );
    assert_eq!(
        client::post(town.server.address, PATH, &[], &read_entry().body)
            .unwrap()
            .status,
        401,
        "no token"
    );
    assert!(town.server.records().iter().all(|record| record.tool.is_none()));
}

#[test]
fn headers_that_contradict_the_body_are_refused() {
    let town = fixture();
    let mut outgoing = read_entry();
    for (name, value) in &mut outgoing.headers {
        if *name == "mcp-name" {
            *value = "delete_entry".to_owned();
        }
    }
    let answer = town.post(&claims("mcp:tool:read_entry"), &outgoing);
    assert_eq!(
        (answer.status, answer.message["error"]["code"].as_i64()),
        (400, Some(-32020))
    );
}

#[test]
fn every_byte_of_a_request_is_on_record() {
    let town = fixture();
    town.post(&claims("mcp:tool:read_entry"), &read_entry());
    let records = town.server.records();
    let [record] = records.as_slice() else {
        panic!("{} records", records.len())
    };
    assert!(record.contains(b"POST /mcp HTTP/1.1"));
    assert!(record.contains(br#""id":"permit-204""#));
    assert!(record.headers.contains(&"mcp-name".to_owned()));
    assert_eq!(record.tool.as_deref(), Some("read_entry"));
    assert!(record.claims.as_ref().unwrap().contains("mcp:tool:read_entry"));
}
