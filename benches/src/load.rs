//! A fixed number of identical calls over keep-alive connections, and the server that answers them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::Outcome;

/// What the upstream answers: about 400 bytes in all, the same every time.
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"Parcel 114, Mill Lane: owner Edda Marsh, 0.8 acres, last assessed 2026-04-02 at 212 crowns. Two easements on record: the footpath to the weir and the mill race. No open permits. No arrears."}],"isError":false}}"#;

/// Connections the server can answer at once.
const WORKERS: usize = 128;

/// Starts a server that answers every request at once. It ends with the process. Its threads outlive connections, so
/// that what they spent can be read afterwards.
pub(crate) fn upstream() -> Outcome<SocketAddr> {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0")?);
    for _ in 0..WORKERS {
        let listener = Arc::clone(&listener);
        thread::spawn(move || listener.incoming().flatten().for_each(answer));
    }
    Ok(listener.local_addr()?)
}

fn answer(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut buffer = Vec::with_capacity(16 * 1024);
    while let Some(length) = read_message(&mut stream, &mut buffer) {
        buffer.drain(..length);
        if stream.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

/// Sends `calls` copies of `request` over `connections` connections and checks that each is answered with 200.
pub(crate) fn run(address: SocketAddr, request: &[u8], connections: usize, calls: usize) -> Outcome<()> {
    let each = calls / connections;
    let answered = thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|_| scope.spawn(move || client(address, request, each)))
            .collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().unwrap_or_else(|_| Err("a client failed".into())))
    });
    answered.map_err(|reason: String| format!("{address}: {reason}").into())
}

fn client(address: SocketAddr, request: &[u8], calls: usize) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .map_err(|error| error.to_string())?;
    let mut buffer = Vec::with_capacity(4096);
    for _ in 0..calls {
        stream.write_all(request).map_err(|error| error.to_string())?;
        let length = read_message(&mut stream, &mut buffer).ok_or("no answer")?;
        if !buffer.starts_with(b"HTTP/1.1 200") || !buffer[..length].ends_with(b"\"isError\":false}}") {
            return Err(format!(
                "a wrong answer: {}",
                String::from_utf8_lossy(&buffer[..length])
            ));
        }
        buffer.drain(..length);
    }
    Ok(())
}

/// The length of the next message, once `buffer` holds it.
fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(length) = message_length(buffer) {
            return Some(length);
        }
        let mut chunk = [0; 8192];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

fn message_length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?;
    let declared = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let length = head + declared?;
    (buffer.len() >= length).then_some(length)
}
