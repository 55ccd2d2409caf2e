//! The configuration file as it is written: shapes and defaults of single keys. Pure; gives nothing a meaning.
//!
//! Every table refuses keys that it does not know, so that a typing error can never switch a check off.
//! `docs/configuration.md` describes each key; keep the two together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::certificates::Asked;
use super::date::{Day, Expiry};
use super::profile::Profile;
use super::value::{ByteSize, HttpUrl, ListenAddress, TimeSpan};
use crate::secrets::KeySource;

pub(super) mod credential;
pub(super) mod introspection;

/// Tables by the name the operator gave them, each with its place in the file.
pub(super) type Named<T> = BTreeMap<Spanned<String>, T>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) gate: Gate,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) issuers: Named<Issuer>,
    pub(super) embedded_issuer: Option<EmbeddedIssuer>,
    #[serde(default)]
    pub(super) agents: Named<Agent>,
    #[serde(default)]
    pub(super) servers: Named<Server>,
    #[serde(default)]
    pub(super) mint: Mint,
    #[serde(default)]
    pub(super) secrets: Secrets,
    #[serde(default)]
    pub(super) proofs: Proofs,
    #[serde(default)]
    pub(super) signals: Named<Signals>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proofs {
    pub(super) require_nonce: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signals {
    pub(super) issuer: Spanned<String>,
    pub(super) issuers: Spanned<Vec<Spanned<String>>>,
    pub(super) audience: Option<Spanned<String>>,
    pub(super) algorithms: Option<Spanned<Vec<Algorithm>>>,
    pub(super) jwks_file: Option<Spanned<PathBuf>>,
    pub(super) jwks_uri: Option<Spanned<String>>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    pub(super) poll: Option<Spanned<String>>,
    pub(super) token_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) push: bool,
    pub(super) push_token_file: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gate {
    pub(super) listen: Spanned<ListenAddress>,
    pub(super) public_url: Option<Spanned<HttpUrl>>,
    pub(super) shards: Option<Spanned<usize>>,
    #[serde(default)]
    pub(super) allowed_hosts: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) allowed_origins: Vec<Spanned<HttpUrl>>,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) policies: Option<PathBuf>,
    #[serde(default)]
    pub(super) allow_plaintext: bool,
    pub(super) tls: Option<Tls>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) certificate: Spanned<PathBuf>,
    pub(super) key: Spanned<PathBuf>,
    pub(super) client_certificates: Option<Spanned<Asked>>,
    pub(super) client_ca_file: Option<Spanned<PathBuf>>,
    pub(super) client_crl_file: Option<Spanned<PathBuf>>,
    pub(super) client_self_signed: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) message: Option<Spanned<ByteSize>>,
    pub(super) reply: Option<Spanned<ByteSize>>,
    pub(super) connections: Option<Spanned<usize>>,
    pub(super) sessions: Option<Spanned<usize>>,
    pub(super) session_idle: Option<Spanned<TimeSpan>>,
    pub(super) head_timeout: Option<Spanned<TimeSpan>>,
    pub(super) body_timeout: Option<Spanned<TimeSpan>>,
    pub(super) idle_timeout: Option<Spanned<TimeSpan>>,
    pub(super) connect_timeout: Option<Spanned<TimeSpan>>,
    pub(super) first_byte_timeout: Option<Spanned<TimeSpan>>,
    pub(super) drain_timeout: Option<Spanned<TimeSpan>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issuer {
    pub(super) issuer: Spanned<String>,
    #[serde(default)]
    pub(super) profile: Profile,
    pub(super) jwks_file: Option<Spanned<PathBuf>>,
    pub(super) jwks_uri: Option<Spanned<String>>,
    pub(super) discovery: Option<Spanned<Discovery>>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    pub(super) max_stale: Option<Spanned<TimeSpan>>,
    pub(super) require_at_start: Option<Spanned<bool>>,
    pub(super) tokens: Spanned<Vec<TokenRole>>,
    pub(super) audience: Option<Spanned<OneOrMore>>,
    pub(super) typ: Option<Spanned<Vec<String>>>,
    pub(super) algorithms: Option<Spanned<Vec<Algorithm>>>,
    pub(super) max_lifetime: Option<Spanned<TimeSpan>>,
    pub(super) leeway: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    pub(super) claims: Claims,
    #[serde(default)]
    pub(super) unlinked_with: Vec<Spanned<String>>,
    pub(super) introspection: Option<Spanned<introspection::Introspection>>,
}

/// Which well-known document tells where an issuer's keys are.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Discovery {
    /// That of OpenID Connect; if there is none, that of RFC 8414.
    #[default]
    Either,
    /// `ISSUER/.well-known/openid-configuration` (OpenID Connect Discovery 1.0).
    Openid,
    /// `/.well-known/oauth-authorization-server` before the issuer's path (RFC 8414).
    Oauth,
    /// `/.well-known/ssf-configuration` before the transmitter's path (OpenID Shared Signals Framework 1.0).
    #[serde(skip)]
    Signals,
}

/// `"a"` or `["a", "b"]`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(super) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum TokenRole {
    Agent,
    User,
}

/// A signature algorithm by its name in RFC 7518 and RFC 8037.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    #[serde(alias = "Ed25519")]
    EdDSA,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// RSA PKCS #1 v1.5 with SHA-256.
    RS256,
    /// RSA-PSS with SHA-256.
    PS256,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    pub(super) user: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) groups: Option<String>,
    pub(super) client: Option<OneOrMore>,
    pub(super) scope: Option<String>,
    pub(super) scope_is_array: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EmbeddedIssuer {
    pub(super) max_lifetime: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    pub(super) users: Named<EmbeddedUser>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EmbeddedUser {
    #[serde(default)]
    pub(super) groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agent {
    pub(super) issuer: Spanned<String>,
    pub(super) subject: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    pub(super) servers: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) clients: Named<Spanned<String>>,
    #[serde(default)]
    pub(super) api_keys: Vec<super::api_key::Written>,
    #[serde(default)]
    pub(super) state: AgentState,
    #[serde(default)]
    pub(super) require_binding: RequireBinding,
    pub(super) x509: Option<Spanned<bool>>,
    pub(super) owner: Option<Spanned<String>>,
    pub(super) purpose: Option<Spanned<String>>,
    pub(super) expires: Option<Expiry>,
    pub(super) review: Option<Day>,
}

/// How firmly an agent's requests must be bound to a key or certificate that only the agent has.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum RequireBinding {
    /// Not at all; a token that is bound must still be presented with its proof.
    #[default]
    None,
    /// Its own token is bound.
    Token,
    /// The user's assertion is covered as well.
    Request,
}

/// Whether an agent may act.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum AgentState {
    /// It may.
    #[default]
    Active,
    /// Not now; expected back.
    Suspended,
    /// Never again.
    Revoked,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) url: Spanned<HttpUrl>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) certificate: Option<Spanned<PathBuf>>,
    pub(super) key: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) era: Era,
    pub(super) audience: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) allow_plaintext: bool,
    #[serde(default)]
    pub(super) tools: Named<Tool>,
    pub(super) credential: Option<credential::Credential>,
    pub(super) require_scopes: Option<Spanned<Vec<String>>>,
    pub(super) require_acr: Option<Spanned<Vec<String>>>,
    pub(super) require_auth_age: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    pub(super) state: ServerState,
    pub(super) owner: Option<Spanned<String>>,
    pub(super) purpose: Option<Spanned<String>>,
    pub(super) review: Option<Day>,
}

/// Whether a server may be used.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ServerState {
    /// It may.
    #[default]
    Active,
    /// Not now; expected back.
    Suspended,
    /// Never again.
    Revoked,
}

/// The protocol eras a server serves.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// Both.
    #[default]
    Dual,
    /// The initialize handshake only.
    Legacy,
    /// Per-request metadata only.
    Modern,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tool {
    pub(super) class: Class,
    #[serde(default)]
    pub(super) labels: Vec<Spanned<String>>,
    pub(super) require_scopes: Option<Spanned<Vec<String>>>,
    pub(super) require_acr: Option<Spanned<Vec<String>>>,
    pub(super) require_auth_age: Option<Spanned<TimeSpan>>,
}

/// What a tool can do at worst.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Reads within the server.
    Read,
    /// Reads beyond the server.
    Query,
    /// Changes something that can be changed back.
    Update,
    /// Everything else.
    Admin,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mint {
    #[serde(default)]
    pub(super) algorithm: MintAlgorithm,
    pub(super) lifetime: Option<Spanned<TimeSpan>>,
}

/// The algorithm of minted tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum MintAlgorithm {
    /// Ed25519.
    #[default]
    #[serde(alias = "Ed25519")]
    EdDSA,
    /// ECDSA on P-256 with SHA-256, for servers that cannot verify Ed25519.
    ES256,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Secrets {
    pub(super) key: Option<Spanned<KeySource>>,
}
