//! The policy enforcement point: reads a request, performs what [`portreeve_core::mediation`] asks for, writes the answer.
//!
//! Holds no policy and knows no MCP beyond what an effect says. What it does own is order: nothing is sent before its
//! intent is durable, and every exchange ends in exactly one outcome.

mod answer;
mod connection;
mod exchange;

pub use connection::serve;
