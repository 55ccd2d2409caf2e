//! The gate as a black box: real MCP clients before it, real MCP servers behind it, the official suite through it.
//!
//! Nothing here links the gate. Every peer is a child process on a free loopback port, awaited by the line it prints
//! when it is ready and ended by its handle. `.ci/peers` installs the peers.
#![expect(clippy::print_stdout, reason = "the counts of the official suite belong in the log")]

mod child;
mod clients;
mod conformance;
mod gate;
mod peers;
#[path = "../support/sweep.rs"]
mod sweep;
mod upstreams;
