//! Black-box promises of the running gate: a real process, a recording server behind it, raw bytes in front.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod api_keys;
mod credentials;
mod dump;
mod evidence;
mod exchange;
mod hazards;
mod issuers;
mod kit;
mod lifecycle;
mod proofs;
mod registry;
mod revocation;
mod secrets;
mod sessions;
mod step_up;
mod streams;
#[path = "../support/sweep.rs"]
mod sweep;
mod tokens;
