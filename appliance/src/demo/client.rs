//! The story's own MCP client: one blocking HTTP exchange per call, over loopback, on the codec of core.
//!
//! Follows no redirect, keeps no connection and trusts no length: an answer is bounded in bytes and in time.

use std::fmt;
use std::io;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;

use portreeve_core::framing::FrameError;
use portreeve_core::framing::body;
use portreeve_core::framing::http1;
use portreeve_core::framing::http1::BodyLength;
use portreeve_core::framing::http1::HeadLimits;
use portreeve_core::framing::http1::Method;
use portreeve_core::framing::http1::Progress;
use portreeve_core::framing::sse;
use portreeve_core::framing::write;

use super::socket;

/// Longest wait for a connection or for the next bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer that the story reads, in bytes.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// The connection failed or the answer did not come in time.
    Io(io::Error),
    /// What came is not HTTP.
    Frame(FrameError),
    /// The connection ended, or the bound was reached, before the answer did.
    Incomplete,
    /// The body is neither a JSON-RPC message nor an event stream with one in it.
    NotAMessage,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "no answer from the gate: {error}"),
            Self::Frame(error) => write!(f, "the answer is not HTTP: {error}"),
            Self::Incomplete => write!(f, "the answer ended early"),
            Self::NotAMessage => write!(f, "the answer is not a JSON-RPC message"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<io::Error> for ClientError {
    fn from(source: io::Error) -> Self {
        Self::Io(source)
    }
}

impl From<FrameError> for ClientError {
    fn from(source: FrameError) -> Self {
        Self::Frame(source)
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// The MCP session that was opened, if one was.
    pub session: Option<String>,
    /// The `WWW-Authenticate` challenge, if there was one.
    pub challenge: Option<String>,
    /// The JSON-RPC message; null where the body is empty.
    pub message: serde_json::Value,
}

/// Sends `body` to `path` at `gate` with `headers` besides the framing, and waits for the whole answer.
pub fn post(gate: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, ClientError> {
    let mut stream = TcpStream::connect_timeout(&gate, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    stream.write_all(&request(gate, path, headers, body)?)?;
    read_answer(&mut stream)
}

fn request(gate: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::with_capacity(2048 + body.len());
    let mut head = write::request_head(&mut bytes, Method::Post, path)?
        .header("host", gate.to_string().as_bytes())?
        .header("connection", b"close")?
        .header("content-type", b"application/json")?
        .header("accept", b"application/json, text/event-stream")?;
    for (name, value) in headers {
        head = head.header(name, value.as_bytes())?;
    }
    head.body(BodyLength::Fixed(body.len() as u64)).finish();
    bytes.extend_from_slice(body);
    Ok(bytes)
}

fn read_answer(stream: &mut TcpStream) -> Result<Answer, ClientError> {
    let mut buffer = Vec::new();
    let (head, consumed) = loop {
        match http1::parse_response(&buffer, &HeadLimits::RESPONSE, false)? {
            Progress::Complete { head, consumed } => break (head, consumed),
            Progress::Partial => read_more(stream, &mut buffer)?,
        }
    };
    let view = head.view(&buffer);
    let text = |name| {
        view.header_str(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let (session, challenge) = (text("mcp-session-id"), text("www-authenticate"));
    let streamed = text("content-type").is_some_and(|media| media.starts_with("text/event-stream"));
    let body = read_body(
        stream,
        body::Decoder::new(head.body, ANSWER_BYTES_MAX),
        buffer.split_off(consumed),
    )?;
    let message = if body.is_empty() {
        serde_json::Value::Null
    } else {
        message(&body, streamed)?
    };
    Ok(Answer {
        status: head.status,
        session,
        challenge,
        message,
    })
}

fn read_body(stream: &mut TcpStream, mut decoder: body::Decoder, mut raw: Vec<u8>) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    loop {
        let decoded = decoder.decode(&raw, &mut body)?;
        raw.drain(..decoded.consumed);
        if decoded.done {
            return Ok(body);
        }
        match read_more(stream, &mut raw) {
            Ok(()) => {}
            Err(ClientError::Incomplete) => {
                decoder.finish_on_close()?;
                return Ok(body);
            }
            Err(other) => return Err(other),
        }
    }
}

fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(), ClientError> {
    match socket::read_more(stream, buffer)? {
        0 => Err(ClientError::Incomplete),
        _ => Ok(()),
    }
}

/// The response in `body`: the body itself, or the first event of a stream that carries an id of a request.
fn message(body: &[u8], streamed: bool) -> Result<serde_json::Value, ClientError> {
    if !streamed {
        return serde_json::from_slice(body).map_err(|_| ClientError::NotAMessage);
    }
    let mut events = sse::Decoder::new(body.len());
    events.push(body)?;
    while let Some(frame) = events.next_event() {
        let sse::Frame::Event(event) = frame else { continue };
        let data = event.data.unwrap_or_default();
        let parsed: Option<serde_json::Value> = serde_json::from_slice(data).ok();
        if let Some(message) = parsed.filter(|message| message.get("id").is_some()) {
            return Ok(message);
        }
    }
    Err(ClientError::NotAMessage)
}
