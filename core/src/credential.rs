//! What the gate shows a server instead of what it was shown: a short-lived token for one server and one scope, a token
//! that an authorization server issued for that, a secret of the gate's own, or nothing.
//!
//! Each is had only for a [`crate::policy::Permit`], by the mode of the permit's server. A token is for the audience of
//! that server and never outlives the tokens of the user and the agent it stands for. Its subject is a stable id of this
//! gate's own; who that is at the identity provider is in `sub_id`, and who acts is in `act`.
//!
//! Must never show a server an inbound token, and must never print a token or key: `Debug` of everything here is blind.
//!
//! SPEC: RFC 9068 (JWT access tokens), RFC 8693 4.1 (`act`), RFC 9493 (`sub_id`), RFC 7638 (`kid`), RFC 8414, RFC 9728.

mod assertion;
mod bound;
mod cache;
mod claims;
pub mod documents;
mod fetching;
mod grant;
mod held;
mod key;
mod minter;
mod own;
mod shape;

pub use assertion::client_assertion;
pub use bound::BoundCredential;
pub use bound::Credentials;
pub use bound::Means;
pub use bound::Mode;
pub use bound::Spent;
pub use cache::MintCache;
pub use fetching::Fetching;
pub use fetching::Wanted;
pub use grant::Asked;
pub use grant::GrantFault;
pub use grant::GrantRefusal;
pub use grant::Kind;
pub use grant::Obtained;
pub use held::StaticCredential;
pub use held::StaticError;
pub use key::KeyError;
pub use key::SigningAlgorithm;
pub use key::SigningKey;
pub use minter::CredentialError;
pub use minter::MintKeys;
pub use minter::Minting;
pub use minter::Occasion;
pub use minter::Scopes;
pub use own::Minted;
pub use own::recognise;
pub use shape::ClaimShape;
pub use shape::ShapeError;
