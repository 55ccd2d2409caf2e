//! Blocking reads for the demo's client and server.

use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::net::TcpStream;

/// Appends what `stream` has next to `buffer` and says how much it was; zero at its end.
///
/// A wait that a signal cut short goes on: the gate's executors in this process cause such signals.
pub(super) fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 8192];
    loop {
        match stream.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(count) => {
                buffer.extend_from_slice(&chunk[..count]);
                return Ok(count);
            }
        }
    }
}
