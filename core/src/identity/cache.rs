//! A bounded, two-way set-associative map from SHA-256 digests, with an end to every entry.
//!
//! Must never grow or allocate after it was made. When a set is full, the entry that was used longest ago gives way.
//! The keys are digests, so their first bytes choose the set. Whoever searches for tokens that share one can displace
//! two entries, which costs their owner a verification and nobody else anything.

use crate::time::UnixTime;

/// The digest that an entry is found by.
pub(super) type Digest = [u8; 32];

pub(super) struct Cache<V> {
    sets: Vec<[Option<Entry<V>>; 2]>,
}

struct Entry<V> {
    key: Digest,
    until: UnixTime,
    value: V,
}

impl<V> Cache<V> {
    /// A map of at least `entries` entries.
    pub(super) fn new(entries: usize) -> Self {
        let sets = entries.div_ceil(2).max(1);
        Self {
            sets: core::iter::repeat_with(|| [None, None]).take(sets).collect(),
        }
    }

    /// Puts `value` in until `until`.
    pub(super) fn insert(&mut self, key: Digest, until: UnixTime, value: V) {
        let set = self.set(&key);
        if set[0].as_ref().is_none_or(|entry| entry.key != key) {
            set.swap(0, 1);
        }
        set[0] = Some(Entry { key, until, value });
    }

    /// The value of `key`, if it is there and `now` is before its end.
    pub(super) fn get(&mut self, key: &Digest, now: UnixTime) -> Option<&V> {
        let set = self.set(key);
        if set[1].as_ref().is_some_and(|entry| entry.key == *key) {
            set.swap(0, 1);
        }
        set[0]
            .as_ref()
            .filter(|entry| entry.key == *key && now < entry.until)
            .map(|entry| &entry.value)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.sets.fill_with(|| [None, None]);
    }

    fn set(&mut self, key: &Digest) -> &mut [Option<Entry<V>>; 2] {
        let mut prefix = [0; size_of::<usize>()];
        prefix.copy_from_slice(&key[..size_of::<usize>()]);
        let sets = self.sets.len();
        &mut self.sets[usize::from_le_bytes(prefix) % sets]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(set: u8, tag: u8) -> Digest {
        let mut digest = [0; 32];
        digest[0] = set;
        digest[31] = tag;
        digest
    }

    #[test]
    fn an_entry_ends_at_its_time() {
        let mut cache = Cache::new(8);
        cache.insert(digest(0, 1), UnixTime::from_secs(10), 'a');
        assert_eq!(cache.get(&digest(0, 1), UnixTime::from_millis(9_999)), Some(&'a'));
        assert_eq!(cache.get(&digest(0, 1), UnixTime::from_secs(10)), None);
    }

    #[test]
    fn the_entry_used_longest_ago_gives_way() {
        let mut cache = Cache::new(2);
        let (now, end) = (UnixTime::from_secs(1), UnixTime::from_secs(9));
        cache.insert(digest(0, 1), end, 'a');
        cache.insert(digest(0, 2), end, 'b');
        assert_eq!(cache.get(&digest(0, 1), now), Some(&'a'));
        cache.insert(digest(0, 3), end, 'c');
        assert_eq!(cache.get(&digest(0, 2), now), None);
        assert_eq!(cache.get(&digest(0, 1), now), Some(&'a'));
        assert_eq!(cache.get(&digest(0, 3), now), Some(&'c'));
    }

    #[test]
    fn an_entry_is_replaced_and_not_doubled() {
        let mut cache = Cache::new(2);
        let (now, end) = (UnixTime::from_secs(1), UnixTime::from_secs(9));
        cache.insert(digest(0, 1), end, 'a');
        cache.insert(digest(0, 2), end, 'b');
        cache.insert(digest(0, 2), end, 'c');
        assert_eq!(cache.get(&digest(0, 1), now), Some(&'a'));
        assert_eq!(cache.get(&digest(0, 2), now), Some(&'c'));
    }

    #[test]
    fn nothing_is_left_after_clearing() {
        let mut cache = Cache::new(2);
        cache.insert(digest(0, 1), UnixTime::from_secs(9), 'a');
        cache.clear();
        assert_eq!(cache.get(&digest(0, 1), UnixTime::from_secs(1)), None);
    }

    proptest! {
        #[test]
        fn never_answers_with_the_value_of_another_key(steps in proptest::collection::vec((0_u8..4, 0_u8..6, 0_u64..8), 0..200)) {
            let mut cache = Cache::new(6);
            let mut latest = std::collections::HashMap::new();
            for (count, (set, tag, secs)) in steps.into_iter().enumerate() {
                let key = digest(set, tag);
                if count % 2 == 0 {
                    cache.insert(key, UnixTime::from_secs(secs), count);
                    latest.insert(key, (secs, count));
                } else if let Some(&value) = cache.get(&key, UnixTime::from_secs(secs)) {
                    let (until, written) = latest[&key];
                    prop_assert!(secs < until);
                    prop_assert_eq!(value, written);
                }
            }
        }
    }
}
