//! One MCP message, read once: its era, its version, and what it asks for.
//!
//! Owns the rules of the Model Context Protocol that an intermediary which inspects messages is bound by: the ladder
//! that tells the eras apart, the agreement of headers and body, the methods of each era, ids, and the status and code
//! of every refusal. Specification revisions 2024-11-05 to 2026-07-28 and the tasks extension.
//!
//! Must never decide who may do what, and never let through a message that it has not recognised: what is unknown is
//! a variant of its own or an error.
//!
//! INVARIANT: a [`Message`] that exists agrees with its headers, so that either may be forwarded.

pub mod code;
mod envelope;
mod error;
mod header;
mod id;
mod operation;
mod params;
mod version;

#[cfg(test)]
mod tests;

use self::envelope::Body;
use self::envelope::Call;
use self::envelope::Envelope;
pub use self::error::Fault;
pub use self::error::HeaderFault;
pub use self::error::McpError;
pub use self::error::error_body;
pub use self::error::version_data;
pub use self::header::McpHeaders;
pub(crate) use self::header::decode as decode_header;
pub use self::header::encode as encode_header;
pub use self::id::MessageId;
pub use self::id::OwnedId;
pub use self::operation::Completion;
pub use self::operation::Initialize;
pub use self::operation::Listen;
pub use self::operation::Notice;
pub use self::operation::Operation;
pub use self::operation::PromptsGet;
pub use self::operation::Reference;
pub use self::operation::ToolsCall;
use self::params::Params;
pub use self::version::Era;
pub use self::version::Version;
use crate::json::Value;

/// The `_meta` member that names the revision of a modern request.
pub const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// The `_meta` member that lists what the client of a modern request can do.
pub const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// The extension that a modern client declares to follow tasks.
const EXTENSION_TASKS: &str = "io.modelcontextprotocol/tasks";
/// The members of `_meta` that decide something, and whose case twins are refused.
const META_MEMBERS: &[&str] = &[META_VERSION, META_CAPABILITIES, "progressToken"];

/// A recognised message from a client.
#[derive(Clone, Copy, Debug)]
pub struct Message<'s> {
    /// The rules that it was read by.
    pub era: Era,
    /// The revision that it names; a legacy message need not name one.
    pub version: Option<Version>,
    /// What it is.
    pub kind: Kind<'s>,
    /// `params._meta`, always an object.
    pub meta: Option<Value<'s>>,
}

/// The three kinds of JSON-RPC message.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'s> {
    /// Asks for something and gets an answer.
    Request {
        /// What the answer must carry.
        id: MessageId<'s>,
        /// What is asked for.
        operation: Operation<'s>,
    },
    /// Tells something and gets no answer.
    Notification {
        /// The method, exactly as sent.
        method: &'s str,
        /// What is told.
        notice: Notice<'s>,
    },
    /// Answers a request of the server; legacy only.
    Response {
        /// The id that the server chose.
        id: MessageId<'s>,
        /// Whether it carries an error instead of a result.
        is_error: bool,
    },
}

/// Reads the message in `root` under the rules of the era that it and its headers claim.
///
/// # Errors
///
/// An [`McpError`] with the HTTP status, JSON-RPC code and, where it could be read, the id of the answer. When several
/// rules are broken the order is: envelope, `_meta`, version header, version, other headers and parameters,
/// undeclared extension.
pub fn parse<'s>(headers: &McpHeaders<'s>, root: Value<'s>) -> Result<Message<'s>, McpError> {
    let envelope = Envelope::read(root)?;
    read(headers, &envelope).map_err(|fault| McpError {
        fault,
        id: envelope.id.map(OwnedId::from),
    })
}

fn read<'s>(headers: &McpHeaders<'s>, envelope: &Envelope<'s>) -> Result<Message<'s>, Fault> {
    match (&envelope.body, envelope.id) {
        (Body::Answer { is_error }, Some(id)) => answer(headers, id, *is_error),
        (Body::Answer { .. }, None) => Err(Fault::IdMissing),
        (Body::Call(call), id) => {
            let params = Params::read(call.params)?;
            let meta = params.meta()?;
            // SPEC: 2026-07-28 basic/versioning: modern metadata selects modern; the header must then agree.
            let names_version = meta.and_then(|meta| meta.get(META_VERSION)).is_some();
            if names_version || headers.claims_modern() {
                modern(headers, call, id, params, meta)
            } else {
                legacy(headers, call, id, params, meta)
            }
        }
    }
}

fn answer<'s>(headers: &McpHeaders<'s>, id: MessageId<'s>, is_error: bool) -> Result<Message<'s>, Fault> {
    // SPEC: 2026-07-28 basic/transports: the client MUST NOT post responses.
    if headers.claims_modern() {
        return Err(Fault::ResponseNotAllowed);
    }
    Ok(Message {
        era: Era::Legacy,
        version: headers.legacy_version()?,
        kind: Kind::Response { id, is_error },
        meta: None,
    })
}

fn legacy<'s>(
    headers: &McpHeaders<'s>,
    call: &Call<'s>,
    id: Option<MessageId<'s>>,
    params: Params<'s>,
    meta: Option<Value<'s>>,
) -> Result<Message<'s>, Fault> {
    Ok(Message {
        era: Era::Legacy,
        version: headers.legacy_version()?,
        kind: kind(Era::Legacy, call, id, params)?,
        meta,
    })
}

fn modern<'s>(
    headers: &McpHeaders<'s>,
    call: &Call<'s>,
    id: Option<MessageId<'s>>,
    params: Params<'s>,
    meta: Option<Value<'s>>,
) -> Result<Message<'s>, Fault> {
    let named = match (id, meta) {
        (Some(_), None) => return Err(Fault::MetaMissing),
        (Some(_), Some(meta)) => Some(request_meta(meta)?),
        (None, meta) => optional_version(meta)?,
    };
    let version = headers.modern_version(named)?;
    headers.agree_on_method(call.method, id.is_some())?;
    let kind = kind(Era::Modern, call, id, params)?;
    if let Kind::Request { operation, .. } = &kind {
        headers.agree_on_name(operation)?;
        headers.check_params()?;
        // SPEC: tasks extension 2026-07-28: -32021 for a client that does not declare it on this very request.
        if operation.is_about_tasks() && !meta.is_some_and(declares_tasks) {
            return Err(Fault::TasksNotDeclared);
        }
    }
    Ok(Message {
        era: Era::Modern,
        version: Some(version),
        kind,
        meta,
    })
}

/// The version that a modern request's `_meta` names, once its required members are there.
fn request_meta(meta: Value<'_>) -> Result<&str, Fault> {
    // SPEC: 2026-07-28 basic/index: version and capabilities are required on every request.
    let version = meta.get(META_VERSION).and_then(Value::as_str);
    let capabilities = meta.get(META_CAPABILITIES).and_then(Value::as_object);
    version.filter(|_| capabilities.is_some()).ok_or(Fault::MetaMissing)
}

fn declares_tasks(meta: Value<'_>) -> bool {
    meta.path(&[META_CAPABILITIES, "extensions", EXTENSION_TASKS])
        .is_some_and(|declared| declared.as_object().is_some())
}

fn optional_version(meta: Option<Value<'_>>) -> Result<Option<&str>, Fault> {
    match meta.and_then(|meta| meta.get(META_VERSION)) {
        Some(version) => version.as_str().map(Some).ok_or(Fault::MetaMissing),
        None => Ok(None),
    }
}

fn kind<'s>(era: Era, call: &Call<'s>, id: Option<MessageId<'s>>, params: Params<'s>) -> Result<Kind<'s>, Fault> {
    match id {
        Some(id) => Ok(Kind::Request {
            id,
            operation: Operation::read(era, call.method, params)?,
        }),
        None => Ok(Kind::Notification {
            method: call.method,
            notice: Notice::read(era, call.method, params)?,
        }),
    }
}
