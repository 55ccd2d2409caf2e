//! Whom the gate believes: issuer profiles and registered agents. One immutable value per generation.
//!
//! Must never be changed in place: a new generation is built and published, and every cache follows its number.

use core::fmt;
use std::collections::BTreeMap;

use super::Issuer;
use super::Principal;
use super::RequireBinding;
use super::Side;
use super::api_key::Keys;
use super::claims;
use super::introspection::Opaque;
use crate::jose::jwks::KeySet;
use crate::limits::AGENTS_MAX;
use crate::limits::ISSUERS_MAX;
use crate::limits::TOKEN_LEEWAY_MAX;
use crate::limits::TOKEN_LIFETIME_MAX;
use crate::time::UnixTime;

/// What identity is decided by.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The number of this version. INVARIANT: two different contents never have the same one, or the per-core caches
    /// would keep what the older one allowed.
    pub generation: u64,
    issuers: Vec<Issuer>,
    agents: Vec<RegisteredAgent>,
    /// Exact `iss` → subject → index into `agents`.
    by_subject: BTreeMap<String, BTreeMap<String, usize>>,
    /// Name → index into `agents`.
    by_name: BTreeMap<String, usize>,
    /// The profiles that are asked about opaque tokens.
    pub(super) opaque: Vec<Opaque>,
    pub(super) keys: Keys,
}

/// An agent that may call. An agent that is not registered may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredAgent {
    /// Its name in policies and the audit.
    pub name: String,
    /// The name of the issuer profile that vouches for it.
    pub issuer: String,
    /// Its id at that issuer.
    pub subject: String,
    /// Its groups in policies.
    pub groups: Vec<String>,
    /// Whether it may call at the moment.
    pub state: AgentState,
    /// The moment from which on it may not call any more, whatever `state` says.
    pub expires: Option<UnixTime>,
    /// The servers that it may reach at all; `None` leaves that to policies.
    pub servers: Option<Vec<String>>,
    /// Its client registrations at issuers other than its own: assertions issued to those clients are linked to it.
    pub clients: Vec<AgentClient>,
    /// How firmly its requests must be bound to it.
    pub require_binding: RequireBinding,
    /// Whether its X.509-SVID is enough to say who it is, without a token. Only for agents of a trust domain.
    pub x509: bool,
}

/// A client registration of an agent at an issuer of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentClient {
    /// The name of the issuer profile.
    pub issuer: String,
    /// The `client_id` or `azp` that the issuer puts into tokens for this agent.
    pub client: String,
}

/// Whether a registered agent may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// It may.
    Active,
    /// Not for the moment.
    Suspended,
    /// Not any more.
    Revoked,
}

/// Why a configuration of trust is refused. Each names the profile or agent at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustError {
    /// More issuers or agents than [`crate::limits`] allows.
    TooMany,
    /// Two issuer profiles have this name.
    IssuerName(String),
    /// This issuer profile has a role that another profile has for the same `iss`.
    IssuerRole(String),
    /// This issuer profile lacks a role, a type, an algorithm or an audience: no token could pass it.
    IssuerEmpty(String),
    /// This issuer profile has a leeway or a lifetime beyond the ceiling.
    IssuerTimes(String),
    /// Two agents have this name.
    AgentName(String),
    /// This agent has the issuer and subject of another one.
    AgentSubject(String),
    /// No issuer profile with the needed role has this name.
    UnknownIssuer(String),
    /// This agent cannot have these API keys: it is not an agent with keys, has too many, or shares one.
    ApiKeys(String),
}

impl RegisteredAgent {
    /// Whether its time is up at `now`.
    #[must_use]
    pub fn has_expired(&self, now: UnixTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Trust {
    /// Puts a generation together.
    ///
    /// # Errors
    ///
    /// The first [`TrustError`] found.
    pub fn new(generation: u64, issuers: Vec<Issuer>, agents: Vec<RegisteredAgent>) -> Result<Self, TrustError> {
        if issuers.len() > ISSUERS_MAX || agents.len() > AGENTS_MAX {
            return Err(TrustError::TooMany);
        }
        let mut trust = Self {
            generation,
            ..Self::default()
        };
        for issuer in issuers {
            trust.add_issuer(issuer)?;
        }
        trust.refuse_unknown_pairs()?;
        for agent in agents {
            trust.add_agent(agent)?;
        }
        Ok(trust)
    }

    fn add_issuer(&mut self, issuer: Issuer) -> Result<(), TrustError> {
        let name = || issuer.name.clone();
        if self.issuers.iter().any(|other| other.name == issuer.name) {
            return Err(TrustError::IssuerName(name()));
        }
        if self.issuers.iter().any(|other| {
            other.issuer == issuer.issuer
                && (other.roles.agent && issuer.roles.agent || other.roles.user && issuer.roles.user)
        }) {
            return Err(TrustError::IssuerRole(name()));
        }
        let roles = issuer.roles.agent || issuer.roles.user;
        if !roles
            || issuer.types.is_empty() && issuer.dialect.marked.is_empty()
            || issuer.algorithms.is_empty()
            || issuer.audiences.is_empty()
        {
            return Err(TrustError::IssuerEmpty(name()));
        }
        if issuer.leeway > TOKEN_LEEWAY_MAX || issuer.lifetime(false) > TOKEN_LIFETIME_MAX {
            return Err(TrustError::IssuerTimes(name()));
        }
        self.issuers.push(issuer);
        Ok(())
    }

    fn refuse_unknown_pairs(&self) -> Result<(), TrustError> {
        let named = self.issuers.iter().flat_map(|issuer| &issuer.allow_unlinked_with);
        for name in named {
            self.profile(name, |profile| profile.roles.agent)?;
        }
        Ok(())
    }

    fn add_agent(&mut self, agent: RegisteredAgent) -> Result<(), TrustError> {
        let iss = self
            .profile(&agent.issuer, |profile| profile.roles.agent)?
            .issuer
            .clone();
        for client in &agent.clients {
            self.profile(&client.issuer, |profile| profile.roles.user)?;
        }
        let index = self.agents.len();
        if self.by_name.insert(agent.name.clone(), index).is_some() {
            return Err(TrustError::AgentName(agent.name));
        }
        let subjects = self.by_subject.entry(iss).or_default();
        if subjects.insert(agent.subject.clone(), index).is_some() {
            return Err(TrustError::AgentSubject(agent.name));
        }
        self.agents.push(agent);
        Ok(())
    }

    fn profile(&self, name: &str, role: impl Fn(&Issuer) -> bool) -> Result<&Issuer, TrustError> {
        self.issuers
            .iter()
            .find(|profile| profile.name == name && role(profile))
            .ok_or_else(|| TrustError::UnknownIssuer(name.to_owned()))
    }

    /// The issuer profiles.
    #[must_use]
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// Replaces the keys of the issuer profile of that name, if there is one. INVARIANT: the generation must change, too.
    pub fn set_keys(&mut self, issuer: &str, keys: KeySet) {
        if let Some(profile) = self.issuers.iter_mut().find(|profile| profile.name == issuer) {
            profile.keys = keys;
        }
    }

    /// The registered agents.
    #[must_use]
    pub fn agents(&self) -> &[RegisteredAgent] {
        &self.agents
    }

    /// Whether the agent of that name is active and its registration allows that server. Policies decide the rest.
    #[must_use]
    pub fn may_use(&self, agent: &str, server: &str) -> bool {
        self.by_name.get(agent).is_some_and(|&index| {
            let agent = &self.agents[index];
            let listed = |servers: &Vec<String>| servers.iter().any(|name| name == server);
            agent.state == AgentState::Active && agent.servers.as_ref().is_none_or(listed)
        })
    }

    /// Whether what this principal was built on is still so at `now`: both issuers known for their roles, the agent
    /// registered, active, not expired and bound as it must be, its API key still taken. For streams that outlive
    /// a generation.
    #[must_use]
    pub fn still_holds(&self, principal: &Principal, now: UnixTime) -> bool {
        let (user, agent) = (principal.user(), principal.agent());
        let registered = self.agent(agent.issuer(), agent.subject());
        self.issuer(user.issuer(), Side::User).is_some()
            && self.issuer(agent.issuer(), Side::Agent).is_some()
            && self.still_takes_key(principal, now)
            && registered.is_some_and(|known| {
                known.state == AgentState::Active
                    && known.name == agent.name()
                    && !known.has_expired(now)
                    && (known.x509 || !principal.is_without_token())
                    && known.require_binding.is_met(principal.bound(), principal.is_covered())
            })
    }

    /// The profile for tokens with this `iss` on that side.
    pub(super) fn issuer(&self, iss: &str, side: Side) -> Option<&Issuer> {
        self.issuers.iter().find(|profile| {
            profile.issuer == iss
                && match side {
                    Side::Agent => profile.roles.agent,
                    Side::User => profile.roles.user,
                    Side::Pair => profile.roles.agent && profile.roles.user,
                }
        })
    }

    /// The profile of the trust domain that this SPIFFE id belongs to.
    pub(super) fn domain_of(&self, subject: &str, side: Side) -> Option<&Issuer> {
        let domain = |profile: &&Issuer| profile.dialect.svid && claims::is_of(subject, &profile.issuer);
        self.issuers
            .iter()
            .find(domain)
            .and_then(|profile| self.issuer(&profile.issuer, side))
    }

    /// The agent registered under that exact `iss` and subject.
    pub(super) fn agent(&self, iss: &str, subject: &str) -> Option<&RegisteredAgent> {
        let index = *self.by_subject.get(iss)?.get(subject)?;
        self.agents.get(index)
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => f.write_str("too many issuers or agents"),
            Self::IssuerName(name) => write!(f, "two issuers are named {name:?}"),
            Self::IssuerRole(name) => write!(f, "issuer {name:?} repeats the iss and role of another one"),
            Self::IssuerEmpty(name) => write!(f, "issuer {name:?} needs a role, a typ, an algorithm and an audience"),
            Self::IssuerTimes(name) => write!(f, "issuer {name:?} accepts too long a lifetime or leeway"),
            Self::AgentName(name) => write!(f, "two agents are named {name:?}"),
            Self::AgentSubject(name) => write!(f, "agent {name:?} has the issuer and subject of another one"),
            Self::ApiKeys(name) => write!(f, "agent {name:?} has API keys that it cannot have, or too many"),
            Self::UnknownIssuer(name) => write!(f, "no issuer with the needed role is named {name:?}"),
        }
    }
}

impl core::error::Error for TrustError {}
