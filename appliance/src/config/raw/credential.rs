//! `[servers.NAME.credential]` as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::Named;
use crate::config::credential::{Actor, Client, SubjectType};
use crate::config::value::TimeSpan;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Credential {
    #[serde(default)]
    pub(in crate::config) mode: Mode,
    pub(in crate::config) secret: Option<Spanned<String>>,
    pub(in crate::config) header: Option<Spanned<String>>,
    pub(in crate::config) scheme: Option<Spanned<String>>,
    pub(in crate::config) lifetime: Option<Spanned<TimeSpan>>,
    #[serde(default)]
    pub(in crate::config) scopes: Named<Spanned<String>>,
    pub(in crate::config) scopes_default: Option<Spanned<String>>,
    pub(in crate::config) claims: Option<Spanned<Claims>>,
    pub(in crate::config) at: Option<Spanned<Party>>,
    pub(in crate::config) idp: Option<Spanned<Party>>,
    pub(in crate::config) actor: Option<Spanned<Actor>>,
    pub(in crate::config) subject_token_type: Option<Spanned<SubjectType>>,
    pub(in crate::config) resource: Option<Spanned<String>>,
    pub(in crate::config) audience: Option<Spanned<String>>,
}

/// An authorization server, and who the gate is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Party {
    pub(in crate::config) issuer: Spanned<String>,
    pub(in crate::config) token_endpoint: Option<Spanned<String>>,
    pub(in crate::config) client_id: Spanned<String>,
    #[serde(default)]
    pub(in crate::config) client_auth: Client,
    pub(in crate::config) secret: Option<Spanned<String>>,
    pub(in crate::config) certificate: Option<Spanned<PathBuf>>,
    pub(in crate::config) key: Option<Spanned<PathBuf>>,
    pub(in crate::config) ca_file: Option<PathBuf>,
}

/// How the claims of a token are shaped.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Claims {
    #[serde(default)]
    pub(in crate::config) rename: BTreeMap<String, String>,
    #[serde(default)]
    pub(in crate::config) drop: Vec<String>,
    #[serde(default)]
    pub(in crate::config) constant: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Mode {
    #[default]
    Mint,
    Static,
    Exchange,
    IdJag,
    ClientCredentials,
    None,
}
