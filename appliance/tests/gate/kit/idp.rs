//! An identity provider as seen over HTTP: metadata and a key set, honest until a test says otherwise.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::issuer::Issuer;
use super::upstream::{complete, json_response};

pub(crate) const OPENID: &str = "/.well-known/openid-configuration";
pub(crate) const JWKS: &str = "/keys";

/// An identity provider on a loopback port.
pub(crate) struct Idp {
    pub(crate) address: SocketAddr,
    answers: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
    gone: Arc<AtomicBool>,
}

impl Idp {
    /// One that knows nothing yet: every path is 404.
    pub(crate) fn empty() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let idp = Self {
            address: listener.local_addr().unwrap(),
            answers: Arc::default(),
            asked: Arc::default(),
            gone: Arc::default(),
        };
        let (answers, asked, gone) = (Arc::clone(&idp.answers), Arc::clone(&idp.asked), Arc::clone(&idp.gone));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if gone.load(Ordering::SeqCst) {
                    return;
                }
                let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
                std::thread::spawn(move || answer(stream, &answers, &asked));
            }
        });
        idp
    }

    /// Its `iss`.
    pub(crate) fn iss(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves the keys of `issuer`, and metadata that leads to them.
    pub(crate) fn publish(&self, issuer: &Issuer) {
        let metadata = json!({"issuer": self.iss(), "jwks_uri": format!("{}{JWKS}", self.iss())});
        self.says(OPENID, json_response(&metadata));
        self.says(JWKS, json_response(&serde_json::from_str(&issuer.jwks()).unwrap()));
    }

    /// Answers `path` with `response` from now on; an empty one is silence.
    pub(crate) fn says(&self, path: &str, response: Vec<u8>) {
        self.answers.lock().unwrap().insert(path.to_owned(), response);
    }

    /// Every path that was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Every request for `path`, head and body.
    pub(crate) fn requests(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let requests = asked.iter().filter(|(asked, _)| asked == path);
        requests.map(|(_, request)| request.clone()).collect()
    }

    /// How often its keys were asked for.
    pub(crate) fn fetches(&self) -> usize {
        self.asked().iter().filter(|path| *path == JWKS).count()
    }

    /// Stops listening: whoever comes is turned away by the kernel.
    pub(crate) fn die(&self) {
        self.gone.store(true, Ordering::SeqCst);
        let _wakes_it = TcpStream::connect(self.address);
        // Once the listener is gone, nobody is let in any more.
        while TcpStream::connect(self.address).is_ok() {}
    }
}

/// Answers one request and hangs up.
fn answer(mut stream: TcpStream, answers: &Mutex<BTreeMap<String, Vec<u8>>>, asked: &Mutex<Vec<(String, String)>>) {
    let mut buffer = Vec::new();
    while complete(&buffer).is_none() {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
    let text = String::from_utf8(buffer).unwrap();
    let path = text.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push((path.clone(), text));
    let response = answers.lock().unwrap().get(&path).cloned();
    let response = response.unwrap_or_else(|| b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec());
    if response.is_empty() {
        // Until the client gives up.
        let _ = stream.read(&mut [0]);
        return;
    }
    let _ = stream.write_all(&response);
}
