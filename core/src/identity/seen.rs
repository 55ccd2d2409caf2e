//! When each agent was last let in. One per core, merged elsewhere; decides nothing.
//!
//! Must never know an agent that is not registered, or traffic could fill it.

use std::collections::BTreeMap;

use crate::limits::AGENTS_MAX;
use crate::time::UnixTime;

/// The last moment of each agent, by its registered name; at most [`AGENTS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastSeen(BTreeMap<String, UnixTime>);

impl LastSeen {
    /// Notes that the registered agent of this name was let in. Allocates nothing if it is known already.
    pub fn note(&mut self, agent: &str, now: UnixTime) {
        if let Some(last) = self.0.get_mut(agent) {
            *last = now.max(*last);
        } else if self.0.len() < AGENTS_MAX {
            self.0.insert(agent.to_owned(), now);
        }
    }

    /// Everything noted so far, which is forgotten here.
    #[must_use]
    pub fn take(&mut self) -> Self {
        core::mem::take(self)
    }

    /// Adds what another core noted; of two moments the later one counts.
    pub fn merge(&mut self, other: Self) {
        for (agent, moment) in other.0 {
            self.note(&agent, moment);
        }
    }

    /// When that agent was last let in, if it ever was.
    #[must_use]
    pub fn of(&self, agent: &str) -> Option<UnixTime> {
        self.0.get(agent).copied()
    }

    /// Whether nobody was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every agent with its last moment, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, UnixTime)> {
        self.0.iter().map(|(agent, moment)| (agent.as_str(), *moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_moment_counts_on_whichever_core_it_was() {
        let at = UnixTime::from_secs;
        let (mut all, mut one) = (LastSeen::default(), LastSeen::default());
        all.note("quill", at(7));
        all.note("quill", at(5));
        one.note("quill", at(6));
        one.note("bell", at(9));
        all.merge(one.take());
        assert!(one.is_empty());
        assert_eq!(all.iter().collect::<Vec<_>>(), [("bell", at(9)), ("quill", at(7))]);
        assert_eq!(all.of("courier"), None);
    }

    #[test]
    fn it_has_a_maximum() {
        let mut seen = LastSeen::default();
        for number in 0..=AGENTS_MAX {
            seen.note(&number.to_string(), UnixTime::from_secs(1));
        }
        assert_eq!(seen.iter().count(), AGENTS_MAX);
    }
}
