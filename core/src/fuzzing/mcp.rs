//! MCP messages against serde_json: what is recognised is what another reader finds in the same body and headers.

use crate::json::Limits;
use crate::json::Scratch;
use crate::json::parse;
use crate::mcp;
use crate::mcp::Era;
use crate::mcp::Kind;
use crate::mcp::McpHeaders;
use crate::mcp::MessageId;
use crate::mcp::Operation;

/// Reads `bytes` as header lines `name:value`, an empty line, and a body.
pub fn mcp(bytes: &[u8]) {
    let (head, body) = match memchr::memmem::find(bytes, b"\n\n") {
        Some(end) => (&bytes[..end], &bytes[end + 2..]),
        None => (&b""[..], bytes),
    };
    let fields = head.split(|b| *b == b'\n').filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        Some((
            core::str::from_utf8(&line[..colon]).ok()?,
            line[colon + 1..].trim_ascii(),
        ))
    });
    let Ok(headers) = McpHeaders::read(fields.clone()) else {
        return;
    };
    let mut scratch = Scratch::new();
    let Ok(document) = parse(body, &mut scratch, &Limits::MESSAGE) else {
        return;
    };
    let Ok(message) = mcp::parse(&headers, document.root()) else {
        return;
    };
    let Ok(theirs) = serde_json::from_slice::<serde_json::Value>(body) else {
        return; // a number that only serde_json takes for infinite
    };
    assert_eq!(theirs["jsonrpc"], "2.0");
    match message.kind {
        Kind::Response { id, is_error } => {
            same_id(id, &theirs);
            assert_eq!((theirs.get("method"), theirs.get("error").is_some()), (None, is_error));
        }
        Kind::Notification { method, .. } => assert_eq!((&theirs["method"], theirs.get("id")), (&method.into(), None)),
        Kind::Request { id, operation } => {
            same_id(id, &theirs);
            same_subject(&operation, &theirs);
        }
    }
    if message.era == Era::Modern
        && let Kind::Request { operation, .. } = message.kind
    {
        let value = |name: &str| {
            fields
                .clone()
                .find(|(field, _)| field.eq_ignore_ascii_case(name))
                .map(|(_, v)| v)
        };
        let says = |name: &str, body: &serde_json::Value| value(name) == body.as_str().map(str::as_bytes);
        assert!(says(
            "mcp-protocol-version",
            &theirs["params"]["_meta"][mcp::META_VERSION]
        ));
        assert!(says("mcp-method", &theirs["method"]));
        let coded = value("mcp-name").is_some_and(|name| name.starts_with(b"=?base64?"));
        assert!(coded || !matches!(operation, Operation::ToolsCall(_)) || says("mcp-name", &theirs["params"]["name"]));
    }
}

fn same_id(ours: MessageId<'_>, theirs: &serde_json::Value) {
    let mut written = Vec::new();
    ours.write(&mut written);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&written).ok().as_ref(),
        theirs.get("id")
    );
}

/// Compares what a decision would be about.
fn same_subject(operation: &Operation<'_>, theirs: &serde_json::Value) {
    let params = &theirs["params"];
    let (method, member, subject) = match *operation {
        Operation::ToolsCall(call) => ("tools/call", "name", call.name),
        Operation::PromptsGet(get) => ("prompts/get", "name", get.name),
        Operation::ResourcesRead { uri, .. } => ("resources/read", "uri", uri),
        Operation::ResourcesSubscribe { uri } => ("resources/subscribe", "uri", uri),
        Operation::TasksGet { task_id } => ("tasks/get", "taskId", task_id),
        Operation::Unknown { method } => return assert_eq!(theirs["method"], method),
        _ => return,
    };
    assert_eq!((&theirs["method"], &params[member]), (&method.into(), &subject.into()));
    if let Operation::ToolsCall(call) = operation {
        let arguments = call
            .arguments
            .map(|arguments| serde_json::from_slice(arguments.raw()).ok());
        assert_eq!(arguments.flatten().as_ref(), params.get("arguments"));
    }
}
