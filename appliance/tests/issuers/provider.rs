//! The certified `oidc-provider` as a child process, which can be started again elsewhere in time at the same place.
//!
//! Its clients: `clerk-bot` and `stray` are agents, `gateway` may exchange tokens, people use `console` and `kiosk`. What
//! its settings mean is said in `../peers/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use crate::child::Running;
use crate::client::{Client, JWT_BEARER, Proof, REDIRECT, TOKEN_EXCHANGE};
use crate::http::Http;
use crate::keys::{Certified, Key, signing};
use crate::peers::{Plan, node};
use crate::town::{ELSEWHERE, LEDGER, TOWN};

const AUTHORITY: &str = "authority.pem";

/// A running `oidc-provider`.
pub(crate) struct Provider {
    pub(crate) settings: Value,
    keys: BTreeMap<&'static str, Arc<Key>>,
    issuer: String,
    /// Who vouches for its certificate, if it speaks TLS, and the folder with that one's.
    authority: Option<(Certified, TempDir)>,
    /// Where it writes what it is asked for.
    journal: NamedTempFile,
    /// Stays open while the process changes, so that nobody else gets the port.
    socket: Option<TcpListener>,
    running: Option<Running>,
    absence: Option<Absence>,
}

/// Somebody at the door who turns everybody away.
struct Absence {
    is_over: Arc<AtomicBool>,
    door: JoinHandle<()>,
}

impl Provider {
    /// One as most tests want it.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// One with changed settings.
    pub(crate) fn start_with(change: impl FnOnce(&mut Value)) -> Self {
        Self::begin(change, None)
    }

    /// One that speaks TLS, with changed settings.
    pub(crate) fn start_over_tls(change: impl FnOnce(&mut Value)) -> Self {
        let (authority, server) = Certified::server();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(AUTHORITY), &authority.certificate_pem).unwrap();
        let speak = |settings: &mut Value| {
            settings["tls"] = json!({"certificate": server.certificate_pem, "key": server.key_pem()});
            change(settings);
        };
        Self::begin(speak, Some((authority, folder)))
    }

    fn begin(change: impl FnOnce(&mut Value), authority: Option<(Certified, TempDir)>) -> Self {
        let keys: BTreeMap<_, _> = ["clerk-bot", "stray", "gateway"]
            .map(|id| (id, Arc::new(Key::new())))
            .into();
        let journal = NamedTempFile::new().unwrap();
        let mut settings = json!({
            "socket": "stdin",
            "journal": journal.path(),
            "algorithm": "ES256",
            "keys": [signing("ES256", "first")],
            "accounts": {"ada": {"groups": ["clerks"]}},
            "clients": [public("console"), public("kiosk")],
            "resources": {TOWN: "mcp", LEDGER: "mcp", ELSEWHERE: "mcp"},
        });
        let clients = settings["clients"].as_array_mut().unwrap();
        clients.extend(keys.iter().map(|(id, key)| confidential(id, key)));
        change(&mut settings);
        let mut provider = Self {
            settings,
            keys,
            issuer: String::new(),
            authority,
            journal,
            socket: Some(TcpListener::bind("127.0.0.1:0").unwrap()),
            running: None,
            absence: None,
        };
        provider.launch();
        provider
    }

    /// Ends it and starts it again with changed settings, at the same place. It forgets who was logged in.
    pub(crate) fn restart(&mut self, change: impl FnOnce(&mut Value)) {
        self.running.take().unwrap().stop();
        change(&mut self.settings);
        let issuer = self.issuer.clone();
        self.launch();
        assert_eq!(self.issuer, issuer);
    }

    /// Ends it until it comes back: meanwhile whoever connects is hung up on.
    pub(crate) fn leave(&mut self) {
        self.running.take().unwrap().stop();
        let socket = self.socket.as_ref().unwrap().try_clone().unwrap();
        // The process has set it otherwise, for all who share it.
        socket.set_nonblocking(false).unwrap();
        let is_over = Arc::<AtomicBool>::default();
        let over = Arc::clone(&is_over);
        let door = thread::spawn(move || while socket.accept().is_ok() && !over.load(Ordering::SeqCst) {});
        self.absence = Some(Absence { is_over, door });
    }

    /// Starts it again where it was.
    pub(crate) fn come_back(&mut self) {
        let Absence { is_over, door } = self.absence.take().unwrap();
        is_over.store(true, Ordering::SeqCst);
        let _wakes_it = TcpStream::connect(self.socket.as_ref().unwrap().local_addr().unwrap()).unwrap();
        door.join().unwrap();
        self.launch();
    }

    /// Ends it for good; nothing listens there any more.
    pub(crate) fn die(&mut self) {
        self.socket = None;
        self.running.take().unwrap().stop();
    }

    /// Its `iss`.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What the client `id` asked the token endpoint for so far, and the `error` it was answered with.
    pub(crate) fn asked(&self, id: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.journal.path()).unwrap();
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|asked| asked["client"] == id).collect()
    }

    /// What a gate must be told to trust its certificate, in the table of the issuer.
    pub(crate) fn trust(&self) -> String {
        match self.authority {
            Some(_) => format!("ca_file = {:?}", self.authority().display().to_string()),
            None => String::new(),
        }
    }

    /// The file with the certificate of who vouches for it.
    pub(crate) fn authority(&self) -> PathBuf {
        self.authority.as_ref().unwrap().1.path().join(AUTHORITY)
    }

    /// One of its clients.
    pub(crate) fn client(&self, id: &str) -> Client {
        let proof = self
            .keys
            .get(id)
            .map_or(Proof::Public, |key| Proof::PrivateKey(Arc::clone(key)));
        self.connect(id, proof, None)
    }

    /// A client that shows a certificate.
    pub(crate) fn client_with(&self, id: &str, certificate: &Certified) -> Client {
        self.connect(id, Proof::Certificate, Some(certificate))
    }

    fn connect(&self, id: &str, proof: Proof, certificate: Option<&Certified>) -> Client {
        let http = match &self.authority {
            None => Http::plain(),
            Some((authority, _)) => Http::trusting(authority, certificate),
        };
        Client::new(
            id,
            proof,
            http,
            &format!("{}/.well-known/openid-configuration", self.issuer),
        )
    }

    fn launch(&mut self) {
        let socket = self.socket.as_ref().unwrap().try_clone().unwrap();
        let settings = Plan::write(&self.settings);
        let mut command = node("src/oidc-provider.ts");
        // It warns that it is made for development here.
        command.arg(settings.path()).stderr(Stdio::null());
        let running = Running::start_with(&mut command, OwnedFd::from(socket).into());
        running.url().clone_into(&mut self.issuer);
        self.running = Some(running);
    }
}

/// A client that people use, which keeps no secret.
fn public(id: &str) -> Value {
    json!({
        "client_id": id, "token_endpoint_auth_method": "none", "application_type": "native",
        "grant_types": ["authorization_code"], "response_types": ["code"], "redirect_uris": [REDIRECT],
    })
}

fn confidential(id: &str, key: &Key) -> Value {
    json!({
        "client_id": id, "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
        "grant_types": ["client_credentials"], "response_types": [], "redirect_uris": [],
        "jwks": {"keys": [key.jwk()]},
    })
}

/// A client that is known by its certificate, and whose tokens are bound to it.
pub(crate) fn certified(id: &str, certificate: &Certified) -> Value {
    json!({
        "client_id": id, "token_endpoint_auth_method": "self_signed_tls_client_auth",
        "grant_types": ["client_credentials"], "response_types": [], "redirect_uris": [],
        "tls_client_certificate_bound_access_tokens": true, "jwks": {"keys": [certificate.jwk()]},
    })
}

/// Lets the client `id` do what else the server offers, which it must offer by then.
pub(crate) fn allow_grants(settings: &mut Value, id: &str) {
    let mut grants = vec!["client_credentials"];
    grants.extend(settings["exchange"].is_object().then_some(TOKEN_EXCHANGE));
    grants.extend(settings["redeems"].is_object().then_some(JWT_BEARER));
    let clients = settings["clients"].as_array_mut().unwrap();
    let client = clients.iter_mut().find(|client| client["client_id"] == id).unwrap();
    client["grant_types"] = json!(grants);
}
