//! The contenders, each on core 0: the gate and nginx in front of the same upstream, and that upstream by itself.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::Outcome;
use crate::process::Proxy;

const ISSUER: &str = "https://idp.bench";
const AUDIENCE: &str = "https://gate.bench";

/// portreeve, and the tokens it accepts.
pub(crate) struct Governed {
    pub(crate) proxy: Proxy,
    agent: String,
    user: String,
}

/// nginx without checks.
pub(crate) struct Plain {
    pub(crate) proxy: Proxy,
}

/// The argument that makes this program the upstream and nothing else.
pub(crate) const SERVE: &str = "serve-upstream";

/// The upstream alone.
pub(crate) struct Direct {
    pub(crate) proxy: Proxy,
}

/// Starts the upstream as a process of its own.
pub(crate) fn direct() -> Outcome<Direct> {
    let mut child = pinned(&std::env::current_exe()?)
        .arg(SERVE)
        .stdout(Stdio::piped())
        .spawn()?;
    let address = announced(&mut child)?;
    Ok(Direct {
        proxy: Proxy { address, child },
    })
}

/// `program`, to be run on core 0.
fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

/// The address at the end of the first line that `child` prints.
fn announced(child: &mut Child) -> Outcome<SocketAddr> {
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    Ok(line.trim().rsplit("//").next().ok_or("no address")?.parse()?)
}

/// Starts `portreeve serve` with one shard.
pub(crate) fn portreeve(folder: &Path, upstream: SocketAddr) -> Outcome<Governed> {
    let keys = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).map_err(|_| "no key")?;
    let x = BASE64.encode(keys.public_key());
    let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "k", "x": x}]});
    fs::write(folder.join("jwks.json"), jwks.to_string())?;
    fs::create_dir(folder.join("policies"))?;
    fs::write(
        folder.join("policies/bench.cedar"),
        "@id(\"connect\") permit(principal in Group::\"clerks\", action == Action::\"session\", resource == Server::\"town\");\n\
         @id(\"read\") permit(principal in Group::\"clerks\", action == Action::\"town/read_entry\", resource)\n\
         when { context.args.parcel < 1000 };\n",
    )?;
    fs::write(
        folder.join("portreeve.toml"),
        format!(
            "[gate]\nlisten = \"127.0.0.1:0\"\npublic_url = \"{AUDIENCE}\"\nshards = 1\nstate_dir = \"state\"\npolicies = \"policies\"\n\
             [issuers.idp]\nissuer = \"{ISSUER}\"\njwks_file = \"jwks.json\"\ntokens = [\"agent\", \"user\"]\naudience = \"{AUDIENCE}\"\n\
             [agents.clerk-bot]\nissuer = \"idp\"\nsubject = \"clerk-bot\"\n[servers.town]\nurl = \"http://{upstream}/town/mcp\"\n\
             [servers.town.tools.read_entry]\nclass = \"read\"\n"
        ),
    )?;
    let binary = std::env::current_exe()?.with_file_name("portreeve");
    let mut child = pinned(&binary)
        .args(["serve", "--config"])
        .arg(folder.join("portreeve.toml"))
        .stdout(Stdio::piped())
        .spawn()?;
    let address = announced(&mut child)?;
    let agent = token(&keys, "clerk-bot", &json!({"client_id": "clerk-bot"}))?;
    let user = token(&keys, "ada", &json!({"azp": "clerk-bot", "groups": ["clerks"]}))?;
    Ok(Governed {
        proxy: Proxy { address, child },
        agent,
        user,
    })
}

impl Governed {
    /// The request of the load, for a given `Host`.
    pub(crate) fn request(&self) -> impl Fn(SocketAddr) -> Vec<u8> {
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {
                "name": "read_entry",
                "arguments": {"parcel": 114, "fields": ["owner", "area", "assessment", "easements"], "as_of": "2026-11-20"},
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1.0.0"},
                },
            },
        })
        .to_string();
        let (agent, user) = (self.agent.clone(), self.user.clone());
        move |host| {
            format!(
                "POST /town/mcp HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {agent}\r\nx-ai-user-assertion: {user}\r\n\
                 content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
                 mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: read_entry\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        }
    }
}

/// A token of about 700 bytes, as real issuers make them.
fn token(keys: &Ed25519KeyPair, subject: &str, more: &Value) -> Outcome<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 3000, "jti": format!("{subject}-1"),
        "scope": "mcp:town", "auth_time": now, "acr": "urn:bench:mfa", "amr": ["pwd", "otp"],
        "name": "A person of the town with a long and believable name", "locale": "en-GB",
        "tenant": "0d5a1c1e-4a1e-4d2a-9a53-6a2f3f0b8c11",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    let header = BASE64.encode(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#);
    let signed = format!("{header}.{}", BASE64.encode(claims.to_string()));
    Ok(format!("{signed}.{}", BASE64.encode(keys.sign(signed.as_bytes()))))
}

/// Starts nginx with one worker.
pub(crate) fn nginx(folder: &Path, upstream: SocketAddr) -> Outcome<Plain> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config = folder.join("nginx.conf");
    fs::write(
        &config,
        format!(
            "worker_processes 1;\ndaemon off;\npid {0}/nginx.pid;\nerror_log {0}/nginx.log;\nevents {{ worker_connections 1024; }}\n\
             http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f;\n\
             uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; keepalive_requests 1000000;\n\
             upstream town {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}\n\
             server {{ listen {address}; location / {{ proxy_pass http://town; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; }} }} }}\n",
            folder.display()
        ),
    )?;
    let child = pinned(Path::new("nginx"))
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(&config)
        .spawn()
        .map_err(|error| format!("nginx (package nginx) is needed as the baseline: {error}"))?;
    let proxy = Proxy { address, child };
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if begun.elapsed() > Duration::from_secs(10) {
            return Err("nginx did not start".into());
        }
        std::thread::yield_now();
    }
    Ok(Plain { proxy })
}
