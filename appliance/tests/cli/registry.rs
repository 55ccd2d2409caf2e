//! `portreeve agent` and `server` where no gate runs: the same edits, the same checks.

use std::fs;

use super::{initialised, portreeve, stderr, stdout};

#[test]
fn agents_are_registered_suspended_and_reviewed_without_a_gate_and_every_comment_stays() {
    let directory = initialised();
    let file = directory.path().join("portreeve.toml");
    let before = fs::read_to_string(&file).unwrap();
    for (arguments, words) in [
        (
            &[
                "agent",
                "add",
                "bell",
                "--issuer",
                "embedded",
                "--owner",
                "Mara",
                "--expires",
                "2999-01-31",
            ][..],
            "agent bell is registered",
        ),
        (&["agent", "suspend", "claude-code"], "state active -> suspended"),
        (
            &["agent", "review", "claude-code", "--next", "2999-01-31"],
            "next review none -> 2999-01-31",
        ),
        (
            &[
                "server",
                "add",
                "mail",
                "--url",
                "http://127.0.0.1:9/mcp",
                "--era",
                "legacy",
            ],
            "server mail is registered",
        ),
        (&["server", "revoke", "everything"], "state active -> revoked"),
    ] {
        let done = portreeve(directory.path(), arguments);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        assert!(
            stdout(&done).contains(words) && stdout(&done).contains("no gate runs here"),
            "{}",
            stdout(&done)
        );
    }
    let after = fs::read_to_string(&file).unwrap();
    let mut rest = after.lines();
    for line in before.lines() {
        assert!(rest.any(|kept| kept == line), "{line} is gone, or in another place");
    }
    assert_eq!(portreeve(directory.path(), &["check"]).status.code(), Some(0));
    let agents = stdout(&portreeve(directory.path(), &["agent", "list"]));
    assert!(agents.starts_with("NAME "), "{agents}");
    assert!(
        agents.contains("bell ") && agents.contains("suspended") && agents.contains("2999-01-31"),
        "{agents}"
    );
    let server = stdout(&portreeve(directory.path(), &["server", "show", "mail"]));
    assert!(
        server.contains("era       legacy") && server.contains("portreeve.toml:"),
        "{server}"
    );
    let token = portreeve(directory.path(), &["token", "--agent", "claude-code", "--user", "me"]);
    assert!(stderr(&token).contains("is suspended"));
}

#[test]
fn eight_edits_at_once_all_land_without_a_gate() {
    let directory = initialised();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let directory = directory.path();
            scope.spawn(move || {
                let name = format!("n{number}");
                let done = portreeve(directory, &["agent", "add", &name, "--issuer", "embedded"]);
                assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
            });
        }
    });
    let listed = stdout(&portreeve(directory.path(), &["agent", "list", "--json"]));
    let agents: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(agents.as_array().unwrap().len(), 9);
}

#[test]
fn an_edit_of_a_wrong_file_shows_what_is_wrong_and_leaves_it() {
    let directory = initialised();
    let file = directory.path().join("portreeve.toml");
    let wrong = fs::read_to_string(&file).unwrap().replace("listen =", "lisen =");
    fs::write(&file, &wrong).unwrap();
    let done = portreeve(directory.path(), &["agent", "suspend", "claude-code"]);
    assert_eq!(done.status.code(), Some(3));
    assert!(stderr(&done).contains("did you mean `listen`?"), "{}", stderr(&done));
    assert_eq!(fs::read_to_string(&file).unwrap(), wrong);
}

#[test]
fn a_date_that_is_none_is_a_usage_error_and_a_revoked_agent_stays_revoked() {
    let directory = initialised();
    let soon = portreeve(
        directory.path(),
        &["agent", "add", "bell", "--issuer", "embedded", "--expires", "soon"],
    );
    assert_eq!(soon.status.code(), Some(2));
    assert!(
        stderr(&soon).contains("write the last day, 2027-01-31"),
        "{}",
        stderr(&soon)
    );
    assert_eq!(
        portreeve(directory.path(), &["agent", "revoke", "claude-code"])
            .status
            .code(),
        Some(0)
    );
    let resumed = portreeve(directory.path(), &["agent", "resume", "claude-code"]);
    assert_eq!(resumed.status.code(), Some(1));
    assert!(
        stderr(&resumed).contains("is revoked, which is for good"),
        "{}",
        stderr(&resumed)
    );
}

#[test]
fn check_notes_ends_that_have_passed_and_reviews_that_are_due() {
    let directory = initialised();
    let file = directory.path().join("portreeve.toml");
    let text = fs::read_to_string(&file).unwrap();
    let due = "[agents.old]\nissuer = \"embedded\"\nexpires = 2020-01-31\nreview = 2020-01-01\n";
    fs::write(&file, text + due).unwrap();
    let checked = portreeve(directory.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    for words in [
        "agent old is refused: it expired on 2020-01-31",
        "the access of agent old was to be reviewed by 2020-01-01",
    ] {
        assert!(stdout(&checked).contains(words), "{}", stdout(&checked));
    }
    let token = portreeve(directory.path(), &["token", "--agent", "old", "--user", "me"]);
    assert!(stderr(&token).contains("expired on 2020-01-31"), "{}", stderr(&token));
}

#[test]
fn a_change_without_a_gate_is_taken_back_byte_for_byte() {
    let directory = initialised();
    let file = directory.path().join("portreeve.toml");
    let before = fs::read(&file).unwrap();
    assert!(stdout(&portreeve(directory.path(), &["history"])).contains("nothing was changed by command yet"));
    portreeve(directory.path(), &["agent", "suspend", "claude-code"]);
    assert!(stdout(&portreeve(directory.path(), &["history"])).contains("agent suspend claude-code"));
    let undone = portreeve(directory.path(), &["undo"]);
    assert_eq!(undone.status.code(), Some(0), "{}", stderr(&undone));
    assert!(stdout(&undone).starts_with("taken back: agent suspend claude-code"));
    assert_eq!(fs::read(&file).unwrap(), before);
}
