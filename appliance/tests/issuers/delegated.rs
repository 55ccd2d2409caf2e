//! What the servers do for a gateway: exchange, ID-JAGs, introspection, revocation. Shown at the servers alone, so that
//! a test of the gate that uses them has only the gate to look at.

use serde_json::{Value, json};

use crate::client::{ACCESS_TOKEN, Client, TOKEN_EXCHANGE, text};
use crate::http::Answer;
use crate::keys::{Certified, Key, part};
use crate::library::Library;
use crate::provider::{Provider, allow_grants, certified};
use crate::town::{ELSEWHERE, LEDGER, TOWN};

fn claims(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    part(&text(&answer.json(), "access_token"), 1)
}

fn error(answer: &Answer) -> String {
    assert_ne!(answer.status, 200, "{}", answer.text());
    text(&answer.json(), "error")
}

/// An `oidc-provider` that exchanges tokens; whose may be the actor's.
fn exchanging(actor: &str) -> Provider {
    Provider::start_with(|settings| {
        settings["exchange"] = json!({"actor": actor});
        allow_grants(settings, "gateway");
    })
}

/// The tokens of an agent and of a user, who logs in at `front`.
fn pair(agent: &Client, front: &Client) -> (String, String) {
    (
        agent.own_token(TOWN, "mcp"),
        front.login("ada", TOWN, "mcp").access_token,
    )
}

#[test]
fn an_exchange_at_oidc_provider_names_user_and_actor_and_widens_no_scope() {
    let provider = exchanging("anybody");
    let gateway = provider.client("gateway");
    let (agent, user) = pair(&provider.client("clerk-bot"), &provider.client("console"));
    let answer = gateway.exchange(&user, Some(&agent), LEDGER);
    assert_eq!(answer.json()["issued_token_type"], ACCESS_TOKEN);
    let exchanged = claims(&answer);
    assert_eq!((&exchanged["sub"], &exchanged["aud"]), (&json!("ada"), &json!(LEDGER)));
    assert_eq!(
        (&exchanged["act"], &exchanged["client_id"]),
        (&json!({"sub": "clerk-bot"}), &json!("gateway"))
    );
    assert!(exchanged["exp"].as_u64() <= part(&user, 1)["exp"].as_u64());

    // A chain: the exchanged token is exchanged by somebody else.
    let chained = claims(&gateway.exchange(
        &text(&answer.json(), "access_token"),
        Some(&gateway.own_token(TOWN, "mcp")),
        LEDGER,
    ));
    assert_eq!(chained["act"], json!({"sub": "gateway", "act": {"sub": "clerk-bot"}}));

    assert!(
        claims(&gateway.exchange(&user, None, LEDGER)).get("act").is_none(),
        "an impersonation"
    );
    assert_eq!(
        error(&gateway.exchange(&user, Some(&agent), "https://nobody.test")),
        "invalid_target"
    );
    assert_eq!(error(&gateway.exchange("e30.e30.e30", None, LEDGER)), "invalid_request");
    assert_eq!(
        error(&provider.client("clerk-bot").exchange(&user, None, LEDGER)),
        "invalid_request"
    );
    let wider = [
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", &user),
        ("subject_token_type", ACCESS_TOKEN),
        ("resource", LEDGER),
        ("scope", "mcp admin"),
    ];
    assert_eq!(gateway.refused(&wider), "invalid_scope");
    let bound = provider.client("clerk-bot").dpop_token(TOWN, "mcp", &Key::new());
    let bound = text(&bound, "access_token");
    assert_eq!(error(&gateway.exchange(&user, Some(&bound), LEDGER)), "invalid_request");
}

#[test]
fn oidc_provider_can_insist_on_the_clients_own_actor_or_name_none() {
    let mut provider = exchanging("client");
    let gateway = provider.client("gateway");
    let (agent, user) = pair(&provider.client("clerk-bot"), &provider.client("console"));
    assert_eq!(error(&gateway.exchange(&user, Some(&agent), LEDGER)), "invalid_request");
    let own = gateway.own_token(TOWN, "mcp");
    assert_eq!(
        claims(&gateway.exchange(&user, Some(&own), LEDGER))["act"]["sub"],
        "gateway"
    );
    provider.restart(|settings| settings["exchange"] = json!({"actor": "ignored"}));
    let impersonated = claims(&provider.client("gateway").exchange(&user, Some(&own), LEDGER));
    assert!(impersonated.get("act").is_none(), "{impersonated}");
}

#[test]
fn an_exchange_by_an_mtls_client_is_bound_to_its_certificate() {
    let own = Certified::own("gateway-2");
    let provider = Provider::start_over_tls(|settings| {
        settings["exchange"] = json!({"actor": "anybody"});
        let clients = settings["clients"].as_array_mut().unwrap();
        clients.push(certified("gateway-2", &own));
        allow_grants(settings, "gateway-2");
    });
    let user = provider.client("console").login("ada", TOWN, "mcp").access_token;
    let exchanged = claims(&provider.client_with("gateway-2", &own).exchange(&user, None, LEDGER));
    assert_eq!(exchanged["cnf"], json!({"x5t#S256": own.thumbprint()}));
}

#[test]
fn an_exchange_at_oauth_as_wants_the_clients_own_actor_and_widens_nothing() {
    let library = Library::start();
    let gateway = library.client("gateway");
    let (agent, user) = pair(&library.client("clerk-bot"), &library.client("console"));
    assert_eq!(error(&gateway.exchange(&user, Some(&agent), TOWN)), "invalid_request");
    let own = gateway.own_token(TOWN, "mcp");
    let exchanged = claims(&gateway.exchange(&user, Some(&own), TOWN));
    assert_eq!(
        (&exchanged["sub"], &exchanged["act"]["sub"]),
        (&json!("ada"), &json!("gateway"))
    );
    assert_eq!(error(&gateway.exchange(&user, Some(&own), LEDGER)), "invalid_target");
}

#[test]
fn an_id_jag_of_one_server_is_spent_at_another_by_its_client_alone() {
    // Who redeems it must be known first, as its audience; whose it is, when it redeems.
    let mut resource = Provider::start();
    let identity = Provider::start_with(|settings| {
        settings["exchange"] = json!({"actor": "anybody"});
        settings["grants"] = json!({resource.issuer(): {"gateway": "gateway"}});
        allow_grants(settings, "gateway");
    });
    resource.restart(|settings| {
        settings["redeems"] = json!({identity.issuer(): format!("{}/jwks", identity.issuer())});
        allow_grants(settings, "gateway");
        allow_grants(settings, "stray");
    });
    let user = identity.client("console").login("ada", TOWN, "mcp").access_token;
    let gateway = identity.client("gateway");
    let answer = gateway.id_jag(&user, resource.issuer(), LEDGER);
    assert_eq!(answer.json()["token_type"], "N_A");
    let jag = text(&answer.json(), "access_token");
    assert_eq!(part(&jag, 0)["typ"], "oauth-id-jag+jwt");
    assert_eq!(part(&jag, 1)["aud"], resource.issuer());
    assert_eq!(error(&gateway.id_jag(&user, ELSEWHERE, LEDGER)), "invalid_target");

    let redeemed = claims(&resource.client("gateway").redeem(&jag));
    assert_eq!(
        (&redeemed["iss"], &redeemed["sub"]),
        (&json!(resource.issuer()), &json!("ada"))
    );
    assert_eq!(redeemed["aud"], LEDGER);
    assert_eq!(error(&resource.client("stray").redeem(&jag)), "invalid_grant");
    assert_eq!(error(&resource.client("gateway").redeem(&user)), "invalid_grant");
}

#[test]
fn an_opaque_token_is_introspected_until_it_is_revoked() {
    let provider = Provider::start();
    let (bot, gateway) = (provider.client("clerk-bot"), provider.client("gateway"));
    let token = text(&bot.granted(&[("grant_type", "client_credentials")]), "access_token");
    let said = gateway.introspect(&token);
    assert_eq!(
        (&said["active"], &said["client_id"]),
        (&json!(true), &json!("clerk-bot"))
    );
    bot.revoke(&token);
    assert_eq!(gateway.introspect(&token), json!({"active": false}));
    // It keeps no JWTs: those end by themselves.
    let jwt = gateway.introspect(&bot.own_token(TOWN, "mcp"));
    assert_eq!(jwt["error"], "unsupported_token_type");
}

#[test]
fn a_jwt_of_oauth_as_is_introspected_until_it_is_revoked() {
    let library = Library::start();
    let (bot, gateway) = (library.client("clerk-bot"), library.client("gateway"));
    let token = bot.own_token(TOWN, "mcp");
    let said = gateway.introspect(&token);
    assert_eq!(
        (&said["active"], &said["client_id"]),
        (&json!(true), &json!("clerk-bot"))
    );
    // A token for somebody else is none of its business.
    let other = bot.own_token(LEDGER, "mcp");
    assert_eq!(gateway.introspect(&other), json!({"active": false}));
    bot.revoke(&token);
    assert_eq!(gateway.introspect(&token), json!({"active": false}));
}
