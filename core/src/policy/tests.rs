//! Promises of the policy decision point as a whole.

mod arguments;
mod lists;
mod mistakes;
mod properties;
mod semantics;
mod support;
