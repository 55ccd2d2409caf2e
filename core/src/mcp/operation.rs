//! Every method of every revision as a type, with the parameters that policy reads.
//!
//! Must never guess: a method that its era does not have is [`Operation::Unknown`], or refused as a notification.

use super::Era;
use super::Fault;
use super::MessageId;
use super::Version;
use super::params::Params;
use crate::json::Array;
use crate::json::Value;
use crate::limits::MCP_CURSOR_BYTES;
use crate::limits::MCP_LISTEN_ITEMS;
use crate::limits::MCP_NAME_BYTES;
use crate::limits::MCP_URI_BYTES;

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub enum Operation<'s> {
    /// `initialize`; legacy.
    Initialize(Initialize<'s>),
    /// `ping`; legacy.
    Ping,
    /// `server/discover`; modern.
    Discover,
    /// `tools/list`
    ToolsList {
        /// The page to continue at.
        cursor: Option<&'s str>,
    },
    /// `tools/call`
    ToolsCall(ToolsCall<'s>),
    /// `prompts/list`
    PromptsList {
        /// The page to continue at.
        cursor: Option<&'s str>,
    },
    /// `prompts/get`
    PromptsGet(PromptsGet<'s>),
    /// `resources/list`
    ResourcesList {
        /// The page to continue at.
        cursor: Option<&'s str>,
    },
    /// `resources/templates/list`
    ResourceTemplatesList {
        /// The page to continue at.
        cursor: Option<&'s str>,
    },
    /// `resources/read`
    ResourcesRead {
        /// The resource.
        uri: &'s str,
        /// Whether it continues a request that was answered with a question; modern.
        retry: bool,
    },
    /// `resources/subscribe`; legacy.
    ResourcesSubscribe {
        /// The resource.
        uri: &'s str,
    },
    /// `resources/unsubscribe`; legacy.
    ResourcesUnsubscribe {
        /// The resource.
        uri: &'s str,
    },
    /// `resources/directory/read`; the skills extension, modern.
    DirectoryRead {
        /// The directory.
        uri: &'s str,
    },
    /// `skills/list`; the skills extension, modern.
    SkillsList {
        /// The page to continue at.
        cursor: Option<&'s str>,
    },
    /// `skills/get`; the skills extension, modern.
    SkillsGet {
        /// The skill.
        uri: &'s str,
    },
    /// `completion/complete`
    Complete(Completion<'s>),
    /// `logging/setLevel`; legacy.
    SetLogLevel {
        /// The level, as sent.
        level: &'s str,
    },
    /// `subscriptions/listen`; modern.
    Listen(Listen<'s>),
    /// `tasks/get`
    TasksGet {
        /// The task.
        task_id: &'s str,
    },
    /// `tasks/update`; modern.
    TasksUpdate {
        /// The task.
        task_id: &'s str,
    },
    /// `tasks/cancel`
    TasksCancel {
        /// The task.
        task_id: &'s str,
    },
    /// `tasks/result`; legacy.
    TasksResult {
        /// The task.
        task_id: &'s str,
    },
    /// `tasks/list`; legacy.
    TasksList {
        /// The page to continue at.
        cursor: Option<&'s str>,
    },
    /// A method that the era does not have. Answered, never forwarded.
    Unknown {
        /// The method, as sent.
        method: &'s str,
    },
}

/// The handshake.
#[derive(Clone, Copy, Debug)]
pub struct Initialize<'s> {
    /// `protocolVersion` as a value, so that its source text can be replaced.
    pub version: Value<'s>,
    /// The revision that the client asks for, if it is one.
    pub requested: Option<Version>,
    /// `capabilities`, always an object.
    pub capabilities: Option<Value<'s>>,
    /// `clientInfo`, always an object. Unverified.
    pub client_info: Option<Value<'s>>,
}

impl Initialize<'_> {
    /// The revision to ask the server for: what the client asks for, but never a modern or unknown one.
    #[must_use]
    pub fn offered(&self) -> Version {
        let legacy = self.requested.filter(|version| version.era() == Era::Legacy);
        legacy.unwrap_or(Version::LEGACY_NEWEST)
    }
}

/// A tool call.
#[derive(Clone, Copy, Debug)]
pub struct ToolsCall<'s> {
    /// The tool.
    pub name: &'s str,
    /// The arguments, always an object.
    pub arguments: Option<Value<'s>>,
    /// Whether the client asks for a task; legacy.
    pub task: bool,
    /// Whether it continues a call that was answered with a question; modern.
    pub retry: bool,
}

/// A request for a prompt.
#[derive(Clone, Copy, Debug)]
pub struct PromptsGet<'s> {
    /// The prompt.
    pub name: &'s str,
    /// The arguments, always an object.
    pub arguments: Option<Value<'s>>,
    /// Whether it continues a request that was answered with a question; modern.
    pub retry: bool,
}

/// A request to complete an argument.
#[derive(Clone, Copy, Debug)]
pub struct Completion<'s> {
    /// What the argument belongs to.
    pub reference: Reference<'s>,
    /// The argument.
    pub argument: &'s str,
    /// What has been typed so far.
    pub value: &'s str,
    /// The arguments that are already known, always an object.
    pub arguments: Option<Value<'s>>,
}

/// What a completion is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'s> {
    /// An argument of this prompt.
    Prompt(&'s str),
    /// A variable of this resource template.
    Resource(&'s str),
}

/// What a subscription stream is to carry.
#[derive(Clone, Copy, Debug)]
pub struct Listen<'s> {
    /// Changes of the list of tools.
    pub tools: bool,
    /// Changes of the list of prompts.
    pub prompts: bool,
    /// Changes of the list of resources.
    pub resources: bool,
    /// Resources whose updates are wanted: an array of strings.
    pub uris: Option<Array<'s>>,
    /// Tasks whose progress is wanted: an array of strings.
    pub task_ids: Option<Array<'s>>,
}

/// What a notification tells.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'s> {
    /// `notifications/initialized`; legacy.
    Initialized,
    /// `notifications/cancelled`. A modern server over HTTP takes the closed connection instead: not to be forwarded.
    Cancelled {
        /// The request that is no longer wanted.
        request: MessageId<'s>,
    },
    /// `notifications/progress`; legacy.
    Progress,
    /// `notifications/roots/list_changed`; legacy.
    RootsListChanged,
    /// `notifications/tasks/status`; legacy.
    TaskStatus {
        /// The task.
        task_id: &'s str,
    },
}

impl<'s> Operation<'s> {
    pub(super) fn read(era: Era, method: &'s str, params: Params<'s>) -> Result<Self, Fault> {
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

    /// The method: what `Mcp-Method` says upstream.
    #[must_use]
    pub const fn method(&self) -> &'s str {
        match self {
            Self::Initialize(_) => "initialize",
            Self::Ping => "ping",
            Self::Discover => "server/discover",
            Self::ToolsList { .. } => "tools/list",
            Self::ToolsCall(_) => "tools/call",
            Self::PromptsList { .. } => "prompts/list",
            Self::PromptsGet(_) => "prompts/get",
            Self::ResourcesList { .. } => "resources/list",
            Self::ResourceTemplatesList { .. } => "resources/templates/list",
            Self::ResourcesRead { .. } => "resources/read",
            Self::ResourcesSubscribe { .. } => "resources/subscribe",
            Self::ResourcesUnsubscribe { .. } => "resources/unsubscribe",
            Self::DirectoryRead { .. } => "resources/directory/read",
            Self::SkillsList { .. } => "skills/list",
            Self::SkillsGet { .. } => "skills/get",
            Self::Complete(_) => "completion/complete",
            Self::SetLogLevel { .. } => "logging/setLevel",
            Self::Listen(_) => "subscriptions/listen",
            Self::TasksGet { .. } => "tasks/get",
            Self::TasksUpdate { .. } => "tasks/update",
            Self::TasksCancel { .. } => "tasks/cancel",
            Self::TasksResult { .. } => "tasks/result",
            Self::TasksList { .. } => "tasks/list",
            Self::Unknown { method } => method,
        }
    }

    /// What the request is about: what `Mcp-Name` says upstream, before [`encode_header`](super::encode_header).
    #[must_use]
    pub const fn name(&self) -> Option<&'s str> {
        match self {
            Self::ToolsCall(ToolsCall { name, .. }) | Self::PromptsGet(PromptsGet { name, .. }) => Some(name),
            Self::ResourcesRead { uri, .. } | Self::DirectoryRead { uri } | Self::SkillsGet { uri } => Some(uri),
            Self::TasksGet { task_id } | Self::TasksUpdate { task_id } | Self::TasksCancel { task_id } => Some(task_id),
            _ => None,
        }
    }

    /// Whether the revision or its tasks extension requires `Mcp-Name`; the skills extension does not say.
    pub(super) const fn requires_name_header(&self) -> bool {
        self.name().is_some() && !matches!(self, Self::DirectoryRead { .. } | Self::SkillsGet { .. })
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
    pub(super) fn read(era: Era, method: &str, params: Params<'s>) -> Result<Self, Fault> {
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
