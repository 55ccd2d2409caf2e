//! The time as a value. Reads no clock: whoever calls core says what time it is.

use core::time::Duration;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The moment `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The moment `secs` seconds after the epoch; saturates at the end of representable time.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down (the NumericDate of RFC 7519 2).
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// This moment moved `by` into the future; saturates.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(by)))
    }

    /// This moment moved `by` into the past; saturates at the epoch.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(by)))
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_down_and_arithmetic_saturates() {
        assert_eq!(UnixTime::from_millis(1999).secs(), 1);
        assert_eq!(
            UnixTime::from_secs(1).saturating_sub(Duration::from_secs(5)),
            UnixTime::default()
        );
        assert_eq!(
            UnixTime::from_millis(u64::MAX).saturating_add(Duration::MAX),
            UnixTime::from_millis(u64::MAX)
        );
        assert_eq!(UnixTime::from_secs(5).since(UnixTime::from_secs(7)), Duration::ZERO);
    }
}
