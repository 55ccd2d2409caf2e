//! What transmitters said of users beyond what ends tokens: how risky they are held to be, whether their devices comply.
//!
//! Decides nothing: policies do. Must never let something older replace something newer, whatever the order in which SETs
//! come, and must never forget bad news to make room for good.

use core::fmt;
use std::collections::BTreeMap;

use crate::identity::User;
use crate::limits::SIGNAL_DEVICES_MAX;
use crate::limits::SIGNAL_USERS_MAX;
use crate::time::UnixTime;

/// How risky a user is held to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Nothing is wrong.
    Low,
    /// Something may be.
    Medium,
    /// Something is.
    High,
}

/// One thing that was said of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The user's `iss`.
    pub issuer: String,
    /// The user's id there.
    pub user: String,
    /// When it was said: `iat` of the SET.
    pub issued: UnixTime,
    /// What.
    pub about: About,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// How risky the user is held to be.
    Risk(Risk),
    /// Whether one of their devices complies.
    Device {
        /// The device, as the transmitter names it; empty where it does not.
        device: String,
        /// Whether it does.
        compliant: bool,
    },
}

/// What policies can know of a user; absent where nothing was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserStanding {
    /// How risky they are held to be.
    pub risk: Option<Risk>,
    /// Whether every device that was spoken of complies.
    pub device_compliant: Option<bool>,
}

/// More users than [`SIGNAL_USERS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingFull;

/// Everything that was said, by issuer and user.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    users: BTreeMap<String, BTreeMap<String, Said>>,
    count: usize,
}

#[derive(Clone, Debug, Default)]
struct Said {
    risk: Option<(Risk, UnixTime)>,
    devices: BTreeMap<String, (bool, UnixTime)>,
}

impl Risk {
    /// The level in one word, for policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The level that CAEP calls so.
    #[must_use]
    pub fn from_caep(name: &str) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|risk| risk.name().eq_ignore_ascii_case(name))
    }
}

impl Standing {
    /// What is known of `user`.
    #[must_use]
    pub fn of(&self, user: &User) -> UserStanding {
        let said = self.users.get(user.issuer()).and_then(|users| users.get(user.id()));
        said.map_or_else(UserStanding::default, |said| UserStanding {
            risk: said.risk.map(|(risk, _)| risk),
            device_compliant: (!said.devices.is_empty())
                .then(|| said.devices.values().all(|(compliant, _)| *compliant)),
        })
    }

    /// Notes a remark; of two that were made in one second the worse one counts.
    ///
    /// # Errors
    /// [`StandingFull`]; nothing is noted then.
    pub fn note(&mut self, remark: &Remark) -> Result<(), StandingFull> {
        let users = self.users.get(&remark.issuer);
        let new = users.is_none_or(|users| !users.contains_key(&remark.user));
        if new && self.count >= SIGNAL_USERS_MAX {
            return Err(StandingFull);
        }
        self.count += usize::from(new);
        let users = self.users.entry(remark.issuer.clone()).or_default();
        users
            .entry(remark.user.clone())
            .or_default()
            .note(&remark.about, remark.issued);
        Ok(())
    }

    /// Everything that counts, to be noted again.
    #[must_use]
    pub fn remarks(&self) -> Vec<Remark> {
        let users = self.users.iter();
        let each = users.flat_map(|(issuer, users)| users.iter().map(move |(user, said)| (issuer, user, said)));
        let mut remarks = Vec::new();
        for (issuer, user, said) in each {
            let remark = |about, issued| Remark {
                issuer: issuer.clone(),
                user: user.clone(),
                issued,
                about,
            };
            remarks.extend(said.risk.map(|(risk, issued)| remark(About::Risk(risk), issued)));
            remarks.extend(said.devices.iter().map(|(device, (compliant, issued))| {
                let about = About::Device {
                    device: device.clone(),
                    compliant: *compliant,
                };
                remark(about, *issued)
            }));
        }
        remarks
    }
}

impl Said {
    fn note(&mut self, about: &About, issued: UnixTime) {
        match about {
            About::Risk(risk) => {
                let newer = self.risk.is_none_or(|(before, at)| (at, before) < (issued, *risk));
                if newer {
                    self.risk = Some((*risk, issued));
                }
            }
            About::Device { device, compliant } => {
                let before = self.devices.get(device);
                // In one second false comes after true.
                if before.is_some_and(|(was, at)| (*at, !*was) >= (issued, !*compliant)) {
                    return;
                }
                self.devices.insert(device.clone(), (*compliant, issued));
                self.make_room();
            }
        }
    }

    /// The device that complied longest ago gives way; if none complies, one of many says as much as all.
    fn make_room(&mut self) {
        if self.devices.len() <= SIGNAL_DEVICES_MAX {
            return;
        }
        let worth = |(_, (compliant, at)): &(&String, &(bool, UnixTime))| (!*compliant, *at);
        let least = self.devices.iter().min_by_key(worth).map(|(device, _)| device.clone());
        if let Some(device) = least {
            self.devices.remove(&device);
        }
    }
}

impl fmt::Display for StandingFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "something was said of more than {SIGNAL_USERS_MAX} users")
    }
}

impl core::error::Error for StandingFull {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn remark(about: About, issued: u64) -> Remark {
        Remark {
            issuer: "https://idp.example".to_owned(),
            user: "ada".to_owned(),
            issued: UnixTime::from_secs(issued),
            about,
        }
    }

    fn device(device: &str, compliant: bool) -> About {
        About::Device {
            device: device.to_owned(),
            compliant,
        }
    }

    fn after(remarks: &[Remark]) -> UserStanding {
        let mut standing = Standing::default();
        for remark in remarks {
            standing.note(remark).unwrap();
        }
        standing.of(&User::new(
            "ada".to_owned(),
            "https://idp.example".to_owned(),
            Vec::new(),
        ))
    }

    #[test]
    fn nothing_is_known_of_whom_nothing_was_said() {
        assert_eq!(after(&[]), UserStanding::default());
    }

    #[test]
    fn one_device_that_does_not_comply_is_enough_until_it_does() {
        let said = |remarks: &[Remark]| after(remarks).device_compliant;
        let bad = remark(device("phone", false), 5);
        assert_eq!(
            said(&[remark(device("phone", true), 1), remark(device("laptop", true), 2)]),
            Some(true)
        );
        assert_eq!(said(&[bad.clone(), remark(device("laptop", true), 9)]), Some(false));
        assert_eq!(said(&[bad.clone(), remark(device("phone", true), 5)]), Some(false));
        assert_eq!(said(&[bad, remark(device("phone", true), 6)]), Some(true));
    }

    #[test]
    fn bad_news_is_not_pushed_out_by_good() {
        let mut remarks = vec![remark(device("phone", false), 1)];
        let many = u64::try_from(SIGNAL_DEVICES_MAX).unwrap() * 3;
        remarks.extend((0..many).map(|number| remark(device(&number.to_string(), true), 10 + number)));
        assert_eq!(after(&remarks).device_compliant, Some(false));
    }

    #[test]
    fn there_are_not_more_users_than_the_limit() {
        let mut standing = Standing::default();
        let of = |number: usize| Remark {
            user: number.to_string(),
            ..remark(About::Risk(Risk::Low), 1)
        };
        for number in 0..SIGNAL_USERS_MAX {
            standing.note(&of(number)).unwrap();
        }
        assert_eq!(standing.note(&of(SIGNAL_USERS_MAX)), Err(StandingFull));
        assert_eq!(standing.note(&of(0)), Ok(()));
    }

    fn any_remark() -> impl Strategy<Value = Remark> {
        let risk = prop::sample::select(vec![Risk::Low, Risk::Medium, Risk::High]).prop_map(About::Risk);
        let devices = ("[a-c]", any::<bool>()).prop_map(|(name, compliant)| device(&name, compliant));
        (prop_oneof![risk, devices], 0_u64..4).prop_map(|(about, issued)| remark(about, issued))
    }

    proptest! {
        #[test]
        fn the_order_and_repetition_of_remarks_do_not_matter(remarks in prop::collection::vec(any_remark(), 0..12)) {
            let mut turned = remarks.clone();
            turned.reverse();
            turned.extend(remarks.clone());
            prop_assert_eq!(after(&remarks), after(&turned));
        }

        #[test]
        fn what_counts_can_be_noted_again(remarks in prop::collection::vec(any_remark(), 0..12)) {
            let mut standing = Standing::default();
            for remark in &remarks {
                standing.note(remark).unwrap();
            }
            prop_assert_eq!(after(&standing.remarks()), after(&remarks));
        }
    }
}
