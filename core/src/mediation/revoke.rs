//! Revocation of a token that this gate minted, by whoever holds it: a server that was shown it, or an operator.
//!
//! Possession is the whole authority, because the only thing it can do is to end that very token. Must never say whether a
//! token was one of the gate's.
//!
//! SPEC: RFC 7009 2.

use super::call::Call;
use super::{Context, Next, Refusal, Reply, Request, SignalOutcome};
use crate::credential::Minted;
use crate::credential::recognise;
use crate::framing::http1::Known;
use crate::limits::REVOCATION_FORM_BYTES_MAX;

/// Waits for the control plane to shut a minted token off.
#[derive(Debug)]
#[must_use = "a request ends unanswered when its continuation is dropped"]
pub struct NeedsRevocation {
    token: Minted,
    call: Box<Call>,
}

impl NeedsRevocation {
    /// The token.
    #[must_use]
    pub const fn token(&self) -> &Minted {
        &self.token
    }

    /// Answers once it is in force, or with when to come again.
    pub fn resume(self, outcome: &SignalOutcome, context: &Context<'_>) -> Next {
        match outcome {
            SignalOutcome::InForce => done(),
            SignalOutcome::Refused { .. } | SignalOutcome::Later => {
                self.call.refuse(&Refusal::RevocationLater, context)
            }
        }
    }
}

/// Reads the form and finds the token.
pub(super) fn receive(call: Call, request: &Request<'_>, context: &mut Context<'_>) -> Next {
    let Some(token) = token(request) else {
        return call.refuse(&Refusal::RevocationForm, context);
    };
    let snapshot = context.snapshot;
    let issuer = &snapshot.front.public_url;
    match recognise(
        &token,
        &snapshot.credentials,
        issuer,
        &mut context.bench.scratch,
        context.now,
    ) {
        Some(token) => Next::Revoke(NeedsRevocation {
            token,
            call: Box::new(call),
        }),
        // SPEC: RFC 7009 2.2: 200 also for an invalid token; what has ended need not be ended.
        None => done(),
    }
}

fn done() -> Next {
    Call::publish(Reply::empty(200).with("cache-control", "no-store"))
}

/// The one `token` of the form; `token_type_hint` and what is unknown is passed over, as RFC 7009 2.1 and RFC 6749 3.2 ask.
fn token(request: &Request<'_>) -> Option<Vec<u8>> {
    let media = request.view.known(Known::ContentType).unwrap_or_default();
    let media = media.split(|byte| *byte == b';').next().unwrap_or_default();
    let is_form = media
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        && request.view.known(Known::ContentEncoding).is_none()
        && request.body.len() <= REVOCATION_FORM_BYTES_MAX;
    if !is_form {
        return None;
    }
    let mut tokens = request
        .body
        .split(|byte| *byte == b'&')
        .filter_map(|pair| pair.strip_prefix(b"token="));
    match (tokens.next(), tokens.next()) {
        (Some(token), None) if !token.is_empty() => decoded(token),
        _ => None,
    }
}

/// Takes percent-encoding off; nothing in a token needs it, but some encoders do not know that.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b'%' {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            let value = digit(bytes.next()?)? * 16 + digit(bytes.next()?)?;
            out.push(u8::try_from(value).ok()?);
        } else {
            out.push(*byte);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::decoded;

    #[test]
    fn percent_encoding_is_taken_off_or_refused() {
        assert_eq!(decoded(b"a%2Eb%2ec").as_deref(), Some(&b"a.b.c"[..]));
        for bad in ["%", "%2", "a%zz", "%+1"] {
            assert_eq!(decoded(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_byte_survives_its_encoding(bytes: Vec<u8>) {
            let encoded: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decoded(encoded.as_bytes()), Some(bytes));
        }
    }
}
