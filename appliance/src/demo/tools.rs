//! The ledger's five tools as an MCP server offers them: their definitions, and their arguments read into calls.

use std::fmt;

use portreeve_core::json::Value;

use super::ledger::Call;
use super::ledger::Kind;

/// The definitions, a JSON array.
pub const DEFINITIONS: &str = include_str!("tools.json");

/// Why arguments are not a call. The words are for the caller of the tool.
#[derive(Debug, PartialEq, Eq)]
pub enum ToolError {
    /// No tool has that name.
    NoSuchTool,
    /// This argument is missing or has the wrong type.
    Argument(&'static str),
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchTool => write!(f, "no such tool"),
            Self::Argument(name) => write!(f, "argument {name} is missing or has the wrong type"),
        }
    }
}

impl std::error::Error for ToolError {}

/// Reads a call of `tool` with `arguments`.
pub fn read(tool: &str, arguments: Option<Value<'_>>) -> Result<Call, ToolError> {
    let arguments = Arguments(arguments);
    match tool {
        "list_entries" => {
            let kind = arguments.optional("kind", |value| value.as_str().and_then(Kind::from_name))?;
            Ok(Call::ListEntries { kind })
        }
        "read_entry" => Ok(Call::ReadEntry {
            id: arguments.text("id")?,
        }),
        "update_entry" => Ok(Call::UpdateEntry {
            id: arguments.text("id")?,
            status: arguments.optional("status", |value| value.as_str().map(str::to_owned))?,
            amount: arguments.optional("amount", Value::as_i64)?,
        }),
        "delete_entry" => Ok(Call::DeleteEntry {
            id: arguments.text("id")?,
        }),
        "send_notice" => Ok(Call::SendNotice {
            to: arguments.text("to")?,
            text: arguments.text("text")?,
        }),
        _ => Err(ToolError::NoSuchTool),
    }
}

struct Arguments<'t>(Option<Value<'t>>);

impl<'t> Arguments<'t> {
    fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(Value<'t>) -> Option<T>,
    ) -> Result<Option<T>, ToolError> {
        match self.0.and_then(|arguments| arguments.get(name)) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or(ToolError::Argument(name)),
        }
    }

    fn text(&self, name: &'static str) -> Result<String, ToolError> {
        self.optional(name, |value| value.as_str().map(str::to_owned))?
            .ok_or(ToolError::Argument(name))
    }
}

#[cfg(test)]
mod tests {
    use portreeve_core::json;

    use super::*;

    fn call(tool: &str, arguments: &str) -> Result<Call, ToolError> {
        let mut scratch = json::Scratch::new();
        let document = json::parse(arguments.as_bytes(), &mut scratch, &json::Limits::MESSAGE).unwrap();
        read(tool, Some(document.root()))
    }

    #[test]
    fn reads_what_the_schema_describes() {
        let expected = Call::UpdateEntry {
            id: "permit-204".to_owned(),
            status: None,
            amount: Some(120),
        };
        assert_eq!(
            call("update_entry", r#"{"id":"permit-204","amount":120}"#),
            Ok(expected)
        );
        assert_eq!(read("list_entries", None), Ok(Call::ListEntries { kind: None }));
    }

    #[test]
    fn refuses_missing_and_mistyped_arguments_and_unknown_tools() {
        assert_eq!(call("read_entry", "{}"), Err(ToolError::Argument("id")));
        assert_eq!(
            call("update_entry", r#"{"id":"x","amount":"120"}"#),
            Err(ToolError::Argument("amount"))
        );
        assert_eq!(
            call("list_entries", r#"{"kind":"secret"}"#),
            Err(ToolError::Argument("kind"))
        );
        assert_eq!(call("drop_table", "{}"), Err(ToolError::NoSuchTool));
    }

    #[test]
    fn every_definition_is_a_tool_that_can_be_called() {
        let definitions: serde_json::Value = serde_json::from_str(DEFINITIONS).unwrap();
        let names: Vec<_> = definitions
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), 5);
        for name in names {
            assert_ne!(read(name, None), Err(ToolError::NoSuchTool), "{name}");
        }
    }
}
