//! A permitted request that waits for a token of an authorization server.
//!
//! Must never let go of the caller's tokens but to the control plane, which shows them to that authorization server alone.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::admit::micros;
use super::challenge::Challenge;
use super::forward::Prepared;
use super::{Context, Next, Refusal, Request};
use crate::credential::{GrantRefusal, Mode, Obtained, Wanted};
use crate::framing::http1::Known;
use crate::identity::AgentMethod;
use crate::policy::Demands;
use crate::time::UnixTime;

/// Waits for a token.
#[derive(Debug)]
#[must_use = "a request ends unanswered when its continuation is dropped"]
pub struct NeedsCredential {
    wanted: Wanted,
    prepared: Prepared,
    begun: u64,
}

/// A token to be obtained. Holds what the caller presented, wiped when it is dropped; `Debug` is blind to it.
pub struct TokenOrder {
    /// The server that it is for.
    pub server: Box<str>,
    /// The way to get it.
    pub mode: Mode,
    /// Orders of the same key are for the same token.
    pub key: [u8; 32],
    /// The scopes to ask for.
    pub scope: String,
    /// Nothing may outlive this.
    pub until: UnixTime,
    /// The token that names the user.
    pub subject: Zeroizing<Vec<u8>>,
    /// The token of the agent, unless the subject's names it, too, or it came by its certificate or with an API key.
    pub actor: Option<Zeroizing<Vec<u8>>>,
    /// How the agent showed who it is. An API key is for this gate alone and is never shown on.
    pub method: AgentMethod,
    /// The agent's id at its issuer.
    pub agent: String,
}

impl core::fmt::Debug for TokenOrder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenOrder")
            .field("server", &self.server)
            .field("mode", &self.mode)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl NeedsCredential {
    pub(super) const fn new(wanted: Wanted, prepared: Prepared, begun: u64) -> Self {
        Self {
            wanted,
            prepared,
            begun,
        }
    }

    /// What to obtain. `request` is the one that this waits for.
    #[must_use]
    pub fn order(&self, request: &Request<'_>) -> TokenOrder {
        let without_scheme = |value: &[u8]| {
            let from = value.iter().position(|byte| *byte == b' ').map_or(0, |space| space + 1);
            Zeroizing::new(value[from..].to_vec())
        };
        let agent = request.view.known(Known::Authorization).map(without_scheme);
        let user = request.view.known(Known::UserAssertion);
        let method = self.prepared.principal().agent_method();
        let (subject, actor) = match user {
            Some(user) if method == AgentMethod::ApiKey => (Zeroizing::new(user.to_vec()), None),
            Some(user) => (Zeroizing::new(user.to_vec()), agent),
            None => (agent.unwrap_or_default(), None),
        };
        TokenOrder {
            server: self.wanted.server().into(),
            mode: self.wanted.mode(),
            key: *self.wanted.key(),
            scope: self.wanted.scope().to_owned(),
            until: self.wanted.until(),
            subject,
            actor,
            method,
            agent: self.prepared.principal().agent().subject().to_owned(),
        }
    }

    /// Goes on with what was obtained.
    pub fn resume(
        self,
        obtained: Result<Arc<Obtained>, GrantRefusal>,
        request: &Request<'_>,
        context: &mut Context<'_>,
    ) -> Next {
        let Self {
            wanted,
            mut prepared,
            begun,
        } = self;
        prepared.call.split.credential_us = micros((context.ticks)().saturating_sub(begun));
        let obtained = match obtained {
            Ok(obtained) => obtained,
            Err(refusal) => {
                let refusal = refused(&prepared, refusal, context);
                return prepared.call.refuse(&refusal, context);
            }
        };
        let generation = context.snapshot.generation;
        match wanted.redeem(&obtained, &mut context.bench.minted, generation, context.now) {
            Ok(credential) => prepared.forward(credential, request, context),
            Err(error) => prepared.without_credential(error, context),
        }
    }
}

/// What the caller can do about it: authenticate the user once more where that is asked for.
fn refused(prepared: &Prepared, refusal: GrantRefusal, context: &Context<'_>) -> Refusal {
    let (id, snapshot) = (prepared.id(), context.snapshot);
    let server = prepared.call.server().and_then(|name| snapshot.server(name));
    match (refusal, &id, server) {
        (GrantRefusal::StepUp, Some(_), Some(server)) => {
            let caller = (prepared.principal(), server, snapshot);
            let challenge = Challenge::new(id, Demands::default(), caller);
            Refusal::Challenge(Box::new(challenge.by_authorization_server()))
        }
        _ => Refusal::Credential { id, refusal },
    }
}
