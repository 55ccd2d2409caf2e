//! What comes back: one JSON-RPC message from a server, read, cut to what the caller may see, or refused.
//!
//! A list loses the entries that policy does not show; what stays is copied byte for byte, cursors and order included.
//! In the modern era `cacheScope` becomes `private` wherever it stands, because a filtered view belongs to one caller.
//! Everything that mediation must still decide (requests to the client, tasks) is handed out as data.
//!
//! The same function serves a JSON body and the data of each SSE event. What cannot be read is an error and must be
//! dropped: this module never passes what it did not understand.

mod filter;
mod list;
#[cfg(test)]
mod tests;

use core::fmt;

pub use list::List;

use crate::json::JsonError;
use crate::mcp::MessageId;

/// What the request was, as far as the shape of its reply depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A list, or a resource whose contents are filtered like one.
    List(List),
    /// `tools/call`.
    CallTool,
    /// `prompts/get`.
    GetPrompt,
    /// `server/discover`, whose answer may be cached like a list.
    Discover,
    /// Anything else.
    Other,
}

/// How to read the messages that come back for one request.
#[derive(Clone, Copy, Debug)]
pub struct ReplyFilter<'a> {
    /// What was asked.
    pub asked: Asked,
    /// Whether the exchange is of the modern era (2026-07-28).
    pub modern: bool,
    /// The id that was sent upstream; `None` on a stream that answers no request.
    pub id: Option<MessageId<'a>>,
}

/// A message that may go to the client, unless mediation objects to what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The response to the request.
    Response(Outcome),
    /// A notification.
    Notification {
        /// Its method.
        method: String,
        /// The resource URI or task id that it is about, which the caller may not be allowed to hear of.
        subject: Option<String>,
        /// What a task that it reports asks of the client.
        asks: Vec<Ask>,
    },
    /// A request to the client (legacy only).
    Request(Ask),
    /// A `ping` from the server (legacy only).
    Ping,
}

/// What a response amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A JSON-RPC error.
    Error,
    /// The final result.
    Complete {
        /// Entries that were removed from the list.
        removed: usize,
        /// What a task asks of the client, in the answer to `tasks/get`.
        asks: Vec<Ask>,
    },
    /// The server needs the client's answers first (`resultType` `input_required`).
    InputRequired(Vec<Ask>),
    /// The tool runs as a task with this id, in either era's shape.
    Task(String),
}

/// Something that a server wants from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `sampling/createMessage`.
    Sampling,
    /// `elicitation/create`.
    Elicit,
    /// `roots/list`.
    Roots,
    /// `tasks/*` about a task that the client runs (2025-11-25 only).
    ClientTask,
}

/// Why a message must be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// Not strict JSON, or over a limit.
    Json(JsonError),
    /// Not one JSON-RPC 2.0 message.
    NotAMessage,
    /// A response to another request than the one that was made.
    ForeignId,
    /// A request to the client in the modern era, which has none, or one with a method that no client serves.
    ServerRequest,
    /// A `resultType` that is unknown, or that this method may not have.
    ResultType,
    /// The list is missing or is no array.
    NotAList,
    /// `inputRequests` is no object of requests that a client may get.
    InputRequests,
    /// A task without an id.
    TaskId,
}

impl From<JsonError> for ReplyError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(_) => "reply is not strict json",
            Self::NotAMessage => "reply is not one json-rpc message",
            Self::ForeignId => "reply answers another request",
            Self::ServerRequest => "server sent a request that no client serves",
            Self::ResultType => "result type is not one of this method",
            Self::NotAList => "list is missing from the result",
            Self::InputRequests => "input requests are not readable",
            Self::TaskId => "task has no id",
        })
    }
}

impl core::error::Error for ReplyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            _ => None,
        }
    }
}
