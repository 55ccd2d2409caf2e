//! The way to a server: one request out on a kept or new connection, one response back.
//!
//! A request leaves at most once in full. It is sent again, on a new connection, only when a kept connection died
//! before all of it was written, so that the server cannot have acted on it; every other loss is an error that says
//! whether the server may have acted. Follows no redirect, adds and removes no header, decides nothing.
//!
//! Specification: RFC 9112 9.3 (persistence) and 9.3.1 (retrying).

mod error;
mod exchange;
mod pool;

pub use error::UpstreamError;
pub use exchange::Exchange;
pub use pool::Patience;
pub use pool::Pool;
pub use pool::PoolLimits;
pub use pool::Request;
