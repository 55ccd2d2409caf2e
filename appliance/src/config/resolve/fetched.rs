//! What tokens of authorization servers need to be had, and what does not belong together.

use std::time::Duration;

use portreeve_core::credential::Mode;
use portreeve_core::limits::GRANT_LIFETIME_MAX;
use toml::Spanned;

use super::{Resolver, at_most};
use crate::config::credential::{Actor, Client, Fetched, Party};
use crate::config::raw;
use crate::fetch::Place;

impl Resolver<'_> {
    /// `None` is never used: there is a fault then.
    pub(super) fn fetched(
        &mut self,
        server: &Spanned<String>,
        mode: Mode,
        written: raw::credential::Credential,
    ) -> Option<Fetched> {
        self.refuse_what_the_mode_has_not(mode, &written);
        let lifetime = written.lifetime.as_ref().map_or(GRANT_LIFETIME_MAX, |span| {
            at_most(span, GRANT_LIFETIME_MAX, self.source, &mut self.faults)
        });
        for scope in written.scopes.values().chain(&written.scopes_default) {
            // The empty one asks for whatever the client has.
            if !scope.get_ref().is_empty() {
                self.scope(scope);
            }
        }
        let Some(at) = written.at else {
            self.refuse(
                server,
                "nobody is named who issues tokens for this server",
                "add at = { issuer = \"https://…\", client_id = \"…\" }",
            );
            return None;
        };
        if mode == Mode::IdJag && written.idp.is_none() {
            self.refuse(
                server,
                "nobody is named who vouches for the user at this server's authorization server",
                "add idp = { issuer = \"https://…\", client_id = \"…\" }",
            );
        }
        let text = |written: Option<Spanned<String>>| written.map(Spanned::into_inner);
        let (resource, audience) = (text(written.resource), text(written.audience));
        Some(Fetched {
            mode,
            at: self.party(at),
            idp: written.idp.map(|idp| self.party(idp)),
            actor: written.actor.map(Spanned::into_inner).unwrap_or_default(),
            subject_type: written.subject_token_type.map(Spanned::into_inner).unwrap_or_default(),
            resource,
            audience,
            lifetime: lifetime.max(Duration::from_secs(1)),
            scopes: written
                .scopes
                .into_iter()
                .map(|(tool, scope)| (tool.into_inner(), scope.into_inner()))
                .collect(),
            scopes_default: written.scopes_default.map(Spanned::into_inner),
        })
    }

    fn refuse_what_the_mode_has_not(&mut self, mode: Mode, written: &raw::credential::Credential) {
        if mode != Mode::IdJag
            && let Some(idp) = &written.idp
        {
            self.refuse(idp, "only id_jag has this", "say mode = \"id_jag\", or leave it out");
        }
        if let Some(claims) = &written.claims {
            let message = "only a minted token has this";
            self.refuse(claims, message, "its issuer decides what a token says; leave it out");
        }
        if mode == Mode::ClientCredentials {
            let strays = [
                written.actor.as_ref().map(Spanned::span),
                written.subject_token_type.as_ref().map(Spanned::span),
            ];
            for span in strays.into_iter().flatten() {
                let message = "a token of the gate's own has neither user nor actor";
                self.refuse(
                    &Spanned::new(span, ()),
                    message,
                    "leave it out, or say mode = \"exchange\"",
                );
            }
        }
        if let Some(actor) = &written.actor
            && mode == Mode::IdJag
            && *actor.get_ref() == Actor::Gateway
        {
            self.refuse(actor, "id_jag has no gateway as actor", "write \"agent\" or \"none\"");
        }
    }

    /// Refuses what only tokens of authorization servers have.
    pub(super) fn refuse_fetched(&mut self, written: &raw::credential::Credential) {
        let strays = [
            written.at.as_ref().map(Spanned::span),
            written.idp.as_ref().map(Spanned::span),
            written.actor.as_ref().map(Spanned::span),
            written.subject_token_type.as_ref().map(Spanned::span),
            written.resource.as_ref().map(Spanned::span),
            written.audience.as_ref().map(Spanned::span),
        ];
        for span in strays.into_iter().flatten() {
            let hint = "say mode = \"exchange\", \"id_jag\" or \"client_credentials\", or leave it out";
            self.refuse(
                &Spanned::new(span, ()),
                "only a token of an authorization server has this",
                hint,
            );
        }
    }

    pub(super) fn party(&mut self, written: Spanned<raw::credential::Party>) -> Party {
        let whole = Spanned::new(written.span(), ());
        let party = written.into_inner();
        self.text(&party.client_id);
        let endpoint = party.token_endpoint.as_ref().unwrap_or(&party.issuer);
        let place = Place::parse(endpoint.get_ref());
        if let Err(fault) = place {
            let message = format!("nothing can be asked here: this {fault}");
            self.refuse(endpoint, &message, "https://…, http only on this machine");
        }
        let has_secret = matches!(party.client_auth, Client::SecretBasic | Client::SecretPost);
        if has_secret != party.secret.is_some() {
            let hint =
                "secret = \"NAME\" goes with client_auth = \"secret_basic\" or \"secret_post\", and with no other";
            self.refuse(&whole, "this way of saying who the gate is does not fit its keys", hint);
        }
        if let Some(secret) = &party.secret {
            self.secret_name(secret);
        }
        let identity = self.identity(&whole, party.certificate, party.key);
        if party.client_auth == Client::Mtls && identity.is_none() {
            self.refuse(&whole, "mtls needs a certificate", "add certificate and key");
        }
        Party {
            issuer: party.issuer.into_inner(),
            endpoint: party.token_endpoint.and(place.ok()),
            client_id: party.client_id.into_inner(),
            client: party.client_auth,
            secret: party.secret.map(Spanned::into_inner),
            identity,
            ca_file: party.ca_file.map(|file| self.path(&file)),
        }
    }
}
