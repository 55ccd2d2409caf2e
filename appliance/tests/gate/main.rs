//! Black-box promises of the running gate: a real process, a recording server behind it, raw bytes in front.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod evidence;
mod hazards;
mod issuers;
mod kit;
mod lifecycle;
mod minted_tokens;
mod old_tokens;
mod pushed_signals;
mod revocation;
mod secrets;
mod sessions;
mod signals;
mod streams;
#[path = "../support/sweep.rs"]
mod sweep;
mod tokens;
