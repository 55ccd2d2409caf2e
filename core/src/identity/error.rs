//! Why a caller was not identified. One variant per deviation, and one audit reason per step of the pipeline.
//!
//! Must never carry anything of a token. Only `mediation` decides what the caller is told, which is the same for all.

use core::fmt;

use super::ProofFault;
use crate::jose::jws::JwsError;

/// Whose credential was at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The token in `Authorization`.
    Agent,
    /// The token in `X-AI-User-Assertion`.
    User,
    /// Both were good, the pair was not.
    Pair,
}

/// A caller that was not identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityError {
    side: Side,
    fault: Fault,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Our own clock is before the build date.
    Clock,
    /// The header is absent.
    Absent,
    /// The header holds more than one value.
    Repeated,
    /// The scheme is neither `Bearer` nor `DPoP`, or is not followed by exactly one space.
    Scheme,
    /// The value is not a compact JWS.
    Form(JwsError),
    /// An API key with a typing error.
    ApiKeyForm,
    /// No agent has this API key.
    ApiKeyUnknown,
    /// The time of this API key is up.
    ApiKeyExpired,
    /// The same bytes were refused a moment ago.
    RefusedBefore,
    /// An opaque token whose issuer has not been asked yet. The caller is never told this: who sees it asks.
    Unchecked,
    /// What the issuer answered about an opaque token is not strict JSON with a boolean `active`.
    Answer,
    /// The issuer says that the opaque token is not active.
    Inactive,
    /// The JOSE header is not acceptable.
    Header(JwsError),
    /// The claims are not canonical base64url of one strict JSON object.
    ClaimsEncoding,
    /// No issuer profile has this `iss` for this side.
    Issuer,
    /// The issuer does not use this `typ` for tokens, or there is none.
    Type,
    /// The issuer does not use this algorithm.
    Algorithm,
    /// The issuer has no key of this `kid`, or the token names none.
    Key,
    /// The key is for another algorithm.
    KeyAlgorithm,
    /// `exp` or `iat` is absent, or one of `exp`, `iat`, `nbf` is not a whole number of seconds.
    TimeShape,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` is in the future.
    NotYetValid,
    /// `exp` is not after `iat`, or further from it than the issuer profile accepts.
    Lifetime,
    /// `aud` does not name this gate.
    Audience,
    /// The signature does not verify.
    Signature,
    /// `sub`, or the claim that names the user or agent, is not usable text.
    Subject,
    /// `client_id` or `azp` is not usable text, or the two differ.
    Client,
    /// A user assertion whose subject is a client or a registered agent.
    SubjectIsAgent,
    /// `scope` is not a string, or has too many values.
    Scope,
    /// The groups are not an array of usable texts, or there are too many.
    Groups,
    /// The issuer left the groups out and points elsewhere for them.
    GroupsElsewhere,
    /// `act` is not an object with a string `sub`, or is nested too deeply.
    Actor,
    /// `may_act` is not an object with a string `sub`.
    MayAct,
    /// `auth_time`, `acr`, `amr`, `jti` or `sid` is not of its type.
    AuthFacts,
    /// No such agent is registered.
    AgentUnknown,
    /// The agent is suspended.
    AgentSuspended,
    /// The agent is revoked.
    AgentRevoked,
    /// The time until which the agent is registered is up.
    AgentExpired,
    /// The user is revoked.
    UserRevoked,
    /// This agent may no longer act for this user.
    DelegationRevoked,
    /// This very token is revoked.
    TokenRevoked,
    /// The login session of this token is revoked.
    SessionRevoked,
    /// The key that this token is bound to is revoked.
    KeyRevoked,
    /// Everything that was issued to this agent or user before a moment is revoked, and the token is older.
    Outdated,
    /// `cnf` is not exactly one confirmation that is understood.
    Confirmation,
    /// A token that is bound to a key or certificate is presented as if it were not.
    BoundToken,
    /// The `DPoP` scheme with a token that is not bound to a key.
    UnboundToken,
    /// The user's assertion is bound to something else than the agent's token.
    AssertionBound,
    /// The agent's registration asks for a stronger binding than this request has.
    BindingRequired,
    /// The proof of possession does not hold.
    Proof(ProofFault),
    /// Nothing links the user's assertion to this agent.
    Unlinked,
    /// `may_act` of the user's assertion names another agent.
    MayActOther,
    /// A token that already carries user and agent came together with another one.
    AlreadyDelegated,
}

impl IdentityError {
    pub(super) const fn new(side: Side, fault: Fault) -> Self {
        Self { side, fault }
    }

    /// The proof was used before, as the owner of its key says.
    #[must_use]
    pub const fn replayed() -> Self {
        Self::new(Side::Agent, Fault::Proof(ProofFault::Replayed))
    }

    /// Whose credential was at fault.
    #[must_use]
    pub const fn who(self) -> Side {
        self.side
    }

    /// What was wrong, exactly.
    #[must_use]
    pub const fn fault(self) -> Fault {
        self.fault
    }

    /// The step that refused, for the audit record.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.fault.reason()
    }
}

impl Fault {
    /// The step that refused, for the audit record.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Absent => "hdr_none",
            Self::Repeated => "hdr_dup",
            Self::Scheme | Self::Form(_) => "hdr_form",
            Self::ApiKeyForm | Self::ApiKeyUnknown => "api_key",
            Self::RefusedBefore => "tok_neg",
            Self::Unchecked | Self::Answer | Self::Inactive => "introspection",
            Self::Header(_) => "jose_hdr",
            Self::Issuer => "iss_unknown",
            Self::Type => "typ",
            Self::Algorithm | Self::KeyAlgorithm => "alg",
            Self::Key => "kid",
            Self::TimeShape | Self::Expired | Self::ApiKeyExpired | Self::NotYetValid | Self::Lifetime => "time",
            Self::Audience => "aud",
            Self::Signature => "sig",
            Self::ClaimsEncoding
            | Self::Subject
            | Self::Client
            | Self::SubjectIsAgent
            | Self::Scope
            | Self::Groups
            | Self::GroupsElsewhere
            | Self::Actor
            | Self::MayAct
            | Self::AuthFacts => "claims",
            Self::AgentUnknown => "agent_unknown",
            Self::AgentExpired => "agent_expired",
            Self::AgentSuspended
            | Self::AgentRevoked
            | Self::UserRevoked
            | Self::DelegationRevoked
            | Self::TokenRevoked
            | Self::SessionRevoked
            | Self::KeyRevoked
            | Self::Outdated => "revoked",
            Self::Confirmation
            | Self::BoundToken
            | Self::UnboundToken
            | Self::AssertionBound
            | Self::BindingRequired
            | Self::Proof(_) => "pop",
            Self::Unlinked | Self::MayActOther | Self::AlreadyDelegated => "link",
        }
    }

    /// Whether the same bytes are sure to be refused again while trust does not change, and finding that out cost a
    /// signature: those are worth remembering.
    pub(super) const fn is_lasting(self) -> bool {
        matches!(
            self,
            Self::Signature
                | Self::Subject
                | Self::Client
                | Self::SubjectIsAgent
                | Self::Scope
                | Self::Groups
                | Self::GroupsElsewhere
                | Self::Actor
                | Self::MayAct
                | Self::AuthFacts
                | Self::AgentUnknown
                | Self::AgentSuspended
                | Self::AgentRevoked
                | Self::Confirmation
        )
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Agent => "agent token",
            Side::User => "user assertion",
            Side::Pair => "agent token and user assertion",
        };
        write!(f, "{side}: {}", self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form(fault) | Self::Header(fault) => return fault.fmt(f),
            Self::Clock => "the gate's clock is before its build date",
            Self::Absent => "not presented",
            Self::Repeated => "more than one value",
            Self::Proof(fault) => return fault.fmt(f),
            Self::Scheme => "neither Bearer nor DPoP",
            Self::RefusedBefore => "refused a moment ago",
            Self::Unchecked => "opaque, and its issuer has not been asked",
            Self::Answer => "what its issuer says of it cannot be read",
            Self::Inactive => "its issuer says that it is not active",
            Self::ApiKeyForm => "not an API key, but almost",
            Self::ApiKeyUnknown => "no agent has this API key",
            Self::ApiKeyExpired => "the API key has expired",
            Self::ClaimsEncoding => "the claims are not one strict JSON object",
            Self::Issuer => "the issuer is not known for this side",
            Self::Type => "the issuer does not use this typ",
            Self::Algorithm => "the issuer does not use this algorithm",
            Self::Key => "the issuer has no such key",
            Self::KeyAlgorithm => "the key is for another algorithm",
            Self::TimeShape => "exp, iat or nbf is missing or not a whole number",
            Self::Expired => "expired",
            Self::NotYetValid => "not valid yet",
            Self::Lifetime => "valid for longer than the issuer profile accepts",
            Self::Audience => "meant for another audience",
            Self::Signature => "the signature does not verify",
            Self::Subject => "the subject is missing or not usable",
            Self::Client => "client_id and azp are not one usable text",
            Self::SubjectIsAgent => "the subject is not a user",
            Self::Scope => "scope is not a string of bounded length",
            Self::Groups => "the groups are not a bounded array of usable texts",
            Self::GroupsElsewhere => "the groups are not in the token",
            Self::Actor => "act is not a bounded chain of actors",
            Self::MayAct => "may_act does not name an actor",
            Self::AuthFacts => "auth_time, acr, amr, jti or sid is not of its type",
            Self::AgentUnknown => "the agent is not registered",
            Self::AgentSuspended => "the agent is suspended",
            Self::AgentRevoked => "the agent is revoked",
            Self::AgentExpired => "the registration of the agent has expired",
            Self::UserRevoked => "the user is revoked",
            Self::DelegationRevoked => "the agent may no longer act for this user",
            Self::TokenRevoked => "this token is revoked",
            Self::SessionRevoked => "the session of this token is revoked",
            Self::KeyRevoked => "the key of this token is revoked",
            Self::Outdated => "issued before everything older was revoked",
            Self::Confirmation => "bound to something that is not understood",
            Self::BoundToken => "bound to something whose possession was not proved",
            Self::UnboundToken => "the token is not bound to a key",
            Self::AssertionBound => "the assertion is bound to something else than the agent's token",
            Self::BindingRequired => "this agent must be bound more firmly",
            Self::Unlinked => "nothing links the user to this agent",
            Self::MayActOther => "the user named another agent",
            Self::AlreadyDelegated => "a delegated token stands alone",
        })
    }
}

impl fmt::Display for ProofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form(fault) => return fault.fmt(f),
            Self::Absent => "no proof of possession",
            Self::Unasked => "a proof of possession without the DPoP scheme",
            Self::Header(_) => "not the header of a proof",
            Self::OtherKey => "the proof is of another key",
            Self::Encoding => "the proof's claims are not one strict JSON object",
            Self::Claims => "a claim of the proof is missing or not of its type",
            Self::Method => "the proof is for another method",
            Self::Target => "the proof is for another URI",
            Self::Time => "the proof is not from now",
            Self::Token => "the proof is for another token",
            Self::Others => "the proof is for other headers",
            Self::Signature => "the proof's signature does not verify",
            Self::Nonce => "the proof has no nonce that counts",
            Self::Replayed => "the proof was used before",
        })
    }
}

impl core::error::Error for IdentityError {}
