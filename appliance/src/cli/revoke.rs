//! `portreeve revoke`, `restore` and `revocations`: who and what is shut off at a running gate.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use portreeve_core::time::UnixTime;

use super::{Failure, unknown};
use crate::admin::client::{self, ClientError};
use crate::admin::contract::{self, Done, Lift, Listed, Thumbprint, What};
use crate::clock;
use crate::config::value::TimeSpan;
use crate::config::{self, Config, embedded};

/// Shut an agent, a user, one agent for one user, a login session, a token, a key or a server off, at once.
///
/// Every request that begins afterwards is refused and what is open ends; nobody's keys change, and no one else notices.
/// It outlives restarts, until `portreeve restore`. The configuration file is left alone: `portreeve agent revoke` and
/// `portreeve server revoke` write it there, for good.
#[derive(Args, Debug)]
pub(super) struct Revoke {
    #[command(subcommand)]
    subject: Subject,
    /// Why, for whoever reads `portreeve revocations`.
    #[arg(long, value_name = "TEXT", global = true)]
    reason: Option<String>,
    #[command(flatten)]
    gate: RunningGate,
}

/// Let something back in that `portreeve revoke` shut off.
#[derive(Args, Debug)]
pub(super) struct Restore {
    #[command(subcommand)]
    subject: Subject,
    #[command(flatten)]
    gate: RunningGate,
}

/// List what is shut off, since when, by whom and why.
#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    gate: RunningGate,
}

/// Which gate is meant.
#[derive(Args, Debug)]
pub(super) struct RunningGate {
    /// The configuration of the running gate.
    #[arg(long, value_name = "FILE", default_value = "portreeve.toml", global = true)]
    config: PathBuf,
    /// The state directory of the running gate, where its configuration cannot be read; names are then not checked, and
    /// --issuer is the exact `iss`.
    #[arg(long, value_name = "DIR", global = true)]
    state_dir: Option<PathBuf>,
}

impl RunningGate {
    /// Its state directory, and its configuration unless that is not to be read.
    pub(super) fn find(&self) -> Result<(PathBuf, Option<Config>), Failure> {
        if let Some(state_dir) = &self.state_dir {
            return Ok((state_dir.clone(), None));
        }
        let config = config::load(&self.config)?;
        Ok((config.gate.state_dir.clone(), Some(config)))
    }
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// An agent, for every user.
    Agent {
        /// Its name in [agents].
        name: String,
        #[command(flatten)]
        tokens: Tokens,
    },
    /// A user, through every agent.
    User {
        /// The user's id at the issuer, as the audit shows it.
        id: String,
        #[command(flatten)]
        issuer: IssuerName,
        #[command(flatten)]
        tokens: Tokens,
    },
    /// One agent for one user.
    Delegation {
        /// The agent's name in [agents].
        agent: String,
        /// The user's id at the issuer, as the audit shows it.
        user: String,
        #[command(flatten)]
        issuer: IssuerName,
    },
    /// One token, an agent's or a user's.
    Token {
        /// Its `jti`.
        id: String,
        #[command(flatten)]
        issuer: IssuerName,
    },
    /// A login session: all tokens with this `sid`.
    Session {
        /// The `sid`.
        id: String,
        #[command(flatten)]
        issuer: IssuerName,
    },
    /// All tokens that are bound to a key or a certificate.
    Key {
        /// Its SHA-256 thumbprint in base64url: `cnf.jkt` or `cnf.x5t#S256` of the tokens.
        thumbprint: Thumbprint,
    },
    /// A server, for everybody.
    Server {
        /// Its name in [servers].
        name: String,
    },
}

#[derive(Args, Debug)]
struct IssuerName {
    /// The issuer's name in [issuers], `embedded` or `embedded-users`, or its exact `iss`; may be left out where there is
    /// only one.
    #[arg(long = "issuer", value_name = "NAME")]
    name: Option<String>,
}

#[derive(Args, Debug)]
struct Tokens {
    /// Only tokens that were issued before: `now`, a time span ago such as `15m`, or seconds since 1970. Whoever logs in
    /// again is let in. To `restore`, any of them means what is shut off in this way.
    #[arg(long, value_name = "TIME")]
    issued_before: Option<Moment>,
}

impl Tokens {
    fn moment(&self) -> Option<u64> {
        self.issued_before.map(|Moment(moment)| moment)
    }
}

/// A moment in seconds since 1970; nothing issued by now has been issued after `now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment(u64);

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Tokens say the second in which they were issued, and this one has begun.
        let now = clock::now().secs() + 1;
        if text == "now" {
            return Ok(Self(now));
        }
        let seconds = text.parse().ok();
        let ago = text
            .parse()
            .ok()
            .map(|TimeSpan(span)| now.saturating_sub(span.as_secs()));
        let moment = seconds.or(ago);
        moment
            .map(Self)
            .ok_or("write `now`, a time span ago such as `15m`, or seconds since 1970")
    }
}

pub(super) fn revoke(options: &Revoke) -> Result<String, Failure> {
    let (state_dir, config) = options.gate.find()?;
    let what = options.subject.named(config.as_ref())?;
    if let Some(config) = &config {
        options.subject.refuse_unknown(config)?;
    }
    let order = contract::Revoke {
        what,
        reason: options.reason.clone(),
    };
    let done: Done = client::ask(&state_dir, contract::REVOCATIONS, Some(&order))?;
    let generation = done.generation;
    Ok(if done.changed {
        format!("{} is shut off on every core (generation {generation})\n", order.what)
    } else {
        format!("{} was shut off already\n", order.what)
    })
}

pub(super) fn restore(options: &Restore) -> Result<String, Failure> {
    let (state_dir, config) = options.gate.find()?;
    let order = Lift {
        what: options.subject.named(config.as_ref())?,
    };
    let done: Done = client::ask(&state_dir, contract::LIFT, Some(&order))?;
    if done.changed {
        return Ok(format!(
            "{} is let in again (generation {})\n",
            order.what, done.generation
        ));
    }
    Err(Failure::Other(format!(
        "{} is not shut off\n  hint: `portreeve revocations` lists what is",
        order.what
    )))
}

pub(super) fn list(options: &List) -> Result<String, Failure> {
    let (state_dir, _) = options.gate.find()?;
    let Listed { revocations } = client::ask(&state_dir, contract::REVOCATIONS, None::<&()>)?;
    if revocations.is_empty() {
        return Ok("nothing is shut off\n".to_owned());
    }
    let mut out = String::new();
    for entry in revocations {
        let since = UnixTime::from_secs(entry.since);
        // A string takes everything.
        let _ = writeln!(out, "{}\n  since {since} by {}", entry.what, entry.by);
        if let Some(reason) = entry.reason {
            let _ = writeln!(out, "  {}", reason.escape_debug());
        }
    }
    Ok(out)
}

impl Subject {
    /// What this names, with the exact `iss` in the place of the issuer's name.
    fn named(&self, config: Option<&Config>) -> Result<What, Failure> {
        let users = || config.map(users).unwrap_or_default();
        let issuers = || config.map(issuers).unwrap_or_default();
        Ok(match self {
            Self::Agent { name, tokens } => What::Agent {
                agent: text(name),
                issued_before: tokens.moment(),
            },
            Self::Server { name } => What::Server { server: text(name) },
            Self::User { id, issuer, tokens } => What::User {
                issuer: issuer.exact(&users())?,
                user: text(id),
                issued_before: tokens.moment(),
            },
            Self::Session { id, issuer } => What::Session {
                issuer: issuer.exact(&issuers())?,
                session: text(id),
            },
            Self::Key { thumbprint } => What::Key {
                thumbprint: *thumbprint,
            },
            Self::Delegation { agent, user, issuer } => What::Delegation {
                agent: text(agent),
                issuer: issuer.exact(&users())?,
                user: text(user),
            },
            Self::Token { id, issuer } => What::Token {
                issuer: issuer.exact(&issuers())?,
                id: text(id),
            },
        })
    }

    /// A name that the configuration does not have is a slip of the pen, not somebody to shut off.
    fn refuse_unknown(&self, config: &Config) -> Result<(), Failure> {
        let (noun, name, known): (_, _, Vec<&str>) = match self {
            Self::Agent { name, .. } | Self::Delegation { agent: name, .. } => (
                "agent",
                name,
                config.agents.iter().map(|agent| agent.name.as_str()).collect(),
            ),
            Self::Server { name } => (
                "server",
                name,
                config.servers.iter().map(|server| server.name.as_str()).collect(),
            ),
            Self::User { .. } | Self::Token { .. } | Self::Session { .. } | Self::Key { .. } => return Ok(()),
        };
        if known.contains(&name.as_str()) {
            return Ok(());
        }
        Err(unknown(noun, name, &known))
    }
}

/// Name and exact `iss` of an issuer.
type Named = (String, String);

/// Everybody who vouches for users.
fn users(config: &Config) -> Vec<Named> {
    let gate = &config.gate.public_url;
    let configured = config.issuers.iter().filter(|issuer| issuer.users);
    let embedded = config
        .embedded
        .iter()
        .map(|_| (text(embedded::USER_PROFILE), embedded::user_issuer(gate)));
    configured
        .map(|issuer| (issuer.name.clone(), issuer.issuer.clone()))
        .chain(embedded)
        .collect()
}

/// Everybody who vouches for anybody.
fn issuers(config: &Config) -> Vec<Named> {
    let gate = &config.gate.public_url;
    let agents = config.issuers.iter().filter(|issuer| !issuer.users);
    let embedded = config
        .embedded
        .iter()
        .map(|_| (text(embedded::AGENT_PROFILE), embedded::agent_issuer(gate)));
    let mut all = users(config);
    all.extend(
        agents
            .map(|issuer| (issuer.name.clone(), issuer.issuer.clone()))
            .chain(embedded),
    );
    all
}

impl IssuerName {
    fn exact(&self, known: &[Named]) -> Result<String, Failure> {
        let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        match (&self.name, known) {
            (None, [(_, only)]) => Ok(only.clone()),
            (None, []) => Err(Failure::Other(
                "no issuer is known here\n  hint: give its exact `iss` with --issuer".to_owned(),
            )),
            (Some(exact), _) if exact.contains(':') => Ok(exact.clone()),
            (None, _) => Err(Failure::Other(format!(
                "there is more than one issuer\n  hint: say which with --issuer: {}",
                names.join(", ")
            ))),
            (Some(wanted), _) => known
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, issuer)| issuer.clone())
                .ok_or_else(|| unknown("issuer of that kind", wanted, &names)),
        }
    }
}

fn text(name: &str) -> String {
    name.to_owned()
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Other(error.to_string())
    }
}
