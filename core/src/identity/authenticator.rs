//! The one entrance: presented credentials in, a principal out; and the caches that make the second time cheap.
//!
//! One per core. Must never answer from a cache across generations of trust, after a token's end, or by anything but
//! the SHA-256 of the exact bytes; and never remember a proof, or that a connection showed the right certificate.

use std::rc::Rc;

use super::Binding;
use super::Fault;
use super::IdentityError;
use super::PeerCertificate;
use super::Presented;
use super::Principal;
use super::Proof;
use super::Said;
use super::Scheme;
use super::Side;
use super::Terms;
use super::Trust;
use super::cache::Cache;
use super::introspection;
use super::link;
use super::presented::token_digest;
use super::proof;
use super::token;
use super::token::Verified;
use super::token::Workspace;
use crate::json::Scratch;
use crate::limits::CLOCK_FLOOR_SECS;
use crate::limits::IDENTITY_CACHE_MAX;
use crate::limits::IDENTITY_CACHE_TTL;
use crate::limits::IDENTITY_REFUSED_TTL;
use crate::limits::INTROSPECTION_REFUSED_TTL;
use crate::time::UnixTime;

/// Identifies callers, and remembers what it proved.
pub struct Authenticator {
    generation: u64,
    pairs: Cache<Rc<Principal>>,
    tokens: Cache<Rc<Verified>>,
    refused: Cache<()>,
    decoded: Vec<u8>,
    lacking: Option<String>,
}

/// A caller who was identified.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The agent, acting for the user.
    pub principal: Rc<Principal>,
    /// The proof that came with the tokens. It holds, and may have been used before.
    pub proof: Option<Proof>,
}

/// What the judgements of one request share.
struct Round<'r> {
    trust: &'r Trust,
    scratch: &'r mut Scratch,
    /// That of the connection, unless its time is up.
    certificate: Option<&'r PeerCertificate>,
    now: UnixTime,
}

impl Authenticator {
    /// An authenticator whose caches hold about `entries` entries each, at most [`IDENTITY_CACHE_MAX`].
    #[must_use]
    pub fn new(entries: usize) -> Self {
        let entries = entries.min(IDENTITY_CACHE_MAX);
        Self {
            generation: 0,
            pairs: Cache::new(entries),
            tokens: Cache::new(entries),
            refused: Cache::new(entries),
            decoded: Vec::new(),
            lacking: None,
        }
    }

    /// Identifies the caller. Allocates nothing if the same credentials were accepted before and still are, and come
    /// without a proof.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] with the first step that refused; the agent's token is judged before its proof, and both before
    /// the user's.
    pub fn authenticate(
        &mut self,
        presented: &Presented<'_>,
        terms: &Terms<'_>,
        scratch: &mut Scratch,
        now: UnixTime,
    ) -> Result<Identified, IdentityError> {
        if now.secs() < CLOCK_FLOOR_SECS {
            return Err(IdentityError::new(Side::Pair, Fault::Clock));
        }
        let trust = terms.trust;
        self.follow(trust);
        let certificate = terms.certificate.filter(|shown| !shown.has_ended(now));
        let mut round = Round {
            trust,
            scratch,
            certificate,
            now,
        };
        let proof = match presented.scheme() {
            Scheme::Bearer | Scheme::Certificate => None,
            Scheme::Dpop => Some(self.prove(presented, terms, &mut round)?),
        };
        let digest = presented.digest(proof.as_ref());
        if let Some(principal) = self.pairs.get(&digest, now) {
            let principal = Rc::clone(principal);
            Binding::refuse_unshown(principal.bound(), proof.as_ref(), certificate)
                .map_err(|fault| IdentityError::new(Side::Agent, fault))?;
            return Ok(Identified { principal, proof });
        }
        let (principal, until) = self.pair(presented, proof.as_ref(), &mut round)?;
        let principal = Rc::new(principal);
        self.pairs.insert(digest, until, Rc::clone(&principal));
        Ok(Identified { principal, proof })
    }

    /// Judges the proof, whatever was accepted before: it is for one request only.
    fn prove(
        &mut self,
        presented: &Presented<'_>,
        terms: &Terms<'_>,
        round: &mut Round<'_>,
    ) -> Result<Proof, IdentityError> {
        let agent = self.token(presented.agent(), Side::Agent, round)?;
        let fault = match agent.bound {
            Some(Binding::Key(thumbprint)) => {
                let mut workspace = Workspace {
                    decoded: &mut self.decoded,
                    scratch: round.scratch,
                    lacking: &mut self.lacking,
                };
                match proof::verify(presented, &thumbprint, terms, &mut workspace, round.now) {
                    Ok(proof) => return Ok(proof),
                    Err(fault) => Fault::Proof(fault),
                }
            }
            Some(Binding::Certificate(_)) => Fault::BoundToken,
            None => Fault::UnboundToken,
        };
        Err(IdentityError::new(Side::Agent, fault))
    }

    /// The principal of what was presented, and how long it need not be found again.
    fn pair(
        &mut self,
        presented: &Presented<'_>,
        proof: Option<&Proof>,
        round: &mut Round<'_>,
    ) -> Result<(Principal, UnixTime), IdentityError> {
        let (trust, now) = (round.trust, round.now);
        let agent = match presented.scheme() {
            Scheme::Certificate => of_certificate(round)?,
            Scheme::Bearer | Scheme::Dpop => self.token(presented.agent(), Side::Agent, round)?,
        };
        Binding::refuse_unshown(agent.bound, proof, round.certificate)
            .map_err(|fault| IdentityError::new(Side::Agent, fault))?;
        let mut until = until(&agent, now);
        if let Some(end) = end_of_registration(&agent, trust, now)? {
            until = until.min(end);
        }
        let principal = match presented.user() {
            Some(user) => {
                let user = self.token(user, Side::User, round)?;
                if user.bound.is_some() && user.bound != agent.bound {
                    return Err(IdentityError::new(Side::User, Fault::AssertionBound));
                }
                until = until.min(self::until(&user, now));
                let named = proof.is_some_and(|proof| proof.covers_user);
                link::of_pair(&agent, &user, named, trust)
            }
            None if agent.is_delegated() => link::of_delegated(&agent, trust),
            None => return Err(IdentityError::new(Side::User, Fault::Absent)),
        };
        let assertion = match presented.user() {
            Some(user) => token_digest(Side::User, user),
            None => token_digest(Side::Agent, presented.agent()),
        };
        let shown = match agent.bound {
            Some(Binding::Certificate(_)) => round.certificate.and_then(PeerCertificate::until),
            Some(Binding::Key(_)) | None => None,
        };
        let principal = principal
            .map_err(|fault| IdentityError::new(Side::Pair, fault))?
            .asserted_by(assertion)
            .ending(shown);
        let principal = match presented.scheme() {
            Scheme::Certificate => principal.without_token(),
            Scheme::Bearer | Scheme::Dpop => principal,
        };
        Ok((principal, until))
    }

    /// Takes in what the issuer of an opaque token answered; it is then known to [`Authenticator::authenticate`].
    ///
    /// # Errors
    ///
    /// [`IdentityError`]: the token is not good for this gate, which is remembered as well.
    pub fn learn(
        &mut self,
        said: &Said<'_>,
        trust: &Trust,
        scratch: &mut Scratch,
        now: UnixTime,
    ) -> Result<(), IdentityError> {
        self.follow(trust);
        let digest = token_digest(said.side, said.token());
        match introspection::judge(said, trust, scratch, now) {
            Ok(verified) => {
                self.tokens.insert(digest, until(&verified, now), Rc::new(verified));
                Ok(())
            }
            Err(fault) => {
                self.refused
                    .insert(digest, now.saturating_add(INTROSPECTION_REFUSED_TTL), ());
                Err(IdentityError::new(said.side, fault))
            }
        }
    }

    /// The issuer profile whose keys lacked the one that a token named, since this was last asked. Its keys may have been
    /// rotated; anybody can make such a token, so whoever acts on this must do it rarely.
    pub fn take_lacking(&mut self) -> Option<String> {
        self.lacking.take()
    }

    /// Forgets everything that another generation of trust allowed or refused.
    fn follow(&mut self, trust: &Trust) {
        if self.generation != trust.generation {
            self.generation = trust.generation;
            self.pairs.clear();
            self.tokens.clear();
            self.refused.clear();
        }
    }

    fn token(&mut self, token: &[u8], side: Side, round: &mut Round<'_>) -> Result<Rc<Verified>, IdentityError> {
        let now = round.now;
        let digest = token_digest(side, token);
        if let Some(verified) = self.tokens.get(&digest, now) {
            return Ok(Rc::clone(verified));
        }
        if self.refused.get(&digest, now).is_some() {
            return Err(IdentityError::new(side, Fault::RefusedBefore));
        }
        if round.trust.introspector(token, side).is_some() {
            return Err(IdentityError::new(side, Fault::Unchecked));
        }
        let mut workspace = Workspace {
            decoded: &mut self.decoded,
            scratch: round.scratch,
            lacking: &mut self.lacking,
        };
        match token::verify(token, side, round.trust, &mut workspace, now) {
            Ok(verified) => {
                let verified = Rc::new(verified);
                self.tokens.insert(digest, until(&verified, now), Rc::clone(&verified));
                Ok(verified)
            }
            Err(fault) => {
                if fault.is_lasting() {
                    self.refused
                        .insert(digest, now.saturating_add(IDENTITY_REFUSED_TTL), ());
                }
                Err(IdentityError::new(side, fault))
            }
        }
    }
}

/// The agent whose certificate the connection shows.
fn of_certificate(round: &Round<'_>) -> Result<Rc<Verified>, IdentityError> {
    let shown = round.certificate.ok_or(Fault::Absent);
    shown
        .and_then(|shown| shown.verify(round.trust, round.now))
        .map(Rc::new)
        .map_err(|fault| IdentityError::new(Side::Agent, fault))
}

/// When the agent's registration ends. Asked beside the cache of tokens, which outlives that moment.
fn end_of_registration(agent: &Verified, trust: &Trust, now: UnixTime) -> Result<Option<UnixTime>, IdentityError> {
    let (iss, subject) = agent.agent();
    let registered = trust.agent(iss, subject);
    if registered.is_some_and(|registered| registered.has_expired(now)) {
        return Err(IdentityError::new(Side::Agent, Fault::AgentExpired));
    }
    Ok(registered.and_then(|registered| registered.expires))
}

/// How long a verified token need not be verified again.
fn until(token: &Verified, now: UnixTime) -> UnixTime {
    token
        .expires
        .saturating_add(token.leeway)
        .min(now.saturating_add(IDENTITY_CACHE_TTL))
        .min(token.recheck.unwrap_or(UnixTime::from_millis(u64::MAX)))
}
