//! Every method of every revision as a type, with the parameters that policy reads.
//!
//! Reading them from a message is in `read`. Must never hold a parameter that was not checked there.

mod read;

use super::Era;
use super::MessageId;
use super::Version;
use crate::json::Array;
use crate::json::Value;

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

    /// Whether only a client that knows the tasks extension may ask this; modern.
    pub(super) const fn is_about_tasks(&self) -> bool {
        match self {
            Self::TasksGet { .. } | Self::TasksUpdate { .. } | Self::TasksCancel { .. } => true,
            Self::Listen(filter) => filter.task_ids.is_some(),
            _ => false,
        }
    }

    /// Whether the revision or its tasks extension requires `Mcp-Name`; the skills extension does not say.
    pub(super) const fn requires_name_header(&self) -> bool {
        self.name().is_some() && !matches!(self, Self::DirectoryRead { .. } | Self::SkillsGet { .. })
    }
}
