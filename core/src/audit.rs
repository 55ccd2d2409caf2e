//! What happened, as records that chain: an intent before anything is sent, an outcome after, or a refusal instead. A gap
//! stands where records were due that could not be kept, a change where somebody shut something off or let it back in.
//!
//! A record is rendered once, where its facts are known, as one JSON object; [`Chain`] then gives it its place, so that
//! a removed, altered or reordered line shows. Nothing here writes a file; nothing is written in `Drop`.
//!
//! Must never hold a credential, an argument value or a reply: arguments appear as the SHA-256 of their exact bytes,
//! tokens as their `jti`. Text from outside is cut to [`crate::limits::AUDIT_TEXT_BYTES_MAX`] and made printable.

mod chain;
mod record;
mod text;

pub use chain::Broken;
pub use chain::Chain;
pub use chain::Fault;
pub use chain::verify;
pub use record::Author;
pub use record::Caller;
pub use record::Change;
pub use record::Changed;
pub use record::Ending;
pub use record::Facts;
pub use record::Gap;
pub use record::Grant;
pub use record::Intent;
pub use record::Outcome;
pub use record::Record;
pub use record::Refusal;
pub use record::Split;
pub use record::Target;
pub use record::Turned;
pub use record::digest;
