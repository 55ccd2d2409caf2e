//! The two binaries of this package understand each other in both eras.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; both calls then do nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn server_and_client_agree_in_both_eras() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_portreeve-fixture-rmcp"));
    let mut server = Server(server.stdout(Stdio::piped()).spawn().expect("the server starts"));
    let mut said = String::new();
    let stdout = server.0.stdout.take().expect("stdout was piped");
    BufReader::new(stdout).read_line(&mut said).expect("the server speaks");
    let url = said
        .trim()
        .strip_prefix("listening on ")
        .expect("the server says where it listens");
    for mode in ["legacy", "auto", "2026-07-28"] {
        let plan = json!({ "url": url, "headers": {}, "mode": mode, "steps": [
            { "step": "connect" },
            { "step": "list", "has": ["test_simple_text"] },
            { "step": "call", "tool": "test_simple_text", "expect": "simple text" },
            { "step": "denied", "tool": "no_such_tool" },
        ]});
        let file = std::env::temp_dir().join(format!("portreeve-rmcp-{}-{mode}.json", std::process::id()));
        std::fs::write(&file, plan.to_string()).expect("the plan is written");
        let client = Command::new(env!("CARGO_BIN_EXE_portreeve-fixture-rmcp-client"))
            .arg(&file)
            .output();
        std::fs::remove_file(&file).expect("the plan is removed");
        let client = client.expect("the client starts");
        assert!(
            client.status.success(),
            "{mode}: {}",
            String::from_utf8_lossy(&client.stdout)
        );
    }
}
