//! The receiving end of shared signals: who may say something, what they said, and how they are.
//!
//! Judges SETs (by core) and counts; what they mean is carried out where orders are. Must never acknowledge what is not
//! in force, and never hold an order up: fetching is done by a task for each transmitter.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use portreeve_core::audit::digest;
use portreeve_core::jose::jwks::KeySet;
use portreeve_core::json::Scratch;
use portreeve_core::signals::{Signal, SignalError, Transmitter};
use portreeve_core::time::UnixTime;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

mod poll;
pub mod standing;
pub mod token;

use crate::clock;
use crate::config::{Config, IssuerKeys, Signals};
use crate::fetch::Fetcher;
use crate::issuers::{Changed, Failing};
use crate::say;

/// Reports that wait to be read.
const REPORTS: usize = 16;
/// The names of SETs that are remembered of each transmitter.
const REMEMBERED: usize = 4_096;
/// How long a SET with an unknown key may wait for the keys to be fetched anew; and how many may.
const KEYS_IN: (Duration, usize) = (Duration::from_secs(45), 64);

/// All transmitters.
#[derive(Debug)]
pub struct Receivers {
    all: BTreeMap<String, Received>,
    tell: Sender<Report>,
    /// Numbers the tasks: what a task says that was replaced is not heard.
    tasks: u64,
}

/// One transmitter, what is remembered of it, and how it is.
#[derive(Debug)]
pub struct Received {
    /// As it is configured.
    pub configured: Signals,
    /// What its SETs must be.
    pub transmitter: Transmitter,
    number: u64,
    task: Option<JoinHandle<()>>,
    seen: Seen,
    /// SETs whose key is not known yet, and since when they have been waiting.
    waiting: BTreeMap<[u8; 32], Instant>,
    /// How it is.
    pub health: Health,
}

/// How a transmitter is; numbers are since the start.
#[derive(Debug, Default)]
pub struct Health {
    /// SETs that were carried out.
    pub accepted: u64,
    /// SETs that came once more.
    pub repeated: u64,
    /// SETs that were refused.
    pub refused: u64,
    /// When one was carried out last.
    pub last_accepted: Option<UnixTime>,
    /// The last refusal.
    pub last_refusal: Option<(UnixTime, String)>,
    /// When the transmitter answered last.
    pub answered: Option<UnixTime>,
    /// Set while SETs cannot be fetched or carried out.
    pub failing: Option<Failing>,
}

/// What a task has to say.
#[derive(Debug)]
pub struct Report {
    /// The transmitter.
    pub name: String,
    number: u64,
    /// What.
    pub news: News,
}

/// What came of asking a transmitter.
#[derive(Debug)]
pub enum News {
    /// SETs by the name that the transmitter gives them, and where their verdicts go.
    Sets(Vec<(String, String)>, oneshot::Sender<Vec<(String, Verdict)>>),
    /// There are none.
    Nothing,
    /// It does not answer as it must.
    Failed(String),
}

/// What becomes of a SET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in force.
    Taken,
    /// It never will be.
    Refused(RefusedSignal),
    /// It may be when it comes again.
    Later,
}

/// Why a SET is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedSignal {
    /// By itself.
    Set(SignalError),
    /// Its `jti` is not the name it came under, or was another SET's before.
    Name,
}

impl RefusedSignal {
    /// What the transmitter is told, in one word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Set(error) => error.code(),
            Self::Name => "invalid_request",
        }
    }
}

impl fmt::Display for RefusedSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(error) => error.fmt(f),
            Self::Name => f.write_str("the jti is another SET's, or not the name that this one came under"),
        }
    }
}

/// What a SET is found to be.
#[derive(Debug)]
pub enum Judged {
    /// New, and to be carried out.
    New(Signal),
    /// There is nothing to carry out.
    Settled(Verdict),
    /// Its key is not known, but may be once the keys were fetched.
    LacksKey,
}

/// The SETs that were carried out last, by `jti`, with the digest of each. Forgotten at the end of the process: a SET that
/// comes once more after that is carried out once more, which changes nothing, because what it shuts off ends at its own
/// time of issue.
#[derive(Debug, Default)]
struct Seen {
    digests: BTreeMap<String, [u8; 32]>,
    oldest: VecDeque<String>,
}

impl Receivers {
    /// Begins to listen to `transmitters`. Needs a tokio runtime.
    ///
    /// # Errors
    /// A CA file that cannot be used.
    pub fn start(
        config: &Config,
        transmitters: Vec<(String, Transmitter)>,
    ) -> Result<(Self, Receiver<Report>), String> {
        let (tell, reports) = channel(REPORTS);
        let mut receivers = Self {
            all: BTreeMap::new(),
            tell,
            tasks: 0,
        };
        receivers.follow(config, transmitters)?;
        Ok((receivers, reports))
    }

    /// Takes up the transmitters of a new configuration; those that have not changed go on.
    ///
    /// # Errors
    /// A CA file that cannot be used; everything is as before then.
    pub fn follow(&mut self, config: &Config, transmitters: Vec<(String, Transmitter)>) -> Result<(), String> {
        let mut fetchers = BTreeMap::new();
        for signals in &config.signals {
            fetchers.insert(signals.name.clone(), Fetcher::new(signals.signer.ca_file.as_deref())?);
        }
        self.all
            .retain(|_, received| config.signals.contains(&received.configured));
        for (name, mut transmitter) in transmitters {
            let configured = config.signals.iter().find(|signals| signals.name == name);
            let (Some(configured), Some(fetcher)) = (configured, fetchers.remove(&name)) else {
                continue;
            };
            match self.all.get_mut(&name) {
                Some(received) => {
                    if !matches!(configured.signer.keys, IssuerKeys::File(_)) {
                        transmitter.keys = received.transmitter.keys.clone();
                    }
                    received.transmitter = transmitter;
                }
                None => self.add(configured, transmitter, fetcher),
            }
        }
        Ok(())
    }

    fn add(&mut self, configured: &Signals, transmitter: Transmitter, fetcher: Fetcher) {
        self.tasks += 1;
        let name = configured.name.clone();
        let task = configured.poll.clone().map(|poll| poll::Task {
            name: name.clone(),
            number: self.tasks,
            poll,
            fetcher,
            tell: self.tell.clone(),
        });
        let received = Received {
            configured: configured.clone(),
            transmitter,
            number: self.tasks,
            task: task.map(|task| tokio::spawn(task.run())),
            seen: Seen::default(),
            waiting: BTreeMap::new(),
            health: Health::default(),
        };
        self.all.insert(name, received);
    }

    /// Every transmitter.
    pub fn all(&self) -> impl Iterator<Item = &Received> {
        self.all.values()
    }

    /// The transmitter that a report is about, unless it was replaced since.
    #[must_use]
    pub fn of(&mut self, report: &Report) -> Option<&mut Received> {
        let received = self.all.get_mut(&report.name)?;
        (received.number == report.number).then_some(received)
    }

    /// Puts the keys of transmitters among `sets` in force.
    pub fn set_all_keys(&mut self, sets: Vec<Changed>) {
        for (signer, keys) in sets {
            if let Some(name) = Signals::of_signer(&signer) {
                self.set_keys(name, keys);
            }
        }
    }

    /// Puts keys that were fetched in force.
    pub fn set_keys(&mut self, name: &str, keys: KeySet) {
        if let Some(received) = self.all.get_mut(name) {
            received.transmitter.keys = keys;
        }
    }

    /// Judges a SET, which came under `name` if it was polled.
    pub fn judge(&mut self, transmitter: &str, name: Option<&str>, set: &[u8], now: UnixTime) -> Judged {
        let Some(received) = self.all.get_mut(transmitter) else {
            return Judged::Settled(Verdict::Later);
        };
        received.judge(name, set, now)
    }

    /// Notes that what this transmitter says can be carried out.
    pub fn well(&mut self, transmitter: &str) {
        if let Some(received) = self.all.get_mut(transmitter) {
            received.answered();
        }
    }

    /// Notes that what this transmitter says cannot be carried out.
    pub fn unwell(&mut self, transmitter: &str, error: String) {
        if let Some(received) = self.all.get_mut(transmitter) {
            received.failed(error);
        }
    }

    /// Notes that `signal`, which was `set`, is in force.
    pub fn carried_out(&mut self, transmitter: &str, signal: &Signal, set: &[u8], now: UnixTime) {
        if let Some(received) = self.all.get_mut(transmitter) {
            received.health.accepted += 1;
            received.health.last_accepted = Some(now);
            received.seen.keep(&signal.id, digest(set));
        }
    }
}

impl Received {
    fn judge(&mut self, name: Option<&str>, set: &[u8], now: UnixTime) -> Judged {
        let judged = self.transmitter.read(set, &mut Scratch::new(), now);
        let digest = digest(set);
        if judged == Err(SignalError::Key) && self.may_wait(digest) {
            return Judged::LacksKey;
        }
        self.waiting.remove(&digest);
        match judged {
            Ok(signal) => match self.seen.digests.get(&signal.id) {
                _ if name.is_some_and(|name| signal.id != name) => self.refuse(RefusedSignal::Name, now),
                None => Judged::New(signal),
                Some(before) if *before == digest => {
                    self.health.repeated += 1;
                    Judged::Settled(Verdict::Taken)
                }
                Some(_) => self.refuse(RefusedSignal::Name, now),
            },
            Err(error) => self.refuse(RefusedSignal::Set(error), now),
        }
    }

    /// Whether a SET with an unknown key may wait until the keys were fetched: a key may be newer than ours.
    fn may_wait(&mut self, digest: [u8; 32]) -> bool {
        if matches!(self.configured.signer.keys, IssuerKeys::File(_)) {
            return false;
        }
        let now = Instant::now();
        if let Some(since) = self.waiting.get(&digest) {
            return now.duration_since(*since) < KEYS_IN.0;
        }
        if self.waiting.len() >= KEYS_IN.1 {
            self.waiting.retain(|_, since| now.duration_since(*since) < KEYS_IN.0);
        }
        let room = self.waiting.len() < KEYS_IN.1;
        if room {
            self.waiting.insert(digest, now);
        }
        room
    }

    fn refuse(&mut self, refused: RefusedSignal, now: UnixTime) -> Judged {
        let error = refused.to_string();
        // Once for many of a kind: what a transmitter sends must not fill the operator's terminal.
        if self.health.last_refusal.as_ref().is_none_or(|(_, last)| *last != error) {
            say::notice(&format!("signals {}: a SET is refused: {error}", self.configured.name));
        }
        self.health.refused += 1;
        self.health.last_refusal = Some((now, error));
        Judged::Settled(Verdict::Refused(refused))
    }

    /// Notes that the transmitter answered.
    pub fn answered(&mut self) {
        self.health.answered = Some(clock::now());
        if self.health.failing.take().is_some() {
            say::notice(&format!("signals {}: answers again", self.configured.name));
        }
    }

    /// Notes that SETs cannot be fetched or carried out.
    pub fn failed(&mut self, error: String) {
        let failing = self.health.failing.get_or_insert_with(Failing::begun);
        if failing.again(error) {
            say::notice(&format!("signals {}: {}", self.configured.name, failing.error));
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Seen {
    fn keep(&mut self, id: &str, digest: [u8; 32]) {
        if self.digests.insert(id.to_owned(), digest).is_some() {
            return;
        }
        self.oldest.push_back(id.to_owned());
        if self.oldest.len() > REMEMBERED
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.digests.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_latest_sets_and_no_more() {
        let mut seen = Seen::default();
        for number in 0..REMEMBERED + 10 {
            seen.keep(&number.to_string(), [0; 32]);
            seen.keep(&number.to_string(), [1; 32]);
        }
        assert_eq!((seen.digests.len(), seen.oldest.len()), (REMEMBERED, REMEMBERED));
        assert!(!seen.digests.contains_key("9") && seen.digests.contains_key("10"));
    }
}
