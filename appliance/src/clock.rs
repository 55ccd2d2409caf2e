//! The only clock and the only source of randomness. Core gets both as arguments.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use portreeve_core::time::UnixTime;
use ring::rand::{SecureRandom, SystemRandom};

/// The time of day.
#[must_use]
pub fn now() -> UnixTime {
    // A clock before 1970 reads as 1970: every token is then not yet valid, and everything is refused.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Nanoseconds since this process first asked; never goes back.
#[must_use]
pub fn ticks() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Fills `bytes` from the operating system.
///
/// # Panics
/// If the operating system has no randomness: nothing may be minted then.
pub fn entropy(bytes: &mut [u8]) {
    SystemRandom::new()
        .fill(bytes)
        .expect("getrandom(2) does not fail once the kernel has seeded it");
}
