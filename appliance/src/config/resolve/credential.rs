//! What a server is shown: which keys belong to which mode, and what may be sent over which connection.

use portreeve_core::credential::{self, ClaimShape, Scopes, StaticCredential, StaticError};
use toml::Spanned;

use super::{MINT_LIFETIME_MAX, Resolver, at_most};
use crate::config::credential::{Credential, Held, Minted};
use crate::config::raw;
use crate::config::raw::credential::Mode;
use crate::config::value::HttpUrl;
use crate::secrets::{self, KeySource};

/// Header of a secret if none is named.
const HEADER: &str = "authorization";
/// Scheme in that header if none is named.
const SCHEME: &str = "Bearer";

impl Resolver<'_> {
    pub(super) fn key_source(&mut self, written: Option<Spanned<KeySource>>) -> KeySource {
        let Some(written) = written else {
            return KeySource::default();
        };
        if !written.get_ref().is_supported() {
            self.refuse(
                &written,
                "this portreeve was built without the keychain",
                "build it with --features keychain, or write \"file\" or \"credential\"",
            );
        }
        written.into_inner()
    }

    pub(super) fn credential(
        &mut self,
        server: &Spanned<String>,
        url: &Spanned<HttpUrl>,
        written: Option<raw::credential::Credential>,
    ) -> Credential {
        let written = written.unwrap_or_default();
        let mode = match written.mode {
            Mode::Exchange => Some(credential::Mode::Exchange),
            Mode::IdJag => Some(credential::Mode::IdJag),
            Mode::ClientCredentials => Some(credential::Mode::ClientCredentials),
            Mode::Mint | Mode::Static | Mode::None => None,
        };
        if mode.is_none() {
            self.refuse_fetched(&written);
        }
        if mode.is_none() && written.mode != Mode::Mint {
            self.refuse_minted(&written);
        }
        if let Some(mode) = mode {
            self.refuse_held(&written);
            return self
                .fetched(server, mode, written)
                .map_or(Credential::None, |fetched| Credential::Fetched(Box::new(fetched)));
        }
        if written.mode == Mode::Static {
            return self
                .held(server, url, written)
                .map_or(Credential::None, Credential::Static);
        }
        self.refuse_held(&written);
        match written.mode {
            Mode::None => Credential::None,
            _ => Credential::Mint(self.minted(written)),
        }
    }

    fn refuse_held(&mut self, written: &raw::credential::Credential) {
        for stray in [&written.secret, &written.header, &written.scheme]
            .into_iter()
            .flatten()
        {
            self.refuse(
                stray,
                "only a static credential has this",
                "say mode = \"static\", or leave it out",
            );
        }
    }

    fn minted(&mut self, written: raw::credential::Credential) -> Minted {
        let scopes = written.scopes.iter();
        for (tool, scope) in scopes {
            self.text(tool);
            self.scope(scope);
        }
        if let Some(scope) = &written.scopes_default {
            self.scope(scope);
        }
        let shape = written
            .claims
            .map_or_else(ClaimShape::default, |claims| self.shape(&claims));
        let lifetime = written.lifetime.as_ref();
        Minted {
            shape,
            lifetime: lifetime.map(|span| at_most(span, MINT_LIFETIME_MAX, self.source, &mut self.faults)),
            scopes: written
                .scopes
                .into_iter()
                .map(|(tool, scope)| (tool.into_inner(), scope.into_inner()))
                .collect(),
            scopes_default: written.scopes_default.map(Spanned::into_inner),
        }
    }

    fn shape(&mut self, written: &Spanned<raw::credential::Claims>) -> ClaimShape {
        let claims = written.get_ref();
        ClaimShape::new(&claims.rename, &claims.drop, &claims.constant).unwrap_or_else(|error| {
            self.refuse(
                written,
                &error.to_string(),
                "choose other names; who a token is for, whose it is and how long it lives stay as they are",
            );
            ClaimShape::default()
        })
    }

    pub(super) fn secret_name(&mut self, written: &Spanned<String>) {
        if !secrets::is_name(written.get_ref()) {
            // What stands there may be the secret itself: it is not repeated.
            self.refuse(
                written,
                "this is not the name of a secret",
                "write a name here, and the secret itself into the store: portreeve secret set NAME",
            );
        }
    }

    pub(super) fn scope(&mut self, written: &Spanned<String>) {
        if !Scopes::is_scope(written.get_ref()) {
            self.refuse(
                written,
                "this is not a scope",
                "words of visible ASCII without quotes and backslashes, one space between them",
            );
        }
    }

    fn refuse_minted(&mut self, written: &raw::credential::Credential) {
        let mut strays: Vec<std::ops::Range<usize>> = written.scopes.values().map(Spanned::span).collect();
        strays.extend(written.scopes_default.as_ref().map(Spanned::span));
        strays.extend(written.lifetime.as_ref().map(Spanned::span));
        strays.extend(written.claims.as_ref().map(Spanned::span));
        for stray in strays {
            let fault = self.source.fault(stray, "only a minted token has this");
            self.faults.push(fault.hint("say mode = \"mint\", or leave it out"));
        }
    }

    /// `None` is never used: there is a fault then.
    fn held(
        &mut self,
        server: &Spanned<String>,
        url: &Spanned<HttpUrl>,
        written: raw::credential::Credential,
    ) -> Option<Held> {
        // A token is worth a minute of one tool; a secret is worth everything, for ever.
        if !url.get_ref().is_https() && !url.get_ref().is_loopback() {
            self.refuse(
                url,
                "a secret is never sent in plain HTTP beyond this machine",
                "write https://…; allow_plaintext is for minted tokens",
            );
        }
        let header = written.header.as_ref().map_or(HEADER, |header| header.get_ref());
        let scheme = match written.scheme.as_ref().map(|scheme| scheme.get_ref().as_str()) {
            None if header.eq_ignore_ascii_case(HEADER) => Some(SCHEME),
            None | Some("") => None,
            named => named,
        };
        if let Err(error) = StaticCredential::check_name(header, scheme) {
            let (place, hint) = match error {
                StaticError::Scheme => (&written.scheme, "write it with authorization only, or leave it out"),
                _ => (
                    &written.header,
                    "authorization, x-api-key and the like; not what the gate writes itself",
                ),
            };
            if let Some(place) = place {
                self.refuse(place, &error.to_string(), hint);
            }
        }
        let (header, scheme) = (header.to_ascii_lowercase(), scheme.map(str::to_owned));
        let Some(secret) = written.secret else {
            self.refuse(
                server,
                "this server's static credential names no secret",
                "add secret = \"NAME\", and set it: portreeve secret set NAME",
            );
            return None;
        };
        self.secret_name(&secret);
        Some(Held {
            position: self.source.fault(secret.span(), "").position,
            secret: secret.into_inner(),
            header,
            scheme,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::diagnostic::Source;
    use crate::config::{Config, Diagnostic, parse};

    fn parsed(url: &str, credential: &str) -> Result<Config, Vec<Diagnostic>> {
        let text = format!(
            "[gate]\nlisten = \"127.0.0.1:8477\"\n[servers.a]\nurl = \"{url}\"\nallow_plaintext = true\n\
             [servers.a.credential]\n{credential}"
        );
        let path = PathBuf::from("portreeve.toml");
        parse(Source { path, text }, 1)
    }

    fn resolved(credential: &str) -> Credential {
        let config = parsed("https://tools.example/mcp", credential).unwrap();
        config.servers[0].credential.clone()
    }

    fn fault(url: &str, credential: &str) -> Diagnostic {
        let mut faults = parsed(url, credential).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.remove(0)
    }

    fn held(credential: &str) -> (String, Option<String>) {
        match resolved(&format!("mode = \"static\"\nsecret = \"key\"\n{credential}")) {
            Credential::Static(held) => (held.header, held.scheme),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tokens_are_minted_unless_another_mode_is_named() {
        assert_eq!(resolved(""), Credential::Mint(Minted::default()));
        assert_eq!(resolved("mode = \"mint\""), Credential::Mint(Minted::default()));
        assert_eq!(resolved("mode = \"none\""), Credential::None);
    }

    #[test]
    fn only_authorization_has_a_scheme_and_it_may_be_left_out() {
        let bearer = Some("Bearer".to_owned());
        assert_eq!(held(""), ("authorization".to_owned(), bearer.clone()));
        assert_eq!(held("header = \"Authorization\""), ("authorization".to_owned(), bearer));
        assert_eq!(held("scheme = \"\""), ("authorization".to_owned(), None));
        assert_eq!(held("scheme = \"token\"").1.as_deref(), Some("token"));
        assert_eq!(held("header = \"X-Key\""), ("x-key".to_owned(), None));
    }

    #[test]
    fn a_secret_is_never_sent_in_plain_http_beyond_this_machine() {
        let secret = "mode = \"static\"\nsecret = \"key\"";
        let refused = fault("http://tools.example/mcp", secret);
        assert_eq!(refused.position, Some((4, 7)));
        assert!(refused.message.contains("never sent in plain HTTP"));
        assert!(parsed("http://127.0.0.1:3000/mcp", secret).is_ok());
        assert!(parsed("http://tools.example/mcp", "mode = \"mint\"").is_ok());
    }

    #[test]
    fn what_does_not_belong_together_is_refused_at_its_place() {
        for (credential, line, words) in [
            ("mode = \"static\"", 3, "names no secret"),
            ("secret = \"key\"", 7, "only a static credential has this"),
            (
                "mode = \"none\"\nheader = \"x-key\"",
                8,
                "only a static credential has this",
            ),
            (
                "mode = \"static\"\nsecret = \"key\"\nheader = \"Host\"",
                9,
                "cannot be sent in this header",
            ),
            (
                "mode = \"static\"\nsecret = \"key\"\nheader = \"mcp-name\"",
                9,
                "cannot be sent in this header",
            ),
            (
                "mode = \"static\"\nsecret = \"key\"\nscheme = \"a b\"",
                9,
                "a scheme is one word",
            ),
            (
                "mode = \"static\"\nsecret = \"key\"\nheader = \"x-key\"\nscheme = \"Bearer\"",
                10,
                "only `authorization`",
            ),
            ("mode = \"none\"\nlifetime = \"30s\"", 8, "only a minted token has this"),
            (
                "mode = \"none\"\nscopes.read = \"a\"",
                8,
                "only a minted token has this",
            ),
            (
                "mode = \"none\"\nclaims = { drop = [\"txn\"] }",
                8,
                "only a minted token has this",
            ),
            (
                "claims = { drop = [\"aud\"] }",
                7,
                "`aud` cannot be renamed or left out",
            ),
            (
                "claims = { constant = { sub = \"root\" } }",
                7,
                "cannot be called `sub`",
            ),
            ("claims = { remove = [] }", 7, "unknown key `remove`"),
            ("lifetime = \"3m\"", 7, "out of range"),
            ("scopes.read = \"a  b\"", 7, "this is not a scope"),
            ("scopes_default = \"\"", 7, "this is not a scope"),
            ("mode = \"magic\"", 7, "unknown value `magic`"),
            ("token = \"x\"", 7, "unknown key `token`"),
        ] {
            let refused = fault("https://tools.example/mcp", credential);
            assert_eq!(refused.position.unwrap().0, line, "{credential}: {refused}");
            assert!(refused.message.contains(words), "{credential}: {refused}");
        }
    }

    #[test]
    #[cfg(not(feature = "keychain"))]
    fn a_keychain_that_this_build_cannot_use_is_refused_before_anything_needs_it() {
        let refused = fault("https://tools.example/mcp", "[secrets]\nkey = \"keychain\"");
        assert_eq!(refused.position, Some((8, 7)));
        assert!(refused.message.contains("built without the keychain"));
    }

    #[test]
    fn a_secret_that_is_written_in_place_of_its_name_is_refused_and_not_repeated() {
        let written = "sk-live/0123456789+abcdef";
        let refused = fault(
            "https://tools.example/mcp",
            &format!("mode = \"static\"\nsecret = \"{written}\""),
        );
        assert!(refused.to_string().contains("portreeve secret set NAME"));
        assert!(!refused.to_string().contains("0123456789"));
    }
}
