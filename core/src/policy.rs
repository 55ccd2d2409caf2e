//! the policy decision point.
