//! An issuer profile: everything that tokens of one issuer must be, decided by the operator.
//!
//! Must never hold anything learned from a token.

use core::time::Duration;

use crate::jose::Algorithm;
use crate::jose::jwks::KeySet;
use crate::json::Object;
use crate::json::Value;
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
    /// accepted only where the dialect says how to tell it.
    pub types: Vec<String>,
    /// How its tokens differ from RFC 9068.
    pub dialect: Dialect,
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

/// How tokens of an issuer differ from RFC 9068. The default is: in nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// Tokens whose `typ` does not say what they are, and how to tell them all the same.
    pub marked: Vec<Marked>,
    /// JWT-SVIDs (SPIFFE): the issuer is a trust domain, `spiffe://DOMAIN`, and a token belongs to it by its `sub`;
    /// `iss` and `iat` may be absent, and the life of a token without `iat` is counted from now.
    pub svid: bool,
    /// How tokens that a client got for itself are told from those of users; any one sign is enough.
    pub client_signs: Vec<ClientSign>,
}

/// A sign that a token is a client's own and names no user, beyond a subject that equals the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientSign {
    /// It has this claim.
    Has(String),
    /// It lacks this claim.
    Lacks(String),
    /// Its subject ends in this.
    SubjectEnds(String),
}

/// Tokens of a weak `typ` that are told by a claim which other tokens of the issuer, such as ID tokens, do not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Their `typ`, compared without letter case; `None` if they have none.
    pub typ: Option<String>,
    /// One of these claims is there.
    pub claims: Vec<String>,
    /// And has one of these values; any, if the list is empty.
    pub values: Vec<String>,
}

/// The names of the claims that vendors spell differently. One that begins with `/` is a JSON Pointer (RFC 6901) into the
/// claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The stable id of a user.
    pub user: String,
    /// The id by which an agent is registered.
    pub agent: String,
    /// The groups of a user: an array of strings.
    pub groups: String,
    /// The client that a token was issued to; where several are there, they must agree.
    pub client: Vec<String>,
    /// The scopes: space-delimited strings (RFC 6749 3.3), or an array of strings if `scope_is_array`.
    pub scope: String,
    /// Whether the scopes are an array.
    pub scope_is_array: bool,
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

impl Dialect {
    /// Whether a token with this `typ` (without `application/`) and these claims is told by a mark.
    pub(super) fn tells(&self, typ: Option<&str>, claims: Object<'_>) -> bool {
        self.marked.iter().any(|marked| {
            let same_type = match (&marked.typ, typ) {
                (None, None) => true,
                (Some(ours), Some(theirs)) => ours.eq_ignore_ascii_case(theirs),
                _ => false,
            };
            let fits = |value: Value<'_>| {
                marked.values.is_empty() && !value.is_null()
                    || value
                        .as_str()
                        .is_some_and(|text| marked.values.iter().any(|value| value == text))
            };
            same_type && marked.claims.iter().any(|name| find(claims, name).is_some_and(fits))
        })
    }
}

impl ClientSign {
    /// Whether these claims, with that subject, have the sign.
    pub(super) fn is_on(&self, claims: Object<'_>, subject: &str) -> bool {
        match self {
            Self::Has(name) => find(claims, name).is_some(),
            Self::Lacks(name) => find(claims, name).is_none(),
            Self::SubjectEnds(end) => subject.ends_with(end),
        }
    }
}

/// The claim of that name, or the value that a JSON Pointer leads to.
///
/// SPEC: RFC 6901 4: `~1` is a slash, and then `~0` a tilde.
pub(super) fn find<'c>(claims: Object<'c>, name: &str) -> Option<Value<'c>> {
    let Some(pointer) = name.strip_prefix('/') else {
        return claims.get(name);
    };
    let mut steps = pointer
        .split('/')
        .map(|step| step.replace("~1", "/").replace("~0", "~"));
    let first = claims.get(&steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(&step))
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            user: "sub".to_owned(),
            agent: "sub".to_owned(),
            groups: "groups".to_owned(),
            client: vec!["client_id".to_owned(), "azp".to_owned()],
            scope: "scope".to_owned(),
            scope_is_array: false,
            chain: "act".to_owned(),
        }
    }
}
