//! `portreeve demo`: a town ledger behind the gate, two agents, two users, and the story of what each may do.
//!
//! Everything it needs is made at start and forgotten at the end; nothing is read from disk and nothing leaves loopback.

pub mod ledger;
pub mod paint;
