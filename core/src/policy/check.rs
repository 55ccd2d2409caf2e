//! Makes mistakes in policies loud at load: words that no request has, scopes that nothing can match. Never decides
//! what a policy means; whatever passes here is evaluated as it stands.

use cedar_policy::Context;
use cedar_policy::RestrictedExpression;
use cedar_policy::pst::ActionConstraint;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Effect;
use cedar_policy::pst::EntityOrSlot;
use cedar_policy::pst::EntityType;
use cedar_policy::pst::EntityUID;
use cedar_policy::pst::Expr;
use cedar_policy::pst::Literal;
use cedar_policy::pst::PrincipalConstraint;
use cedar_policy::pst::ResourceConstraint;
use cedar_policy::pst::Template;
use cedar_policy::pst::UnaryOp;
use cedar_policy::pst::Var;

use super::action::KNOWN;
use super::action::Kind;
use super::action::Role;
use super::action::find_known;
use super::action::kind_of;
use super::catalog::Class;
use super::catalog::is_server_alias;
use super::fault::PolicyFault;
use super::index::actions;
use super::vocabulary as words;
use super::walk::clause_expr;
use super::walk::variable_path;
use super::walk::walk;

/// A mistake, and a piece of the policy's text that shows where it is.
pub(super) struct Finding {
    pub(super) fault: PolicyFault,
    pub(super) hint: Option<String>,
    pub(super) needle: String,
}

/// Every mistake in `body`, in the order of scope, then conditions.
pub(super) fn findings(body: &Template) -> Vec<Finding> {
    let mut checker = Checker { found: Vec::new() };
    checker.principal(&body.principal);
    checker.action(body);
    checker.resource(&body.resource);
    checker.kinds_agree(body);
    for clause in body.clauses() {
        let walked = walk(clause_expr(clause), &mut |expr| checker.expression(expr));
        if walked.is_err() {
            checker.add(
                PolicyFault::Unsupported,
                Some("split it into several policies"),
                String::new(),
            );
        }
    }
    checker.found
}

struct Checker {
    found: Vec<Finding>,
}

impl Checker {
    fn add(&mut self, fault: PolicyFault, hint: Option<&str>, needle: String) {
        self.found.push(Finding {
            fault,
            hint: hint.map(str::to_owned),
            needle,
        });
    }

    fn never(&mut self, what: &'static str, hint: &str, needle: &str) {
        self.add(PolicyFault::NeverMatches(what), Some(hint), needle.to_owned());
    }

    fn principal(&mut self, constraint: &PrincipalConstraint) {
        let (exact, entity_type, parent) = match constraint {
            PrincipalConstraint::Any => return,
            PrincipalConstraint::Eq(EntityOrSlot::Entity(uid)) => (Some(uid), None, None),
            PrincipalConstraint::In(EntityOrSlot::Entity(uid)) => (None, None, Some(uid)),
            PrincipalConstraint::Is(entity_type) => (None, Some(entity_type), None),
            PrincipalConstraint::IsIn(entity_type, EntityOrSlot::Entity(uid)) => (None, Some(entity_type), Some(uid)),
            _ => return,
        };
        for uid in exact.iter().chain(&parent) {
            self.entity(uid);
            if matches!(type_name(&uid.ty).as_str(), "Agent" | "AgentGroup") {
                let hint = "the principal is the user; for agents write `when { context.agent_ref in … }`";
                self.never("the principal is never an agent", hint, &quoted(uid));
            }
        }
        if exact.is_some_and(|uid| type_name(&uid.ty) == "Group") {
            self.never(
                "the principal is never a group itself",
                "write `principal in Group::…`",
                "principal ==",
            );
        }
        if let Some(entity_type) = entity_type {
            self.entity_type(entity_type);
            if type_name(entity_type) != "User" && self.found.is_empty() {
                self.never(
                    "the principal is always a `User`",
                    "write `principal is User`",
                    "principal is",
                );
            }
        }
    }

    fn action(&mut self, body: &Template) {
        for uid in actions(&body.action) {
            self.entity(uid);
        }
        if let ActionConstraint::Eq(uid) = &body.action
            && find_known(&uid.eid).is_some_and(|known| known.role == Role::Group)
        {
            let hint = format!("write `action in Action::\"{}\"`", uid.eid);
            self.never("this action is a group; no request equals it", &hint, "action ==");
        }
        let list_only = |uid: &EntityUID| find_known(&uid.eid).is_some_and(|known| known.role == Role::ListOnly);
        let named = actions(&body.action);
        if body.effect == Effect::Permit && !named.is_empty() && named.iter().all(list_only) {
            let hint = "lists show what could be used; only a forbid on this action means something";
            self.never("a permit on a list action has no effect", hint, &named[0].eid);
        }
    }

    fn resource(&mut self, constraint: &ResourceConstraint) {
        let (exact, entity_type, parent) = match constraint {
            ResourceConstraint::Any => return,
            ResourceConstraint::Eq(EntityOrSlot::Entity(uid)) => (Some(uid), None, None),
            ResourceConstraint::In(EntityOrSlot::Entity(uid)) => (None, None, Some(uid)),
            ResourceConstraint::Is(entity_type) => (None, Some(entity_type), None),
            ResourceConstraint::IsIn(entity_type, EntityOrSlot::Entity(uid)) => (None, Some(entity_type), Some(uid)),
            _ => return,
        };
        for uid in exact.iter().chain(&parent) {
            self.entity(uid);
            if matches!(type_name(&uid.ty).as_str(), "User" | "Group" | "Agent" | "AgentGroup") {
                self.never(
                    "the resource is never a caller",
                    "put callers in the principal",
                    &quoted(uid),
                );
            }
        }
        if exact.is_some_and(|uid| matches!(type_name(&uid.ty).as_str(), "Class" | "Label")) {
            self.never(
                "the resource is never a class or label itself",
                "write `resource in …`",
                "resource ==",
            );
        }
        if let Some(entity_type) = entity_type {
            self.entity_type(entity_type);
            if !matches!(
                type_name(entity_type).as_str(),
                "Tool" | "Resource" | "Prompt" | "Server"
            ) {
                let hint = "resources are `Tool`, `Resource`, `Prompt` or `Server`";
                self.never("the resource is never of this type", hint, "resource is");
            }
        }
    }

    /// Refuses a scope whose actions are all about another kind of resource.
    fn kinds_agree(&mut self, body: &Template) {
        let wanted = match &body.resource {
            ResourceConstraint::Any => None,
            ResourceConstraint::Is(entity_type) | ResourceConstraint::IsIn(entity_type, _) => kind_named(entity_type),
            ResourceConstraint::Eq(EntityOrSlot::Entity(uid)) => kind_named(&uid.ty),
            ResourceConstraint::In(EntityOrSlot::Entity(uid)) => match type_name(&uid.ty).as_str() {
                "Server" => None,
                "Class" | "Label" => Some(Kind::Tool),
                _ => kind_named(&uid.ty),
            },
            _ => None,
        };
        let named = actions(&body.action);
        let disagrees = |uid: &EntityUID| kind_of(&uid.eid).is_some_and(|kind| Some(kind) != wanted);
        if wanted.is_some() && !named.is_empty() && named.iter().all(disagrees) {
            let hint = "`resource == Server::…` is only for server actions; write `resource in Server::…`";
            let hint = (wanted == Some(Kind::Server)).then_some(hint);
            let what = "the action is never about this kind of resource";
            self.add(PolicyFault::NeverMatches(what), hint, "resource".to_owned());
        }
    }

    /// Checks one node of a condition; says whether to go below it.
    fn expression(&mut self, expr: &Expr) -> bool {
        if let Some((variable, path)) = variable_path(expr) {
            self.path(variable, &path);
            return false;
        }
        match expr {
            Expr::Literal(Literal::EntityUID(uid)) => self.entity(uid),
            Expr::Is { entity_type, .. } => self.entity_type(entity_type),
            Expr::UnaryOp { op, expr } => self.extension(*op, expr),
            Expr::BinaryOp {
                op: BinaryOp::GetTag | BinaryOp::HasTag,
                ..
            } => {
                self.add(PolicyFault::Attribute("no entity has tags"), None, "Tag(".to_owned());
            }
            Expr::BinaryOp {
                op: BinaryOp::Eq,
                left,
                right,
            } => self.equality(left, right),
            _ => {}
        }
        true
    }

    fn equality(&mut self, left: &Expr, right: &Expr) {
        if let (Expr::Var(Var::Action), Expr::Literal(Literal::EntityUID(uid)))
        | (Expr::Literal(Literal::EntityUID(uid)), Expr::Var(Var::Action)) = (left, right)
            && find_known(&uid.eid).is_some_and(|known| known.role == Role::Group)
        {
            let hint = format!("write `action in Action::\"{}\"`", uid.eid);
            self.never("this action is a group; no request equals it", &hint, &quoted(uid));
        }
    }

    fn path(&mut self, variable: &Var, path: &[&str]) {
        let (name, attributes) = match variable {
            Var::Context if path.is_empty() => {
                let fault = PolicyFault::Attribute("`context` can only be used with an attribute");
                return self.add(fault, None, "context".to_owned());
            }
            Var::Context => ("context", words::CONTEXT),
            Var::Principal => ("principal", words::PRINCIPAL),
            Var::Resource => ("resource", words::RESOURCE),
            Var::Action if path.is_empty() => return,
            Var::Action => {
                let fault = PolicyFault::Attribute("`action` has no attributes");
                return self.add(fault, None, "action".to_owned());
            }
        };
        if let Some(unknown) = words::unknown_segment(path, attributes) {
            let hint = match words::nearest(unknown.segment, unknown.candidates.iter().copied()) {
                Some(nearest) => Some(format!("did you mean `{nearest}`?")),
                None if unknown.candidates.is_empty() => None,
                None => Some(format!("there are: {}", unknown.candidates.join(", "))),
            };
            let fault = PolicyFault::UnknownAttribute(format!("{name}.{}", path.join(".")));
            self.add(fault, hint.as_deref(), unknown.segment.to_owned());
        }
    }

    /// Refuses `ip("…")` and its like where the text is not a value of the type.
    fn extension(&mut self, op: UnaryOp, operand: &Expr) {
        let Expr::Literal(Literal::String(text)) = operand else {
            return;
        };
        let value = match op {
            UnaryOp::Ip => RestrictedExpression::new_ip(text),
            UnaryOp::Decimal => RestrictedExpression::new_decimal(text),
            UnaryOp::Datetime => RestrictedExpression::new_datetime(text),
            UnaryOp::Duration => RestrictedExpression::new_duration(text),
            _ => return,
        };
        if Context::from_pairs([(String::new(), value)]).is_err() {
            let hint = match op {
                UnaryOp::Ip => "write 10.0.0.0/8 or 2001:db8::/32; IPv4 inside IPv6 is seen as IPv4",
                UnaryOp::Decimal => "write 12.34, at most four digits after the point",
                UnaryOp::Datetime => "write 2026-01-31 or 2026-01-31T12:00:00Z",
                _ => "write 1d2h3m4s5ms",
            };
            self.add(PolicyFault::Literal(text.to_string()), Some(hint), text.to_string());
        }
    }

    fn entity_type(&mut self, entity_type: &EntityType) {
        let name = type_name(entity_type);
        if !words::ENTITY_TYPES.contains(&name.as_str()) {
            let hint = words::nearest(&name, words::ENTITY_TYPES.iter().copied());
            let hint = hint.map(|nearest| format!("did you mean `{nearest}`?"));
            self.add(PolicyFault::UnknownEntityType(name.clone()), hint.as_deref(), name);
        }
    }

    fn entity(&mut self, uid: &EntityUID) {
        let (name, id) = (type_name(&uid.ty), &*uid.eid);
        let hint = match name.as_str() {
            "Action" => return self.action_id(uid),
            "Tool" | "Resource" | "Prompt" if !is_item_id(id) => "the id is \"<server>/<name>\"",
            "Class" if Class::from_name(id).is_none() => "classes are read, query, update, admin",
            "Server" if !is_server_alias(id) => "the id is the server's name in the configuration",
            "Tool" | "Resource" | "Prompt" | "Class" | "Server" => return,
            _ if id.is_empty() => "the id is empty",
            _ => return self.entity_type(&uid.ty),
        };
        self.add(PolicyFault::EntityId(uid.to_string()), Some(hint), quoted(uid));
    }

    fn action_id(&mut self, uid: &EntityUID) {
        let id = &*uid.eid;
        if find_known(id).is_none() && !is_item_id(id) {
            let hint = match words::nearest(id, KNOWN.iter().map(|known| known.id)) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "a tool's action is \"<server>/<tool>\"".to_owned(),
            };
            self.add(PolicyFault::UnknownAction(id.to_owned()), Some(&hint), quoted(uid));
        }
    }
}

fn is_item_id(id: &str) -> bool {
    id.split_once('/')
        .is_some_and(|(alias, name)| is_server_alias(alias) && !name.is_empty())
}

fn type_name(entity_type: &EntityType) -> String {
    entity_type.to_string()
}

fn kind_named(entity_type: &EntityType) -> Option<Kind> {
    match type_name(entity_type).as_str() {
        "Tool" => Some(Kind::Tool),
        "Resource" => Some(Kind::Resource),
        "Prompt" => Some(Kind::Prompt),
        "Server" => Some(Kind::Server),
        _ => None,
    }
}

fn quoted(uid: &EntityUID) -> String {
    uid.to_string()
}
