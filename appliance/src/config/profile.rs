//! What the tokens of well-known identity providers look like where they differ from RFC 9068. Pure.
//!
//! A profile only sets defaults; keys that the operator writes come first. Where a provider's access tokens do not say
//! by `typ` what they are, its profile names the claim by which they are told from its ID tokens.

use portreeve_core::identity::{ClaimNames, ClientSign, Dialect, Marked};
use serde::Deserialize;

use super::Algorithm;

/// An identity provider's way of writing tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// RFC 9068, to the letter.
    #[default]
    Rfc9068,
    /// Okta, custom authorization servers: no `typ`; `cid`, `uid`, `scp` as an array.
    Okta,
    /// Auth0, both of its access token profiles.
    Auth0,
    /// Microsoft Entra ID, version 2 tokens: `typ` is `JWT`; `oid`, `azp`, `scp`.
    Entra,
    /// Keycloak: `typ` is `JWT` in the header, and in the claims it is what the token is for.
    Keycloak,
    /// SPIFFE JWT-SVIDs; the issuer is the trust domain, `spiffe://DOMAIN`.
    Spiffe,
}

const STANDARD: [Algorithm; 3] = [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256];
/// SPEC: JWT-SVID 2.1: no EdDSA.
const SVID: [Algorithm; 4] = [Algorithm::ES256, Algorithm::RS256, Algorithm::ES384, Algorithm::PS256];

impl Profile {
    /// The header types that are read.
    #[must_use]
    pub fn types(self) -> Vec<String> {
        match self {
            Self::Spiffe => texts(&["JWT", "JOSE"]),
            _ => texts(&["at+jwt"]),
        }
    }

    /// The signature algorithms that are read.
    #[must_use]
    pub fn algorithms(self) -> Vec<Algorithm> {
        match self {
            Self::Spiffe => SVID.to_vec(),
            _ => STANDARD.to_vec(),
        }
    }

    /// What of a token is not as in RFC 9068.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        let marked = match self {
            Self::Rfc9068 => Vec::new(),
            Self::Okta => vec![mark(None, &["cid"], &[])],
            Self::Auth0 => vec![mark(Some("JWT"), &["azp"], &[])],
            Self::Entra => vec![mark(Some("JWT"), &["azp", "appid"], &[])],
            Self::Keycloak => vec![mark(Some("JWT"), &["typ"], &["Bearer", "DPoP"])],
            Self::Spiffe => vec![mark(None, &["sub"], &[])],
        };
        let client_signs = match self {
            Self::Rfc9068 | Self::Spiffe => Vec::new(),
            Self::Okta => vec![ClientSign::Lacks("uid".to_owned())],
            Self::Auth0 => vec![ClientSign::SubjectEnds("@clients".to_owned())],
            // Only what somebody consented to has scopes; what an application is given are roles.
            Self::Entra => vec![ClientSign::Lacks("scp".to_owned())],
            Self::Keycloak => vec![
                ClientSign::Has("clientHost".to_owned()),
                ClientSign::Has("clientAddress".to_owned()),
            ],
        };
        Dialect {
            marked,
            svid: self == Self::Spiffe,
            client_signs,
        }
    }

    /// Which claim means what.
    #[must_use]
    pub fn claims(self) -> ClaimNames {
        let standard = ClaimNames::default();
        match self {
            Self::Rfc9068 | Self::Spiffe => standard,
            Self::Okta => ClaimNames {
                user: "uid".to_owned(),
                agent: "cid".to_owned(),
                client: texts(&["cid"]),
                scope: "scp".to_owned(),
                scope_is_array: true,
                ..standard
            },
            // The one profile has `azp`, the other `client_id`; in both, `sub` of a client's own token ends in @clients.
            Self::Auth0 => standard,
            Self::Entra => ClaimNames {
                user: "oid".to_owned(),
                agent: "azp".to_owned(),
                client: texts(&["azp", "appid"]),
                scope: "scp".to_owned(),
                ..standard
            },
            Self::Keycloak => ClaimNames {
                agent: "azp".to_owned(),
                ..standard
            },
        }
    }
}

fn mark(typ: Option<&str>, claims: &[&str], values: &[&str]) -> Marked {
    Marked {
        typ: typ.map(str::to_owned),
        claims: texts(claims),
        values: texts(values),
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
