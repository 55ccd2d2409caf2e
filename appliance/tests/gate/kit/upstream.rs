//! A server behind the gate that answers every request and keeps what it saw, byte for byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server that records every byte and answers with `reply`.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Seen,
}

/// Every request that a server saw.
pub(super) type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

impl Upstream {
    /// Answers every request (head and body) with what `answer` makes of it.
    pub(crate) fn with(answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::accepting(Some, answer)
    }

    /// A JSON-RPC result for any id, in the modern shape.
    pub(crate) fn obliging() -> Self {
        Self::with(oblige)
    }

    /// As [`Upstream::obliging`], over TLS.
    pub(crate) fn obliging_over(tls: Arc<ServerConfig>) -> Self {
        let secure = move |socket| {
            let connection = ServerConnection::new(Arc::clone(&tls)).ok()?;
            Some(StreamOwned::new(connection, socket))
        };
        Self::accepting(secure, oblige)
    }

    fn accepting<S: Read + Write>(
        wrap: impl Fn(TcpStream) -> Option<S> + Send + Sync + 'static,
        answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (record, with) = (Arc::clone(&seen), Arc::new((wrap, answer)));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (record, with) = (Arc::clone(&record), Arc::clone(&with));
                std::thread::spawn(move || {
                    let (wrap, answer) = &*with;
                    if let Some(stream) = wrap(socket) {
                        serve(stream, &record, answer);
                    }
                });
            }
        });
        Self { address, seen }
    }

    /// Every request so far, head and body.
    pub(crate) fn seen(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().clone()
    }

    /// The record itself, which goes on.
    pub(super) fn record(&self) -> Seen {
        Arc::clone(&self.seen)
    }

    /// How many requests arrived.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn oblige(request: &[u8]) -> Vec<u8> {
    let asked = serde_json::from_slice::<serde_json::Value>(body_of(request));
    let id = asked.map_or(serde_json::Value::Null, |message| message["id"].clone());
    let result = serde_json::json!({
        "resultType": "complete",
        "content": [{"type": "text", "text": "done"}],
    });
    json_response(&serde_json::json!({"jsonrpc": "2.0", "id": id, "result": result}))
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

fn serve(mut stream: impl Read + Write, seen: &Mutex<Vec<Vec<u8>>>, answer: &dyn Fn(&[u8]) -> Vec<u8>) {
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
pub(super) fn complete(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let declared = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let length = head + declared.unwrap_or(0);
    (buffer.len() >= length).then_some(length)
}
