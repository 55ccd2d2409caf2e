//! The boundary to the kernel and to the executor: rings, sockets, files, timers, messages between shards.
//!
//! This is the only place with `unsafe` and the only place that knows the runtime's quirks. It knows nothing of
//! HTTP, of identities or of decisions, and it logs nothing: what went wrong is in the error.
//!
//! INVARIANT: everything here except [`ring`], [`listener::ListenerSet`] and [`mailbox::Control`] belongs to one
//! executor and never leaves its thread.

pub mod dial;
pub mod error;
pub mod file;
pub mod listener;
pub mod mailbox;
pub mod ring;
pub mod stream;
pub mod timer;

pub use error::IoError;
