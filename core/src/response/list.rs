//! The lists that policy filters: where their entries stand and what names an entry.

use crate::json::Value;

/// A result whose entries are filtered one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `tools/list`, entries by name.
    Tools,
    /// `prompts/list`, entries by name.
    Prompts,
    /// `resources/list`, entries by URI.
    Resources,
    /// `resources/templates/list`, entries by URI template.
    ResourceTemplates,
    /// `tasks/list` (2025-11-25), entries by task id.
    Tasks,
    /// `skills/list`, entries by URI.
    Skills,
    /// `resources/read` and `resources/directory/read`: a server may answer with other URIs than the one asked for.
    Contents,
}

impl List {
    /// Every list.
    pub(crate) const ALL: [Self; 7] = [
        Self::Tools,
        Self::Prompts,
        Self::Resources,
        Self::ResourceTemplates,
        Self::Tasks,
        Self::Skills,
        Self::Contents,
    ];

    /// The member of the result that holds the entries.
    pub(crate) const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
            Self::Tasks => "tasks",
            Self::Skills => "skills",
            Self::Contents => "contents",
        }
    }

    /// The member of an entry that names it.
    const fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources | Self::Skills | Self::Contents => "uri",
            Self::ResourceTemplates => "uriTemplate",
            Self::Tasks => "taskId",
        }
    }

    /// What names `entry`; `None` if nothing does, or if readers could disagree about it.
    pub(super) fn name_of(self, entry: Value<'_>) -> Option<&str> {
        let entry = entry.as_object()?;
        entry.refuse_case_twins(&[self.key()]).ok()?;
        entry.get(self.key())?.as_str()
    }
}
