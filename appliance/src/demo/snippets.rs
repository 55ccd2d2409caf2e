//! What to paste to try the gate by hand: the two headers, curl, Claude Code, VS Code, Cursor.
//!
//! The tokens are the demo's own: they name made-up people, last an hour and mean nothing to any other gate.

use std::io;
use std::io::Write;

use serde_json::json;

use super::message;
use super::paint::Paint;
use crate::config::embedded::Credentials;

/// What the snippets are for.
pub struct Snippets<'s> {
    /// The gate's URL of the server.
    pub endpoint: &'s str,
    /// What the caller presents.
    pub credentials: &'s Credentials,
    /// How to print.
    pub paint: Paint,
}

impl Snippets<'_> {
    /// Prints all of them.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self {
            endpoint, credentials, ..
        } = self;
        let authorization = format!("Bearer {}", credentials.agent);
        self.title(
            out,
            "Try it by hand. Demo tokens for one hour: quill's, and mara's issued to quill",
        )?;
        writeln!(out, "export AGENT='Authorization: {authorization}'")?;
        writeln!(out, "export USER_ASSERTION='X-AI-User-Assertion: {}'", credentials.user)?;

        self.title(out, "curl")?;
        writeln!(out, "curl -s {endpoint} -H \"$AGENT\" -H \"$USER_ASSERTION\" \\")?;
        let call = message::modern(
            "tools/call",
            json!({ "name": "read_entry", "arguments": { "id": "permit-204" } }),
        );
        writeln!(
            out,
            "  -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' \\"
        )?;
        let headers = call.headers.iter().map(|(name, value)| format!("-H '{name}: {value}'"));
        writeln!(out, "  {} \\", headers.collect::<Vec<_>>().join(" "))?;
        writeln!(out, "  -d '{}'", String::from_utf8_lossy(&call.body))?;

        self.title(out, "Claude Code")?;
        writeln!(out, "claude mcp add --transport http town-ledger {endpoint} \\")?;
        writeln!(out, "  --header \"$AGENT\" --header \"$USER_ASSERTION\"")?;

        let headers = json!({ "Authorization": authorization, "X-AI-User-Assertion": credentials.user });
        let vscode = json!({ "servers": { "town-ledger": { "type": "http", "url": endpoint, "headers": headers } } });
        let cursor = json!({ "mcpServers": { "town-ledger": { "url": endpoint, "headers": headers } } });
        self.title(out, "VS Code, .vscode/mcp.json")?;
        writeln!(out, "{vscode:#}")?;
        self.title(out, "Cursor, ~/.cursor/mcp.json")?;
        writeln!(out, "{cursor:#}")
    }

    fn title(&self, out: &mut dyn Write, title: &str) -> io::Result<()> {
        writeln!(out, "\n{}", self.paint.strong(title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_lines_need_no_escaping() {
        let credentials = Credentials {
            agent: "a.b.c".to_owned(),
            user: "d.e.f".to_owned(),
        };
        let snippets = Snippets {
            endpoint: "http://127.0.0.1:1/ledger/mcp",
            credentials: &credentials,
            paint: Paint::plain(),
        };
        let mut page = Vec::new();
        snippets.print(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let body = page.lines().find_map(|line| line.trim().strip_prefix("-d '")).unwrap();
        assert_eq!(
            body.matches('\'').count(),
            1,
            "a quote inside would end the shell word: {body}"
        );
        let message: serde_json::Value = serde_json::from_str(body.trim_end_matches('\'')).unwrap();
        assert_eq!(message["params"]["name"], "read_entry");
        assert_eq!(page.matches("a.b.c").count(), 3);
    }
}
