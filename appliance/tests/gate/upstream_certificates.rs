//! The gate's certificates towards servers that ask for one: each server is shown its own, and a new one once its files
//! are replaced.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::kit::{Authority, Gate, Issuer, Upstream, modern_call, modern_headers, portreeve, until};

const PERMIT: &str = r#"@id("all") permit(principal, action, resource);"#;

/// A server that takes only the certificates of an authority of its own.
struct Vault {
    name: &'static str,
    server: Upstream,
    /// Made the server's certificate, and makes those that it takes.
    authority: Authority,
}

impl Vault {
    fn new(name: &'static str) -> Self {
        let authority = Authority::new();
        let server = Upstream::obliging_over(authority.demanded_by(&authority.server()));
        Self {
            name,
            server,
            authority,
        }
    }

    /// Its table, with more keys.
    fn table(&self, more: &str) -> String {
        let (name, address) = (self.name, self.server.address);
        format!("[servers.{name}]\nurl = \"https://{address}/mcp\"\nca_file = \"{name}.ca\"\n{more}\n")
    }

    /// Writes what the gate trusts and shows: a certificate that `by` made.
    fn equip(&self, folder: &TempDir, by: &Authority) {
        let shown = by.client(&[], 1);
        let file =
            |end: &str, text: String| fs::write(folder.path().join(format!("{}.{end}", self.name)), text).unwrap();
        file("ca", self.authority.pem());
        file("pem", shown.pem());
        file("key", shown.key_pem());
    }

    fn shown(&self) -> String {
        format!("certificate = \"{0}.pem\"\nkey = \"{0}.key\"", self.name)
    }
}

/// The status of a call to that server.
fn call(gate: &Gate, server: &str) -> u16 {
    let issuer = Issuer::new();
    let (agent, user) = (issuer.agent("clerk-bot"), issuer.user("ada", "clerk-bot", &[]));
    let body = modern_call(1, "read", &json!({}));
    let head = format!(
        "POST /{server}/mcp HTTP/1.1\r\nhost: gate.test\r\n{}content-length: {}\r\n\r\n",
        modern_headers(&agent, &user, "tools/call", "read"),
        body.len()
    );
    gate.raw(&[head.as_bytes(), &body].concat()).status
}

/// Whether a call ended at the server's door. 502 if the server's alert arrives, 504 if its kernel resets the connection first.
fn is_unanswered(status: u16) -> bool {
    matches!(status, 502 | 504)
}

#[test]
fn each_server_is_shown_its_own_certificate_and_one_that_asks_in_vain_gets_no_request() {
    let (plain, blue, red, bare) = (
        Upstream::obliging(),
        Vault::new("blue"),
        Vault::new("red"),
        Vault::new("bare"),
    );
    let tables = [blue.table(&blue.shown()), red.table(&red.shown()), bare.table("")].concat();
    let folder = Gate::prepare(&plain, PERMIT, &Issuer::new().jwks(), &tables);
    for vault in [&blue, &red, &bare] {
        vault.equip(&folder, &vault.authority);
    }
    let gate = Gate::launch(folder, &[&blue.server, &red.server, &bare.server]);
    assert_eq!([call(&gate, "blue"), call(&gate, "red")], [200, 200]);
    assert!(is_unanswered(call(&gate, "bare")));
    assert_eq!([&blue, &red, &bare].map(|vault| vault.server.count()), [1, 1, 0]);
}

#[test]
fn a_certificate_that_is_replaced_is_shown_without_a_restart() {
    let (plain, vault) = (Upstream::obliging(), Vault::new("vault"));
    let folder = Gate::prepare(&plain, PERMIT, &Issuer::new().jwks(), &vault.table(&vault.shown()));
    vault.equip(&folder, &Authority::new());
    let gate = Gate::launch(folder, &[&vault.server]);
    assert!(is_unanswered(call(&gate, "vault")));
    assert_eq!(vault.server.count(), 0);

    vault.equip(&gate.folder, &vault.authority);
    until("the files were not taken up", || call(&gate, "vault") == 200);
}

#[test]
fn a_certificate_that_cannot_be_read_is_refused_at_the_start_by_its_file() {
    let (plain, vault) = (Upstream::obliging(), Vault::new("vault"));
    let folder = Gate::prepare(&plain, PERMIT, &Issuer::new().jwks(), &vault.table(&vault.shown()));
    vault.equip(&folder, &vault.authority);
    fs::write(folder.path().join("vault.pem"), "no certificate").unwrap();
    let output = portreeve(folder.path(), &["serve"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("vault.pem: holds no certificate"),
        "{said}"
    );
}
