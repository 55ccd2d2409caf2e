//! portreeve, the appliance: performs what `portreeve-core` decides, and decides nothing itself.
//!
//! The data plane runs on one executor per core, the control plane on one thread beside them.

pub mod admin;
pub mod audit;
pub mod boot;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod demo;
pub mod dump;
pub mod fetch;
mod flights;
pub mod introspector;
pub mod io;
pub mod issuers;
pub mod pep;
pub mod publish;
pub mod registry;
mod replace;
pub mod say;
pub mod secrets;
pub mod shard;
pub mod signals;
mod standing;
pub mod tls;
pub mod upstream;
