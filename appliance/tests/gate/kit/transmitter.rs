//! A transmitter of shared signals: a stream that is polled (RFC 8936), honest until a test says otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::upstream::{body_of, complete, json_response};
use super::{AUDIENCE, ISSUER};

/// A wait that ends a test instead of hanging it; also the longest that a poll is held.
const PATIENCE: Duration = Duration::from_secs(20);
/// SETs of one answer.
const AT_ONCE: usize = 64;

/// A transmitter on a loopback port.
pub(crate) struct Transmitter {
    pub(crate) address: SocketAddr,
    stream: Arc<Stream>,
    keys: Ed25519KeyPair,
    kid: String,
}

#[derive(Default)]
struct Stream {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<String, String>,
    acknowledged: BTreeSet<String>,
    refused: BTreeMap<String, Value>,
    /// Requests that came without the right token.
    strangers: usize,
    token: Option<String>,
    /// Answers every poll, whatever waits.
    instead: Option<Vec<u8>>,
}

impl Transmitter {
    /// One with a stream that nothing has happened on.
    pub(crate) fn new() -> Self {
        Self::with_key("tx1", 21)
    }

    /// As [`Transmitter::new`], with a key of that `kid`, made from `seed`.
    pub(crate) fn with_key(kid: &str, seed: u8) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = Arc::<Stream>::default();
        let served = Arc::clone(&stream);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let stream = Arc::clone(&served);
                std::thread::spawn(move || stream.answer(connection));
            }
        });
        Self {
            address,
            stream,
            keys: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            kid: kid.to_owned(),
        }
    }

    /// Its `iss`.
    pub(crate) fn iss(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its key set.
    pub(crate) fn jwks(&self) -> Value {
        let x = BASE64.encode(self.keys.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": self.kid, "x": x}]})
    }

    /// The table of this transmitter in a configuration, with its keys in `tx.json`.
    pub(crate) fn table(&self) -> String {
        let (iss, address) = (self.iss(), self.address);
        format!(
            "[signals.tx]\nissuer = \"{iss}\"\nissuers = [\"idp\"]\njwks_file = \"tx.json\"\npoll = \"http://{address}/poll\"\n"
        )
    }

    /// Claims of a SET about a CAEP event.
    pub(crate) fn claims(&self, jti: &str, event: &str, payload: &Value, sub_id: &Value) -> Value {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let event = format!("https://schemas.openid.net/secevent/caep/event-type/{event}");
        json!({
            "iss": self.iss(), "aud": AUDIENCE, "jti": jti, "iat": now.as_secs(), "sub_id": sub_id,
            "events": {event: payload},
        })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = format!(r#"{{"alg":"EdDSA","typ":"secevent+jwt","kid":"{}"}}"#, self.kid);
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims.to_string()));
        let signature = BASE64.encode(self.keys.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// Says that the sessions of `user` are over.
    pub(crate) fn session_revoked(&self, jti: &str, user: &str) -> String {
        let user = json!({"format": "iss_sub", "iss": ISSUER, "sub": user});
        self.sign(&self.claims(jti, "session-revoked", &json!({}), &user))
    }

    /// Puts SETs on the stream, each under its name.
    pub(crate) fn put(&self, sets: impl IntoIterator<Item = (String, String)>) {
        let mut state = self.state();
        for (name, set) in sets {
            state.acknowledged.remove(&name);
            state.waiting.insert(name, set);
        }
        self.stream.changed.notify_all();
    }

    /// Waits until nothing is on the stream any more, and gives back what was refused.
    pub(crate) fn settled(&self) -> BTreeMap<String, Value> {
        self.wait(|state| state.waiting.is_empty()).refused.clone()
    }

    /// Waits until the SET of that name was acknowledged.
    pub(crate) fn acknowledged(&self, name: &str) {
        drop(self.wait(|state| state.acknowledged.contains(name)));
    }

    /// Waits until somebody was turned away for a wrong token.
    pub(crate) fn turned_away(&self) {
        drop(self.wait(|state| state.strangers > 0));
    }

    /// Lets in only who shows this token.
    pub(crate) fn demand(&self, token: &str) {
        self.state().token = Some(token.to_owned());
    }

    /// Answers every poll with `response`, or honestly again.
    pub(crate) fn say(&self, response: Option<Vec<u8>>) {
        self.state().instead = response;
        self.stream.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.stream.state.lock().unwrap()
    }

    fn wait(&self, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waiting = |state: &mut State| !done(state);
        let waited = self.stream.changed.wait_timeout_while(self.state(), PATIENCE, waiting);
        let (state, late) = waited.unwrap();
        assert!(
            !late.timed_out(),
            "the gate did not poll: {:?} {:?}",
            state.waiting.keys(),
            state.refused
        );
        state
    }
}

impl Stream {
    /// Answers one request and hangs up.
    fn answer(&self, mut connection: TcpStream) {
        let mut request = Vec::new();
        while complete(&request).is_none() {
            let mut chunk = [0; 4096];
            match connection.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(count) => request.extend_from_slice(&chunk[..count]),
            }
        }
        let _ = connection.write_all(&self.judge(&request));
    }

    fn judge(&self, request: &[u8]) -> Vec<u8> {
        let head = String::from_utf8_lossy(&request[..request.len() - body_of(request).len()]).to_lowercase();
        assert!(head.starts_with("post /poll http/1.1\r\n"), "{head}");
        let asked: Value = serde_json::from_slice(body_of(request)).unwrap();
        let mut state = self.state.lock().unwrap();
        if let Some(token) = &state.token
            && !head.contains(&format!("authorization: bearer {token}\r\n"))
        {
            state.strangers += 1;
            self.changed.notify_all();
            return b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_vec();
        }
        for name in asked["ack"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            state.waiting.remove(name);
            state.acknowledged.insert(name.to_owned());
        }
        for (name, error) in asked["setErrs"].as_object().into_iter().flatten() {
            state.waiting.remove(name);
            state.refused.insert(name.clone(), error.clone());
        }
        self.changed.notify_all();
        let since = Instant::now();
        let waits = asked["returnImmediately"] == false;
        while waits && state.waiting.is_empty() && state.instead.is_none() {
            let left = PATIENCE.saturating_sub(since.elapsed());
            let waited = self.changed.wait_timeout(state, left).unwrap();
            state = waited.0;
            if waited.1.timed_out() {
                break;
            }
        }
        if let Some(instead) = &state.instead {
            return instead.clone();
        }
        let sets: BTreeMap<_, _> = state.waiting.iter().take(AT_ONCE).collect();
        json_response(&json!({"sets": sets, "moreAvailable": state.waiting.len() > AT_ONCE}))
    }
}
