//! The short-lived token for one server and one scope: what the gate sends instead of what it was shown.
//!
//! A token is minted only from a [`crate::policy::Permit`], for the audience of the permit's server, and never outlives
//! the tokens of the user and the agent it stands for. Its subject is a stable id of this gate's own; who that is at the
//! identity provider is in `sub_id`, and who acts is in `act`.
//!
//! Must never see an inbound token, and must never show a token or key: `Debug` of everything here is blind.
//!
//! SPEC: RFC 9068 (JWT access tokens), RFC 8693 4.1 (`act`), RFC 9493 (`sub_id`), RFC 7638 (`kid`), RFC 8414, RFC 9728.

mod cache;
mod claims;
pub mod documents;
mod key;
mod minter;
mod own;

pub use cache::MintCache;
pub use key::KeyError;
pub use key::SigningAlgorithm;
pub use key::SigningKey;
pub use minter::BoundCredential;
pub use minter::CredentialError;
pub use minter::MintKeys;
pub use minter::Minter;
pub use minter::Occasion;
pub use own::Minted;
pub use own::recognise;
