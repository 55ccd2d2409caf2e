//! `portreeve demo`: a town ledger behind the gate, two agents, two users, and the story of what each may do.
//!
//! Everything it needs is made at start and forgotten at the end, on disk only in a temporary directory of its own.
//! Nothing leaves loopback.

pub mod cast;
pub mod client;
pub mod ledger;
pub mod message;
pub mod paint;
pub mod server;
pub mod snippets;
mod socket;
pub mod stage;
pub mod story;
pub mod tools;
pub mod verdicts;

use std::fmt;
use std::io;
use std::io::Write;
use std::time::Instant;

use paint::Paint;
use snippets::Snippets;
use stage::Stage;
use stage::StageError;
use stage::StartGate;
use story::StoryError;

/// Why the demo ends with an error.
#[derive(Debug)]
pub enum DemoError {
    /// It did not start.
    Stage(StageError),
    /// A step did not end as it must.
    Story(StoryError),
    /// The page could not be written, or signals not be waited for.
    Io(io::Error),
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage(error) => write!(f, "the demo did not start: {error}"),
            Self::Story(error) => write!(f, "the story went wrong: {error}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DemoError {}

impl From<StageError> for DemoError {
    fn from(error: StageError) -> Self {
        Self::Stage(error)
    }
}

impl From<StoryError> for DemoError {
    fn from(error: StoryError) -> Self {
        Self::Story(error)
    }
}

impl From<io::Error> for DemoError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Tells the story in front of the gate that `start` starts; then, unless `once`, prints how to try it by hand and
/// serves until interrupted. `started` is when the program was.
///
/// # Errors
/// The first step that did not end as it must, by name, or what kept the demo from starting.
pub fn run(once: bool, started: Instant, start: StartGate) -> Result<(), DemoError> {
    let stage = Stage::stand(start)?;
    let shown = show(&stage, once, started);
    stage.close();
    shown
}

fn show(stage: &Stage, once: bool, started: Instant) -> Result<(), DemoError> {
    let paint = Paint::for_stdout();
    let mut out = io::stdout().lock();
    story::tell(stage, started, paint, &mut out)?;
    if once {
        return Ok(());
    }
    let credentials = stage
        .credentials(&cast::QUILL, &cast::MARA, stage::LIFETIME_MAX)
        .map_err(StoryError::Key)?;
    Snippets {
        endpoint: &stage.endpoint(),
        credentials: &credentials,
        paint,
    }
    .print(&mut out)?;
    writeln!(
        out,
        "\nServing until Ctrl-C. Until then its configuration, policies and audit are in"
    )?;
    writeln!(out, "{}", stage.folder().display())?;
    out.flush()?;
    wait_for_interrupt()?;
    Ok(())
}

/// Returns on SIGINT or SIGTERM.
fn wait_for_interrupt() -> io::Result<()> {
    use tokio::signal::unix::SignalKind;
    use tokio::signal::unix::signal;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}
