//! the per-request state machine.
