//! A raw client: what it writes and what it reads.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::upstream::{body_of, complete};

/// A connection to a gate. What is written stays known to the gate, which looks for credentials in it when it ends.
pub(crate) struct Wire {
    stream: TcpStream,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    pub(super) const fn new(stream: TcpStream, written: Arc<Mutex<Vec<u8>>>) -> Self {
        Self { stream, written }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.written.lock().unwrap().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

/// For what is neither read nor written.
impl Deref for Wire {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.stream
    }
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

/// Reads one response, and ends the client's side.
pub(crate) fn read_response(stream: &mut Wire) -> Response {
    let response = read_one(stream);
    let _ = stream.shutdown(Shutdown::Write);
    response
}

/// Reads one response; the connection stays as it is. Of one without a length only the head is read.
pub(crate) fn read_one(stream: &mut impl Read) -> Response {
    try_read_one(stream).unwrap_or_else(|error| panic!("no response: {error}"))
}

/// As [`read_one`], where there may be no response.
pub(super) fn try_read_one(stream: &mut impl Read) -> io::Result<Response> {
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
            Err(error) => {
                let so_far = String::from_utf8_lossy(&bytes);
                return Err(io::Error::new(error.kind(), format!("{error}; so far {so_far:?}")));
            }
        }
    }
    let body = body_of(&bytes).to_vec();
    let head = String::from_utf8_lossy(&bytes[..bytes.len() - body.len()]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    Ok(Response { status, head, body })
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

/// Waits for the last chunk of a stream; the connection itself may serve another request.
pub(crate) fn end_of(mut wire: Wire) -> Instant {
    let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
    while !seen.ends_with(b"\r\n0\r\n\r\n") {
        match wire.read(&mut chunk).unwrap() {
            0 => break,
            count => seen.extend_from_slice(&chunk[..count]),
        }
    }
    Instant::now()
}
