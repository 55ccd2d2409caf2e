//! Servers behind the gate are shown tokens that real authorization servers exchanged for those of the callers.

use serde_json::{Value, json};

use crate::client::{Client, TOKEN_EXCHANGE, call_proof, dpop_proof, text};
use crate::keys::{Key, part};
use crate::library::Library;
use crate::provider::Provider;
use crate::shown::{across, before, client, end, exchanging, not_given, passed, verified};
use crate::town::{CONSOLE, ELSEWHERE, LEDGER, TOWN, judge};

const NOT_GIVEN: &str = "gives no token";
const GET_NEW_ONES: &str = "get new ones";

/// Tokens of an agent and of a user, who logs in at `front` for these scopes.
fn pair(agent: &Client, front: &Client, scope: &str) -> (String, String) {
    (
        agent.own_token(TOWN, "mcp"),
        front.login("ada", TOWN, scope).access_token,
    )
}

/// How often the gate exchanged a token for that server.
fn exchanges(provider: &Provider, server: &str) -> Vec<Value> {
    let mut asked = provider.asked(&client(server));
    asked.retain(|asked| asked["grant_type"] == TOKEN_EXCHANGE);
    asked
}

#[test]
fn a_server_is_shown_a_token_that_names_user_and_agent_and_outlives_neither() {
    let mut provider = Provider::start_with(exchanging(json!({"actor": "anybody"})));
    let town = before(&mut provider, CONSOLE, &[("town", "mode = \"exchange\"")]);
    let (bot, console) = (provider.client("clerk-bot"), provider.client("console"));
    let (agent, user) = pair(&bot, &console, "mcp town:read town:write");
    for _ in 0..8 {
        passed(&town, &town.call_at("town", "read", &agent, Some(&user)));
    }
    assert_eq!(exchanges(&provider, "town").len(), 1, "however many calls");

    let claims = verified(&town, provider.issuer(), LEDGER, &["act"]);
    assert_eq!(
        (&claims["sub"], &claims["act"], &claims["scope"], &claims["client_id"]),
        (
            &json!("ada"),
            &json!({"sub": "clerk-bot"}),
            &json!("town:read"),
            &json!("portreeve-town")
        )
    );
    assert!(claims["exp"].as_u64().unwrap() <= end(&agent).min(end(&user)));
    let elsewhere = judge(
        (provider.issuer(), None),
        provider.issuer(),
        ELSEWHERE,
        &town.shown(),
        &[],
    );
    assert!(!elsewhere.status.success(), "the server's library lets anything pass");
    for intent in town.records("intent") {
        assert_eq!(
            (&intent["credential"], &intent["token"], &intent["scope"]),
            (&json!("exchange"), &claims["jti"], &json!("town:read"))
        );
    }

    passed(&town, &town.call_at("town", "write", &agent, Some(&user)));
    let written = verified(&town, provider.issuer(), LEDGER, &["act"]);
    assert_eq!(written["scope"], "town:write", "another tool, another token");
    assert_ne!(written["jti"], claims["jti"]);
    assert_eq!(exchanges(&provider, "town").len(), 2);
    // The log, which stands beside the configuration, is no reason to read that again.
    assert_eq!(town.whole_status()["generation"], 1);
}

#[test]
fn a_user_who_grants_less_the_next_time_is_given_less_at_once() {
    let mut provider = Provider::start_with(exchanging(json!({"actor": "anybody"})));
    let town = before(&mut provider, CONSOLE, &[("town", "mode = \"exchange\"")]);
    let (bot, console) = (provider.client("clerk-bot"), provider.client("console"));
    let (agent, user) = pair(&bot, &console, "mcp town:read");
    passed(&town, &town.call(&agent, &user));
    let less = console.login("ada", TOWN, "mcp").access_token;
    not_given(&town, "credential_forbidden", NOT_GIVEN, || town.call(&agent, &less));
    passed(&town, &town.call(&agent, &user));
    assert_eq!(exchanges(&provider, "town").len(), 2);
}

#[test]
fn who_acts_in_the_token_is_the_agent_the_gate_or_nobody_as_configured() {
    let mut provider = Provider::start_with(exchanging(json!({"actor": "anybody"})));
    let servers = [
        ("town", "mode = \"exchange\""),
        ("gateway", "mode = \"exchange\"\nactor = \"gateway\""),
        ("nobody", "mode = \"exchange\"\nactor = \"none\""),
    ];
    let town = before(&mut provider, CONSOLE, &servers);
    let (bot, console) = (provider.client("clerk-bot"), provider.client("console"));
    let (agent, user) = pair(&bot, &console, "mcp town:read");
    let acts = |server: &str, agent: &str, user: Option<&str>| {
        passed(&town, &town.call_at(server, "read", agent, user));
        let claims = verified(&town, provider.issuer(), LEDGER, &[]);
        assert_eq!(claims["sub"], "ada");
        claims["act"].clone()
    };
    assert_eq!(acts("town", &agent, Some(&user)), json!({"sub": "clerk-bot"}));
    assert_eq!(
        acts("gateway", &agent, Some(&user)),
        json!({"sub": "portreeve-gateway"})
    );
    assert_eq!(acts("nobody", &agent, Some(&user)), Value::Null);

    // One token that names both, which somebody else had exchanged before.
    let answer = provider.client("gateway").exchange(&user, Some(&agent), TOWN);
    let both = text(&answer.json(), "access_token");
    assert_eq!(part(&both, 1)["act"], json!({"sub": "clerk-bot"}));
    assert_eq!(acts("town", &both, None), json!({"sub": "clerk-bot"}));
    let chain = json!({"sub": "portreeve-gateway", "act": {"sub": "clerk-bot"}});
    assert_eq!(acts("gateway", &both, None), chain);
    assert_eq!(
        acts("nobody", &both, None),
        json!({"sub": "clerk-bot"}),
        "it was in the token"
    );
}

#[test]
fn a_token_that_names_nobody_or_has_other_scopes_or_another_place_never_reaches_the_server() {
    let mut provider = Provider::start_with(exchanging(json!({"actor": "anybody"})));
    let servers = [
        ("town", "mode = \"exchange\""),
        ("nowhere", "mode = \"exchange\"\nresource = \"https://nobody.test\""),
        ("less", "mode = \"exchange\"\nscopes.list = \"mcp town:read\""),
    ];
    let town = before(&mut provider, CONSOLE, &servers);
    let (bot, console) = (provider.client("clerk-bot"), provider.client("console"));
    let (agent, user) = pair(&bot, &console, "mcp town:read");
    let call = |server: &'static str, tool: &'static str| town.call_at(server, tool, &agent, Some(&user));

    not_given(&town, "credential_forbidden", NOT_GIVEN, || call("town", "write"));
    assert_eq!(
        exchanges(&provider, "town")[0]["error"],
        "invalid_scope",
        "more than the user granted"
    );
    not_given(&town, "credential_forbidden", NOT_GIVEN, || call("nowhere", "read"));
    assert_eq!(exchanges(&provider, "nowhere")[0]["error"], "invalid_target");

    provider.restart(|settings| settings["exchange"] = json!({"actor": "ignored"}));
    not_given(&town, "credential_forbidden", NOT_GIVEN, || call("town", "read"));
    assert_eq!(
        exchanges(&provider, "town")[1]["error"],
        Value::Null,
        "an impersonation was given"
    );

    // More than was asked for is refused, less is taken, and the audit says what it was.
    provider.restart(|settings| {
        settings["exchange"] = json!({"actor": "anybody", "scope": "all"});
        settings["resources"][LEDGER] = json!("mcp");
    });
    not_given(&town, "credential_forbidden", NOT_GIVEN, || call("nowhere", "other"));
    passed(&town, &call("less", "list"));
    assert_eq!(verified(&town, provider.issuer(), LEDGER, &["act"])["scope"], "mcp");
    assert_eq!(town.records("intent")[0]["scope"], "mcp");
}

#[test]
fn an_agent_with_a_bound_token_is_let_in_and_the_gate_acts_for_the_user() {
    let mut provider = Provider::start_with(exchanging(json!({"actor": "anybody"})));
    let town = before(
        &mut provider,
        CONSOLE,
        &[("town", "mode = \"exchange\"\nactor = \"gateway\"")],
    );
    let key = Key::new();
    let bound = provider.client("clerk-bot").dpop_token(TOWN, "mcp", &key);
    let agent = text(&bound, "access_token");
    let user = provider
        .client("console")
        .login("ada", TOWN, "mcp town:read")
        .access_token;
    let proof = dpop_proof(&key, "POST", TOWN, None, Some(&agent));
    let asked = town.prove(&agent, &user, &[&proof]);
    let nonce = asked.header("dpop-nonce").unwrap();
    passed(
        &town,
        &town.prove(&agent, &user, &[&call_proof(&key, nonce, &agent, Some(&user))]),
    );
    let claims = verified(&town, provider.issuer(), LEDGER, &["act"]);
    assert_eq!(
        (&claims["act"]["sub"], &claims["cnf"]),
        (&json!("portreeve-town"), &Value::Null)
    );
    let asked = provider.asked("portreeve-town");
    assert_eq!(asked.len(), 2, "one for itself, one for the user: {asked:?}");
}

#[test]
fn oauth_as_lets_only_the_gate_act_and_only_where_the_user_was() {
    let library = Library::start();
    let servers = [
        ("town", "mode = \"exchange\"\nactor = \"gateway\""),
        ("agent", "mode = \"exchange\""),
        ("nobody", "mode = \"exchange\"\nactor = \"none\""),
        (
            "ledger",
            "mode = \"exchange\"\nactor = \"none\"\nresource = \"https://ledger.test/mcp\"",
        ),
    ];
    let town = across(&library, CONSOLE, &servers);
    let (bot, console) = (library.client("clerk-bot"), library.client("console"));
    let (agent, user) = pair(&bot, &console, "mcp");
    let before = library.asked();
    for _ in 0..8 {
        passed(&town, &town.call_at("town", "read", &agent, Some(&user)));
    }
    assert_eq!(
        library.asked() - before,
        2,
        "one for itself, one for the user, however many calls"
    );
    let claims = verified(&town, library.issuer(), TOWN, &["act"]);
    assert_eq!(
        (&claims["sub"], &claims["act"]["sub"], &claims["scope"]),
        (&json!("ada"), &json!("portreeve-town"), &json!("mcp"))
    );
    assert!(claims["exp"].as_u64().unwrap() <= end(&user));

    let call = |server: &str| town.call_at(server, "read", &agent, Some(&user));
    not_given(&town, "credential_stale", GET_NEW_ONES, || call("agent"));
    not_given(&town, "credential_forbidden", NOT_GIVEN, || call("ledger"));
    passed(&town, &call("nobody"));
    assert_eq!(verified(&town, library.issuer(), TOWN, &[])["act"], Value::Null);
}
