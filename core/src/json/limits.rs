//! How large a JSON text may be, per use. Owns the three profiles; the numbers themselves are in [`crate::limits`].

use crate::limits;

/// The bounds of one parse. A text that passes all of them is refused by none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text, in bytes.
    pub bytes: usize,
    /// Containers open at once, at most [`limits::JSON_DEPTH_MAX`].
    pub depth: usize,
    /// Values and member names in the whole text.
    pub values: usize,
    /// Members of any one object.
    pub members: usize,
    /// Length of a member name after unescaping, in bytes.
    pub name_bytes: usize,
}

impl Limits {
    /// A JSON-RPC message from a client.
    pub const MESSAGE: Self = Self {
        bytes: limits::JSON_MESSAGE_BYTES,
        depth: limits::JSON_DEPTH_MAX,
        values: limits::JSON_MESSAGE_VALUES,
        members: limits::JSON_MESSAGE_MEMBERS,
        name_bytes: limits::JSON_NAME_BYTES,
    };

    /// The header or the claims of a token, after base64url decoding.
    pub const TOKEN: Self = Self {
        bytes: limits::JSON_TOKEN_BYTES,
        depth: limits::JSON_TOKEN_DEPTH,
        values: limits::JSON_TOKEN_VALUES,
        members: limits::JSON_TOKEN_MEMBERS,
        name_bytes: limits::JSON_NAME_BYTES,
    };

    /// A message from an upstream server.
    pub const REPLY: Self = Self {
        bytes: limits::JSON_REPLY_BYTES,
        depth: limits::JSON_DEPTH_MAX,
        values: limits::JSON_REPLY_VALUES,
        members: limits::JSON_REPLY_MEMBERS,
        name_bytes: limits::JSON_NAME_BYTES,
    };
}
