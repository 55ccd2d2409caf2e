//! What issuers mean: profiles that say which tokens are read at all. Pure.

use std::path::PathBuf;
use std::time::Duration;

use portreeve_core::identity::{ClaimNames, Dialect};
use toml::Spanned;

use super::{Embedded, Issuer, Resolver, at_most, raw};
use crate::config::api_key::API_KEY_ISSUER;
use crate::config::{EMBEDDED, IssuerKeys, Profile};
use crate::fetch::Place;

const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
const LEEWAY: Duration = Duration::from_secs(30);
const LEEWAY_MAX: Duration = Duration::from_secs(120);

impl Resolver<'_> {
    pub(super) fn issuers(
        &mut self,
        issuers: raw::Named<raw::Issuer>,
        gate: &str,
        audiences: &[String],
    ) -> Vec<Issuer> {
        let mut names = super::names(&issuers);
        names.push(API_KEY_ISSUER.to_owned());
        let mut resolved: Vec<Issuer> = Vec::new();
        for (name, issuer) in issuers {
            self.name(&name);
            if name.get_ref() == EMBEDDED {
                self.refuse(&name, "this name belongs to the embedded issuer", "choose another name");
            }
            if name.get_ref() == API_KEY_ISSUER {
                self.refuse(
                    &name,
                    "this name belongs to agents with API keys",
                    "choose another name",
                );
            }
            self.text(&issuer.issuer);
            let is_domain = issuer
                .issuer
                .get_ref()
                .strip_prefix("spiffe://")
                .is_some_and(is_trust_domain);
            if issuer.profile == Profile::Spiffe && !is_domain {
                let message = "this is not a trust domain";
                self.refuse(
                    &issuer.issuer,
                    message,
                    "spiffe://DOMAIN, in lower case, without a path",
                );
            }
            if is_at(issuer.issuer.get_ref(), gate) {
                let hint = "tokens that the gate makes for servers must never come back in";
                self.refuse(&issuer.issuer, "this issuer is the gate's own", hint);
            }
            if let Some(other) = resolved.iter().find(|other| other.issuer == *issuer.issuer.get_ref()) {
                let message = format!("issuer `{}` has this value already", other.name);
                self.refuse(&issuer.issuer, &message, "one table per issuer");
            }
            for other in &issuer.unlinked_with {
                self.known(other, &names, "issuer");
            }
            let place = issuer
                .introspection
                .as_ref()
                .map(|asked| Spanned::new(asked.span(), ()));
            let issuer = self.issuer(name.into_inner(), issuer, audiences);
            self.told_apart(place, &issuer, &resolved);
            resolved.push(issuer);
        }
        resolved
    }

    fn issuer(&mut self, name: String, issuer: raw::Issuer, audiences: &[String]) -> Issuer {
        let role = |role| issuer.tokens.get_ref().contains(&role);
        let (agents, users) = (role(raw::TokenRole::Agent), role(raw::TokenRole::User));
        if !agents && !users {
            self.refuse(
                &issuer.tokens,
                "this issuer issues nothing",
                "write \"agent\", \"user\" or both",
            );
        }
        // An agent's token is worth more than one user's and is cheaper to renew.
        let default_lifetime = if agents { HOUR } else { DAY };
        let max_lifetime = issuer.max_lifetime.as_ref();
        let leeway = issuer.leeway.as_ref();
        let max_stale = issuer.max_stale.as_ref();
        let keys = self.issuer_keys(&issuer);
        let introspection = self.introspection(&issuer);
        let claims = issuer.claims;
        Issuer {
            name,
            agents,
            users,
            max_lifetime: max_lifetime.map_or(default_lifetime, |span| {
                at_most(span, DAY, self.source, &mut self.faults)
            }),
            leeway: leeway.map_or(LEEWAY, |span| at_most(span, LEEWAY_MAX, self.source, &mut self.faults)),
            audiences: issuer.audience.map_or_else(
                || audiences.to_vec(),
                |written| self.listed(written, raw::OneOrMore::into_vec),
            ),
            // Types that the operator writes are all that is read.
            dialect: match &issuer.typ {
                Some(_) => Dialect {
                    marked: Vec::new(),
                    ..issuer.profile.dialect()
                },
                None => issuer.profile.dialect(),
            },
            types: issuer
                .typ
                .map_or_else(|| issuer.profile.types(), |written| self.listed(written, |types| types)),
            algorithms: issuer.algorithms.map_or_else(
                || issuer.profile.algorithms(),
                |written| {
                    if written.get_ref().is_empty() {
                        self.refuse(&written, "this list is empty", "leave the key out for its default");
                    }
                    written.into_inner()
                },
            ),
            keys,
            ca_file: issuer.ca_file.map(|file| self.path(file.get_ref())),
            max_stale: max_stale.map_or(DAY, |span| at_most(span, DAY, self.source, &mut self.faults)),
            require_at_start: issuer.require_at_start.is_some_and(Spanned::into_inner),
            claims: claim_names(claims, issuer.profile.claims()),
            introspection,
            unlinked_with: issuer.unlinked_with.into_iter().map(Spanned::into_inner).collect(),
            issuer: issuer.issuer.into_inner(),
        }
    }

    /// A file, a place, or what the issuer's metadata says: in this order, and only one.
    fn issuer_keys(&mut self, issuer: &raw::Issuer) -> IssuerKeys {
        if let Some(file) = &issuer.jwks_file {
            let only = "with jwks_file nothing is fetched";
            let others = [
                issuer.jwks_uri.as_ref().map(Spanned::span),
                issuer.discovery.as_ref().map(Spanned::span),
                issuer.ca_file.as_ref().map(Spanned::span),
                issuer.max_stale.as_ref().map(Spanned::span),
                issuer.require_at_start.as_ref().map(Spanned::span),
            ];
            for span in others.into_iter().flatten() {
                self.refuse(&Spanned::new(span, ()), only, "drop this key or jwks_file");
            }
            return IssuerKeys::File(self.path(file.get_ref()));
        }
        if let (Some(_), Some(discovery)) = (&issuer.jwks_uri, &issuer.discovery) {
            self.refuse(
                discovery,
                "with jwks_uri nothing is discovered",
                "drop this key or jwks_uri",
            );
        }
        if issuer.profile == Profile::Spiffe && issuer.jwks_uri.is_none() {
            self.refuse(
                &issuer.issuer,
                "a trust domain has no metadata",
                "add jwks_uri, where its bundle is served, or jwks_file",
            );
            return IssuerKeys::File(PathBuf::new());
        }
        let written = issuer.jwks_uri.as_ref().unwrap_or(&issuer.issuer);
        let discovery = issuer.discovery.as_ref().map(|written| *written.get_ref());
        let place = match Place::parse(written.get_ref()) {
            // SPEC: RFC 8414 2: an issuer has no query.
            Ok(place) if issuer.jwks_uri.is_none() && place.has_query() => Err("has a query"),
            read => read,
        };
        match place {
            Ok(place) if issuer.jwks_uri.is_some() => IssuerKeys::At(place),
            Ok(place) => IssuerKeys::Discovered(place, discovery.unwrap_or_default()),
            Err(fault) => {
                let message = format!("nothing can be fetched from here: this {fault}");
                let hint = "https://…, http only on this machine; or give the key set as jwks_file or jwks_uri";
                self.refuse(written, &message, hint);
                IssuerKeys::File(PathBuf::new())
            }
        }
    }

    /// The texts of a list that must not be empty.
    fn listed<T>(&mut self, written: Spanned<T>, texts: impl Fn(T) -> Vec<String>) -> Vec<String> {
        let span = written.span();
        let texts = texts(written.into_inner());
        let place = Spanned::new(span, ());
        if texts.is_empty() {
            self.refuse(&place, "this list is empty", "leave the key out for its default");
        }
        self.texts(&place, &texts);
        texts
    }

    pub(super) fn embedded(&mut self, embedded: raw::EmbeddedIssuer) -> Embedded {
        let max_lifetime = embedded.max_lifetime.as_ref();
        Embedded {
            max_lifetime: max_lifetime.map_or(DAY, |span| at_most(span, DAY, self.source, &mut self.faults)),
            users: embedded
                .users
                .into_iter()
                .map(|(name, user)| {
                    self.text(&name);
                    self.texts(&name, &user.groups);
                    (name.into_inner(), user.groups)
                })
                .collect(),
        }
    }
}

/// What the operator writes, and the profile's for the rest.
fn claim_names(written: raw::Claims, profile: ClaimNames) -> ClaimNames {
    ClaimNames {
        user: written.user.unwrap_or(profile.user),
        agent: written.agent.unwrap_or(profile.agent),
        groups: written.groups.unwrap_or(profile.groups),
        client: written.client.map_or(profile.client, raw::OneOrMore::into_vec),
        scope: written.scope.unwrap_or(profile.scope),
        scope_is_array: written.scope_is_array.unwrap_or(profile.scope_is_array),
        chain: profile.chain,
    }
}

/// SPEC: SPIFFE-ID 2.1.
fn is_trust_domain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    !name.is_empty() && name.bytes().all(plain)
}

/// Whether `issuer` is `gate` or a path below it.
fn is_at(issuer: &str, gate: &str) -> bool {
    issuer
        .strip_prefix(gate)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
