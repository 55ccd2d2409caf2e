//! Challenges: what a permitted caller lacks is told exactly, and nobody else is told anything.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::kit::{
    Gate, Idp, Issuer, PERMIT_CLERKS, Response, Upstream, body_of, json_response, modern_call, modern_headers,
};

const DEMANDS: &str = r#"
[servers.town.tools.file]
class = "update"
require_scopes = ["town:file", "town:sign"]

[servers.town.tools.pay]
class = "update"
require_acr = ["urn:mfa", "phr"]
require_auth_age = "5m"

[servers.town.tools.both]
class = "update"
require_scopes = ["town:sign"]
require_auth_age = "5m"
"#;

/// The end of every challenge.
const METADATA: &str = "resource_metadata=\"https://gate.test/.well-known/oauth-protected-resource/town/mcp\"";

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn start(upstream: &Upstream, policies: &str, more: &str) -> Gate {
    Gate::start_with(upstream, policies, &Issuer::new().jwks(), more)
}

/// A call of `tool` with these scopes of the agent's token, and `login` in the user's assertion.
fn call(gate: &Gate, tool: &str, scopes: &str, login: &Value) -> Response {
    let (agent, user) = identities(scopes, login);
    let headers = modern_headers(&agent, &user, "tools/call", tool);
    gate.post(&headers, &modern_call(7, tool, &json!({})))
}

fn identities(scopes: &str, login: &Value) -> (String, String) {
    let issuer = Issuer::new();
    let agent = issuer.claims("clerk-bot", &json!({"client_id": "clerk-bot", "scope": scopes}));
    let mut user = issuer.claims("ada", &json!({"azp": "clerk-bot", "groups": ["clerks"]}));
    user.as_object_mut().unwrap().extend(login.as_object().unwrap().clone());
    (issuer.sign(&agent), issuer.sign(&user))
}

/// Another message with both identities and no more.
fn ask(gate: &Gate, method: &str, name: &str, params: Value) -> Response {
    let (agent, user) = identities("", &json!({}));
    let mut message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let headers = modern_headers(&agent, &user, method, name).replace("mcp-name: \r\n", "");
    gate.post(&headers, message.to_string().as_bytes())
}

fn assert_challenged(response: &Response, status: u16, code: i64, challenge: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(
        response.header("www-authenticate"),
        Some(format!("{challenge}, {METADATA}").as_str())
    );
    assert_eq!((&response.json()["id"], response.code()), (&json!(7), Some(code)));
}

fn assert_denied_without_a_hint(response: &Response) {
    assert_eq!((response.status, response.code()), (200, Some(-31403)), "{response:?}");
    assert_eq!(response.header("www-authenticate"), None);
    let body = String::from_utf8_lossy(&response.body);
    for word in ["scope", "acr", "max_age", "town:"] {
        assert!(!body.contains(word), "{body}");
    }
}

#[test]
fn missing_scopes_are_asked_for_by_the_exact_set_of_that_tool() {
    let upstream = Upstream::obliging();
    let mut gate = start(&upstream, PERMIT_CLERKS, DEMANDS);
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"town:file town:sign\"";
    for scopes in ["", "town:file", "town:file town:signs"] {
        let refused = call(&gate, "file", scopes, &json!({}));
        assert_challenged(&refused, 403, -31410, challenge);
        assert_eq!(
            refused.json()["error"]["data"],
            json!({"reason": "scope", "scope": "town:file town:sign"})
        );
    }
    assert_eq!(upstream.count(), 0);
    assert_eq!(call(&gate, "file", "other town:sign town:file", &json!({})).status, 200);
    assert_eq!(call(&gate, "read", "", &json!({})).status, 200, "another tool");
    gate.stop();
    let audit = gate.audit();
    let refusal = audit.iter().find(|record| record["kind"] == "refusal").unwrap();
    assert_eq!(
        (&refusal["reason"], &refusal["status"], &refusal["tool"]),
        (&json!("scope"), &json!(403), &json!("file"))
    );
}

#[test]
fn a_user_who_must_authenticate_again_is_asked_for_how_and_how_recently() {
    let upstream = Upstream::obliging();
    let mut gate = start(&upstream, PERMIT_CLERKS, DEMANDS);
    let challenge = "Bearer error=\"insufficient_user_authentication\", acr_values=\"urn:mfa phr\", max_age=300";
    for login in [
        json!({}),
        json!({"acr": "urn:mfa"}),
        json!({"auth_time": now()}),
        json!({"acr": "pwd", "auth_time": now()}),
        json!({"acr": "urn:mfa", "auth_time": now() - 400}),
    ] {
        assert_challenged(&call(&gate, "pay", "", &login), 401, -31411, challenge);
    }
    assert_eq!(upstream.count(), 0);
    for acr in ["urn:mfa", "phr"] {
        let login = json!({"acr": acr, "auth_time": now() - 200});
        assert_eq!(call(&gate, "pay", "", &login).status, 200);
    }
    let both = call(&gate, "both", "", &json!({}));
    let challenge = "Bearer error=\"insufficient_user_authentication\", max_age=300, scope=\"town:sign\"";
    assert_challenged(&both, 401, -31411, challenge);
    gate.stop();
    let audit = gate.audit();
    let refusal = audit.iter().find(|record| record["kind"] == "refusal").unwrap();
    assert_eq!(
        (&refusal["reason"], &refusal["status"]),
        (&json!("step_up"), &json!(401))
    );
}

#[test]
fn whom_policy_denies_learns_nothing_of_what_else_is_demanded() {
    let upstream = Upstream::obliging();
    let gate = start(&upstream, "", DEMANDS);
    for tool in ["file", "pay", "both"] {
        assert_denied_without_a_hint(&call(&gate, tool, "", &json!({})));
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn what_a_server_demands_holds_for_everything_it_has_by_name_and_not_for_lists() {
    let upstream = Upstream::with(|request| {
        let message: Value = serde_json::from_slice(body_of(request)).unwrap();
        let result = json!({
            "resultType": "complete", "content": [],
            "tools": [{"name": "file", "inputSchema": {"type": "object"}}],
        });
        json_response(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
    });
    let more = format!(
        "require_scopes = [\"town\"]\n{DEMANDS}\n[servers.town.tools.open]\nclass = \"read\"\nrequire_scopes = []\n"
    );
    let gate = start(&upstream, PERMIT_CLERKS, &more);
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"town\"";
    let read = |method, name, params| ask(&gate, method, name, params);
    for refused in [
        call(&gate, "unlisted", "", &json!({})),
        read("resources/read", "file:///a", json!({"uri": "file:///a"})),
        read("prompts/get", "hello", json!({"name": "hello"})),
    ] {
        assert_challenged(&refused, 403, -31410, challenge);
    }
    assert_eq!(upstream.count(), 0);
    assert_eq!(call(&gate, "unlisted", "town", &json!({})).status, 200);
    assert_eq!(call(&gate, "open", "", &json!({})).status, 200);
    let listed = read("tools/list", "", json!({}));
    assert_eq!(listed.json()["result"]["tools"][0]["name"], "file", "{listed:?}");
}

#[test]
fn a_policy_that_requires_a_step_up_asks_for_it_if_nothing_else_stands_in_the_way() {
    let upstream = Upstream::obliging();
    let require = r#"
        @id("mfa") @require("step_up") @acr("urn:mfa") @max_age("300")
        forbid(principal, action == Action::"town/read", resource)
        unless { context.auth has acr && context.auth.acr == "urn:mfa" && context.auth has age && context.auth.age <= 300 };
        @id("never") forbid(principal, action == Action::"town/never", resource);
        @id("mfa-never") @require("step_up") @acr("urn:mfa")
        forbid(principal, action == Action::"town/never", resource);"#;
    let gate = start(&upstream, &format!("{PERMIT_CLERKS}{require}"), "");
    let challenge = "Bearer error=\"insufficient_user_authentication\", acr_values=\"urn:mfa\", max_age=300";
    assert_challenged(&call(&gate, "read", "", &json!({})), 401, -31411, challenge);
    assert_denied_without_a_hint(&call(&gate, "never", "", &json!({})));
    assert_eq!(upstream.count(), 0);
    let login = json!({"acr": "urn:mfa", "auth_time": now()});
    assert_eq!(call(&gate, "read", "", &login).status, 200);
}

#[test]
fn an_authorization_server_that_wants_the_user_again_is_passed_on_as_a_challenge() {
    let (upstream, idp) = (Upstream::obliging(), Idp::empty());
    let body = json!({"error": "insufficient_user_authentication"}).to_string();
    let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length:";
    idp.says("/token", format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes());
    let more = format!(
        "credential.mode = \"exchange\"\ncredential.at.issuer = \"{0}\"\ncredential.at.token_endpoint = \"{0}/token\"\n\
         credential.at.client_id = \"portreeve-town\"\n",
        idp.iss()
    );
    let mut gate = start(&upstream, PERMIT_CLERKS, &more);
    let challenge = "Bearer error=\"insufficient_user_authentication\"";
    assert_challenged(&call(&gate, "read", "", &json!({})), 401, -31411, challenge);
    assert_eq!(upstream.count(), 0);
    gate.stop();
    let reason = |record: &Value| record["reason"] == "credential_step_up" && record["status"] == 401;
    assert!(gate.audit().iter().any(reason));
}
