//! Who asks, and from where, as borrowed views. Holds no proof: a [`Who`] is to be made from a verified [`Principal`].

use core::net::IpAddr;

use crate::identity::Principal;
use crate::signals::UserStanding;
use crate::time::UnixTime;

/// The verified caller as policies see it. Entity ids are these exact strings, without normalisation.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The user's id: `User::"<id>"`.
    pub user: &'a str,
    /// The issuer that vouched for the user: `principal.issuer`.
    pub user_issuer: &'a str,
    /// The user's groups: `principal in Group::"<group>"`.
    pub user_groups: &'a [String],
    /// The agent's registered name: `Agent::"<name>"`, `context.agent.id`.
    pub agent: &'a str,
    /// The issuer that vouched for the agent: `context.agent.issuer`.
    pub agent_issuer: &'a str,
    /// The agent's subject at its issuer: `context.agent.subject`.
    pub agent_subject: &'a str,
    /// The agent's groups: `context.agent_ref in AgentGroup::"<group>"`.
    pub agent_groups: &'a [String],
    /// When the user last proved who they are: `context.auth.age`, absent if the issuer did not say.
    pub auth_time: Option<UnixTime>,
    /// Authentication class of the user: `context.auth.acr`, absent if the issuer did not say.
    pub acr: Option<&'a str>,
    /// Authentication methods of the user: `context.auth.amr`.
    pub amr: &'a [String],
    /// Scopes of the agent's token: `context.auth.scopes`.
    pub scopes: &'a [String],
    /// What ties the user's assertion to this agent, in one word: `context.auth.link`.
    pub link: &'a str,
    /// How the agent showed that its token is its own, in one word: `context.auth.binding`.
    pub binding: &'a str,
    /// How the agent showed who it is, in one word: `context.auth.agent_method`.
    pub agent_method: &'a str,
}

impl<'a> From<&'a Principal> for Who<'a> {
    /// The actors before the agent in a delegation chain are left out.
    fn from(principal: &'a Principal) -> Self {
        // SPEC: RFC 8693 4.1: prior actors are not to be considered in access control decisions.
        let (user, agent, auth) = (principal.user(), principal.agent(), principal.auth());
        Self {
            user: user.id(),
            user_issuer: user.issuer(),
            user_groups: user.groups(),
            agent: agent.name(),
            agent_issuer: agent.issuer(),
            agent_subject: agent.subject(),
            agent_groups: agent.groups(),
            auth_time: auth.auth_time,
            acr: auth.acr.as_deref(),
            amr: &auth.amr,
            scopes: &auth.scopes,
            link: principal.link().name(),
            binding: principal.binding_name(),
            agent_method: principal.agent_method().name(),
        }
    }
}

/// What the gate knows about the request besides the caller.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The time of the decision.
    pub now: UnixTime,
    /// The peer's address. An IPv4 address mapped into IPv6 is seen as IPv4 by policies.
    pub peer_ip: IpAddr,
    /// Whether the connection to the gate is TLS.
    pub tls: bool,
    /// What the server would be shown, in one word: `context.credential`.
    pub credential: &'static str,
    /// What transmitters of signals said of the user: `context.user_risk`, `context.device_compliant`.
    pub standing: UserStanding,
}
