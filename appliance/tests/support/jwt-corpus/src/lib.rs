//! JWT attacks as data: tokens that a gate must refuse, and a few that it must accept, signed with keys of this run.
//!
//! Owns the generator for tests of `portreeve-core` and of the running gate. Must never share code with what it tests:
//! every token is put together here from text, so that a mistake in the gate cannot hide in a common helper.
//!
//! The cases assume one issuer profile: both roles, `typ` `at+jwt`, all five algorithms, one audience, 30 s leeway, the
//! default lifetimes (one hour for agents, 24 hours for users) and the default claim names. The agent
//! [`Corpus::AGENT`] is registered for that issuer; it is also a client of that name.

mod cases;
mod forge;
mod keys;

use serde_json::Value;

use crate::forge::Forge;
use crate::keys::Keys;

/// Which of the two headers a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `Authorization`
    Agent,
    /// `X-AI-User-Assertion`
    User,
}

/// What the gate has to do with a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Identify the caller.
    Accept,
    /// Refuse.
    Reject,
    /// Whichever: the specifications allow both.
    Either,
}

/// One header value.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is special about it.
    pub name: String,
    /// The class of attack.
    pub group: &'static str,
    /// The exact bytes of the header value, with the scheme on the agent's side.
    pub token: Vec<u8>,
    /// What has to happen when it comes with [`Corpus::partner`] in the other header.
    pub expect: Expect,
}

impl Case {
    /// Whether the bytes can be an HTTP field value at all (RFC 9110 5.5). If not, the codec has to refuse them.
    #[must_use]
    pub fn is_field_value(&self) -> bool {
        self.token
            .iter()
            .all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
    }
}

/// The issuer that the cases are made for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The exact `iss`.
    pub issuer: String,
    /// The `aud` that means the gate.
    pub audience: String,
    /// Host and port that the URLs in forged tokens lead to. A test can listen there for a gate that follows them.
    pub decoy: String,
    /// The time for which tokens are made, in seconds since 1970.
    pub now_secs: u64,
}

/// The keys of a run, the cases made with them, and the key set to serve.
pub struct Corpus {
    settings: Settings,
    keys: Keys,
    jwks: String,
}

impl Corpus {
    /// The registered agent: its subject, and its `client_id`.
    pub const AGENT: &str = "corpus-agent";
    /// The user that valid assertions name.
    pub const USER: &str = "corpus-user";
    /// In [`Corpus::token`]: take the claim out.
    pub const ABSENT: &str = forge::ABSENT;
    /// How many keys of the key set have to be dropped when it is loaded.
    pub const UNUSABLE_KEYS: usize = keys::UNUSABLE;

    /// Makes the keys of a run.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness.
    #[must_use]
    pub fn generate(settings: Settings) -> Self {
        let keys = Keys::generate();
        let jwks = keys.jwks();
        Self { settings, keys, jwks }
    }

    /// The key set of the issuer, good and bad keys mixed (RFC 7517 5).
    #[must_use]
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// Every case of one side.
    #[must_use]
    pub fn cases(&self, side: Side) -> Vec<Case> {
        let mut forge = Forge::new(&self.keys, &self.settings, side);
        cases::all(&mut forge);
        forge.into_cases()
    }

    /// A valid header value for `side`, linked to the valid one of the other side.
    #[must_use]
    pub fn valid(&self, side: Side) -> Vec<u8> {
        let mut forge = Forge::new(&self.keys, &self.settings, side);
        let token = forge.valid_token();
        forge.value(token.as_bytes())
    }

    /// A header value for `side` whose claims are the valid ones but for `claims`; [`Corpus::ABSENT`] as a value
    /// takes a claim out.
    #[must_use]
    pub fn token(&self, side: Side, claims: Value) -> Vec<u8> {
        let mut forge = Forge::new(&self.keys, &self.settings, side);
        let mut valid = forge.claims();
        forge::patch(&mut valid, claims);
        let token = forge.seal(&forge.header(), &valid);
        forge.value(token.as_bytes())
    }

    /// The valid header value that a case of `side` has to come with, for the other header.
    #[must_use]
    pub fn partner(&self, side: Side) -> Vec<u8> {
        self.valid(match side {
            Side::Agent => Side::User,
            Side::User => Side::Agent,
        })
    }
}
