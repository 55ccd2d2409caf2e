//! What tools and servers demand of a caller: the server's word where the tool has none, and nothing that cannot be told.

use std::time::Duration;

use super::*;

const TOWN: &str = r#"
[servers.town]
url = "http://127.0.0.1:1/mcp"
require_scopes = ["town"]
require_auth_age = "1h"

[servers.town.tools.pay]
class = "admin"
require_scopes = ["town", "town:pay"]
require_acr = ["urn:mfa", "phr"]
require_auth_age = "5m"

[servers.town.tools.ping]
class = "read"
require_scopes = []
"#;

fn demands(scopes: &[&str], acr: &[&str], minutes: u64) -> Demands {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Demands {
        scopes: texts(scopes),
        acr: texts(acr),
        max_age: Some(Duration::from_secs(60 * minutes)),
    }
}

#[test]
fn a_tool_says_key_by_key_what_is_different_from_its_server() {
    let config = parsed(&format!("{MINIMAL}{TOWN}")).unwrap();
    let town = &config.servers[0];
    assert_eq!(town.demands, demands(&["town"], &[], 60));
    let [pay, ping] = &town.tools[..] else {
        panic!("two tools")
    };
    assert_eq!(pay.demands, demands(&["town", "town:pay"], &["urn:mfa", "phr"], 5));
    assert_eq!(ping.demands, demands(&[], &[], 60));
}

#[test]
fn what_could_not_be_told_to_callers_is_refused() {
    let many = format!("[{}]", vec!["\"s\""; 17].join(", "));
    for (old, new, words) in [
        (
            "\"town:pay\"",
            "\"town pay\"",
            "a word here could not be told to callers",
        ),
        ("\"town:pay\"", "'a\"b'", "a word here could not be told to callers"),
        ("\"phr\"", "\"\"", "a word here could not be told to callers"),
        ("[\"town\", \"town:pay\"]", &many, "these are too many"),
        ("\"5m\"", "\"999ms\"", "nobody can authenticate as recently as this"),
        ("require_acr", "require_acrs", "unknown key `require_acrs`"),
    ] {
        let faults = parsed(&format!("{MINIMAL}{}", TOWN.replace(old, new))).unwrap_err();
        assert!(faults[0].to_string().contains(words), "{faults:?}");
    }
}
