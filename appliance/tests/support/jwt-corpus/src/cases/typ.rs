//! Token types: a token of another kind, or bound to a key, is not a bearer token for the gate.

use serde_json::json;

use crate::Expect::Reject;
use crate::forge::ABSENT;
use crate::forge::Forge;

pub(super) fn add(forge: &mut Forge<'_>) {
    let odd = [
        json!(ABSENT),
        json!(null),
        json!(1),
        json!(["at+jwt"]),
        json!(""),
        json!("JWT"),
        json!("jwt"),
        json!("at"),
        json!("at+jwt2"),
        json!(" at+jwt"),
        json!("at+jwt; charset=utf-8"),
        json!("text/at+jwt"),
        json!("application/application/at+jwt"),
        json!("dpop+jwt"),
        json!("secevent+jwt"),
        json!("logout+jwt"),
        json!("oauth-id-jag+jwt"),
        json!("txntoken+jwt"),
        json!("wit+jwt"),
    ];
    for typ in odd {
        forge.with_header("typ", &format!("typ is {typ}"), json!({"typ": typ}), Reject);
    }
    for (name, cnf) in [
        ("jkt", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})),
        (
            "x5t#S256",
            json!({"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
        ),
        ("a jwk", json!({"jwk": {"kty": "oct", "k": "AA"}})),
        ("an unknown member", json!({"future": "1"})),
        ("no member", json!({})),
        ("a string", json!("jkt")),
        ("null", json!(null)),
    ] {
        forge.with_claims("cnf", &format!("cnf is {name}"), json!({"cnf": cnf}), Reject);
    }
}
