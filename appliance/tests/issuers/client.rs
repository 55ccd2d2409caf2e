//! An OAuth client: finds a server's endpoints, authenticates, and asks for every kind of token there is.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::http::{Answer, Http, parameter, urlencoded};
use crate::keys::{Key, nonce, now, sha256};

/// Where the user is sent back to. Nobody listens there.
pub(crate) const REDIRECT: &str = "http://127.0.0.1/callback";
pub(crate) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
pub(crate) const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client says who it is.
pub(crate) enum Proof {
    /// It does not: its id is public.
    Public,
    /// RFC 7523 2.2.
    PrivateKey(Arc<Key>),
    /// RFC 8705 2: by the certificate that its connection shows.
    Certificate,
}

/// A client of one authorization server.
pub(crate) struct Client {
    pub(crate) id: String,
    proof: Proof,
    http: Http,
    metadata: Value,
}

/// What a user's login ends with.
pub(crate) struct Login {
    pub(crate) access_token: String,
    pub(crate) id_token: Option<String>,
}

impl Client {
    /// The client `id` of the server whose metadata (RFC 8414 or OpenID Connect) is at `metadata`.
    pub(crate) fn new(id: &str, proof: Proof, http: Http, metadata: &str) -> Self {
        let metadata = http.get(metadata, &[]).json();
        Self {
            id: id.to_owned(),
            proof,
            http,
            metadata,
        }
    }

    /// An endpoint by its name in the metadata.
    pub(crate) fn endpoint(&self, name: &str) -> String {
        let url = self.metadata[format!("{name}_endpoint")].as_str();
        url.unwrap_or_else(|| panic!("no {name} endpoint: {}", self.metadata))
            .to_owned()
    }

    pub(crate) fn issuer(&self) -> &str {
        self.metadata["issuer"].as_str().unwrap()
    }

    /// Posts a form to an endpoint as this client.
    pub(crate) fn ask(&self, endpoint: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        let assertion = match &self.proof {
            Proof::PrivateKey(key) => {
                let claims = json!({
                    "iss": self.id, "sub": self.id, "aud": self.issuer(), "jti": nonce(),
                    "iat": now(), "exp": now() + 60,
                });
                Some(key.sign(json!({}), &claims))
            }
            Proof::Public | Proof::Certificate => None,
        };
        let mut form = [form, &[("client_id", &*self.id)]].concat();
        if let Some(assertion) = &assertion {
            form.extend([("client_assertion_type", ASSERTION), ("client_assertion", assertion)]);
        }
        self.http.post(&self.endpoint(endpoint), headers, &form)
    }

    /// The answer of the token endpoint, which must be a good one.
    pub(crate) fn granted(&self, form: &[(&str, &str)]) -> Value {
        let answer = self.ask("token", &[], form);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The error of the token endpoint, which must refuse.
    pub(crate) fn refused(&self, form: &[(&str, &str)]) -> String {
        let answer = self.ask("token", &[], form);
        assert_ne!(answer.status, 200, "{}", answer.text());
        text(&answer.json(), "error")
    }

    /// A token of its own for `resource` (RFC 6749 4.4, RFC 8707).
    pub(crate) fn own_token(&self, resource: &str, scope: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("resource", resource),
            ("scope", scope),
        ];
        text(&self.granted(&form), "access_token")
    }

    /// A token of its own that is bound to `key` (RFC 9449), with the nonce that the server asks for, if it does.
    pub(crate) fn dpop_token(&self, resource: &str, scope: &str, key: &Key) -> Value {
        let form = [
            ("grant_type", "client_credentials"),
            ("resource", resource),
            ("scope", scope),
        ];
        self.granted_bound(&form, key)
    }

    /// As [`Client::granted`], for a token that is bound to `key`.
    fn granted_bound(&self, form: &[(&str, &str)], key: &Key) -> Value {
        let endpoint = self.endpoint("token");
        let first = self.ask(
            "token",
            &[("dpop", &dpop_proof(key, "POST", &endpoint, None, None))],
            form,
        );
        let answer = match first.header("dpop-nonce") {
            Some(nonce) if first.status == 400 => {
                assert_eq!(first.json()["error"], "use_dpop_nonce");
                let proof = dpop_proof(key, "POST", &endpoint, Some(nonce), None);
                self.ask("token", &[("dpop", &proof)], form)
            }
            _ => first,
        };
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Exchanges a user's token (RFC 8693) for one for `resource`, with somebody else's token as the actor's if given.
    pub(crate) fn exchange(&self, subject: &str, actor: Option<&str>, resource: &str) -> Answer {
        let mut form = vec![
            ("grant_type", TOKEN_EXCHANGE),
            ("subject_token", subject),
            ("subject_token_type", ACCESS_TOKEN),
            ("resource", resource),
        ];
        form.extend(
            actor
                .iter()
                .flat_map(|actor| [("actor_token", *actor), ("actor_token_type", ACCESS_TOKEN)]),
        );
        self.ask("token", &[], &form)
    }

    /// Exchanges a user's token for an ID-JAG for the server `audience`, to be spent on a token for `resource`.
    pub(crate) fn id_jag(&self, subject: &str, audience: &str, resource: &str) -> Answer {
        let form = [
            ("grant_type", TOKEN_EXCHANGE),
            ("requested_token_type", ID_JAG),
            ("subject_token", subject),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", audience),
            ("resource", resource),
        ];
        self.ask("token", &[], &form)
    }

    /// Spends an ID-JAG.
    pub(crate) fn redeem(&self, id_jag: &str) -> Answer {
        self.ask("token", &[], &[("grant_type", JWT_BEARER), ("assertion", id_jag)])
    }

    /// What RFC 7662 says of a token.
    pub(crate) fn introspect(&self, token: &str) -> Value {
        self.ask("introspection", &[], &[("token", token)]).json()
    }

    /// RFC 7009.
    pub(crate) fn revoke(&self, token: &str) {
        let answer = self.ask("revocation", &[], &[("token", token)]);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Logs `user` in as a browser would (RFC 6749 4.1 with PKCE), and takes a token for `resource`.
    pub(crate) fn login(&self, user: &str, resource: &str, scope: &str) -> Login {
        self.login_with(user, resource, scope, None)
    }

    /// As [`Client::login`], with a token that is bound to `key`.
    pub(crate) fn login_bound(&self, user: &str, resource: &str, scope: &str, key: &Key) -> Login {
        self.login_with(user, resource, scope, Some(key))
    }

    fn login_with(&self, user: &str, resource: &str, scope: &str, key: Option<&Key>) -> Login {
        let (verifier, state) = (nonce(), nonce());
        let query = urlencoded(&[
            ("client_id", &self.id),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT),
            ("scope", scope),
            ("resource", resource),
            ("code_challenge", &sha256(verifier.as_bytes())),
            ("code_challenge_method", "S256"),
            ("state", &state),
        ]);
        let start = format!("{}?{query}", self.endpoint("authorization"));
        let end = crate::browser::walk(&self.http, start, user);
        assert_eq!(parameter(&end, "state"), Some(state), "{end}");
        // SPEC: RFC 9207 2.4: compared byte by byte.
        assert_eq!(parameter(&end, "iss").as_deref(), Some(self.issuer()), "{end}");
        let code = parameter(&end, "code").unwrap_or_else(|| panic!("no code: {end}"));
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", &verifier),
            ("resource", resource),
        ];
        let granted = match key {
            Some(key) => self.granted_bound(&form, key),
            None => self.granted(&form),
        };
        Login {
            access_token: text(&granted, "access_token"),
            id_token: granted["id_token"].as_str().map(str::to_owned),
        }
    }
}

/// A proof of possession of `key` for one request (RFC 9449 4.2); with a token, at the resource that it is for.
pub(crate) fn dpop_proof(key: &Key, method: &str, url: &str, nonce: Option<&str>, token: Option<&str>) -> String {
    let mut claims = json!({"jti": crate::keys::nonce(), "htm": method, "htu": url, "iat": now()});
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    if let Some(token) = token {
        claims["ath"] = json!(sha256(token.as_bytes()));
    }
    key.sign(json!({"typ": "dpop+jwt", "jwk": key.jwk()}), &claims)
}

/// A proof for a call at the gate with `token`, which also covers the user's assertion if that is given.
pub(crate) fn call_proof(key: &Key, nonce: &str, token: &str, covered: Option<&str>) -> String {
    let mut claims = json!({
        "jti": crate::keys::nonce(), "htm": "POST", "htu": crate::town::TOWN, "iat": now(), "nonce": nonce,
        "ath": sha256(token.as_bytes()),
    });
    if let Some(assertion) = covered {
        // SPEC: draft-ietf-wimse-wpt: by the name of the header.
        claims["oth"] = json!({"x-ai-user-assertion": sha256(assertion.as_bytes())});
    }
    key.sign(json!({"typ": "dpop+jwt", "jwk": key.jwk()}), &claims)
}

/// A member that must be text.
pub(crate) fn text(object: &Value, name: &str) -> String {
    let value = object[name].as_str();
    value.unwrap_or_else(|| panic!("no {name}: {object}")).to_owned()
}
