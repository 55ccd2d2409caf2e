//! `[servers.NAME.credential]` as it is written.

use serde::Deserialize;
use toml::Spanned;

use super::Named;
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
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Mode {
    #[default]
    Mint,
    Static,
    None,
}
