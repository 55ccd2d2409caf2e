//! Default deny, forbid wins, errors close; the entity shapes; what a denial tells.

use super::support::ALL;
use super::support::Site;
use super::support::call;
use super::support::catalog;
use super::support::denial;
use super::support::load;
use super::support::permits;
use crate::policy::Action;
use crate::policy::Catalog;
use crate::policy::Decision;
use crate::policy::DenyReason;
use crate::policy::PolicySet;
use crate::policy::Requirement;
use crate::policy::decide;
use crate::signals::Risk;
use crate::signals::UserStanding;

#[test]
fn the_empty_set_denies_every_action() {
    let actions = [
        Action::CallTool { name: "get_issue" },
        Action::FollowTask { tool: "get_issue" },
        Action::ReadResource { uri: "u" },
        Action::GetPrompt { name: "p" },
        Action::Elicit,
        Action::Session,
    ];
    for action in actions {
        let denied = denial(Site::new().decide(&PolicySet::empty(), "jira", action, "{}"));
        assert_eq!(denied.reason, DenyReason::NoPermit);
        assert_eq!(
            denied.reason,
            denial(Site::new().decide(&load(""), "jira", action, "{}")).reason
        );
    }
}

#[test]
fn a_server_outside_the_catalog_is_denied_whatever_the_policies_say() {
    let denied = Site::new().decide(&load(ALL), "other", Action::Session, "{}");
    assert_eq!(denial(denied).reason, DenyReason::UnknownServer);
    let denied = Site::new().with("jira", Action::Session, None, |request| {
        decide(&load(ALL), &Catalog::new(), request)
    });
    assert_eq!(denial(denied).reason, DenyReason::UnknownServer);
}

#[test]
fn a_permit_names_server_scope_and_the_policies_that_decided() {
    let text = r#"@id("b") permit(principal, action, resource); @id("a") permit(principal, action, resource);
        @id("broken") permit(principal, action, resource) when { context.args.missing == 1 };"#;
    let Decision::Permit(permit) = call(text, "{}") else {
        panic!("denied")
    };
    assert_eq!((permit.server(), permit.scope()), ("jira", "mcp:tool:create_issue"));
    assert_eq!(
        permit.policies().iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(
        permit.failed().iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        ["broken"]
    );
}

#[test]
fn forbid_wins_and_says_why() {
    let text = format!("{ALL} @id(\"no\") @reason(\"not on Saturdays\") forbid(principal, action, resource);");
    let denied = denial(call(&text, "{}"));
    assert_eq!(denied.reason, DenyReason::Forbidden);
    assert_eq!(denied.policies[0].as_str(), "no");
    assert_eq!(&*denied.explanations[0], "not on Saturdays");
}

#[test]
fn a_forbid_that_errors_denies() {
    for condition in [
        "context.args.missing == 1",
        "context.args.text > 1",
        "context.args has text.deeper",
        "context.args.big + 1 > 0",
        "context.args.object == 1 && context.args.missing",
        "context.auth.acr == \"x\" || context.args.missing == 1",
    ] {
        let text = format!("{ALL} @id(\"f\") forbid(principal, action, resource) when {{ {condition} }};");
        let arguments = r#"{"text":"a","big":9223372036854775807,"object":1}"#;
        let denied = denial(call(&text, arguments));
        assert_eq!(
            (denied.reason, denied.failed.len()),
            (DenyReason::ForbidFailed, 1),
            "{condition}"
        );
    }
}

#[test]
fn a_permit_that_errors_does_not_count_and_is_reported() {
    let denied = denial(call(
        "@id(\"p\") permit(principal, action, resource) when { context.args.n > 1 };",
        "{}",
    ));
    assert_eq!(denied.reason, DenyReason::NoPermit);
    assert_eq!(denied.failed[0].as_str(), "p");
}

#[test]
fn scopes_see_user_groups_server_class_label_and_tool_action() {
    for (scope, expected) in [
        (r#"principal == User::"alice", action, resource"#, true),
        (r#"principal in User::"alice", action, resource"#, true),
        (r#"principal == User::"Alice", action, resource"#, false),
        (r#"principal in Group::"eng", action, resource"#, true),
        (r#"principal in Group::"ci", action, resource"#, false),
        (r#"principal is User in Group::"staff", action, resource"#, true),
        (r#"principal, action in Action::"call_tool", resource"#, true),
        (r#"principal, action in Action::"class:update", resource"#, true),
        (r#"principal, action in Action::"class:read", resource"#, false),
        (r#"principal, action == Action::"jira/create_issue", resource"#, true),
        (r#"principal, action == Action::"ledger/create_issue", resource"#, false),
        (
            r#"principal, action in [Action::"jira/get_issue", Action::"jira/create_issue"], resource"#,
            true,
        ),
        (r#"principal, action == Action::"read_resource", resource"#, false),
        (r#"principal, action, resource == Tool::"jira/create_issue""#, true),
        (r#"principal, action, resource in Server::"jira""#, true),
        (r#"principal, action, resource in Server::"ledger""#, false),
        (r#"principal, action, resource in Class::"update""#, true),
        (r#"principal, action, resource in Label::"public""#, false),
        (r#"principal, action, resource is Tool"#, true),
        (r#"principal, action, resource is Prompt in Server::"jira""#, false),
    ] {
        assert_eq!(permits(&call(&format!("permit({scope});"), "{}")), expected, "{scope}");
    }
}

#[test]
fn conditions_see_the_documented_context() {
    for (condition, expected) in [
        (
            r#"context.agent.id == "builder" && context.agent.subject == "agent-7""#,
            true,
        ),
        (r#"context.agent.issuer == "https://agents.example""#, true),
        (
            r#"context.agent_ref == Agent::"builder" && context.agent_ref in AgentGroup::"ci""#,
            true,
        ),
        (r#"context.agent_ref.subject == "agent-7""#, true),
        (r#"context.agent_ref in AgentGroup::"prod""#, false),
        (
            r#"principal.id == "alice" && principal.issuer == "https://idp.example""#,
            true,
        ),
        (
            r#"context.auth.age == 60 && context.auth.amr.contains("pwd") && context.auth.scopes == ["mcp"]"#,
            true,
        ),
        (r#"context.auth.link == "may_act" && !(context.auth has acr)"#, true),
        (r#"context.auth.binding == "none""#, true),
        (r#"context.net.ip.isInRange(ip("10.0.0.0/8")) && context.net.tls"#, true),
        (r#"context.time.now > datetime("2026-11-21T09:29:59Z")"#, true),
        (r#"context.time.now == datetime("2026-11-21T09:30:00Z")"#, true),
        (
            r#"context.time.weekday == "saturday" && context.time.local_minutes == 570"#,
            true,
        ),
        (
            r#"resource.server == "jira" && resource.name == "create_issue" && resource.class == "update""#,
            true,
        ),
        (r#"resource has uri"#, false),
        (r#"action in Action::"class:update""#, true),
        (r#"context.args == {}"#, true),
    ] {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        assert_eq!(permits(&call(&text, "{}")), expected, "{condition}");
    }
}

#[test]
fn resources_prompts_and_completions_have_their_actions() {
    let decides = |text: &str, action| permits(&Site::new().decide(&load(text), "jira", action, "{}"));
    let reads = r#"permit(principal, action in Action::"read_resource", resource is Resource)
        when { resource.uri like "file:///srv/*" && resource.server == "jira" };"#;
    assert!(decides(reads, Action::ReadResource { uri: "file:///srv/a" }));
    assert!(decides(reads, Action::Subscribe { uri: "file:///srv/a" }));
    assert!(decides(reads, Action::CompleteResource { uri: "file:///srv/{x}" }));
    assert!(!decides(reads, Action::ReadResource { uri: "file:///etc/a" }));
    assert!(!decides(reads, Action::GetPrompt { name: "file:///srv/a" }));
    let prompts = r#"permit(principal, action in Action::"complete", resource == Prompt::"jira/p");"#;
    assert!(decides(prompts, Action::CompletePrompt { name: "p" }));
    assert!(!decides(prompts, Action::GetPrompt { name: "p" }));
    assert!(!decides(prompts, Action::CompletePrompt { name: "q" }));
    let asks = r#"permit(principal, action == Action::"elicit", resource == Server::"jira");"#;
    assert!(decides(asks, Action::Elicit));
    assert!(!decides(asks, Action::Sampling));
    assert!(!decides(
        r#"permit(principal, action in Action::"call_tool", resource);"#,
        Action::SetLogLevel
    ));
}

#[test]
fn whoever_could_use_something_on_a_server_may_connect_to_it() {
    let connects = |text: &str, server| permits(&Site::new().decide(&load(text), server, Action::Session, "{}"));
    let tool = r#"permit(principal in Group::"eng", action == Action::"jira/create_issue", resource)
        when { context.args.project == "X" && context.net.tls };"#;
    assert!(connects(tool, "jira"));
    assert!(!connects(tool, "ledger"));
    assert!(!connects(&tool.replace("eng", "sales"), "jira"));
    assert!(!connects(&tool.replace("context.net.tls", "!context.net.tls"), "jira"));
    let two = r#"permit(principal, action in [Action::"jira/a", Action::"other/b"], resource);"#;
    assert!(connects(two, "jira") && !connects(two, "ledger"));
    assert!(connects(
        r#"permit(principal, action, resource in Label::"public");"#,
        "ledger"
    ));
    let closed = format!(r#"{tool} forbid(principal, action == Action::"session", resource == Server::"jira");"#);
    assert!(!connects(&closed, "jira"));
    let unrelated = format!(r#"{tool} forbid(principal, action in Action::"call_tool", resource);"#);
    assert!(connects(&unrelated, "jira"));
    assert!(connects(
        &format!("{tool} forbid(principal, action, resource) when {{ context.args.x == 1 }};"),
        "jira"
    ));
}

#[test]
fn a_task_may_be_followed_by_whoever_could_call_its_tool() {
    let text = r#"permit(principal, action == Action::"jira/create_issue", resource) when { context.args.a == 1 };"#;
    let follows = |tool| permits(&Site::new().decide(&load(text), "jira", Action::FollowTask { tool }, "{}"));
    assert!(follows("create_issue"));
    assert!(!follows("get_issue"));
}

#[test]
fn a_requirement_is_told_only_if_meeting_it_would_help() {
    let stepped = r#"@id("mfa") @require("step_up") @acr("urn:mfa") @max_age("300")
        forbid(principal, action, resource) unless { context.auth has acr && context.auth.acr == "urn:mfa" };"#;
    let denied = denial(call(&format!("{ALL} {stepped}"), "{}"));
    assert_eq!(denied.reason, DenyReason::RequirementUnmet);
    let Requirement::StepUp { acr, max_age } = &denied.unmet[0].requirement;
    assert_eq!(
        (acr.as_deref(), max_age.map(|age| age.as_secs())),
        (Some("urn:mfa"), Some(300))
    );

    let denied = denial(call(stepped, "{}"));
    assert_eq!((denied.reason, denied.unmet.len()), (DenyReason::Forbidden, 0));
    let denied = denial(call(
        &format!("{ALL} {stepped} forbid(principal, action, resource);"),
        "{}",
    ));
    assert_eq!((denied.reason, denied.unmet.len()), (DenyReason::Forbidden, 0));

    // As it is naturally written, the forbid cannot be evaluated without `acr`: denied, and the same answer.
    let natural = stepped.replace("context.auth has acr && ", "");
    let denied = denial(call(&format!("{ALL} {natural}"), "{}"));
    assert_eq!(
        (denied.reason, denied.unmet.len(), denied.failed.len()),
        (DenyReason::RequirementUnmet, 1, 1)
    );

    let mut site = Site::new();
    site.acr = Some("urn:mfa");
    let broken = load(&format!(
        "{ALL} {}",
        natural.replace("unless", "when { context.args.missing == 1 } unless")
    ));
    let denied = denial(site.decide(&broken, "jira", Action::CallTool { name: "create_issue" }, "{}"));
    assert_eq!(
        (denied.reason, denied.unmet.len()),
        (DenyReason::ForbidFailed, 0),
        "would be asked for again for ever"
    );

    let set = load(&format!("{ALL} {stepped}"));
    assert!(permits(&site.decide(
        &set,
        "jira",
        Action::CallTool { name: "create_issue" },
        "{}"
    )));
}

#[test]
fn an_ipv4_peer_inside_ipv6_is_seen_as_ipv4() {
    let set = load(r#"permit(principal, action, resource) when { context.net.ip.isInRange(ip("10.0.0.0/8")) };"#);
    let site = Site::new();
    for (peer, expected) in [("::ffff:10.1.2.3", true), ("2001:db8::1", false), ("::1", false)] {
        let decision = site.with("jira", Action::CallTool { name: "get_issue" }, None, |request| {
            let mut request = *request;
            request.facts.peer_ip = peer.parse().unwrap();
            decide(&set, &catalog(), &request)
        });
        assert_eq!(permits(&decision), expected, "{peer}");
    }
}

#[test]
fn like_and_sets_behave_as_documented() {
    let condition = |condition: &str, arguments: &str| {
        permits(&call(
            &format!("permit(principal, action, resource) when {{ {condition} }};"),
            arguments,
        ))
    };
    assert!(condition(
        "context.args.p like \"/home/*\"",
        r#"{"p":"/home/../etc/passwd"}"#
    ));
    assert!(condition("context.args.p like \"a*b\"", r#"{"p":"a\nb"}"#));
    assert!(!condition("context.args.p like \"A*\"", r#"{"p":"a"}"#));
    assert!(!condition("context.args.p == \"é\"", r#"{"p":"e\u0301"}"#));
    assert!(condition("context.args.s == [1, 2]", r#"{"s":[2,1,1]}"#));
    assert!(condition("context.args.s.contains(\"a\")", r#"{"s":["a",1,null]}"#));
    assert!(!condition("context.args.n == \"1\"", r#"{"n":1}"#));
    assert!(condition("context.args.n != \"1\"", r#"{"n":1}"#));
}

#[test]
fn what_was_said_of_a_user_is_seen_and_absent_where_nothing_was() {
    let text = r#"permit(principal, action, resource);
        @id("risk") forbid(principal, action, resource) when { context has user_risk && context.user_risk == "high" };
        @id("device") forbid(principal, action, resource)
        when { context has device_compliant && !context.device_compliant };"#;
    let strict = r#"permit(principal, action, resource);
        @id("strict") forbid(principal, action, resource) unless { context.device_compliant };"#;
    let denied_by = |text: &str, risk, device_compliant| {
        let mut site = Site::new();
        site.standing = UserStanding { risk, device_compliant };
        let decision = site.decide(&load(text), "jira", Action::Session, "{}");
        match decision {
            Decision::Permit(_) => Vec::new(),
            Decision::Deny(denial) => denial.policies.iter().map(ToString::to_string).collect(),
        }
    };
    assert!(denied_by(text, None, None).is_empty());
    assert!(denied_by(text, Some(Risk::Medium), Some(true)).is_empty());
    assert_eq!(denied_by(text, Some(Risk::High), None), ["risk"]);
    assert_eq!(denied_by(text, Some(Risk::Low), Some(false)), ["device"]);
    // Without `has`, what is absent is an error, and an error in a forbid denies.
    assert_eq!(denied_by(strict, None, None), ["strict"]);
    assert!(denied_by(strict, None, Some(true)).is_empty());
}
