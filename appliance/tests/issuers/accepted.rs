//! Tokens of real authorization servers pass, and the server behind the gate learns who calls for whom.

use serde_json::{Value, json};

use crate::client::Client;
use crate::gate_kit::AUDIENCE;
use crate::keys::{part, signing};
use crate::library::Library;
use crate::provider::Provider;
use crate::town::{CONSOLE, ELSEWHERE, TOWN, Town};

/// Calls with the tokens of an agent and of a user, who logs in at `front`, and says what the server was told.
fn passes(town: &Town, agent: &Client, front: &Client) -> Value {
    let token = agent.own_token(TOWN, "mcp");
    let user = front.login("ada", TOWN, "mcp").access_token;
    for (token, id) in [(&token, &agent.id), (&user, &front.id)] {
        assert_eq!(part(token, 0)["typ"], "at+jwt", "what the servers issue is RFC 9068");
        assert_eq!(
            (&part(token, 1)["client_id"], &part(token, 1)["aud"]),
            (&json!(id), &json!(TOWN))
        );
    }
    let response = town.call(&token, &user);
    assert_eq!(response.status, 200, "{response:?} {:#?}", town.records("refusal"));
    let claims = town.verified();
    assert_eq!(claims["iss"], AUDIENCE);
    assert_eq!(
        claims["sub_id"],
        json!({"format": "iss_sub", "iss": agent.issuer(), "sub": "ada"})
    );
    assert_eq!(
        claims["act"],
        json!({"iss": agent.issuer(), "sub": "clerk-bot", "sub_profile": "ai_agent"})
    );
    assert_eq!(
        (&claims["scope"], &claims["client_id"]),
        (&json!("mcp:tool:read"), &json!("town"))
    );
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!(life <= 60, "{life} s");
    claims
}

fn policy(town: &Town) -> Value {
    town.records("intent").pop().unwrap()["policies"].clone()
}

#[test]
fn a_user_of_a_front_end_that_is_registered_for_the_agent_passes() {
    let provider = Provider::start();
    let town = Town::trusting(&provider, CONSOLE);
    let (agent, front) = (provider.client("clerk-bot"), provider.client("console"));
    let first = passes(&town, &agent, &front);
    assert_eq!(policy(&town), json!(["client"]));
    // Another login of the same user is the same user to the server.
    let second = passes(&town, &agent, &front);
    assert_eq!(first["sub"], second["sub"]);
    assert_eq!(town.status()["place"], format!("{}/jwks", provider.issuer()));
    let elsewhere = town.judged(ELSEWHERE);
    assert!(!elsewhere.status.success(), "the server's library lets anything pass");
}

#[test]
fn a_user_whose_token_lets_the_agent_act_passes() {
    let provider = Provider::start_with(|settings| {
        settings["claims"] = json!({"console": {"may_act": {"sub": "clerk-bot"}}});
    });
    let town = Town::trusting(&provider, "");
    passes(&town, &provider.client("clerk-bot"), &provider.client("console"));
    assert_eq!(policy(&town), json!(["may_act"]));
}

#[test]
fn tokens_signed_with_rs256_and_eddsa_pass() {
    let mut provider = Provider::start_with(|settings| {
        settings["keys"] = json!([signing("RS256", "rsa"), signing("EdDSA", "ed")]);
        settings["algorithm"] = json!("RS256");
    });
    let town = Town::trusting(&provider, CONSOLE);
    assert_eq!(town.status()["keys"], 2);
    passes(&town, &provider.client("clerk-bot"), &provider.client("console"));
    provider.restart(|settings| settings["algorithm"] = json!("EdDSA"));
    passes(&town, &provider.client("clerk-bot"), &provider.client("console"));
}

#[test]
fn tokens_of_oauth_as_pass() {
    let library = Library::start();
    let town = Town::believing(&library, CONSOLE);
    passes(&town, &library.client("clerk-bot"), &library.client("console"));
    assert_eq!(town.status()["place"], format!("{}/jwks", library.issuer()));
}

#[test]
fn the_keys_of_an_issuer_behind_the_operators_own_authority_are_found() {
    let provider = Provider::start_over_tls(|_| {});
    let town = Town::trusting(&provider, CONSOLE);
    passes(&town, &provider.client("clerk-bot"), &provider.client("console"));
}
