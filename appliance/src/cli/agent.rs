//! `portreeve agent`: who may come, who answers for it, until when.

mod key;

use clap::{Args, Subcommand};
use portreeve_core::time::UnixTime;

use super::Failure;
use super::registry::{self, List, Review};
use super::revoke::RunningGate;
use crate::admin::contract::{AgentEntry, Edit, NewAgent, Noun, State};
use crate::config::api_key::API_KEY_ISSUER;
use crate::config::date::{Day, Expiry};

/// Show, register, suspend, resume, revoke and review agents; changes are written into the configuration file.
///
/// A change is made to the file as it is now, comments and order kept, and only if the result is a valid configuration;
/// the running gate puts it in force before it answers. Where no gate runs the file is changed all the same.
#[derive(Args, Debug)]
pub(super) struct Agent {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    gate: RunningGate,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every agent: its owner, issuer, state, end, when its access is to be reviewed, and when it last called.
    List(List),
    /// Everything about one agent, and where it stands in the file.
    Show {
        /// Its name in [agents].
        name: String,
    },
    Add(Box<Add>),
    /// Stop an agent for the time being: its next request is refused, its open streams end.
    Suspend {
        /// Its name in [agents].
        name: String,
    },
    /// Let a suspended agent act again.
    ///
    /// One that was shut off by `portreeve revoke` stays so until `portreeve restore`, and one that was revoked is revoked
    /// for good.
    Resume {
        /// Its name in [agents].
        name: String,
    },
    /// End an agent for good, in the file: its next request is refused, its open streams end.
    ///
    /// As fast as `portreeve revoke agent`, which leaves the file alone: the agent is shut off by that order first, and
    /// the order is taken back once the file says `state = "revoked"` and is in force. If the file cannot be changed, the
    /// order stays.
    Revoke {
        /// Its name in [agents].
        name: String,
    },
    /// Record that an agent's access was reviewed, and when that is due next.
    Review(Review),
    /// API keys of an agent that has no tokens, the lowest rung.
    #[command(subcommand)]
    Key(key::Key),
}

/// Register an agent. What it may do is for the policies to say.
#[derive(Args, Debug)]
struct Add {
    /// Its name in policies and the audit.
    name: String,
    /// The name of its issuer in [issuers], `embedded`, or `api-key`.
    #[arg(long, value_name = "NAME")]
    issuer: String,
    /// Who it is at its issuer; its name, if that is `embedded` or `api-key`.
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Who answers for it.
    #[arg(long, value_name = "TEXT")]
    owner: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// The servers it may reach at all; without, the policies decide alone.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    servers: Option<Vec<String>>,
    /// Its groups in policies.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    groups: Vec<String>,
    /// The last day on which it may act (UTC), or the moment it ends: 2027-01-31, 2027-01-31T18:00:00Z.
    #[arg(long, value_name = "DATE", value_parser = registry::expiry)]
    expires: Option<Expiry>,
    /// When its access is to be reviewed.
    #[arg(long, value_name = "DATE", value_parser = registry::day)]
    review: Option<Day>,
}

pub(super) fn run(agent: &Agent) -> Result<String, Failure> {
    let set = |name: &str, state| registry::perform(&agent.gate, &registry::set_state(Noun::Agent, name, state));
    match &agent.action {
        Action::List(options) => list(&agent.gate, options),
        Action::Show { name } => show(&agent.gate, name),
        Action::Add(add) => registry::perform(&agent.gate, &add.edit()),
        Action::Suspend { name } => set(name, State::Suspended),
        Action::Resume { name } => set(name, State::Active),
        Action::Revoke { name } => set(name, State::Revoked),
        Action::Key(key) => key::run(&agent.gate, key),
        Action::Review(review) => registry::perform(&agent.gate, &registry::review(Noun::Agent, review)),
    }
}

impl Add {
    fn edit(&self) -> Edit {
        Edit::AddAgent(NewAgent {
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            owner: self.owner.clone(),
            purpose: self.purpose.clone(),
            servers: self.servers.clone(),
            groups: self.groups.clone(),
            expires: self.expires.as_ref().map(Expiry::to_string),
            review: self.review.map(|day| day.to_string()),
        })
    }
}

fn list(gate: &RunningGate, options: &List) -> Result<String, Failure> {
    let agents = registry::registry(gate)?.agents;
    if options.json {
        return registry::json(&agents);
    }
    if agents.is_empty() {
        return Ok("no agent is registered; `portreeve agent add` registers one\n".to_owned());
    }
    let row = |agent: &AgentEntry| {
        [
            Some(agent.name.clone()),
            agent.registration.owner.clone(),
            Some(format!("{}/{}", agent.issuer, agent.subject)),
            Some(registry::state(&agent.registration, agent.expired)),
            agent.expires.clone(),
            registry::review_of(&agent.registration),
            agent.last_seen.map(registry::moment),
        ]
    };
    let rows: Vec<_> = agents.iter().map(row).collect();
    let headings = [
        "NAME",
        "OWNER",
        "ISSUER/SUBJECT",
        "STATE",
        "EXPIRES",
        "REVIEW",
        "LAST SEEN (UTC)",
    ];
    Ok(registry::table(headings, &rows))
}

fn show(gate: &RunningGate, name: &str) -> Result<String, Failure> {
    let listed = registry::registry(gate)?;
    let agent = registry::find(Noun::Agent, &listed.agents, name, |agent| &agent.name)?;
    let registration = &agent.registration;
    let servers = agent.servers.as_deref().map(registry::names);
    let expires = agent.expires.clone().unwrap_or_else(|| "never".to_owned());
    let keys: Vec<String> = agent.keys.iter().map(|key| key.id.clone()).collect();
    let mut lines = vec![
        ("file", Some(format!("{}:{}", listed.file, registration.line))),
        ("owner", registration.owner.clone()),
        ("purpose", registration.purpose.clone()),
        ("issuer", Some(agent.issuer.clone())),
        ("subject", Some(agent.subject.clone())),
        ("groups", Some(registry::names(&agent.groups))),
        (
            "servers",
            servers.or_else(|| Some("any that the policies allow".to_owned())),
        ),
        ("state", Some(registry::state(registration, agent.expired))),
        ("expires", Some(expires)),
        ("review", registry::review_of(registration)),
        (
            "last seen",
            agent.last_seen.map(|secs| UnixTime::from_secs(secs).to_string()),
        ),
    ];
    if agent.issuer == API_KEY_ISSUER {
        lines.insert(5, ("API keys", Some(registry::names(&keys))));
    }
    Ok(registry::sheet(&format!("agent {name}"), &lines))
}
