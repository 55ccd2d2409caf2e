//! Asks issuers what opaque tokens are, on the control plane; shards ask by message and go on meanwhile.
//!
//! One request per token, however many wait for it on however many cores; what was answered stands for its while, which
//! core says. Must never judge an answer, keep a token, or wait: every request is a task of its own.
//!
//! SPEC: RFC 7662 2.1, 4.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::identity::Introspected;
use portreeve_core::mediation::{Inquiry, Unanswered};
use portreeve_core::time::UnixTime;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::clock;
use crate::config::Config;
use crate::config::diagnostic::Diagnostic;
use crate::config::introspection::{self, Askers, Settings};
use crate::fetch::FetchError;
use crate::flights::{Flights, Key, Ticket};
use crate::io::mailbox::Answer;
use crate::issuers::Failing;
use crate::say;
use crate::standing::{Failed, Form, Standing};

/// Inquiries of shards that wait to be read.
pub const INQUIRIES: usize = 4_096;
/// Requests to one issuer at once: whoever makes up tokens gets no more of it than that.
const FLIGHTS: usize = 64;
/// Answers about active tokens that are kept, and as many about others.
const HELD: usize = 16_384;
/// The longest that an answer may take, with everything before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What comes of an inquiry.
pub type Told = Result<Arc<Introspected>, Unanswered>;

/// An inquiry of a shard.
pub struct Ask {
    /// What is asked.
    pub inquiry: Inquiry,
    /// Where the answer goes.
    pub answer: Answer<Told>,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inquiry.fmt(f)
    }
}

/// A request that has ended.
pub struct Landed {
    ticket: Ticket,
    result: Result<Introspected, String>,
}

/// Everything about opaque tokens.
pub struct Introspector {
    askers: Askers,
    /// What was configured for them.
    settings: Settings,
    active: HashMap<Key, Arc<Introspected>>,
    /// Apart from those: who makes up tokens must not push out what is known of good ones.
    others: HashMap<Key, Arc<Introspected>>,
    flights: Flights<Told>,
    tell: Sender<Landed>,
    failing: BTreeMap<Box<str>, Failing>,
}

impl Introspector {
    /// The introspector of `config`, and where it hears of requests that have ended.
    ///
    /// # Errors
    /// Certificates and secrets that cannot be used.
    pub fn start(config: &Config) -> Result<(Self, Receiver<Landed>), Vec<Diagnostic>> {
        let (tell, landed) = channel(FLIGHTS);
        let introspector = Self {
            askers: introspection::askers(config)?,
            settings: introspection::settings(config),
            active: HashMap::new(),
            others: HashMap::new(),
            flights: Flights::new(FLIGHTS),
            tell,
            failing: BTreeMap::new(),
        };
        Ok((introspector, landed))
    }

    /// Takes up a new configuration. What was answered is forgotten if somebody else could be asked now; what it proves is
    /// judged anew under each configuration.
    pub(crate) fn follow(&mut self, askers: Askers, config: &Config) {
        self.askers = askers;
        let settings = introspection::settings(config);
        if settings == self.settings {
            return;
        }
        self.settings = settings;
        self.flights.begin_anew();
        self.active.clear();
        self.others.clear();
        self.failing.clear();
    }

    /// Since when, and why, that issuer says nothing of opaque tokens.
    #[must_use]
    pub fn failing(&self, issuer: &str) -> Option<&Failing> {
        self.failing.get(issuer)
    }

    /// Answers `ask` now, or when its issuer has.
    pub fn inquire(&mut self, ask: Ask) {
        let now = clock::now();
        let Ask { inquiry, answer } = ask;
        let known = self.active.get(&inquiry.key).or_else(|| self.others.get(&inquiry.key));
        if let Some(known) = known.filter(|known| now < known.until()) {
            return answer.send(Ok(Arc::clone(known)));
        }
        let Err(answer) = self.flights.join(&inquiry.key, Some(answer)) else {
            return;
        };
        let standing = self.askers.get(&*inquiry.issuer);
        let Some(standing) = standing.filter(|_| self.flights.has_room(&inquiry.issuer)) else {
            if let Some(answer) = answer {
                answer.send(Err(Unanswered));
            }
            return;
        };
        let ticket = self.flights.begin(inquiry.key, &inquiry.issuer, answer);
        let (standing, tell) = (Arc::clone(standing), self.tell.clone());
        tokio::spawn(async move {
            let late = || Err(format!("did not answer within {} s", PATIENCE.as_secs()));
            let asking = tokio::time::timeout(PATIENCE, ask_about(&inquiry, &standing));
            let result = asking.await.unwrap_or_else(|_| late());
            // Nobody waits any more once the control plane is gone.
            let _ = tell.send(Landed { ticket, result }).await;
        });
    }

    /// Takes in what came of a request.
    pub fn land(&mut self, landed: Landed) {
        let now = clock::now();
        let Landed { ticket, result } = landed;
        let landing = self.flights.land(&ticket);
        let told = match result {
            Ok(answer) => {
                let answer = Arc::new(answer);
                if landing.is_current {
                    if self.failing.remove(&ticket.to).is_some() {
                        say::notice(&format!("issuer {}: answers about opaque tokens again", ticket.to));
                    }
                    self.keep(ticket.key, Arc::clone(&answer), now);
                }
                Ok(answer)
            }
            Err(reason) => {
                if landing.is_current {
                    self.note(ticket.to, reason);
                }
                Err(Unanswered)
            }
        };
        landing.tell(&told);
    }

    /// Says what is wrong with an issuer, once.
    fn note(&mut self, issuer: Box<str>, reason: String) {
        let failing = self.failing.entry(issuer).or_insert_with_key(|issuer| {
            say::notice(&format!("issuer {issuer}: opaque tokens cannot be checked: {reason}"));
            Failing::begun()
        });
        failing.again(reason);
    }

    fn keep(&mut self, key: Key, answer: Arc<Introspected>, now: UnixTime) {
        self.active.remove(&key);
        self.others.remove(&key);
        let held = if answer.is_active() {
            &mut self.active
        } else {
            &mut self.others
        };
        if held.len() >= HELD {
            held.retain(|_, answer| now < answer.until());
        }
        // Full: one more is asked for anew each time, rather than pushing out another.
        if held.len() < HELD {
            held.insert(key, answer);
        }
    }
}

impl std::fmt::Debug for Introspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Introspector")
            .field("issuers", &self.askers.len())
            .finish_non_exhaustive()
    }
}

/// Asks once. Any answer of status 200 is one about the token; any other says something about the gate, or the issuer.
async fn ask_about(inquiry: &Inquiry, standing: &Standing) -> Result<Introspected, String> {
    let endpoint = standing.endpoint().await?;
    let mut form = Form::new();
    form.add("token", &inquiry.token)
        .add("token_type_hint", b"access_token");
    let asked = clock::now();
    let answer = match standing.ask(&endpoint, form).await {
        Ok(answer) if answer.status == 200 => answer.bytes.to_vec(),
        Ok(answer) => return Err(format!("{endpoint} answered {}", answer.status)),
        // More than is read: nothing of this token is known.
        Err(Failed::Fetch(FetchError::TooLarge(_))) => Vec::new(),
        Err(Failed::Fetch(error)) => return Err(format!("{endpoint} {error}")),
        Err(Failed::Identify(reason)) => return Err(reason),
    };
    Ok(Introspected::new(answer, asked, clock::now()))
}
