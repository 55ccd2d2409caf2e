//! Keeps the keys of issuers and transmitters fresh: each is asked in its own task on the control plane, and bothers no other.
//!
//! Decides when to fetch ([`schedule`]), from where ([`source`]), and what remains when that fails: good keys are never
//! given up for bad news, only for age. Must never hold a shard up; tokens of an issuer without keys are refused.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_core::jose::jwks::KeySet;
use portreeve_core::time::UnixTime;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

pub(crate) mod metadata;
mod schedule;
mod shelf;
mod source;

use schedule::Schedule;
use shelf::Shelf;
use source::{Keys, Source, SourceError};

use crate::clock;
use crate::config::{Config, IssuerKeys, Signer};
use crate::say;

/// How long the start waits for issuers whose keys nobody has yet.
const FIRST: Duration = Duration::from_secs(5);
/// Reports that wait to be read.
const REPORTS: usize = 16;

/// The keys of an issuer have changed; an empty set withdraws them.
pub type Changed = (String, KeySet);

/// Fetches the keys of `issuer` once, for a command. Gives back where they are from, too.
///
/// # Errors
/// Why there are none, in words.
pub fn fetch_once(issuer: &Signer) -> Result<(KeySet, String), String> {
    let source = Source::new(issuer)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let keys = runtime.block_on(source.fetch()).map_err(|error| error.to_string())?;
    Ok((keys.set, keys.place))
}

/// Whether everything that the issuers and transmitters of `config` need to be asked can be used.
///
/// # Errors
/// A CA file that cannot.
pub fn check(config: &Config) -> Result<(), String> {
    let mut fetched = config.signers().filter(is_fetched);
    fetched.try_for_each(|signer| Source::new(&signer).map(drop))
}

const fn is_fetched(issuer: &Signer) -> bool {
    !matches!(issuer.keys, IssuerKeys::File(_))
}

/// All issuers whose keys are fetched.
#[derive(Debug)]
pub struct Keeper {
    issuers: BTreeMap<String, Kept>,
    shelf: Shelf,
    tell: Sender<Report>,
    /// Numbers the tasks: what a task says that was replaced is not heard.
    tasks: u64,
}

/// One issuer, and how it is.
#[derive(Debug)]
struct Kept {
    issuer: Signer,
    number: u64,
    task: JoinHandle<()>,
    calls: Arc<Calls>,
    keys: Option<Keys>,
    failing: Option<Failing>,
}

/// Since when somebody whom the control plane asks does not answer as they must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Since when.
    pub since: UnixTime,
    /// Requests since then.
    pub attempts: u32,
    /// What was wrong with the last one.
    pub error: String,
}

impl Failing {
    /// Nothing yet, since now.
    pub(crate) fn begun() -> Self {
        Self {
            since: clock::now(),
            attempts: 0,
            error: String::new(),
        }
    }

    /// Counts one more, and says whether it is for another reason than the one before.
    pub(crate) fn again(&mut self, error: String) -> bool {
        self.attempts += 1;
        let is_news = self.error != error;
        self.error = error;
        is_news
    }
}

/// How the keys of an issuer are.
#[derive(Clone, Debug)]
pub struct Health<'k> {
    /// Where the keys are from.
    pub place: Option<&'k str>,
    /// When they were fetched.
    pub fetched: Option<UnixTime>,
    /// Until when they stay in force if the issuer does not answer.
    pub good_until: Option<UnixTime>,
    /// Set while it does not answer.
    pub failing: Option<&'k Failing>,
}

/// What reaches a task from outside.
#[derive(Debug, Default)]
struct Calls {
    /// A token named a key that is not there.
    wanted: Notify,
    /// The operator asks.
    demanded: Notify,
}

/// What a task has to say.
#[derive(Debug)]
pub struct Report {
    issuer: String,
    number: u64,
    news: News,
}

#[derive(Debug)]
enum News {
    Fetched(Box<Keys>),
    Failed(SourceError),
    /// The keys are older than they may be.
    Stale,
}

impl Keeper {
    /// Begins with the keys that were kept, and asks for those that are missing or due. Needs a tokio runtime.
    ///
    /// # Errors
    /// A CA file that cannot be used.
    pub fn start(config: &Config) -> Result<(Self, Receiver<Report>), String> {
        let (tell, reports) = channel(REPORTS);
        let mut keeper = Self {
            issuers: BTreeMap::new(),
            shelf: Shelf::of(&config.gate.state_dir),
            tell,
            tasks: 0,
        };
        keeper.follow(config)?;
        Ok((keeper, reports))
    }

    /// Takes up the issuers of a new configuration; those that have not changed notice nothing.
    ///
    /// # Errors
    /// A CA file that cannot be used; everything is as before then.
    pub fn follow(&mut self, config: &Config) -> Result<(), String> {
        let signers: Vec<Signer> = config.signers().collect();
        let wanted: Vec<&Signer> = signers.iter().filter(|signer| is_fetched(signer)).collect();
        let known = |issuer: &Signer| {
            let kept = self.issuers.get(&issuer.name);
            kept.is_some_and(|kept| same_source(issuer, &kept.issuer))
        };
        let new = wanted.iter().filter(|issuer| !known(issuer));
        let sources: Vec<(&Signer, Source)> = new
            .map(|issuer| Ok((*issuer, Source::new(issuer)?)))
            .collect::<Result<_, String>>()?;
        self.issuers
            .retain(|_, kept| wanted.iter().any(|issuer| same_source(issuer, &kept.issuer)));
        for (issuer, source) in sources {
            self.add(issuer, source);
        }
        Ok(())
    }

    fn add(&mut self, issuer: &Signer, source: Source) {
        let keys = self.shelf.find(issuer, clock::now());
        self.tasks += 1;
        let calls = Arc::<Calls>::default();
        let task = Task {
            issuer: issuer.name.clone(),
            number: self.tasks,
            max_stale: issuer.max_stale,
            source,
            calls: Arc::clone(&calls),
            tell: self.tell.clone(),
        };
        let kept = Kept {
            issuer: issuer.clone(),
            number: self.tasks,
            task: tokio::spawn(task.run(keys.as_ref().map(Age::of))),
            calls,
            keys,
            failing: None,
        };
        self.issuers.insert(issuer.name.clone(), kept);
    }

    /// Waits, not for long, until every issuer without keys has been asked once.
    pub async fn first_keys(&mut self, reports: &mut Receiver<Report>) {
        let asked = |kept: &Kept| kept.keys.is_some() || kept.failing.is_some();
        let waiting = async {
            while !self.issuers.values().all(asked) {
                match reports.recv().await {
                    Some(report) => drop(self.hear(report)),
                    None => pending().await,
                }
            }
        };
        let _all_or_late = tokio::time::timeout(FIRST, waiting).await;
    }

    /// Issuers without keys that the gate must not start without, and what is wrong with each.
    #[must_use]
    pub fn missing(&self) -> Vec<(String, String)> {
        let missing = |kept: &&Kept| kept.issuer.require_at_start && kept.keys.is_none();
        let reason = |kept: &Kept| match &kept.failing {
            Some(failing) => failing.error.clone(),
            None => "it has not answered yet".to_owned(),
        };
        let missing = self.issuers.values().filter(missing);
        missing.map(|kept| (kept.issuer.name.clone(), reason(kept))).collect()
    }

    /// Every key set in force.
    #[must_use]
    pub fn sets(&self) -> Vec<Changed> {
        let kept = self.issuers.iter();
        kept.filter_map(|(name, kept)| Some((name.clone(), kept.keys.as_ref()?.set.clone())))
            .collect()
    }

    /// A token named a key of that issuer which is not there.
    pub fn wanted(&self, issuer: &str) {
        if let Some(kept) = self.issuers.get(issuer) {
            kept.calls.wanted.notify_one();
        }
    }

    /// Fetches that issuer's keys now. Says whether it is one whose keys are fetched.
    #[must_use]
    pub fn demand(&self, issuer: &str) -> bool {
        let kept = self.issuers.get(issuer);
        kept.inspect(|kept| kept.calls.demanded.notify_one()).is_some()
    }

    /// How the keys of that issuer are, if they are fetched.
    #[must_use]
    pub fn health(&self, issuer: &str) -> Option<Health<'_>> {
        let kept = self.issuers.get(issuer)?;
        let keys = kept.keys.as_ref();
        Some(Health {
            place: keys.map(|keys| keys.place.as_str()),
            fetched: keys.map(|keys| keys.fetched),
            good_until: keys.map(|keys| keys.fetched.saturating_add(kept.issuer.max_stale)),
            failing: kept.failing.as_ref(),
        })
    }

    /// Takes a report in. Gives back what the data plane must know.
    pub fn hear(&mut self, report: Report) -> Option<Changed> {
        let kept = self.issuers.get_mut(&report.issuer)?;
        if kept.number != report.number {
            return None;
        }
        let set = match report.news {
            News::Fetched(keys) => kept.fetched(*keys, &self.shelf)?,
            News::Failed(error) => {
                kept.failed(error.to_string());
                return None;
            }
            News::Stale => {
                kept.keys = None;
                say::notice(&format!(
                    "issuer {}: its keys are too old and no longer believed; its tokens are refused",
                    report.issuer
                ));
                KeySet::default()
            }
        };
        Some((report.issuer, set))
    }
}

impl Kept {
    fn fetched(&mut self, keys: Keys, shelf: &Shelf) -> Option<KeySet> {
        let name = &self.issuer.name;
        if self.failing.take().is_some() {
            say::notice(&format!("issuer {name}: answers again"));
        }
        if let Err(error) = shelf.put(&self.issuer, &keys) {
            say::notice(&format!(
                "issuer {name}: its keys cannot be kept for the next start: {error}"
            ));
        }
        let changed = self.keys.as_ref().is_none_or(|before| before.document != keys.document);
        if changed && keys.leaks() {
            say::notice(&format!(
                "issuer {name}: ALARM: {} publishes a private key; it is not used, and everything it signed is in doubt",
                keys.place
            ));
        }
        let set = keys.set.clone();
        let count = set.keys().len();
        if changed {
            let noun = if count == 1 { "key" } else { "keys" };
            say::notice(&format!("issuer {name}: {count} {noun} from {}", keys.place));
        }
        self.keys = Some(keys);
        changed.then_some(set)
    }

    fn failed(&mut self, error: String) {
        let name = &self.issuer.name;
        let failing = self.failing.get_or_insert_with(Failing::begun);
        if failing.again(error) {
            let meanwhile = match &self.keys {
                Some(keys) => format!(
                    "its keys of {} stay in force until {}",
                    keys.fetched,
                    keys.fetched.saturating_add(self.issuer.max_stale)
                ),
                None => "its tokens are refused".to_owned(),
            };
            say::notice(&format!("issuer {name}: {}; {meanwhile}", failing.error));
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether the keys of `a` are those of `b`.
fn same_source(a: &Signer, b: &Signer) -> bool {
    (&a.name, &a.issuer, &a.keys, &a.ca_file, a.max_stale) == (&b.name, &b.issuer, &b.keys, &b.ca_file, b.max_stale)
}

/// How old keys are that were kept.
#[derive(Clone, Copy)]
struct Age {
    age: Duration,
    max_age: Option<Duration>,
}

impl Age {
    fn of(keys: &Keys) -> Self {
        Self {
            age: clock::now().since(keys.fetched),
            max_age: keys.max_age,
        }
    }
}

/// What asks one issuer.
struct Task {
    issuer: String,
    number: u64,
    max_stale: Duration,
    source: Source,
    calls: Arc<Calls>,
    tell: Sender<Report>,
}

impl Task {
    async fn run(self, begin_with: Option<Age>) {
        let start = Instant::now();
        let (due, mut stale) = match begin_with {
            None => (start, None),
            Some(Age { age, max_age }) => (
                start + schedule::kept(max_age).saturating_sub(age),
                Some(start + self.max_stale.saturating_sub(age)),
            ),
        };
        let mut schedule = Schedule::new(due);
        loop {
            let next = stale.map_or(schedule.due(), |stale| schedule.due().min(stale));
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                () = self.calls.wanted.notified() => schedule.wanted(Instant::now()),
                () = self.calls.demanded.notified() => schedule.demanded(Instant::now()),
            }
            if stale.is_some_and(|stale| stale <= Instant::now()) {
                stale = None;
                if self.say(News::Stale).await.is_none() {
                    return;
                }
            }
            if schedule.due() > Instant::now() {
                continue;
            }
            schedule.begin(Instant::now());
            let news = match self.source.fetch().await {
                Ok(keys) => {
                    schedule.succeeded(Instant::now(), keys.max_age, chance());
                    stale = Some(Instant::now() + self.max_stale);
                    News::Fetched(Box::new(keys))
                }
                Err(error) => {
                    schedule.failed(Instant::now(), chance());
                    News::Failed(error)
                }
            };
            if self.say(news).await.is_none() {
                return;
            }
        }
    }

    /// `None` if nobody listens any more.
    async fn say(&self, news: News) -> Option<()> {
        let report = Report {
            issuer: self.issuer.clone(),
            number: self.number,
            news,
        };
        self.tell.send(report).await.ok()
    }
}

/// Anything from 0 to 1.
fn chance() -> f64 {
    let mut byte = [0];
    clock::entropy(&mut byte);
    f64::from(byte[0]) / 255.0
}
