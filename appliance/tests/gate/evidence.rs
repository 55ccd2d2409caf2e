//! What the audit says about requests that end in no ordinary way.

use std::io::Write;
use std::sync::{Mutex, mpsc};

use serde_json::{Value, json};

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, Upstream, modern_call, modern_headers};

fn headers() -> String {
    let issuer = Issuer::new();
    let user = issuer.user("ada", "clerk-bot", &["clerks"]);
    modern_headers(&issuer.agent("clerk-bot"), &user, "tools/call", "read")
}

fn of_kind<'r>(audit: &'r [Value], kind: &str) -> Vec<&'r Value> {
    audit.iter().filter(|record| record["kind"] == kind).collect()
}

#[test]
fn a_call_that_is_cut_when_the_gate_stops_has_its_outcome_in_the_audit() {
    let (arrive, arrived) = mpsc::channel::<()>();
    let (never, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let upstream = Upstream::with(move |_| {
        arrive.send(()).unwrap();
        // Until the test ends.
        let _gone = released.lock().unwrap().recv();
        Vec::new()
    });
    let short = "[limits]\ndrain_timeout = \"1s\"";
    let mut gate = Gate::start_with(&upstream, PERMIT_CLERKS, &Issuer::new().jwks(), short);
    let body = modern_call(1, "read", &json!({}));
    let head = format!(
        "POST /town/mcp HTTP/1.1\r\nhost: {}\r\n{}content-length: {}\r\n\r\n",
        gate.address,
        headers(),
        body.len()
    );
    let mut stream = gate.connect();
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    arrived.recv().unwrap();
    assert!(gate.stop().success());
    drop(never);

    let audit = gate.audit();
    let (intents, outcomes) = (of_kind(&audit, "intent"), of_kind(&audit, "outcome"));
    assert_eq!((intents.len(), outcomes.len()), (1, 1), "{audit:#?}");
    assert_eq!(outcomes[0]["result"], "gate_stopped");
    assert_eq!(intents[0]["request"], outcomes[0]["request"]);
}
