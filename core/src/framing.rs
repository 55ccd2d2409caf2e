//! The wire: HTTP/1.1 heads and bodies, and server-sent events, as strict incremental codecs over borrowed bytes.
//!
//! Owns every rule about where one message ends and the next begins. A message that two readers could frame or read
//! differently is refused here, before anything looks at what it says. Never routes, never decodes a target, never
//! interprets a credential, never reads or writes a socket.
//!
//! Specifications: RFC 9110 (semantics), RFC 9112 (HTTP/1.1), WHATWG HTML "Server-sent events".

pub mod body;
mod error;
pub mod http1;
pub mod sse;
pub mod write;

pub use error::FrameError;
