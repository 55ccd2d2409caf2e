//! The official conformance suite through the gate gives what it gives without it: every check as often, with the same
//! outcome. The fixtures fail nothing by themselves, so that the gate can neither hide nor mend a failure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::child::Running;
use crate::gate::{Behind, Gate};
use crate::peers::{Plan, node};
use crate::upstreams;

/// The revisions the suite is run for.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// How often each check of a scenario came out how.
type Checks = BTreeMap<(String, String), usize>;

/// One run of the suite.
struct Report {
    scenarios: BTreeMap<String, Checks>,
    /// Why checks failed, for the reader of a failed test.
    complaints: Vec<String>,
    /// Whether the suite found no scored failure.
    passed: bool,
}

#[test]
fn typescript_server_passes_the_same_checks_behind_the_gate() {
    compare(&upstreams::typescript(), [84, 196]);
}

#[test]
fn rmcp_server_passes_the_same_checks_behind_the_gate() {
    compare(&upstreams::on_rmcp(), [83, 197]);
}

/// `passes` is how many checks the fixture passes at least, by revision.
fn compare(upstream: &Running, passes: [usize; 2]) {
    let behind = Behind {
        name: "fixture",
        url: upstream.url(),
        era: "dual",
        forbidden: "test_forbidden",
        region: Some("test_header_region"),
    };
    let gate = Gate::start(&[behind]);
    // The suite cannot add headers.
    let plan = Plan::write(&json!({
        "url": gate.url("fixture"), "headers": gate.headers(), "mode": "auto", "steps": [],
    }));
    let shim = Running::start(node("src/shim.ts").arg(plan.path()));
    for (revision, passes) in REVISIONS.into_iter().zip(passes) {
        let direct = run(upstream.url(), revision);
        assert!(
            direct.passed && direct.count("FAILURE") == 0 && direct.count("SUCCESS") >= passes,
            "the fixture itself has {} of {passes} for {revision}: {:#?}",
            direct.counts(),
            direct.complaints
        );
        let gated = run(shim.url(), revision);
        println!(
            "{revision}: {} direct, {} through the gate",
            direct.counts(),
            gated.counts()
        );
        let difference = difference(&direct, &gated);
        assert!(
            difference.is_empty() && gated.passed,
            "{revision} through the gate differs:\n{difference}{:#?}",
            gated.complaints
        );
    }
}

fn run(url: &str, revision: &str) -> Report {
    let results = tempfile::tempdir().expect("a temporary folder");
    let mut suite = node("node_modules/@modelcontextprotocol/conformance/dist/index.js");
    suite
        .args(["server", "--url", url, "--requirements", revision, "-o"])
        .arg(results.path());
    let output = suite.output().expect("the suite runs");
    let mut report = Report {
        scenarios: BTreeMap::new(),
        complaints: Vec::new(),
        passed: output.status.success(),
    };
    for entry in fs::read_dir(results.path()).expect("the suite wrote results") {
        let folder = entry.expect("a readable folder").path();
        report.read(&folder);
    }
    assert!(
        !report.scenarios.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    report
}

impl Report {
    /// How many checks came out as `wanted`.
    fn count(&self, wanted: &str) -> usize {
        let all = self.scenarios.values().flatten();
        all.filter(|((_, status), _)| status == wanted)
            .map(|(_, count)| count)
            .sum()
    }

    fn counts(&self) -> String {
        format!("{} passed and {} failed", self.count("SUCCESS"), self.count("FAILURE"))
    }

    /// Reads one scenario's results from its folder, named `server-SCENARIO-TIMESTAMP`.
    fn read(&mut self, folder: &Path) {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a UTF-8 name");
        let scenario = name.split_once("-20").map_or(name, |(before, _)| before).to_owned();
        let text = fs::read_to_string(folder.join("checks.json")).expect("the scenario's checks");
        let checks: Vec<Value> = serde_json::from_str(&text).expect("a list of checks");
        let outcomes = self.scenarios.entry(scenario.clone()).or_default();
        for check in &checks {
            let field = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
            let (id, status) = (field("id"), field("status"));
            if status == "FAILURE" {
                self.complaints
                    .push(format!("{scenario} {id}: {}", field("errorMessage")));
            }
            *outcomes.entry((id, status)).or_default() += 1;
        }
    }
}

/// The checks that did not come out the same, one a line; empty when all did.
fn difference(direct: &Report, gated: &Report) -> String {
    let flat = |report: &Report| -> BTreeMap<(String, String, String), usize> {
        let scenarios = report.scenarios.iter();
        scenarios
            .flat_map(|(name, checks)| {
                let named = |((id, status), count): (&(String, String), &usize)| {
                    ((name.clone(), id.clone(), status.clone()), *count)
                };
                checks.iter().map(named)
            })
            .collect()
    };
    let (direct, gated) = (flat(direct), flat(gated));
    let mut lines = String::new();
    for (check, count) in direct.iter().filter(|(check, count)| gated.get(*check) != Some(count)) {
        writeln!(lines, "  - {check:?} x{count}, direct only").expect("a string takes all");
    }
    for (check, count) in gated.iter().filter(|(check, count)| direct.get(*check) != Some(count)) {
        writeln!(lines, "  + {check:?} x{count}, through the gate only").expect("a string takes all");
    }
    lines
}
