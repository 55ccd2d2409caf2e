//! What an edit promises: it changes what it says and no other byte, or nothing at all.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use proptest::prelude::*;
use toml::{Table, Value};

mod keys;

use super::edit::{EditError, apply};
use super::*;
use crate::admin::contract::{NewAgent, NewServer, Noun, State};

const NOW: UnixTime = UnixTime::from_secs(1_795_000_000);

const SITE: &str = r#"# The town's gate.
[gate]
listen = "127.0.0.1:8477"   # this machine only

[embedded_issuer]

# Who may come.
[agents.quill]
issuer = "embedded"
groups = ["clerks"] # by day
# state = "suspended"    stops it

# Runs at night.
[agents.courier]
issuer = "embedded"
state = "suspended"  # until spring
# servers = []

# --- What stands behind ---
[servers.ledger]
url = "http://localhost:1/mcp"
"#;

fn state(of: Noun, name: &str, state: State) -> Edit {
    Edit::SetState {
        of,
        name: name.to_owned(),
        state,
    }
}

fn review(name: &str, next: Option<&str>) -> Edit {
    Edit::Review {
        of: Noun::Agent,
        name: name.to_owned(),
        next: next.map(str::to_owned),
    }
}

fn agent(name: &str) -> NewAgent {
    NewAgent {
        name: name.to_owned(),
        issuer: "embedded".to_owned(),
        ..NewAgent::default()
    }
}

fn edited(text: &str, edit: &Edit) -> String {
    apply(text, edit, NOW).unwrap_or_else(|error| panic!("{error}")).text
}

/// The lines of `new` that `old` does not have, if everything else is the same and in the same order.
fn new_lines(old: &str, new: &str) -> Vec<String> {
    let mut old = old.lines().peekable();
    let mut added = Vec::new();
    for line in new.lines() {
        if old.peek() == Some(&line) {
            old.next();
        } else {
            added.push(line.to_owned());
        }
    }
    assert_eq!(old.next(), None, "a line is gone from\n{new}");
    added
}

#[test]
fn a_state_is_written_below_what_is_there_or_over_it() {
    let suspended = edited(SITE, &state(Noun::Agent, "quill", State::Suspended));
    assert_eq!(
        suspended,
        SITE.replace("# by day\n", "# by day\nstate = \"suspended\"\n")
    );
    let resumed = edited(SITE, &state(Noun::Agent, "courier", State::Active));
    assert_eq!(resumed, SITE.replace("\"suspended\"  # until", "\"active\"  # until"));
    let revoked = edited(SITE, &state(Noun::Server, "ledger", State::Revoked));
    assert_eq!(new_lines(SITE, &revoked), ["state = \"revoked\""]);
}

#[test]
fn a_new_one_stands_below_the_last_of_its_kind_and_the_comments_of_that() {
    let more = NewAgent {
        owner: Some("Mara \"the clerk\"".to_owned()),
        servers: Some(vec!["ledger".to_owned()]),
        expires: Some("2027-01-31".to_owned()),
        ..agent("bell")
    };
    let added = edited(SITE, &Edit::AddAgent(more));
    let block = "# servers = []\n\n[agents.bell]\nissuer = \"embedded\"\nowner = 'Mara \"the clerk\"'\nservers = [\"ledger\"]\nexpires = 2027-01-31\n";
    assert_eq!(added, SITE.replace("# servers = []\n", block));
    let close = "[agents.a]\nissuer = \"embedded\"\n# What stands behind.\n[servers.s]\nurl = \"u\"\n";
    assert_eq!(
        edited(close, &Edit::AddAgent(agent("bell"))),
        close.replace("# What", "\n[agents.bell]\nissuer = \"embedded\"\n\n# What")
    );
    let server = NewServer {
        name: "mail".to_owned(),
        url: "http://localhost:2/mcp".to_owned(),
        ..NewServer::default()
    };
    let added = edited(SITE, &Edit::AddServer(server.clone()));
    assert_eq!(
        added,
        format!("{SITE}\n[servers.mail]\nurl = \"http://localhost:2/mcp\"\n")
    );
    let none_yet = "[gate]\nlisten = \"127.0.0.1:1\"";
    let added = edited(none_yet, &Edit::AddServer(server));
    assert_eq!(
        added,
        format!("{none_yet}\n\n[servers.mail]\nurl = \"http://localhost:2/mcp\"\n")
    );
}

#[test]
fn every_way_to_write_a_table_is_kept_as_it_is_written() {
    let forms = [
        (
            "[agents]\na = { issuer = \"x\" } # one\n",
            "[agents]\na = { issuer = \"x\", state = \"revoked\" } # one\n",
        ),
        (
            "agents = { a = { issuer = \"x\" }, b = { issuer = \"y\" } }\n",
            "agents = { a = { issuer = \"x\", state = \"revoked\" }, b = { issuer = \"y\" } }\n",
        ),
        (
            "[agents]\n  a.issuer = \"x\"\n  a.clients.i = \"c\"\nb.issuer = \"y\"\n",
            "[agents]\n  a.issuer = \"x\"\n  a.state = \"revoked\"\n  a.clients.i = \"c\"\nb.issuer = \"y\"\n",
        ),
        (
            "agents.a.issuer = \"x\"\n[gate]\n",
            "agents.a.issuer = \"x\"\nagents.a.state = \"revoked\"\n[gate]\n",
        ),
        (
            "[agents.\"a\"]\r\nissuer = \"x\"\r\n[agents.a.clients]\r\ni = \"c\"",
            "[agents.\"a\"]\r\nissuer = \"x\"\r\nstate = \"revoked\"\r\n[agents.a.clients]\r\ni = \"c\"",
        ),
        (
            "[agents.a]\nissuer = \"x\"",
            "[agents.a]\nissuer = \"x\"\nstate = \"revoked\"",
        ),
        (
            "\u{feff}agents.a.issuer = \"x\"\n",
            "\u{feff}agents.a.issuer = \"x\"\nagents.a.state = \"revoked\"\n",
        ),
        (
            "[agents.a]\nissuer = \"x\"\ngroups = [\n  \"b\", # why\n]  # all\n",
            "[agents.a]\nissuer = \"x\"\ngroups = [\n  \"b\", # why\n]  # all\nstate = \"revoked\"\n",
        ),
    ];
    for (text, expected) in forms {
        assert_eq!(edited(text, &state(Noun::Agent, "a", State::Revoked)), expected);
    }
    let inline = edited("agents = { a = { issuer = \"x\" } }\n", &Edit::AddAgent(agent("b")));
    assert_eq!(
        inline,
        "agents = { a = { issuer = \"x\" }, b = { issuer = \"embedded\" } }\n"
    );
}

#[test]
fn what_cannot_be_edited_for_sure_is_left_to_a_person() {
    let text = "agents = { a.issuer = \"x\" }\n";
    let error = apply(text, &state(Noun::Agent, "a", State::Revoked), NOW).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the file is written in a way that this command cannot change\n  hint: write it by hand, into [agents.a]: state = \"revoked\""
    );
}

#[test]
fn refuses_with_the_remedy() {
    let refused = |edit: &Edit| apply(SITE, edit, NOW).unwrap_err().to_string();
    assert_eq!(
        refused(&state(Noun::Agent, "quil", State::Revoked)),
        "there is no agent `quil`\n  hint: did you mean `quill`?"
    );
    assert!(refused(&Edit::AddAgent(agent("quill"))).starts_with("there is an agent `quill` already"));
    assert!(refused(&Edit::AddAgent(agent("a]\nx"))).starts_with("`a]\\nx` is not a name"));
    let expiring = |text: &str| NewAgent {
        expires: Some(text.to_owned()),
        ..agent("bell")
    };
    assert!(refused(&Edit::AddAgent(expiring("2026-01-31"))).starts_with("2026-01-31 has passed already"));
    assert!(refused(&Edit::AddAgent(expiring("tomorrow"))).starts_with("this is not a date or moment"));
    assert!(refused(&review("quill", Some("2020-01-01"))).contains("name a day to come"));
    let revoked = edited(SITE, &state(Noun::Agent, "quill", State::Revoked));
    let error = apply(&revoked, &state(Noun::Agent, "quill", State::Active), NOW).unwrap_err();
    assert_eq!(error, EditError::Revoked(Noun::Agent, "quill".to_owned()));
}

#[test]
fn a_review_moves_the_next_one_and_says_from_when() {
    let first = apply(SITE, &review("quill", None), NOW).unwrap();
    assert_eq!((first.before, first.after.as_str()), (None, "2027-02-16"));
    let next = apply(&first.text, &review("quill", Some("2027-05-01")), NOW).unwrap();
    assert_eq!(
        (next.before.as_deref(), next.after.as_str()),
        (Some("2027-02-16"), "2027-05-01")
    );
    assert!(
        !apply(&next.text, &review("quill", Some("2027-05-01")), NOW)
            .unwrap()
            .changed()
    );
}

fn on_disk(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("portreeve.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn accept(_: &Config) -> Result<(), Vec<Diagnostic>> {
    Ok(())
}

#[test]
fn a_link_mode_and_owner_stay_and_nothing_is_left_beside() {
    let (folder, path) = on_disk(SITE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let owner = fs::metadata(&path).unwrap().uid();
    let link = folder.path().join("link.toml");
    symlink("portreeve.toml", &link).unwrap();
    change(&link, &state(Noun::Agent, "quill", State::Suspended), 7, NOW, accept).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let metadata = fs::symlink_metadata(&path).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (0o640, owner));
    assert_eq!(
        new_lines(SITE, &fs::read_to_string(&path).unwrap()),
        ["state = \"suspended\""]
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_result_that_is_not_valid_leaves_every_byte() {
    let (folder, path) = on_disk(SITE);
    let stranger = NewAgent {
        issuer: "embeded".to_owned(),
        ..agent("bell")
    };
    let error = change(&path, &Edit::AddAgent(stranger), 7, NOW, accept).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("would be wrong afterwards") && said.contains("did you mean `embedded`?"),
        "{said}"
    );
    assert!(
        said.contains("portreeve.toml: there is no issuer"),
        "no line of a text that nobody can see: {said}"
    );
    let refuse = |_: &Config| Err::<(), _>(vec![Diagnostic::of_file(Path::new("x.cedar"), "is wrong")]);
    assert!(change(&path, &review("quill", None), 7, NOW, refuse).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), SITE);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    fs::write(&path, "[gate").unwrap();
    let error = change(&path, &review("quill", None), 7, NOW, accept)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("wrong as it is") && error.contains("portreeve.toml:1:"),
        "{error}"
    );
}

#[test]
fn what_an_editor_saves_meanwhile_is_kept() {
    let (_folder, path) = on_disk(SITE);
    let saved = std::cell::Cell::new(false);
    let meanwhile = |_: &Config| {
        if !saved.replace(true) {
            fs::write(&path, format!("{SITE}# saved by hand\n")).unwrap();
        }
        Ok(())
    };
    change(&path, &state(Noun::Agent, "quill", State::Suspended), 7, NOW, meanwhile).unwrap();
    let now = fs::read_to_string(&path).unwrap();
    assert_eq!(new_lines(SITE, &now), ["state = \"suspended\"", "# saved by hand"]);

    let always = |_: &Config| {
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text + "#\n").map_err(|_| Vec::new())
    };
    let error = change(&path, &state(Noun::Agent, "quill", State::Active), 7, NOW, always).unwrap_err();
    assert!(matches!(error, NotChanged::Busy(_)), "{error}");
}

#[test]
fn changes_are_taken_back_one_by_one_and_only_where_nothing_else_changed() {
    let (folder, path) = on_disk(SITE);
    fs::create_dir(folder.path().join("state")).unwrap();
    let suspend = state(Noun::Agent, "quill", State::Suspended);
    change(&path, &review("quill", None), 7, NOW, accept).unwrap();
    let reviewed = fs::read_to_string(&path).unwrap();
    change(&path, &suspend, 8, NOW, accept).unwrap();
    let history = History::of(&folder.path().join("state"));
    let said: Vec<_> = history
        .versions()
        .unwrap()
        .into_iter()
        .map(|(_, version)| (version.by, version.what))
        .collect();
    assert_eq!(
        said,
        [
            (7, "agent review quill".to_owned()),
            (8, "agent suspend quill".to_owned())
        ]
    );

    assert_eq!(
        undo(&path, accept).unwrap().applied.before.as_deref(),
        Some("agent suspend quill")
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), reviewed);
    let refuse = |_: &Config| Err::<(), _>(vec![Diagnostic::of_file(Path::new("x.cedar"), "is wrong")]);
    assert!(undo(&path, refuse).is_err());
    fs::write(&path, format!("{reviewed}# by hand\n")).unwrap();
    let error = undo(&path, accept).unwrap_err().to_string();
    assert!(
        error.contains("by something else after `agent review quill`") && error.contains("000000001.json"),
        "{error}"
    );
    fs::write(&path, &reviewed).unwrap();
    undo(&path, accept).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), SITE);
    assert!(
        undo(&path, accept)
            .unwrap_err()
            .to_string()
            .starts_with("there is nothing to undo")
    );

    change(&path, &state(Noun::Agent, "quill", State::Revoked), 7, NOW, accept).unwrap();
    let error = undo(&path, accept).unwrap_err().to_string();
    assert!(
        error.starts_with("the last change was `agent revoke quill`, which is for good"),
        "{error}"
    );
}

#[test]
fn only_the_last_versions_are_kept_and_for_nobody_else() {
    let (folder, path) = on_disk(SITE);
    let state_dir = folder.path().join("state");
    fs::create_dir(&state_dir).unwrap();
    for number in 0..history::VERSIONS_MAX + 2 {
        let state = state(
            Noun::Agent,
            "quill",
            if number % 2 == 0 {
                State::Suspended
            } else {
                State::Active
            },
        );
        change(&path, &state, 7, NOW, accept).unwrap();
    }
    let kept = History::of(&state_dir).versions().unwrap();
    assert_eq!(kept.len(), history::VERSIONS_MAX);
    assert!(kept[0].0.ends_with("000000003.json") && kept[19].0.ends_with("000000022.json"));
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(kept[0].0.parent().unwrap()), mode(&kept[0].0)), (0o700, 0o600));
    fs::write(&kept[19].0, "torn").unwrap();
    let error = undo(&path, accept).unwrap_err().to_string();
    assert!(error.contains("by something else"), "a torn version is none: {error}");
    change(&path, &review("quill", None), 7, NOW, accept).unwrap();
    undo(&path, accept).unwrap();
}

/// A line that means nothing: a comment or a blank one.
fn idle_line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ \t]{0,2}#[ -~é\t]{0,20}",
        Just("# [agents.z]".to_owned())
    ]
}

/// A configuration of some agents and servers, each line perhaps with idle ones around it.
fn document() -> impl Strategy<Value = (String, Vec<String>)> {
    let table = (
        idle_lines(),
        any::<bool>(),
        any::<bool>(),
        idle_lines(),
        "( {0,2}#[ -~]{0,9})?",
    );
    let tables = proptest::collection::vec(table, 1..6);
    (tables, any::<bool>(), idle_lines()).prop_map(|(tables, windows, last)| {
        let (mut lines, mut agents) = (Vec::new(), Vec::new());
        for (number, (above, is_agent, has_state, within, comment)) in tables.into_iter().enumerate() {
            lines.extend(above);
            if is_agent {
                agents.push(format!("n{number}"));
                lines.push(format!("[agents.n{number}]{comment}"));
                lines.push(format!("issuer = \"i\"{comment}"));
            } else {
                lines.push(format!("[servers.n{number}]{comment}"));
                lines.push(format!("url = \"u\"{comment}"));
            }
            lines.extend(within);
            if has_state {
                lines.push(format!("  state  =  'active'{comment}"));
            }
        }
        lines.extend(last);
        (lines.join(if windows { "\r\n" } else { "\n" }), agents)
    })
}

fn idle_lines() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(idle_line(), 0..3)
}

proptest! {
    #[test]
    fn only_the_intended_keys_differ_and_every_comment_stays(
        (text, agents) in document(), pick in any::<prop::sample::Index>(), which in 0..3,
    ) {
        let name = if agents.is_empty() { "new".to_owned() } else { pick.get(&agents).clone() };
        let (edit, key, value) = match which {
            _ if agents.is_empty() => (Edit::AddAgent(agent("new")), "issuer", Value::from("embedded")),
            0 => (state(Noun::Agent, &name, State::Revoked), "state", Value::from("revoked")),
            1 => (review(&name, Some("2027-05-01")), "review", Value::Datetime("2027-05-01".parse().unwrap())),
            _ => (Edit::AddAgent(agent("new")), "issuer", Value::from("embedded")),
        };
        let (_, name) = edit.subject();
        let new = edited(&text, &edit);
        let mut intended: Table = text.parse().unwrap();
        let agents = intended.entry("agents").or_insert_with(|| Value::Table(Table::new()));
        let entry = agents.as_table_mut().unwrap().entry(name).or_insert_with(|| Value::Table(Table::new()));
        entry.as_table_mut().unwrap().insert(key.to_owned(), value);
        prop_assert_eq!(new.parse::<Table>().unwrap(), intended);
        let comments = |text: &str| text.lines().filter_map(|line| line.find('#').map(|at| line[at..].to_owned())).collect::<Vec<_>>();
        prop_assert_eq!(comments(&new), comments(&text));
    }

    #[test]
    fn no_text_makes_an_edit_panic(text in "([ -~\n\r#é]|\\[agents\\.a\\]|a\\.issuer = \"x\"|agents){0,40}") {
        let _ = apply(&text, &state(Noun::Agent, "a", State::Revoked), NOW);
        let _ = apply(&text, &Edit::AddAgent(agent("b")), NOW);
    }
}
