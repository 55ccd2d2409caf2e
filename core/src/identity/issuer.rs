//! An issuer profile: everything that tokens of one issuer must be, decided by the operator.
//!
//! Must never hold anything learned from a token.

use core::time::Duration;

use crate::jose::Algorithm;
use crate::jose::jwks::KeySet;
use crate::limits::AGENT_TOKEN_LIFETIME;
use crate::limits::TOKEN_LIFETIME_MAX;

/// One issuer that is trusted for agents, for users or for both.
///
/// One issuer may have two profiles, if they are for different roles.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The name by which configuration refers to this profile.
    pub name: String,
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// What its tokens may prove.
    pub roles: Roles,
    /// The `typ` values of its tokens, without `application/`; compared without letter case. A token without `typ` is
    /// never accepted.
    pub types: Vec<String>,
    /// The algorithms it signs with.
    pub algorithms: Vec<Algorithm>,
    /// The `aud` values that mean this gate, exact.
    pub audiences: Vec<String>,
    /// Its keys.
    pub keys: KeySet,
    /// The longest accepted time from `iat` to `exp`. `None`: one hour for agents, 24 hours for users.
    pub max_lifetime: Option<Duration>,
    /// The tolerated difference between its clock and ours.
    pub leeway: Duration,
    /// Which claims mean what.
    pub claims: ClaimNames,
    /// Names of issuer profiles whose agents may present assertions of this issuer without any link between the two
    /// tokens. Whoever steals such an assertion can use it with any agent of those issuers.
    pub allow_unlinked_with: Vec<String>,
}

/// What tokens of an issuer may prove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// Which agent calls.
    pub agent: bool,
    /// For which user.
    pub user: bool,
}

/// The names of the claims that vendors spell differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The stable id of a user.
    pub user: String,
    /// The id by which an agent is registered.
    pub agent: String,
    /// The groups of a user: an array of strings.
    pub groups: String,
    /// The delegation chain: an `act` object (RFC 8693 4.1).
    pub chain: String,
}

impl Issuer {
    /// The longest accepted life of a token that names an agent (`agent`) or only a user.
    pub(super) fn lifetime(&self, agent: bool) -> Duration {
        self.max_lifetime.unwrap_or(if agent {
            AGENT_TOKEN_LIFETIME
        } else {
            TOKEN_LIFETIME_MAX
        })
    }
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            user: "sub".to_owned(),
            agent: "sub".to_owned(),
            groups: "groups".to_owned(),
            chain: "act".to_owned(),
        }
    }
}
