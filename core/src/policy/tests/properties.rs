//! Properties over generated policies and arguments, with the whole set and Cedar itself as references.

use proptest::prelude::*;

use super::super::context::Question;
use super::super::context::context;
use super::super::set::PolicySet;
use super::support::Site;
use super::support::catalog;
use super::support::load;
use crate::policy::Action;
use crate::policy::Decision;
use crate::policy::decide;
use crate::policy::listable;

fn scope() -> impl Strategy<Value = String> {
    let principal = prop::sample::select(vec![
        "principal",
        "principal == User::\"alice\"",
        "principal in Group::\"eng\"",
        "principal in Group::\"sales\"",
        "principal is User in Group::\"staff\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action in Action::\"call_tool\"",
        "action in Action::\"class:read\"",
        "action in [Action::\"class:update\", Action::\"class:admin\"]",
        "action == Action::\"jira/create_issue\"",
        "action in [Action::\"jira/create_issue\", Action::\"ledger/read\"]",
        "action in Action::\"read_resource\"",
        "action == Action::\"session\"",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource in Server::\"jira\"",
        "resource in Server::\"ledger\"",
        "resource is Tool",
        "resource is Tool in Server::\"jira\"",
    ]);
    (principal, action, resource).prop_map(|(principal, action, resource)| {
        // A scope that nothing can match is refused at load.
        let about_tools = !action.contains("read_resource") && !action.contains("session");
        let resource = if about_tools {
            resource.to_owned()
        } else {
            resource.replace(" is Tool", "")
        };
        format!("{principal}, {action}, {resource}")
    })
}

fn atom() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "context.args.a == 1",
        "context.args.a > 1",
        "context.args has b",
        "context.args.b like \"x*\"",
        "context.args has b.c",
        "context.args.s.contains(1)",
        "context.net.tls",
        "context.auth.acr == \"x\"",
        "context.agent_ref in AgentGroup::\"ci\"",
        "context.agent_ref in AgentGroup::\"prod\"",
        "resource.server == \"jira\"",
        "resource.name like \"get*\"",
        "action in Action::\"class:read\"",
        "principal.id == \"alice\"",
    ])
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = atom().prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} || {right})")),
            inner.clone().prop_map(|inner| format!("!({inner})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
        ]
    })
}

fn policy() -> impl Strategy<Value = String> {
    let effect = prop::sample::select(vec!["permit", "permit", "permit", "forbid"]);
    let clause = prop::sample::select(vec!["when", "unless"]);
    let clauses = prop::collection::vec(
        (clause, condition()).prop_map(|(word, body)| format!(" {word} {{ {body} }}")),
        0..3,
    );
    (effect, scope(), clauses).prop_map(|(effect, scope, clauses)| format!("{effect}({scope}){};", clauses.concat()))
}

fn arguments() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1",
        "2",
        "0",
        "1.5",
        "1e300",
        "null",
        "true",
        "\"x\"",
        "\"xyz\"",
        "\"\"",
        "{}",
        "[]",
        "-9223372036854775808",
    ])
    .prop_map(str::to_owned);
    let value = leaf.prop_recursive(3, 12, 3, |inner| {
        let name = prop::sample::select(vec![
            "a", "b", "c", "__entity", "__extn", "__expr", "fn", "arg", "type", "id",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map(name, inner, 0..3).prop_map(|members| object(&members)),
        ]
    });
    let name = prop::sample::select(vec!["a", "b", "s", "x"]);
    prop::collection::btree_map(name, value, 0..4).prop_map(|members| object(&members))
}

fn object(members: &std::collections::BTreeMap<&str, String>) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn action() -> impl Strategy<Value = Action<'static>> {
    prop::sample::select(vec![
        Action::CallTool { name: "create_issue" },
        Action::CallTool { name: "get_issue" },
        Action::CallTool { name: "read" },
        Action::CallTool { name: "unlisted" },
        Action::ReadResource { uri: "file:///a" },
        Action::Sampling,
    ])
}

fn server() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["jira", "ledger"])
}

/// Decision and policies, comparable.
fn outcome(decision: Decision) -> (bool, Vec<String>, Vec<String>) {
    let texts = |ids: &[crate::policy::PolicyId]| ids.iter().map(ToString::to_string).collect();
    match decision {
        Decision::Permit(permit) => (true, texts(permit.policies()), texts(permit.failed())),
        Decision::Deny(denial) => (false, texts(&denial.policies), texts(&denial.failed)),
    }
}

/// What the official authorizer says of the whole set, each policy asked alone, under this gate's rule for errors.
fn reference(policies: &[String], set: &PolicySet, server: &str, action: Action<'_>, arguments: &str) -> bool {
    Site::new().with(server, action, Some(arguments), |request| {
        let question = Question::new(&set.names, &catalog(), request, None).unwrap();
        let asked = question
            .request(context(&set.names, request, request.arguments).unwrap())
            .unwrap();
        let mut permitted = false;
        for text in policies {
            let alone: cedar_policy::PolicySet = text.parse().unwrap();
            let effect = alone.policies().next().unwrap().effect();
            let response = cedar_policy::Authorizer::new().is_authorized(&asked, &alone, &question.entities);
            let satisfied = response.diagnostics().reason().next().is_some();
            let failed = response.diagnostics().errors().next().is_some();
            match effect {
                cedar_policy::Effect::Forbid if satisfied || failed => return false,
                cedar_policy::Effect::Permit if satisfied => permitted = true,
                _ => {}
            }
        }
        permitted
    })
}

/// The policies with ids that stay when their order changes.
fn numbered(policies: &[String]) -> Vec<String> {
    policies
        .iter()
        .enumerate()
        .map(|(number, text)| format!("@id(\"{number}\") {text}"))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn the_buckets_decide_as_the_whole_set_does(
        policies in prop::collection::vec(policy(), 0..8), server in server(), action in action(), arguments in arguments(),
    ) {
        let set = load(&numbered(&policies).join("\n"));
        let decided = outcome(Site::new().decide(&set, server, action, &arguments)).0;
        prop_assert_eq!(decided, reference(&policies, &set, server, action, &arguments));
    }

    #[test]
    fn the_order_of_policies_changes_nothing(
        policies in prop::collection::vec(policy(), 0..6).prop_shuffle(), action in action(), arguments in arguments(),
    ) {
        let policies = numbered(&policies);
        let reversed: Vec<_> = policies.iter().rev().cloned().collect();
        let decide = |policies: &[String]| outcome(Site::new().decide(&load(&policies.join("\n")), "jira", action, &arguments));
        prop_assert_eq!(decide(&policies), decide(&reversed));
    }

    #[test]
    fn the_empty_set_never_permits(server in server(), action in action(), arguments in arguments()) {
        prop_assert!(!outcome(Site::new().decide(&PolicySet::empty(), server, action, &arguments)).0);
    }

    #[test]
    fn a_list_never_hides_what_can_be_called_and_a_session_is_open_to_its_caller(
        policies in prop::collection::vec(policy(), 0..6), server in server(), action in action(), arguments in arguments(),
    ) {
        let set = load(&policies.join("\n"));
        let site = Site::new();
        if outcome(site.decide(&set, server, action, &arguments)).0 && action != Action::Sampling {
            prop_assert!(site.with(server, action, None, |request| listable(&set, &catalog(), request)));
        }
        let permits = policies.iter().filter(|text| text.starts_with("permit")).cloned().collect::<Vec<_>>().join("\n");
        let set = load(&permits);
        if outcome(site.decide(&set, server, action, &arguments)).0 {
            let connected = outcome(site.decide(&set, server, Action::Session, "{}")).0;
            prop_assert!(connected);
        }
    }

    #[test]
    fn cedar_escapes_in_arguments_never_change_a_decision(
        policies in prop::collection::vec(policy(), 0..6), arguments in arguments(),
        escape in prop::sample::select(vec![
            r#"{"__entity":{"type":"User","id":"alice"}}"#,
            r#"{"__extn":{"fn":"ip","arg":"10.0.0.1"}}"#,
            r#"{"__extn":{"fn":"unknown","arg":"x"}}"#,
            r#"{"__expr":"principal"}"#,
        ]),
    ) {
        let set = load(&numbered(&policies).join("\n"));
        let with = |extra: &str| {
            let comma = if arguments == "{}" { "" } else { "," };
            let arguments = format!("{{\"extra\":{extra}{comma}{}", &arguments[1..]);
            let decision = Site::new().with("jira", Action::CallTool { name: "create_issue" }, Some(&arguments), |request| {
                decide(&set, &catalog(), request)
            });
            outcome(decision)
        };
        prop_assert_eq!(with(escape), with("{}"));
    }
}
