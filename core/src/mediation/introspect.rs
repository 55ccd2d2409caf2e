//! A request that waits until the issuer of an opaque token has said what it is.
//!
//! Must never let go of the token but to the control plane, which shows it to that issuer alone; and never tell the caller
//! anything of a token that could not be checked.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::admit::{self, micros};
use super::call::Call;
use super::{Context, Next, Refusal, Request, door};
use crate::framing::http1::Known;
use crate::identity::{Introspected, Presented, Said, Scheme, Side};
use crate::limits::INTROSPECTIONS_MAX;

/// Waits for what an issuer says.
#[derive(Debug)]
#[must_use = "a request ends unanswered when its continuation is dropped"]
pub struct NeedsIntrospection {
    call: Box<Call>,
    inquiry: Inquiry,
    side: Side,
    asked: u8,
    begun: u64,
}

/// A question about an opaque token. Holds the token, wiped when it is dropped; `Debug` is blind to it.
#[derive(Clone)]
pub struct Inquiry {
    /// The issuer profile to ask.
    pub issuer: Box<str>,
    /// Inquiries of the same key are about the same token of the same issuer.
    pub key: [u8; 32],
    /// The token.
    pub token: Zeroizing<Vec<u8>>,
}

/// The issuer could not be asked, or gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

impl core::fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Inquiry")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl NeedsIntrospection {
    /// Asks about the token on `side`, after `asked` others; or ends the request, if it has asked often enough.
    pub(super) fn ask(call: Call, side: Side, asked: u8, request: &Request<'_>, context: &Context<'_>) -> Next {
        let inquiry = Presented::from_request(&request.view, request.certificate)
            .ok()
            .and_then(|shown| {
                let (issuer, token, key) = shown.inquiry(side, &context.snapshot.trust)?;
                Some(Inquiry {
                    issuer: issuer.into(),
                    key,
                    token: Zeroizing::new(token.to_vec()),
                })
            });
        match inquiry {
            Some(inquiry) if asked < INTROSPECTIONS_MAX => Next::Introspect(Box::new(Self {
                call: Box::new(call),
                inquiry,
                side,
                asked: asked + 1,
                begun: (context.ticks)(),
            })),
            _ => call.refuse(&Refusal::Unchecked { side }, context),
        }
    }

    /// What to ask.
    #[must_use]
    pub fn inquiry(&self) -> Inquiry {
        self.inquiry.clone()
    }

    /// Goes on with what the issuer answered.
    pub fn resume(
        self,
        told: Result<Arc<Introspected>, Unanswered>,
        request: &Request<'_>,
        context: &mut Context<'_>,
    ) -> Next {
        let Self {
            mut call, side, asked, ..
        } = self;
        let snapshot = context.snapshot;
        call.split.identity_us += micros((context.ticks)().saturating_sub(self.begun));
        let Some(server) = call.server().and_then(|name| snapshot.server(name)) else {
            return call.refuse(&Refusal::Path, context);
        };
        let Ok(answer) = told else {
            return call.refuse(&Refusal::Unchecked { side }, context);
        };
        let bench = &mut *context.bench;
        let learnt = Presented::from_request(&request.view, request.certificate).and_then(|presented| {
            let said = Said {
                presented,
                side,
                answer: &answer,
            };
            let authenticator = &mut bench.authenticator;
            authenticator.learn(&said, &snapshot.trust, &mut bench.scratch, context.now)
        });
        match learnt {
            Ok(()) => admit::proceed(*call, server, asked, request, context),
            Err(error) => {
                let refusal = Refusal::Identity {
                    error,
                    metadata: door::metadata_url(server, snapshot),
                    scheme: Scheme::of(request.view.known(Known::Authorization).unwrap_or_default()),
                };
                call.refuse(&refusal, context)
            }
        }
    }
}
