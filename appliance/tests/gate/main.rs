//! Black-box promises of the running gate: a real process, a recording server behind it, raw bytes in front.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod api_keys;
mod certificates;
mod credentials;
mod dump;
mod evidence;
mod exchange;
mod hazards;
mod introspection;
mod issuers;
mod kit;
mod lifecycle;
mod minted_tokens;
mod old_tokens;
mod proofs;
mod pushed_signals;
mod registry;
mod revocation;
mod secrets;
mod sessions;
mod signals;
mod step_up;
mod streams;
#[path = "../support/sweep.rs"]
mod sweep;
mod tokens;
mod upstream_certificates;
