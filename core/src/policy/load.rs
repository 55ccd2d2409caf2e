//! From the text of policy files to a checked set, or every mistake with its place. Reads no files: the text comes in.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::Effect;
use cedar_policy::Policy;
use cedar_policy::PolicyId as CedarId;
use cedar_policy::ffi::DetailedError;
use cedar_policy::pst;
use cedar_policy::pst::Template;

use super::action::KNOWN;
use super::action::Role;
use super::annotations;
use super::check;
use super::fault::PolicyError;
use super::fault::PolicyFault;
use super::fault::place;
use super::index::Reach;
use super::index::actions;
use super::index::reach_of_entity;
use super::set::PolicySet;
use super::walk::clause_expr;
use super::walk::reads_args;
use super::walk::reads_more_than_caller;
use super::walk::walk;
use super::walk::weaken;
use crate::limits;

/// One policy with its place in the files.
struct Statement<'f> {
    file: &'f str,
    text: &'f str,
    start: usize,
    end: usize,
    number: usize,
    policy: Policy,
}

/// Loads and checks `files`, pairs of name and text.
pub(super) fn load(files: &[(String, String)]) -> Result<PolicySet, Vec<PolicyError>> {
    let mut errors = Vec::new();
    let mut set = PolicySet::empty();
    let mut ids = BTreeSet::new();
    let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
    if files.len() > limits::POLICY_FILES_MAX || bytes > limits::POLICY_BYTES_MAX {
        return Err(vec![at("policies", "", 0, PolicyFault::TooLarge, None)]);
    }
    for (file, text) in files {
        match statements(file, text) {
            Err(faults) => errors.extend(faults),
            Ok(statements) => {
                for statement in &statements {
                    if let Err(faults) = admit(&mut set, &mut ids, statement) {
                        errors.extend(faults);
                    }
                }
            }
        }
    }
    if set.len() > limits::POLICIES_MAX {
        errors.push(at("policies", "", 0, PolicyFault::TooLarge, None));
    }
    if errors.is_empty() { Ok(set) } else { Err(errors) }
}

fn at(file: &str, text: &str, offset: usize, fault: PolicyFault, hint: Option<String>) -> PolicyError {
    let (line, column) = place(text, offset);
    PolicyError {
        file: file.to_owned(),
        line,
        column,
        fault,
        hint,
    }
}

/// Parses one file; its statements in the order of the text.
fn statements<'f>(file: &'f str, text: &'f str) -> Result<Vec<Statement<'f>>, Vec<PolicyError>> {
    let parsed: cedar_policy::PolicySet = text
        .parse()
        .map_err(|errors| syntax_errors(file, text, DetailedError::from(&errors)))?;
    // The parser numbers statements `policy0`, `policy1`, … in the order of the text, templates among them.
    let mut numbered = BTreeMap::new();
    let policies = parsed
        .policies()
        .map(|policy| (policy.id(), policy.to_cedar().unwrap_or_default(), Some(policy)));
    let templates = parsed
        .templates()
        .map(|template| (template.id(), template.to_cedar(), None));
    for (id, source, policy) in policies.chain(templates) {
        let id: &str = id.as_ref();
        let number: usize = id.trim_start_matches("policy").parse().unwrap_or(usize::MAX);
        numbered.insert(number, (source, policy.cloned()));
    }
    let mut cursor = 0;
    let mut found = Vec::with_capacity(numbered.len());
    let mut errors = Vec::new();
    for (number, (source, policy)) in numbered {
        let start = cursor + trivia(&text[cursor..]);
        let start = if text[start..].starts_with(&source) {
            start
        } else {
            cursor
        };
        let end = (start + source.len()).min(text.len());
        cursor = end;
        match policy {
            Some(policy) => found.push(Statement {
                file,
                text,
                start,
                end,
                number: number + 1,
                policy,
            }),
            None => {
                let hint = Some("write the policy out for each principal or resource".to_owned());
                errors.push(at(file, text, start, PolicyFault::Template, hint));
            }
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn syntax_errors(file: &str, text: &str, error: DetailedError) -> Vec<PolicyError> {
    let mut found = Vec::new();
    let mut waiting = vec![error];
    while let Some(mut error) = waiting.pop() {
        waiting.extend(error.related.drain(..).rev());
        let offset = error.source_locations.first().map_or(0, |label| label.loc.start);
        found.push(at(file, text, offset, PolicyFault::Syntax(error.message), error.help));
    }
    found
}

/// Bytes of white space and comments that `text` starts with.
fn trivia(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        match rest.strip_prefix("//") {
            Some(comment) => rest = comment.split_once('\n').map_or("", |(_, after)| after),
            None => return text.len() - rest.len(),
        }
    }
}

impl Statement<'_> {
    fn error(&self, fault: PolicyFault, hint: Option<String>, needle: &str) -> PolicyError {
        let within = self.text.get(self.start..self.end).unwrap_or_default();
        let offset = if needle.is_empty() {
            0
        } else {
            within.find(needle).unwrap_or(0)
        };
        at(self.file, self.text, self.start + offset, fault, hint)
    }

    /// What the policy is called in decisions and the audit: its `@id`, else file and number.
    fn id(&self) -> String {
        match self.policy.annotation("id") {
            Some(id) => id.to_owned(),
            None => format!("{}#{}", self.file, self.number),
        }
    }
}

/// Checks one policy and adds it to every index of `set`.
fn admit(set: &mut PolicySet, ids: &mut BTreeSet<String>, statement: &Statement<'_>) -> Result<(), Vec<PolicyError>> {
    let id = statement.id();
    let policy = statement.policy.new_id(CedarId::new(&id));
    let unsupported = || vec![statement.error(PolicyFault::Unsupported, None, "")];
    let syntax = policy.to_pst().map_err(|_| unsupported())?;
    let body = syntax.body();
    let mut errors: Vec<_> = check::findings(body)
        .into_iter()
        .map(|finding| statement.error(finding.fault, finding.hint, &finding.needle))
        .collect();
    let notes = annotations::read(&body.annotations, policy.effect()).unwrap_or_else(|faults| {
        errors.extend(
            faults
                .into_iter()
                .map(|fault| statement.error(fault.fault, fault.hint, &fault.needle)),
        );
        annotations::Notes::default()
    });
    if !ids.insert(id.clone()) {
        let hint = Some("every policy needs its own `@id`".to_owned());
        errors.push(statement.error(PolicyFault::DuplicateId(id.clone()), hint, "@id"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    index(set, &policy, body, notes.require.is_some()).ok_or_else(unsupported)?;
    set.mentions_list_actions |= names_list_action(body);
    set.notes.insert(Arc::from(id), notes);
    Ok(())
}

/// Adds the policy to the three readings of the set; `None` if Cedar refuses one of them.
///
/// - calls: as it stands.
/// - lists, where the arguments are not known yet ("could this be allowed with some arguments?"): a permit without its
///   conditions on arguments; a forbid only if it neither reads arguments nor names a requirement that could be met.
/// - sessions, where not even the tool is known ("could anything here be allowed?"): a permit reduced to its conditions
///   on the caller, for every action on the servers it reaches; a forbid as it stands unless it reads arguments.
fn index(set: &mut PolicySet, policy: &Policy, body: &Template, requirement: bool) -> Option<()> {
    let reads = body.clauses().iter().any(|clause| reads_args(clause_expr(clause)));
    set.calls.add(policy.clone(), body, reads)?;
    match policy.effect() {
        Effect::Forbid if reads => {}
        Effect::Forbid => {
            if !requirement {
                set.lists.add(policy.clone(), body, false)?;
            }
            set.sessions.add(policy.clone(), body, false)?;
        }
        Effect::Permit => {
            let listed = weaken(body, reads_args).ok()?;
            set.lists.add(rebuild(listed.clone())?, &listed, false)?;
            let reached = weaken(body, reads_more_than_caller).ok()?;
            for reached in on_each_server(reached, body)? {
                set.sessions.add(rebuild(reached.clone())?, &reached, false)?;
            }
        }
    }
    Some(())
}

fn rebuild(body: Template) -> Option<Policy> {
    let fixed = pst::StaticPolicy::try_from(body).ok()?;
    Policy::from_pst(pst::Policy::Static(fixed)).ok()
}

/// `reduced` for any action on each server that the scope of `body` reaches; once for all servers if it names none.
fn on_each_server(mut reduced: Template, body: &Template) -> Option<Vec<Template>> {
    reduced.action = pst::ActionConstraint::Any;
    reduced.resource = pst::ResourceConstraint::Any;
    let Some(aliases) = servers_reached(body) else {
        return Some(vec![reduced]);
    };
    let server = pst::EntityType::from_name(pst::Name::unqualified("Server").ok()?);
    let on = |alias: &str| pst::EntityUID {
        ty: server.clone(),
        eid: alias.into(),
    };
    let constraint = |alias| pst::ResourceConstraint::Eq(pst::EntityOrSlot::Entity(on(alias)));
    let limited = |alias| {
        let mut limited = reduced.clone();
        limited.resource = constraint(alias);
        limited
    };
    Some(aliases.into_iter().map(limited).collect())
}

/// The servers that a scope is limited to; `None` if it is not.
fn servers_reached(body: &Template) -> Option<BTreeSet<&str>> {
    match &body.resource {
        pst::ResourceConstraint::Eq(pst::EntityOrSlot::Entity(uid))
        | pst::ResourceConstraint::In(pst::EntityOrSlot::Entity(uid))
        | pst::ResourceConstraint::IsIn(_, pst::EntityOrSlot::Entity(uid)) => match reach_of_entity(uid) {
            Reach::Everywhere => {}
            Reach::Server(_) => return Some(BTreeSet::from([&*uid.eid])),
            Reach::Item(_) => return Some(BTreeSet::from([uid.eid.split_once('/')?.0])),
        },
        _ => {}
    }
    let named = actions(&body.action);
    let aliases = named.iter().map(|uid| uid.eid.split_once('/').map(|(alias, _)| alias));
    if named.is_empty() { None } else { aliases.collect() }
}

/// Whether any literal in the policy is a list action.
fn names_list_action(body: &Template) -> bool {
    let is_list = |uid: &pst::EntityUID| {
        KNOWN
            .iter()
            .any(|known| known.role == Role::ListOnly && *known.id == *uid.eid)
    };
    let mut found = actions(&body.action).iter().any(is_list);
    for clause in body.clauses() {
        let walked = walk(clause_expr(clause), &mut |expr| {
            if let pst::Expr::Literal(pst::Literal::EntityUID(uid)) = expr {
                found |= is_list(uid);
            }
            true
        });
        found |= walked.is_err();
    }
    found
}
