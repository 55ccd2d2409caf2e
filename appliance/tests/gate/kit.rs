//! A real gate, a recording server behind it and a raw client in front: what the black-box tests are made of.
//!
//! The server answers every request and keeps what it saw, byte for byte, so that a test can say "nothing arrived" and
//! mean it. A gate that ends looks for every credential it was sent in all that it wrote and passed on. Ports are the
//! kernel's choice; nothing waits but for bytes.

mod certified;
mod client;
mod gate;
mod holder;
mod idp;

mod issuer;
mod patience;
mod sockets;
mod transmitter;
mod upstream;

pub(crate) use certified::{Authority, Certified, TlsClient, Tunnel};
pub(crate) use client::{Response, Wire, end_of, modern_call, modern_headers, read_one, read_response};
pub(crate) use gate::{Gate, PERMIT_CLERKS, folder_of, portreeve};
pub(crate) use holder::{Holder, sha256};
pub(crate) use idp::{Idp, JWKS, OPENID};
pub(crate) use issuer::{Issuer, claims};
pub(crate) use patience::{answered, until};
pub(crate) use transmitter::Transmitter;
pub(crate) use upstream::{Upstream, body_of, json_response};

/// The audience of all test tokens, and the gate's public name.
pub(crate) const AUDIENCE: &str = "https://gate.test";
pub(crate) const ISSUER: &str = "https://idp.test";
