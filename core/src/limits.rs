//! Every maximum in one place, with its unit. A collection that traffic can grow has its bound here.
//!
//! Never a default that an operator tunes without a ceiling: configuration may lower these, not lift them.

// --- json: bodies and tokens ---

// --- framing: heads, chunks, events ---

// --- jose and identity: tokens, caches ---

// --- mcp: names, cursors, sessions ---

// --- policy: arguments, sets ---

// --- credential: lifetimes, caches ---

// --- response: lists, replies ---

// --- audit: records ---
