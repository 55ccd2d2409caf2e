//! Keys of a real authorization server change, and it goes away, while calls go on.

use serde_json::json;

use crate::keys::signing;
use crate::provider::Provider;
use crate::town::{CONSOLE, TOWN, Town};

/// Fresh tokens of an agent and of a user for it.
fn tokens(provider: &Provider) -> (String, String) {
    let agent = provider.client("clerk-bot").own_token(TOWN, "mcp");
    (agent, provider.client("console").login("ada", TOWN, "mcp").access_token)
}

#[test]
fn keys_are_rotated_without_a_refused_call() {
    let mut provider = Provider::start();
    let town = Town::trusting(&provider, CONSOLE);
    let passes = |(agent, user): &(String, String)| assert_eq!(town.call(agent, user).status, 200);
    let old = tokens(&provider);
    passes(&old);

    let (first, second) = (provider.settings["keys"][0].clone(), signing("ES256", "second"));
    provider.restart(|settings| settings["keys"] = json!([first, second]));
    passes(&old);
    town.refresh(|status| status["keys"] == 2);
    passes(&old);

    provider.restart(|settings| settings["keys"] = json!([second, first]));
    let new = tokens(&provider);
    passes(&new);
    passes(&old);

    provider.restart(|settings| settings["keys"] = json!([second]));
    town.refresh(|status| status["keys"] == 1);
    passes(&new);
    passes(&tokens(&provider));
    town.refuses(&old.0, &old.1, "kid");
}

#[test]
fn calls_go_on_while_the_server_is_dead_and_the_operator_is_told() {
    let mut provider = Provider::start();
    let town = Town::trusting(&provider, CONSOLE);
    let (first, second) = (tokens(&provider), tokens(&provider));
    assert_eq!(town.call(&first.0, &first.1).status, 200);
    provider.die();
    town.refresh(|status| status["failing"].is_object());
    // The second pair was never seen before: it is verified with the keys that are left.
    for (agent, user) in [&first, &second] {
        assert_eq!(town.call(agent, user).status, 200);
    }
    let said = String::from_utf8(town.portreeve(&["status"]).stdout).unwrap();
    assert!(
        said.contains("FAILING") && said.contains("cannot be reached") && said.contains("stay in force until"),
        "{said}"
    );
}
