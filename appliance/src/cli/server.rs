//! `portreeve server`: what stands behind the gate, and who answers for it.

use clap::{Args, Subcommand, ValueEnum};

use super::Failure;
use super::registry::{self, List, Review};
use super::revoke::RunningGate;
use crate::admin::contract::{Edit, NewServer, Noun, ServerEntry, State};
use crate::config::date::Day;

/// Show, register, suspend, resume, revoke and review servers; changes are written into the configuration file.
///
/// A change is made to the file as it is now, comments and order kept, and only if the result is a valid configuration;
/// the running gate puts it in force before it answers. Where no gate runs the file is changed all the same.
#[derive(Args, Debug)]
pub(super) struct Server {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    gate: RunningGate,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every server: its owner, URL, state, and when its access is to be reviewed.
    List(List),
    /// Everything about one server, and where it stands in the file.
    Show {
        /// Its name in [servers].
        name: String,
    },
    Add(Add),
    /// Shut a server off for everybody, for the time being: the next request is refused, open streams end.
    Suspend {
        /// Its name in [servers].
        name: String,
    },
    /// Open a suspended server again.
    ///
    /// One that was shut off by `portreeve revoke` stays so until `portreeve restore`, and one that was revoked is revoked
    /// for good.
    Resume {
        /// Its name in [servers].
        name: String,
    },
    /// Shut a server off for good, in the file: the next request is refused, open streams end.
    ///
    /// As fast as `portreeve revoke server`, which leaves the file alone: the server is shut off by that order first, and
    /// the order is taken back once the file says `state = "revoked"` and is in force. If the file cannot be changed, the
    /// order stays.
    Revoke {
        /// Its name in [servers].
        name: String,
    },
    /// Record that a server's access was reviewed, and when that is due next.
    Review(Review),
}

/// Register a server. Who may call it is for the policies to say.
#[derive(Args, Debug)]
struct Add {
    /// Its name in policies, the audit and its path at the gate.
    name: String,
    /// Its MCP endpoint; https, or http on loopback.
    #[arg(long, value_name = "URL")]
    url: String,
    /// The protocol eras it serves.
    #[arg(long, value_name = "ERA")]
    era: Option<Eras>,
    /// Who answers for it.
    #[arg(long, value_name = "TEXT")]
    owner: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// When its access is to be reviewed.
    #[arg(long, value_name = "DATE", value_parser = registry::day)]
    review: Option<Day>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Eras {
    Dual,
    Legacy,
    Modern,
}

pub(super) fn run(server: &Server) -> Result<String, Failure> {
    let set = |name: &str, state| registry::perform(&server.gate, &registry::set_state(Noun::Server, name, state));
    match &server.action {
        Action::List(options) => list(&server.gate, options),
        Action::Show { name } => show(&server.gate, name),
        Action::Add(add) => registry::perform(&server.gate, &add.edit()),
        Action::Suspend { name } => set(name, State::Suspended),
        Action::Resume { name } => set(name, State::Active),
        Action::Revoke { name } => set(name, State::Revoked),
        Action::Review(review) => registry::perform(&server.gate, &registry::review(Noun::Server, review)),
    }
}

impl Add {
    fn edit(&self) -> Edit {
        let era = |era: Eras| match era {
            Eras::Dual => "dual".to_owned(),
            Eras::Legacy => "legacy".to_owned(),
            Eras::Modern => "modern".to_owned(),
        };
        Edit::AddServer(NewServer {
            name: self.name.clone(),
            url: self.url.clone(),
            era: self.era.map(era),
            owner: self.owner.clone(),
            purpose: self.purpose.clone(),
            review: self.review.map(|day| day.to_string()),
        })
    }
}

fn list(gate: &RunningGate, options: &List) -> Result<String, Failure> {
    let servers = registry::registry(gate)?.servers;
    if options.json {
        return registry::json(&servers);
    }
    if servers.is_empty() {
        return Ok("no server is registered; `portreeve server add` registers one\n".to_owned());
    }
    let row = |server: &ServerEntry| {
        [
            Some(server.name.clone()),
            server.registration.owner.clone(),
            Some(server.url.clone()),
            Some(registry::state(&server.registration, false)),
            registry::review_of(&server.registration),
        ]
    };
    let rows: Vec<_> = servers.iter().map(row).collect();
    Ok(registry::table(["NAME", "OWNER", "URL", "STATE", "REVIEW"], &rows))
}

fn show(gate: &RunningGate, name: &str) -> Result<String, Failure> {
    let listed = registry::registry(gate)?;
    let server = registry::find(Noun::Server, &listed.servers, name, |server| &server.name)?;
    let registration = &server.registration;
    Ok(registry::sheet(
        &format!("server {name}"),
        &[
            ("file", Some(format!("{}:{}", listed.file, registration.line))),
            ("owner", registration.owner.clone()),
            ("purpose", registration.purpose.clone()),
            ("url", Some(server.url.clone())),
            ("path", Some(server.path.clone())),
            ("era", Some(server.era.clone())),
            ("tools", Some(format!("{} reviewed, the rest are admin", server.tools))),
            ("state", Some(registry::state(registration, false))),
            ("review", registry::review_of(registration)),
        ],
    ))
}
