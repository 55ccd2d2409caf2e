//! Gets tokens for servers from authorization servers, on the control plane; shards ask by message and go on meanwhile.
//!
//! One request per token, however many wait for it; a token is renewed before it ends; what is refused is not asked for
//! again at once. Must never wait: every request is a task of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::credential::{GrantRefusal, Obtained};
use portreeve_core::mediation::TokenOrder;
use portreeve_core::time::UnixTime;
use tokio::sync::mpsc::{Receiver, Sender, channel};

mod grant;

use grant::{Failure, Grant};

use crate::clock;
use crate::config::credential::{Client, Party};
use crate::config::keys::{self, Role};
use crate::config::{Config, Diagnostic};
use crate::flights::{Flights, Key, Ticket};
use crate::io::mailbox::Answer;
use crate::issuers::Failing;
use crate::say;
use crate::standing::Proof;

/// Orders of shards that wait to be read.
pub const ORDERS: usize = 4_096;
/// Requests for tokens of one server at once.
const FLIGHTS: usize = 256;
/// How long one may take, with everything that must be found out first.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tokens and refusals that are kept.
const HELD: usize = 16_384;
/// A token with less left than this could end on the way, so it is not handed out.
const MARGIN: Duration = Duration::from_secs(5);
/// How long a refusal stands.
const REFUSED: Duration = Duration::from_secs(5);

/// What comes of an order.
pub type Told = Result<Arc<Obtained>, GrantRefusal>;

/// An order of a shard.
pub struct Ask {
    /// What to obtain.
    pub order: TokenOrder,
    /// Where the token goes.
    pub answer: Answer<Told>,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.order.fmt(f)
    }
}

/// A request that has ended.
pub struct Landed {
    ticket: Ticket,
    result: Result<Obtained, Failure>,
}

/// Everything about tokens of authorization servers.
pub struct Broker {
    grants: Grants,
    held: HashMap<Key, Held>,
    flights: Flights<Told>,
    tell: Sender<Landed>,
    failing: BTreeMap<Box<str>, Failing>,
}

struct Held {
    token: Option<Arc<Obtained>>,
    /// Nothing is asked for before this.
    refused: Option<(GrantRefusal, UnixTime)>,
}

impl Broker {
    /// The broker of `config`, and where it hears of requests that have ended.
    ///
    /// # Errors
    /// Certificates, keys and secrets that cannot be used.
    pub fn start(config: &Config) -> Result<(Self, Receiver<Landed>), Vec<Diagnostic>> {
        let (tell, landed) = channel(FLIGHTS);
        let broker = Self {
            grants: grants(config)?,
            held: HashMap::new(),
            flights: Flights::new(FLIGHTS),
            tell,
            failing: BTreeMap::new(),
        };
        Ok((broker, landed))
    }

    /// Takes up a new configuration: what was obtained under the old one is forgotten.
    pub fn follow(&mut self, grants: Grants) {
        self.grants = grants;
        self.flights.begin_anew();
        self.held.clear();
        self.failing.clear();
    }

    /// Since when, and why, nothing can be had for that server.
    #[must_use]
    pub fn failing(&self, server: &str) -> Option<&Failing> {
        self.failing.get(server)
    }

    /// Answers `ask` now, or when its token is there.
    pub fn order(&mut self, ask: Ask) {
        let now = clock::now();
        let Ask { order, answer } = ask;
        let held = self.held.get(&order.key);
        if let Some(token) = held.and_then(|held| held.usable(now)) {
            answer.send(Ok(Arc::clone(token)));
            if is_due(token, now) && !held.is_some_and(|held| held.is_refused(now)) {
                self.request(order, None);
            }
            return;
        }
        match held.and_then(|held| held.refused) {
            Some((refusal, until)) if now < until => answer.send(Err(refusal)),
            _ => self.request(order, Some(answer)),
        }
    }

    fn request(&mut self, order: TokenOrder, answer: Option<Answer<Told>>) {
        let Err(answer) = self.flights.join(&order.key, answer) else {
            return;
        };
        let grant = self.grants.0.get(&*order.server);
        let grant = grant.filter(|_| self.flights.has_room(&order.server));
        let Some(grant) = grant else {
            if let Some(answer) = answer {
                answer.send(Err(GrantRefusal::Unavailable));
            }
            return;
        };
        let ticket = self.flights.begin(order.key, &order.server, answer);
        let (grant, tell) = (Arc::clone(grant), self.tell.clone());
        tokio::spawn(async move {
            let late = || {
                Err(Failure::unavailable(format!(
                    "no token within {} s",
                    PATIENCE.as_secs()
                )))
            };
            let obtaining = tokio::time::timeout(PATIENCE, grant.obtain(&order));
            let result = obtaining.await.unwrap_or_else(|_| late());
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
            Ok(token) => {
                let token = Arc::new(token);
                if landing.is_current {
                    if self.failing.remove(&ticket.to).is_some() {
                        say::notice(&format!("server {}: tokens can be had again", ticket.to));
                    }
                    self.keep(ticket.key, Held::token(Arc::clone(&token)), now);
                }
                Ok(token)
            }
            Err(failure) if !landing.is_current => Err(failure.means),
            Err(failure) => {
                self.note(ticket.to, &failure);
                let until = now.saturating_add(REFUSED);
                let before = self.held.remove(&ticket.key).and_then(|held| held.token);
                let held = Held {
                    token: before,
                    refused: Some((failure.means, until)),
                };
                let told = held.usable(now).cloned().ok_or(failure.means);
                self.keep(ticket.key, held, now);
                told
            }
        };
        landing.tell(&told);
    }

    /// Says what is wrong with an authorization server, once; what a caller can mend is no news to the operator.
    fn note(&mut self, server: Box<str>, failure: &Failure) {
        if !matches!(failure.means, GrantRefusal::Client | GrantRefusal::Unavailable) {
            return;
        }
        let failing = self.failing.entry(server).or_insert_with_key(|server| {
            say::notice(&format!("server {server}: no token can be had: {}", failure.reason));
            Failing::begun()
        });
        failing.again(failure.reason.clone());
    }

    fn keep(&mut self, key: Key, held: Held, now: UnixTime) {
        if self.held.len() >= HELD {
            self.held
                .retain(|_, held| held.usable(now).is_some() || held.is_refused(now));
        }
        // Full of good ones: one more is obtained anew each time, rather than pushing out another.
        if self.held.len() < HELD || self.held.contains_key(&key) {
            self.held.insert(key, held);
        }
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("servers", &self.grants.0.len())
            .finish_non_exhaustive()
    }
}

impl Held {
    const fn token(token: Arc<Obtained>) -> Self {
        Self {
            token: Some(token),
            refused: None,
        }
    }

    fn usable(&self, now: UnixTime) -> Option<&Arc<Obtained>> {
        let lasts = |token: &&Arc<Obtained>| now.saturating_add(MARGIN) < token.expires();
        self.token.as_ref().filter(lasts)
    }

    fn is_refused(&self, now: UnixTime) -> bool {
        self.refused.is_some_and(|(_, until)| now < until)
    }
}

/// Whether a token is in the last quarter of its life.
fn is_due(token: &Obtained, now: UnixTime) -> bool {
    now >= token
        .expires()
        .saturating_sub(token.expires().since(token.issued()) / 4)
}

/// The ways to tokens, by server.
pub struct Grants(BTreeMap<String, Arc<Grant>>);

/// The ways to tokens of every server of `config` that has one.
///
/// # Errors
/// Certificates, keys and secrets that cannot be used.
pub fn grants(config: &Config) -> Result<Grants, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let mut grants = BTreeMap::new();
    for server in &config.servers {
        let Some(fetched) = server.fetched() else { continue };
        let proof = |party: &Party| proof(config, &server.name, party);
        let resource = fetched.resource.as_ref().unwrap_or(&server.audience);
        match Grant::new(fetched, resource, proof) {
            Ok(grant) => drop(grants.insert(server.name.clone(), Arc::new(grant))),
            Err(reason) => faults.push(Diagnostic::of_file(
                &config.file,
                format!("servers.{}.credential: {reason}", server.name),
            )),
        }
    }
    if faults.is_empty() {
        Ok(Grants(grants))
    } else {
        Err(faults)
    }
}

/// What the gate shows `party` for that server.
fn proof(config: &Config, server: &str, party: &Party) -> Result<Proof, String> {
    if let Some(name) = &party.secret {
        let found = config.secret_store().get(name).map_err(|fault| fault.to_string())?;
        return found
            .map(Proof::Secret)
            .ok_or_else(|| format!("there is no secret `{name}`; portreeve secret set {name}"));
    }
    if party.client == Client::Mtls {
        return Ok(Proof::Certificate);
    }
    let key = keys::load(config, Role::Mint(server)).map_err(|fault| fault.to_string())?;
    Ok(Proof::Key(key))
}
