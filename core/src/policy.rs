//! The policy decision point: a verified caller, an action and the facts go in, a decision comes out.
//!
//! Default deny; forbid wins; a forbid that errors denies; a permit that errors does not count and is reported. Values
//! are built here from the parsed message, never from JSON by Cedar, so an agent cannot smuggle in an entity or a
//! typed value. Decisions come from the official Cedar authorizer, behind [`decide`]. The words that policies use are
//! described in `docs/policy-reference.md`.
//!
//! Must never build a [`Permit`] anywhere but in `decide`, and never reads anything but its arguments.

mod action;
mod annotations;
mod catalog;
mod check;
mod context;
mod decide;
mod decision;
mod demands;
mod fault;
mod index;
mod load;
mod names;
mod number;
mod set;
#[cfg(test)]
mod tests;
mod values;
mod vocabulary;
mod walk;
mod who;

pub use action::Action;
pub use annotations::Requirement;
pub use catalog::Catalog;
pub use catalog::CatalogError;
pub use catalog::Class;
pub use decide::AccessRequest;
pub use decide::decide;
pub use decide::listable;
pub use decision::Decision;
pub use decision::Denial;
pub use decision::DenyReason;
pub use decision::Permit;
pub use decision::Unmet;
pub use demands::Demands;
pub use demands::is_list_word;
pub use fault::PolicyError;
pub use fault::PolicyFault;
pub use set::PolicyId;
pub use set::PolicySet;
pub use who::Facts;
pub use who::Who;
