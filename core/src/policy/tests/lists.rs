//! What a list shows: what could be used with some arguments, and not what a list action forbids.

use super::support::ALL;
use super::support::lists;
use crate::policy::Action;

const CREATE: Action<'static> = Action::CallTool { name: "create_issue" };

#[test]
fn a_list_shows_what_some_arguments_could_make_usable() {
    for (text, expected) in [
        ("", false),
        (ALL, true),
        (
            "permit(principal, action, resource) when { context.args.project == \"X\" };",
            true,
        ),
        (
            "permit(principal, action, resource) when { context.args.project == \"X\" && !context.net.tls };",
            false,
        ),
        (
            "permit(principal in Group::\"sales\", action, resource) when { context.args has a };",
            false,
        ),
        (
            "permit(principal, action, resource) unless { context.args has a || context.net.tls };",
            false,
        ),
        (
            "permit(principal, action, resource) when { context.auth.acr == \"x\" };",
            false,
        ),
        (
            "permit(principal, action == Action::\"jira/get_issue\", resource);",
            false,
        ),
        (
            "permit(principal, action in Action::\"read_resource\", resource);",
            false,
        ),
    ] {
        assert_eq!(lists(text, "jira", CREATE), expected, "{text}");
    }
}

#[test]
fn a_forbid_hides_unless_it_turns_on_arguments_or_a_requirement() {
    for (forbid, expected) in [
        ("forbid(principal, action, resource);", false),
        (
            "forbid(principal, action in Action::\"class:update\", resource);",
            false,
        ),
        ("forbid(principal, action in Action::\"class:read\", resource);", true),
        ("forbid(principal, action, resource) when { context.args.n > 1 };", true),
        (
            "forbid(principal, action, resource) when { context.auth.acr == \"x\" };",
            false,
        ),
        (
            "@require(\"step_up\") @max_age(\"5\") forbid(principal, action, resource);",
            true,
        ),
        (
            "forbid(principal, action == Action::\"list_tool\", resource == Tool::\"jira/create_issue\");",
            false,
        ),
        (
            "forbid(principal, action == Action::\"list_tool\", resource == Tool::\"jira/get_issue\");",
            true,
        ),
        (
            "forbid(principal, action, resource) when { action == Action::\"list_tool\" };",
            false,
        ),
        ("forbid(principal, action == Action::\"list_prompt\", resource);", true),
    ] {
        assert_eq!(lists(&format!("{ALL} {forbid}"), "jira", CREATE), expected, "{forbid}");
    }
}

#[test]
fn prompts_resources_and_templates_are_listed_by_the_right_to_use_them() {
    let text = r#"permit(principal, action in Action::"read_resource", resource in Server::"jira")
        when { resource.uri like "file:///srv/*" };
        permit(principal, action == Action::"get_prompt", resource == Prompt::"jira/p") when { context.args.a == "1" };
        forbid(principal, action == Action::"list_resource", resource) when { resource.uri like "*secret*" };"#;
    let shown = |action| lists(text, "jira", action);
    assert!(shown(Action::ReadResource { uri: "file:///srv/a" }));
    assert!(shown(Action::ReadResource {
        uri: "file:///srv/{path}"
    }));
    assert!(!shown(Action::ReadResource {
        uri: "file:///srv/secret"
    }));
    assert!(!shown(Action::ReadResource { uri: "file:///etc/a" }));
    assert!(shown(Action::GetPrompt { name: "p" }));
    assert!(!shown(Action::GetPrompt { name: "q" }));
    assert!(!shown(Action::CallTool { name: "p" }));
    assert!(!shown(Action::Session));
}
