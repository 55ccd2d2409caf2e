//! What is wrong with a configuration, where, and what to do about it. Prints nothing and reads no file.
//!
//! A diagnostic is written for the person who edits the file: it names the place as `file:line:column`, which editors
//! turn into a link. Programs need only know that there is one.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file it is about.
    pub file: PathBuf,
    /// Line and column, both from 1, columns in characters; `None` when the fault is the file itself.
    pub position: Option<(usize, usize)>,
    /// What is wrong: lower case, one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A fault of a whole file.
    pub fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            position: None,
            message: message.into(),
            hint: None,
        }
    }

    /// The same fault with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// A configuration file as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    /// A fault at the byte range `span` of this file.
    pub fn fault(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: self.path.clone(),
            position: Some(self.position(span.start)),
            message: message.into(),
            hint: None,
        }
    }

    /// What the TOML reader refused, in our words.
    pub fn parse_fault(&self, error: &toml::de::Error) -> Diagnostic {
        let (message, hint) = match error.message().split_once('\n') {
            Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
            None => (reword(error.message()), nearest_known(error.message())),
        };
        let mut fault = self.fault(error.span().unwrap_or_default(), message);
        fault.hint = hint;
        fault
    }

    /// Line and column, both from 1, of the byte at `offset`.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

fn reword(message: &str) -> String {
    let keys = message.replace("field `", "key `").replace("variant `", "value `");
    match keys.split_once(", expected ") {
        Some((unknown, _)) if keys.starts_with("unknown") => unknown.to_owned(),
        _ => keys,
    }
}

/// For serde's "unknown field `a`, expected one of `b`, `c`": the likely meaning of `a`, or all that is known.
fn nearest_known(message: &str) -> Option<String> {
    let (unknown, known) = message.strip_prefix("unknown ")?.split_once(", expected ")?;
    let unknown = quoted(unknown).next()?;
    let known: Vec<&str> = quoted(known).collect();
    Some(did_you_mean(unknown, &known))
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// A name that is not among the `known` ones, with the nearest of them.
pub fn unknown_name(noun: &str, name: &str, known: &[&str]) -> String {
    format!(
        "there is no {noun} `{}`\n  hint: {}",
        name.escape_debug(),
        did_you_mean(name, known)
    )
}

/// A hint that names the nearest of `known`, or lists them all when none is near.
pub fn did_you_mean(unknown: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|candidate| (edits(unknown, candidate), candidate))
        .min();
    match nearest {
        Some((distance, candidate)) if distance <= 1 + unknown.len() / 4 => format!("did you mean `{candidate}`?"),
        Some(_) => format!("known here: {}", known.join(", ")),
        None => "nothing is known here".to_owned(),
    }
}

/// Levenshtein distance in characters.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from_char) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to_char) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(from_char != *to_char);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one_in_characters() {
        let source = Source {
            path: "a.toml".into(),
            text: "é = 1\nb = \"ü\" x".to_owned(),
        };
        assert_eq!(source.fault(0..1, "m").position, Some((1, 1)));
        let offset = source.text.find('x').unwrap();
        assert_eq!(source.fault(offset..offset + 1, "m").position, Some((2, 9)));
        assert_eq!(source.fault(99..100, "m").position, Some((2, 10)));
    }

    #[test]
    fn a_near_miss_is_named_and_a_far_one_lists_what_is_known() {
        assert_eq!(did_you_mean("lisen", &["listen", "tls"]), "did you mean `listen`?");
        assert_eq!(did_you_mean("zzz", &["listen", "tls"]), "known here: listen, tls");
        assert_eq!(edits("kitten", "sitting"), 3);
    }

    #[test]
    fn a_diagnostic_prints_as_a_link_and_a_hint() {
        let fault = Diagnostic::of_file(Path::new("p.toml"), "it is broken").hint("mend it");
        assert_eq!(fault.to_string(), "p.toml: it is broken\n  hint: mend it");
    }
}
