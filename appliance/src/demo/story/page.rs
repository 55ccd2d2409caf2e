//! The story as it is printed: one line per call, then what the server saw. Prints what it is given and judges only
//! to mark a line that is not as it should be.

use std::io;
use std::io::Write;
use std::time::Duration;

use serde_json::Value;

use super::Told;
use super::judge;
use super::script::Expect;
use crate::demo::cast;
use crate::demo::paint::Paint;
use crate::demo::paint::WIDTH;
use crate::demo::paint::cell;
use crate::demo::paint::clip;
use crate::demo::paint::wrap;
use crate::demo::server::Record;

/// Columns of the caller, the request and the verdict; the reason has the rest of the line.
const CALLER: usize = 20;
const REQUEST: usize = 45;
const VERDICT: usize = 9;
const REASON: usize = WIDTH - 2 - CALLER - REQUEST - VERDICT;

/// How to print.
pub(super) struct Page {
    pub(super) paint: Paint,
    pub(super) first_answer: Duration,
    pub(super) gate: String,
    pub(super) leaked: bool,
}

impl Page {
    /// Prints everything.
    pub(super) fn print(
        &self,
        out: &mut dyn Write,
        chapters: &[(&'static str, Vec<Told>)],
        records: &[Record],
    ) -> io::Result<()> {
        self.print_head(out)?;
        for (title, told) in chapters {
            self.print_title(out, title)?;
            told.iter().try_for_each(|told| self.print_step(out, told))?;
        }
        self.print_delegation(out, records)
    }

    fn print_head(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = self.paint.strong("portreeve");
        writeln!(
            out,
            "\n{name} {} guards the town ledger of Saltmarsh.",
            env!("CARGO_PKG_VERSION")
        )?;
        writeln!(
            out,
            "Two agents call its tools for two users; each call carries both identities.\n"
        )?;
        let agents = cast::AGENTS.map(|agent| ("agent", agent.name, agent.about));
        let users = cast::USERS.map(|user| ("user", user.name, user.about));
        for (kind, name, about) in agents.into_iter().chain(users) {
            writeln!(out, "  {} {} {about}", self.paint.faint(&cell(kind, 6)), cell(name, 8))?;
        }
        let millis = self.first_answer.as_millis();
        let gate = self.paint.faint(&cell("gate", 6));
        writeln!(
            out,
            "  {gate} {}, first governed call {millis} ms after start",
            self.gate
        )
    }

    fn print_title(&self, out: &mut dyn Write, title: &str) -> io::Result<()> {
        writeln!(out, "\n{}", self.paint.strong(title))
    }

    fn print_step(&self, out: &mut dyn Write, told: &Told) -> io::Result<()> {
        let caller = cell(&format!("{} for {}", told.step.agent.name, told.step.user.name), CALLER);
        let request = cell(&clip(&told.step.words(), REQUEST - 2), REQUEST);
        let (verdict, reason) = self.verdict(told);
        writeln!(out, "  {caller}{request}{verdict}{}", clip(&reason, REASON))?;
        if let (Expect::Tools(_), Some(result)) = (told.step.expect, told.answer.message.get("result")) {
            let names = judge::listed(result).join(" ");
            writeln!(
                out,
                "  {}",
                self.paint
                    .faint(&format!("{}{}", " ".repeat(CALLER), clip(&names, WIDTH - 2 - CALLER)))
            )?;
        }
        Ok(())
    }

    /// The verdict as a cell, and the reason behind it.
    fn verdict(&self, told: &Told) -> (String, String) {
        if let Err(fault) = judge::step(told) {
            return (self.paint.bad(&cell("WRONG", VERDICT)), fault.to_string());
        }
        let policies = told
            .verdict
            .as_ref()
            .map(|verdict| verdict.policies.join(", "))
            .unwrap_or_default();
        match told.step.expect {
            Expect::Through(_) => (self.paint.good(&cell("through", VERDICT)), policies),
            Expect::Tools(tools) => (
                self.paint.good(&cell("through", VERDICT)),
                format!("{} of 5 listed", tools.len()),
            ),
            Expect::Forbidden(_) => (self.paint.bad(&cell("denied", VERDICT)), policies),
            Expect::NotPermitted => (
                self.paint.bad(&cell("denied", VERDICT)),
                "no policy permits it".to_owned(),
            ),
            Expect::Stranger => (
                self.paint.bad(&cell("401", VERDICT)),
                "not issued to courier".to_owned(),
            ),
        }
    }

    fn print_delegation(&self, out: &mut dyn Write, records: &[Record]) -> io::Result<()> {
        let Some(record) = records.iter().find(|record| record.tool.is_some()) else {
            return Ok(());
        };
        self.print_title(
            out,
            "What the server saw of the first call: a token of the gate's, good for one tool",
        )?;
        let claims: Value = record
            .claims
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        for (name, value) in claims.as_object().into_iter().flatten() {
            writeln!(
                out,
                "  {} {}",
                self.paint.faint(&cell(name, 10)),
                clip(&value.to_string(), WIDTH - 13)
            )?;
        }
        for (index, line) in wrap(&record.headers, WIDTH - 13).iter().enumerate() {
            let name = if index == 0 { "headers" } else { "" };
            writeln!(out, "  {} {line}", self.paint.faint(&cell(name, 10)))?;
        }
        let count = records.len();
        if self.leaked {
            return writeln!(out, "\n{}", self.paint.bad("A caller's own token reached the server."));
        }
        writeln!(
            out,
            "\nThe server received {count} requests. None held any part of a caller's own token."
        )
    }
}
