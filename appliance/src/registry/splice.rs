//! One key or one table put into a TOML text; every other byte of it stays as it is. Pure.
//!
//! The parsed document says where things stand, and only there the text is changed: comments, order, spacing and line
//! ends cannot get lost. Forms that would need more than that are left to a person (`None`).

use std::ops::Range;

use toml::Value;
use toml_edit::{Document, Item, TableLike, TomlError};

/// A text and where things stand in it.
pub(super) struct Written<'t> {
    text: &'t str,
    parsed: Document<&'t str>,
}

impl<'t> Written<'t> {
    /// Reads `text`.
    pub(super) fn read(text: &'t str) -> Result<Self, Box<TomlError>> {
        let parsed = Document::parse(text)?;
        Ok(Self { text, parsed })
    }

    /// The names of the tables in `group`.
    pub(super) fn names(&self, group: &str) -> Vec<&str> {
        let group = self.group(group).and_then(Item::as_table_like);
        group.map_or_else(Vec::new, |group| group.iter().map(|(name, _)| name).collect())
    }

    /// The text of `group.name.key`, a string or a date.
    pub(super) fn get(&self, group: &str, name: &str, key: &str) -> Option<String> {
        let value = self.entry(group, name)?.as_table_like()?.get(key)?.as_value()?;
        value
            .as_str()
            .map(str::to_owned)
            .or_else(|| value.as_datetime().map(ToString::to_string))
    }

    /// What stands at `group.name.key`, as it is written.
    pub(super) fn raw(&self, group: &str, name: &str, key: &str) -> Option<&'t str> {
        let item = self.entry(group, name)?.as_table_like()?.get(key)?;
        self.text.get(item.span()?)
    }

    /// The text with `group.name.key` set to `value`.
    pub(super) fn set(&self, group: &str, name: &str, key: &str, value: &Value) -> Option<String> {
        let entry = self.entry(group, name)?;
        let table = entry.as_table_like()?;
        if let Some(present) = table.get(key) {
            return Some(self.with(present.as_value()?.span()?, &value.to_string()));
        }
        match entry.as_inline_table() {
            Some(inline) if inline.is_dotted() => None,
            Some(_) => {
                let at = end(entry_values(table))?;
                Some(self.with(at..at, &format!(", {key} = {value}")))
            }
            None => self.with_line(table, key, value),
        }
    }

    /// A line after the last of the table's own, with what stands before its key: indentation, or a dotted name.
    fn with_line(&self, table: &dyn TableLike, key: &str, value: &Value) -> Option<String> {
        let plain = table.iter().filter(|(_, item)| item.is_value());
        let (last, item) = plain.max_by_key(|(_, item)| item.span().map(|span| span.end))?;
        let begin = table.key(last)?.span()?.start;
        let line = self.text[..begin].rfind('\n').map_or(0, |newline| newline + 1);
        let before = self.text[line..begin].trim_start_matches('\u{feff}');
        let at = self.line_end(item.span()?.end);
        Some(self.with(at..at, &format!("{}{before}{key} = {value}", self.newline())))
    }

    /// The text with a new table `group.name` of these keys, below the last one of its group.
    pub(super) fn add(&self, group: &str, name: &str, keys: &[(&str, Value)]) -> Option<String> {
        if let Some(inline) = self.group(group).and_then(Item::as_inline_table) {
            let at = end(entry_values(inline))?;
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
            return Some(self.with(at..at, &format!(", {name} = {{ {} }}", keys.join(", "))));
        }
        let newline = self.newline();
        let mut block = format!("[{group}.{name}]{newline}");
        for (key, value) in keys {
            block.push_str(&format!("{key} = {value}{newline}"));
        }
        let at = match self.group(group) {
            Some(item) => self.below(end(std::iter::once(item))?),
            None => self.text.len(),
        };
        let (above, below) = self.text.split_at(at);
        let mut text = above.to_owned();
        if !above.is_empty() {
            if !above.ends_with('\n') {
                text.push_str(newline);
            }
            text.push_str(newline);
        }
        text.push_str(&block);
        if !below.is_empty() && !below.starts_with(['\n', '\r']) {
            text.push_str(newline);
        }
        text.push_str(below);
        Some(text)
    }

    /// Where something can stand below what ends at `end`: after the comments that belong to it. Comments right above
    /// the next table belong to that.
    fn below(&self, end: usize) -> usize {
        let own = self.next_line(end);
        let mut at = own;
        while self.text[at..].trim_start_matches([' ', '\t']).starts_with('#') {
            at = self.next_line(at);
        }
        let rest = &self.text[at..];
        if rest.is_empty() || rest.lines().next().is_some_and(|line| line.trim().is_empty()) {
            at
        } else {
            own
        }
    }

    fn next_line(&self, from: usize) -> usize {
        self.text[from..]
            .find('\n')
            .map_or(self.text.len(), |newline| from + newline + 1)
    }

    /// The end of the line that `from` is on, before its line end.
    fn line_end(&self, from: usize) -> usize {
        let line = &self.text[from..self.next_line(from)];
        from + line.trim_end_matches(['\n', '\r']).len()
    }

    fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    fn with(&self, place: Range<usize>, new: &str) -> String {
        let (before, after) = (&self.text[..place.start], &self.text[place.end..]);
        [before, new, after].concat()
    }

    fn group(&self, group: &str) -> Option<&Item> {
        self.parsed.as_table().get(group)
    }

    fn entry(&self, group: &str, name: &str) -> Option<&Item> {
        self.group(group)?.as_table_like()?.get(name)
    }
}

fn entry_values(table: &dyn TableLike) -> impl Iterator<Item = &Item> {
    table.iter().map(|(_, item)| item)
}

/// Where the last of `items` ends, with all that is in them.
fn end<'i>(items: impl Iterator<Item = &'i Item>) -> Option<usize> {
    let end_of = |item: &'i Item| {
        let own = item.span().map(|span| span.end);
        let inner = item
            .as_table_like()
            .and_then(|table| end(Box::new(entry_values(table)) as Box<dyn Iterator<Item = &Item>>));
        own.max(inner)
    };
    items.filter_map(end_of).max()
}
