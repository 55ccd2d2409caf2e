//! A SET that a transmitter pushes to the gate: who brings it, and what they are told. Judged elsewhere.
//!
//! Must never look at a SET before the bearer token is found to be that transmitter's.
//!
//! SPEC: RFC 8935 2.

use ring::digest::{SHA256, digest};

use super::call::Call;
use super::{Context, Next, Refusal, Reply, Request};
use crate::framing::http1::Known;
use crate::json::write::ObjectWriter;
use crate::limits::TOKEN_BYTES_MAX;
use crate::snapshot::SignalDoor;

/// Waits for the control plane to say what became of a SET.
#[derive(Debug)]
#[must_use = "a request ends unanswered when its continuation is dropped"]
pub struct NeedsJudgement {
    transmitter: std::sync::Arc<str>,
    call: Box<Call>,
}

/// What became of a SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalOutcome {
    /// It is in force on every core.
    InForce,
    /// It never will be.
    Refused {
        /// The registered error code (RFC 8935 2.4).
        code: &'static str,
        /// Why, in words.
        description: String,
    },
    /// It may be if it comes again.
    Later,
}

/// Why a pushed SET is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalRefusal {
    /// Whoever brings it does not show the transmitter's token.
    Token,
    /// It is not declared as one plain SET, or is too long for one.
    Form,
    /// It is refused by itself.
    Set {
        /// The registered error code.
        code: &'static str,
        /// Why, in words.
        description: String,
    },
    /// It cannot be judged at the moment.
    Later,
}

impl NeedsJudgement {
    /// The operator's name of the transmitter.
    #[must_use]
    pub fn transmitter(&self) -> &str {
        &self.transmitter
    }

    /// Answers with what became of it.
    pub fn resume(self, outcome: SignalOutcome, context: &Context<'_>) -> Next {
        let refusal = match outcome {
            // SPEC: RFC 8935 2.2: 202, without a body.
            SignalOutcome::InForce => return Call::publish(Reply::empty(202)),
            SignalOutcome::Refused { code, description } => SignalRefusal::Set { code, description },
            SignalOutcome::Later => SignalRefusal::Later,
        };
        self.call.refuse(&Refusal::Signal(refusal), context)
    }
}

/// Takes a pushed SET, or turns it away.
pub(super) fn receive(call: Call, door: &SignalDoor, request: &Request<'_>, context: &Context<'_>) -> Next {
    let refused = if !shows_token(request, door) {
        Some(SignalRefusal::Token)
    } else if !is_one_set(request) {
        Some(SignalRefusal::Form)
    } else {
        None
    };
    match refused {
        Some(refusal) => call.refuse(&Refusal::Signal(refusal), context),
        None => Next::Judge(NeedsJudgement {
            transmitter: door.name.clone(),
            call: Box::new(call),
        }),
    }
}

/// SPEC: RFC 6750 2.1. What is compared are digests, all of each: nothing is learned from how long it takes.
fn shows_token(request: &Request<'_>, door: &SignalDoor) -> bool {
    let value = request.view.known(Known::Authorization).unwrap_or_default();
    let Some((scheme, token)) = value.split_at_checked(7) else {
        return false;
    };
    let shown = digest(&SHA256, token);
    let differing = shown
        .as_ref()
        .iter()
        .zip(&door.token)
        .fold(0, |bits, (one, other)| bits | (one ^ other));
    scheme.eq_ignore_ascii_case(b"bearer ") && differing == 0
}

fn is_one_set(request: &Request<'_>) -> bool {
    let media = request.view.known(Known::ContentType).unwrap_or_default();
    media.eq_ignore_ascii_case(b"application/secevent+jwt")
        && request.view.known(Known::ContentEncoding).is_none()
        && request.body.len() <= TOKEN_BYTES_MAX
}

impl SignalRefusal {
    /// SPEC: RFC 8935 2.3 and 2.4.
    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::Token => fault(
                401,
                "authentication_failed",
                "the bearer token is not this transmitter's",
            )
            .with("www-authenticate", "Bearer"),
            Self::Form => fault(
                400,
                "invalid_request",
                "the body must be one SET, application/secevent+jwt",
            ),
            Self::Set { code, description } => fault(400, code, description),
            Self::Later => Reply::empty(503).with("retry-after", "5"),
        }
    }
}

fn fault(status: u16, code: &str, description: &str) -> Reply {
    let mut body = Vec::with_capacity(96);
    let mut object = ObjectWriter::new(&mut body);
    object.string("err", code).string("description", description);
    object.finish();
    Reply::json(status, body)
}
