//! What is asked in the story, by whom, and what must come of it. Data only.

use serde_json::Value;
use serde_json::json;

use crate::demo::cast::Agent;
use crate::demo::cast::COURIER;
use crate::demo::cast::MARA;
use crate::demo::cast::QUILL;
use crate::demo::cast::TOBIAS;
use crate::demo::cast::User;

/// Calls of one kind under one heading.
#[derive(Debug)]
pub(super) struct Chapter {
    /// The heading.
    pub(super) title: &'static str,
    /// Whether the calls are made in one session of the legacy era, or each on its own in the modern one.
    pub(super) in_session: bool,
    /// The calls, in order.
    pub(super) steps: Vec<Step>,
}

/// One call.
#[derive(Debug)]
pub(super) struct Step {
    /// Whose token is presented.
    pub(super) agent: &'static Agent,
    /// Whose assertion is presented.
    pub(super) user: &'static User,
    /// The agent that the assertion was issued to; it is another one when the assertion is stolen.
    pub(super) issued_to: &'static Agent,
    /// What is asked for.
    pub(super) ask: Ask,
    /// What must come of it.
    pub(super) expect: Expect,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Ask {
    /// The list of tools.
    List,
    /// A call of a tool.
    Call {
        /// The tool.
        tool: &'static str,
        /// Its arguments, in the order in which they are shown.
        arguments: Vec<(&'static str, Value)>,
    },
}

/// What must come of a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// The server answers; this policy let the call through.
    Through(&'static str),
    /// This policy denies it.
    Forbidden(&'static str),
    /// No policy permits it.
    NotPermitted,
    /// The two identities do not belong together.
    Stranger,
    /// Exactly these tools are listed.
    Tools(&'static [&'static str]),
}

impl Step {
    /// The step in words, as in a list of arguments.
    #[must_use]
    pub(super) fn words(&self) -> String {
        match &self.ask {
            Ask::List => "tools/list".to_owned(),
            Ask::Call { tool, arguments } => {
                let pairs = arguments.iter().map(|(name, value)| match value.as_str() {
                    Some(text) => format!(" {name}={text}"),
                    None => format!(" {name}={value}"),
                });
                (*tool).to_owned() + &pairs.collect::<String>()
            }
        }
    }
}

/// The whole story.
#[must_use]
pub(super) fn chapters() -> [Chapter; 4] {
    [
        Chapter {
            title: "Let through, or turned away: by group, agent and argument",
            in_session: false,
            steps: calls(),
        },
        Chapter {
            title: "A stolen assertion: mara's, issued for use by quill",
            in_session: false,
            steps: theft(),
        },
        Chapter {
            title: "Who may see which tools",
            in_session: false,
            steps: lists(),
        },
        Chapter {
            title: "The same in a session of the legacy era (2025-11-25)",
            in_session: true,
            steps: session(),
        },
    ]
}

fn calls() -> Vec<Step> {
    use Expect::{Forbidden, NotPermitted, Through};
    let entry = |id: &str| vec![("id", json!(id))];
    let priced = |amount: i64| vec![("id", json!("permit-204")), ("amount", json!(amount))];
    let granted = vec![("id", json!("permit-204")), ("status", json!("granted"))];
    vec![
        call(
            &QUILL,
            &MARA,
            "read_entry",
            entry("permit-204"),
            Through("town-hall-reads"),
        ),
        call(&QUILL, &MARA, "update_entry", priced(120), Through("clerks-write")),
        call(&QUILL, &MARA, "update_entry", priced(9000), Forbidden("amount-cap")),
        call(
            &QUILL,
            &TOBIAS,
            "read_entry",
            entry("permit-204"),
            Through("town-hall-reads"),
        ),
        call(&QUILL, &TOBIAS, "update_entry", granted, NotPermitted),
        call(&QUILL, &MARA, "delete_entry", entry("fee-88"), Through("clerks-strike")),
        call(
            &COURIER,
            &MARA,
            "delete_entry",
            entry("fee-91"),
            Forbidden("batch-strikes-nothing"),
        ),
    ]
}

fn theft() -> Vec<Step> {
    let mut step = call(
        &COURIER,
        &MARA,
        "read_entry",
        vec![("id", json!("parcel-17"))],
        Expect::Stranger,
    );
    step.issued_to = &QUILL;
    vec![step]
}

fn lists() -> Vec<Step> {
    let list = |agent, user, tools| Step {
        agent,
        user,
        issued_to: agent,
        ask: Ask::List,
        expect: Expect::Tools(tools),
    };
    vec![
        list(
            &QUILL,
            &MARA,
            &[
                "list_entries",
                "read_entry",
                "update_entry",
                "delete_entry",
                "send_notice",
            ],
        ),
        list(
            &COURIER,
            &MARA,
            &["list_entries", "read_entry", "update_entry", "send_notice"],
        ),
        list(&QUILL, &TOBIAS, &["list_entries", "read_entry"]),
    ]
}

fn session() -> Vec<Step> {
    use Expect::{Forbidden, Through};
    let notice = |to: &str| vec![("to", json!(to)), ("text", json!("Your permit is ready."))];
    vec![
        call(
            &QUILL,
            &MARA,
            "send_notice",
            notice("press@elsewhere.example"),
            Forbidden("notices-stay-in-town"),
        ),
        call(
            &QUILL,
            &MARA,
            "send_notice",
            notice("pell@saltmarsh.example"),
            Through("clerks-write"),
        ),
    ]
}

fn call(
    agent: &'static Agent,
    user: &'static User,
    tool: &'static str,
    arguments: Vec<(&'static str, Value)>,
    expect: Expect,
) -> Step {
    Step {
        agent,
        user,
        issued_to: agent,
        ask: Ask::Call { tool, arguments },
        expect,
    }
}
