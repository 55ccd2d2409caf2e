//! Every official client works through the gate in every mode it has: connects, lists, calls, is denied and goes on,
//! answers the server's questions, sees progress, cancels.

use serde_json::{Value, json};

use crate::child::Running;
use crate::gate::{Behind, Gate};
use crate::peers::{Driver, Headers};
use crate::upstreams;

/// Which server-to-client questions a connection can carry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// Requests on a stream (legacy).
    Requests,
    /// Input-required results (modern).
    Rounds,
    /// The client cannot answer, nor cancel.
    Nothing,
}

/// Each mode of each client: the driver, its mode, the version it ends up with, how servers ask it.
const CLIENTS: [(Driver, &str, &str, Asks); 14] = [
    (Driver::TypeScript, "auto", "2026-07-28", Asks::Rounds),
    (Driver::TypeScript, "legacy", "2025-11-25", Asks::Requests),
    (Driver::TypeScript, "2026-07-28", "2026-07-28", Asks::Rounds),
    (Driver::TypeScriptV1, "legacy", "2025-11-25", Asks::Requests),
    (Driver::Python, "auto", "2026-07-28", Asks::Rounds),
    (Driver::Python, "legacy", "2025-11-25", Asks::Requests),
    (Driver::Python, "2026-07-28", "2026-07-28", Asks::Rounds),
    (Driver::PythonV1, "legacy", "2025-11-25", Asks::Requests),
    (Driver::Rmcp, "auto", "2026-07-28", Asks::Rounds),
    (Driver::Rmcp, "legacy", "2025-11-25", Asks::Requests),
    (Driver::Rmcp, "2026-07-28", "2026-07-28", Asks::Rounds),
    (Driver::Inspector, "auto", "auto", Asks::Nothing),
    (Driver::Inspector, "legacy", "legacy", Asks::Nothing),
    (Driver::Inspector, "modern", "modern", Asks::Nothing),
];

#[test]
fn clients_and_typescript_server_agree_without_the_gate() {
    play_directly(&upstreams::typescript());
}

#[test]
fn clients_and_rmcp_server_agree_without_the_gate() {
    play_directly(&upstreams::on_rmcp());
}

#[test]
fn clients_reach_the_typescript_server_through_the_gate() {
    play_through_the_gate(&upstreams::typescript());
}

#[test]
fn clients_reach_the_rmcp_server_through_the_gate() {
    play_through_the_gate(&upstreams::on_rmcp());
}

#[test]
fn clients_reach_the_python_server_through_the_gate() {
    let upstream = upstreams::python();
    let behind = Behind {
        name: "python",
        url: upstream.url(),
        era: "dual",
        forbidden: "forbidden",
        region: None,
    };
    let gate = Gate::start(&[behind]);
    let steps = [
        json!({ "step": "connect" }),
        json!({ "step": "list", "has": ["add", "count"], "lacks": ["forbidden"] }),
        json!({ "step": "call", "tool": "add", "arguments": { "left": 2, "right": 3 }, "expect": "5" }),
        json!({ "step": "denied", "tool": "forbidden" }),
        json!({ "step": "progress", "tool": "count", "arguments": { "to": 3 } }),
    ];
    for (driver, mode, _, asks) in CLIENTS {
        let steps = if asks == Asks::Nothing { &steps[..3] } else { &steps[..] };
        driver.play(mode, &gate.url("python"), gate.headers(), steps);
    }
}

#[test]
fn clients_fall_back_to_the_legacy_demonstration_server() {
    let upstream = upstreams::everything();
    let behind = Behind {
        name: "everything",
        url: upstream.url(),
        era: "legacy",
        forbidden: "get-env",
        region: None,
    };
    let gate = Gate::start(&[behind]);
    let steps = [
        json!({ "step": "connect", "expect": "2025-11-25" }),
        json!({ "step": "list", "has": ["echo", "get-sum"], "lacks": ["get-env"] }),
        json!({ "step": "call", "tool": "get-sum", "arguments": { "a": 2, "b": 3 }, "expect": "5" }),
        json!({ "step": "denied", "tool": "get-env" }),
        json!({ "step": "call", "tool": "echo", "arguments": { "message": "still here" }, "expect": "still here" }),
        json!({ "step": "progress", "tool": "trigger-long-running-operation", "arguments": { "duration": 1, "steps": 3 } }),
        json!({ "step": "asked", "tool": "trigger-sampling-request", "arguments": { "prompt": "hi" }, "expect": "sampled" }),
        json!({ "step": "asked", "tool": "trigger-elicitation-request", "expect": "ada" }),
    ];
    for (driver, mode, _, asks) in CLIENTS {
        if asks != Asks::Nothing && mode != "2026-07-28" {
            driver.play(mode, &gate.url("everything"), gate.headers(), &steps);
        }
    }
}

fn play_directly(upstream: &Running) {
    for (driver, mode, version, asks) in CLIENTS {
        let mut steps = vec![json!({ "step": "connect", "expect": version })];
        steps.push(json!({ "step": "list", "has": ["test_simple_text", "test_forbidden"] }));
        steps.extend(work(asks, &format!("{driver:?} {mode}")));
        driver.play(mode, upstream.url(), &Headers::new(), &steps);
    }
}

fn play_through_the_gate(upstream: &Running) {
    let behind = Behind {
        name: "fixture",
        url: upstream.url(),
        era: "dual",
        forbidden: "test_forbidden",
        region: Some("test_header_region"),
    };
    let gate = Gate::start(&[behind]);
    for (driver, mode, version, asks) in CLIENTS {
        let mut steps = vec![json!({ "step": "connect", "expect": version })];
        steps.push(json!({ "step": "list", "has": ["test_simple_text"], "lacks": ["test_forbidden"] }));
        // The Inspector itself refuses a tool that is not listed.
        if asks != Asks::Nothing {
            steps.push(json!({ "step": "denied", "tool": "test_forbidden" }));
        }
        let secret = json!({ "region": "secret" });
        steps.push(json!({ "step": "denied", "tool": "test_header_region", "arguments": secret }));
        steps.extend(work(asks, &format!("{driver:?} {mode}")));
        driver.play(mode, &gate.url("fixture"), gate.headers(), &steps);
    }
}

/// What a client does on a connection that is alive. `token` tells this run's cancellation from all others.
fn work(asks: Asks, token: &str) -> Vec<Value> {
    let simple = json!({ "step": "call", "tool": "test_simple_text", "expect": "simple text" });
    let region = json!({ "region": "north, ünïcode" });
    let mut steps = vec![
        simple.clone(),
        json!({ "step": "call", "tool": "test_header_region", "arguments": region, "expect": "region seen" }),
    ];
    if asks == Asks::Nothing {
        return steps;
    }
    let token = json!({ "token": token });
    let noticed = json!({ "tool": "test_await_cancelled", "arguments": token });
    steps.push(json!({ "step": "progress", "tool": "test_tool_with_progress" }));
    steps.push(json!({ "step": "cancel", "tool": "test_wait_for_cancel", "arguments": token, "then": noticed }));
    steps.push(simple);
    let questions = if asks == Asks::Requests {
        [
            json!({ "step": "asked", "tool": "test_sampling", "arguments": { "prompt": "hi" }, "expect": "sampled" }),
            json!({ "step": "asked", "tool": "test_elicitation", "arguments": { "message": "hi" }, "expect": "ada" }),
        ]
    } else {
        [
            json!({ "step": "asked", "tool": "test_input_required_result_multiple_inputs", "expect": "sampled" }),
            json!({ "step": "asked", "tool": "test_input_required_result_multi_round", "expect": "green" }),
        ]
    };
    steps.extend(questions);
    steps
}
