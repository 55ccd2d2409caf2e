//! The fixture's answers to each MCP request, in both eras.
//! Must never depend on anything but the request, the shared data and the cancellations seen so far.
#![expect(
    deprecated,
    reason = "logging and sampling are deprecated in 2026-07-28 and the tests need them all the same"
)]

use std::{collections::HashSet, sync::Arc, time::Duration};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::*,
    service::{RequestContext, SubscriptionContext},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::{broadcast, watch};

use crate::{
    everything::{Ask, Does, Everything, Messages, Rounds, fill},
    rounds::{self, Turn},
};

/// How long a client may keep what it was told to cache, milliseconds.
const TTL_MS: u64 = 1000;

/// A list that changed.
#[derive(Clone, Copy)]
enum Changed {
    Tools,
    Prompts,
}

/// One handler; clones share their state, so that a modern client's separate requests meet.
#[derive(Clone)]
pub(crate) struct Fixture {
    everything: Arc<Everything>,
    changes: broadcast::Sender<Changed>,
    cancelled: Arc<watch::Sender<HashSet<String>>>,
}

type Context = RequestContext<RoleServer>;

impl Fixture {
    pub(crate) fn new(everything: Everything) -> Self {
        Self {
            everything: Arc::new(everything),
            changes: broadcast::channel(16).0,
            cancelled: Arc::new(watch::Sender::new(HashSet::new())),
        }
    }

    async fn run(
        &self,
        does: &Does,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let args = request.arguments.clone().unwrap_or_default();
        match does {
            Does::Reply { result } => {
                let mut result = result.clone();
                // What was read from data carries none; the SDK drops it again for a legacy client.
                result.result_type = Some(ResultType::COMPLETE);
                Ok(result.into())
            }
            Does::Ask { request, fill, done } => {
                let text = fill.as_ref().and_then(|name| args.get(name)).and_then(Value::as_str);
                say(format!("{done}{}", ask(request, text, &context).await?))
            }
            Does::Rounds(plan) => play(plan, request, &context),
            Does::Logging => log(&context).await,
            Does::Progress => {
                for progress in [0, 50, 100] {
                    report(&context, progress).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                say("Progressed")
            }
            Does::Reconnect => say("Reconnected"),
            Does::Wait => {
                report(&context, 0).await;
                context.ct.cancelled().await;
                self.cancelled.send_modify(|seen| {
                    seen.insert(token(&args));
                });
                say("Cancelled")
            }
            Does::Cancelled => {
                let token = token(&args);
                let seen = self
                    .cancelled
                    .subscribe()
                    .wait_for(|seen| seen.contains(&token))
                    .await
                    .is_ok();
                say(format!("Cancelled: {seen}"))
            }
            Does::NeedsSampling => match context.client_capabilities() {
                Some(declared) if declared.sampling.is_some() => say("Sampling is declared"),
                _ => Err(ErrorData::missing_required_client_capability(
                    ClientCapabilities::builder().enable_sampling().build(),
                )),
            },
            Does::ToolsChanged => self.announce(Changed::Tools),
            Does::PromptsChanged => self.announce(Changed::Prompts),
        }
    }

    fn announce(&self, changed: Changed) -> Result<CallToolResponse, ErrorData> {
        // Nobody may be listening, which is no failure of the tool.
        let _ = self.changes.send(changed);
        say("Announced")
    }
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .enable_logging()
            .enable_completions()
            .build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("portreeve-fixture-rmcp", "1.0.0"))
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: Context) -> Result<ListToolsResult, ErrorData> {
        let tools = self.everything.tools.iter().map(|entry| entry.tool.clone());
        Ok(ListToolsResult::with_all_items(tools.collect())
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: Context) -> Result<CallToolResponse, ErrorData> {
        let found = self
            .everything
            .tools
            .iter()
            .find(|entry| entry.tool.name == request.name);
        match found {
            Some(entry) => self.run(&entry.does, request, context).await,
            None => Err(ErrorData::invalid_params(
                format!("Unknown tool: {}", request.name),
                None,
            )),
        }
    }

    /// Lets the SDK hold the tool's `Mcp-Param-*` headers against its schema.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        let found = self.everything.tools.iter().find(|entry| entry.tool.name == name);
        found.map(|entry| entry.tool.clone())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompts = self.everything.prompts.iter().map(|entry| entry.prompt.clone());
        Ok(ListPromptsResult::with_all_items(prompts.collect())
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(&self, request: GetPromptRequestParams, _: Context) -> Result<GetPromptResponse, ErrorData> {
        let found = self
            .everything
            .prompts
            .iter()
            .find(|entry| entry.prompt.name == request.name);
        let entry =
            found.ok_or_else(|| ErrorData::invalid_params(format!("Unknown prompt: {}", request.name), None))?;
        if let Some(asked) = &entry.rounds
            && let Turn::Ask(mut asked) = rounds::play(
                &request.name,
                asked,
                request.input_responses,
                request.request_state.as_deref(),
            )?
        {
            asked.request_state = None;
            return Ok(asked.into());
        }
        let messages: Messages = typed(fill(entry.messages.clone(), &request.arguments.unwrap_or_default()))?;
        Ok(GetPromptResult::new(messages).into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resources = self.everything.resources.iter().map(|entry| entry.resource.clone());
        Ok(ListResourcesResult::with_all_items(resources.collect())
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let templates = self.everything.templates.iter().map(|entry| entry.template.clone());
        Ok(ListResourceTemplatesResult::with_all_items(templates.collect())
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let contents = self
            .everything
            .resources
            .iter()
            .find(|entry| entry.resource.uri == uri)
            .map(|entry| {
                let mut contents = entry.contents.clone();
                contents.insert("mimeType".to_owned(), json!(entry.resource.mime_type));
                contents
            })
            .or_else(|| self.fill_template(&uri));
        let Some(mut contents) = contents else {
            return Err(ErrorData::resource_not_found(
                "Resource not found",
                Some(json!({ "uri": uri })),
            ));
        };
        contents.insert("uri".to_owned(), json!(uri));
        Ok(ReadResourceResult::new(vec![typed(Value::Object(contents))?])
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public)
            .into())
    }

    async fn complete(&self, _: CompleteRequestParams, _: Context) -> Result<CompleteResult, ErrorData> {
        let values = ["paris", "park", "party"].map(str::to_owned).to_vec();
        let completion = CompletionInfo::new(values).map_err(|error| ErrorData::internal_error(error, None))?;
        Ok(CompleteResult::new(completion))
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.changes.subscribe();
        loop {
            let changed = tokio::select! {
                () = context.cancelled() => return Ok(()),
                changed = changes.recv() => changed,
            };
            // The sink refuses what the client did not ask for, and a listener that fell behind missed a repeat.
            let _ = match changed {
                Ok(Changed::Tools) => context.sink().notify_tool_list_changed().await,
                Ok(Changed::Prompts) => context.sink().notify_prompt_list_changed().await,
                Err(broadcast::error::RecvError::Lagged(_)) => Ok(()),
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
        }
    }
}

impl Fixture {
    fn fill_template(&self, uri: &str) -> Option<Map<String, Value>> {
        self.everything.templates.iter().find_map(|entry| {
            let id = uri.strip_prefix(&entry.prefix)?.strip_suffix(&entry.suffix)?;
            let args = Map::from_iter([("id".to_owned(), json!(id))]);
            let text = fill(json!(entry.text), &args);
            let mime = json!(entry.template.mime_type);
            Some(Map::from_iter([
                ("text".to_owned(), text),
                ("mimeType".to_owned(), mime),
            ]))
        })
    }
}

/// Asks the client's model or person, with `text` as the prompt or message, and answers what came back.
async fn ask(request: &Ask, text: Option<&str>, context: &Context) -> Result<String, ErrorData> {
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

fn play(plan: &Rounds, request: CallToolRequestParams, context: &Context) -> Result<CallToolResponse, ErrorData> {
    let state = request.request_state.as_deref();
    match rounds::play(&request.name, &plan.rounds, request.input_responses, state)? {
        Turn::Done(answers) => say(format!("{} {}", plan.done, json!(answers))),
        Turn::Ask(mut asked) => {
            if !plan.state {
                asked.request_state = None;
            }
            if request.name.ends_with("_capabilities")
                && let Some(asked) = &mut asked.input_requests
            {
                rounds::declared_only(asked, context.client_capabilities().as_ref());
            }
            Ok(asked.into())
        }
    }
}

async fn log(context: &Context) -> Result<CallToolResponse, ErrorData> {
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

async fn report(context: &Context, progress: u32) {
    if let Some(token) = context.meta.get_progress_token() {
        let report = ProgressNotificationParam::new(token, f64::from(progress)).with_total(100.0);
        // A client that went away needs no report.
        let _ = context.peer.notify_progress(report).await;
    }
}

fn token(args: &Map<String, Value>) -> String {
    args.get("token").and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "every arm of the tool table ends in it")]
fn say(text: impl Into<String>) -> Result<CallToolResponse, ErrorData> {
    Ok(CallToolResult::success(vec![ContentBlock::text(text.into())]).into())
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}
