//! The words a policy may use: entity types, attributes, annotations. The tables here are the contract with users'
//! policies; `docs/policy-reference.md` describes each word, and a test holds the two together.

/// An attribute and what can be reached through it.
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) inner: Inner,
}

/// What is below an attribute.
#[derive(Clone, Copy)]
pub(super) enum Inner {
    /// Nothing: a string, number, set, address or moment.
    Value,
    /// Exactly these attributes.
    Known(&'static [Attribute]),
    /// Whatever the caller sent.
    Open,
}

const fn value(name: &'static str) -> Attribute {
    Attribute {
        name,
        inner: Inner::Value,
    }
}

/// Attributes of `context`.
pub(super) const CONTEXT: &[Attribute] = &[
    Attribute {
        name: "agent",
        inner: Inner::Known(&[value("id"), value("issuer"), value("subject")]),
    },
    Attribute {
        name: "agent_ref",
        inner: Inner::Known(AGENT),
    },
    Attribute {
        name: "auth",
        inner: Inner::Known(&[
            value("age"),
            value("acr"),
            value("amr"),
            value("scopes"),
            value("link"),
            value("binding"),
            value("agent_method"),
        ]),
    },
    value("credential"),
    Attribute {
        name: "net",
        inner: Inner::Known(&[value("ip"), value("tls")]),
    },
    Attribute {
        name: "time",
        inner: Inner::Known(&[value("now"), value("local_minutes"), value("weekday")]),
    },
    value("user_risk"),
    value("device_compliant"),
    Attribute {
        name: ARGS,
        inner: Inner::Open,
    },
];

/// The attribute of `context` that holds what the agent sent.
pub(super) const ARGS: &str = "args";

/// Attributes of `Agent`.
const AGENT: &[Attribute] = &[value("issuer"), value("subject")];

/// Attributes of `principal`, a `User`.
pub(super) const PRINCIPAL: &[Attribute] = &[value("id"), value("issuer")];

/// Attributes that some type of `resource` has.
pub(super) const RESOURCE: &[Attribute] = &[value("server"), value("name"), value("class"), value("uri")];

/// Entity types, besides `Action`.
pub(super) const ENTITY_TYPES: &[&str] = &[
    "User",
    "Group",
    "Agent",
    "AgentGroup",
    "Server",
    "Tool",
    "Class",
    "Label",
    "Resource",
    "Prompt",
];

/// The entity that stands for an argument that Cedar has no exact value for. Policies cannot name it.
pub(super) const UNREPRESENTABLE: &str = "Unrepresentable";

/// Annotation keys.
pub(super) const ANNOTATIONS: &[&str] = &["id", "reason", "require", "acr", "max_age"];

/// Values of `@require`.
pub(super) const REQUIREMENTS: &[&str] = &["step_up"];

/// The first segment of `path` that is not in the tables, with the words that could stand there.
pub(super) fn unknown_segment<'p>(path: &[&'p str], attributes: &'static [Attribute]) -> Option<Unknown<'p>> {
    let mut inner = Inner::Known(attributes);
    for segment in path {
        let candidates = match inner {
            Inner::Open => return None,
            Inner::Value => &[],
            Inner::Known(attributes) => attributes,
        };
        match candidates.iter().find(|attribute| attribute.name == *segment) {
            Some(attribute) => inner = attribute.inner,
            None => {
                return Some(Unknown {
                    segment,
                    candidates: candidates.iter().map(|known| known.name).collect(),
                });
            }
        }
    }
    None
}

/// A word that is not in the vocabulary.
pub(super) struct Unknown<'p> {
    pub(super) segment: &'p str,
    pub(super) candidates: Vec<&'static str>,
}

/// The candidate that `word` most probably meant: at most two edits away.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(edits, candidate)| *edits <= 2 && *edits < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours counts two) between two short words, ignoring ASCII case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<u8> = right.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, byte) in left.bytes().map(|byte| byte.to_ascii_lowercase()).enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(byte != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_word_that_was_meant() {
        assert_eq!(nearest("Grop", ENTITY_TYPES.iter().copied()), Some("Group"));
        assert_eq!(nearest("user", ENTITY_TYPES.iter().copied()), Some("User"));
        assert_eq!(nearest("Photo", ENTITY_TYPES.iter().copied()), None);
        assert_eq!(nearest("ip", ["id", "tls"]), Some("id"));
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn walks_known_paths_and_leaves_arguments_open() {
        let unknown = |path: &[&'static str]| unknown_segment(path, CONTEXT).map(|unknown| unknown.segment);
        assert_eq!(unknown(&["args", "anything", "below"]), None);
        assert_eq!(unknown(&["net", "ip"]), None);
        assert_eq!(unknown(&["net", "ip", "v4"]), Some("v4"));
        assert_eq!(unknown(&["agnet"]), Some("agnet"));
        assert_eq!(unknown(&["agent", "name"]), Some("name"));
    }

    #[test]
    fn the_reference_describes_every_word() {
        let reference = include_str!("../../../docs/policy-reference.md");
        let mut words: Vec<String> = ENTITY_TYPES.iter().map(|name| format!("`{name}`")).collect();
        words.extend(ANNOTATIONS.iter().map(|key| format!("`@{key}")));
        words.extend(
            PRINCIPAL
                .iter()
                .map(|attribute| format!("`principal.{}`", attribute.name)),
        );
        words.extend(
            RESOURCE
                .iter()
                .map(|attribute| format!("`resource.{}`", attribute.name)),
        );
        words.extend(
            super::super::action::KNOWN
                .iter()
                .map(|known| format!("`{}`", known.id)),
        );
        for attribute in CONTEXT {
            match attribute.inner {
                Inner::Known(inner) => {
                    words.extend(
                        inner
                            .iter()
                            .map(|below| format!("`context.{}.{}`", attribute.name, below.name)),
                    );
                }
                Inner::Value | Inner::Open => words.push(format!("`context.{}", attribute.name)),
            }
        }
        let missing: Vec<_> = words.iter().filter(|word| !reference.contains(word.as_str())).collect();
        assert!(missing.is_empty(), "not in docs/policy-reference.md: {missing:?}");
    }
}
