//! The command line: what can be asked, and what the exit code means.
//!
//! One file per subcommand; each takes its options, does one thing, and says what happened. Secrets go to standard
//! output only, and only where they were asked for.

mod agent;
mod check;
mod demo;
mod history;
mod init;
mod issuer;
mod registry;
mod revoke;
mod secret;
mod serve;
mod server;
mod status;
mod token;

use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};

use crate::config::Diagnostic;
use crate::config::diagnostic::unknown_name;
use crate::dump;

const EXIT_CODES: &str = "\
Exit codes:
  0  it is done
  1  it could not be done; standard error says why
  2  the command line is wrong
  3  the configuration, a policy, a key or a key set is wrong";

/// Two identities on every request, a decision on every call.
///
/// portreeve stands between AI agents and MCP servers. It checks which agent calls and for which user, decides each call
/// by its tool and arguments, sends a short-lived token for that one server and tool instead of the credentials it was
/// shown, and keeps a record that cannot be altered unnoticed.
#[derive(Debug, Parser)]
#[command(name = "portreeve", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Arguments {
    /// Without a command: `demo`.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Options),
    /// Say whether a configuration, its policies, key sets and keys are right, and what they amount to.
    Check(ConfigFile),
    /// Guard the servers of a configuration until SIGTERM; changes on disk are taken up while it runs.
    Serve(ConfigFile),
    Token(token::Options),
    Init(init::Options),
    Revoke(revoke::Revoke),
    Restore(revoke::Restore),
    Revocations(revoke::List),
    Status(status::Options),
    Issuer(issuer::Issuer),
    Secret(secret::Options),
    Agent(agent::Agent),
    Server(server::Server),
    History(history::List),
    Undo(history::Back),
}

#[derive(Args, Debug)]
struct ConfigFile {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "portreeve.toml")]
    config: PathBuf,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
enum Failure {
    /// The configuration or a file it names is wrong.
    Configuration(Vec<Diagnostic>),
    /// Something else, in words.
    Other(String),
    /// What was asked is answered on standard output, and the answer is no.
    Told(String),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Other(_) | Self::Told(_) => ExitCode::from(1),
            Self::Configuration(_) => ExitCode::from(3),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(reason) => write!(f, "portreeve: {reason}"),
            Self::Told(answer) => f.write_str(answer),
            Self::Configuration(faults) => {
                for fault in faults {
                    writeln!(f, "{fault}")?;
                }
                match faults.len() {
                    1 => f.write_str("portreeve: one thing is wrong"),
                    count => write!(f, "portreeve: {count} things are wrong"),
                }
            }
        }
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(faults: Vec<Diagnostic>) -> Self {
        Self::Configuration(faults)
    }
}

/// A name that is not among the `known` ones, with the nearest of them.
fn unknown(noun: &str, name: &str, known: &[&str]) -> Failure {
    Failure::Other(unknown_name(noun, name, known))
}

/// Does what the command line asks.
pub fn run() -> ExitCode {
    let started = Instant::now();
    let command = Arguments::parse()
        .command
        .unwrap_or(Command::Demo(demo::Options::default()));
    // Before any key is read.
    let dumps = dump::forbid().map_err(|error| Failure::Other(format!("core dumps cannot be forbidden: {error}")));
    let done = dumps.and_then(|()| match command {
        Command::Demo(options) => demo::run(&options, started),
        Command::Check(file) => check::run(&file.config),
        Command::Serve(file) => serve::run(&file.config),
        Command::Token(options) => token::run(&options),
        Command::Init(options) => init::run(&options),
        Command::Revoke(options) => revoke::revoke(&options),
        Command::Restore(options) => revoke::restore(&options),
        Command::Revocations(options) => revoke::list(&options),
        Command::Status(options) => status::run(&options),
        Command::Issuer(options) => issuer::run(&options),
        Command::Secret(options) => secret::run(&options),
        Command::Agent(options) => agent::run(&options),
        Command::Server(options) => server::run(&options),
        Command::History(options) => history::list(&options),
        Command::Undo(options) => history::undo(&options),
    });
    match done.and_then(|text| say(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told(answer)) => {
            // Where nobody listens, the exit code still speaks.
            let _ = say(&answer);
            ExitCode::from(1)
        }
        Err(failure) => {
            // Nothing can be said where standard error is gone; the exit code still speaks.
            let _ = writeln!(io::stderr(), "{failure}");
            failure.exit_code()
        }
    }
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Other(format!("standard output: {error}")))
}
