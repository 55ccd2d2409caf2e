//! Mistakes in policies are found at load, with their place and a hint.

use super::support::catalog;
use super::support::load;
use crate::limits;
use crate::policy::PolicyError;
use crate::policy::PolicySet;

fn errors(text: &str) -> Vec<PolicyError> {
    PolicySet::load(&[("p.cedar".to_owned(), text.to_owned())]).expect_err(text)
}

/// The one error of `text`, as the operator sees it.
fn error(text: &str) -> String {
    let errors = errors(text);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].to_string()
}

/// A policy with one mistake, and what is told about it.
const MISTAKES: &[(&str, &str)] = &[
    (
        "\n\n  permit(principal, action);",
        "p.cedar:3:27: this policy is missing the `resource` variable in the scope \
             (policy scopes must contain a `principal`, `action`, and `resource` element in that order)",
    ),
    (
        "// a comment\npermit(principal in Grop::\"eng\", action, resource);",
        "p.cedar:2:21: unknown entity type `Grop` (did you mean `Group`?)",
    ),
    (
        "permit(principal, action == Action::\"call_tol\", resource);",
        "p.cedar:1:29: unknown action `call_tol` (did you mean `call_tool`?)",
    ),
    (
        "permit(principal, action == Action::\"call_tool\", resource);",
        "p.cedar:1:19: this action is a group; no request equals it (write `action in Action::\"call_tool\"`)",
    ),
    (
        "permit(principal, action, resource) when { action == Action::\"class:read\" };",
        "p.cedar:1:54: this action is a group; no request equals it (write `action in Action::\"class:read\"`)",
    ),
    (
        "permit(principal, action, resource)\nwhen { context.agnet.id == \"x\" };",
        "p.cedar:2:16: unknown attribute `context.agnet.id` (did you mean `agent`?)",
    ),
    (
        "permit(principal, action, resource) when { context.net.ip.v4 };",
        "p.cedar:1:59: unknown attribute `context.net.ip.v4`",
    ),
    (
        "permit(principal, action, resource) when { context has session };",
        "p.cedar:1:56: unknown attribute `context.session` \
             (there are: agent, agent_ref, auth, credential, net, time, user_risk, device_compliant, args)",
    ),
    (
        "permit(principal, action, resource) when { principal.email == \"x\" };",
        "p.cedar:1:54: unknown attribute `principal.email` (there are: id, issuer)",
    ),
    (
        "permit(principal, action, resource) when { context == {} };",
        "p.cedar:1:44: `context` can only be used with an attribute",
    ),
    (
        "@advise(\"x\") permit(principal, action, resource);",
        "p.cedar:1:1: unknown annotation `@advise` (there are: id, reason, require, acr, max_age)",
    ),
    (
        "@require(\"step_up\") @acr(\"x\") permit(principal, action, resource);",
        "p.cedar:1:1: this annotation is for forbids only",
    ),
    (
        "@require(\"approval\") forbid(principal, action, resource);",
        "p.cedar:1:1: unknown requirement (there are: step_up)",
    ),
    (
        "@require(\"step_up\") forbid(principal, action, resource);",
        "p.cedar:1:1: `@require(\"step_up\")` needs `@acr` or `@max_age`",
    ),
    (
        "@acr(\"x\") forbid(principal, action, resource);",
        "p.cedar:1:1: `@acr` and `@max_age` need `@require(\"step_up\")`",
    ),
    (
        "@require(\"step_up\") @max_age(\"5m\") @acr(\"x\") forbid(principal, action, resource);",
        "p.cedar:1:21: `@max_age` must be a number of seconds",
    ),
    (
        "@require(\"step_up\") @acr(\"a b\") forbid(principal, action, resource);",
        "p.cedar:1:21: `@acr` must be one word of plain ASCII without quotes",
    ),
    (
        "@id(\"\") permit(principal, action, resource);",
        "p.cedar:1:1: `@id` must be 1 to 200 bytes without control characters",
    ),
    (
        "permit(principal == ?principal, action, resource);",
        "p.cedar:1:1: templates are not supported (write the policy out for each principal or resource)",
    ),
    (
        "permit(principal in AgentGroup::\"ci\", action, resource);",
        "p.cedar:1:21: the principal is never an agent \
             (the principal is the user; for agents write `when { context.agent_ref in … }`)",
    ),
    (
        "permit(principal == Group::\"eng\", action, resource);",
        "p.cedar:1:8: the principal is never a group itself (write `principal in Group::…`)",
    ),
    (
        "permit(principal is Group, action, resource);",
        "p.cedar:1:8: the principal is always a `User` (write `principal is User`)",
    ),
    (
        "permit(principal, action, resource == Class::\"read\");",
        "p.cedar:1:27: the resource is never a class or label itself (write `resource in …`)",
    ),
    (
        "permit(principal, action, resource in Class::\"red\");",
        "p.cedar:1:39: `Class::\"red\"` cannot exist (classes are read, query, update, admin)",
    ),
    (
        "permit(principal, action, resource == Tool::\"get\");",
        "p.cedar:1:39: `Tool::\"get\"` cannot exist (the id is \"<server>/<name>\")",
    ),
    (
        "permit(principal, action, resource in Server::\"a/b\");",
        "p.cedar:1:39: `Server::\"a/b\"` cannot exist (the id is the server's name in the configuration)",
    ),
    (
        "permit(principal, action, resource is Group);",
        "p.cedar:1:27: the resource is never of this type (resources are `Tool`, `Resource`, `Prompt` or `Server`)",
    ),
    (
        "permit(principal, action in Action::\"call_tool\", resource == Server::\"jira\");",
        "p.cedar:1:50: the action is never about this kind of resource \
             (`resource == Server::…` is only for server actions; write `resource in Server::…`)",
    ),
    (
        "permit(principal, action in Action::\"get_prompt\", resource in Class::\"read\");",
        "p.cedar:1:51: the action is never about this kind of resource",
    ),
    (
        "permit(principal, action == Action::\"list_tool\", resource);",
        "p.cedar:1:38: a permit on a list action has no effect \
             (lists show what could be used; only a forbid on this action means something)",
    ),
    (
        "permit(principal, action, resource) when { context.net.ip == ip(\"::ffff:10.0.0.1\") };",
        "p.cedar:1:66: `::ffff:10.0.0.1` is not a value of its type (write 10.0.0.0/8 or 2001:db8::/32; IPv4 inside IPv6 is seen as IPv4)",
    ),
    (
        "permit(principal, action, resource) when { context.args.n == decimal(\"1.00001\") };",
        "p.cedar:1:71: `1.00001` is not a value of its type (write 12.34, at most four digits after the point)",
    ),
    (
        "permit(principal, action, resource) when { context.args.o is Usr };",
        "p.cedar:1:62: unknown entity type `Usr` (did you mean `User`?)",
    ),
    (
        "permit(principal, action, resource) when { principal.hasTag(\"x\") };",
        "p.cedar:1:57: no entity has tags",
    ),
];

#[test]
fn every_mistake_is_told_with_place_and_hint() {
    for (text, expected) in MISTAKES {
        assert_eq!(error(text), *expected, "{text}");
    }
}

#[test]
fn every_mistake_of_every_file_is_told_at_once() {
    let one = (
        "a.cedar".to_owned(),
        "permit(principal in Grop::\"a\", action in Action::\"x\", resource);".to_owned(),
    );
    let two = ("b.cedar".to_owned(), "// permit(principal,\n\npermit(".to_owned());
    let told = PolicySet::load(&[one, two]).unwrap_err();
    let places: Vec<_> = told.iter().map(|error| (error.file.as_str(), error.line)).collect();
    assert_eq!(places, [("a.cedar", 1), ("a.cedar", 1), ("b.cedar", 3)]);
}

#[test]
fn an_id_may_be_used_once_across_all_files() {
    let policy = "@id(\"x\") permit(principal, action, resource);".to_owned();
    let files = [
        ("a.cedar".to_owned(), policy.clone()),
        ("b.cedar".to_owned(), format!("\n {policy}")),
    ];
    let told = PolicySet::load(&files).unwrap_err();
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].to_string(),
        "b.cedar:2:2: policy id `x` is used twice (every policy needs its own `@id`)"
    );
}

#[test]
fn a_policy_without_id_is_called_by_file_and_number() {
    let set = load(
        "permit(principal, action, resource);\n// c\n@id(\"x\") forbid(principal, action, resource); permit(principal, action, resource);",
    );
    let ids: Vec<_> = set.notes.keys().map(|id| &**id).collect();
    assert_eq!(ids, ["test.cedar#1", "test.cedar#3", "x"]);
    assert_eq!(set.len(), 3);
}

#[test]
fn conditions_nested_beyond_the_limit_are_refused() {
    let deep = |count: usize| {
        let condition = vec!["context.args.a == 1"; count].join(" || ");
        format!("permit(principal, action, resource) when {{ {condition} }};")
    };
    assert!(PolicySet::load(&[("p".to_owned(), deep(limits::POLICY_EXPRESSION_DEPTH_MAX))]).is_ok());
    assert!(error(&deep(limits::POLICY_EXPRESSION_DEPTH_MAX + 2)).contains("expression is not supported"));
}

#[test]
fn servers_that_nobody_configured_are_told() {
    let set = load(
        r#"permit(principal, action, resource in Server::"jria"); permit(principal, action == Action::"leger/x", resource);
        permit(principal, action, resource == Tool::"jira/x");"#,
    );
    assert_eq!(set.unknown_servers(&catalog()), ["jria", "leger"]);
}

#[test]
fn the_examples_of_the_reference_load() {
    let reference = include_str!("../../../../docs/policy-reference.md");
    let examples: Vec<_> = reference
        .split("```cedar\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        load(example);
    }
}
