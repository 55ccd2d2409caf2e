//! The official conformance suite through the gate gives what it gives without it, check by check. A check that the
//! server fails by itself may come out better behind the gate, which refuses some of what the server should; never worse.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::child::Running;
use crate::gate::{Behind, Gate};
use crate::peers::{Plan, node};
use crate::upstreams;

/// The revisions the suite is run for, and how many scenarios each has at least.
const REVISIONS: [(&str, usize); 2] = [("2025-11-25", 30), ("2026-07-28", 37)];

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
fn typescript_server_is_as_conformant_behind_the_gate() {
    compare(&upstreams::typescript());
}

#[test]
fn rmcp_server_is_as_conformant_behind_the_gate() {
    compare(&upstreams::on_rmcp());
}

fn compare(upstream: &Running) {
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
    for (revision, scenarios) in REVISIONS {
        let direct = run(upstream.url(), revision);
        assert!(
            direct.passed,
            "the fixture itself fails {revision}: {:#?}",
            direct.complaints
        );
        assert!(
            direct.scenarios.len() >= scenarios,
            "{revision} ran {} scenarios",
            direct.scenarios.len()
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
    /// Passed and failed checks.
    fn counts(&self) -> String {
        let count = |wanted: &str| -> usize {
            let all = self.scenarios.values().flatten();
            all.filter(|((_, status), _)| status == wanted)
                .map(|(_, count)| count)
                .sum()
        };
        format!("{} passed and {} failed", count("SUCCESS"), count("FAILURE"))
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

/// Checks without those that fail less often behind the gate and run equally often.
fn not_improved(ours: &Checks, direct: &Checks, gated: &Checks) -> Checks {
    let runs = |checks: &Checks, id: &str| {
        checks
            .iter()
            .filter(|((of, _), _)| of == id)
            .map(|(_, count)| count)
            .sum()
    };
    let failures = |checks: &Checks, id: &str| checks.get(&(id.to_owned(), "FAILURE".to_owned())).copied().unwrap_or(0);
    let same = |id: &str| {
        let (before, after): (usize, usize) = (runs(direct, id), runs(gated, id));
        before != after || failures(gated, id) >= failures(direct, id)
    };
    ours.iter()
        .filter(|((id, _), _)| same(id))
        .map(|(check, count)| (check.clone(), *count))
        .collect()
}

/// The checks that did not come out the same, or better, one a line; empty when all did.
fn difference(direct: &Report, gated: &Report) -> String {
    let nothing = Checks::new();
    let mut lines = String::new();
    let names = direct.scenarios.keys().chain(
        gated
            .scenarios
            .keys()
            .filter(|name| !direct.scenarios.contains_key(*name)),
    );
    for name in names {
        let before = direct.scenarios.get(name).unwrap_or(&nothing);
        let after = gated.scenarios.get(name).unwrap_or(&nothing);
        let left = &not_improved(before, before, after);
        let right = &not_improved(after, before, after);
        for (check, count) in left.iter().filter(|(check, count)| right.get(*check) != Some(count)) {
            writeln!(lines, "  - {name} {check:?} x{count}, direct only").expect("a string takes all");
        }
        for (check, count) in right.iter().filter(|(check, count)| left.get(*check) != Some(count)) {
            writeln!(lines, "  + {name} {check:?} x{count}, through the gate only").expect("a string takes all");
        }
    }
    lines
}
