//! The gate's process, and the promise that no credential sent to it turns up elsewhere.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::certified::{TlsClient, Tunnel};
use super::client::{Response, Wire, read_response};
use super::issuer::Issuer;
use super::sockets;
use super::upstream::{Seen, Upstream};
use super::{AUDIENCE, ISSUER};
use crate::sweep::Credentials;

/// A wait that ends a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

const LOG: &str = "stderr.log";

/// A running gate.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    child: Child,
    said: BufReader<ChildStdout>,
    servers: Vec<Seen>,
    /// What was written on each connection.
    sent: Mutex<Vec<Arc<Mutex<Vec<u8>>>>>,
    /// What it holds for its servers.
    held: Mutex<Credentials>,
}

/// What most tests are about: `clerk-bot` for `ada` (group `clerks`) may call everything on server `town`.
pub(crate) const PERMIT_CLERKS: &str =
    r#"@id("clerks") permit(principal in Group::"clerks", action, resource in Server::"town");"#;

impl Gate {
    /// Starts a gate in front of `upstream` with these policies.
    pub(crate) fn start(upstream: &Upstream, policies: &str) -> Self {
        Self::start_with(upstream, policies, &Issuer::new().jwks(), "")
    }

    /// As [`Gate::start`], with another key set and more configuration.
    pub(crate) fn start_with(upstream: &Upstream, policies: &str, jwks: &str, more: &str) -> Self {
        Self::launch(Self::prepare(upstream, policies, jwks, more), &[upstream])
    }

    /// The folder that [`Gate::start_with`] starts on.
    pub(crate) fn prepare(upstream: &Upstream, policies: &str, jwks: &str, more: &str) -> TempDir {
        let configuration = format!(
            r#"
[gate]
listen = "127.0.0.1:0"
public_url = "{AUDIENCE}"
shards = 2
state_dir = "state"
policies = "policies"

[issuers.idp]
issuer = "{ISSUER}"
jwks_file = "jwks.json"
tokens = ["agent", "user"]
audience = "{AUDIENCE}"

[agents.clerk-bot]
issuer = "idp"
subject = "clerk-bot"

[agents.other-bot]
issuer = "idp"
subject = "other-bot"

[servers.town]
url = "http://{}/upstream"
{more}
"#,
            upstream.address
        );
        folder_of(policies, jwks, &configuration)
    }

    /// Starts a gate on the configuration that `folder` holds, in front of all of `upstreams`.
    pub(crate) fn launch(folder: TempDir, upstreams: &[&Upstream]) -> Self {
        let (child, said, address) = spawn(folder.path());
        Self {
            address,
            folder,
            child,
            said,
            servers: upstreams.iter().map(|upstream| upstream.record()).collect(),
            sent: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// From now on `secret` is the gate's own: only its servers may see it.
    pub(crate) fn holds(&self, secret: &str) {
        let line = format!("authorization: {secret}");
        self.held.lock().unwrap().keep(line.as_bytes());
    }

    /// The process of the gate.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as an operator would, and starts it again on the same folder; it listens elsewhere then.
    pub(crate) fn restart(&mut self) {
        assert!(self.stop().success());
        self.sweep();
        (self.child, self.said, self.address) = spawn(self.folder.path());
    }

    /// Sends raw bytes and reads one response. The client's side stays open until then.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Response {
        let mut stream = self.connect();
        // A gate that has refused early may have closed its reading side already.
        let _ = stream.write_all(bytes);
        read_response(&mut stream)
    }

    pub(crate) fn connect(&self) -> Wire {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Wire::new(stream, self.note())
    }

    /// A TLS connection of `client`.
    pub(crate) fn tunnel(&self, client: &TlsClient) -> Tunnel {
        let wire = self.connect();
        client.over(wire.try_clone().unwrap(), self.note())
    }

    /// Where a client notes what it writes.
    fn note(&self) -> Arc<Mutex<Vec<u8>>> {
        let written = Arc::default();
        self.sent.lock().unwrap().push(Arc::clone(&written));
        written
    }

    /// Whether it holds a connection that it opened itself: those it accepts have the port that it listens on.
    pub(crate) fn calls_somebody(&self) -> bool {
        let ports = sockets::local_ports(self.child.id());
        ports.iter().any(|port| *port != self.address.port())
    }

    /// Posts a message with the given header lines (each ended by CRLF), adding `Host` and the body's length.
    pub(crate) fn post(&self, headers: &str, body: &[u8]) -> Response {
        let head = format!(
            "POST /town/mcp HTTP/1.1\r\nhost: {}\r\n{headers}content-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// Every audit record so far.
    pub(crate) fn audit(&self) -> Vec<serde_json::Value> {
        let mut records = Vec::new();
        for file in fs::read_dir(self.folder.path().join("state/audit")).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            records.extend(
                text.lines()
                    .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()),
            );
        }
        records
    }

    /// Tells the gate to stop, as an operator would.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Stops the gate and waits for it. One that is stopping already is told once more, which changes nothing.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        self.terminate();
        self.child.wait().unwrap()
    }

    /// Looks for every credential that was sent to the gate, in all that it wrote and all that its servers saw.
    fn sweep(&mut self) {
        let mut credentials = Credentials::default();
        for connection in self.sent.lock().unwrap().iter() {
            credentials.keep(&connection.lock().unwrap());
        }
        let mut said = Vec::new();
        self.said.read_to_end(&mut said).unwrap();
        credentials.assert_absent("standard output", &said);
        credentials.assert_absent_from_files(self.folder.path());
        let held = self.held.lock().unwrap();
        held.assert_absent("standard output", &said);
        held.assert_absent_from_files(self.folder.path());
        for seen in &self.servers {
            for request in seen.lock().unwrap().iter() {
                credentials.assert_absent("a request to a server", &without_claims(request));
            }
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            return;
        }
        // A gate that is killed might not have written all yet.
        if self.child.try_wait().unwrap().is_none() {
            self.stop();
        }
        self.sweep();
    }
}

/// A request without the claims of the token that it carries: an issuer that exchanged the callers' tokens for it writes them
/// alike. A token that was passed on is known by its signature.
fn without_claims(request: &[u8]) -> Vec<u8> {
    let lines = request.split(|&byte| byte == b'\n').map(|line| {
        let parts: Vec<&[u8]> = line.split(|&byte| byte == b'.').collect();
        match parts[..] {
            [header, _, signature] if line.starts_with(b"authorization: Bearer ") => [header, signature].join(&b'.'),
            _ => line.to_vec(),
        }
    });
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// Starts the gate on the configuration in `folder`, and waits until it listens.
/// A folder with a configuration, and with the policies and the key set that it names.
pub(crate) fn folder_of(policies: &str, jwks: &str, configuration: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "jwks.json", jwks);
    fs::create_dir(folder.path().join("policies")).unwrap();
    write(folder.path(), "policies/test.cedar", policies);
    write(folder.path(), "portreeve.toml", configuration);
    folder
}

/// What becomes of a command on the configuration in `folder`.
pub(crate) fn portreeve(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn spawn(folder: &Path) -> (Child, BufReader<ChildStdout>, SocketAddr) {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join(LOG));
    let mut child = Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(["serve", "--config"])
        .arg(folder.join("portreeve.toml"))
        .stdout(Stdio::piped())
        .stderr(log.unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let address = line.trim().rsplit("//").next().and_then(|address| address.parse().ok());
    let Some(address) = address else {
        let errors = fs::read_to_string(folder.join(LOG)).unwrap();
        panic!("the gate did not start: {line}{errors}");
    };
    (child, said, address)
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}
