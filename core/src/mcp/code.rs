//! The JSON-RPC error codes that the gate may write.
//!
//! SPEC: 2026-07-28 basic/index: −32020 to −32099 are the protocol's, and an undefined one of them is never emitted.

/// The text is no JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The JSON is no acceptable request.
pub const INVALID_REQUEST: i64 = -32600;
/// The method does not exist in this era, or is not offered.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// A parameter is missing or wrong, or names something that does not exist.
pub const INVALID_PARAMS: i64 = -32602;
/// The gate or the server failed.
pub const INTERNAL_ERROR: i64 = -32603;
/// A header is missing, malformed, or differs from the body.
pub const HEADER_MISMATCH: i64 = -32020;
/// The request needs a capability that the client did not declare.
pub const MISSING_CAPABILITY: i64 = -32021;
/// The revision is not served.
pub const UNSUPPORTED_VERSION: i64 = -32022;
/// Both identities must be presented and valid. Ours, therefore outside of the range that JSON-RPC reserves.
pub const UNAUTHENTICATED: i64 = -31401;
/// The agent's token lacks scopes. Ours, as above.
pub const SCOPE: i64 = -31410;
/// The user must authenticate again or more strongly. Ours, as above.
pub const STEP_UP: i64 = -31411;
/// Policy does not allow the call. Ours, therefore outside of the range that JSON-RPC reserves.
pub const DENIED: i64 = -31403;
