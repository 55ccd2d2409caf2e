//! One real authorization server vouches for the user (ID-JAG), another one issues the token that the server is shown.

use serde_json::{Value, json};

use crate::keys::Certified;
use crate::provider::{Provider, certified};
use crate::shown::{exchanging, keys, not_given, party, passed, register, unregistered, verified_over_tls};
use crate::town::{CONSOLE, ELSEWHERE, TOWN, Town};

/// Registers the gate at both; one vouches for users at the other, and for one client of the gate each elsewhere.
fn introduce(town: &Town, identity: &mut Provider, resource: &mut Provider, servers: [&str; 4]) {
    let known = servers.map(|name| (format!("portreeve-{name}"), keys(town, name)));
    identity.restart(|settings| {
        let own = ["town", "nowhere"].map(|name| format!("portreeve-{name}"));
        settings["grants"] = json!({
            resource.issuer(): {&own[0]: &own[0], "portreeve-misled": "somebody-else"},
            ELSEWHERE: {"portreeve-astray": "portreeve-astray"},
        });
        known.iter().for_each(|(id, keys)| register(settings, id, keys));
    });
    resource.restart(|settings| {
        settings["redeems"] = json!({identity.issuer(): format!("{}/jwks", identity.issuer())});
        known.iter().for_each(|(id, keys)| register(settings, id, keys));
    });
}

#[test]
fn an_assertion_of_one_server_is_redeemed_at_another_and_at_no_third() {
    let (own, folder) = (Certified::own("gate"), tempfile::TempDir::new().unwrap());
    let mut resource = Provider::start_over_tls(|settings| {
        exchanging(json!({"actor": "anybody"}))(settings);
        let mut registration = certified("portreeve-astray", &own);
        registration["tls_client_certificate_bound_access_tokens"] = json!(false);
        settings["clients"].as_array_mut().unwrap().push(registration);
    });
    let mut identity = Provider::start_with(exchanging(json!({"actor": "anybody"})));
    let endpoint = resource.client("console").endpoint("token");
    let vouching = |name: &str, more: &str| {
        let idp = party("idp", &identity);
        format!("mode = \"id_jag\"\n{idp}\nidp.client_id = \"portreeve-{name}\"\n{more}")
    };
    // Who is asked at that endpoint is taken for somebody else there.
    let elsewhere = |issuer: &str| {
        let trust = resource.trust();
        format!("at.issuer = \"{issuer}\"\nat.token_endpoint = \"{endpoint}\"\nat.{trust}")
    };
    let astray = format!("{}\n{}", elsewhere(ELSEWHERE), crate::own::showing(&own, &folder));
    let servers = [
        ("town", &*vouching("town", "")),
        ("misled", &*vouching("misled", "")),
        ("astray", &*vouching("astray", &astray)),
        ("nowhere", &*vouching("nowhere", &elsewhere("https://nobody.test"))),
    ];
    let town = unregistered(&identity, &resource, CONSOLE, &servers);
    introduce(&town, &mut identity, &mut resource, servers.map(|(name, _)| name));
    let agent = identity.client("clerk-bot").own_token(TOWN, "mcp");
    let user = identity
        .client("console")
        .login("ada", TOWN, "mcp town:read")
        .access_token;
    let call = |server: &str| town.call_at(server, "read", &agent, Some(&user));

    for _ in 0..4 {
        passed(&town, &call("town"));
    }
    let claims = verified_over_tls(&town, &resource);
    assert_eq!(
        (&claims["sub"], &claims["act"], &claims["scope"], &claims["client_id"]),
        (
            &json!("ada"),
            &json!({"sub": "clerk-bot"}),
            &json!("town:read"),
            &json!("portreeve-town")
        )
    );
    let asked = |server: &Provider, id: &str| -> Vec<Value> {
        let asked = server.asked(&format!("portreeve-{id}"));
        asked.iter().map(|asked| asked["error"].clone()).collect()
    };
    let good = [Value::Null];
    assert_eq!(
        (asked(&identity, "town"), asked(&resource, "town")),
        (good.to_vec(), good.to_vec())
    );

    for server in ["misled", "astray"] {
        not_given(&town, "credential_stale", "get new ones", || call(server));
        assert_eq!(asked(&identity, server), good, "it vouched for somebody else");
        assert_eq!(asked(&resource, server), [json!("invalid_grant")]);
    }
    not_given(&town, "credential_forbidden", "gives no token", || call("nowhere"));
    assert_eq!(asked(&identity, "nowhere"), [json!("invalid_target")]);
    assert_eq!(asked(&resource, "nowhere"), [Value::Null; 0]);
}
