//! What a call says to its client while it runs: questions of the legacy era, log lines and progress.
//! Must never outlive the call it speaks for.
#![expect(
    deprecated,
    reason = "logging and sampling are deprecated in 2026-07-28 and the tests need them all the same"
)]

use std::time::Duration;

use rmcp::{ErrorData, RoleServer, model::*, service::RequestContext};
use serde_json::{Value, json};

use crate::{
    everything::Ask,
    handler::{failed, say, typed},
};

type Context = RequestContext<RoleServer>;

/// Asks the client's model or person, with `text` as the prompt or message, and answers what came back.
pub(crate) async fn ask(request: &Ask, text: Option<&str>, context: &Context) -> Result<String, ErrorData> {
    let mut params = request.params.clone();
    if request.method == "sampling/createMessage" {
        if let Some(text) = text {
            let message = json!([{ "role": "user", "content": { "type": "text", "text": text } }]);
            params.insert("messages".to_owned(), message);
        }
        let answer = context.peer.create_message(typed(Value::Object(params))?).await;
        return answer.map(|answer| json!(answer).to_string()).map_err(failed);
    }
    if let Some(text) = text {
        params.insert("message".to_owned(), json!(text));
    }
    let answer = context.peer.create_elicitation(typed(Value::Object(params))?).await;
    answer.map(|answer| json!(answer).to_string()).map_err(failed)
}

pub(crate) async fn log(context: &Context) -> Result<CallToolResponse, ErrorData> {
    let modern = context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    // SPEC: 2026-07-28 forbids log messages on a request that set no level.
    if !modern || context.meta.log_level().is_some() {
        for line in [
            "Tool execution started",
            "Tool processing data",
            "Tool execution completed",
        ] {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(line));
            context.peer.notify_logging_message(message).await.map_err(failed)?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    say("Logged")
}

pub(crate) async fn report(context: &Context, progress: u32) {
    if let Some(token) = context.meta.get_progress_token() {
        let report = ProgressNotificationParam::new(token, f64::from(progress)).with_total(100.0);
        // A client that went away needs no report.
        let _ = context.peer.notify_progress(report).await;
    }
}
