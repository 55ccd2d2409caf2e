//! Who calls: which agent, and for which user.
//!
//! Owns the way from two header values to a [`Principal`]: the agent's token and the user's assertion are each verified
//! alone, in a fixed order of steps, and then the link between the two is established. Follows RFC 7519, RFC 8725,
//! RFC 9068, RFC 8693, RFC 9449 and RFC 8705. A `Principal` has no other constructor.
//!
//! Must never fetch a key, follow a header into one, or remember a token: the caches hold digests and what was proved.
//!
//! | step | what | audit reason |
//! |---|---|---|
//! | 1 | one `Authorization`, or the X.509-SVID of an agent that comes with one; at most one user assertion and proof | `hdr_none`, `hdr_dup` |
//! | 2 | scheme, length, alphabet, three segments; a proof with the `DPoP` scheme and with no other | `hdr_form`, `pop` |
//! | 3 | caches by the SHA-256 of the exact bytes | `tok_neg` |
//! | | an opaque token: what its issuer says ([`Introspected`]) stands for steps 4 to 7 | `introspection` |
//! | 4 | an agent's API key, by its digest, ends here and goes on at step 9; for tokens the JOSE header | `api_key`, `time`; `jose_hdr` |
//! | 5 | the claims are strict JSON, and their issuer is known for this role | `claims`, `iss_unknown` |
//! | 6 | everything that needs no signature | `typ`, `alg`, `kid`, `time`, `aud` |
//! | 7 | the signature | `sig` |
//! | 8 | the shape of every claim that is used | `claims` |
//! | 9 | registration, and its end, which is asked beside the caches | `agent_unknown`, `revoked`, `agent_expired` |
//! | 10 | sender constraint (RFC 9449, RFC 8705): `cnf`, the DPoP proof of this request or the certificate of its connection, what the agent's registration asks for; that the proof is not used twice, the owner of its key says afterwards ([`ReplayWindow`]) | `pop` |
//! | 11 | the link between agent and user | `link` |
//! | 12 | the [`Denylist`], which no cache stands before | `revoked` |

mod api_key;
mod authenticator;
mod binding;
mod cache;
mod certificate;
mod claims;
mod denylist;
mod der;
mod error;
mod examine;
mod htu;
mod introspection;
mod issuer;
mod link;
mod nonce;
mod presented;
mod principal;
mod proof;
mod replay;
mod seen;
mod token;
mod trust;

#[cfg(test)]
mod tests;

pub use self::api_key::API_KEY_ISSUER;
pub use self::api_key::AgentMethod;
pub use self::api_key::ApiKey;
pub use self::authenticator::Authenticator;
pub use self::authenticator::Identified;
pub use self::binding::Binding;
pub use self::binding::RequireBinding;
pub use self::certificate::PeerCertificate;
pub use self::denylist::Denylist;
pub use self::denylist::DenylistFull;
pub use self::denylist::Revocation;
pub use self::error::Fault;
pub use self::error::IdentityError;
pub use self::error::Side;
pub use self::examine::Examination;
pub use self::examine::Step;
pub use self::examine::examine;
pub use self::introspection::Introspected;
pub use self::introspection::Said;
pub(crate) use self::introspection::opaque;
pub use self::issuer::ClaimNames;
pub use self::issuer::ClientSign;
pub use self::issuer::Dialect;
pub use self::issuer::Issuer;
pub use self::issuer::Marked;
pub use self::issuer::Roles;
pub use self::link::Link;
pub use self::nonce::Nonces;
pub use self::presented::Presented;
pub use self::presented::Scheme;
pub use self::principal::Actor;
pub use self::principal::Agent;
pub use self::principal::AuthFacts;
pub use self::principal::Principal;
pub use self::principal::User;
pub use self::proof::Proof;
pub use self::proof::ProofFault;
pub use self::proof::Terms;
pub use self::replay::ProofId;
pub use self::replay::ReplayWindow;
pub use self::replay::Spent;
pub use self::seen::LastSeen;
pub use self::trust::AgentClient;
pub use self::trust::AgentState;
pub use self::trust::RegisteredAgent;
pub use self::trust::Trust;
pub use self::trust::TrustError;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::proof::prove_alone;
