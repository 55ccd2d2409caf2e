//! The four kinds of record and their fields, rendered as one JSON object each. Knows no file and no chain.

use core::net::IpAddr;

use ring::digest::SHA256;

use super::text::{hex, printable};
use crate::identity::Principal;
use crate::json::write::ObjectWriter;
use crate::limits::AUDIT_POLICIES_MAX;
use crate::time::UnixTime;

/// A rendered record that waits for its place in a [`super::Chain`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is not appended is lost"]
pub struct Record(Vec<u8>);

impl Record {
    /// The record as a JSON object, without its place.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.0
    }
}

/// What is about to be sent, on whose behalf and by which policies. Durable before the send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing may be sent before its intent is durable"]
pub struct Intent(Record);

/// How an exchange that was sent ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an exchange without outcome is one of unknown effect"]
pub struct Outcome(Record);

/// What was turned away, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a refusal nobody can see helps only the attacker"]
pub struct Refusal(Record);

/// How many records are missing at this place: they were due, and the file took none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is lost without a gap is lost in silence"]
pub struct Gap(Record);

/// What an administrator or a transmitter of signals changed at the running gate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change nobody can trace is as good as an attack"]
pub struct Change(Record);

/// Where the time of a request went, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Reading the message.
    pub parse_us: u64,
    /// Verifying both identities.
    pub identity_us: u64,
    /// Deciding.
    pub policy_us: u64,
    /// Minting.
    pub credential_us: u64,
    /// From the send to the end of the answer.
    pub upstream_us: u64,
}

/// Who called, as verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller<'a> {
    /// The agent's registered name.
    pub agent: &'a str,
    /// The agent's issuer.
    pub agent_issuer: &'a str,
    /// Who the agent is there.
    pub agent_subject: &'a str,
    /// Agents that acted before it, latest first.
    pub prior: Vec<&'a str>,
    /// The user's id.
    pub user: &'a str,
    /// The user's issuer.
    pub user_issuer: &'a str,
    /// What ties the user to the agent, one word.
    pub link: &'a str,
    /// How the agent showed that its token is its own, one word.
    pub binding: &'a str,
    /// How the agent showed who it is, one word.
    pub agent_method: &'a str,
}

impl<'a> From<&'a Principal> for Caller<'a> {
    fn from(principal: &'a Principal) -> Self {
        let (agent, user) = (principal.agent(), principal.user());
        Self {
            agent: agent.name(),
            agent_issuer: agent.issuer(),
            agent_subject: agent.subject(),
            prior: agent.prior().iter().map(|actor| actor.subject.as_str()).collect(),
            user: user.id(),
            user_issuer: user.issuer(),
            link: principal.link().name(),
            binding: principal.binding_name(),
            agent_method: principal.agent_method().name(),
        }
    }
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A tool, by name.
    Tool(&'a str),
    /// A prompt, by name.
    Prompt(&'a str),
    /// A resource, by URI.
    Resource(&'a str),
    /// A task, by id.
    Task(&'a str),
}

/// What is known of a request when a record of it is made. Everything but the request's own id may be missing.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The time.
    pub time: UnixTime,
    /// The request's id, the same in all its records.
    pub request: &'a str,
    /// The trace id of the caller (W3C Trace Context).
    pub trace: Option<&'a str>,
    /// The configuration it was decided under.
    pub generation: u64,
    /// The connection's other end.
    pub peer: Option<IpAddr>,
    /// Who called.
    pub caller: Option<Caller<'a>>,
    /// The server's name.
    pub server: Option<&'a str>,
    /// The MCP method.
    pub method: Option<&'a str>,
    /// What it is about.
    pub target: Option<Target<'a>>,
    /// SHA-256 of the exact bytes of the arguments, from [`digest`].
    pub arguments: Option<&'a [u8; 32]>,
    /// Where the time went so far.
    pub split: Split,
}

/// Why something may be sent.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a, P> {
    /// The ids of the policies that permitted it.
    pub policies: &'a [P],
    /// The kind of credential, one word.
    pub credential: &'a str,
    /// The `jti` of a minted one.
    pub token_id: Option<&'a str>,
    /// The scope of a minted one.
    pub scope: Option<&'a str>,
}

/// Why something was turned away.
#[derive(Clone, Copy, Debug)]
pub struct Turned<'a, P> {
    /// Whose credential was at fault, for identity failures: `agent`, `user` or `pair`.
    pub side: Option<&'a str>,
    /// The reason, one word.
    pub reason: &'a str,
    /// The HTTP status it was answered with.
    pub status: u16,
    /// The ids of the policies that forbade it; empty where none permitted.
    pub policies: &'a [P],
}

/// A change, by whom and why.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'a> {
    /// The time.
    pub time: UnixTime,
    /// The configuration in force from then on.
    pub generation: u64,
    /// What was done, one word.
    pub action: &'a str,
    /// To what, in words.
    pub what: &'a str,
    /// Who asked for it.
    pub by: Author<'a>,
    /// Why, as they say.
    pub reason: Option<&'a str>,
}

/// Who asked for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author<'a> {
    /// A process, by its user id.
    Uid(u32),
    /// A transmitter of signals, by its configured name.
    Transmitter(&'a str),
    /// Whoever holds a token that was made for this server.
    Server(&'a str),
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// One word: how it ended.
    pub result: &'a str,
    /// The server's HTTP status, if it gave one.
    pub status: Option<u16>,
    /// Messages and list items that were not passed on.
    pub dropped: u32,
}

impl Intent {
    /// Renders an intent.
    pub fn new<P: AsRef<str>>(facts: &Facts<'_>, grant: &Grant<'_, P>) -> Self {
        Self(render("intent", facts, |object| {
            object.string("decision", "permit");
            policies(object, grant.policies);
            object
                .string("credential", grant.credential)
                .optional_string("token", grant.token_id);
            outside(object, "scope", grant.scope);
        }))
    }

    /// The record to append.
    pub const fn record(&self) -> &Record {
        &self.0
    }
}

impl Refusal {
    /// Renders a refusal.
    pub fn new<P: AsRef<str>>(facts: &Facts<'_>, turned: &Turned<'_, P>) -> Self {
        Self(render("refusal", facts, |object| {
            object.string("decision", "deny");
            object
                .optional_string("side", turned.side)
                .string("reason", &printable(turned.reason))
                .number_u64("status", turned.status.into());
            policies(object, turned.policies);
        }))
    }

    /// The record to append.
    pub const fn record(&self) -> &Record {
        &self.0
    }
}

impl Outcome {
    /// Renders an outcome.
    pub fn new(facts: &Facts<'_>, ending: &Ending<'_>) -> Self {
        Self(render("outcome", facts, |object| {
            object.string("result", &printable(ending.result));
            if let Some(status) = ending.status {
                object.number_u64("status", status.into());
            }
            object.number_u64("dropped", ending.dropped.into());
        }))
    }

    /// The record to append.
    pub const fn record(&self) -> &Record {
        &self.0
    }
}

impl Gap {
    /// Renders a gap: `lost` records were due from `since` on, the first of them then, and are nowhere.
    pub fn new(time: UnixTime, lost: u64, since: UnixTime) -> Self {
        let mut out = Vec::with_capacity(128);
        let mut object = ObjectWriter::new(&mut out);
        object.string("kind", "gap").string("time", &time.to_string());
        object.number_u64("lost", lost).string("since", &since.to_string());
        object.finish();
        Self(Record(out))
    }

    /// The record to append.
    pub const fn record(&self) -> &Record {
        &self.0
    }
}

impl Change {
    /// Renders a change.
    pub fn new(changed: &Changed<'_>) -> Self {
        Self::edited(changed, None, None)
    }

    /// Renders a change of something written, with what stood there before and after it.
    pub fn edited(changed: &Changed<'_>, before: Option<&str>, after: Option<&str>) -> Self {
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::new(&mut out);
        object
            .string("kind", "change")
            .string("time", &changed.time.to_string())
            .number_u64("generation", changed.generation)
            .string("action", changed.action)
            .string("what", &printable(changed.what));
        match changed.by {
            Author::Uid(uid) => object.number_u64("by_uid", uid.into()),
            Author::Transmitter(name) => object.string("by_transmitter", &printable(name)),
            Author::Server(name) => object.string("by_server", &printable(name)),
        };
        outside(&mut object, "before", before);
        outside(&mut object, "after", after);
        outside(&mut object, "reason", changed.reason);
        object.finish();
        Self(Record(out))
    }

    /// The record to append.
    pub const fn record(&self) -> &Record {
        &self.0
    }
}

/// SHA-256 of the exact bytes of the arguments.
#[must_use]
pub fn digest(arguments: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(ring::digest::digest(&SHA256, arguments).as_ref());
    digest
}

fn render(kind: &str, facts: &Facts<'_>, fill: impl FnOnce(&mut ObjectWriter<'_>)) -> Record {
    let mut out = Vec::with_capacity(1_024);
    let mut object = ObjectWriter::new(&mut out);
    object
        .string("kind", kind)
        .string("time", &facts.time.to_string())
        .string("request", &printable(facts.request));
    outside(&mut object, "trace", facts.trace);
    object.number_u64("generation", facts.generation);
    if let Some(peer) = facts.peer {
        object.string("peer", &peer.to_string());
    }
    if let Some(caller) = &facts.caller {
        who(&mut object, caller);
    }
    outside(&mut object, "server", facts.server);
    outside(&mut object, "method", facts.method);
    match facts.target {
        Some(Target::Tool(name)) => outside(&mut object, "tool", Some(name)),
        Some(Target::Prompt(name)) => outside(&mut object, "prompt", Some(name)),
        Some(Target::Resource(uri)) => outside(&mut object, "resource", Some(uri)),
        Some(Target::Task(id)) => outside(&mut object, "task", Some(id)),
        None => {}
    }
    if let Some(digest) = facts.arguments {
        object.string("arguments_sha256", &hex(digest));
    }
    fill(&mut object);
    let split = facts.split;
    object.object("micros", |micros| {
        micros
            .number_u64("parse", split.parse_us)
            .number_u64("identity", split.identity_us);
        micros
            .number_u64("policy", split.policy_us)
            .number_u64("credential", split.credential_us);
        micros.number_u64("upstream", split.upstream_us);
    });
    object.finish();
    Record(out)
}

fn who(object: &mut ObjectWriter<'_>, caller: &Caller<'_>) {
    object.object("agent", |agent| {
        agent
            .string("name", &printable(caller.agent))
            .string("issuer", &printable(caller.agent_issuer));
        agent.string("subject", &printable(caller.agent_subject));
        if !caller.prior.is_empty() {
            agent.array("prior", |prior| {
                for actor in &caller.prior {
                    prior.string(&printable(actor));
                }
            });
        }
    });
    object.object("user", |user| {
        user.string("id", &printable(caller.user))
            .string("issuer", &printable(caller.user_issuer));
    });
    object.string("link", caller.link).string("binding", caller.binding);
    object.string("agent_method", caller.agent_method);
}

fn policies<P: AsRef<str>>(object: &mut ObjectWriter<'_>, policies: &[P]) {
    object.array("policies", |array| {
        for policy in policies.iter().take(AUDIT_POLICIES_MAX) {
            array.string(&printable(policy.as_ref()));
        }
    });
    if let Some(more @ 1..) = policies.len().checked_sub(AUDIT_POLICIES_MAX) {
        object.number_u64("policies_omitted", u64::try_from(more).unwrap_or(u64::MAX));
    }
}

fn outside(object: &mut ObjectWriter<'_>, name: &str, text: Option<&str>) {
    object.optional_string(name, text.map(printable).as_deref());
}

#[cfg(test)]
pub(super) mod tests;
