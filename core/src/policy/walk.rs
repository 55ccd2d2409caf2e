//! Walks over Cedar's public syntax tree: which attributes a policy reads, and a policy with some of its conditions
//! left out. Refuses what it does not know, so that a newer Cedar cannot slip an expression past the checks.

use std::sync::Arc;

use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Clause;
use cedar_policy::pst::Expr;
use cedar_policy::pst::PstConstructionError;
use cedar_policy::pst::Template;
use cedar_policy::pst::Var;

use super::vocabulary::ARGS;
use crate::limits;

/// An expression of an unknown kind, or nested deeper than [`limits::POLICY_EXPRESSION_DEPTH_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported;

/// Calls `visit` with every expression, parents first; `visit` says whether to go below.
pub(super) fn walk<'e>(root: &'e Expr, visit: &mut dyn FnMut(&'e Expr) -> bool) -> Result<(), Unsupported> {
    let mut waiting = vec![(root, 0_usize)];
    while let Some((expr, depth)) = waiting.pop() {
        if depth > limits::POLICY_EXPRESSION_DEPTH_MAX {
            return Err(Unsupported);
        }
        if !visit(expr) {
            continue;
        }
        let mut push = |child: &'e Arc<Expr>| waiting.push((child, depth + 1));
        match expr {
            Expr::Literal(_) | Expr::Var(_) => {}
            Expr::UnaryOp { expr, .. }
            | Expr::GetAttr { expr, .. }
            | Expr::HasAttr { expr, .. }
            | Expr::Like { expr, .. } => push(expr),
            Expr::BinaryOp { left, right, .. } => [right, left].into_iter().for_each(push),
            Expr::Is { expr, in_expr, .. } => in_expr.iter().chain([expr]).for_each(push),
            Expr::IfThenElse {
                cond,
                then_expr,
                else_expr,
            } => [else_expr, then_expr, cond].into_iter().for_each(push),
            Expr::Set(items) => items.iter().rev().for_each(push),
            Expr::Record(fields) => fields.values().rev().for_each(push),
            _ => return Err(Unsupported),
        }
    }
    Ok(())
}

/// The variable that an attribute access or `has` starts from, and the attributes from there on.
pub(super) fn variable_path(expr: &Expr) -> Option<(&Var, Vec<&str>)> {
    let mut path = Vec::new();
    let mut at = expr;
    if let Expr::HasAttr { expr, attrs } = at {
        path.extend(attrs.iter().map(AsRef::<str>::as_ref));
        path.reverse();
        at = expr;
    }
    loop {
        match at {
            Expr::GetAttr { expr, attr } => {
                path.push(attr.as_ref());
                at = expr;
            }
            Expr::Var(variable) => {
                path.reverse();
                return Some((variable, path));
            }
            _ => return None,
        }
    }
}

/// Whether the expression reads `context.args`; true also for what cannot be walked.
pub(super) fn reads_args(expr: &Expr) -> bool {
    reads(expr, |variable, path| {
        *variable == Var::Context && path.first().is_none_or(|first| *first == ARGS)
    })
}

/// Whether the expression depends on the arguments, the action or the resource of the request.
pub(super) fn reads_more_than_caller(expr: &Expr) -> bool {
    reads_args(expr) || reads(expr, |variable, _| matches!(variable, Var::Action | Var::Resource))
}

fn reads(expr: &Expr, wanted: impl Fn(&Var, &[&str]) -> bool) -> bool {
    let mut found = false;
    let walked = walk(expr, &mut |node| match variable_path(node) {
        Some((variable, path)) => {
            found |= wanted(variable, &path);
            false
        }
        None => !found,
    });
    found || walked.is_err()
}

/// The expression of a clause.
pub(super) fn clause_expr(clause: &Clause) -> &Arc<Expr> {
    match clause {
        Clause::When(expr) | Clause::Unless(expr) => expr,
    }
}

/// `body` without those conjuncts of its conditions that `drop` names.
///
/// What is left is satisfied whenever the whole policy is: a satisfied policy has every conjunct of every `when` true
/// and every disjunct of every `unless` false, each without error, so any subset of them holds too.
pub(super) fn weaken(body: &Template, drop: impl Fn(&Expr) -> bool) -> Result<Template, PstConstructionError> {
    let mut kept = Vec::new();
    for clause in body.clauses() {
        match clause {
            Clause::When(expr) => {
                kept.extend(
                    operands(expr, BinaryOp::And)
                        .into_iter()
                        .filter(|expr| !drop(expr))
                        .map(Clause::When),
                );
            }
            Clause::Unless(expr) => {
                kept.extend(
                    operands(expr, BinaryOp::Or)
                        .into_iter()
                        .filter(|expr| !drop(expr))
                        .map(Clause::Unless),
                );
            }
        }
    }
    let (principal, action, resource) = (body.principal.clone(), body.action.clone(), body.resource.clone());
    Template::new(body.id.clone(), body.effect, principal, action, resource).try_with_clauses(kept)
}

/// The operands of a chain of `wanted`, in source order; the expression itself if it is no such chain.
fn operands(root: &Arc<Expr>, wanted: BinaryOp) -> Vec<Arc<Expr>> {
    let mut found = Vec::new();
    let mut waiting = vec![root];
    while let Some(expr) = waiting.pop() {
        match &**expr {
            Expr::BinaryOp { op, left, right } if *op == wanted => waiting.extend([right, left]),
            _ => found.push(Arc::clone(expr)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use cedar_policy::Policy;

    use super::*;

    fn body(text: &str) -> Template {
        Policy::parse(None, text).unwrap().to_pst().unwrap().body().clone()
    }

    fn weakened(text: &str) -> Vec<String> {
        weaken(&body(text), reads_args)
            .unwrap()
            .clauses()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn leaves_out_exactly_the_conjuncts_that_read_arguments() {
        let text = r#"permit(principal, action, resource)
            when { context.net.tls && context.args.a == 1 && principal.id == "x" }
            unless { context.args has b || context.auth.age > 3 };"#;
        let kept = weakened(text);
        assert_eq!(kept.len(), 3, "{kept:?}");
        assert!(kept.iter().all(|clause| !clause.contains("args")));
        assert!(kept[2].starts_with("unless"));
    }

    #[test]
    fn keeps_a_disjunction_whole_or_not_at_all() {
        let text = "permit(principal, action, resource) when { context.net.tls || context.args.a == 1 };";
        assert!(weakened(text).is_empty());
    }

    #[test]
    fn sees_arguments_behind_every_spelling() {
        for condition in [
            "context.args.a == 1",
            "context[\"args\"][\"a\"] == 1",
            "context has args.a",
            "context.args has a",
            "[context.args].contains(context.net)",
            "{a: context.args} == {a: context.args}",
            "(if context.net.tls then context.args else context.args).a",
            "context == context",
        ] {
            let body = body(&format!("permit(principal, action, resource) when {{ {condition} }};"));
            assert!(reads_args(clause_expr(&body.clauses()[0])), "{condition}");
        }
        let body = body("permit(principal, action, resource) when { context.auth.age > 1 };");
        assert!(!reads_args(clause_expr(&body.clauses()[0])));
    }
}
