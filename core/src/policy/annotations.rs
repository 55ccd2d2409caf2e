//! What annotations on a policy mean. A closed vocabulary: an unknown key or a value that would be ignored is an error.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::Effect;

use super::check::Finding;
use super::demands::is_list_word;
use super::fault::PolicyFault;
use super::vocabulary::ANNOTATIONS;
use super::vocabulary::REQUIREMENTS;
use super::vocabulary::nearest;
use super::who::Who;
use crate::limits;
use crate::time::UnixTime;

/// What would make a forbid stop applying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The user must authenticate again or more strongly (RFC 9470).
    StepUp {
        /// The authentication class that is asked for.
        acr: Option<Arc<str>>,
        /// The greatest age of the authentication.
        max_age: Option<Duration>,
    },
}

impl Requirement {
    /// Whether the caller meets it already.
    pub(super) fn is_met(&self, who: &Who<'_>, now: UnixTime) -> bool {
        let Self::StepUp { acr, max_age } = self;
        let strong = acr.as_deref().is_none_or(|acr| who.acr == Some(acr));
        strong && max_age.is_none_or(|max_age| who.auth_time.is_some_and(|at| now.since(at) <= max_age))
    }
}

/// The annotations of one policy, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub(super) reason: Option<Arc<str>>,
    pub(super) require: Option<Requirement>,
}

/// Reads the annotations of a policy.
pub(super) fn read<V: AsRef<str>>(annotations: &BTreeMap<String, V>, effect: Effect) -> Result<Notes, Vec<Finding>> {
    let mut faults = Vec::new();
    let value = |key: &str| annotations.get(key).map(AsRef::as_ref);
    for key in annotations.keys().filter(|key| !ANNOTATIONS.contains(&key.as_str())) {
        let hint = match nearest(key, ANNOTATIONS.iter().copied()) {
            Some(nearest) => format!("did you mean `@{nearest}`?"),
            None => format!("there are: {}", ANNOTATIONS.join(", ")),
        };
        faults.push(finding(PolicyFault::UnknownAnnotation(key.clone()), Some(hint), key));
    }
    let mut wrong = |what, key: &str| faults.push(finding(PolicyFault::Annotation(what), None, key));
    if value("id").is_some_and(|id| !is_line(id)) {
        wrong("`@id` must be 1 to 200 bytes without control characters", "id");
    }
    if value("reason").is_some_and(|reason| !is_line(reason)) {
        wrong("`@reason` must be 1 to 200 bytes without control characters", "reason");
    }
    for key in ["reason", "require"] {
        if effect == Effect::Permit && value(key).is_some() {
            wrong("this annotation is for forbids only", key);
        }
    }
    let max_age = value("max_age").map(|text| text.parse().map(|secs: u32| Duration::from_secs(secs.into())));
    if matches!(max_age, Some(Err(_))) {
        wrong("`@max_age` must be a number of seconds", "max_age");
    }
    if value("acr").is_some_and(|acr| !is_list_word(acr)) {
        wrong("`@acr` must be one word of plain ASCII without quotes", "acr");
    }
    let acr = value("acr").map(Arc::from);
    let max_age = max_age.and_then(Result::ok);
    let require = match value("require") {
        Some("step_up") if acr.is_none() && max_age.is_none() => {
            wrong("`@require(\"step_up\")` needs `@acr` or `@max_age`", "require");
            None
        }
        Some("step_up") => Some(Requirement::StepUp { acr, max_age }),
        Some(_) => {
            let hint = Some(format!("there are: {}", REQUIREMENTS.join(", ")));
            faults.push(finding(PolicyFault::Annotation("unknown requirement"), hint, "require"));
            None
        }
        None if acr.is_some() || max_age.is_some() => {
            wrong(
                "`@acr` and `@max_age` need `@require(\"step_up\")`",
                if acr.is_some() { "acr" } else { "max_age" },
            );
            None
        }
        None => None,
    };
    if faults.is_empty() {
        Ok(Notes {
            reason: value("reason").map(Arc::from),
            require,
        })
    } else {
        Err(faults)
    }
}

fn finding(fault: PolicyFault, hint: Option<String>, key: &str) -> Finding {
    Finding {
        fault,
        hint,
        needle: format!("@{key}"),
    }
}

fn is_line(text: &str) -> bool {
    (1..=limits::POLICY_ANNOTATION_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}
