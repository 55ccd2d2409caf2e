//! A real gate, a recording server behind it and a raw client in front: what the black-box tests are made of.
//!
//! The server answers every request with the same JSON-RPC result and keeps what it saw, byte for byte, so that a test
//! can say "nothing arrived" and mean it. Ports are the kernel's choice; nothing waits but for bytes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tempfile::TempDir;

/// A wait that ends a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The audience of all test tokens, and the gate's public name.
pub(crate) const AUDIENCE: &str = "https://gate.test";
pub(crate) const ISSUER: &str = "https://idp.test";

/// A server that records every byte and answers with `reply`.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Upstream {
    /// Answers every request (head and body) with what `answer` makes of it.
    pub(crate) fn with(answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (record, answer) = (Arc::clone(&seen), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (record, answer) = (Arc::clone(&record), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &record, &*answer));
            }
        });
        Self { address, seen }
    }

    /// A JSON-RPC result for any id, in the modern shape.
    pub(crate) fn obliging() -> Self {
        Self::with(|request| {
            let body = body_of(request);
            let id =
                serde_json::from_slice::<serde_json::Value>(body).map_or(serde_json::Value::Null, |m| m["id"].clone());
            let result = serde_json::json!({
                "resultType": "complete",
                "content": [{"type": "text", "text": "done"}],
            });
            json_response(&serde_json::json!({"jsonrpc": "2.0", "id": id, "result": result}))
        })
    }

    /// Every request so far, head and body.
    pub(crate) fn seen(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests arrived.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

/// A 200 response with a JSON body.
pub(crate) fn json_response(body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

/// The body of a recorded request.
pub(crate) fn body_of(request: &[u8]) -> &[u8] {
    let end = request
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(request.len(), |at| at + 4);
    &request[end..]
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Vec<u8>>>, answer: &dyn Fn(&[u8]) -> Vec<u8>) {
    let mut buffer = Vec::new();
    loop {
        let Some(length) = complete(&buffer) else {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            }
            continue;
        };
        let request: Vec<u8> = buffer.drain(..length).collect();
        seen.lock().unwrap().push(request.clone());
        if stream.write_all(&answer(&request)).is_err() {
            return;
        }
    }
}

/// The length of the message at the front of `buffer`, once it is all there.
fn complete(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let declared = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let length = head + declared.unwrap_or(0);
    (buffer.len() >= length).then_some(length)
}

/// A response as a raw client sees it.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn code(&self) -> Option<i64> {
        self.json()["error"]["code"].as_i64()
    }
}

/// An issuer of test tokens: Ed25519, its own JWKS.
pub(crate) struct Issuer {
    keys: Ed25519KeyPair,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        Self {
            keys: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
        }
    }

    pub(crate) fn jwks(&self) -> String {
        let x = BASE64.encode(self.keys.public_key());
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"k1","x":"{x}"}}]}}"#)
    }

    pub(crate) fn sign(&self, claims: &serde_json::Value) -> String {
        let header = BASE64.encode(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1"}"#);
        let signed = format!("{header}.{}", BASE64.encode(claims.to_string()));
        let signature = BASE64.encode(self.keys.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The token of a registered agent.
    pub(crate) fn agent(&self, subject: &str) -> String {
        self.sign(&self.claims(subject, &serde_json::json!({"client_id": subject})))
    }

    /// A user's assertion, issued to `agent`.
    pub(crate) fn user(&self, subject: &str, agent: &str, groups: &[&str]) -> String {
        self.sign(&self.claims(subject, &serde_json::json!({"azp": agent, "groups": groups})))
    }

    fn claims(&self, subject: &str, more: &serde_json::Value) -> serde_json::Value {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let mut claims = serde_json::json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600,
            "jti": format!("{subject}-{now}"),
        });
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        claims
    }
}

/// A running gate.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    child: Child,
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
        let folder = TempDir::new().unwrap();
        write(folder.path(), "jwks.json", jwks);
        fs::create_dir(folder.path().join("policies")).unwrap();
        write(folder.path(), "policies/test.cedar", policies);
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
        write(folder.path(), "portreeve.toml", &configuration);
        Self::launch(folder)
    }

    /// Starts a gate on the configuration that `folder` holds.
    pub(crate) fn launch(folder: TempDir) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portreeve"))
            .args(["serve", "--config"])
            .arg(folder.path().join("portreeve.toml"))
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("stderr.log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().rsplit("//").next().and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let errors = fs::read_to_string(folder.path().join("stderr.log")).unwrap();
            panic!("the gate did not start: {line}{errors}");
        };
        Self { address, folder, child }
    }

    /// Sends raw bytes and reads one response. The client's side stays open until then.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Response {
        let mut stream = self.connect();
        // A gate that has refused early may have closed its reading side already.
        let _ = stream.write_all(bytes);
        read_response(&mut stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
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

    /// Every byte the gate wrote: its log and all files of its state directory.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut bytes = fs::read(self.folder.path().join("stderr.log")).unwrap();
        collect(&self.folder.path().join("state"), &mut bytes);
        bytes
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

    /// Stops the gate as an operator would, and waits for it.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        let killed = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Header lines of a modern request for `method` and `name` with both identities.
pub(crate) fn modern_headers(agent: &str, user: &str, method: &str, name: &str) -> String {
    format!(
        "authorization: Bearer {agent}\r\nx-ai-user-assertion: {user}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: {method}\r\n\
         mcp-name: {name}\r\n"
    )
}

/// A modern `tools/call`.
pub(crate) fn modern_call(id: u64, tool: &str, arguments: &serde_json::Value) -> Vec<u8> {
    let meta = serde_json::json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    serde_json::json!({
        "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"name": tool, "arguments": arguments, "_meta": meta},
    })
    .to_string()
    .into_bytes()
}

pub(crate) fn read_response(stream: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    loop {
        if let Some(length) = complete(&bytes) {
            bytes.truncate(length);
            break;
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) => panic!("no response: {error}; so far {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    let body = body_of(&bytes).to_vec();
    let head = String::from_utf8_lossy(&bytes[..bytes.len() - body.len()]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    Response { status, head, body }
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

fn collect(folder: &Path, bytes: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, bytes);
        } else if !path.to_string_lossy().contains("key") {
            bytes.extend(fs::read(&path).unwrap());
        }
    }
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> serde_json::Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64.decode(payload).unwrap()).unwrap()
}
