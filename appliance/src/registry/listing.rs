//! Who and what is registered, as people and programs are shown it. Pure.

use portreeve_core::identity::LastSeen;
use portreeve_core::time::UnixTime;

use crate::admin::contract::{self, AgentEntry, Edit, KeyEntry, Noun, Registry, ServerEntry, State, What};
use crate::admin::revocations::Revocations;
use crate::config::api_key::ApiKey;
use crate::config::date::{Day, Expiry};
use crate::config::{Agent, AgentState, Config, Era, Server, ServerState};

/// Everything that is registered in `config`, at the time `now`.
#[must_use]
pub fn registry(
    config: &Config,
    revocations: &Revocations,
    seen: &LastSeen,
    generation: Option<u64>,
    now: UnixTime,
) -> Registry {
    let file = std::path::absolute(&config.file).unwrap_or_else(|_| config.file.clone());
    Registry {
        file: file.display().to_string(),
        generation,
        agents: config
            .agents
            .iter()
            .map(|agent| agent_entry(agent, revocations, seen, now))
            .collect(),
        servers: config
            .servers
            .iter()
            .map(|server| server_entry(server, revocations, now))
            .collect(),
    }
}

fn agent_entry(agent: &Agent, revocations: &Revocations, seen: &LastSeen, now: UnixTime) -> AgentEntry {
    let what = What::Agent {
        agent: agent.name.clone(),
        issued_before: None,
    };
    let state = state_of(agent.state);
    let expires = agent.expires.as_ref();
    AgentEntry {
        name: agent.name.clone(),
        registration: registration(&agent.registration, state, revocations.names(&what), now),
        issuer: agent.issuer.clone(),
        subject: agent.subject.clone(),
        groups: agent.groups.clone(),
        servers: agent.servers.clone(),
        expires: expires.map(Expiry::to_string),
        expires_at: expires.map(|expires| expires.at().secs()),
        expired: expires.is_some_and(|expires| expires.at() <= now),
        last_seen: seen.of(&agent.name).map(UnixTime::secs),
        keys: agent.api_keys.iter().map(|key| key_entry(key, now)).collect(),
    }
}

fn key_entry(key: &ApiKey, now: UnixTime) -> KeyEntry {
    KeyEntry {
        id: key.id(),
        created: key.created.map(|day| day.to_string()),
        expires: key.expires.to_string(),
        expires_at: key.expires.at().secs(),
        expired: key.expires.at() <= now,
    }
}

fn server_entry(server: &Server, revocations: &Revocations, now: UnixTime) -> ServerEntry {
    let what = What::Server {
        server: server.name.clone(),
    };
    let state = match server.state {
        ServerState::Active => State::Active,
        ServerState::Suspended => State::Suspended,
        ServerState::Revoked => State::Revoked,
    };
    ServerEntry {
        name: server.name.clone(),
        registration: registration(&server.registration, state, revocations.names(&what), now),
        url: server.url.to_string(),
        path: server.gate_path(),
        era: match server.era {
            Era::Dual => "dual",
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        }
        .to_owned(),
        tools: server.tools.len(),
    }
}

fn registration(
    written: &crate::config::Registration,
    state: State,
    shut_off: bool,
    now: UnixTime,
) -> contract::Registration {
    contract::Registration {
        line: written.line,
        state,
        shut_off,
        owner: written.owner.clone(),
        purpose: written.purpose.clone(),
        review: written.review.map(|day| day.to_string()),
        review_due: written.review.is_some_and(|day| day <= Day::of(now)),
    }
}

const fn state_of(state: AgentState) -> State {
    match state {
        AgentState::Active => State::Active,
        AgentState::Suspended => State::Suspended,
        AgentState::Revoked => State::Revoked,
    }
}

/// Whether `config` lets that agent act, or that server be used; `None` where there is none of that name.
#[must_use]
pub fn is_active(config: &Config, noun: Noun, name: &str) -> Option<bool> {
    match noun {
        Noun::Agent => {
            let agent = config.agents.iter().find(|agent| agent.name == name)?;
            Some(agent.state == AgentState::Active)
        }
        Noun::Server => {
            let server = config.servers.iter().find(|server| server.name == name)?;
            Some(server.state == ServerState::Active)
        }
    }
}

/// The line of `config` on which stands what `edit` is about.
#[must_use]
pub fn line(config: &Config, edit: &Edit) -> usize {
    let (noun, name) = edit.subject();
    let registration = match noun {
        Noun::Agent => {
            let agent = config.agents.iter().find(|agent| agent.name == name);
            agent.map(|agent| &agent.registration)
        }
        Noun::Server => {
            let server = config.servers.iter().find(|server| server.name == name);
            server.map(|server| &server.registration)
        }
    };
    registration.map_or(0, |registration| registration.line)
}
