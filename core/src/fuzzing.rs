//! Entry points for fuzzing: arbitrary bytes go through a parser, and what it accepts must agree with an oracle.
//!
//! Each function panics on the first disagreement and returns otherwise. Built for tests and with the `fuzzing`
//! feature only; decides nothing and is no part of the gate.
#![doc(hidden)]
#![expect(clippy::panic, reason = "a fuzz target reports a finding by panicking")]

mod http1;
mod json;
mod jws;
mod mcp;
mod proof;
pub(crate) mod sse;
#[cfg(test)]
mod tests;

pub use http1::http1;
pub use json::json;
pub use jws::jws;
pub use mcp::mcp;
pub use proof::proof;
pub use sse::sse;
