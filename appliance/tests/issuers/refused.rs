//! Tokens that a real authorization server issues in good faith, but that are not for this gate, this side or this pair.

use serde_json::json;

use crate::client::text;
use crate::library::Library;
use crate::provider::Provider;
use crate::town::{CONSOLE, ELSEWHERE, LEDGER, TOWN, Town};

#[test]
fn tokens_for_another_place_side_agent_or_time_are_refused_alike() {
    let mut provider = Provider::start();
    let town = Town::trusting(&provider, CONSOLE);
    let (bot, console) = (provider.client("clerk-bot"), provider.client("console"));
    let (agent, login) = (bot.own_token(TOWN, "mcp"), console.login("ada", TOWN, "openid mcp"));
    let user = login.access_token;

    town.refuses(&bot.own_token(ELSEWHERE, "mcp"), &user, "aud");
    town.refuses(&agent, &console.login("ada", ELSEWHERE, "mcp").access_token, "aud");

    let id_token = login.id_token.expect("openid was asked for");
    town.refuses(&agent, &id_token, "typ");
    town.refuses(&id_token, &user, "typ");

    town.refuses(&provider.client("stray").own_token(TOWN, "mcp"), &user, "agent_unknown");
    // Not the front end of any agent.
    let kiosk = provider.client("kiosk").login("ada", TOWN, "mcp").access_token;
    town.refuses(&agent, &kiosk, "link");

    town.refuses(&user, &agent, "agent_unknown");
    town.refuses(&agent, &agent, "claims");
    let opaque = bot.granted(&[("grant_type", "client_credentials")]);
    town.refuses(&text(&opaque, "access_token"), &user, "hdr_form");

    assert_eq!(town.call(&agent, &user).status, 200, "the good pair passes");
    provider.restart(|settings| settings["age"] = json!(700));
    town.refuses(&provider.client("clerk-bot").own_token(TOWN, "mcp"), &user, "time");
    let old = provider.client("console").login("ada", TOWN, "mcp").access_token;
    town.refuses(&agent, &old, "time");
}

#[test]
fn a_user_who_lets_another_agent_act_is_refused_even_from_the_agents_own_front_end() {
    let provider = Provider::start_with(|settings| {
        settings["claims"] = json!({"console": {"may_act": {"sub": "stray"}}});
    });
    let town = Town::trusting(&provider, CONSOLE);
    let agent = provider.client("clerk-bot").own_token(TOWN, "mcp");
    let user = provider.client("console").login("ada", TOWN, "mcp").access_token;
    town.refuses(&agent, &user, "link");
}

#[test]
fn tokens_of_oauth_as_for_another_place_or_agent_are_refused() {
    let library = Library::start();
    let town = Town::believing(&library, "");
    let (bot, console) = (library.client("clerk-bot"), library.client("console"));
    let (agent, user) = (
        bot.own_token(TOWN, "mcp"),
        console.login("ada", TOWN, "mcp").access_token,
    );
    town.refuses(&bot.own_token(LEDGER, "mcp"), &user, "aud");
    town.refuses(
        &library.client("gateway").own_token(TOWN, "mcp"),
        &user,
        "agent_unknown",
    );
    town.refuses(&agent, &user, "link");
    town.refuses(&user, &agent, "agent_unknown");
    town.refuses(&agent, &agent, "claims");
}
