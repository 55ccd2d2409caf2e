//! portreeve-core: every decision the gate takes, and nothing that touches the world.
//!
//! Bytes, the time and randomness go in as arguments; decisions come out. There is no IO, no clock, no environment
//! and no thread in this crate, so that each step can be fuzzed, replayed and compared against an oracle.
//!
//! A request crosses the modules in one direction, and each step consumes the value of the one before:
//! [`framing`] → [`identity`] (on [`jose`]) → [`mcp`] (on [`json`]) → [`policy`] → [`credential`] → upstream →
//! [`response`] → [`audit`]. [`mediation`] is the state machine that ties them together.
#![forbid(unsafe_code)]

pub mod audit;
pub mod credential;
pub mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod identity;
pub mod jose;
pub mod json;
pub mod limits;
pub mod mcp;
pub mod mediation;
pub mod policy;
pub mod response;
pub mod session;
pub mod signals;
pub mod snapshot;
pub mod task;
pub mod time;
