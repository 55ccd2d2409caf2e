//! When an issuer's keys are fetched next. Pure: the time and the chance are arguments.
//!
//! Between two fetches lies at least [`COOLDOWN`], whatever tokens come in and however the last one ended; the time is
//! taken before a fetch, so that one which hangs holds nobody else up and is not repeated meanwhile.

use std::time::{Duration, Instant};

/// The least time between two fetches, unless the operator asks.
pub(super) const COOLDOWN: Duration = Duration::from_secs(30);
/// Bounds of what an issuer may say about how long its keys can be kept.
const KEPT: (Duration, Duration) = (Duration::from_secs(5 * 60), Duration::from_secs(24 * 60 * 60));
/// How long keys are kept if the issuer does not say.
const KEPT_UNTOLD: Duration = Duration::from_secs(15 * 60);
/// The longest wait after failures.
const BACKOFF: Duration = Duration::from_secs(5 * 60);

/// One issuer's next fetch.
#[derive(Debug)]
pub(super) struct Schedule {
    due: Instant,
    began: Option<Instant>,
    failures: u32,
}

impl Schedule {
    /// First due at `due`.
    #[must_use]
    pub(super) const fn new(due: Instant) -> Self {
        Self {
            due,
            began: None,
            failures: 0,
        }
    }

    /// When to fetch.
    #[must_use]
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// A token named a key that is not there: fetch as soon as the cooldown allows.
    pub(super) fn wanted(&mut self, now: Instant) {
        let earliest = self.began.map_or(now, |began| now.max(began + COOLDOWN));
        self.due = self.due.min(earliest);
    }

    /// The operator asks: fetch now.
    pub(super) const fn demanded(&mut self, now: Instant) {
        self.due = now;
    }

    /// A fetch begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began = Some(now);
        self.due = now + COOLDOWN;
    }

    /// It went well, and the issuer says how long its keys can be kept. `chance` is anything from 0 to 1.
    pub(super) fn succeeded(&mut self, now: Instant, max_age: Option<Duration>, chance: f64) {
        self.failures = 0;
        let kept = kept(max_age);
        // Earlier, never later: gates that were started together must not ask together.
        self.due = now + kept - kept.mul_f64(chance.clamp(0.0, 1.0) / 10.0);
    }

    /// It failed: the next one comes later each time.
    pub(super) fn failed(&mut self, now: Instant, chance: f64) {
        let wait = COOLDOWN.saturating_mul(1 << self.failures.min(4)).min(BACKOFF);
        self.failures += 1;
        self.due = now + wait + wait.mul_f64(chance.clamp(0.0, 1.0) / 10.0);
    }
}

/// How long keys are kept of which the issuer says `max_age`.
#[must_use]
pub(super) fn kept(max_age: Option<Duration>) -> Duration {
    max_age.unwrap_or(KEPT_UNTOLD).clamp(KEPT.0, KEPT.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn any_flood_of_unknown_keys_leaves_one_fetch_per_cooldown() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let mut fetches = Vec::new();
        // 5 000 a second for ten minutes, and every fetch fails.
        for tick in 0..3_000_000 {
            let now = start + Duration::from_micros(200) * tick;
            schedule.wanted(now);
            if schedule.due() <= now {
                schedule.begin(now);
                fetches.push(now);
                schedule.failed(now, 1.0);
            }
        }
        assert_eq!(fetches.len(), 20);
        assert!(fetches.windows(2).all(|pair| pair[1] - pair[0] >= COOLDOWN));
    }

    #[test]
    fn a_fetch_that_hangs_is_not_begun_again() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        schedule.begin(start);
        schedule.wanted(start + SECOND);
        assert_eq!(schedule.due(), start + COOLDOWN);
    }

    #[test]
    fn an_unknown_key_is_looked_for_at_once_after_a_quiet_time() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        schedule.begin(start);
        schedule.succeeded(start, None, 0.0);
        let later = start + Duration::from_secs(100);
        schedule.wanted(later);
        assert_eq!(schedule.due(), later);
    }

    #[test]
    fn keys_are_kept_as_long_as_the_issuer_says_within_bounds() {
        let start = Instant::now();
        let due = |max_age: Option<u64>, chance| {
            let mut schedule = Schedule::new(start);
            schedule.begin(start);
            schedule.succeeded(start, max_age.map(Duration::from_secs), chance);
            schedule.due() - start
        };
        assert_eq!(due(None, 0.0), 900 * SECOND);
        assert_eq!(due(Some(0), 0.0), 300 * SECOND);
        assert_eq!(due(Some(3600), 0.0), 3600 * SECOND);
        assert_eq!(due(Some(u64::MAX), 0.0), 86_400 * SECOND);
        assert_eq!(due(Some(3600), 1.0), 3240 * SECOND);
    }

    #[test]
    fn failures_space_out_and_a_success_forgets_them() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let mut waits = Vec::new();
        for _ in 0..6 {
            schedule.begin(start);
            schedule.failed(start, 0.0);
            waits.push((schedule.due() - start).as_secs());
        }
        assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
        schedule.begin(start);
        schedule.succeeded(start, None, 0.0);
        schedule.begin(start);
        schedule.failed(start, 0.0);
        assert_eq!(schedule.due() - start, COOLDOWN);
    }
}
