//! What a caller wants to do, and the one table that maps it to Cedar actions.
//!
//! Must never invent an action that `docs/policy-reference.md` does not describe: users' policies name these ids.
//! A tool call is evaluated with its own action `Action::"<server>/<tool>"`, whose parents are `call_tool` and
//! `class:<class>`; everything else with the fixed id of [`KNOWN`].

/// What the request asks for, on one server. Names and URIs are the exact bytes of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// `tools/call`.
    CallTool {
        /// The tool's name.
        name: &'a str,
    },
    /// Following up a task that a tool call created (`tasks/get`, `tasks/result`, `tasks/update`, `tasks/cancel`):
    /// allowed to whoever could still call that tool with some arguments.
    FollowTask {
        /// The tool whose call created the task.
        tool: &'a str,
    },
    /// `resources/read` and its kin (`skills/get`, `resources/directory/read`).
    ReadResource {
        /// The resource's URI.
        uri: &'a str,
    },
    /// `resources/subscribe`, `resources/unsubscribe`, one URI of `subscriptions/listen`.
    Subscribe {
        /// The resource's URI.
        uri: &'a str,
    },
    /// `prompts/get`.
    GetPrompt {
        /// The prompt's name.
        name: &'a str,
    },
    /// `completion/complete` for an argument of a prompt.
    CompletePrompt {
        /// The prompt's name.
        name: &'a str,
    },
    /// `completion/complete` for a variable of a resource template.
    CompleteResource {
        /// The template, or the URI of a resource.
        uri: &'a str,
    },
    /// The server asks the client's model for text (`sampling/createMessage`).
    Sampling,
    /// The server asks the user a question (`elicitation/create`).
    Elicit,
    /// The server asks for the client's file roots (`roots/list`).
    Roots,
    /// `logging/setLevel`.
    SetLogLevel,
    /// Being connected: `initialize`, `server/discover`, `ping`, the list requests (their items are filtered one by
    /// one), streams and notifications.
    Session,
}

/// The type of the Cedar resource that an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Tool,
    Resource,
    Prompt,
    Server,
}

/// How policies may use an action id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Requests carry this id.
    Requested,
    /// Only a parent of other ids: `action == Action::"…"` would never match.
    Group,
    /// Evaluated for list entries, where it may hide what could be used; a permit on it alone has no effect.
    ListOnly,
}

/// One fixed action id.
pub(super) struct Known {
    pub(super) id: &'static str,
    pub(super) kind: Option<Kind>,
    pub(super) role: Role,
    pub(super) parents: &'static [&'static str],
}

const fn known(id: &'static str, kind: Option<Kind>, role: Role, parents: &'static [&'static str]) -> Known {
    Known {
        id,
        kind,
        role,
        parents,
    }
}

/// Every fixed action id. Tool actions (`<server>/<tool>`) are the only others.
pub(super) const KNOWN: &[Known] = &[
    known("call_tool", Some(Kind::Tool), Role::Group, &[]),
    known("class:read", Some(Kind::Tool), Role::Group, &[]),
    known("class:query", Some(Kind::Tool), Role::Group, &[]),
    known("class:update", Some(Kind::Tool), Role::Group, &[]),
    known("class:admin", Some(Kind::Tool), Role::Group, &[]),
    known("list_tool", Some(Kind::Tool), Role::ListOnly, &[]),
    known("read_resource", Some(Kind::Resource), Role::Requested, &[]),
    known("subscribe", Some(Kind::Resource), Role::Requested, &["read_resource"]),
    known(
        "complete_resource",
        Some(Kind::Resource),
        Role::Requested,
        &["read_resource", "complete"],
    ),
    known("list_resource", Some(Kind::Resource), Role::ListOnly, &[]),
    known("get_prompt", Some(Kind::Prompt), Role::Requested, &[]),
    known(
        "complete_prompt",
        Some(Kind::Prompt),
        Role::Requested,
        &["get_prompt", "complete"],
    ),
    known("list_prompt", Some(Kind::Prompt), Role::ListOnly, &[]),
    known("complete", None, Role::Group, &[]),
    known("sampling", Some(Kind::Server), Role::Requested, &[]),
    known("elicit", Some(Kind::Server), Role::Requested, &[]),
    known("roots", Some(Kind::Server), Role::Requested, &[]),
    known("set_log_level", Some(Kind::Server), Role::Requested, &[]),
    known("session", Some(Kind::Server), Role::Requested, &[]),
];

/// The fixed action with this id.
pub(super) fn find_known(id: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.id == id)
}

/// The kind of resource that requests with this action id are about; `None` if there are several.
pub(super) fn kind_of(id: &str) -> Option<Kind> {
    match find_known(id) {
        Some(known) => known.kind,
        None => Some(Kind::Tool),
    }
}

/// The name or URI below the server, with the kind it has.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Item(Kind, &'a str),
    Server,
}

impl<'a> Action<'a> {
    pub(super) fn target(&self) -> Target<'a> {
        match *self {
            Self::CallTool { name } | Self::FollowTask { tool: name } => Target::Item(Kind::Tool, name),
            Self::ReadResource { uri } | Self::Subscribe { uri } | Self::CompleteResource { uri } => {
                Target::Item(Kind::Resource, uri)
            }
            Self::GetPrompt { name } | Self::CompletePrompt { name } => Target::Item(Kind::Prompt, name),
            Self::Sampling | Self::Elicit | Self::Roots | Self::SetLogLevel | Self::Session => Target::Server,
        }
    }

    /// The fixed Cedar id; `None` for tool calls, which have one id per tool.
    pub(super) fn fixed_id(&self) -> Option<&'static str> {
        match self {
            Self::CallTool { .. } | Self::FollowTask { .. } => None,
            Self::ReadResource { .. } => Some("read_resource"),
            Self::Subscribe { .. } => Some("subscribe"),
            Self::CompleteResource { .. } => Some("complete_resource"),
            Self::GetPrompt { .. } => Some("get_prompt"),
            Self::CompletePrompt { .. } => Some("complete_prompt"),
            Self::Sampling => Some("sampling"),
            Self::Elicit => Some("elicit"),
            Self::Roots => Some("roots"),
            Self::SetLogLevel => Some("set_log_level"),
            Self::Session => Some("session"),
        }
    }

    /// The action as one OAuth scope token (RFC 6749 3.3): `mcp:tool:create_issue`, `mcp:resource:file:///a`,
    /// `mcp:session`. Bytes that a scope token may not hold, and `%`, are percent-encoded, so a name with a space
    /// cannot turn into two scopes.
    #[must_use]
    pub fn scope(&self) -> String {
        let (prefix, name) = match (self.target(), self.fixed_id()) {
            (Target::Item(Kind::Tool, name), _) => ("mcp:tool:", name),
            (Target::Item(Kind::Prompt, name), _) => ("mcp:prompt:", name),
            (Target::Item(_, uri), _) => ("mcp:resource:", uri),
            (Target::Server, id) => ("mcp:", id.unwrap_or_default()),
        };
        let mut scope = String::with_capacity(prefix.len() + name.len());
        scope.push_str(prefix);
        for &byte in name.as_bytes() {
            // SPEC: RFC 6749 3.3, scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
            if matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e) && byte != b'%' {
                scope.push(char::from(byte));
            } else {
                scope.push('%');
                for digit in [byte >> 4, byte & 15] {
                    scope.push(char::from_digit(u32::from(digit), 16).map_or('0', |hex| hex.to_ascii_uppercase()));
                }
            }
        }
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_space_stays_one_scope() {
        let scope = |name| Action::CallTool { name }.scope();
        assert_eq!(scope("create_issue"), "mcp:tool:create_issue");
        assert_eq!(scope("a mcp:tool:b"), "mcp:tool:a%20mcp:tool:b");
        assert_eq!(scope("a%20b"), "mcp:tool:a%2520b");
        assert_eq!(scope("\"\\é\n"), "mcp:tool:%22%5C%C3%A9%0A");
        assert_eq!(Action::Session.scope(), "mcp:session");
    }

    #[test]
    fn every_parent_is_a_known_action() {
        for known in KNOWN {
            for parent in known.parents {
                assert!(find_known(parent).is_some(), "{parent}");
            }
        }
    }

    #[test]
    fn every_fixed_request_id_is_known_as_requested_with_its_kind() {
        let actions = [
            Action::ReadResource { uri: "u" },
            Action::Subscribe { uri: "u" },
            Action::CompleteResource { uri: "u" },
            Action::GetPrompt { name: "p" },
            Action::CompletePrompt { name: "p" },
            Action::Sampling,
            Action::Elicit,
            Action::Roots,
            Action::SetLogLevel,
            Action::Session,
        ];
        for action in actions {
            let known = find_known(action.fixed_id().unwrap()).unwrap();
            assert_eq!(known.role, Role::Requested);
            let kind = match action.target() {
                Target::Item(kind, _) => kind,
                Target::Server => Kind::Server,
            };
            assert_eq!(known.kind, Some(kind));
        }
    }
}
