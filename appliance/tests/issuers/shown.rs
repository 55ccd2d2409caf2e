//! The gate as a client of a real authorization server: for each server behind the gate another client, known there by the
//! keys that the gate publishes for that server. Made in this order: the authorization server, the gate, its registration.

use std::process::Output;

use serde_json::{Value, json};

use crate::client::text;
use crate::gate_kit::Response;
use crate::keys::part;
use crate::library::Library;
use crate::provider::{Provider, allow_grants};
use crate::town::{LEDGER, TOWN, Town, judge};

/// The scopes of everybody here: each tool has one.
const SCOPES: &str = "mcp town:read town:write";

/// Changes to an `oidc-provider` that exchanges tokens like this.
pub(crate) fn exchanging(exchange: Value) -> impl FnOnce(&mut Value) {
    move |settings| {
        settings["exchange"] = exchange;
        allow_grants(settings, "gateway");
        settings["resources"] = json!({TOWN: SCOPES, LEDGER: SCOPES});
    }
}

/// A gate whose servers are shown tokens of `provider`, each as its `credential` says.
pub(crate) fn before(provider: &mut Provider, agent: &str, servers: &[(&str, &str)]) -> Town {
    let town = unregistered(provider, provider, agent, servers);
    let known: Vec<_> = servers
        .iter()
        .map(|(name, _)| (client(name), keys(&town, name)))
        .collect();
    provider.restart(|settings| {
        for (id, keys) in &known {
            register(settings, id, keys);
        }
    });
    town
}

/// A gate that trusts `provider`, whose servers are shown tokens of `at`; neither knows it yet.
pub(crate) fn unregistered(provider: &Provider, at: &Provider, agent: &str, servers: &[(&str, &str)]) -> Town {
    let scopes = "scopes.read = \"town:read\"\nscopes.write = \"town:write\"\nscopes_default = \"mcp\"";
    let tables = tables(servers, LEDGER, &party("at", at), scopes);
    Town::before(provider, agent, &borrowed(&tables))
}

/// Registers the gate under `id` by its keys, unless that is registered already.
pub(crate) fn register(settings: &mut Value, id: &str, keys: &[Value]) {
    let clients = settings["clients"].as_array_mut().unwrap();
    if clients.iter().all(|client| client["client_id"] != id) {
        clients.push(json!({
            "client_id": id, "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "EdDSA", "response_types": [], "redirect_uris": [],
            "jwks": {"keys": keys},
        }));
    }
    allow_grants(settings, id);
}

/// A gate whose servers are shown tokens of `library`, each as its `credential` says.
pub(crate) fn across(library: &Library, agent: &str, servers: &[(&str, &str)]) -> Town {
    let party = format!("at.issuer = \"{}\"", library.issuer());
    let mut tables = tables(servers, TOWN, &party, "scopes_default = \"mcp\"");
    // What `oauth-as` verifies.
    tables.last_mut().unwrap().1 += "[mint]\nalgorithm = \"ES256\"\n";
    let town = Town::across(library, agent, &borrowed(&tables));
    for (name, _) in servers {
        library.register(&client(name), &keys(&town, name));
    }
    town
}

/// What the gate is called at the authorization server, for that server.
pub(crate) fn client(server: &str) -> String {
    format!("portreeve-{server}")
}

/// That authorization server, as `at` or `idp` in the table of a server's credential.
pub(crate) fn party(role: &str, provider: &Provider) -> String {
    let trust = provider.trust();
    let trust = if trust.is_empty() {
        trust
    } else {
        format!("{role}.{trust}")
    };
    format!("{role}.issuer = \"{}\"\n{trust}", provider.issuer())
}

fn tables(servers: &[(&str, &str)], audience: &str, party: &str, more: &str) -> Vec<(String, String)> {
    let table = |(name, credential): &(&str, &str)| {
        // A credential that names another place does so in full.
        let party = if credential.contains("at.issuer") { "" } else { party };
        let at = format!("{party}\nat.client_id = \"{}\"", client(name));
        let text = format!("audience = \"{audience}\"\n[servers.{name}.credential]\n{at}\n{more}\n{credential}\n");
        ((*name).to_owned(), text)
    };
    servers.iter().map(table).collect()
}

fn borrowed(tables: &[(String, String)]) -> Vec<(&str, &str)> {
    tables.iter().map(|(name, text)| (&**name, &**text)).collect()
}

/// The keys that the gate publishes for a server.
pub(crate) fn keys(town: &Town, server: &str) -> Vec<Value> {
    let request = format!(
        "GET /.well-known/jwks.json/{server} HTTP/1.1\r\nhost: {}\r\n\r\n",
        town.gate.address
    );
    let published = town.gate.raw(request.as_bytes()).json();
    let keys = published["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 2, "the key in use, and the next one");
    keys
}

/// What an independent library says of the token that the server was shown, by the keys of the server that issued it.
pub(crate) fn verified(town: &Town, issuer: &str, audience: &str, requires: &[&str]) -> Value {
    read(&judge((issuer, None), issuer, audience, &town.shown(), requires))
}

/// As [`verified`], of a token for the ledger from a server that speaks TLS.
pub(crate) fn verified_over_tls(town: &Town, provider: &Provider) -> Value {
    let issuer = provider.issuer();
    let authority = provider.authority();
    read(&judge((issuer, Some(&authority)), issuer, LEDGER, &town.shown(), &[]))
}

fn read(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// When a token ends.
pub(crate) fn end(token: &str) -> u64 {
    part(token, 1)["exp"].as_u64().unwrap()
}

/// The call passed.
#[track_caller]
pub(crate) fn passed(town: &Town, response: &Response) {
    let status = || String::from_utf8(town.portreeve(&["status"]).stdout).unwrap();
    assert!(
        response.status == 200 && response.json()["error"].is_null(),
        "{response:?}\n{}",
        status()
    );
}

/// The call was refused for want of a token: `words` for the caller, `reason` in the audit, nothing for the server.
#[track_caller]
pub(crate) fn not_given(town: &Town, reason: &str, words: &str, call: impl FnOnce() -> Response) -> Response {
    let (before, known) = (town.upstream.count(), town.refusals(reason));
    let response = call();
    let outage = ["credential_client", "credential_unavailable"].contains(&reason);
    assert_eq!(response.status, if outage { 503 } else { 200 }, "{response:?}");
    assert_eq!(response.header("retry-after").is_some(), outage, "{response:?}");
    let said = text(&response.json()["error"], "message");
    assert!(said.contains(words), "{reason}: {said}");
    assert_eq!(town.upstream.count(), before, "{reason} reached the server");
    town.await_refusal(reason, known);
    response
}
