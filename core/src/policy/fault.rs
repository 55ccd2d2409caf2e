//! What can be wrong with a policy file, and where. Says what to write instead whenever that is known.

use core::fmt;

/// A deviation found while loading policies, with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The file's name as it was given to `PolicySet::load`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub fault: PolicyFault,
    /// What to do about it, where known.
    pub hint: Option<String>,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyFault {
    /// Not Cedar; the parser's own words.
    Syntax(String),
    /// More files, bytes or policies than `limits` allow.
    TooLarge,
    /// A template with slots: there is nothing that would link it.
    Template,
    /// A policy id that another policy has.
    DuplicateId(String),
    /// An annotation key that means nothing here.
    UnknownAnnotation(String),
    /// An annotation whose value, effect or company is wrong.
    Annotation(&'static str),
    /// An entity type that no request has.
    UnknownEntityType(String),
    /// An entity id that no entity of that type can have.
    EntityId(String),
    /// An action id that no request has.
    UnknownAction(String),
    /// An attribute that does not exist.
    UnknownAttribute(String),
    /// `context` or `principal` used as a whole, or an attribute of something that has none.
    Attribute(&'static str),
    /// A scope that no request can match.
    NeverMatches(&'static str),
    /// The text of an `ip`, `decimal`, `datetime` or `duration` is not one.
    Literal(String),
    /// An expression that this engine does not know or that is nested too deeply.
    Unsupported,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(message) => f.write_str(message),
            Self::TooLarge => f.write_str("more policy text than the gate loads"),
            Self::Template => f.write_str("templates are not supported"),
            Self::DuplicateId(id) => write!(f, "policy id `{id}` is used twice"),
            Self::UnknownAnnotation(key) => write!(f, "unknown annotation `@{key}`"),
            Self::Annotation(what) | Self::Attribute(what) | Self::NeverMatches(what) => f.write_str(what),
            Self::UnknownEntityType(name) => write!(f, "unknown entity type `{name}`"),
            Self::EntityId(uid) => write!(f, "`{uid}` cannot exist"),
            Self::UnknownAction(id) => write!(f, "unknown action `{id}`"),
            Self::UnknownAttribute(path) => write!(f, "unknown attribute `{path}`"),
            Self::Literal(text) => write!(f, "`{text}` is not a value of its type"),
            Self::Unsupported => f.write_str("expression is not supported"),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.fault)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for PolicyError {}

/// Line and column, both from 1, of a byte offset.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters_from_one() {
        let text = "é1\nab\n";
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, 2), (1, 2));
        assert_eq!(place(text, 4), (2, 1));
        assert_eq!(place(text, 99), (3, 1));
    }
}
