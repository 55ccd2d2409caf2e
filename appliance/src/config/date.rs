//! Days and ends of registrations, as TOML's own dates. Pure; reads no clock.
//!
//! A moment without an offset from UTC would mean another moment on another machine, so it is refused.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use portreeve_core::time::UnixTime;
use serde::de::{Deserialize, Deserializer, Error};
use toml::value::{Datetime, Offset, Time};

const DAY: Duration = Duration::from_secs(86_400);

/// A day of the calendar: `2027-02-23`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(UnixTime);

/// When a registration ends: `2027-01-31`, the last day in UTC, or the very moment, `2027-01-31T18:00:00+01:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    at: UnixTime,
    written: String,
}

impl Day {
    /// The day of `now` in UTC.
    #[must_use]
    pub fn of(now: UnixTime) -> Self {
        Self(UnixTime::from_secs(now.secs() / DAY.as_secs() * DAY.as_secs()))
    }

    /// The day `days` later.
    #[must_use]
    pub fn plus(self, days: u32) -> Self {
        Self(self.0.saturating_add(DAY.saturating_mul(days)))
    }
}

impl Expiry {
    /// The first moment after it.
    #[must_use]
    pub const fn at(&self) -> UnixTime {
        self.at
    }
}

impl TryFrom<Datetime> for Day {
    type Error = String;

    fn try_from(written: Datetime) -> Result<Self, String> {
        match written {
            Datetime {
                date: Some(date),
                time: None,
                offset: None,
            } => UnixTime::from_day(date.year.into(), date.month.into(), date.day.into()),
            _ => None,
        }
        .map(Self)
        .ok_or_else(not_a_day)
    }
}

impl TryFrom<Datetime> for Expiry {
    type Error = String;

    fn try_from(written: Datetime) -> Result<Self, String> {
        let Datetime { date, time, offset } = written;
        let day = Day::try_from(Datetime {
            date,
            time: None,
            offset: None,
        });
        let at = match (day, time, offset) {
            (Ok(day), None, None) => Some(day.plus(1).0),
            (Ok(day), Some(time), Some(offset)) => moment(day, time, offset),
            (Ok(_), Some(_), None) => {
                return Err(
                    "this moment has no offset from UTC\nend it with Z or an offset: 2027-01-31T18:00:00Z".into(),
                );
            }
            _ => None,
        };
        at.map(|at| Self {
            at,
            written: written.to_string(),
        })
        .ok_or_else(not_an_expiry)
    }
}

fn moment(day: Day, time: Time, offset: Offset) -> Option<UnixTime> {
    let seconds = u64::from(time.hour) * 3_600 + u64::from(time.minute) * 60 + u64::from(time.second.unwrap_or(0));
    let millis = u64::from(time.nanosecond.unwrap_or(0)) / 1_000_000;
    let local = day.0.millis() + seconds * 1_000 + millis;
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    local.checked_add_signed(-minutes * 60_000).map(UnixTime::from_millis)
}

fn not_a_day() -> String {
    "this is not a date\nwrite year, month and day: 2027-01-31".to_owned()
}

fn not_an_expiry() -> String {
    "this is not a date or moment\nwrite the last day, 2027-01-31, or the moment, 2027-01-31T18:00:00Z".to_owned()
}

macro_rules! read_as_date {
    ($($name:ty: $fault:expr),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let written = Datetime::deserialize(deserializer).map_err(|_| D::Error::custom($fault() + ", without quotes"))?;
                Self::try_from(written).map_err(D::Error::custom)
            }
        }

        /// As it is written in the file; the error is `message\nhint`.
        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                text.parse::<Datetime>().map_err(|_| $fault()).and_then(Self::try_from)
            }
        }
    )*};
}

read_as_date!(Day: not_a_day, Expiry: not_an_expiry);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = self.0.to_string();
        f.write_str(moment.split('T').next().unwrap_or_default())
    }
}

/// As it was written.
impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> u64 {
        text.parse::<Expiry>().unwrap().at().millis()
    }

    #[test]
    fn a_date_is_the_last_day_and_a_moment_is_itself_everywhere() {
        assert_eq!(at("2027-01-31"), at("2027-02-01T00:00:00Z"));
        assert_eq!(at("2027-01-31T18:00:00+01:00"), at("2027-01-31T17:00:00Z"));
        assert_eq!(at("2027-01-31T18:00:00-05:30"), at("2027-01-31T23:30:00Z"));
        assert_eq!(at("2027-01-31 18:00:00.25z"), at("2027-01-31T18:00:00Z") + 250);
        assert_eq!(at("1970-01-01T00:00:01Z"), 1_000);
    }

    #[test]
    fn what_means_no_one_moment_is_refused_with_a_way_out() {
        for bad in [
            "",
            "soon",
            "2027-02-29",
            "2027-13-01",
            "18:00:00",
            "31.01.2027",
            "1970-01-01T00:00:00+01:00",
            "99999-01-01",
        ] {
            let fault = bad.parse::<Expiry>().unwrap_err();
            assert!(fault.starts_with("this is not a date or moment\n"), "{bad}: {fault}");
        }
        let local = "2027-01-31T18:00:00".parse::<Expiry>().unwrap_err();
        assert!(local.starts_with("this moment has no offset from UTC\n"), "{local}");
        for bad in ["2027-01-31T18:00:00Z", "2027-02-30", "x"] {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
    }

    #[test]
    fn days_are_counted_on_the_calendar_and_print_as_written() {
        let day: Day = "2026-11-25".parse().unwrap();
        assert_eq!(day.plus(90).to_string(), "2027-02-23");
        assert_eq!(Day::of(UnixTime::from_secs(1_800_000_000)).to_string(), "2027-01-15");
        assert_eq!("2027-01-31".parse::<Expiry>().unwrap().to_string(), "2027-01-31");
    }
}
