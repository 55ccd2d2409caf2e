//! What `portreeve agent` and `portreeve server` share: asking the gate, or doing without one, and saying what happened.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use clap::Args;
use portreeve_core::time::UnixTime;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::revoke::RunningGate;
use super::{Failure, check, unknown};
use crate::admin::client::{self, ClientError};
use crate::admin::contract::{self, Edit, Edited, Noun, REGISTRY, Registration, State, What};
use crate::admin::revocations::Revocations;
use crate::clock;
use crate::config::Config;
use crate::config::date::{Day, Expiry};
use crate::registry::{NotChanged, listing, offline, seen};

/// How long somebody else may hold the lock where no gate answers: another edit, or a gate that starts or stops.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is tried meanwhile.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Args, Debug)]
pub(super) struct List {
    /// As JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Review {
    /// Its name.
    name: String,
    /// When the next review is due; in 90 days if not given.
    #[arg(long, value_name = "DATE", value_parser = day)]
    next: Option<Day>,
}

pub(super) fn day(text: &str) -> Result<Day, String> {
    text.parse().map_err(|fault: String| fault.replace('\n', "; "))
}

pub(super) fn expiry(text: &str) -> Result<Expiry, String> {
    text.parse().map_err(|fault: String| fault.replace('\n', "; "))
}

pub(super) fn set_state(of: Noun, name: &str, state: State) -> Edit {
    Edit::SetState {
        of,
        name: name.to_owned(),
        state,
    }
}

pub(super) fn review(of: Noun, review: &Review) -> Edit {
    Edit::Review {
        of,
        name: review.name.clone(),
        next: review.next.map(|day| day.to_string()),
    }
}

/// Who and what is registered: in force at the running gate, or in the file where none runs.
pub(super) fn registry(gate: &RunningGate) -> Result<contract::Registry, Failure> {
    let (state_dir, config) = gate.find()?;
    match (client::ask(&state_dir, REGISTRY, None::<&()>), config) {
        (Err(ClientError::NotRunning(_)), Some(config)) => {
            let revocations = Revocations::load(&state_dir, clock::now()).map_err(|fault| vec![fault])?;
            Ok(listing::registry(
                &config,
                &revocations,
                &seen::load(&state_dir),
                None,
                clock::now(),
            ))
        }
        (answer, _) => Ok(answer?),
    }
}

/// Has `edit` made by the running gate, or makes it where none runs; says what came of it.
pub(super) fn perform(gate: &RunningGate, edit: &Edit) -> Result<String, Failure> {
    let (answer, file) = ask(gate, REGISTRY, edit, |config| offline::edit(config, edit, check::files))?;
    Ok(report(edit, &answer, file.as_deref()))
}

/// Asks the running gate, or does `without` one under its lock; with the file that is meant, if that is known.
pub(super) fn ask<A: DeserializeOwned>(
    gate: &RunningGate,
    path: &str,
    body: &impl Serialize,
    without: impl Fn(&Config) -> Result<Option<A>, NotChanged>,
) -> Result<(A, Option<String>), Failure> {
    let (state_dir, config) = gate.find()?;
    let file = config.as_ref().map(|config| config.file.display().to_string());
    let began = Instant::now();
    loop {
        match (client::ask(&state_dir, path, Some(body)), &config) {
            (Err(ClientError::NotRunning(_)), Some(config)) => {
                if let Some(answer) = without(config)? {
                    return Ok((answer, file));
                }
            }
            (answer, _) => return Ok((answer?, file)),
        }
        if began.elapsed() >= PATIENCE {
            return Err(Failure::Other(format!(
                "{} is locked, and no gate answers there\n  hint: a gate that starts or stops holds it, or another edit; try again",
                state_dir.display()
            )));
        }
        std::thread::sleep(AGAIN);
    }
}

fn report(edit: &Edit, edited: &Edited, file: Option<&str>) -> String {
    let what = What::from(edit);
    let (noun, name) = edit.subject();
    let (before, after) = (edited.before.as_deref().unwrap_or("none"), &edited.after);
    let key = match edit {
        Edit::Review { .. } => "next review",
        Edit::AddKey { .. } | Edit::DropKey { .. } => "keys",
        _ => "state",
    };
    let mut out = match edit {
        Edit::AddAgent(_) | Edit::AddServer(_) => format!("{what} is registered"),
        _ if edited.changed => format!("{what}: {key} {before} -> {after}"),
        _ => format!("{what}: {key} is {after} already"),
    };
    // A string takes everything.
    let _ = match file {
        Some(file) => writeln!(out, " ({file}:{})", edited.line),
        None => writeln!(out, " (line {})", edited.line),
    };
    match edited.generation {
        Some(generation) if edited.changed => {
            let _ = writeln!(out, "  in force on every core, as generation {generation}");
        }
        None if edited.changed => {
            out.push_str("  no gate runs here: it is in the file for the next start, and in no audit\n");
        }
        _ => {}
    }
    match edit {
        Edit::AddAgent(_) => out.push_str("  what it may do is for the policies to say\n"),
        Edit::AddServer(_) => {
            let _ = writeln!(
                out,
                "  clients reach it at /{name}/mcp, as far as the policies let them"
            );
        }
        _ => {}
    }
    let lets_in = !matches!(edit, Edit::SetState { state, .. } if *state != State::Active);
    if edited.shut_off && lets_in {
        let _ = writeln!(
            out,
            "  it is still shut off by an order: `portreeve restore {noun} {name}` lets it in"
        );
    }
    out
}

/// The one of that name, or the nearest name there is.
pub(super) fn find<'e, E>(
    noun: Noun,
    entries: &'e [E],
    name: &str,
    name_of: impl Fn(&E) -> &str,
) -> Result<&'e E, Failure> {
    entries.iter().find(|entry| name_of(entry) == name).ok_or_else(|| {
        let known: Vec<&str> = entries.iter().map(name_of).collect();
        unknown(noun.word(), name, &known)
    })
}

pub(super) fn json(entries: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(entries);
    text.map(|text| text + "\n")
        .map_err(|error| Failure::Other(error.to_string()))
}

/// The state in words, with what counts beside it.
pub(super) fn state(registration: &Registration, expired: bool) -> String {
    let mut words = vec![registration.state.word()];
    if expired {
        words.push("expired");
    }
    if registration.shut_off {
        words.push("shut off");
    }
    if words.len() > 1 && registration.state == State::Active {
        words.remove(0);
    }
    words.join(", ")
}

/// A moment to the minute, in UTC.
pub(super) fn moment(secs: u64) -> String {
    let text = UnixTime::from_secs(secs).to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

pub(super) fn review_of(registration: &Registration) -> Option<String> {
    let day = registration.review.as_ref()?;
    Some(if registration.review_due {
        format!("{day} (due)")
    } else {
        day.clone()
    })
}

/// Rows below their headings, in columns; what is missing is a dash.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[Option<String>; N]]) -> String {
    let cell = |row: &[Option<String>; N], column: usize| row[column].clone().unwrap_or_else(|| "-".to_owned());
    let width = |column: usize| {
        let cells = rows.iter().map(|row| cell(row, column).chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or_default()
    };
    let headings = headings.map(|heading| Some(heading.to_owned()));
    let mut out = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for column in 0..N {
            // A string takes everything.
            let _ = write!(line, "{:1$}  ", cell(row, column), width(column));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// What there is to know of one thing, one per line.
pub(super) fn sheet(title: &str, lines: &[(&str, Option<String>)]) -> String {
    let mut out = format!("{title}\n");
    for (label, value) in lines {
        let _ = writeln!(out, "  {label:<9} {}", value.as_deref().unwrap_or("-"));
    }
    out
}

/// A list of names; `none` where it is empty.
pub(super) fn names(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

impl From<NotChanged> for Failure {
    fn from(error: NotChanged) -> Self {
        match error {
            NotChanged::Before(faults) => Self::Configuration(faults),
            error => Self::Other(error.to_string()),
        }
    }
}
