//! Who created which task. A task id found in traffic proves nothing: only the pair that created a task may touch it.
//!
//! Without this a result that policy denied or filtered could be read through the task door. One shard owns each
//! (server, task id); the table is bounded by count (the longest unused goes first), by a share for each pair and by idle
//! time, and a forgotten task is refused.
//!
//! SPEC: MCP tasks extension 2026-07-28 and 2025-11-25 basic/utilities/tasks, "Task isolation and access control".

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::limits;
use crate::time::UnixTime;

/// What names a task at the gate: upstream ids are unique only within their server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskKey {
    /// Name of the server that made the task.
    pub server: Arc<str>,
    /// The server's id of the task.
    pub task: Box<str>,
}

impl TaskKey {
    /// Which of `shards` owns this task (FNV-1a over both names; every shard computes the same).
    #[must_use]
    pub fn shard(&self, shards: u8) -> u8 {
        let bytes = self.server.bytes().chain([0]).chain(self.task.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        u8::try_from(hash % u64::from(shards.max(1))).unwrap_or(0)
    }
}

/// Who made a task, and with which tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFacts {
    /// Digest of the (user, agent) pair, as in [`crate::session::SessionFacts::binding`].
    pub binding: [u8; 32],
    /// The tool whose call became the task.
    pub tool: Arc<str>,
}

/// The tasks owned by one shard.
#[derive(Debug, Default)]
pub struct TaskTable {
    tasks: BTreeMap<TaskKey, (UnixTime, TaskFacts)>,
    /// How many of them each pair has; none is absent.
    held: BTreeMap<[u8; 32], usize>,
}

impl TaskTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers the creator of a task. The first creator of a live task stays: a server that repeats an id does not
    /// hand one caller's task to another.
    ///
    /// A pair that already has [`limits::TASKS_PER_PRINCIPAL`] loses its longest unused task, and nobody else does; in a
    /// full table the longest unused of all goes.
    pub fn remember(&mut self, key: TaskKey, facts: TaskFacts, now: UnixTime) {
        if self.find(&key, now).is_some() {
            return;
        }
        let held = self.held.get(&facts.binding).copied().unwrap_or_default();
        if held >= limits::TASKS_PER_PRINCIPAL {
            self.forget_longest_unused(|known| known.binding == facts.binding);
        } else if self.tasks.len() >= limits::TASKS_PER_SHARD {
            self.forget_longest_unused(|_| true);
        }
        *self.held.entry(facts.binding).or_default() += 1;
        self.tasks.insert(key, (now, facts));
    }

    fn forget_longest_unused(&mut self, among: impl Fn(&TaskFacts) -> bool) {
        let tasks = self.tasks.iter().filter(|(_, (_, facts))| among(facts));
        let oldest = tasks.min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, key: &TaskKey) {
        if let Some((_, facts)) = self.tasks.remove(key) {
            release(&mut self.held, &facts);
        }
    }

    /// The creator of a task; `None` when unknown or unused for [`limits::TASK_IDLE`].
    pub fn find(&mut self, key: &TaskKey, now: UnixTime) -> Option<TaskFacts> {
        let (used, facts) = self.tasks.get_mut(key)?;
        if now.since(*used) >= limits::TASK_IDLE {
            self.forget(key);
            return None;
        }
        *used = now;
        Some(facts.clone())
    }

    /// Drops what has been unused for [`limits::TASK_IDLE`].
    pub fn expire(&mut self, now: UnixTime) {
        let Self { tasks, held } = self;
        tasks.retain(|_, (used, facts)| {
            let live = now.since(*used) < limits::TASK_IDLE;
            if !live {
                release(held, facts);
            }
            live
        });
    }
}

/// Takes one task from what its pair holds.
fn release(held: &mut BTreeMap<[u8; 32], usize>, facts: &TaskFacts) {
    if let Some(count) = held.get_mut(&facts.binding) {
        *count -= 1;
        if *count == 0 {
            held.remove(&facts.binding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(task: &str) -> TaskKey {
        TaskKey {
            server: "ledger".into(),
            task: task.into(),
        }
    }

    fn facts(principal: u8) -> TaskFacts {
        TaskFacts {
            binding: [principal; 32],
            tool: "audit".into(),
        }
    }

    #[test]
    fn a_repeated_task_id_stays_with_its_first_creator() {
        let mut table = TaskTable::new();
        let now = UnixTime::from_secs(1);
        table.remember(key("t"), facts(1), now);
        table.remember(key("t"), facts(2), now);
        assert_eq!(table.find(&key("t"), now), Some(facts(1)));
    }

    #[test]
    fn a_task_unused_for_its_ttl_is_forgotten() {
        let mut table = TaskTable::new();
        let now = UnixTime::from_secs(1);
        table.remember(key("t"), facts(1), now);
        assert_eq!(table.find(&key("t"), now.saturating_add(limits::TASK_IDLE)), None);
    }

    /// Remembers tasks `0..count`, each a millisecond after the one before, made by whom `principal` says.
    fn filled(count: usize, principal: impl Fn(usize) -> u8) -> TaskTable {
        let mut table = TaskTable::new();
        for number in 0..count {
            let now = UnixTime::from_millis(u64::try_from(number).unwrap());
            table.remember(key(&number.to_string()), facts(principal(number)), now);
        }
        table
    }

    #[test]
    fn one_pair_keeps_its_newest_tasks_and_pushes_out_nobody_else() {
        let mut table = filled(
            limits::TASKS_PER_PRINCIPAL + 2,
            |number| if number == 0 { 2 } else { 1 },
        );
        let now = UnixTime::from_secs(60);
        assert_eq!(table.find(&key("0"), now), Some(facts(2)), "older, and somebody else's");
        assert_eq!(table.find(&key("1"), now), None);
        for number in 2..limits::TASKS_PER_PRINCIPAL + 2 {
            assert_eq!(table.find(&key(&number.to_string()), now), Some(facts(1)), "{number}");
        }
    }

    #[test]
    fn a_share_that_was_given_back_can_be_used_again() {
        let mut table = filled(limits::TASKS_PER_PRINCIPAL, |_| 1);
        let later = UnixTime::from_secs(60).saturating_add(limits::TASK_IDLE);
        assert_eq!(table.find(&key("0"), later), None);
        table.expire(later);
        assert!(table.tasks.is_empty() && table.held.is_empty());
        for number in 0..limits::TASKS_PER_PRINCIPAL {
            table.remember(key(&number.to_string()), facts(1), later);
        }
        assert_eq!(table.tasks.len(), limits::TASKS_PER_PRINCIPAL);
    }

    #[test]
    fn a_full_table_forgets_the_longest_unused_task() {
        let pair = |number| u8::try_from(number / (limits::TASKS_PER_PRINCIPAL - 1)).unwrap();
        let mut table = filled(limits::TASKS_PER_SHARD + 1, pair);
        let now = UnixTime::from_secs(60);
        assert_eq!(table.find(&key("0"), now), None);
        assert!(table.find(&key("1"), now).is_some());
    }

    #[test]
    fn every_shard_agrees_on_the_owner() {
        assert_eq!(key("a").shard(4), key("a").shard(4));
        assert!(
            (0..64)
                .map(|n| key(&n.to_string()).shard(4))
                .any(|shard| shard != key("0").shard(4))
        );
    }
}
