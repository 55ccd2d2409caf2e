//! The time as a value. Reads no clock: whoever calls core says what time it is.

use core::fmt;
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

    /// The first moment of a day in UTC; `None` for a day that the calendar does not have, or one before 1970.
    #[must_use]
    pub fn from_day(year: u64, month: u64, day: u64) -> Option<Self> {
        if year > 9_999 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        // The inverse of `civil`, which also says whether there is such a day.
        let year_of_march = if month > 2 { year } else { year.checked_sub(1)? };
        let (era, year_of_era) = (year_of_march / 400, year_of_march % 400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = (era * 146_097 + of_era).checked_sub(719_468)?;
        (civil(days) == (year, month, day)).then(|| Self::from_secs(days * 86_400))
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

/// `2026-11-20T23:30:16.123Z` (RFC 3339).
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.secs() / 86_400, self.secs() % 86_400);
        let (year, month, day) = civil(days);
        let (hours, minutes, seconds) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z",
            self.millis() % 1_000
        )
    }
}

/// Year, month and day of a number of days since 1970-01-01, proleptic Gregorian.
///
/// Counts from 0000-03-01, so that the leap day is the last of its year and a month is a linear function of the day.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
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

    #[test]
    fn a_day_reads_back_as_it_is_written_and_no_other_day_is_one() {
        for days in 0..80_000 {
            let (year, month, day) = civil(days);
            assert_eq!(
                UnixTime::from_day(year, month, day),
                Some(UnixTime::from_secs(days * 86_400))
            );
        }
        for (year, month, day) in [
            (2027, 2, 29),
            (2100, 2, 29),
            (2027, 4, 31),
            (2027, 13, 1),
            (2027, 0, 1),
            (2027, 1, 0),
            (2027, 1, 32),
            (1969, 12, 31),
            (0, 1, 1),
            (u64::MAX, 1, 1),
        ] {
            assert_eq!(UnixTime::from_day(year, month, day), None, "{year}-{month}-{day}");
        }
        assert!(UnixTime::from_day(2028, 2, 29).is_some());
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let said = |time: UnixTime| time.to_string();
        assert_eq!(said(UnixTime::from_millis(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(said(UnixTime::from_millis(951_782_399_999)), "2000-02-28T23:59:59.999Z");
        assert_eq!(said(UnixTime::from_secs(951_782_400)), "2000-02-29T00:00:00.000Z");
        assert_eq!(said(UnixTime::from_secs(1_709_251_200)), "2024-03-01T00:00:00.000Z");
        assert_eq!(said(UnixTime::from_secs(4_102_444_799)), "2099-12-31T23:59:59.000Z");
    }
}
