//! Reads one message and writes what of it may pass. Copies bytes, re-serialises nothing.

use super::Ask;
use super::Asked;
use super::List;
use super::Outcome;
use super::ReplyError;
use super::ReplyFilter;
use super::Verdict;
use crate::json;
use crate::json::Limits;
use crate::json::Object;
use crate::json::Scratch;
use crate::json::Value;
use crate::json::write::Edit;
use crate::json::write::edited;
use crate::limits::MCP_NAME_BYTES;
use crate::mcp::MessageId;

/// Members that decide how a message is read, so that no other spelling of them may stand beside.
const ENVELOPE: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];
const RESULT: &[&str] = &["resultType", "cacheScope", "inputRequests", "task", "taskId"];

/// The error by which a 2025-11-25 server asks the client for an elicitation.
const URL_ELICITATION_REQUIRED: i64 = -32042;

impl ReplyFilter<'_> {
    /// Reads `message`, one JSON-RPC message from the server, and appends to `out` what of it may pass. `shows` says
    /// whether the caller may see the entry with this name, URI or task id.
    ///
    /// # Errors
    /// Any [`ReplyError`]; nothing was written, and the message must be dropped.
    pub fn filter(
        &self,
        message: &[u8],
        scratch: &mut Scratch,
        shows: &mut dyn FnMut(&str) -> bool,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, ReplyError> {
        let document = json::parse(message, scratch, &Limits::REPLY)?;
        let envelope = document.root().as_object().ok_or(ReplyError::NotAMessage)?;
        envelope.refuse_case_twins(ENVELOPE)?;
        if envelope.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(ReplyError::NotAMessage);
        }
        let mut edits = Vec::new();
        let (method, result, error) = (envelope.get("method"), envelope.get("result"), envelope.get("error"));
        let verdict = match (method, result, error) {
            (Some(method), None, None) => self.server_message(method, envelope)?,
            (None, Some(result), None) => {
                self.answers(envelope.get("id"))?;
                Verdict::Response(self.result(result, shows, &mut edits)?)
            }
            (None, None, Some(error)) => {
                error.as_object().ok_or(ReplyError::NotAMessage)?;
                // SPEC: JSON-RPC 2.0 5: an error whose request could not be read has a null id.
                if envelope.get("id").is_some_and(|id| !id.is_null()) {
                    self.answers(envelope.get("id"))?;
                }
                // SPEC: MCP 2025-11-25 elicitation: this error asks the user to open an address.
                if error.get("code").and_then(Value::as_i64) == Some(URL_ELICITATION_REQUIRED) {
                    Verdict::Response(Outcome::InputRequired(vec![Ask::Elicit]))
                } else {
                    Verdict::Response(Outcome::Error)
                }
            }
            _ => return Err(ReplyError::NotAMessage),
        };
        edited(out, document.bytes(), edits);
        Ok(verdict)
    }

    /// A request or notification from the server.
    fn server_message(&self, method: Value<'_>, envelope: Object<'_>) -> Result<Verdict, ReplyError> {
        let method = method.as_str().ok_or(ReplyError::NotAMessage)?;
        let Some(id) = envelope.get("id") else {
            let of = |member| envelope.get("params").and_then(|params| params.get(member));
            let subject = match method {
                "notifications/resources/updated" => of("uri"),
                "notifications/tasks" | "notifications/tasks/status" => of("taskId"),
                _ => None,
            };
            let subject = subject.and_then(Value::as_str).map(str::to_owned);
            return Ok(Verdict::Notification {
                method: method.to_owned(),
                subject,
                asks: asks(of("inputRequests"))?,
            });
        };
        MessageId::read(id).ok_or(ReplyError::NotAMessage)?;
        // SPEC: MCP 2026-07-28 has no requests from server to client; they ride in results.
        match method {
            _ if self.modern => Err(ReplyError::ServerRequest),
            "ping" => Ok(Verdict::Ping),
            "tasks/get" | "tasks/result" | "tasks/list" | "tasks/cancel" => Ok(Verdict::Request(Ask::ClientTask)),
            _ => ask(method).map(Verdict::Request).ok_or(ReplyError::ServerRequest),
        }
    }

    fn answers(&self, id: Option<Value<'_>>) -> Result<(), ReplyError> {
        let id = id.ok_or(ReplyError::NotAMessage)?;
        let answered = MessageId::read(id);
        if answered.is_some() && answered == self.id {
            Ok(())
        } else {
            Err(ReplyError::ForeignId)
        }
    }

    fn result(
        &self,
        result: Value<'_>,
        shows: &mut dyn FnMut(&str) -> bool,
        edits: &mut Vec<Edit>,
    ) -> Result<Outcome, ReplyError> {
        let object = result.as_object().ok_or(ReplyError::NotAMessage)?;
        object.refuse_case_twins(RESULT)?;
        if self.modern
            && matches!(self.asked, Asked::List(_) | Asked::Discover)
            && let Some(scope) = object.get("cacheScope")
        {
            // SPEC: MCP 2026-07-28 caching: `public` lets any cache serve this page to anyone.
            edits.push((scope.span(), b"\"private\"".to_vec()));
        }
        let may_need_input = matches!(
            self.asked,
            Asked::CallTool | Asked::GetPrompt | Asked::List(List::Contents)
        );
        let result_type = match object.get("resultType") {
            Some(given) if self.modern => given.as_str().ok_or(ReplyError::ResultType)?,
            _ => "complete",
        };
        match result_type {
            "complete" => {}
            "input_required" if may_need_input => {
                return Ok(Outcome::InputRequired(asks(object.get("inputRequests"))?));
            }
            "task" if self.asked == Asked::CallTool => return task(Some(result)),
            // SPEC: MCP 2026-07-28 basic: an unknown resultType is invalid.
            _ => return Err(ReplyError::ResultType),
        }
        match self.asked {
            Asked::CallTool if !self.modern && object.get("task").is_some() => task(object.get("task")),
            Asked::List(list) => {
                let removed = cut(list, object, shows, edits)?;
                Ok(Outcome::Complete {
                    removed,
                    asks: Vec::new(),
                })
            }
            _ => Ok(Outcome::Complete {
                removed: 0,
                asks: asks(object.get("inputRequests"))?,
            }),
        }
    }
}

fn task(task: Option<Value<'_>>) -> Result<Outcome, ReplyError> {
    let id = task.and_then(|task| task.get("taskId")).and_then(Value::as_str);
    id.filter(|id| !id.is_empty() && id.len() <= MCP_NAME_BYTES)
        .map(|id| Outcome::Task(id.to_owned()))
        .ok_or(ReplyError::TaskId)
}

fn ask(method: &str) -> Option<Ask> {
    match method {
        "sampling/createMessage" => Some(Ask::Sampling),
        "elicitation/create" => Some(Ask::Elicit),
        "roots/list" => Some(Ask::Roots),
        _ => None,
    }
}

/// What `inputRequests` asks for, each kind as often as it stands there.
fn asks(requests: Option<Value<'_>>) -> Result<Vec<Ask>, ReplyError> {
    let Some(requests) = requests else {
        return Ok(Vec::new());
    };
    let requests = requests.as_object().ok_or(ReplyError::InputRequests)?;
    let one = |request: Value<'_>| {
        request.as_object()?.refuse_case_twins(&["method"]).ok()?;
        ask(request.get("method")?.as_str()?)
    };
    requests
        .iter()
        .map(|(_, request)| one(request).ok_or(ReplyError::InputRequests))
        .collect()
}

/// Removes from `result` the entries that are not to be seen; how many those were.
fn cut(
    list: List,
    result: Object<'_>,
    shows: &mut dyn FnMut(&str) -> bool,
    edits: &mut Vec<Edit>,
) -> Result<usize, ReplyError> {
    result.refuse_case_twins(&[list.member()])?;
    let entries = result.get(list.member()).ok_or(ReplyError::NotAList)?;
    let array = entries.as_array().ok_or(ReplyError::NotAList)?;
    let mut kept = Vec::from(*b"[");
    let mut removed = 0;
    for entry in array.iter() {
        if !list.name_of(entry).is_some_and(&mut *shows) {
            removed += 1;
            continue;
        }
        if kept.len() > 1 {
            kept.push(b',');
        }
        kept.extend_from_slice(entry.raw());
    }
    if removed > 0 {
        kept.push(b']');
        edits.push((entries.span(), kept));
    }
    Ok(removed)
}
