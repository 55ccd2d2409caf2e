//! A loaded policy set: immutable, checked, in three readings. Must never be built from text that has a mistake.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::annotations::Notes;
use super::catalog::Catalog;
use super::fault::PolicyError;
use super::index::Index;
use super::load;
use super::names::Names;

/// What a policy is called in decisions and in the audit: its `@id`, else `<file>#<number>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId(Arc<str>);

impl PolicyId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for PolicyId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Policies as one immutable value. [`decide`](super::decide) and [`listable`](super::listable) read it.
#[derive(Clone)]
pub struct PolicySet {
    pub(super) calls: Index,
    pub(super) lists: Index,
    pub(super) sessions: Index,
    /// Whether some policy names `list_tool`, `list_resource` or `list_prompt`.
    pub(super) mentions_list_actions: bool,
    pub(super) notes: BTreeMap<Arc<str>, Notes>,
    pub(super) names: Names,
}

impl PolicySet {
    /// The set without policies: it denies everything.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            calls: Index::default(),
            lists: Index::default(),
            sessions: Index::default(),
            mentions_list_actions: false,
            notes: BTreeMap::new(),
            names: Names::new(),
        }
    }

    /// Loads policy files, given as pairs of name and text.
    ///
    /// # Errors
    /// Every mistake in every file, with its place: not only syntax, but also words and scopes that no request can
    /// match. A set with a mistake is not loaded at all.
    pub fn load(files: &[(String, String)]) -> Result<Self, Vec<PolicyError>> {
        load::load(files)
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.notes.len()
    }

    /// Whether there is no policy, so that everything is denied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// The servers that scopes name and `catalog` does not have, in order, each once: probably typing errors.
    #[must_use]
    pub fn unknown_servers(&self, catalog: &Catalog) -> Vec<String> {
        let mut unknown: Vec<_> = self
            .calls
            .server_aliases()
            .filter(|alias| !catalog.has_server(alias))
            .map(str::to_owned)
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// The id and the notes of a policy of this set.
    pub(super) fn policy(&self, id: &str) -> Option<(PolicyId, &Notes)> {
        self.notes
            .get_key_value(id)
            .map(|(id, notes)| (PolicyId(Arc::clone(id)), notes))
    }
}

impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySet")
            .field("policies", &self.notes.keys())
            .finish_non_exhaustive()
    }
}
