//! Message ids: a string or an integer, told apart by type as well as value (JSON-RPC 2.0 4, MCP basic/index).

use crate::json::Value;
use crate::json::write;
use crate::limits::MCP_ID_BYTES;
use crate::limits::MCP_ID_INTEGER_MAX;

/// The id of a request or of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageId<'s> {
    /// A string of at most [`MCP_ID_BYTES`].
    Text(&'s str),
    /// An integer that a double holds exactly.
    Integer(i64),
}

/// A [`MessageId`] that outlives its message: the key under which an answer is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OwnedId {
    /// A string
    Text(Box<str>),
    /// An integer
    Integer(i64),
}

impl<'s> MessageId<'s> {
    /// The id in `value`, unless it is of another type, too long, or not exact in every reader.
    #[must_use]
    pub fn read(value: Value<'s>) -> Option<Self> {
        if let Some(text) = value.as_str() {
            return (text.len() <= MCP_ID_BYTES).then_some(Self::Text(text));
        }
        let number = value.as_i64()?;
        // Minus zero is an integer to some readers and a fraction to others.
        if value.raw() == b"-0" {
            return None;
        }
        (number.unsigned_abs() <= MCP_ID_INTEGER_MAX).then_some(Self::Integer(number))
    }

    /// Writes the id as JSON.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write::string(out, text),
            Self::Integer(number) => write::signed(out, number),
        }
    }
}

impl OwnedId {
    /// The id, borrowed.
    #[must_use]
    pub fn as_id(&self) -> MessageId<'_> {
        match self {
            Self::Text(text) => MessageId::Text(text),
            Self::Integer(number) => MessageId::Integer(*number),
        }
    }
}

impl From<MessageId<'_>> for OwnedId {
    fn from(id: MessageId<'_>) -> Self {
        match id {
            MessageId::Text(text) => Self::Text(text.into()),
            MessageId::Integer(number) => Self::Integer(number),
        }
    }
}
