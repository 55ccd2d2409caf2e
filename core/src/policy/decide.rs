//! The seam of the policy decision point. Today the official Cedar authorizer answers; whatever answers must give the
//! same decision for every request.
//!
//! INVARIANT: `Permit::new` is called here and nowhere else.

use cedar_policy::AuthorizationError;
use cedar_policy::Authorizer;

use super::action::Action;
use super::action::Kind;
use super::action::Target;
use super::catalog::Catalog;
use super::context::Question;
use super::context::Unevaluable;
use super::context::context;
use super::decision::Decision;
use super::decision::Denial;
use super::decision::DenyReason;
use super::decision::Permit;
use super::decision::Unmet;
use super::index::Bucket;
use super::index::Index;
use super::set::PolicyId;
use super::set::PolicySet;
use super::who::Facts;
use super::who::Who;
use crate::json::Value;

/// One question to the policies.
#[derive(Clone, Copy, Debug)]
pub struct AccessRequest<'a> {
    /// The verified caller.
    pub who: Who<'a>,
    /// What it wants to do.
    pub action: Action<'a>,
    /// The alias of the server.
    pub server: &'a str,
    /// The `arguments` object of the message, if it has one.
    pub arguments: Option<Value<'a>>,
    /// What else the gate knows.
    pub facts: Facts,
}

/// What the candidate policies said.
#[derive(Debug, Default)]
struct Findings {
    permits: Vec<PolicyId>,
    permits_failed: Vec<PolicyId>,
    forbids: Vec<PolicyId>,
    forbids_failed: Vec<PolicyId>,
}

/// Decides `request`.
///
/// Any satisfied forbid, and any forbid that cannot be evaluated, denies. Else any satisfied permit permits. Else deny.
/// The result does not depend on the order of the policies. [`Action::Session`] is also permitted to whoever some
/// permit could let use anything on the server.
#[must_use]
pub fn decide(set: &PolicySet, catalog: &Catalog, request: &AccessRequest<'_>) -> Decision {
    let index = match request.action {
        Action::Session => &set.sessions,
        Action::FollowTask { .. } => &set.lists,
        _ => &set.calls,
    };
    match evaluate(set, index, catalog, request, None) {
        Ok(findings) => conclude(set, request, findings),
        Err(reason) => Decision::Deny(denial(reason)),
    }
}

/// Whether `request` (a tool call, a resource read or a prompt) could be permitted with some arguments, so that the
/// tool, resource or prompt belongs in the caller's lists. Its own arguments are not looked at.
///
/// Conditions on arguments count as if they could be met; forbids that name a requirement count as if it could be met;
/// everything else counts as it stands. A forbid on `list_tool`, `list_resource` or `list_prompt` hides an entry that
/// could be used.
#[must_use]
pub fn listable(set: &PolicySet, catalog: &Catalog, request: &AccessRequest<'_>) -> bool {
    let list_action = match request.action.target() {
        Target::Item(Kind::Tool, _) => "list_tool",
        Target::Item(Kind::Prompt, _) => "list_prompt",
        Target::Item(..) => "list_resource",
        Target::Server => return false,
    };
    let usable = evaluate(set, &set.lists, catalog, request, None);
    let usable = usable.is_ok_and(|findings| !findings.denies() && !findings.permits.is_empty());
    if !usable || !set.mentions_list_actions {
        return usable;
    }
    evaluate(set, &set.lists, catalog, request, Some(list_action)).is_ok_and(|findings| !findings.denies())
}

impl Findings {
    fn denies(&self) -> bool {
        !self.forbids.is_empty() || !self.forbids_failed.is_empty()
    }
}

/// Asks every candidate policy of `index`, under the request's own action or under `instead`.
fn evaluate(
    set: &PolicySet,
    index: &Index,
    catalog: &Catalog,
    request: &AccessRequest<'_>,
    instead: Option<&'static str>,
) -> Result<Findings, DenyReason> {
    if !catalog.has_server(request.server) {
        return Err(DenyReason::UnknownServer);
    }
    let unevaluable = |Unevaluable| DenyReason::Unevaluable;
    let question = Question::new(&set.names, catalog, request, instead).map_err(unevaluable)?;
    let candidates: Vec<&Bucket> = index
        .candidates(request.server, question.item.as_deref(), question.kind)
        .collect();
    // Policies that do not read the arguments cannot tell whether they are there.
    let arguments = request
        .arguments
        .filter(|_| candidates.iter().any(|bucket| bucket.reads_args));
    let context = context(&set.names, request, arguments).map_err(unevaluable)?;
    let asked = question.request(context).map_err(unevaluable)?;

    let authorizer = Authorizer::new();
    let mut findings = Findings::default();
    for bucket in candidates {
        let forbids = authorizer.is_authorized(&asked, &bucket.forbids, &question.entities);
        collect(
            set,
            forbids.diagnostics(),
            &mut findings.forbids,
            &mut findings.forbids_failed,
        );
        let permits = authorizer.is_authorized(&asked, &bucket.permits, &question.entities);
        collect(
            set,
            permits.diagnostics(),
            &mut findings.permits,
            &mut findings.permits_failed,
        );
    }
    for ids in [
        &mut findings.permits,
        &mut findings.permits_failed,
        &mut findings.forbids,
        &mut findings.forbids_failed,
    ] {
        ids.sort_unstable();
    }
    Ok(findings)
}

/// The satisfied and the erring policies of a set with one effect only.
fn collect(
    set: &PolicySet,
    diagnostics: &cedar_policy::Diagnostics,
    satisfied: &mut Vec<PolicyId>,
    failed: &mut Vec<PolicyId>,
) {
    let known = |id: &cedar_policy::PolicyId| set.policy(id.as_ref()).map(|(id, _)| id);
    satisfied.extend(diagnostics.reason().filter_map(known));
    failed.extend(
        diagnostics
            .errors()
            .filter_map(|AuthorizationError::PolicyEvaluationError(error)| known(error.policy_id())),
    );
}

/// The decision that the findings amount to.
fn conclude(set: &PolicySet, request: &AccessRequest<'_>, findings: Findings) -> Decision {
    let permitted = !findings.permits.is_empty();
    if permitted && !findings.denies() {
        let Findings {
            permits,
            permits_failed,
            ..
        } = findings;
        return Decision::Permit(Permit::new(
            request.server,
            request.action.scope(),
            permits,
            permits_failed,
        ));
    }
    let mut explanations = Vec::new();
    let mut unmet = Vec::new();
    let denying = findings.forbids.iter().chain(&findings.forbids_failed);
    for (policy, notes) in denying.filter_map(|id| set.policy(id.as_str())) {
        explanations.extend(notes.reason.clone());
        // A requirement that is met and a forbid that still denies: asking for it again would ask forever.
        let requirement = notes
            .require
            .clone()
            .filter(|requirement| !requirement.is_met(&request.who, request.facts.now));
        unmet.extend(requirement.map(|requirement| Unmet { policy, requirement }));
    }
    let meetable = permitted && unmet.len() == findings.forbids.len() + findings.forbids_failed.len();
    let reason = match (findings.forbids.is_empty(), findings.forbids_failed.is_empty()) {
        (true, true) => DenyReason::NoPermit,
        _ if meetable => DenyReason::RequirementUnmet,
        (true, false) => DenyReason::ForbidFailed,
        (false, _) => DenyReason::Forbidden,
    };
    if !meetable {
        unmet.clear();
    }
    let Findings {
        permits_failed,
        forbids,
        forbids_failed,
        ..
    } = findings;
    let policies = forbids.into_iter().chain(forbids_failed.iter().cloned()).collect();
    let failed = forbids_failed.into_iter().chain(permits_failed).collect();
    Decision::Deny(Denial {
        reason,
        policies,
        failed,
        explanations,
        unmet,
    })
}

fn denial(reason: DenyReason) -> Denial {
    Denial {
        reason,
        policies: Vec::new(),
        failed: Vec::new(),
        explanations: Vec::new(),
        unmet: Vec::new(),
    }
}
