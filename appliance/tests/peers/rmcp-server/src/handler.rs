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
    task_manager::TaskManager,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::{broadcast, watch};

use crate::{
    everything::{Does, Everything, Job, Messages, Rounds, fill},
    rounds::{self, Turn},
    talk::{ask, log, report},
    tasks,
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
    tasks: TaskManager,
}

type Context = RequestContext<RoleServer>;

impl Fixture {
    pub(crate) fn new(everything: Everything) -> Self {
        Self {
            everything: Arc::new(everything),
            changes: broadcast::channel(16).0,
            cancelled: Arc::new(watch::Sender::new(HashSet::new())),
            tasks: TaskManager::new(),
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
            Does::Reply { result } => Ok(complete(result, &args)?.into()),
            Does::Ask { request, fill, done } => {
                let text = fill.as_ref().and_then(|name| args.get(name)).and_then(Value::as_str);
                say(format!("{done}{}", ask(request, text, &context).await?))
            }
            Does::Rounds(plan) => play(plan, request, &context),
            Does::Task(job) => self.begin(job, request, &context).await,
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

    async fn begin(
        &self,
        job: &Job,
        request: CallToolRequestParams,
        context: &Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let args = request.arguments.clone().unwrap_or_default();
        let knows_tasks = context
            .client_capabilities()
            .is_some_and(|declared| declared.supports_tasks());
        if job.required && !knows_tasks {
            let tasks = ClientCapabilities::builder().enable_tasks().build();
            return Err(ErrorData::missing_required_client_capability(tasks));
        }
        let answers = match &job.rounds {
            None => InputResponses::new(),
            Some(rounds) => match rounds::play(
                &request.name,
                rounds,
                request.input_responses,
                request.request_state.as_deref(),
            )? {
                Turn::Ask(asked) => return Ok(asked.into()),
                Turn::Done(answers) => answers,
            },
        };
        if knows_tasks {
            return Ok(tasks::start(&self.tasks, job.clone(), args, answers).into());
        }
        tasks::wait(&args).await;
        Ok(tasks::outcome(job, args, &answers)?.into())
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
            .enable_tasks()
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

    async fn get_task(&self, request: GetTaskParams, _: Context) -> Result<GetTaskResult, ErrorData> {
        self.tasks.get_task(&request.task_id).map(GetTaskResult::new)
    }

    async fn update_task(&self, request: UpdateTaskParams, _: Context) -> Result<(), ErrorData> {
        self.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(&self, request: CancelTaskParams, _: Context) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
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

/// The result that a tool's data describes.
pub(crate) fn complete(result: &Value, args: &Map<String, Value>) -> Result<CallToolResult, ErrorData> {
    let mut result: CallToolResult = typed(fill(result.clone(), args))?;
    // What was read from data carries none; the SDK drops it again for a legacy client.
    result.result_type = Some(ResultType::COMPLETE);
    Ok(result)
}

fn token(args: &Map<String, Value>) -> String {
    args.get("token").and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "every arm of the tool table ends in it")]
pub(crate) fn say(text: impl Into<String>) -> Result<CallToolResponse, ErrorData> {
    Ok(CallToolResult::success(vec![ContentBlock::text(text.into())]).into())
}

pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(failed)
}

pub(crate) fn failed(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}
