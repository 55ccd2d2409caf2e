//! The nonces that proofs are asked for (RFC 9449 9): stateless, so that every shard knows all of them.
//!
//! A nonce is the truncated HMAC of a period of time under a secret of this process. It shows that a proof was made after
//! the nonce was given out, here; it is no secret itself and never spent. Must never outlive the process.

use core::fmt;
use core::time::Duration;

use ring::hmac;
use zeroize::Zeroizing;

use crate::jose::base64url;
use crate::limits::PROOF_NONCE_PERIOD;
use crate::time::UnixTime;

/// Bytes of a nonce before it is encoded.
const BYTES: usize = 16;

/// Gives nonces out and knows them again.
pub struct Nonces {
    key: hmac::Key,
    /// Nothing is remembered from before.
    since: UnixTime,
}

/// The nonce is absent where one is needed, or not one of those that count now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StaleNonce;

impl Nonces {
    /// Nonces of this secret, which is wiped, from now on. A process has one secret: what a proof may be used again for
    /// after a restart is what no nonce of the new process stands in.
    #[must_use]
    pub fn new(secret: [u8; 32], now: UnixTime) -> Self {
        let secret = Zeroizing::new(secret);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &*secret),
            since: now,
        }
    }

    /// The nonce to give out.
    #[must_use]
    pub fn current(&self, now: UnixTime) -> String {
        self.of(period(now))
    }

    /// Judges the nonce of a proof from `issued`. Says whether its sender should get the next one: this one is of the
    /// period before.
    ///
    /// A proof without one passes unless nonces are `required`, or it may be older than this process, which does not know
    /// whether it was used before.
    pub(super) fn judge(
        &self,
        nonce: Option<&str>,
        issued: UnixTime,
        required: bool,
        now: UnixTime,
    ) -> Result<bool, StaleNonce> {
        let period = period(now);
        match nonce {
            None if required || issued < self.since => Err(StaleNonce),
            None => Ok(false),
            Some(nonce) if nonce == self.of(period) => Ok(false),
            Some(nonce) if nonce == self.of(period.saturating_sub(1)) => Ok(true),
            Some(_) => Err(StaleNonce),
        }
    }

    fn of(&self, period: u64) -> String {
        let tag = hmac::sign(&self.key, &period.to_be_bytes());
        base64url::encode(tag.as_ref().get(..BYTES).unwrap_or_default())
    }
}

fn period(now: UnixTime) -> u64 {
    const PERIOD: Duration = PROOF_NONCE_PERIOD;
    now.secs() / PERIOD.as_secs()
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixTime = UnixTime::from_secs(1_200_000_000);

    fn nonces() -> Nonces {
        Nonces::new([7; 32], START)
    }

    #[test]
    fn a_nonce_counts_in_its_period_and_in_the_next_where_its_sender_gets_another() {
        let nonces = nonces();
        let nonce = nonces.current(START);
        let judged = |secs| {
            let now = START.saturating_add(Duration::from_secs(secs));
            nonces.judge(Some(&nonce), now, true, now)
        };
        assert_eq!(START.secs() % PROOF_NONCE_PERIOD.as_secs(), 0);
        assert_eq!(judged(0), Ok(false));
        assert_eq!(judged(119), Ok(false));
        assert_eq!(judged(120), Ok(true));
        assert_eq!(judged(239), Ok(true));
        assert_eq!(judged(240), Err(StaleNonce));
        let earlier = START.saturating_sub(Duration::from_secs(1));
        assert_eq!(nonces.judge(Some(&nonce), START, true, earlier), Err(StaleNonce));
    }

    #[test]
    fn a_nonce_of_another_process_or_of_nobody_does_not_count() {
        let other = Nonces::new([8; 32], START).current(START);
        for nonce in [other.as_str(), "", "AAAAAAAAAAAAAAAAAAAAAA"] {
            for required in [true, false] {
                assert_eq!(nonces().judge(Some(nonce), START, required, START), Err(StaleNonce));
            }
        }
    }

    #[test]
    fn a_proof_without_one_passes_only_if_it_is_not_required_and_younger_than_the_process() {
        let nonces = nonces();
        let before = START.saturating_sub(Duration::from_secs(1));
        assert_eq!(nonces.judge(None, START, true, START), Err(StaleNonce));
        assert_eq!(nonces.judge(None, START, false, START), Ok(false));
        assert_eq!(nonces.judge(None, before, false, START), Err(StaleNonce));
    }
}
