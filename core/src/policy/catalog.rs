//! What the operator knows about the servers behind the gate: which tools they have, how dangerous each is, what
//! labels it carries. Never learns from traffic: a server's own hints do not enter here unreviewed.
//!
//! A tool that is not listed counts as the worst: class `admin`, labels `destructive` and `external_sink`.

use core::fmt;
use std::collections::BTreeMap;

use super::Action;
use super::Demands;
use crate::limits;

/// How much a tool can change, as reviewed by the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Reads closed data.
    Read,
    /// Reads the open world, so it can also carry data out.
    Query,
    /// Adds or changes, without destroying.
    Update,
    /// May destroy, or nobody reviewed it.
    Admin,
}

impl Class {
    /// Every class, least dangerous first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Query, Self::Update, Self::Admin];

    /// The id of the Cedar entity `Class::"…"`, and the word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Query => "query",
            Self::Update => "update",
            Self::Admin => "admin",
        }
    }

    /// The class with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// The id of the Cedar action group of this class.
    pub(super) const fn action_id(self) -> &'static str {
        match self {
            Self::Read => "class:read",
            Self::Query => "class:query",
            Self::Update => "class:update",
            Self::Admin => "class:admin",
        }
    }
}

/// Why the catalog refuses an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogError {
    /// A server alias that is empty, longer than [`limits::SERVER_ALIAS_BYTES_MAX`] bytes, or has other characters than
    /// `a-z A-Z 0-9 . _ -`. The alias separates server and tool in `server/tool`, so it may hold no slash.
    ServerAlias,
    /// The server is there already.
    DuplicateServer,
    /// A tool was added to a server that is not there.
    UnknownServer,
    /// The tool is there already.
    DuplicateTool,
    /// An empty tool name, or one longer than [`limits::POLICY_NAME_BYTES_MAX`] bytes.
    ToolName,
    /// More than [`limits::CATALOG_TOOLS_MAX`] tools, or more than [`limits::CATALOG_LABELS_MAX`] labels on one.
    TooMany,
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerAlias => "server name must be 1 to 64 characters of a-z A-Z 0-9 . _ -",
            Self::DuplicateServer => "server is listed twice",
            Self::UnknownServer => "tool belongs to a server that is not listed",
            Self::DuplicateTool => "tool is listed twice",
            Self::ToolName => "tool name must be 1 to 4096 bytes",
            Self::TooMany => "too many tools or labels",
        })
    }
}

impl core::error::Error for CatalogError {}

/// What is known about one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToolEntry {
    pub(super) class: Class,
    pub(super) labels: Vec<String>,
}

/// The servers behind the gate and their reviewed tools. A request to a server that is not here is denied.
#[derive(Clone, Debug)]
pub struct Catalog {
    servers: BTreeMap<String, BTreeMap<String, ToolEntry>>,
    tools: usize,
    unlisted: ToolEntry,
    demands: BTreeMap<String, ServerDemands>,
}

/// What is demanded at one server.
#[derive(Clone, Debug, Default)]
struct ServerDemands {
    /// Where nothing else is said.
    default: Demands,
    tools: BTreeMap<String, Demands>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

impl Catalog {
    /// A catalog without servers: every request is denied.
    #[must_use]
    pub fn new() -> Self {
        let worst = ["destructive", "external_sink"];
        Self {
            servers: BTreeMap::new(),
            tools: 0,
            unlisted: ToolEntry {
                class: Class::Admin,
                labels: worst.map(String::from).to_vec(),
            },
            demands: BTreeMap::new(),
        }
    }

    /// Adds a server under its alias, without tools.
    ///
    /// # Errors
    /// [`CatalogError::ServerAlias`], [`CatalogError::DuplicateServer`].
    pub fn add_server(&mut self, alias: &str) -> Result<(), CatalogError> {
        if !is_server_alias(alias) {
            return Err(CatalogError::ServerAlias);
        }
        if self.servers.contains_key(alias) {
            return Err(CatalogError::DuplicateServer);
        }
        self.servers.insert(alias.to_owned(), BTreeMap::new());
        Ok(())
    }

    /// Adds a reviewed tool of a server that was added before.
    ///
    /// # Errors
    /// Any [`CatalogError`] but those about aliases.
    pub fn add_tool(
        &mut self,
        server: &str,
        name: &str,
        class: Class,
        labels: Vec<String>,
    ) -> Result<(), CatalogError> {
        let tools = self.servers.get_mut(server).ok_or(CatalogError::UnknownServer)?;
        if name.is_empty() || name.len() > limits::POLICY_NAME_BYTES_MAX {
            return Err(CatalogError::ToolName);
        }
        if self.tools >= limits::CATALOG_TOOLS_MAX || labels.len() > limits::CATALOG_LABELS_MAX {
            return Err(CatalogError::TooMany);
        }
        if tools.contains_key(name) {
            return Err(CatalogError::DuplicateTool);
        }
        tools.insert(name.to_owned(), ToolEntry { class, labels });
        self.tools += 1;
        Ok(())
    }

    /// Sets what callers of a tool must have besides a permit, or, without a tool, of whatever else that server has by
    /// name.
    ///
    /// # Errors
    /// [`CatalogError::UnknownServer`]; [`CatalogError::TooMany`] words, or tools.
    pub fn demand(&mut self, server: &str, tool: Option<&str>, demands: Demands) -> Result<(), CatalogError> {
        if !self.has_server(server) {
            return Err(CatalogError::UnknownServer);
        }
        let at = self.demands.entry(server.to_owned()).or_default();
        let words = demands.scopes.len().max(demands.acr.len());
        if words > limits::DEMANDED_WORDS_MAX || at.tools.len() >= limits::CATALOG_TOOLS_MAX {
            return Err(CatalogError::TooMany);
        }
        match tool {
            Some(tool) => drop(at.tools.insert(tool.to_owned(), demands)),
            None => at.default = demands,
        }
        Ok(())
    }

    /// What a caller must have for this action besides a permit; `None` for what belongs to being connected, and for
    /// following a task, of whose caller it was demanded.
    #[must_use]
    pub fn demands(&self, server: &str, action: Action<'_>) -> Option<&Demands> {
        let at = self.demands.get(server)?;
        match action {
            Action::CallTool { name } => Some(at.tools.get(name).unwrap_or(&at.default)),
            Action::ReadResource { .. }
            | Action::Subscribe { .. }
            | Action::GetPrompt { .. }
            | Action::CompletePrompt { .. }
            | Action::CompleteResource { .. } => Some(&at.default),
            Action::Session
            | Action::FollowTask { .. }
            | Action::Sampling
            | Action::Elicit
            | Action::Roots
            | Action::SetLogLevel => None,
        }
    }

    /// The class of a tool; `Admin` if it is not listed.
    #[must_use]
    pub fn class(&self, server: &str, tool: &str) -> Class {
        self.tool(server, tool).class
    }

    /// Whether the server is in the catalog.
    #[must_use]
    pub fn has_server(&self, alias: &str) -> bool {
        self.servers.contains_key(alias)
    }

    pub(super) fn tool(&self, server: &str, tool: &str) -> &ToolEntry {
        self.servers
            .get(server)
            .and_then(|tools| tools.get(tool))
            .unwrap_or(&self.unlisted)
    }
}

/// Whether `alias` may name a server.
pub(super) fn is_server_alias(alias: &str) -> bool {
    (1..=limits::SERVER_ALIAS_BYTES_MAX).contains(&alias.len())
        && alias
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unlisted_tool_counts_as_the_worst() {
        let mut catalog = Catalog::new();
        catalog.add_server("jira").unwrap();
        catalog.add_tool("jira", "get", Class::Read, vec![]).unwrap();
        assert_eq!(catalog.class("jira", "get"), Class::Read);
        assert_eq!(catalog.class("jira", "Get"), Class::Admin);
        assert_eq!(catalog.class("nowhere", "get"), Class::Admin);
        assert_eq!(catalog.tool("jira", "new").labels, ["destructive", "external_sink"]);
    }

    #[test]
    fn refuses_aliases_that_could_be_confused_with_a_tool_id() {
        let mut catalog = Catalog::new();
        for alias in ["", "a/b", "a b", "a\"", "é", &"x".repeat(65)] {
            assert_eq!(catalog.add_server(alias), Err(CatalogError::ServerAlias), "{alias}");
        }
        catalog.add_server("jira").unwrap();
        assert_eq!(catalog.add_server("jira"), Err(CatalogError::DuplicateServer));
        assert_eq!(
            catalog.add_tool("x", "t", Class::Read, vec![]),
            Err(CatalogError::UnknownServer)
        );
    }

    #[test]
    fn demands_hold_for_what_has_a_name_and_not_for_being_connected() {
        let scope = |scope: &str| Demands {
            scopes: vec![scope.to_owned()],
            ..Demands::default()
        };
        let mut catalog = Catalog::new();
        assert_eq!(
            catalog.demand("jira", None, scope("a")),
            Err(CatalogError::UnknownServer)
        );
        catalog.add_server("jira").unwrap();
        catalog.demand("jira", None, scope("a")).unwrap();
        catalog.demand("jira", Some("get"), scope("b")).unwrap();
        let of = |action| catalog.demands("jira", action).cloned();
        assert_eq!(of(Action::CallTool { name: "get" }), Some(scope("b")));
        for action in [
            Action::CallTool { name: "Get" },
            Action::ReadResource { uri: "get" },
            Action::GetPrompt { name: "get" },
        ] {
            assert_eq!(of(action), Some(scope("a")));
        }
        for action in [Action::Session, Action::FollowTask { tool: "get" }, Action::Elicit] {
            assert_eq!(of(action), None);
        }
        let mut many = scope("a");
        many.scopes = vec!["a".to_owned(); limits::DEMANDED_WORDS_MAX + 1];
        assert_eq!(catalog.demand("jira", None, many), Err(CatalogError::TooMany));
    }

    #[test]
    fn class_names_round_trip() {
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.as_str()), Some(class));
        }
        assert_eq!(Class::from_name("Read"), None);
    }
}
