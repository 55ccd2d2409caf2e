//! Why a message was refused, and the one table from there to HTTP status and JSON-RPC code.
//!
//! Must never repeat the sender's text, but for the version it asked for, bounded.

use core::fmt;

use super::EXTENSION_TASKS;
use super::MessageId;
use super::OwnedId;
use super::Version;
use super::code;
use crate::json::JsonError;
use crate::json::write::ObjectWriter;
use crate::limits::MCP_VERSION_ECHO_BYTES;

/// A refused message, and whom to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpError {
    /// What is wrong.
    pub fault: Fault,
    /// The request's id, where it could be read.
    pub id: Option<OwnedId>,
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The body is no strict JSON, or has a member that some reader takes for another.
    Json(JsonError),
    /// The body is an array of messages.
    Batch,
    /// The body is neither an object nor an array.
    NotAnObject,
    /// There is a member that JSON-RPC does not have, or one that does not go with the others.
    UnknownMember,
    /// `jsonrpc` is not `"2.0"`.
    JsonRpcVersion,
    /// The id is no string within bounds and no integer that is exact everywhere.
    IdForm,
    /// An answer has no id.
    IdMissing,
    /// The method is missing, no string, or too long.
    MethodForm,
    /// The named parameter is missing, of the wrong type, or too long.
    Parameter(&'static str),
    /// A modern request does not carry the required `_meta`.
    MetaMissing,
    /// The named header is wrong.
    Header(&'static str, HeaderFault),
    /// The version header of a legacy request names no revision.
    LegacyVersion,
    /// The revision is not served.
    VersionNotServed {
        /// What was asked for, cut to [`MCP_VERSION_ECHO_BYTES`].
        requested: Box<str>,
    },
    /// The request is about tasks, and the client does not declare the tasks extension.
    TasksNotDeclared,
    /// The notification is none that a client of this era may send.
    NotificationNotAllowed,
    /// A modern client sent an answer.
    ResponseNotAllowed,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// It is required and not there.
    Missing,
    /// It is not what the body says.
    Differs,
    /// Its value has characters or an encoding that are not allowed.
    Malformed,
    /// It is there more than once.
    Repeated,
}

impl Fault {
    pub(super) fn version_not_served(requested: &str) -> Self {
        let end = requested.floor_char_boundary(MCP_VERSION_ECHO_BYTES);
        Self::VersionNotServed {
            requested: requested[..end].into(),
        }
    }
}

impl From<JsonError> for McpError {
    fn from(fault: JsonError) -> Self {
        Self {
            fault: Fault::Json(fault),
            id: None,
        }
    }
}

impl McpError {
    /// The status of the HTTP response.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self.fault {
            Fault::Json(JsonError::Bytes) => 413,
            _ => 400,
        }
    }

    /// The JSON-RPC error code.
    #[must_use]
    pub const fn code(&self) -> i64 {
        match &self.fault {
            Fault::Json(
                JsonError::ByteOrderMark | JsonError::Utf8 | JsonError::Syntax | JsonError::Number | JsonError::Escape,
            ) => code::PARSE_ERROR,
            Fault::Json(_)
            | Fault::Batch
            | Fault::NotAnObject
            | Fault::UnknownMember
            | Fault::JsonRpcVersion
            | Fault::IdForm
            | Fault::IdMissing
            | Fault::MethodForm
            | Fault::LegacyVersion
            | Fault::NotificationNotAllowed
            | Fault::ResponseNotAllowed => code::INVALID_REQUEST,
            Fault::Parameter(_) | Fault::MetaMissing => code::INVALID_PARAMS,
            Fault::Header(..) => code::HEADER_MISMATCH,
            Fault::VersionNotServed { .. } => code::UNSUPPORTED_VERSION,
            Fault::TasksNotDeclared => code::MISSING_CAPABILITY,
        }
    }

    /// Appends the JSON-RPC error response. `served` are the revisions to offer when the one asked for is not.
    pub fn write_body(&self, out: &mut Vec<u8>, served: &[Version]) {
        let data = match &self.fault {
            Fault::VersionNotServed { requested } => Some(version_data(requested, served)),
            Fault::TasksNotDeclared => Some(required_extension(EXTENSION_TASKS)),
            _ => None,
        };
        let id = self.id.as_ref().map(OwnedId::as_id);
        error_body(out, id, self.code(), &self.to_string(), data.as_deref());
    }
}

/// The `data` of an unsupported-version error, as JSON.
#[must_use]
pub fn version_data(requested: &str, served: &[Version]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut members = ObjectWriter::new(&mut data);
    members
        .array("supported", |items| {
            for version in served {
                items.string(version.as_str());
            }
        })
        .string("requested", requested);
    members.finish();
    data
}

/// The `data` of a missing-capability error, as JSON.
fn required_extension(extension: &str) -> Vec<u8> {
    let mut data = Vec::new();
    let mut members = ObjectWriter::new(&mut data);
    members.object("requiredCapabilities", |capabilities| {
        capabilities.object("extensions", |extensions| {
            extensions.object(extension, |_| {});
        });
    });
    members.finish();
    data
}

/// Appends a JSON-RPC error response to `out`. `data` is JSON text. Without an id the member is left out.
pub fn error_body(out: &mut Vec<u8>, id: Option<MessageId<'_>>, code: i64, message: &str, data: Option<&[u8]>) {
    let mut body = ObjectWriter::new(out);
    body.string("jsonrpc", "2.0");
    match id {
        Some(MessageId::Text(text)) => {
            body.string("id", text);
        }
        Some(MessageId::Integer(number)) => {
            body.number_i64("id", number);
        }
        // SPEC: 2026-07-28 schema: the id of an error is optional, and null is none of its types.
        None => {}
    }
    body.object("error", |error| {
        error.number_i64("code", code).string("message", message);
        if let Some(data) = data {
            error.raw("data", data);
        }
    });
    body.finish();
}

impl fmt::Display for McpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(fault) => return fault.fmt(f),
            Self::Parameter(name) => return write!(f, "parameter {name} is missing, of the wrong type or too long"),
            Self::Header(name, fault) => return write!(f, "header {name} {fault}"),
            Self::Batch => "batches are not accepted",
            Self::NotAnObject => "the message is not a JSON object",
            Self::UnknownMember => "the message has a member that does not belong in it",
            Self::JsonRpcVersion => "member jsonrpc must be \"2.0\"",
            Self::IdForm => "the id must be a short string or an exact integer",
            Self::IdMissing => "the response has no id",
            Self::MethodForm => "the method is missing, not a string or too long",
            Self::MetaMissing => "params._meta must name the protocol version and the client capabilities",
            Self::LegacyVersion => "header MCP-Protocol-Version names no known revision",
            Self::VersionNotServed { .. } => "the protocol version is not supported",
            Self::TasksNotDeclared => "the client does not declare the tasks extension",
            Self::NotificationNotAllowed => "the notification is not accepted from a client",
            Self::ResponseNotAllowed => "this protocol version has no responses from a client",
        })
    }
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Differs => "differs from the body",
            Self::Malformed => "is malformed",
            Self::Repeated => "is repeated",
        })
    }
}

impl core::error::Error for McpError {}
impl core::error::Error for Fault {}
