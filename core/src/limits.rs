//! Every maximum in one place, with its unit. A collection that traffic can grow has its bound here.
//!
//! Never a default that an operator tunes without a ceiling: configuration may lower these, not lift them.

// --- json: bodies and tokens ---

/// Containers open at once in any JSON text.
pub const JSON_DEPTH_MAX: usize = 64;

/// Length of a member name after unescaping, in bytes.
pub const JSON_NAME_BYTES: usize = 1024;

/// Length of a client's message, in bytes.
pub const JSON_MESSAGE_BYTES: usize = 4 << 20;

/// Values and member names in a client's message.
pub const JSON_MESSAGE_VALUES: usize = 1 << 16;

/// Members of one object in a client's message.
pub const JSON_MESSAGE_MEMBERS: usize = 4096;

/// Length of a token's header or claims after decoding, in bytes.
pub const JSON_TOKEN_BYTES: usize = 6 << 10;

/// Containers open at once in a token's header or claims.
pub const JSON_TOKEN_DEPTH: usize = 16;

/// Values and member names in a token's header or claims.
pub const JSON_TOKEN_VALUES: usize = 1024;

/// Members of one object in a token's header or claims.
pub const JSON_TOKEN_MEMBERS: usize = 256;

/// Length of an upstream's message, in bytes.
pub const JSON_REPLY_BYTES: usize = 8 << 20;

/// Values and member names in an upstream's message.
pub const JSON_REPLY_VALUES: usize = 1 << 18;

/// Members of one object in an upstream's message.
pub const JSON_REPLY_MEMBERS: usize = 1 << 14;

/// Memory that a parser keeps between documents, by the length of the text it has room for, in bytes.
pub const JSON_SCRATCH_KEPT_BYTES: usize = 256 << 10;

// --- framing: heads, chunks, events ---

// --- jose and identity: tokens, caches ---

// --- mcp: names, cursors, sessions ---

// --- policy: arguments, sets ---

// --- credential: lifetimes, caches ---

// --- response: lists, replies ---

// --- audit: records ---
