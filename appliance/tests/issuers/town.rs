//! The gate under test, before one recording server, and what that server makes of the token it gets.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gate_kit::{AUDIENCE, Authority, Gate, Response, TlsClient, Upstream, modern_call, modern_headers};
use crate::keys::Certified;
use crate::library::Library;
use crate::peers::{Plan, node};
use crate::provider::Provider;

/// The server's URL at the gate: what clients ask tokens for.
pub(crate) const TOWN: &str = "https://gate.test/town/mcp";
/// A resource behind the gate, of which the gate's callers know nothing.
pub(crate) const LEDGER: &str = "https://ledger.test/mcp";
/// A resource that has nothing to do with the gate.
pub(crate) const ELSEWHERE: &str = "https://elsewhere.test/mcp";

/// Which policy permitted a call says what linked its user to its agent.
const POLICY: &str = r#"
@id("client") permit(principal in Group::"clerks", action, resource) when { context.auth.link == "client" };
@id("may_act") permit(principal in Group::"clerks", action, resource) when { context.auth.link == "may_act" };
@id("delegated") permit(principal in Group::"clerks", action, resource) when { context.auth.link == "delegated" };
@id("key") permit(principal in Group::"clerks", action, resource) when { context.auth.link == "key" };
@id("proof") permit(principal in Group::"clerks", action, resource) when { context.auth.link == "proof" };
"#;
/// `oauth-as` says nothing of groups.
const POLICY_ALL: &str = r#"@id("all") permit(principal, action, resource);"#;
/// The registration that makes `console` the front end of the agent.
pub(crate) const CONSOLE: &str = "clients.idp = \"console\"";

/// A wait that ends a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The gate and its server.
pub(crate) struct Town {
    pub(crate) gate: Gate,
    pub(crate) upstream: Upstream,
    /// Whoever calls, where the gate speaks TLS.
    client: Option<TlsClient>,
    /// What whoever is refused reads.
    blunt: Vec<u8>,
}

impl Town {
    /// A gate that trusts `provider`, with `agent` in the table of the agent `clerk-bot`.
    pub(crate) fn trusting(provider: &Provider, agent: &str) -> Self {
        Self::before(provider, agent, &[("town", "")])
    }

    /// As [`Town::trusting`], over TLS: clients may show certificates that nobody vouches for.
    pub(crate) fn asking_for_certificates(provider: &Provider, agent: &str) -> Self {
        let (authority, files) = (Authority::new(), TempDir::new().unwrap());
        let server = authority.server();
        let file = |name: &str, text: String| {
            let path = files.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let tls = format!(
            "[gate.tls]\ncertificate = {:?}\nkey = {:?}\nclient_certificates = \"optional\"\nclient_self_signed = true",
            file("gate.pem", server.pem()),
            file("gate.key", server.key_pem())
        );
        let client = Some(TlsClient::new(&authority));
        Self::reached_by(
            client,
            (provider.issuer(), &provider.trust()),
            &format!("{agent}\n{tls}"),
            POLICY,
            &[("town", "")],
        )
    }

    /// From now on calls come over connections that show this.
    pub(crate) fn shows(&self, certified: Option<&Certified>) {
        let client = self.client.as_ref().expect("a gate that speaks TLS");
        client.shows_of(certified.map(|certified| (certified.certificate(), certified.key())));
    }

    /// A gate that trusts `provider` with more in that issuer's table.
    pub(crate) fn asking(provider: &Provider, more: &str, agent: &str) -> Self {
        let more = format!("{}\n{more}", provider.trust());
        Self::with(provider.issuer(), &more, agent, POLICY, &[("town", "")])
    }

    /// A gate that trusts `library`, and lets everybody it knows through.
    pub(crate) fn believing(library: &Library, agent: &str) -> Self {
        Self::across(library, agent, &[("town", "")])
    }

    /// As [`Town::trusting`], with more in the tables of these servers, `town` among them.
    pub(crate) fn before(provider: &Provider, agent: &str, servers: &[(&str, &str)]) -> Self {
        Self::with(provider.issuer(), &provider.trust(), agent, POLICY, servers)
    }

    /// As [`Town::believing`], with more in the tables of these servers.
    pub(crate) fn across(library: &Library, agent: &str, servers: &[(&str, &str)]) -> Self {
        Self::with(library.issuer(), "", agent, POLICY_ALL, servers)
    }

    fn with(issuer: &str, more: &str, agent: &str, policy: &str, servers: &[(&str, &str)]) -> Self {
        Self::reached_by(None, (issuer, more), agent, policy, servers)
    }

    fn reached_by(
        client: Option<TlsClient>,
        (issuer, more): (&str, &str),
        agent: &str,
        policy: &str,
        servers: &[(&str, &str)],
    ) -> Self {
        let (folder, upstream) = (TempDir::new().unwrap(), Upstream::obliging());
        fs::create_dir(folder.path().join("policies")).unwrap();
        fs::write(folder.path().join("policies/test.cedar"), policy).unwrap();
        let servers: String = servers
            .iter()
            .map(|(name, more)| {
                format!(
                    "[servers.{name}]\nurl = \"http://{}/upstream\"\n{more}\n",
                    upstream.address
                )
            })
            .collect();
        let configuration = format!(
            r#"
[gate]
listen = "127.0.0.1:0"
public_url = "{AUDIENCE}"
shards = 2

[issuers.idp]
issuer = "{issuer}"
tokens = ["agent", "user"]
require_at_start = true
{more}

[agents.clerk-bot]
issuer = "idp"
subject = "clerk-bot"
{agent}

{servers}"#
        );
        fs::write(folder.path().join("portreeve.toml"), configuration).unwrap();
        let gate = Gate::launch(folder, &[&upstream]);
        let mut town = Self {
            gate,
            upstream,
            client,
            blunt: Vec::new(),
        };
        let blunt = town.call("e30.e30.e30", "e30.e30.e30");
        assert_eq!(blunt.status, 401, "{blunt:?}");
        town.blunt = blunt.body;
        town
    }

    /// A call of the tool `read`.
    pub(crate) fn call(&self, agent: &str, user: &str) -> Response {
        let headers = modern_headers(agent, user, "tools/call", "read");
        let body = modern_call(1, "read", &json!({}));
        let Some(client) = &self.client else {
            return self.gate.post(&headers, &body);
        };
        let length = body.len();
        let head = format!("POST /town/mcp HTTP/1.1\r\nhost: gate.test\r\n{headers}content-length: {length}\r\n\r\n");
        let answer = self.gate.tunnel(client).ask(&[head.as_bytes(), &body].concat());
        answer.expect("an answer")
    }

    /// A call of a tool of one of the servers. Without a user's assertion the token names both.
    pub(crate) fn call_at(&self, server: &str, tool: &str, agent: &str, user: Option<&str>) -> Response {
        let mut headers = modern_headers(agent, user.unwrap_or_default(), "tools/call", tool);
        if user.is_none() {
            headers = headers.replace("x-ai-user-assertion: \r\n", "");
        }
        let body = modern_call(1, tool, &json!({}));
        let head = format!(
            "POST /{server}/mcp HTTP/1.1\r\nhost: {}\r\n{headers}content-length: {}\r\n\r\n",
            self.gate.address,
            body.len()
        );
        self.gate.raw(&[head.as_bytes(), &body].concat())
    }

    /// A call of the tool `read` with a token that is bound to a key, and proofs of that.
    pub(crate) fn prove(&self, agent: &str, user: &str, proofs: &[&str]) -> Response {
        let headers = modern_headers(agent, user, "tools/call", "read").replacen("Bearer", "DPoP", 1);
        let proofs: String = proofs.iter().map(|proof| format!("dpop: {proof}\r\n")).collect();
        self.gate
            .post(&format!("{headers}{proofs}"), &modern_call(1, "read", &json!({})))
    }

    /// Makes a call that must be refused for `reason`, in the one way that callers see, with nothing sent to the server.
    pub(crate) fn refuses(&self, agent: &str, user: &str, reason: &str) {
        self.refuses_alike(reason, || self.call(agent, user));
    }

    /// As [`Town::refuses`], however the call is made. Gives back what its caller reads.
    pub(crate) fn refuses_alike(&self, reason: &str, call: impl FnOnce() -> Response) -> Response {
        let (before, known) = (self.upstream.count(), self.refusals(reason));
        let response = call();
        assert_eq!(response.status, 401, "{reason}: {response:?}");
        assert_eq!(response.body, self.blunt, "{reason} must look like any other refusal");
        assert_eq!(self.upstream.count(), before, "{reason} reached the server");
        self.await_refusal(reason, known);
        response
    }

    /// Waits until there are more refusals for `reason` than those `known`: the answer does not wait for the record.
    pub(crate) fn await_refusal(&self, reason: &str, known: usize) {
        let begun = Instant::now();
        while self.refusals(reason) == known {
            assert!(begun.elapsed() < PATIENCE, "{reason}: {:#?}", self.records("refusal"));
        }
    }

    pub(crate) fn refusals(&self, reason: &str) -> usize {
        let all = self.records("refusal");
        all.iter().filter(|record| record["reason"] == reason).count()
    }

    /// The audit records of a kind. A line that is not all there yet is left out.
    pub(crate) fn records(&self, kind: &str) -> Vec<Value> {
        let mut records = Vec::new();
        for file in fs::read_dir(self.gate.folder.path().join("state/audit")).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            records.extend(lines.map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
        records.retain(|record| record["kind"] == kind);
        records
    }

    /// What the server's own JWT library says of the last token it was sent.
    pub(crate) fn verified(&self) -> Value {
        let output = self.judged(&format!("http://{}/upstream", self.upstream.address));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Has that library judge the last token for a server that is called `audience`.
    pub(crate) fn judged(&self, audience: &str) -> Output {
        let at = format!("http://{}", self.gate.address);
        judge((&at, None), AUDIENCE, audience, &self.shown(), &["act"])
    }

    /// The last token that the server was sent.
    pub(crate) fn shown(&self) -> String {
        let request = String::from_utf8(self.upstream.seen().pop().expect("a request")).unwrap();
        let token = request
            .lines()
            .find_map(|line| line.strip_prefix("authorization: Bearer "));
        token.unwrap_or_else(|| panic!("no token: {request}")).to_owned()
    }

    /// What `portreeve status` says of the issuer.
    pub(crate) fn status(&self) -> Value {
        self.whole_status()["issuers"][0].clone()
    }

    /// What it says of everything.
    pub(crate) fn whole_status(&self) -> Value {
        serde_json::from_slice(&self.portreeve(&["status", "--json"]).stdout).unwrap()
    }

    /// Has the keys fetched now, and waits until the status is as `done` says.
    pub(crate) fn refresh(&self, done: impl Fn(&Value) -> bool) -> Value {
        let output = self.portreeve(&["issuer", "refresh", "idp"]);
        assert!(output.status.success(), "{output:?}");
        let begun = Instant::now();
        loop {
            let status = self.status();
            if done(&status) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{status}");
        }
    }

    pub(crate) fn portreeve(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_portreeve"))
            .args(arguments)
            .current_dir(self.gate.folder.path())
            .output()
            .unwrap()
    }
}

/// Has an independent JWT library judge `token`, by the metadata and keys that `issuer` publishes at `at`; over TLS by
/// the word of `authority`.
pub(crate) fn judge(
    (at, authority): (&str, Option<&Path>),
    issuer: &str,
    audience: &str,
    token: &str,
    requires: &[&str],
) -> Output {
    let plan = Plan::write(&json!({
        "at": at, "issuer": issuer, "audience": audience, "token": token, "requires": requires,
    }));
    let mut command = node("src/verify.ts");
    if let Some(authority) = authority {
        command.env("NODE_EXTRA_CA_CERTS", authority);
    }
    command.arg(plan.path()).output().unwrap()
}
