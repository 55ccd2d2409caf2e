//! Tokens that are bound to a key or a certificate: what the servers issue, and that none of them is a bearer token here.

use serde_json::json;

use crate::client::{dpop_proof, text};
use crate::keys::{Certified, Key, part};
use crate::library::Library;
use crate::provider::{Provider, certified};
use crate::town::{CONSOLE, TOWN, Town};

#[test]
fn a_dpop_token_of_oidc_provider_needs_a_nonce_names_its_key_and_is_no_bearer_token() {
    let provider = Provider::start_with(|settings| settings["nonce"] = json!(true));
    let town = Town::trusting(&provider, CONSOLE);
    let (bot, key) = (provider.client("clerk-bot"), Key::new());
    let form = [
        ("grant_type", "client_credentials"),
        ("resource", TOWN),
        ("scope", "mcp"),
    ];
    let proof = dpop_proof(&key, "POST", &bot.endpoint("token"), None, None);
    let without = bot.ask("token", &[("dpop", &proof)], &form);
    assert_eq!(
        (without.status, &without.json()["error"]),
        (400, &json!("use_dpop_nonce"))
    );

    let granted = bot.dpop_token(TOWN, "mcp", &key);
    assert_eq!(granted["token_type"], "DPoP");
    let token = text(&granted, "access_token");
    assert_eq!(part(&token, 1)["cnf"], json!({"jkt": key.thumbprint()}));
    let user = provider.client("console").login("ada", TOWN, "mcp").access_token;
    town.refuses(&token, &user, "pop");
}

#[test]
fn a_dpop_token_of_oauth_as_names_its_key_and_is_no_bearer_token() {
    let library = Library::start();
    let town = Town::believing(&library, CONSOLE);
    let key = Key::new();
    let granted = library.client("clerk-bot").dpop_token(TOWN, "mcp", &key);
    assert_eq!(granted["token_type"], "DPoP");
    let token = text(&granted, "access_token");
    assert_eq!(part(&token, 1)["cnf"]["jkt"], key.thumbprint());
    let user = library.client("console").login("ada", TOWN, "mcp").access_token;
    town.refuses(&token, &user, "pop");
}

#[test]
fn a_token_of_an_mtls_client_names_its_certificate_passes_with_it_and_is_no_bearer_token() {
    let own = Certified::own("mtls-bot");
    let provider = Provider::start_over_tls(|settings| {
        let clients = settings["clients"].as_array_mut().unwrap();
        clients.push(certified("mtls-bot", &own));
    });
    let other = provider.client_with("mtls-bot", &Certified::own("mtls-bot"));
    assert_eq!(other.refused(&[("grant_type", "client_credentials")]), "invalid_client");
    let token = provider.client_with("mtls-bot", &own).own_token(TOWN, "mcp");
    assert_eq!(part(&token, 1)["cnf"], json!({"x5t#S256": own.thumbprint()}));

    let registered = "[agents.mtls-bot]\nissuer = \"idp\"\nsubject = \"mtls-bot\"\nclients.idp = \"kiosk\"";
    let town = Town::trusting(&provider, registered);
    let user = provider.client("kiosk").login("ada", TOWN, "mcp").access_token;
    town.refuses(&token, &user, "pop");

    let town = Town::asking_for_certificates(&provider, registered);
    for other in [None, Some(Certified::own("mtls-bot"))] {
        town.shows(other.as_ref());
        town.refuses(&token, &user, "pop");
    }
    town.shows(Some(&own));
    let passed = town.call(&token, &user);
    assert_eq!(passed.status, 200, "{passed:?}");
    assert_eq!(town.records("intent")[0]["binding"], "mtls");
}
