//! From a method and its parameters to an operation or a notice.
//!
//! Must never guess: a method that its era does not have is [`Operation::Unknown`], or refused as a notification.

use super::Completion;
use super::Initialize;
use super::Listen;
use super::Notice;
use super::Operation;
use super::PromptsGet;
use super::Reference;
use super::ToolsCall;
use crate::json::Value;
use crate::limits::MCP_CURSOR_BYTES;
use crate::limits::MCP_LISTEN_ITEMS;
use crate::limits::MCP_NAME_BYTES;
use crate::limits::MCP_URI_BYTES;
use crate::mcp::Era;
use crate::mcp::Fault;
use crate::mcp::MessageId;
use crate::mcp::Version;
use crate::mcp::params::Params;

impl<'s> Operation<'s> {
    pub(in crate::mcp) fn read(era: Era, method: &'s str, params: Params<'s>) -> Result<Self, Fault> {
        let cursor = || params.optional_text("cursor", MCP_CURSOR_BYTES);
        let name = || params.text("name", MCP_NAME_BYTES);
        let uri = || params.text("uri", MCP_URI_BYTES);
        let arguments = || params.optional_object("arguments");
        Ok(match method {
            "tools/list" => Self::ToolsList { cursor: cursor()? },
            "tools/call" => Self::ToolsCall(ToolsCall {
                name: name()?,
                arguments: arguments()?,
                // SPEC: tasks extension 2026-07-28: the legacy member MUST be ignored.
                task: era == Era::Legacy && params.optional_object("task")?.is_some(),
                retry: is_retry(era, params)?,
            }),
            "prompts/list" => Self::PromptsList { cursor: cursor()? },
            "prompts/get" => Self::PromptsGet(PromptsGet {
                name: name()?,
                arguments: arguments()?,
                retry: is_retry(era, params)?,
            }),
            "resources/list" => Self::ResourcesList { cursor: cursor()? },
            "resources/templates/list" => Self::ResourceTemplatesList { cursor: cursor()? },
            "resources/read" => Self::ResourcesRead {
                uri: uri()?,
                retry: is_retry(era, params)?,
            },
            "completion/complete" => Self::Complete(Completion::read(params)?),
            "tasks/get" => Self::TasksGet {
                task_id: task_id(params)?,
            },
            "tasks/cancel" => Self::TasksCancel {
                task_id: task_id(params)?,
            },
            _ if era == Era::Legacy => Self::read_legacy(method, params)?,
            _ => Self::read_modern(method, params)?,
        })
    }

    fn read_legacy(method: &'s str, params: Params<'s>) -> Result<Self, Fault> {
        Ok(match method {
            "initialize" => Self::Initialize(Initialize::read(params)?),
            "ping" => Self::Ping,
            "resources/subscribe" => Self::ResourcesSubscribe {
                uri: params.text("uri", MCP_URI_BYTES)?,
            },
            "resources/unsubscribe" => Self::ResourcesUnsubscribe {
                uri: params.text("uri", MCP_URI_BYTES)?,
            },
            "logging/setLevel" => Self::SetLogLevel {
                level: params.text("level", MCP_NAME_BYTES)?,
            },
            "tasks/result" => Self::TasksResult {
                task_id: task_id(params)?,
            },
            "tasks/list" => Self::TasksList {
                cursor: params.optional_text("cursor", MCP_CURSOR_BYTES)?,
            },
            _ => Self::Unknown { method },
        })
    }

    fn read_modern(method: &'s str, params: Params<'s>) -> Result<Self, Fault> {
        Ok(match method {
            "server/discover" => Self::Discover,
            "subscriptions/listen" => Self::Listen(Listen::read(params)?),
            "tasks/update" => {
                params.optional_object("inputResponses")?;
                Self::TasksUpdate {
                    task_id: task_id(params)?,
                }
            }
            "skills/list" => Self::SkillsList {
                cursor: params.optional_text("cursor", MCP_CURSOR_BYTES)?,
            },
            "skills/get" => Self::SkillsGet {
                uri: params.text("uri", MCP_URI_BYTES)?,
            },
            "resources/directory/read" => Self::DirectoryRead {
                uri: params.text("uri", MCP_URI_BYTES)?,
            },
            _ => Self::Unknown { method },
        })
    }
}

impl<'s> Initialize<'s> {
    fn read(params: Params<'s>) -> Result<Self, Fault> {
        let requested = Version::parse(params.text("protocolVersion", MCP_NAME_BYTES)?);
        Ok(Self {
            version: params
                .optional("protocolVersion")
                .ok_or(Fault::Parameter("protocolVersion"))?,
            requested,
            capabilities: params.optional_object("capabilities")?,
            client_info: params.optional_object("clientInfo")?,
        })
    }
}

impl<'s> Completion<'s> {
    fn read(params: Params<'s>) -> Result<Self, Fault> {
        let reference = params.object("ref")?;
        let argument = params.object("argument")?;
        let context = Params::read(params.optional_object("context")?)?;
        Ok(Self {
            reference: match reference.text("type", MCP_NAME_BYTES)? {
                "ref/prompt" => Reference::Prompt(reference.text("name", MCP_NAME_BYTES)?),
                "ref/resource" => Reference::Resource(reference.text("uri", MCP_URI_BYTES)?),
                _ => return Err(Fault::Parameter("type")),
            },
            argument: argument.text("name", MCP_NAME_BYTES)?,
            value: argument
                .optional("value")
                .and_then(Value::as_str)
                .ok_or(Fault::Parameter("value"))?,
            arguments: context.optional_object("arguments")?,
        })
    }
}

impl<'s> Listen<'s> {
    fn read(params: Params<'s>) -> Result<Self, Fault> {
        let wanted = params.object("notifications")?;
        Ok(Self {
            tools: wanted.flag("toolsListChanged")?,
            prompts: wanted.flag("promptsListChanged")?,
            resources: wanted.flag("resourcesListChanged")?,
            uris: wanted.optional_texts("resourceSubscriptions", MCP_LISTEN_ITEMS, MCP_URI_BYTES)?,
            task_ids: wanted.optional_texts("taskIds", MCP_LISTEN_ITEMS, MCP_NAME_BYTES)?,
        })
    }
}

impl<'s> Notice<'s> {
    pub(in crate::mcp) fn read(era: Era, method: &str, params: Params<'s>) -> Result<Self, Fault> {
        Ok(match (method, era) {
            ("notifications/cancelled", _) => Self::Cancelled {
                request: params
                    .optional("requestId")
                    .and_then(MessageId::read)
                    .ok_or(Fault::Parameter("requestId"))?,
            },
            ("notifications/initialized", Era::Legacy) => Self::Initialized,
            ("notifications/progress", Era::Legacy) => Self::Progress,
            ("notifications/roots/list_changed", Era::Legacy) => Self::RootsListChanged,
            ("notifications/tasks/status", Era::Legacy) => Self::TaskStatus {
                task_id: task_id(params)?,
            },
            _ => return Err(Fault::NotificationNotAllowed),
        })
    }
}

fn task_id(params: Params<'_>) -> Result<&str, Fault> {
    params.text("taskId", MCP_NAME_BYTES)
}

/// Whether the request answers the questions of an earlier result (2026-07-28 basic/patterns/mrtr).
fn is_retry(era: Era, params: Params<'_>) -> Result<bool, Fault> {
    if era == Era::Legacy {
        return Ok(false);
    }
    let responses = params.optional_object("inputResponses")?;
    let state = params.optional("requestState");
    if state.is_some_and(|state| state.as_str().is_none()) {
        return Err(Fault::Parameter("requestState"));
    }
    Ok(responses.is_some() || state.is_some())
}
