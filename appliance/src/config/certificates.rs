//! Which certificates the listener asks clients for, and which ones the gate shows: as it is written, and what it means.
//! Pure.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::raw::Named;
use super::resolve::Resolver;
use super::{Gate, HttpUrl, Issuer, Server, Tls, raw};

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Asked {
    /// No.
    #[default]
    Off,
    /// Yes, and they may have none.
    Optional,
    /// Yes, and without one there is no connection.
    Required,
}

/// The certificates that clients are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Whether there is no connection without one.
    pub required: bool,
    /// What makes one good.
    pub vouching: Vouching,
}

/// Who vouches for a client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vouching {
    /// An authority that it leads to.
    Authorities {
        /// PEM certificates of the authorities.
        roots: PathBuf,
        /// PEM lists of what they have revoked.
        revoked: Option<PathBuf>,
    },
    /// Nobody: a token that is bound to it says that it is good, and nothing else counts.
    Nobody,
}

/// An agent that says that its certificate is enough, and the name of its issuer.
pub(super) type Certified = (Spanned<bool>, String);

/// The agents of `agents` that say so.
pub(super) fn certified(agents: &Named<raw::Agent>) -> Vec<Certified> {
    let said = |agent: &raw::Agent| Some((agent.x509.clone()?, agent.issuer.get_ref().clone()));
    let mut all: Vec<Certified> = agents.values().filter_map(said).collect();
    all.retain(|(x509, _)| *x509.get_ref());
    all
}

impl Resolver<'_> {
    /// A certificate that the gate shows, if both its files are named.
    pub(super) fn identity<T>(
        &mut self,
        whole: &Spanned<T>,
        certificate: Option<Spanned<PathBuf>>,
        key: Option<Spanned<PathBuf>>,
    ) -> Option<Tls> {
        match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Tls {
                certificate: self.path(certificate.get_ref()),
                key: self.path(key.get_ref()),
            }),
            (None, None) => None,
            _ => {
                let hint = "write certificate and key, or neither";
                self.refuse(whole, "a certificate needs its key", hint);
                None
            }
        }
    }

    /// The certificate that the gate shows the server at `url`. Each of `others` has its own, or none.
    pub(super) fn identity_for(
        &mut self,
        url: &Spanned<HttpUrl>,
        name: &Spanned<String>,
        (certificate, key): (Option<Spanned<PathBuf>>, Option<Spanned<PathBuf>>),
        others: &[Server],
    ) -> Option<Tls> {
        let identity = self.identity(name, certificate, key)?;
        if !url.get_ref().is_https() {
            let hint = "write https://…, or drop certificate and key";
            self.refuse(url, "a certificate is only shown over TLS", hint);
        }
        let has_same_key = |other: &&Server| other.identity.as_ref().is_some_and(|tls| tls.key == identity.key);
        if let Some(other) = others.iter().find(has_same_key) {
            let message = format!("`{}` is shown a certificate with the same key", other.name);
            let hint = "give each server a key of its own, so that one can be replaced without the other";
            self.refuse(name, &message, hint);
        }
        Some(identity)
    }

    /// What of the listener's table is about certificates of clients.
    pub(super) fn client_certificates(&mut self, tls: &raw::Tls) -> Option<ClientCertificates> {
        let (asked, roots, revoked) = (&tls.client_certificates, &tls.client_ca_file, &tls.client_crl_file);
        let unvouched = tls.client_self_signed.as_ref().filter(|said| *said.get_ref());
        let required = match asked.as_ref().map_or(Asked::Off, |asked| *asked.get_ref()) {
            Asked::Off => {
                let (message, hint) = (
                    "no client is asked for a certificate",
                    "add client_certificates, or drop this key",
                );
                for span in [roots, revoked].into_iter().flatten().map(Spanned::span) {
                    self.refuse(&Spanned::new(span, ()), message, hint);
                }
                if let Some(unvouched) = unvouched {
                    self.refuse(unvouched, message, hint);
                }
                return None;
            }
            Asked::Optional => false,
            Asked::Required => true,
        };
        let vouching = match (roots, unvouched) {
            (Some(roots), None) => Vouching::Authorities {
                roots: self.path(roots.get_ref()),
                revoked: revoked.as_ref().map(|file| self.path(file.get_ref())),
            },
            (Some(_), Some(unvouched)) => {
                let hint = "drop client_self_signed, or client_ca_file";
                self.refuse(
                    unvouched,
                    "with client_ca_file an authority must vouch for each certificate",
                    hint,
                );
                return None;
            }
            (None, Some(unvouched)) => {
                if revoked.is_some() {
                    let hint =
                        "drop client_crl_file; tokens that are bound to a certificate are revoked by their issuer";
                    self.refuse(unvouched, "nobody lists what is revoked of these", hint);
                }
                Vouching::Nobody
            }
            (None, None) => {
                if let Some(asked) = asked {
                    let hint =
                        "add client_ca_file, or client_self_signed = true if tokens that are bound to one are enough";
                    self.refuse(asked, "nothing says which certificates of clients are good", hint);
                }
                return None;
            }
        };
        Some(ClientCertificates { required, vouching })
    }

    /// A certificate is enough for an agent of a trust domain, where an authority vouches for it.
    pub(super) fn certified(&mut self, agents: &[Certified], issuers: &[Issuer], gate: &Gate) {
        let asked = gate.client_certificates.as_ref();
        let vouched = asked.is_some_and(|asked| asked.vouching != Vouching::Nobody);
        for (x509, issuer) in agents {
            if !issuers.iter().any(|known| known.name == *issuer && known.dialect.svid) {
                let hint = "its issuer needs profile = \"spiffe\"; bind the agent's tokens to its certificate instead";
                self.refuse(x509, "only an X.509-SVID says who an agent is", hint);
            } else if !vouched {
                let hint = "add client_certificates and client_ca_file to [gate.tls]";
                self.refuse(x509, "no authority vouches for certificates of clients here", hint);
            }
        }
    }
}
