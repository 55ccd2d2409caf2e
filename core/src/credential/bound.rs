//! The one way from a permit to a credential: by the mode of the server that the permit is for.
//!
//! Must never give one server what is another's: what is spent is looked up under the permit's own server. A further mode
//! is a variant of [`Means`] and an arm of [`Credentials::spend`].
//!
//! SPEC: RFC 6750 2.1 (`Authorization: Bearer`).

use core::fmt;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::cache::MintCache;
use super::documents;
use super::fetching::{Fetching, Found, Wanted};
use super::held::StaticCredential;
use super::key::SigningKey;
use super::minter::{CredentialError, Minting, Occasion, Token};
use crate::identity::Principal;
use crate::policy::Permit;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// With a token of the gate's, for one server and one scope, that names the user and the agent.
    Mint,
    /// With a secret that the operator gave the gate: the server sees neither user nor agent.
    Static,
    /// With a token that an authorization server exchanged the caller's for (RFC 8693).
    Exchange,
    /// With a token that the server's own authorization server gave for an assertion of the caller's (ID-JAG).
    IdJag,
    /// With a token of the gate's own: the server sees neither user nor agent.
    ClientCredentials,
    /// With nothing.
    None,
}

impl Mode {
    /// The word in policies and in the audit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mint => "mint",
            Self::Static => "static",
            Self::Exchange => "exchange",
            Self::IdJag => "id_jag",
            Self::ClientCredentials => "client_credentials",
            Self::None => "none",
        }
    }
}

/// What one server is shown.
#[derive(Debug)]
pub enum Means {
    /// Tokens like this.
    Mint(Box<Minting>),
    /// This secret.
    Static(Arc<StaticCredential>),
    /// Tokens of an authorization server.
    Fetched(Box<Fetching>),
    /// Nothing.
    None,
}

impl Means {
    const fn mode(&self) -> Mode {
        match self {
            Self::Mint(_) => Mode::Mint,
            Self::Static(_) => Mode::Static,
            Self::Fetched(fetching) => fetching.mode,
            Self::None => Mode::None,
        }
    }

    fn public_keys(&self) -> Option<[&SigningKey; 2]> {
        match self {
            Self::Mint(minting) => Some(minting.public_keys()),
            Self::Fetched(fetching) => Some(fetching.public_keys()),
            Self::Static(_) | Self::None => None,
        }
    }
}

/// What the gate shows the servers behind it, and its name as an issuer.
#[derive(Debug)]
pub struct Credentials {
    issuer: String,
    servers: BTreeMap<String, Means>,
}

impl Credentials {
    /// The means for servers by their name, published under the name `issuer`.
    #[must_use]
    pub const fn new(issuer: String, servers: BTreeMap<String, Means>) -> Self {
        Self { issuer, servers }
    }

    /// How `server` is spoken to.
    #[must_use]
    pub fn mode(&self, server: &str) -> Option<Mode> {
        self.servers.get(server).map(Means::mode)
    }

    /// Spends `permit` on a credential for its server, or on the wish for one.
    ///
    /// # Errors
    /// [`CredentialError`]; the permit is spent all the same.
    pub fn spend(
        &self,
        permit: Permit,
        principal: &Principal,
        cache: &mut MintCache,
        occasion: &Occasion<'_>,
    ) -> Result<Spent, CredentialError> {
        let means = self.servers.get(permit.server());
        let shown = match means.ok_or(CredentialError::UnknownServer)? {
            Means::Mint(minting) => Shown::Token(minting.token(&permit, principal, cache, occasion)?, Mode::Mint),
            Means::Static(credential) => Shown::Static(Arc::clone(credential)),
            Means::Fetched(fetching) => match fetching.find(&permit, principal, cache, occasion) {
                Found::Token(token) => Shown::Token(token, fetching.mode),
                Found::Wanted(key, scope) => {
                    let until = fetching.until(principal);
                    return Ok(Spent::Wanted(Wanted::new(permit, fetching.mode, key, scope, until)));
                }
            },
            Means::None => Shown::Nothing,
        };
        Ok(Spent::Ready(BoundCredential { shown, permit }))
    }

    /// The public keys of all servers, as a JWK set.
    #[must_use]
    pub fn jwks_document(&self) -> Vec<u8> {
        documents::jwks(self.servers.values().filter_map(Means::public_keys).flatten())
    }

    /// The public keys of one server, as a JWK set: who verifies by it takes no token that another server's key signed.
    #[must_use]
    pub fn jwks_document_of(&self, server: &str) -> Option<Vec<u8>> {
        let keys = self.servers.get(server)?.public_keys()?;
        Some(documents::jwks(keys))
    }

    /// The key of that `kid`, and the server whose it is.
    pub(super) fn key(&self, kid: &str) -> Option<(&str, &SigningKey)> {
        self.servers.iter().find_map(|(server, means)| {
            let key = means.public_keys()?.into_iter().find(|key| key.id() == kid)?;
            Some((server.as_str(), key))
        })
    }

    /// The metadata of this issuer (RFC 8414).
    #[must_use]
    pub fn authorization_server_document(&self) -> Vec<u8> {
        documents::authorization_server(&self.issuer)
    }
}

/// What a permit was spent on.
#[derive(Debug)]
#[must_use = "a permit was spent on this"]
pub enum Spent {
    /// A credential.
    Ready(BoundCredential),
    /// A token that has to be obtained first.
    Wanted(Wanted),
}

/// A credential for one server, together with the permit that was spent on it.
///
/// INVARIANT: not cloneable, and built only by [`Credentials::spend`] and [`Wanted::redeem`], which consume the permit.
#[must_use = "a permit was spent on this"]
pub struct BoundCredential {
    shown: Shown,
    permit: Permit,
}

enum Shown {
    Token(Rc<Token>, Mode),
    Static(Arc<StaticCredential>),
    Nothing,
}

impl fmt::Debug for BoundCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundCredential")
            .field("mode", &self.mode())
            .field("token_id", &self.token_id())
            .finish_non_exhaustive()
    }
}

impl BoundCredential {
    pub(super) const fn of_token(token: Rc<Token>, mode: Mode, permit: Permit) -> Self {
        Self {
            shown: Shown::Token(token, mode),
            permit,
        }
    }

    /// Name and value of the header for the server, if it is shown anything.
    #[must_use]
    pub fn header(&self) -> Option<(&str, &[u8])> {
        match &self.shown {
            Shown::Token(token, _) => Some(("authorization", &token.header_value)),
            Shown::Static(credential) => Some((credential.header(), credential.value())),
            Shown::Nothing => None,
        }
    }

    /// How the server is spoken to.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match &self.shown {
            Shown::Token(_, mode) => *mode,
            Shown::Static(_) => Mode::Static,
            Shown::Nothing => Mode::None,
        }
    }

    /// The `jti` of a token, if it is known, for the audit.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.token().map(|token| token.id.as_str()).filter(|id| !id.is_empty())
    }

    /// The scope of a token.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.token().map(|token| token.scope.as_str())
    }

    /// The permit that was spent.
    #[must_use]
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Whether `text` holds the secret that this server is shown. Tokens are not looked for: they end within
    /// [`crate::limits::MINT_LIFETIME_MAX`].
    #[must_use]
    pub fn is_shown_in(&self, text: &[u8]) -> bool {
        matches!(&self.shown, Shown::Static(credential) if credential.is_in(text))
    }

    fn token(&self) -> Option<&Token> {
        match &self.shown {
            Shown::Token(token, _) => Some(token),
            Shown::Static(_) | Shown::Nothing => None,
        }
    }
}
