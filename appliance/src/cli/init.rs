//! `portreeve init`: a configuration to start from, with keys and an example policy. Never overwrites anything.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::config::{self, keys};

const CONFIG: &str = include_str!("init/portreeve.toml");
const POLICY: &str = include_str!("init/start.cedar");

/// Write a commented configuration, an example policy and fresh keys.
///
/// The result passes `portreeve check` as it is. Refuses if the configuration or the policy is there already, and then
/// writes nothing; keys that are there are kept.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// The directory; made if it is missing.
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
}

pub(super) fn run(options: &Options) -> Result<String, Failure> {
    let directory = &options.directory;
    let state = directory.join("state");
    let files = [
        (directory.join("portreeve.toml"), CONFIG),
        (directory.join("policies").join("start.cedar"), POLICY),
        // Keys and audit must never be committed by accident.
        (state.join(".gitignore"), "*\n"),
    ];
    let present: Vec<String> = files
        .iter()
        .filter(|(path, _)| path.exists())
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !present.is_empty() {
        return Err(Failure::Other(format!(
            "nothing was written, because this is there already: {}\n  hint: move it away, or name another directory",
            present.join(", ")
        )));
    }
    make_directory(&directory.join("policies"), 0o755)?;
    make_directory(&state, 0o700)?;
    for (path, text) in &files {
        write_new(path, text)?;
    }
    let path = directory.join("portreeve.toml");
    let config = config::load(&path)?;
    let made = keys::ensure(&config).map_err(|fault| vec![fault])?;
    Ok(report(directory, &path, made.len()))
}

fn make_directory(path: &Path, mode: u32) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|error| Failure::Other(format!("{}: cannot be made: {error}", path.display())))
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| Failure::Other(format!("{}: cannot be written: {error}", path.display())))
}

fn report(directory: &Path, config: &Path, keys: usize) -> String {
    let shown = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let config = config.display();
    format!(
        "\
Wrote to {shown}:

  portreeve.toml        servers, agents, users: start with [servers]
  policies/start.cedar  who may do what
  state/                keys ({keys} new) and audit; for this user only, never committed

Next:

  portreeve check --config {config}
  portreeve serve --config {config}
  portreeve token --config {config} --agent claude-code --user me
",
        shown = shown.display()
    )
}
