//! Arguments as policies see them: exact numbers, no magic names, bounded size.

use super::support::ALL;
use super::support::call;
use super::support::denial;
use super::support::permits;
use crate::limits;
use crate::policy::DenyReason;

fn holds(condition: &str, arguments: &str) -> bool {
    permits(&call(
        &format!("permit(principal, action, resource) when {{ {condition} }};"),
        arguments,
    ))
}

#[test]
fn an_integer_is_a_long_however_it_is_written() {
    for text in ["10", "10.0", "1e1", "100e-1"] {
        assert!(holds("context.args.n == 10", &format!(r#"{{"n":{text}}}"#)), "{text}");
    }
}

#[test]
fn a_fraction_is_an_exact_decimal() {
    assert!(holds("context.args.n == decimal(\"1.5\")", r#"{"n":1.50}"#));
    assert!(holds("context.args.n.lessThan(decimal(\"2.0002\"))", r#"{"n":2.0001}"#));
}

#[test]
fn a_number_that_would_be_rounded_is_present_and_comparable_to_nothing() {
    for text in [
        "2.00005",
        "0.00004",
        "1e300",
        "9223372036854775808",
        "18446744073709551615",
    ] {
        let arguments = format!(r#"{{"n":{text}}}"#);
        assert!(holds("context.args has n", &arguments), "{text}");
        assert!(
            !holds("context.args.n == 2 || context.args.n == 0", &arguments),
            "{text}"
        );
        let denied = format!("{ALL} forbid(principal, action, resource) when {{ context.args.n > 100 }};");
        assert_eq!(
            denial(call(&denied, &arguments)).reason,
            DenyReason::ForbidFailed,
            "{text}"
        );
        let permit = "permit(principal, action, resource) when { context.args.n <= 100 };";
        assert!(!permits(&call(permit, &arguments)), "{text}");
    }
}

#[test]
fn null_is_absent_and_nested_values_keep_their_shape() {
    assert!(!holds("context.args has n", r#"{"n":null}"#));
    assert!(!holds("context.args has a.n", r#"{"a":{"n":null}}"#));
    assert!(holds(
        "context.args has a.b && context.args.a.b.contains(true)",
        r#"{"a":{"b":[true,null]}}"#
    ));
    assert!(holds(
        "context.args.a == {b: [{c: \"d\"}]}",
        r#"{"a":{"b":[{"c":"d"}]}}"#
    ));
}

#[test]
fn member_names_have_no_magic() {
    let owned = "context.args.owner == principal";
    assert!(!holds(owned, r#"{"owner":{"__entity":{"type":"User","id":"alice"}}}"#));
    assert!(!holds(
        "context.args.owner in Group::\"eng\"",
        r#"{"owner":{"__entity":{"type":"User","id":"alice"}}}"#
    ));
    let ranged = "context.args.ip.isInRange(ip(\"10.0.0.0/8\"))";
    assert!(!holds(ranged, r#"{"ip":{"__extn":{"fn":"ip","arg":"10.0.0.1"}}}"#));
    assert!(!holds("context.args.n == 1", r#"{"n":{"__expr":"1"}}"#));
    assert!(holds(
        "context.args.owner has \"__entity\"",
        r#"{"owner":{"__entity":{}}}"#
    ));
    let forbid = format!("{ALL} forbid(principal, action, resource) when {{ context.args has secret }};");
    let unknown = r#"{"x":{"__extn":{"fn":"unknown","arg":"y"}},"secret":1}"#;
    assert_eq!(denial(call(&forbid, unknown)).reason, DenyReason::Forbidden);
    assert!(permits(&call(&forbid, &unknown.replace("secret", "public"))));
}

#[test]
fn an_unrepresentable_number_is_no_entity_that_a_policy_can_name() {
    assert!(!holds(
        "context.args.n == User::\"1e300\" || context.args.n in Group::\"1e300\"",
        r#"{"n":1e300}"#
    ));
}

#[test]
fn arguments_beyond_the_limits_are_denied_where_a_policy_looks_at_them() {
    let looks = format!("{ALL} permit(principal, action, resource) when {{ context.args has x }};");
    let depth = limits::POLICY_ARGUMENT_DEPTH_MAX;
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(permits(&call(&looks, &nested(depth))));
    assert_eq!(denial(call(&looks, &nested(depth + 1))).reason, DenyReason::Unevaluable);
    let many = |count: usize| format!("{{\"a\":[{}1]}}", "1,".repeat(count - 1));
    assert!(permits(&call(&looks, &many(limits::POLICY_ARGUMENT_VALUES_MAX - 2))));
    assert_eq!(
        denial(call(&looks, &many(limits::POLICY_ARGUMENT_VALUES_MAX - 1))).reason,
        DenyReason::Unevaluable
    );
    assert!(permits(&call(ALL, &nested(depth + 1))));
    assert_eq!(denial(call(&looks, "[1]")).reason, DenyReason::Unevaluable);
}
