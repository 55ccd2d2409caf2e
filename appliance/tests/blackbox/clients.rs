//! Every official client, in every mode it has: connects, lists, calls, is denied and goes on, answers the server's
//! questions, sees progress, cancels.

use serde_json::{Value, json};

use crate::child::Running;
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

fn play_directly(upstream: &Running) {
    for (driver, mode, version, asks) in CLIENTS {
        let mut steps = vec![json!({ "step": "connect", "expect": version })];
        steps.push(json!({ "step": "list", "has": ["test_simple_text", "test_forbidden"] }));
        steps.extend(work(asks, &format!("{driver:?} {mode}")));
        driver.play(mode, upstream.url(), &Headers::new(), &steps);
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
