//! The JSON-RPC 2.0 envelope: which kind of message, and nothing beside its members.
//!
//! Must never pass a member that it does not know: some server may.

use super::Fault;
use super::McpError;
use super::MessageId;
use super::OwnedId;
use crate::json::Object;
use crate::json::Value;
use crate::limits::MCP_METHOD_BYTES;

/// A message without regard to its method.
pub(super) struct Envelope<'s> {
    pub(super) id: Option<MessageId<'s>>,
    pub(super) body: Body<'s>,
}

pub(super) enum Body<'s> {
    Call(Call<'s>),
    Answer { is_error: bool },
}

/// A request or a notification.
pub(super) struct Call<'s> {
    pub(super) method: &'s str,
    pub(super) params: Option<Value<'s>>,
}

impl<'s> Envelope<'s> {
    pub(super) fn read(root: Value<'s>) -> Result<Self, McpError> {
        let without_id = |fault| McpError { fault, id: None };
        // SPEC: 2025-06-18 and later, basic/transports: the body MUST be a single message.
        if root.as_array().is_some() {
            return Err(without_id(Fault::Batch));
        }
        let members = root.as_object().ok_or(without_id(Fault::NotAnObject))?;
        let id = match members.get("id") {
            Some(value) => Some(MessageId::read(value).ok_or(without_id(Fault::IdForm))?),
            None => None,
        };
        match read_body(members) {
            Ok(body) => Ok(Self { id, body }),
            Err(fault) => Err(McpError {
                fault,
                id: id.map(OwnedId::from),
            }),
        }
    }
}

fn read_body(members: Object<'_>) -> Result<Body<'_>, Fault> {
    let (mut method, mut params, mut result, mut error, mut version) = (None, None, None, None, None);
    for (name, value) in members.iter() {
        match name {
            "jsonrpc" => version = value.as_str(),
            "id" => {}
            "method" => method = Some(value),
            "params" => params = Some(value),
            "result" => result = Some(value),
            "error" => error = Some(value),
            _ => return Err(Fault::UnknownMember),
        }
    }
    // SPEC: JSON-RPC 2.0 4: MUST be exactly "2.0".
    if version != Some("2.0") {
        return Err(Fault::JsonRpcVersion);
    }
    match (method, params, result, error) {
        (Some(method), params, None, None) => {
            let method = method.as_str().filter(|name| name.len() <= MCP_METHOD_BYTES);
            Ok(Body::Call(Call {
                method: method.ok_or(Fault::MethodForm)?,
                params,
            }))
        }
        (None, None, Some(_), None) => Ok(Body::Answer { is_error: false }),
        (None, None, None, Some(_)) => Ok(Body::Answer { is_error: true }),
        (None, ..) => Err(Fault::MethodForm),
        (Some(_), ..) => Err(Fault::UnknownMember),
    }
}
