//! The gate's public documents: keys, authorization server metadata, protected resource metadata. Says nothing secret.
//!
//! SPEC: RFC 7517 5, RFC 8414 2, RFC 9728 2.

use super::key::SigningKey;
use crate::jose;
use crate::json::write::ObjectWriter;

/// The path at the gate where a minted token is revoked.
pub const REVOCATION: &str = "/oauth/revoke";

/// The JWK set of `keys`.
#[must_use]
pub fn jwks<'k>(keys: impl IntoIterator<Item = &'k SigningKey>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::new(&mut out);
    object.array("keys", |array| {
        for key in keys {
            array.raw(key.jwk());
        }
    });
    object.finish();
    out
}

/// The metadata of an issuer that only mints: it has keys, and no endpoint where anybody could ask for a token, but one where
/// whoever holds one can end it.
#[must_use]
pub fn authorization_server(issuer: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut object = ObjectWriter::new(&mut out);
    object
        .string("issuer", issuer)
        .string("jwks_uri", &format!("{issuer}/.well-known/jwks.json"));
    // SPEC: RFC 8414 2: response_types_supported is REQUIRED and MUST NOT be empty.
    object.array("response_types_supported", |array| {
        array.string("none");
    });
    object.string("revocation_endpoint", &format!("{issuer}{REVOCATION}"));
    // SPEC: RFC 8414 2: without it, client_secret_basic would be meant.
    object.array("revocation_endpoint_auth_methods_supported", |array| {
        array.string("none");
    });
    object.finish();
    out
}

/// What a client must know to get tokens for `resource`, its exact URL at this gate, which asks its clients for
/// `certificates` or does not.
#[must_use]
pub fn protected_resource(resource: &str, authorization_servers: &[String], certificates: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut object = ObjectWriter::new(&mut out);
    object.string("resource", resource);
    // SPEC: RFC 9728 3.2: parameters with zero values MUST be omitted.
    if !authorization_servers.is_empty() {
        object.array("authorization_servers", |array| {
            for server in authorization_servers {
                array.string(server);
            }
        });
    }
    object.array("bearer_methods_supported", |array| {
        array.string("header");
    });
    object.array("dpop_signing_alg_values_supported", |array| {
        for algorithm in jose::proof::ALGORITHMS {
            array.string(algorithm);
        }
    });
    // SPEC: RFC 9728 2: whether tokens bound to a client certificate (RFC 8705 3) are taken.
    if certificates {
        object.boolean("tls_client_certificate_bound_access_tokens", true);
    }
    object.string("resource_name", "portreeve");
    object.finish();
    out
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::fresh;
    use super::*;
    use crate::credential::SigningAlgorithm;

    #[test]
    fn publishes_public_members_only() {
        let keys = [fresh(SigningAlgorithm::Ed25519), fresh(SigningAlgorithm::Es256)];
        let set: serde_json::Value = serde_json::from_slice(&jwks(&keys)).unwrap();
        for (jwk, key) in set["keys"].as_array().unwrap().iter().zip(&keys) {
            assert_eq!(jwk["kid"], key.id());
            assert_eq!(jwk["alg"], key.algorithm().jose_name());
            assert_eq!(jwk["use"], "sig");
            assert!(jwk.get("d").is_none());
        }
        assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn metadata_names_exactly_what_was_asked_for() {
        let issuer: serde_json::Value = serde_json::from_slice(&authorization_server("https://gate.example")).unwrap();
        assert_eq!(issuer["issuer"], "https://gate.example");
        assert_eq!(issuer["jwks_uri"], "https://gate.example/.well-known/jwks.json");
        assert_eq!(issuer["revocation_endpoint"], "https://gate.example/oauth/revoke");

        let idp = ["https://idp.example".to_owned()];
        let body = protected_resource("https://gate.example/jira/mcp", &idp, true);
        let resource: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(resource["resource"], "https://gate.example/jira/mcp");
        assert_eq!(resource["authorization_servers"][0], "https://idp.example");
        assert_eq!(
            resource["dpop_signing_alg_values_supported"],
            serde_json::json!(jose::proof::ALGORITHMS)
        );
        let alone: serde_json::Value = serde_json::from_slice(&protected_resource("https://g", &[], false)).unwrap();
        assert!(alone.get("authorization_servers").is_none());
        let bound = "tls_client_certificate_bound_access_tokens";
        assert_eq!((&resource[bound], alone.get(bound)), (&serde_json::json!(true), None));
    }
}
