//! The story: real calls through the real gate, each judged by what came back and by what the gate recorded.
//!
//! Tells nothing that did not happen: every line is printed from an answer, an audit record or the server's own record,
//! and a step that did not end as the script says fails the story by name.

mod judge;
mod page;
mod script;

use std::fmt;
use std::io;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use portreeve_core::credential::KeyError;
use serde_json::Value;
use serde_json::json;

use super::client;
use super::client::Answer;
use super::client::ClientError;
use super::message;
use super::message::Outgoing;
use super::paint::Paint;
use super::stage;
use super::stage::Stage;
use super::verdicts;
use super::verdicts::Verdict;
use crate::clock;
use crate::config::embedded::Credentials;
pub use judge::Fault;
use script::Ask;
use script::Chapter;
use script::Step;

/// Life of the tokens that the story's callers present.
const LIFETIME: Duration = Duration::from_secs(300);

/// Why the story was not told, or not as it should be.
#[derive(Debug)]
pub enum StoryError {
    /// A token could not be made.
    Key(KeyError),
    /// There was no answer to a step, or none that can be read.
    Client(String, ClientError),
    /// The gate's audit could not be read back, or the page not be written.
    Io(io::Error),
    /// A step did not end as it must.
    Misbehaved(String, Fault),
}

impl fmt::Display for StoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::Client(step, error) => write!(f, "{step}: {error}"),
            Self::Io(error) => error.fmt(f),
            Self::Misbehaved(step, fault) => write!(f, "{step}: {fault}"),
        }
    }
}

impl std::error::Error for StoryError {}

impl From<KeyError> for StoryError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<io::Error> for StoryError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A step and what came of it.
#[derive(Debug)]
struct Told {
    step: Step,
    answer: Answer,
    trace: String,
    verdict: Option<Verdict>,
}

/// Tells the whole story on `out`. `started` is when the program was; the first error is that of the first step that
/// misbehaved, after everything has been printed.
pub fn tell(stage: &Stage, started: Instant, paint: Paint, out: &mut dyn Write) -> Result<(), StoryError> {
    let mut caller = Caller {
        stage,
        presented: Vec::new(),
        first_answer: None,
    };
    let mut chapters = Vec::new();
    for Chapter {
        title,
        in_session,
        steps,
    } in script::chapters()
    {
        let told = if in_session {
            caller.in_session(steps)?
        } else {
            caller.one_by_one(steps)?
        };
        chapters.push((title, told));
    }
    // The last call of the story was let through. Its intent was durable before it was sent, and with one shard all
    // records before it are on disk by then.
    let mut recorded = verdicts::read(&stage.audit())?;
    for told in chapters.iter_mut().flat_map(|(_, told)| told) {
        told.verdict = recorded.remove(&told.trace);
    }
    let first_answer = caller.first_answer.unwrap_or_else(Instant::now).duration_since(started);
    let records = stage.server.records();
    let leaked = judge::leaked(&records, &caller.presented);
    page::Page {
        paint,
        first_answer,
        gate: stage.endpoint(),
        leaked,
    }
    .print(out, &chapters, &records)?;
    judge::everything(&chapters, &records, leaked)
}

/// Makes the calls, and remembers every credential that was presented.
struct Caller<'s> {
    stage: &'s Stage,
    presented: Vec<Credentials>,
    first_answer: Option<Instant>,
}

impl Caller<'_> {
    fn one_by_one(&mut self, steps: Vec<Step>) -> Result<Vec<Told>, StoryError> {
        steps
            .into_iter()
            .map(|step| self.perform(step, message::modern))
            .collect()
    }

    fn in_session(&mut self, steps: Vec<Step>) -> Result<Vec<Told>, StoryError> {
        let Some(first) = steps.first() else {
            return Ok(Vec::new());
        };
        let credentials = self.credentials(first)?;
        let named = |error| StoryError::Client("opening a session".to_owned(), error);
        let opened = self
            .post(&credentials, &message::initialize(), &trace_id())
            .map_err(named)?;
        let session = opened.session.ok_or_else(|| {
            StoryError::Misbehaved("opening a session".to_owned(), Fault::Status { status: opened.status })
        })?;
        self.post(&credentials, &message::initialized(&session), &trace_id())
            .map_err(named)?;
        steps
            .into_iter()
            .map(|step| self.perform(step, |method, params| message::legacy(&session, method, &params)))
            .collect()
    }

    fn perform(&mut self, step: Step, write: impl Fn(&str, Value) -> Outgoing) -> Result<Told, StoryError> {
        let credentials = self.credentials(&step)?;
        let outgoing = match &step.ask {
            Ask::List => write("tools/list", json!({})),
            Ask::Call { tool, arguments } => {
                let arguments: serde_json::Map<String, Value> = arguments
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect();
                write("tools/call", json!({ "name": tool, "arguments": arguments }))
            }
        };
        let trace = trace_id();
        let answer = self
            .post(&credentials, &outgoing, &trace)
            .map_err(|error| StoryError::Client(step.words(), error))?;
        self.first_answer.get_or_insert_with(Instant::now);
        Ok(Told {
            step,
            answer,
            trace,
            verdict: None,
        })
    }

    fn credentials(&mut self, step: &Step) -> Result<Credentials, KeyError> {
        let mut credentials = self.stage.credentials(step.agent, step.user, LIFETIME)?;
        if step.issued_to != step.agent {
            credentials.user = self.stage.credentials(step.issued_to, step.user, LIFETIME)?.user;
        }
        self.presented.push(credentials.clone());
        Ok(credentials)
    }

    fn post(&self, credentials: &Credentials, outgoing: &Outgoing, trace: &str) -> Result<Answer, ClientError> {
        let agent = format!("Bearer {}", credentials.agent);
        let parent = format!("00-{trace}-{}-01", &trace[..16]);
        let mut headers = vec![
            ("authorization", agent.as_str()),
            ("x-ai-user-assertion", &credentials.user),
            ("traceparent", &parent),
        ];
        headers.extend(outgoing.headers.iter().map(|(name, value)| (*name, value.as_str())));
        client::post(self.stage.address(), &stage::path(), &headers, &outgoing.body)
    }
}

/// A trace id of its own for each call, by which its audit record is found again.
fn trace_id() -> String {
    let mut bytes = [0; 16];
    clock::entropy(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
