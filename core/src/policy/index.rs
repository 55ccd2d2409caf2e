//! The policies of a set, sorted by which requests their scope can match, so that a decision looks at few of them.
//!
//! Every policy is in exactly one bucket. A lookup leaves out only buckets whose policies have a scope that is false
//! for the request; a false scope makes a policy neither satisfied nor erring (scope tests are total), so leaving it
//! out changes nothing. The property test in `tests.rs` compares against the whole set.

use std::collections::BTreeMap;

use cedar_policy::Effect;
use cedar_policy::Policy;
use cedar_policy::pst::ActionConstraint;
use cedar_policy::pst::EntityOrSlot;
use cedar_policy::pst::EntityUID;
use cedar_policy::pst::ResourceConstraint;
use cedar_policy::pst::Template;

use super::action::Kind;
use super::action::kind_of;

/// Policies whose scopes match the same requests, by effect.
#[derive(Clone, Debug, Default)]
pub(super) struct Bucket {
    pub(super) permits: cedar_policy::PolicySet,
    pub(super) forbids: cedar_policy::PolicySet,
    pub(super) reads_args: bool,
}

/// Buckets by kind of resource; `None` holds the policies about several kinds.
type Shelf = BTreeMap<Option<Kind>, Bucket>;

/// All policies of one reading of the set.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    everywhere: Shelf,
    servers: BTreeMap<String, Shelf>,
    items: BTreeMap<String, Shelf>,
}

/// How far a scope reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Everywhere,
    Server(String),
    /// One `server/name`.
    Item(String),
}

impl Index {
    /// Adds `policy`, whose syntax tree is `body`; `None` if Cedar refuses it.
    pub(super) fn add(&mut self, policy: Policy, body: &Template, reads_args: bool) -> Option<()> {
        let shelf = match reach(body) {
            Reach::Everywhere => &mut self.everywhere,
            Reach::Server(alias) => self.servers.entry(alias).or_default(),
            Reach::Item(id) => self.items.entry(id).or_default(),
        };
        let bucket = shelf.entry(kind(body)).or_default();
        bucket.reads_args |= reads_args;
        match policy.effect() {
            Effect::Permit => bucket.permits.add(policy).ok(),
            Effect::Forbid => bucket.forbids.add(policy).ok(),
        }
    }

    /// Every bucket with a policy whose scope may match a request about `item` (`server/name`) of `kind` on `server`.
    pub(super) fn candidates(&self, server: &str, item: Option<&str>, kind: Kind) -> impl Iterator<Item = &Bucket> {
        [
            Some(&self.everywhere),
            self.servers.get(server),
            item.and_then(|id| self.items.get(id)),
        ]
        .into_iter()
        .flatten()
        .flat_map(move |shelf| [shelf.get(&None), shelf.get(&Some(kind))])
        .flatten()
    }

    /// The servers that scopes name.
    pub(super) fn server_aliases(&self) -> impl Iterator<Item = &str> {
        let of_items = self
            .items
            .keys()
            .filter_map(|id| id.split_once('/'))
            .map(|(alias, _)| alias);
        self.servers.keys().map(String::as_str).chain(of_items)
    }
}

fn entity(reference: &EntityOrSlot) -> Option<&EntityUID> {
    match reference {
        EntityOrSlot::Entity(uid) => Some(uid),
        EntityOrSlot::Slot(_) => None,
    }
}

/// The narrower of what the resource and the action of a scope say.
fn reach(body: &Template) -> Reach {
    let resource = match &body.resource {
        ResourceConstraint::Eq(reference)
        | ResourceConstraint::In(reference)
        | ResourceConstraint::IsIn(_, reference) => entity(reference).map_or(Reach::Everywhere, reach_of_entity),
        ResourceConstraint::Any | ResourceConstraint::Is(_) => Reach::Everywhere,
    };
    let action = match actions(&body.action) {
        [only] if only.eid.contains('/') => Reach::Item(only.eid.to_string()),
        _ => Reach::Everywhere,
    };
    if matches!(action, Reach::Item(_)) && !matches!(resource, Reach::Item(_)) {
        action
    } else {
        resource
    }
}

/// How far `resource in <uid>` reaches.
pub(super) fn reach_of_entity(uid: &EntityUID) -> Reach {
    match uid.ty.to_string().as_str() {
        "Server" => Reach::Server(uid.eid.to_string()),
        "Tool" | "Resource" | "Prompt" => Reach::Item(uid.eid.to_string()),
        _ => Reach::Everywhere,
    }
}

/// The action entities that a scope names; none for an unconstrained action.
pub(super) fn actions(constraint: &ActionConstraint) -> &[EntityUID] {
    match constraint {
        ActionConstraint::Any => &[],
        ActionConstraint::Eq(uid) => core::slice::from_ref(uid),
        ActionConstraint::In(uids) => uids,
    }
}

/// The one kind of resource that the actions of a scope are about.
fn kind(body: &Template) -> Option<Kind> {
    let mut kinds = actions(&body.action).iter().map(|uid| kind_of(&uid.eid));
    let first = kinds.next()??;
    kinds.all(|kind| kind == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf_of(scope: &str) -> (Reach, Option<Kind>) {
        let policy = Policy::parse(None, format!("permit({scope});"))
            .unwrap()
            .to_pst()
            .unwrap();
        (reach(policy.body()), kind(policy.body()))
    }

    #[test]
    fn scopes_land_where_their_requests_look() {
        let item = |id: &str| Reach::Item(id.to_owned());
        let server = |alias: &str| Reach::Server(alias.to_owned());
        for (scope, expected) in [
            ("principal, action, resource", (Reach::Everywhere, None)),
            (r#"principal, action, resource in Server::"a""#, (server("a"), None)),
            (
                r#"principal, action in Action::"call_tool", resource"#,
                (Reach::Everywhere, Some(Kind::Tool)),
            ),
            (
                r#"principal, action == Action::"a/t", resource"#,
                (item("a/t"), Some(Kind::Tool)),
            ),
            (
                r#"principal, action in Action::"a/t", resource in Server::"a""#,
                (item("a/t"), Some(Kind::Tool)),
            ),
            (r#"principal, action, resource == Tool::"a/t""#, (item("a/t"), None)),
            (
                r#"principal, action in [Action::"a/t", Action::"a/u"], resource"#,
                (Reach::Everywhere, Some(Kind::Tool)),
            ),
            (
                r#"principal, action in [Action::"a/t", Action::"session"], resource"#,
                (Reach::Everywhere, None),
            ),
            (
                r#"principal, action in Action::"complete", resource"#,
                (Reach::Everywhere, None),
            ),
            (r#"principal, action in [], resource"#, (Reach::Everywhere, None)),
            (
                r#"principal, action, resource is Tool in Server::"a""#,
                (server("a"), None),
            ),
        ] {
            assert_eq!(shelf_of(scope), expected, "{scope}");
        }
    }
}
