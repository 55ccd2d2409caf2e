//! Server-sent events: a decoder for what servers send and a writer for what clients get.
//!
//! Keeps what a browser would drop but a proxy must not: blocks with only an id or a retry time, and comments as signs
//! of life. Never looks inside the data. Specification: WHATWG HTML, "Server-sent events", 9.2.5 and 9.2.6.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use decode::Decoder;
pub use encode::write_comment;
pub use encode::write_event;

/// One thing that a stream carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'d> {
    /// A block of fields, ended by an empty line.
    Event(Event<'d>),
    /// A comment line: a sign of life without content.
    Comment,
}

/// The fields of one block. At least one is present.
///
/// The bytes are as sent: nothing checks that they are UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event<'d> {
    /// The last `id` field without NUL; empty resets the client's position.
    pub id: Option<&'d [u8]>,
    /// The last `event` field; without one, clients take `message`.
    pub event: Option<&'d [u8]>,
    /// All `data` fields, joined by LF.
    pub data: Option<&'d [u8]>,
    /// The last `retry` field that is a number, in milliseconds.
    pub retry_ms: Option<u64>,
}
