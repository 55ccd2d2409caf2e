//! What was exchanged is used while its authorization server is away, and by nobody who was shut off.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::library::Library;
use crate::provider::Provider;
use crate::shown::{across, before, exchanging, not_given, passed};
use crate::town::{CONSOLE, TOWN};

/// The life of a token whose end is waited for.
const LIFE: Duration = Duration::from_secs(2);

#[test]
fn a_token_is_used_until_its_end_while_the_server_is_away_and_a_new_one_is_had_when_it_is_back() {
    let mut provider = Provider::start_with(exchanging(json!({"actor": "anybody"})));
    let short = format!("mode = \"exchange\"\nlifetime = \"{}s\"", LIFE.as_secs());
    let servers = [("town", "mode = \"exchange\""), ("short", &*short)];
    let town = before(&mut provider, CONSOLE, &servers);
    let agent = provider.client("clerk-bot").own_token(TOWN, "mcp");
    let scopes = "mcp town:read town:write";
    let user = provider.client("console").login("ada", TOWN, scopes).access_token;
    let call = |server: &str, tool: &str| town.call_at(server, tool, &agent, Some(&user));
    passed(&town, &call("town", "read"));
    let token = town.shown();
    provider.leave();
    for _ in 0..8 {
        passed(&town, &call("town", "read"));
        assert_eq!(town.shown(), token);
    }
    let later = not_given(&town, "credential_unavailable", "at the moment", || {
        call("town", "write")
    });
    assert!(later.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    let said = || String::from_utf8(town.portreeve(&["status"]).stdout).unwrap();
    assert!(said().contains("FAILING"), "{}", said());
    passed(&town, &call("town", "read"));

    provider.come_back();
    passed(&town, &call("town", "other"));
    assert!(!said().contains("FAILING"), "{}", said());

    // Enough calls that each core has one: so little is left of it that they do not share it.
    let begun = Instant::now();
    for _ in 0..16 {
        passed(&town, &call("short", "read"));
    }
    provider.leave();
    let left = Instant::now();
    let end = loop {
        let response = call("short", "read");
        if response.status != 200 {
            break response;
        }
        assert!(
            left.elapsed() < LIFE + Duration::from_secs(5),
            "it is used after its end"
        );
    };
    assert_eq!(end.status, 503, "{end:?}");
    // In its last quarter a core asks for another one.
    assert!(begun.elapsed() >= LIFE * 3 / 4, "{:?}", begun.elapsed());
}

#[test]
fn what_oauth_as_exchanged_is_used_while_it_is_away_and_nothing_else_is_sent() {
    let library = Library::start();
    let town = across(
        &library,
        CONSOLE,
        &[("town", "mode = \"exchange\"\nactor = \"gateway\"")],
    );
    let agent = library.client("clerk-bot").own_token(TOWN, "mcp");
    let [known, new] = ["ada"; 2].map(|user| library.client("console").login(user, TOWN, "mcp").access_token);
    passed(&town, &town.call(&agent, &known));
    let token = town.shown();
    drop(library);
    for _ in 0..8 {
        passed(&town, &town.call(&agent, &known));
        assert_eq!(town.shown(), token);
    }
    let later = not_given(&town, "credential_unavailable", "at the moment", || {
        town.call(&agent, &new)
    });
    assert!(later.header("retry-after").is_some(), "{later:?}");
    passed(&town, &town.call(&agent, &known));
}

#[test]
fn an_agent_that_is_shut_off_is_refused_whatever_was_exchanged_for_it() {
    let library = Library::start();
    let town = across(
        &library,
        CONSOLE,
        &[("town", "mode = \"exchange\"\nactor = \"gateway\"")],
    );
    let agent = library.client("clerk-bot").own_token(TOWN, "mcp");
    let user = library.client("console").login("ada", TOWN, "mcp").access_token;
    passed(&town, &town.call(&agent, &user));
    passed(&town, &town.call(&agent, &user));
    let (asked, seen) = (library.asked(), town.upstream.count());
    let output = town.portreeve(&["revoke", "agent", "clerk-bot"]);
    assert!(output.status.success(), "{output:?}");
    for _ in 0..8 {
        town.refuses(&agent, &user, "revoked");
    }
    assert_eq!((library.asked(), town.upstream.count()), (asked, seen));
}
