//! The fixture's tools, prompts and resources, read from the data shared with the TypeScript fixture.
//! Must never interpret them: what a tool does is `handler`'s to decide.

use rmcp::model::{InputRequests, Prompt, PromptMessage, Resource, ResourceTemplate, Tool};
use serde::Deserialize;
use serde_json::{Map, Value};

/// All that the fixture offers.
#[derive(Deserialize)]
pub(crate) struct Everything {
    pub(crate) tools: Vec<ToolEntry>,
    pub(crate) prompts: Vec<PromptEntry>,
    pub(crate) resources: Vec<ResourceEntry>,
    pub(crate) templates: Vec<TemplateEntry>,
}

/// A tool and how it behaves.
#[derive(Deserialize)]
pub(crate) struct ToolEntry {
    pub(crate) tool: Tool,
    #[serde(flatten)]
    pub(crate) does: Does,
}

/// How a tool behaves.
#[derive(Deserialize)]
#[serde(tag = "does", rename_all = "snake_case")]
pub(crate) enum Does {
    Reply {
        /// May name arguments.
        result: Value,
    },
    Ask {
        request: Ask,
        fill: Option<String>,
        done: String,
    },
    Rounds(Rounds),
    Task(Job),
    Logging,
    Progress,
    Reconnect,
    Wait,
    Cancelled,
    NeedsSampling,
    ToolsChanged,
    PromptsChanged,
}

/// A legacy server-to-client request.
#[derive(Deserialize)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) params: Map<String, Value>,
}

/// The inputs that a modern tool or prompt asks for, round by round.
#[derive(Deserialize)]
pub(crate) struct Rounds {
    pub(crate) rounds: Vec<InputRequests>,
    /// Whether the client carries a state string between the rounds.
    #[serde(default)]
    pub(crate) state: bool,
    /// What the final text begins with.
    #[serde(default)]
    pub(crate) done: String,
}

/// A call that becomes a task.
#[derive(Clone, Deserialize)]
pub(crate) struct Job {
    /// Whether a client that knows no tasks is refused; otherwise it waits for the result.
    pub(crate) required: bool,
    /// What to ask for before the task begins.
    pub(crate) rounds: Option<Vec<InputRequests>>,
    /// What the task asks for, all at once.
    #[serde(default)]
    pub(crate) asks: InputRequests,
    /// May name arguments, and `answers`; without it the task ends in a protocol error.
    pub(crate) result: Option<Value>,
}

/// A prompt, the messages it gives, and what it asks for first.
#[derive(Deserialize)]
pub(crate) struct PromptEntry {
    pub(crate) prompt: Prompt,
    pub(crate) messages: Value,
    pub(crate) rounds: Option<Vec<InputRequests>>,
}

/// A resource and its text or blob.
#[derive(Deserialize)]
pub(crate) struct ResourceEntry {
    pub(crate) resource: Resource,
    pub(crate) contents: Map<String, Value>,
}

/// A template of the shape `PREFIX{id}SUFFIX` and the text it makes.
#[derive(Deserialize)]
pub(crate) struct TemplateEntry {
    pub(crate) template: ResourceTemplate,
    pub(crate) prefix: String,
    pub(crate) suffix: String,
    pub(crate) text: String,
}

impl Everything {
    /// Reads the data built into the binary.
    pub(crate) fn load() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../../everything.json"))
    }
}

/// Replaces `{name}` in every string of `value` by the argument of that name.
pub(crate) fn fill(value: Value, args: &Map<String, Value>) -> Value {
    match value {
        Value::String(text) => Value::String(args.iter().fold(text, |text, (name, arg)| {
            text.replace(&format!("{{{name}}}"), arg.as_str().unwrap_or_default())
        })),
        Value::Array(items) => items.into_iter().map(|item| fill(item, args)).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (name, fill(member, args)))
            .collect(),
        other => other,
    }
}

/// Type of the messages once their placeholders are filled.
pub(crate) type Messages = Vec<PromptMessage>;
