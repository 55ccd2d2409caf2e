//! The link between an agent and a user: step 11, and the only place where a [`Principal`] is made.
//!
//! Two valid tokens prove nothing about each other: without a link, any stolen user assertion would work with any agent.
//! Must never treat a missing or contradicting link as one.

use super::API_KEY_ISSUER;
use super::Agent;
use super::AuthFacts;
use super::Fault;
use super::Principal;
use super::RequireBinding;
use super::Side;
use super::User;
use super::principal::Possession;
use super::token::Verified;
use super::trust::RegisteredAgent;
use super::trust::Trust;

/// What ties a user's assertion to the agent that presents it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// The assertion's `may_act` names the agent (RFC 8693 4.4).
    MayAct,
    /// The assertion was issued to the agent: its `client_id` or `azp` is the agent's.
    Client,
    /// One token names both: its `act` is the agent and its subject the user (RFC 8693 4.1).
    Delegated,
    /// The assertion is bound to the same key as the agent's token.
    Key,
    /// The proof that came with them names the assertion. The user's issuer had no part in that.
    Proof,
    /// Nothing in the tokens; the operator allows this pair of issuers without.
    Configured,
}

impl Link {
    /// The link in one word, for policies and the audit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MayAct => "may_act",
            Self::Client => "client",
            Self::Delegated => "delegated",
            Self::Key => "key",
            Self::Proof => "proof",
            Self::Configured => "configured",
        }
    }
}

/// The principal of an agent's token and a user's assertion, which the proof, if there is one, `names` or not. What the
/// tokens are bound to is in the caller's hands.
pub(super) fn of_pair(agent: &Verified, user: &Verified, named: bool, trust: &Trust) -> Result<Principal, Fault> {
    if agent.is_delegated() || user.is_delegated() {
        return Err(Fault::AlreadyDelegated);
    }
    let registration = trust.agent(&agent.issuer, &agent.subject).ok_or(Fault::AgentUnknown)?;
    let ties = Ties {
        same_key: user.bound.is_some() && user.bound == agent.bound,
        named,
    };
    let link = find(agent, user, ties, registration, trust)?;
    let possession = Possession {
        bound: agent.bound,
        covered: ties.same_key || ties.named,
        alone: false,
    };
    refuse_too_loose(registration, possession)?;
    Ok(Principal::new(
        user.user(),
        Agent::new(registration.clone(), agent.issuer.clone(), Vec::new()),
        (link, possession),
        user.auth_facts(agent),
        user.expires.min(agent.expires),
    ))
}

/// The principal of a token that names both user and agent.
pub(super) fn of_delegated(token: &Verified, trust: &Trust) -> Result<Principal, Fault> {
    // The issuer must be trusted for users as well; the token was verified as an agent's.
    trust.issuer(&token.issuer, Side::Pair).ok_or(Fault::Issuer)?;
    let (iss, subject) = token.agent();
    let registration = trust.agent(iss, subject).ok_or(Fault::AgentUnknown)?;
    // An agent with keys comes with one; nobody else may say that it acts.
    if registration.issuer == API_KEY_ISSUER {
        return Err(Fault::AgentUnknown);
    }
    let possession = Possession {
        bound: token.bound,
        covered: token.bound.is_some(),
        alone: false,
    };
    refuse_too_loose(registration, possession)?;
    Ok(Principal::new(
        token.user(),
        Agent::new(registration.clone(), iss.to_owned(), token.chain[1..].to_vec()),
        (Link::Delegated, possession),
        token.auth_facts(token),
        token.expires,
    ))
}

/// What ties an assertion to the holder of the agent's key.
#[derive(Clone, Copy)]
struct Ties {
    same_key: bool,
    named: bool,
}

fn refuse_too_loose(registration: &RegisteredAgent, possession: Possession) -> Result<(), Fault> {
    let Possession { bound, covered, .. } = possession;
    if registration.require_binding.is_met(bound, covered) {
        Ok(())
    } else {
        Err(Fault::BindingRequired)
    }
}

/// The link that says most: what the user's issuer says comes before what the agent says by its proof, and a party that
/// the user named instead of this agent before all of it.
fn find(
    agent: &Verified,
    user: &Verified,
    ties: Ties,
    registration: &RegisteredAgent,
    trust: &Trust,
) -> Result<Link, Fault> {
    // SPEC: RFC 8693 4.4: may_act names the party that may act; any other party may not.
    if let Some(may_act) = &user.may_act {
        let issuer = may_act.issuer.as_ref().unwrap_or(&user.issuer);
        return if *issuer == agent.issuer && may_act.subject == agent.subject {
            Ok(Link::MayAct)
        } else {
            Err(Fault::MayActOther)
        };
    }
    if user
        .client
        .as_ref()
        .is_some_and(|client| is_client(client, agent, user, registration))
    {
        return Ok(Link::Client);
    }
    if ties.same_key {
        return Ok(Link::Key);
    }
    // Here only the agent vouches, so it counts for agents of which the operator demands it; or a stolen assertion would
    // work with every agent that has a key.
    if ties.named && registration.require_binding == RequireBinding::Request {
        return Ok(Link::Proof);
    }
    let allowed = trust
        .issuers()
        .iter()
        .find(|profile| profile.name == user.profile)
        .is_some_and(|profile| profile.allow_unlinked_with.contains(&agent.profile));
    if allowed {
        Ok(Link::Configured)
    } else {
        Err(Fault::Unlinked)
    }
}

/// Whether `client`, a name that the user's issuer gives, is this agent. Names of another issuer's clients only count
/// where the registration says so: two issuers may give one name to two parties.
fn is_client(client: &String, agent: &Verified, user: &Verified, registration: &RegisteredAgent) -> bool {
    let same_issuer = user.issuer == agent.issuer && client == agent.client.as_ref().unwrap_or(&agent.subject);
    same_issuer
        || registration
            .clients
            .iter()
            .any(|known| known.issuer == user.profile && known.client == *client)
}

impl Verified {
    fn user(&self) -> User {
        User::new(self.subject.clone(), self.issuer.clone(), self.groups.clone())
    }

    /// The login facts of this token, which names the user, with the scopes of the agent's.
    fn auth_facts(&self, agent: &Self) -> AuthFacts {
        AuthFacts {
            auth_time: self.auth_time,
            acr: self.acr.clone(),
            amr: self.amr.clone(),
            scopes: agent.scopes.clone(),
            user_jti: self.jti.clone(),
            agent_jti: agent.jti.clone(),
            user_sid: self.sid.clone(),
            agent_sid: agent.sid.clone(),
            user_issued: self.issued,
            agent_issued: agent.issued,
        }
    }
}
