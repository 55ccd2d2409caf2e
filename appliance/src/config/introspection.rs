//! How an issuer is asked about opaque tokens, as configured, and the checks of what that needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::credential::{Client, Party};
use super::{Config, Diagnostic, Issuer};
use crate::standing::{Endpoint, Proof, Standing};

/// How an issuer is asked about opaque tokens (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introspection {
    /// Whom the gate asks, and who it is there.
    pub party: Party,
    /// What this issuer's opaque tokens begin with.
    pub prefix: String,
}

/// The gate as a client of every issuer that is asked, by the issuer's name.
pub(crate) type Askers = BTreeMap<String, Arc<Standing>>;

/// Who is asked and how, by the issuer's name.
pub(crate) type Settings = BTreeMap<String, Introspection>;

/// Who is asked and how under `config`.
pub(crate) fn settings(config: &Config) -> Settings {
    let asked = config.issuers.iter();
    asked
        .filter_map(|issuer| Some((issuer.name.clone(), issuer.introspection.clone()?)))
        .collect()
}

/// The gate as a client of every issuer of `config` that is asked.
///
/// # Errors
/// Certificates and secrets that cannot be used.
pub(crate) fn askers(config: &Config) -> Result<Askers, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let asked = config.issuers.iter().filter_map(|issuer| {
        let party = &issuer.introspection.as_ref()?.party;
        let standing = proof(config, party).and_then(|proof| Standing::new(party, Endpoint::Introspection, proof));
        let fault =
            |reason| Diagnostic::of_file(&config.file, format!("issuers.{}.introspection: {reason}", issuer.name));
        let standing = standing.map_err(|reason| faults.push(fault(reason))).ok()?;
        Some((issuer.name.clone(), Arc::new(standing)))
    });
    let askers = asked.collect();
    if faults.is_empty() { Ok(askers) } else { Err(faults) }
}

fn proof(config: &Config, party: &Party) -> Result<Proof, String> {
    match (&party.secret, party.client) {
        (Some(name), _) => {
            let found = config.secret_store().get(name).map_err(|fault| fault.to_string())?;
            found
                .map(Proof::Secret)
                .ok_or_else(|| format!("there is no secret `{name}`; portreeve secret set {name}"))
        }
        (None, Client::Mtls) => Ok(Proof::Certificate),
        (None, _) => Err("it has neither a secret nor a certificate".to_owned()),
    }
}

impl Issuer {
    /// Whether it is asked with the secret of this name.
    pub(super) fn is_asked_with(&self, secret: &str) -> bool {
        let asked = self.introspection.as_ref();
        asked.is_some_and(|asked| asked.party.secret.as_deref() == Some(secret))
    }
}
