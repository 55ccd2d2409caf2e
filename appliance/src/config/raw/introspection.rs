//! `issuers.NAME.introspection` as it is written.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use crate::config::credential::Client;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Introspection {
    pub(in crate::config) endpoint: Option<Spanned<String>>,
    pub(in crate::config) prefix: Option<Spanned<String>>,
    pub(in crate::config) client_id: Spanned<String>,
    pub(in crate::config) client_auth: Option<Spanned<Client>>,
    pub(in crate::config) secret: Option<Spanned<String>>,
    pub(in crate::config) certificate: Option<Spanned<PathBuf>>,
    pub(in crate::config) key: Option<Spanned<PathBuf>>,
    pub(in crate::config) ca_file: Option<PathBuf>,
}
