//! Calls that become tasks (tasks extension, 2026-07-28).
//! Must never end a task as anything but cancelled once its client has cancelled it.

use std::time::Duration;

use rmcp::{
    ErrorData,
    model::{CallToolResult, CreateTaskResult, InputResponses},
    task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions},
};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::{
    everything::Job,
    handler::{complete, failed},
};

/// How often a client should ask, milliseconds.
const POLL_MS: u64 = 100;

type Args = Map<String, Value>;

/// Starts `job` as a task; it can be asked for from here on.
pub(crate) fn start(tasks: &TaskManager, job: Job, args: Args, answers: InputResponses) -> CreateTaskResult {
    let options = TaskOptions::new().with_poll_interval_ms(POLL_MS);
    let task = tasks.spawn(options, |task| Box::pin(run(task, job, args, answers)));
    CreateTaskResult::new(task)
}

async fn run(task: TaskContext, job: Job, args: Args, mut answers: InputResponses) -> Result<CallToolResult, TaskExit> {
    let mut asked = JoinSet::new();
    for (key, request) in job.asks.clone() {
        let task = task.clone();
        asked.spawn(async move { (key.clone(), task.request_input(key, request).await) });
    }
    while let Some(answered) = asked.join_next().await {
        let (key, answer) = answered.map_err(failed)?;
        answers.insert(key, answer?);
    }
    tokio::select! {
        biased;
        () = task.cancelled() => Err(TaskExit::Cancelled),
        () = wait(&args) => Ok(outcome(&job, args, &answers)?),
    }
}

/// Takes as long as the call asks for.
pub(crate) async fn wait(args: &Args) {
    let seconds = args.get("seconds").and_then(Value::as_u64).unwrap_or(0);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// What `job` comes to, given what the client answered.
pub(crate) fn outcome(job: &Job, mut args: Args, answers: &InputResponses) -> Result<CallToolResult, ErrorData> {
    let result = job.result.as_ref();
    let result = result.ok_or_else(|| ErrorData::internal_error("The job has no result", None))?;
    args.insert("answers".to_owned(), json!(json!(answers).to_string()));
    complete(result, &args)
}
