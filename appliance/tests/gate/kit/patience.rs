//! Waits for what another process does at its own pace: asks until it is so, and ends a test instead of hanging it.

use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// Repeats a look until it is as wanted.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    answered(what, || done().then_some(()));
}

/// Asks until there is something to tell.
pub(crate) fn answered<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(told) = ask() {
            return told;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}");
    }
}
