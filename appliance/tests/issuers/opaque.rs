//! Opaque tokens of a real authorization server, which the gate asks what they are, known there by its certificate.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::text;
use crate::gate_kit::AUDIENCE;
use crate::keys::{Certified, Key};
use crate::provider::{Provider, certified};
use crate::town::{CONSOLE, ELSEWHERE, TOWN, Town};

/// A provider whose tokens for the town are opaque, and a gate that finds out where to ask about them.
struct Scene {
    provider: Provider,
    town: Town,
    _certificate: TempDir,
}

impl Scene {
    fn new() -> Self {
        let (own, folder) = (Certified::own("gate"), TempDir::new().unwrap());
        let provider = Provider::start_over_tls(|settings| {
            settings["opaque"] = json!([TOWN, ELSEWHERE]);
            let clients = settings["clients"].as_array_mut().unwrap();
            clients.push(certified("gate", &own));
        });
        let place = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (certificate, key) = (place("own.pem", &own.certificate_pem), place("own.key", &own.key_pem()));
        let asking = format!(
            "introspection = {{ client_id = \"gate\", client_auth = \"mtls\", certificate = {certificate:?}, key = {key:?} }}"
        );
        let town = Town::asking(&provider, &asking, CONSOLE);
        Self {
            provider,
            town,
            _certificate: folder,
        }
    }

    fn agent(&self, resource: &str) -> String {
        self.provider.client("clerk-bot").own_token(resource, "mcp")
    }

    fn user(&self, resource: &str) -> String {
        self.provider
            .client("console")
            .login("ada", resource, "mcp")
            .access_token
    }
}

#[test]
fn opaque_tokens_of_oidc_provider_pass() {
    let scene = Scene::new();
    let (agent, user) = (scene.agent(TOWN), scene.user(TOWN));
    assert!(!agent.contains('.') && !user.contains('.'), "these are no JWTs");
    let response = scene.town.call(&agent, &user);
    assert_eq!(
        response.status,
        200,
        "{response:?} {:#?}",
        scene.town.records("refusal")
    );
    let claims: Value = scene.town.verified();
    assert_eq!(claims["iss"], AUDIENCE);
    let iss = scene.provider.issuer();
    assert_eq!(claims["sub_id"], json!({"format": "iss_sub", "iss": iss, "sub": "ada"}));
    assert_eq!(
        claims["act"],
        json!({"iss": iss, "sub": "clerk-bot", "sub_profile": "ai_agent"})
    );
    // The groups that its policy asks for are in what the provider said.
    let intent = scene.town.records("intent").pop().unwrap();
    assert_eq!(intent["policies"], json!(["client"]));
}

#[test]
fn opaque_tokens_of_oidc_provider_that_are_not_for_this_gate_are_refused() {
    let scene = Scene::new();
    let (agent, user) = (scene.agent(TOWN), scene.user(TOWN));
    let town = &scene.town;
    town.refuses(&scene.agent(ELSEWHERE), &user, "aud");
    town.refuses(&agent, &scene.user(ELSEWHERE), "aud");
    // Not issued by anybody, and each in the other's place.
    town.refuses(&agent[1..], &user, "introspection");
    town.refuses(&user, &agent, "agent_unknown");
    let stray = scene.provider.client("stray").own_token(TOWN, "mcp");
    town.refuses(&stray, &user, "agent_unknown");
    let kiosk = scene.provider.client("kiosk").login("ada", TOWN, "mcp").access_token;
    town.refuses(&agent, &kiosk, "link");
}

#[test]
fn an_opaque_token_that_was_revoked_at_oidc_provider_is_refused() {
    let scene = Scene::new();
    let (agent, user) = (scene.agent(TOWN), scene.user(TOWN));
    scene.provider.client("console").revoke(&user);
    scene.town.refuses(&agent, &user, "introspection");
    assert_eq!(scene.town.call(&agent, &scene.user(TOWN)).status, 200);
}

#[test]
fn an_opaque_token_of_oidc_provider_that_is_bound_to_a_key_is_no_bearer_token() {
    let scene = Scene::new();
    let granted = scene.provider.client("clerk-bot").dpop_token(TOWN, "mcp", &Key::new());
    assert_eq!(granted["token_type"], "DPoP");
    scene
        .town
        .refuses(&text(&granted, "access_token"), &scene.user(TOWN), "pop");
}

#[test]
fn what_oidc_provider_does_not_answer_is_neither_good_nor_bad() {
    let mut scene = Scene::new();
    let (agent, user) = (scene.agent(TOWN), scene.user(TOWN));
    assert_eq!(scene.town.call(&agent, &user).status, 200);
    let another = scene.user(TOWN);
    scene.provider.die();
    assert_eq!(scene.town.call(&agent, &user).status, 200);
    assert_eq!(scene.town.call(&agent, &another).status, 503);
}
