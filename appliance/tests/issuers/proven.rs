//! Tokens that real authorization servers bind to a key pass at the gate with proofs of that key, each for one request; and
//! what such a key says of the user's assertion.

use serde_json::json;

use crate::client::{Client, call_proof, dpop_proof, text};
use crate::gate_kit::Response;
use crate::keys::{Key, part};
use crate::library::Library;
use crate::provider::Provider;
use crate::town::{CONSOLE, TOWN, Town};

/// An agent at a gate, with a token that its authorization server bound to its key.
struct Holder<'t> {
    town: &'t Town,
    key: Key,
    agent: String,
}

impl<'t> Holder<'t> {
    fn new(town: &'t Town, bot: &Client) -> Self {
        let key = Key::new();
        let granted = bot.dpop_token(TOWN, "mcp", &key);
        let agent = text(&granted, "access_token");
        assert_eq!(part(&agent, 1)["cnf"], json!({"jkt": key.thumbprint()}));
        Self { town, key, agent }
    }

    /// The nonce that the gate asks for when a proof has none.
    fn nonce(&self, user: &str) -> String {
        let proof = dpop_proof(&self.key, "POST", TOWN, None, Some(&self.agent));
        let call = || self.town.prove(&self.agent, user, &[&proof]);
        let asked = self.town.refuses_alike("pop", call);
        assert_eq!(error(&asked), "use_dpop_nonce");
        asked.header("dpop-nonce").unwrap().to_owned()
    }

    /// A call with a proof of its own, which covers the assertion or not.
    fn call(&self, user: &str, nonce: &str, covers: bool) -> Response {
        let proof = call_proof(&self.key, nonce, &self.agent, covers.then_some(user));
        self.town.prove(&self.agent, user, &[&proof])
    }
}

/// What a challenge says is wrong.
fn error(response: &Response) -> &str {
    let challenge = response.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("DPoP "), "{challenge}");
    let (_, error) = challenge.split_once("error=\"").unwrap();
    error.trim_end_matches('"')
}

/// What linked user and agent of each call that went on, sorted: each core has records of its own.
fn links(town: &Town) -> Vec<String> {
    let intents = town.records("intent");
    assert!(intents.iter().all(|intent| intent["binding"] == "dpop"), "{intents:#?}");
    let mut links: Vec<_> = intents.iter().map(|intent| text(intent, "link")).collect();
    links.sort_unstable();
    links
}

/// The whole way of a bound token: a nonce, one request for each proof, and nothing without one.
fn passes_with_proofs(town: &Town, bot: &Client, user: &str) {
    let holder = Holder::new(town, bot);
    let nonce = holder.nonce(user);
    let proof = call_proof(&holder.key, &nonce, &holder.agent, None);
    let passed = town.prove(&holder.agent, user, &[&proof]);
    assert_eq!(passed.status, 200, "{passed:?} {:#?}", town.records("refusal"));
    assert_eq!(town.verified()["act"]["sub"], "clerk-bot");

    let again = town.refuses_alike("pop", || town.prove(&holder.agent, user, &[&proof]));
    assert_eq!(error(&again), "invalid_dpop_proof");
    let stranger = call_proof(&Key::new(), &nonce, &holder.agent, None);
    town.refuses_alike("pop", || town.prove(&holder.agent, user, &[&stranger]));
    town.refuses(&holder.agent, user, "pop");
    assert_eq!(
        holder.call(user, &nonce, true).status,
        200,
        "another proof is another request"
    );
    assert_eq!(links(town), ["client", "client"]);
}

/// A user who is nobody's client for the gate: only what the agent's key says links him.
fn is_linked_by_the_key_alone(town: &Town, bot: &Client, console: &Client) {
    let holder = Holder::new(town, bot);
    let user = console.login("ada", TOWN, "mcp").access_token;
    let nonce = holder.nonce(&user);
    for covers in [false, true] {
        town.refuses_alike("link", || holder.call(&user, &nonce, covers));
    }
    let other = console.login("ada", TOWN, "mcp").access_token;
    let proof = call_proof(&holder.key, &nonce, &holder.agent, Some(&other));
    town.refuses_alike("pop", || town.prove(&holder.agent, &user, &[&proof]));

    let bound = console.login_bound("ada", TOWN, "mcp", &holder.key).access_token;
    assert_eq!(part(&bound, 1)["cnf"]["jkt"], holder.key.thumbprint());
    assert_eq!(
        holder.call(&bound, &nonce, false).status,
        200,
        "{:#?}",
        town.records("refusal")
    );
    let foreign = console.login_bound("ada", TOWN, "mcp", &Key::new()).access_token;
    town.refuses_alike("pop", || holder.call(&foreign, &nonce, true));
    // And beside a token without a key it is nothing.
    town.refuses(&bot.own_token(TOWN, "mcp"), &bound, "pop");
    assert_eq!(links(town), ["key"]);
}

/// The same user, and an agent of which the operator demands proofs that cover the assertion: these link, too.
fn is_linked_by_the_proof(town: &Town, bot: &Client, console: &Client) {
    let holder = Holder::new(town, bot);
    let user = console.login("ada", TOWN, "mcp").access_token;
    let nonce = holder.nonce(&user);
    town.refuses_alike("link", || holder.call(&user, &nonce, false));
    assert_eq!(holder.call(&user, &nonce, true).status, 200);
    assert_eq!(links(town), ["proof"]);
}

#[test]
fn a_bound_token_of_oidc_provider_is_good_for_one_request_with_each_proof() {
    let provider = Provider::start_with(|settings| settings["nonce"] = json!(true));
    let town = Town::trusting(&provider, CONSOLE);
    let user = provider.client("console").login("ada", TOWN, "mcp").access_token;
    passes_with_proofs(&town, &provider.client("clerk-bot"), &user);
}

#[test]
fn a_bound_token_of_oauth_as_is_good_for_one_request_with_each_proof() {
    let library = Library::start();
    let town = Town::believing(&library, CONSOLE);
    let user = library.client("console").login("ada", TOWN, "mcp").access_token;
    passes_with_proofs(&town, &library.client("clerk-bot"), &user);
}

#[test]
fn the_agents_key_links_an_assertion_of_oidc_provider_that_is_bound_to_it() {
    let provider = Provider::start_with(|settings| settings["nonce"] = json!(true));
    let town = Town::trusting(&provider, "require_binding = \"token\"");
    is_linked_by_the_key_alone(&town, &provider.client("clerk-bot"), &provider.client("console"));
}

#[test]
fn the_agents_key_links_an_assertion_of_oauth_as_that_is_bound_to_it() {
    let library = Library::start();
    let town = Town::believing(&library, "");
    is_linked_by_the_key_alone(&town, &library.client("clerk-bot"), &library.client("console"));
}

#[test]
fn a_proof_links_the_assertion_of_oidc_provider_that_it_covers_where_the_operator_demands_one() {
    let provider = Provider::start_with(|settings| settings["nonce"] = json!(true));
    let town = Town::trusting(&provider, "require_binding = \"request\"");
    is_linked_by_the_proof(&town, &provider.client("clerk-bot"), &provider.client("console"));
}

#[test]
fn a_proof_links_the_assertion_of_oauth_as_that_it_covers_where_the_operator_demands_one() {
    let library = Library::start();
    let town = Town::believing(&library, "require_binding = \"request\"");
    is_linked_by_the_proof(&town, &library.client("clerk-bot"), &library.client("console"));
}

#[test]
fn an_agent_whose_requests_must_be_bound_covers_the_assertion_each_time() {
    let library = Library::start();
    let town = Town::believing(&library, &format!("{CONSOLE}\nrequire_binding = \"request\""));
    let holder = Holder::new(&town, &library.client("clerk-bot"));
    let user = library.client("console").login("ada", TOWN, "mcp").access_token;
    let nonce = holder.nonce(&user);
    town.refuses_alike("pop", || holder.call(&user, &nonce, false));
    assert_eq!(holder.call(&user, &nonce, true).status, 200);
    assert_eq!(links(&town), ["client"]);
}
