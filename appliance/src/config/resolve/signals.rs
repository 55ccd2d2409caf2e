//! Transmitters of shared signals: whom they may speak about, where their keys and their SETs are.
//!
//! Must never leave a transmitter free to speak about an issuer that the operator did not give to it.

use std::path::PathBuf;

use portreeve_core::signals::{NamedBy, SubjectIssuer};
use toml::Spanned;

use super::super::{Discovery, Issuer, IssuerKeys, Poll, Signals, Signer, raw};
use super::Resolver;
use super::issuers::DAY;
use crate::fetch::Place;

/// The end of the path of every server at the gate.
const SERVER_PATH: &str = "mcp";

impl Resolver<'_> {
    pub(super) fn signals(
        &mut self,
        signals: raw::Named<raw::Signals>,
        public_url: &str,
        issuers: &[Issuer],
    ) -> Vec<Signals> {
        let mut resolved = Vec::new();
        for (name, written) in signals {
            self.name(&name);
            self.text(&written.issuer);
            if let Some(audience) = &written.audience {
                self.text(audience);
            }
            if written.poll.is_none() && !written.push {
                let hint = "add poll = \"https://…\", or push = true";
                self.refuse(&name, "nothing ever comes from this transmitter", hint);
            }
            if written.push && name.get_ref() == SERVER_PATH {
                let message = "a server named `signals` would have the path of this transmitter";
                self.refuse(&name, message, "choose another name");
            }
            let push_token_file = self.push(&name, &written);
            let name = name.into_inner();
            resolved.push(Signals {
                signer: Signer {
                    name: Signals::signer_name(&name),
                    issuer: written.issuer.get_ref().clone(),
                    keys: self.signal_keys(&written),
                    ca_file: written.ca_file.as_ref().map(|file| self.path(file.get_ref())),
                    max_stale: DAY,
                    require_at_start: false,
                },
                subjects: self.subjects(&written.issuers, issuers),
                poll: self.poll(&written),
                algorithms: written
                    .algorithms
                    .map_or_else(|| crate::config::Profile::default().algorithms(), Spanned::into_inner),
                audience: written
                    .audience
                    .map_or_else(|| public_url.to_owned(), Spanned::into_inner),
                push_token_file,
                name,
            });
        }
        resolved
    }

    fn subjects(&mut self, written: &Spanned<Vec<Spanned<String>>>, issuers: &[Issuer]) -> Vec<SubjectIssuer> {
        let of_users = issuers.iter().filter(|issuer| issuer.users);
        let names: Vec<String> = of_users.map(|issuer| issuer.name.clone()).collect();
        if written.get_ref().is_empty() {
            self.refuse(
                written,
                "this list is empty",
                "name the issuers whose users it speaks about",
            );
        }
        let mut subjects = Vec::new();
        for name in written.get_ref() {
            self.known(name, &names, "issuer of users");
            let Some(issuer) = issuers.iter().find(|issuer| issuer.name == *name.get_ref()) else {
                continue;
            };
            let named_by = match issuer.claims.user.as_str() {
                "sub" => NamedBy::Sub,
                "email" => NamedBy::Email,
                claim => {
                    let message = format!("users of this issuer are named by `{claim}`, which no signal says");
                    self.refuse(
                        name,
                        &message,
                        "claims.user can be sub or email where signals are heard",
                    );
                    continue;
                }
            };
            subjects.push(SubjectIssuer {
                issuer: issuer.issuer.clone(),
                named_by,
            });
        }
        subjects
    }

    fn signal_keys(&mut self, written: &raw::Signals) -> IssuerKeys {
        if let Some(file) = &written.jwks_file {
            if let Some(uri) = &written.jwks_uri {
                self.refuse(uri, "with jwks_file no keys are fetched", "drop this key or jwks_file");
            }
            return IssuerKeys::File(self.path(file.get_ref()));
        }
        let place = match &written.jwks_uri {
            Some(uri) => self.place(uri).map(IssuerKeys::At),
            None => self
                .place(&written.issuer)
                .map(|place| IssuerKeys::Discovered(place, Discovery::Signals)),
        };
        place.unwrap_or(IssuerKeys::File(PathBuf::new()))
    }

    fn poll(&mut self, written: &raw::Signals) -> Option<Poll> {
        if let (None, Some(token)) = (&written.poll, &written.token_file) {
            self.refuse(
                token,
                "without poll nobody is shown this token",
                "add poll, or drop this key",
            );
        }
        Some(Poll {
            place: self.place(written.poll.as_ref()?)?,
            token_file: written.token_file.as_ref().map(|file| self.path(file.get_ref())),
        })
    }

    fn push(&mut self, name: &Spanned<String>, written: &raw::Signals) -> Option<PathBuf> {
        match (&written.push_token_file, written.push) {
            (Some(file), true) => Some(self.path(file.get_ref())),
            (Some(file), false) => {
                self.refuse(
                    file,
                    "without push nobody shows this token",
                    "add push = true, or drop this key",
                );
                None
            }
            (None, true) => {
                let hint = "add push_token_file, with the bearer token that it shows";
                self.refuse(name, "anybody could push signals to the gate", hint);
                None
            }
            (None, false) => None,
        }
    }

    fn place(&mut self, written: &Spanned<String>) -> Option<Place> {
        let place = Place::parse(written.get_ref());
        let fault = |fault: &&str| format!("nothing can be fetched from here: this {fault}");
        let refused = place.as_ref().err().map(fault);
        if let Some(message) = refused {
            self.refuse(written, &message, "https://…, http only on this machine");
        }
        place.ok()
    }
}
