//! Which issuers are asked about opaque tokens, and by whose tokens they are told apart.

use portreeve_core::identity::ApiKey;
use toml::Spanned;

use super::{Issuer, Resolver, raw};
use crate::config::credential::Client;
use crate::config::introspection::Introspection;

/// Bytes of a prefix.
const PREFIX_BYTES_MAX: usize = 64;

impl Resolver<'_> {
    /// How `issuer` is asked, if it is.
    pub(super) fn introspection(&mut self, issuer: &raw::Issuer) -> Option<Introspection> {
        let whole = issuer.introspection.as_ref()?;
        let written = whole.get_ref();
        if let Some(auth) = &written.client_auth
            && *auth.get_ref() == Client::PrivateKeyJwt
        {
            let hint = "write \"secret_basic\", \"secret_post\" or \"mtls\"";
            self.refuse(auth, "the gate has no key of its own for this", hint);
            return None;
        }
        let prefix = written.prefix.as_ref();
        if let Some(prefix) = prefix.filter(|prefix| !is_prefix(prefix.get_ref())) {
            let hint = "letters, digits and - . _ ~ + /, at most 64; or leave it out";
            self.refuse(prefix, "no token begins with this", hint);
        }
        if let Some(prefix) = prefix.filter(|prefix| prefix.get_ref().starts_with(ApiKey::PREFIX)) {
            let hint = "write what tokens of this issuer begin with, or leave it out";
            self.refuse(
                prefix,
                "API keys of agents begin with this, and are shown to nobody",
                hint,
            );
        }
        let party = raw::credential::Party {
            issuer: issuer.issuer.clone(),
            token_endpoint: written.endpoint.clone(),
            client_id: written.client_id.clone(),
            client_auth: written
                .client_auth
                .as_ref()
                .map_or(Client::SecretBasic, |auth| *auth.get_ref()),
            secret: written.secret.clone(),
            certificate: written.certificate.clone(),
            key: written.key.clone(),
            ca_file: written
                .ca_file
                .clone()
                .or_else(|| issuer.ca_file.as_ref().map(|file| file.get_ref().clone())),
        };
        Some(Introspection {
            party: self.party(Spanned::new(whole.span(), party)),
            prefix: prefix.map(|prefix| prefix.get_ref().clone()).unwrap_or_default(),
        })
    }

    /// Refuses an issuer whose opaque tokens could be those of another one: neither would be asked.
    pub(super) fn told_apart(&mut self, place: Option<Spanned<()>>, issuer: &Issuer, others: &[Issuer]) {
        let (Some(place), Some(asked)) = (place, &issuer.introspection) else {
            return;
        };
        let shares = |other: &&Issuer| issuer.agents && other.agents || issuer.users && other.users;
        for other in others.iter().filter(shares) {
            let Some(theirs) = &other.introspection else { continue };
            if theirs.prefix.starts_with(&asked.prefix) || asked.prefix.starts_with(&theirs.prefix) {
                let message = format!(
                    "opaque tokens of this issuer cannot be told from those of `{}`",
                    other.name
                );
                self.refuse(
                    &place,
                    &message,
                    "give each a prefix = \"…\" that its tokens, and no others, begin with",
                );
            }
        }
    }
}

fn is_prefix(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !text.is_empty() && text.len() <= PREFIX_BYTES_MAX && text.bytes().all(plain)
}
