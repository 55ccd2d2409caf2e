//! The registry at a running gate: what the command line changes is in the file and in force, or in neither.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, end_of, portreeve};
use crate::revocation::{call, done, is_open, listen, open, server};

fn file(gate: &Gate) -> PathBuf {
    gate.folder.path().join("portreeve.toml")
}

fn text(gate: &Gate) -> String {
    fs::read_to_string(file(gate)).unwrap()
}

fn status(gate: &Gate, issuer: &Issuer, agent: &str) -> u16 {
    gate.raw(&call(gate, issuer, agent, "read")).status
}

/// Runs a command that must fail, and gives back its exit code and what it says.
fn refused(gate: &Gate, arguments: &[&str]) -> (Option<i32>, String) {
    let output = portreeve(gate.folder.path(), arguments);
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn changes(gate: &Gate) -> Vec<Value> {
    let mut changes = gate.audit();
    changes.retain(|record| record["kind"] == "change");
    changes
}

#[test]
fn a_suspended_agent_is_out_on_its_next_request_until_it_is_resumed() {
    let (upstream, issuer) = (server(), Issuer::new());
    let mut gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), "# kept to the letter\n");
    let before = text(&gate);
    let its_own = open(&gate, &listen(&gate, &issuer, "clerk-bot"));
    let mut of_another = open(&gate, &listen(&gate, &issuer, "other-bot"));

    let said = done(&gate, &["agent", "suspend", "clerk-bot"]);
    assert!(
        said.starts_with("agent clerk-bot: state active -> suspended (portreeve.toml:15)\n  in force"),
        "{said}"
    );
    for _ in 0..8 {
        assert_eq!(status(&gate, &issuer, "clerk-bot"), 401, "on every core");
    }
    end_of(its_own);
    assert!(is_open(&mut of_another));
    assert_eq!(status(&gate, &issuer, "other-bot"), 200);
    assert_eq!(
        text(&gate),
        before.replace(
            "subject = \"clerk-bot\"\n",
            "subject = \"clerk-bot\"\nstate = \"suspended\"\n"
        )
    );
    assert_eq!(
        done(&gate, &["revocations"]),
        "nothing is shut off\n",
        "the file says it now"
    );
    assert!(done(&gate, &["agent", "list"]).contains("suspended"));
    assert!(done(&gate, &["agent", "suspend", "clerk-bot"]).contains("is suspended already"));

    done(&gate, &["agent", "resume", "clerk-bot"]);
    assert_eq!(status(&gate, &issuer, "clerk-bot"), 200);
    assert!(gate.stop().success());
    let of_the_file: Vec<Value> = changes(&gate)
        .into_iter()
        .filter(|change| change["after"].is_string())
        .map(|change| json!([change["action"], change["what"], change["before"], change["after"]]))
        .collect();
    assert_eq!(
        of_the_file,
        [
            json!(["suspend", "agent clerk-bot", "active", "suspended"]),
            json!(["resume", "agent clerk-bot", "suspended", "active"]),
        ]
    );
    let me = rustix::process::getuid().as_raw();
    assert!(changes(&gate).iter().all(|change| change["by_uid"] == me));
}

#[test]
fn a_new_agent_may_call_without_a_restart() {
    let (upstream, issuer) = (server(), Issuer::new());
    let gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), "");
    assert_eq!(status(&gate, &issuer, "bell"), 401);
    let said = done(
        &gate,
        &[
            "agent",
            "add",
            "bell",
            "--issuer",
            "idp",
            "--subject",
            "bell",
            "--owner",
            "Mara",
            "--servers",
            "town",
        ],
    );
    assert!(said.contains("agent bell is registered"), "{said}");
    assert_eq!(status(&gate, &issuer, "bell"), 200);
    let shown = done(&gate, &["agent", "show", "bell"]);
    assert!(
        shown.contains("owner     Mara") && shown.contains("servers   town"),
        "{shown}"
    );
    let listed: Value = serde_json::from_str(&done(&gate, &["agent", "list", "--json"])).unwrap();
    assert_eq!(listed[0]["name"], "bell");
    assert_eq!(listed[0]["state"], "active");
}

#[test]
fn a_suspended_server_refuses_everybody_until_it_is_resumed() {
    let (upstream, issuer) = (server(), Issuer::new());
    let gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), "");
    let stream = open(&gate, &listen(&gate, &issuer, "clerk-bot"));
    done(&gate, &["server", "suspend", "town"]);
    assert_eq!(status(&gate, &issuer, "clerk-bot"), 403);
    end_of(stream);
    assert_eq!(done(&gate, &["revocations"]), "nothing is shut off\n");
    done(&gate, &["server", "resume", "town"]);
    assert_eq!(status(&gate, &issuer, "clerk-bot"), 200);
}

#[test]
fn an_agent_whose_time_is_up_is_refused_by_its_own_reason() {
    let (upstream, issuer) = (server(), Issuer::new());
    let late = "[agents.late]\nissuer = \"idp\"\nsubject = \"late\"\nexpires = 2026-01-31\nreview = 2026-01-31\n";
    let mut gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), late);
    assert_eq!(status(&gate, &issuer, "late"), 401);
    assert!(done(&gate, &["agent", "list"]).contains("expired"));
    assert!(gate.stop().success());
    assert!(gate.audit().iter().any(|record| record["reason"] == "agent_expired"));
    let log = fs::read_to_string(gate.folder.path().join("stderr.log")).unwrap();
    assert!(log.contains("reviews of access that are due: 1"), "{log}");
}

#[test]
fn an_edit_that_cannot_be_made_changes_nothing_and_says_why() {
    let (upstream, issuer) = (server(), Issuer::new());
    let gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), "");
    let before = text(&gate);
    for (arguments, words) in [
        (
            &["agent", "add", "bell", "--issuer", "idq", "--subject", "b"][..],
            "did you mean `idp`?",
        ),
        (
            &["agent", "add", "bell", "--issuer", "idp"],
            "this agent has no subject",
        ),
        (
            &["agent", "add", "clerk-bot", "--issuer", "idp", "--subject", "b"],
            "there is an agent `clerk-bot` already",
        ),
        (&["agent", "suspend", "clerkbot"], "did you mean `clerk-bot`?"),
        (
            &["server", "add", "mail", "--url", "http://mail.example/mcp"],
            "plain HTTP beyond this machine",
        ),
        (&["server", "revoke", "town2"], "did you mean `town`?"),
        (
            &["agent", "review", "clerk-bot", "--next", "2020-01-01"],
            "name a day to come",
        ),
    ] {
        let (code, said) = refused(&gate, arguments);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(text(&gate), before);
    assert_eq!(status(&gate, &issuer, "clerk-bot"), 200);
    assert_eq!(done(&gate, &["revocations"]), "nothing is shut off\n");
}

#[test]
fn whoever_is_revoked_is_out_even_if_the_file_cannot_be_changed() {
    let (upstream, issuer) = (server(), Issuer::new());
    let gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), "");
    fs::write(file(&gate), "half an edit").unwrap();
    let (code, said) = refused(&gate, &["agent", "revoke", "clerk-bot", "--state-dir", "state"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("wrong as it is") && said.contains("portreeve restore agent clerk-bot"),
        "{said}"
    );
    assert_eq!(status(&gate, &issuer, "clerk-bot"), 401);
    assert_eq!(status(&gate, &issuer, "other-bot"), 200);
    assert_eq!(text(&gate), "half an edit");
}

#[test]
fn what_was_shut_off_by_an_order_needs_that_order_taken_back() {
    let (upstream, issuer) = (server(), Issuer::new());
    let gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), "");
    done(&gate, &["revoke", "agent", "clerk-bot"]);
    done(&gate, &["agent", "suspend", "clerk-bot"]);
    let said = done(&gate, &["agent", "resume", "clerk-bot"]);
    assert!(
        said.contains("`portreeve restore agent clerk-bot` lets it in"),
        "{said}"
    );
    assert_eq!(status(&gate, &issuer, "clerk-bot"), 401);
    done(&gate, &["restore", "agent", "clerk-bot"]);
    assert_eq!(status(&gate, &issuer, "clerk-bot"), 200);
}

#[test]
fn edits_are_made_to_what_is_on_the_disk_and_none_gets_lost() {
    let (upstream, issuer) = (server(), Issuer::new());
    let gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), "");
    let by_hand = format!(
        "{}\n# by hand\n[agents.hand]\nissuer = \"idp\"\nsubject = \"hand\"\n",
        text(&gate)
    );
    fs::write(file(&gate), &by_hand).unwrap();
    let names: Vec<String> = (0..8).map(|number| format!("n{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let gate = &gate;
            scope.spawn(move || done(gate, &["agent", "add", name, "--issuer", "idp", "--subject", name]));
        }
    });
    let text = text(&gate);
    assert!(text.starts_with(&by_hand), "{text}");
    for name in names.iter().map(String::as_str).chain(["hand"]) {
        assert_eq!(text.matches(&format!("[agents.{name}]\n")).count(), 1, "{text}");
        assert_eq!(status(&gate, &issuer, name), 200, "{name}");
    }
}

#[test]
fn when_an_agent_last_called_is_known_from_every_core_and_over_a_restart() {
    let (upstream, issuer) = (server(), Issuer::new());
    let mut gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), "");
    let seen = |gate: &Gate| {
        let listed: Value = serde_json::from_str(&done(gate, &["agent", "list", "--json"])).unwrap();
        let of = |name: &str| {
            let agents = listed.as_array().unwrap().iter();
            agents
                .filter(|agent| agent["name"] == name)
                .map(|agent| agent["last_seen"].as_u64())
                .next()
                .unwrap()
        };
        (of("clerk-bot"), of("other-bot"))
    };
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(seen(&gate), (None, None));
    let before = now();
    assert_eq!(status(&gate, &issuer, "clerk-bot"), 200);
    let (Some(clerk), None) = seen(&gate) else {
        panic!("{:?}", seen(&gate));
    };
    assert!((before..=now()).contains(&clerk));
    assert_eq!(seen(&gate), (Some(clerk), None));
    assert_eq!(status(&gate, &issuer, "other-bot"), 200);
    gate.restart();
    let (kept, Some(other)) = seen(&gate) else {
        panic!("{:?}", seen(&gate));
    };
    assert!(kept == Some(clerk) && (clerk..=now()).contains(&other));
    assert!(gate.stop().success());
    assert_eq!(seen(&gate), (Some(clerk), Some(other)), "without a gate, too");
}

#[test]
fn the_last_change_is_taken_back_and_in_force_before_the_answer() {
    let (upstream, issuer) = (server(), Issuer::new());
    let mut gate = Gate::start_with(&upstream, PERMIT_CLERKS, &issuer.jwks(), "");
    let before = text(&gate);
    done(&gate, &["agent", "add", "bell", "--issuer", "idp", "--subject", "bell"]);
    assert_eq!(status(&gate, &issuer, "bell"), 200);
    assert!(done(&gate, &["history"]).contains("agent add bell"));
    let said = done(&gate, &["undo"]);
    assert!(
        said.starts_with("taken back: agent add bell\n  in force on every core"),
        "{said}"
    );
    assert_eq!(status(&gate, &issuer, "bell"), 401);
    assert_eq!(text(&gate), before);
    let (code, said) = refused(&gate, &["undo"]);
    assert!(code == Some(1) && said.contains("there is nothing to undo"), "{said}");
    assert!(gate.stop().success());
    let undone = |change: &Value| change["action"] == "undo" && change["what"] == "agent add bell";
    assert!(changes(&gate).iter().any(undone));
}
