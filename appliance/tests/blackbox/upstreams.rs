//! The MCP servers that stand behind the gate in these tests.

use std::process::Command;

use crate::child::Running;
use crate::peers::{node, rmcp};

/// The fixture on the TypeScript SDK.
pub(crate) fn typescript() -> Running {
    Running::start(&mut node("src/server.ts"))
}

/// The fixture on rmcp.
pub(crate) fn on_rmcp() -> Running {
    Running::start(&mut Command::new(rmcp("portreeve-fixture-rmcp")))
}
