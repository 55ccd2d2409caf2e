//! `portreeve history` and `undo`: the changes by `portreeve agent` and `server`, and the way back.

use clap::Args;

use super::revoke::RunningGate;
use super::{Failure, check, registry};
use crate::admin::contract::{UNDO, Undo, Undone};
use crate::registry::history::{History, VERSIONS_MAX};
use crate::registry::offline;

/// List the last changes by `portreeve agent` and `portreeve server`, newest first.
#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    gate: RunningGate,
}

/// Take the last change by `portreeve agent` or `portreeve server` back.
///
/// The whole file is put back as it was, and in force before this ends; so it is refused if anything else changed the file
/// since. What was revoked is not taken back.
#[derive(Args, Debug)]
pub(super) struct Back {
    #[command(flatten)]
    gate: RunningGate,
}

pub(super) fn list(options: &List) -> Result<String, Failure> {
    let (state_dir, _) = options.gate.find()?;
    let versions = History::of(&state_dir)
        .versions()
        .map_err(|error| Failure::Other(format!("{}: {error}", state_dir.display())))?;
    if versions.is_empty() {
        return Ok("nothing was changed by command yet\n".to_owned());
    }
    let rows: Vec<_> = versions
        .iter()
        .rev()
        .map(|(file, version)| {
            [
                Some(registry::moment(version.time)),
                Some(version.by.to_string()),
                Some(version.what.clone()),
                Some(file.display().to_string()),
            ]
        })
        .take(VERSIONS_MAX)
        .collect();
    Ok(registry::table(
        ["WHEN (UTC)", "USER ID", "WHAT", "THE FILE BEFORE"],
        &rows,
    ))
}

pub(super) fn undo(options: &Back) -> Result<String, Failure> {
    let (undone, _): (Undone, _) = registry::ask(&options.gate, UNDO, &Undo {}, |config| {
        offline::undo(config, check::files)
    })?;
    let where_to = match undone.generation {
        Some(generation) => format!("in force on every core, as generation {generation}"),
        None => "no gate runs here: it is in the file for the next start, and in no audit".to_owned(),
    };
    Ok(format!("taken back: {}\n  {where_to}\n", undone.what))
}
