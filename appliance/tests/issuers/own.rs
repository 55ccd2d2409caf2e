//! The gate at real authorization servers in its own name, known by a key or by its certificate.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::keys::Certified;
use crate::library::Library;
use crate::provider::{Provider, certified};
use crate::shown::{across, before, exchanging, not_given, passed, verified, verified_over_tls};
use crate::town::{CONSOLE, TOWN};

const LATER: &str = "at the moment";

/// Has the gate show `certificate`, which it finds in `folder`.
pub(crate) fn showing(certificate: &Certified, folder: &TempDir) -> String {
    let [pem, key] = ["pem", "key"].map(|end| folder.path().join(format!("{}.{end}", certificate.thumbprint())));
    fs::write(&pem, &certificate.certificate_pem).unwrap();
    fs::write(&key, certificate.key_pem()).unwrap();
    format!("at.client_auth = \"mtls\"\nat.certificate = {pem:?}\nat.key = {key:?}")
}

#[test]
fn a_gate_that_oidc_provider_knows_by_its_certificate_has_tokens_that_are_not_bound_to_that() {
    let (own, other, folder) = (Certified::own("gate"), Certified::own("gate"), TempDir::new().unwrap());
    let mut provider = Provider::start_over_tls(|settings| {
        exchanging(json!({"actor": "anybody"}))(settings);
        for (server, is_bound) in [
            ("certified", false),
            ("exchanged", false),
            ("bound", true),
            ("stranger", false),
        ] {
            let mut registration = certified(&format!("portreeve-{server}"), &own);
            registration["tls_client_certificate_bound_access_tokens"] = json!(is_bound);
            settings["clients"].as_array_mut().unwrap().push(registration);
        }
    });
    let shows = showing(&own, &folder);
    let (mine, exchange) = ("mode = \"client_credentials\"", format!("mode = \"exchange\"\n{shows}"));
    let servers = [
        ("town", mine),
        ("certified", &*format!("{mine}\n{shows}")),
        ("exchanged", &*exchange),
        ("bound", &*exchange),
        ("stranger", &*format!("{mine}\n{}", showing(&other, &folder))),
    ];
    let town = before(&mut provider, CONSOLE, &servers);
    let agent = provider.client("clerk-bot").own_token(TOWN, "mcp");
    let console = provider.client("console");
    let users = [(); 2].map(|()| console.login("ada", TOWN, "mcp town:read").access_token);
    let call = |server: &str, user: &String| town.call_at(server, "read", &agent, Some(user));

    for server in ["town", "certified"] {
        for user in &users {
            passed(&town, &call(server, user));
        }
        let id = format!("portreeve-{server}");
        assert_eq!(provider.asked(&id).len(), 1, "it is the same for everybody");
        let claims = verified_over_tls(&town, &provider);
        assert_eq!(
            (&claims["sub"], &claims["client_id"], &claims["scope"], &claims["cnf"]),
            (&json!(id), &json!(id), &json!("town:read"), &Value::Null)
        );
    }
    passed(&town, &call("exchanged", &users[0]));
    let claims = verified_over_tls(&town, &provider);
    assert_eq!(
        (&claims["sub"], &claims["act"]["sub"]),
        (&json!("ada"), &json!("clerk-bot"))
    );

    // The server could make nothing of a token that is bound to the gate's certificate.
    not_given(&town, "credential_unavailable", LATER, || call("bound", &users[0]));
    not_given(&town, "credential_client", LATER, || call("stranger", &users[0]));
    let said = String::from_utf8(town.portreeve(&["status"]).stdout).unwrap();
    assert!(
        said.contains("is bound to a key or certificate") && said.contains("credential_client"),
        "{said}"
    );
}

#[test]
fn a_token_of_the_gates_own_from_oauth_as_is_asked_for_once() {
    let library = Library::start();
    let town = across(&library, CONSOLE, &[("town", "mode = \"client_credentials\"")]);
    let agent = library.client("clerk-bot").own_token(TOWN, "mcp");
    let users = [(); 2].map(|()| library.client("console").login("ada", TOWN, "mcp").access_token);
    let before = library.asked();
    for user in &users {
        passed(&town, &town.call(&agent, user));
    }
    assert_eq!(library.asked() - before, 1);
    let claims = verified(&town, library.issuer(), TOWN, &[]);
    assert_eq!(
        (&claims["sub"], &claims["act"]),
        (&json!("portreeve-town"), &Value::Null)
    );
}
