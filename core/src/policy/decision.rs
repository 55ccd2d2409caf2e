//! What a decision is. A [`Permit`] can only be built by `decide` and cannot be copied: spending it is passing it on.

use std::sync::Arc;

use super::annotations::Requirement;
use super::set::PolicyId;

/// The outcome for one request.
#[derive(Debug)]
pub enum Decision {
    /// It may go to the server.
    Permit(Permit),
    /// It may not.
    Deny(Denial),
}

/// Leave for one request to one server. Not `Clone`, no public constructor.
#[derive(Debug)]
pub struct Permit {
    server: String,
    scope: String,
    policies: Vec<PolicyId>,
    failed: Vec<PolicyId>,
}

impl Permit {
    pub(super) fn new(server: &str, scope: String, policies: Vec<PolicyId>, failed: Vec<PolicyId>) -> Self {
        Self {
            server: server.to_owned(),
            scope,
            policies,
            failed,
        }
    }

    /// The alias of the server that the request may go to.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What the request may do there, as one OAuth scope token, such as `mcp:tool:create_issue`.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The permits that were satisfied, in the order of their ids.
    #[must_use]
    pub fn policies(&self) -> &[PolicyId] {
        &self.policies
    }

    /// Permits that could not be evaluated for this request and did not count.
    #[must_use]
    pub fn failed(&self) -> &[PolicyId] {
        &self.failed
    }
}

/// A refusal, with what the audit and the caller may know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: DenyReason,
    /// The forbids that decided: satisfied, or not evaluable. In the order of their ids.
    pub policies: Vec<PolicyId>,
    /// Policies that could not be evaluated for this request.
    pub failed: Vec<PolicyId>,
    /// The `@reason` texts of the forbids that decided, meant for the caller.
    pub explanations: Vec<Arc<str>>,
    /// What would make the request pass. Empty if nothing the caller can do would: another forbid stands, or no permit
    /// applies anyway.
    pub unmet: Vec<Unmet>,
}

/// A requirement of a forbid that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The forbid.
    pub policy: PolicyId,
    /// What it asks for.
    pub requirement: Requirement,
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyReason {
    /// No permit applies.
    NoPermit,
    /// A forbid applies.
    Forbidden,
    /// A forbid could not be evaluated, which counts as a refusal.
    ForbidFailed,
    /// Only forbids whose requirement the caller does not meet stand against a permit: see [`Denial::unmet`].
    RequirementUnmet,
    /// The server is not in the catalog.
    UnknownServer,
    /// The arguments are deeper or more than policies can look at, or the request has no form in Cedar.
    Unevaluable,
}

impl DenyReason {
    /// The word in the audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoPermit => "no_permit",
            Self::Forbidden => "forbidden",
            Self::ForbidFailed => "forbid_failed",
            Self::RequirementUnmet => "requirement_unmet",
            Self::UnknownServer => "unknown_server",
            Self::Unevaluable => "unevaluable",
        }
    }
}
