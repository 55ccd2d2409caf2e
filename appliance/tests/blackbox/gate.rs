//! The gate under test: a configuration with the embedded issuer, one policy file, and the binary itself.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::child::Running;
use crate::peers::Headers;
use crate::sweep::Credentials;

/// Everything is allowed to the drivers' user but what the denial steps call.
const PERMIT: &str = r#"@id("peers-may")
permit (principal in Group::"peers", action, resource);
"#;

/// Denied by tool.
const FORBID_TOOL: &str = r#"
@id("SERVER-forbidden")
@reason("Nobody calls this tool.")
forbid (principal, action == Action::"SERVER/TOOL", resource);
"#;

/// Denied by argument.
const FORBID_SECRET: &str = r#"
@id("SERVER-secret")
@reason("The region is secret.")
forbid (principal, action == Action::"SERVER/TOOL", resource)
when { context.args has region && context.args.region == "secret" };
"#;

/// A server behind the gate.
pub(crate) struct Behind<'a> {
    /// Its name in the configuration, which is also its path.
    pub(crate) name: &'a str,
    /// Where it listens.
    pub(crate) url: &'a str,
    /// `dual` or `legacy`.
    pub(crate) era: &'a str,
    /// The tool that the policy forbids.
    pub(crate) forbidden: &'a str,
    /// The tool that the policy forbids for `region == "secret"`.
    pub(crate) region: Option<&'a str>,
}

/// A running gate and the headers of a client that may use it.
pub(crate) struct Gate {
    running: Running,
    headers: Headers,
    folder: Folder,
}

/// All that the gate reads and writes. A test that fails tells what the gate had to say.
struct Folder(TempDir);

impl Folder {
    fn log(&self) -> PathBuf {
        self.0.path().join("stderr.log")
    }
}

impl Drop for Folder {
    #[expect(clippy::print_stderr, reason = "what the gate said belongs to a failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.log()).unwrap_or_default());
        }
    }
}

impl Gate {
    /// Starts the gate in front of `servers`.
    pub(crate) fn start(servers: &[Behind<'_>]) -> Self {
        let owned = Folder(tempfile::tempdir().expect("a temporary folder"));
        let folder = &owned.0;
        let file = folder.path().join("portreeve.toml");
        fs::write(&file, configuration(servers)).expect("the configuration is written");
        fs::create_dir(folder.path().join("policies")).expect("the policy folder is made");
        fs::write(folder.path().join("policies/peers.cedar"), policy(servers)).expect("the policy is written");
        let log = fs::File::create(owned.log()).expect("a log");
        let running = Running::start(gate().args(["serve", "--config"]).arg(&file).stderr(log));
        let made = gate()
            .args(["token", "--agent", "driver", "--user", "ada", "--config"])
            .arg(&file)
            .output();
        let made = made.expect("the gate's binary runs");
        assert!(
            made.status.success(),
            "no token: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let lines = String::from_utf8(made.stdout).expect("tokens are text");
        let headers = lines.lines().filter_map(|line| line.split_once(": "));
        let headers = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self {
            running,
            headers,
            folder: owned,
        }
    }

    /// The MCP endpoint of one server.
    pub(crate) fn url(&self, server: &str) -> String {
        format!("{}/{server}/mcp", self.running.url())
    }

    /// Both credentials of the driver.
    pub(crate) fn headers(&self) -> &Headers {
        &self.headers
    }
}

/// No credential of the clients may stand in the log, the audit or any other file of the gate.
impl Drop for Gate {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.running.stop();
        let mut credentials = Credentials::default();
        for (name, value) in &self.headers {
            credentials.keep(format!("{name}: {value}\n").as_bytes());
        }
        assert_eq!(credentials.count(), 4, "claims and signature of two tokens");
        let audit = self.folder.0.path().join("state/audit");
        assert!(
            fs::read_dir(audit).is_ok_and(|mut files| files.next().is_some()),
            "there is an audit to look at"
        );
        credentials.assert_absent_from_files(self.folder.0.path());
    }
}

fn gate() -> Command {
    Command::new(env!("CARGO_BIN_EXE_portreeve"))
}

fn configuration(servers: &[Behind<'_>]) -> String {
    let mut text = String::from(
        r#"[gate]
listen = "127.0.0.1:0"
public_url = "http://127.0.0.1"
shards = 2
state_dir = "state"
policies = "policies"

[embedded_issuer.users.ada]
groups = ["peers"]

[agents.driver]
issuer = "embedded"
"#,
    );
    for Behind {
        name,
        url,
        era,
        forbidden,
        region,
    } in servers
    {
        let tools = [Some(*forbidden), *region].into_iter().flatten();
        let tools: String = tools
            .map(|tool| format!("tools.{tool} = {{ class = \"admin\" }}\n"))
            .collect();
        writeln!(text, "\n[servers.{name}]\nurl = \"{url}\"\nera = \"{era}\"\n{tools}").expect("a string takes all");
    }
    text
}

fn policy(servers: &[Behind<'_>]) -> String {
    let mut text = String::from(PERMIT);
    for Behind {
        name,
        forbidden,
        region,
        ..
    } in servers
    {
        let about = |template: &str, tool: &str| template.replace("SERVER", name).replace("TOOL", tool);
        text.push_str(&about(FORBID_TOOL, forbidden));
        text.extend(region.map(|tool| about(FORBID_SECRET, tool)));
    }
    text
}
