//! portreeve, the appliance: performs what `portreeve-core` decides, and decides nothing itself.
//!
//! The data plane runs on one executor per core, the control plane on one thread beside them.

pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod io;
pub mod upstream;
