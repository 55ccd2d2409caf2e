//! The gate with tokens of real authorization servers: the certified npm `oidc-provider` as a child process, and the crate
//! `oauth-as` in this one. What passes is judged by the server behind the gate, with a JWT library of its own.
//!
//! `client` has a function for every kind of token that these servers issue. Ports are the kernel's choice, nothing sleeps,
//! and every process ends with the test that started it. `.ci/peers` installs the peers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accepted;
mod bound;
mod browser;
#[path = "../blackbox/child.rs"]
#[expect(dead_code, reason = "what other tests need of it")]
mod child;
mod client;
mod delegated;
mod exchanged;
#[path = "../gate"]
mod gate_tests {
    #[expect(dead_code, unused_imports, reason = "what other tests need of it")]
    pub(crate) mod kit;
}
mod http;
mod keys;
mod library;
mod opaque;
mod outage;
mod own;
#[path = "../blackbox/peers.rs"]
#[expect(dead_code, reason = "what other tests need of it")]
mod peers;
mod proven;
mod provider;
mod refused;
mod rotated;
mod shown;
#[path = "../support/sweep.rs"]
mod sweep;
mod town;
mod vouched;

use gate_tests::kit as gate_kit;
