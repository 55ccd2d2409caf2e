//! One connection of the sample server: requests in, one at a time, answers out in order.
//!
//! Waits a bounded time for the next bytes and holds a bounded number of them. Decides nothing.

use std::io;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portreeve_core::framing::FrameError;
use portreeve_core::framing::body;
use portreeve_core::framing::http1;
use portreeve_core::framing::http1::BodyLength;
use portreeve_core::framing::http1::HeadLimits;
use portreeve_core::framing::http1::Progress;
use portreeve_core::framing::write;

use super::Shared;
use super::town::Reply;
use crate::demo::socket;

/// Longest wait for the next bytes of a request.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest body, in bytes: the ledger's texts are short.
const BODY_BYTES_MAX: u64 = 64 * 1024;

/// Why a connection ends.
#[derive(Debug)]
enum Ended {
    /// The other side closed it, fell silent, or it broke.
    Gone,
    /// What came is not HTTP that we read; the status to say so with.
    Refused(u16),
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<FrameError> for Ended {
    fn from(error: FrameError) -> Self {
        Self::Refused(error.status())
    }
}

/// Serves `stream` until it ends or the server stops.
pub(super) fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut buffer = Vec::new();
    while !shared.stopping.load(Ordering::Acquire) {
        match exchange(&mut stream, &mut buffer, shared) {
            Ok(true) => {}
            Ok(false) | Err(Ended::Gone) => return,
            Err(Ended::Refused(status)) => {
                // The connection ends either way, whether or not the other side reads why.
                drop(stream.write_all(&encode(&Reply::empty(status), false).unwrap_or_default()));
                return;
            }
        }
    }
}

/// One request and its answer; whether the connection stays open.
fn exchange(stream: &mut TcpStream, buffer: &mut Vec<u8>, shared: &Shared) -> Result<bool, Ended> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (head, consumed) = loop {
        match http1::parse_request(buffer, &HeadLimits::REQUEST)? {
            Progress::Complete { head, consumed } => break (head, consumed),
            Progress::Partial => read_more(stream, buffer)?,
        }
    };
    let mut rest = buffer.split_off(consumed);
    let body = read_body(stream, body::Decoder::new(head.body, BODY_BYTES_MAX), &mut rest)?;
    let reply = shared.town().answer(&head, buffer, &body, &shared.guard);
    stream.write_all(&encode(&reply, head.keep_alive)?)?;
    *buffer = rest;
    Ok(head.keep_alive)
}

fn read_body(stream: &mut TcpStream, mut decoder: body::Decoder, rest: &mut Vec<u8>) -> Result<Vec<u8>, Ended> {
    let mut body = Vec::new();
    loop {
        let decoded = decoder.decode(rest, &mut body)?;
        rest.drain(..decoded.consumed);
        if decoded.done {
            return Ok(body);
        }
        read_more(stream, rest)?;
    }
}

fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(), Ended> {
    match socket::read_more(stream, buffer)? {
        0 => Err(Ended::Gone),
        _ => Ok(()),
    }
}

fn encode(reply: &Reply, keep_alive: bool) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::with_capacity(256 + reply.body.len());
    let mut head = write::response_head(&mut bytes, reply.status)?;
    for (name, value) in &reply.headers {
        head = head.header(name, value.as_bytes())?;
    }
    if !keep_alive {
        head = head.header("connection", b"close")?;
    }
    // SPEC: RFC 9110 8.6: a 204 answer MUST NOT declare a length.
    let length = if reply.status == 204 {
        BodyLength::None
    } else {
        BodyLength::Fixed(reply.body.len() as u64)
    };
    head.body(length).finish();
    bytes.extend_from_slice(&reply.body);
    Ok(bytes)
}
