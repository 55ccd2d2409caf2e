//! The MCP servers that stand behind the gate in these tests.

use std::process::Command;

use crate::child::Running;
use crate::peers::{node, python_server, rmcp};

/// The fixture on the TypeScript SDK.
pub(crate) fn typescript() -> Running {
    Running::start(&mut node("src/server.ts"))
}

/// The fixture on rmcp.
pub(crate) fn on_rmcp() -> Running {
    Running::start(&mut Command::new(rmcp("portreeve-fixture-rmcp")))
}

/// The small server on the Python SDK.
pub(crate) fn python() -> Running {
    Running::start(&mut python_server())
}

/// The official demonstration server, which speaks the legacy era only.
pub(crate) fn everything() -> Running {
    // It takes its port from the environment and prints no URL: the wrapper finds a free one and announces it.
    Running::start(&mut node("src/server-everything.ts"))
}
