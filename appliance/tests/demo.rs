//! `portreeve demo --once`, as a newcomer runs it: the whole story, told by the binary over loopback.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::process::Output;

/// Runs it. In no run does it print a token, of which every one begins with the base64url of `{"`.
fn demo(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(arguments)
        .output()
        .unwrap();
    for said in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(said);
        assert!(!text.contains("eyJ"), "a token was printed\n{text}");
    }
    output
}

#[test]
fn the_story_is_told_and_every_step_behaves() {
    let output = demo(&["demo", "--once"]);
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}\n{page}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (caller, request, verdict, reason) in [
        (
            "quill for mara",
            "read_entry id=permit-204",
            "through",
            "town-hall-reads",
        ),
        (
            "quill for mara",
            "update_entry id=permit-204 amount=120",
            "through",
            "clerks-write",
        ),
        (
            "quill for mara",
            "update_entry id=permit-204 amount=9000",
            "denied",
            "amount-cap",
        ),
        (
            "quill for tobias",
            "update_entry id=permit-204",
            "denied",
            "no policy permits",
        ),
        (
            "courier for mara",
            "delete_entry id=fee-91",
            "denied",
            "batch-strikes-nothing",
        ),
        (
            "courier for mara",
            "read_entry id=parcel-17",
            "401",
            "not issued to courier",
        ),
        ("quill for mara", "tools/list", "through", "5 of 5 listed"),
        ("quill for tobias", "tools/list", "through", "2 of 5 listed"),
        (
            "quill for mara",
            "send_notice to=press@elsewhere.example",
            "denied",
            "notices-stay-in-town",
        ),
    ] {
        let told = page.lines().any(|line| {
            line.trim_start().starts_with(caller) && [request, verdict, reason].iter().all(|part| line.contains(part))
        });
        assert!(
            told,
            "no line says that {caller} asked for {request} and was {verdict}: {reason}\n{page}"
        );
    }
    for claim in ["mcp:tool:read_entry", "https://ledger.saltmarsh.example/mcp"] {
        assert!(page.contains(claim), "{claim}\n{page}");
    }
}

#[test]
fn the_story_fits_a_terminal_and_carries_no_escape_codes() {
    let page = String::from_utf8(demo(&["demo", "--once"]).stdout).unwrap();
    assert!(page.lines().count() > 20);
    for line in page.lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
    assert!(
        !page.contains('\u{1b}'),
        "colours although standard output is no terminal"
    );
}
