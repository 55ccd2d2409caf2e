//! Writes events so that any conforming reader gets back the same fields.

use super::Event;
use crate::framing::FrameError;

/// Appends one event block, with the empty line that dispatches it.
///
/// Data may hold line breaks of any kind; each becomes a new `data` line, so a reader sees LF.
///
/// # Errors
/// [`FrameError::UnwritableValue`] when the id or the event name holds a line break or NUL; nothing is written then.
pub fn write_event(out: &mut Vec<u8>, event: &Event<'_>) -> Result<(), FrameError> {
    for value in [event.id, event.event].into_iter().flatten() {
        if value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return Err(FrameError::UnwritableValue);
        }
    }
    if let Some(name) = event.event {
        field(out, b"event: ", name);
    }
    if let Some(id) = event.id {
        field(out, b"id: ", id);
    }
    if let Some(retry_ms) = event.retry_ms {
        out.extend_from_slice(b"retry: ");
        crate::framing::write::decimal(out, retry_ms);
        out.push(b'\n');
    }
    if let Some(mut data) = event.data {
        while let Some(end) = memchr::memchr2(b'\r', b'\n', data) {
            field(out, b"data: ", &data[..end]);
            let crlf = data[end..].starts_with(b"\r\n");
            data = &data[end + 1 + usize::from(crlf)..];
        }
        field(out, b"data: ", data);
    }
    out.push(b'\n');
    Ok(())
}

/// Appends a comment, which readers ignore: it keeps the connection open.
pub fn write_comment(out: &mut Vec<u8>) {
    out.extend_from_slice(b":\n\n");
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, value, b"\n"] {
        out.extend_from_slice(part);
    }
}
