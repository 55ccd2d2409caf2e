//! Puts tokens together from text, exactly as asked, however wrong.

use serde_json::Value;
use serde_json::json;

use crate::Case;
use crate::Corpus;
use crate::Expect;
use crate::Settings;
use crate::Side;
use crate::keys::Keys;
use crate::keys::Signer;
use crate::keys::encode;

/// In a patch: take the member out.
pub(crate) const ABSENT: &str = "\u{1}absent";

pub(crate) struct Forge<'k> {
    pub(crate) keys: &'k Keys,
    pub(crate) settings: &'k Settings,
    pub(crate) side: Side,
    made: u64,
    cases: Vec<Case>,
}

impl<'k> Forge<'k> {
    pub(crate) const fn new(keys: &'k Keys, settings: &'k Settings, side: Side) -> Self {
        Self {
            keys,
            settings,
            side,
            made: 0,
            cases: Vec::new(),
        }
    }

    pub(crate) fn into_cases(self) -> Vec<Case> {
        self.cases
    }

    pub(crate) const fn now(&self) -> u64 {
        self.settings.now_secs
    }

    /// The header of a valid token.
    pub(crate) fn header(&self) -> Value {
        json!({"alg": "ES256", "kid": "es", "typ": "at+jwt"})
    }

    /// The claims of a valid token, with a `jti` of their own.
    pub(crate) fn claims(&mut self) -> Value {
        self.made += 1;
        let Settings {
            issuer,
            audience,
            now_secs,
            decoy: _,
        } = self.settings;
        let mut claims = json!({
            "iss": issuer, "aud": audience, "iat": now_secs - 10, "exp": now_secs + 600,
            "jti": format!("{:?}-{}", self.side, self.made),
        });
        patch(
            &mut claims,
            match self.side {
                Side::Agent => json!({"sub": Corpus::AGENT, "client_id": Corpus::AGENT}),
                Side::User => json!({"sub": Corpus::USER, "azp": Corpus::AGENT, "groups": ["clerks"]}),
            },
        );
        claims
    }

    /// A header value with `token` in it, for this side.
    pub(crate) fn value(&self, token: &[u8]) -> Vec<u8> {
        match self.side {
            Side::Agent => [b"Bearer ", token].concat(),
            Side::User => token.to_vec(),
        }
    }

    /// A token of this header and these claims, signed as the header of a valid token says.
    pub(crate) fn seal(&self, header: &Value, claims: &Value) -> String {
        self.seal_text(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// A token of any two texts, signed as the header of a valid token says.
    pub(crate) fn seal_text(&self, header: &[u8], claims: &[u8]) -> String {
        self.seal_with(header, claims, Signer::Ecdsa(&self.keys.es256))
    }

    pub(crate) fn seal_with(&self, header: &[u8], claims: &[u8], signer: Signer<'_>) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(&self.keys.sign(signer, signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// Adds a case of a token.
    pub(crate) fn add(&mut self, group: &'static str, name: &str, token: impl AsRef<[u8]>, expect: Expect) {
        let value = self.value(token.as_ref());
        self.add_value(group, name, value, expect);
    }

    /// Adds a case of a whole header value.
    pub(crate) fn add_value(&mut self, group: &'static str, name: &str, value: Vec<u8>, expect: Expect) {
        self.cases.push(Case {
            name: name.to_owned(),
            group,
            token: value,
            expect,
        });
    }

    /// Adds a well-signed case whose header is that of a valid token but for `change`.
    pub(crate) fn with_header(&mut self, group: &'static str, name: &str, change: Value, expect: Expect) {
        let signer = Signer::Ecdsa(&self.keys.es256);
        self.signed(group, name, (change, json!({})), signer, expect);
    }

    /// Adds a well-signed case whose claims are those of a valid token but for `change`.
    pub(crate) fn with_claims(&mut self, group: &'static str, name: &str, change: Value, expect: Expect) {
        let signer = Signer::Ecdsa(&self.keys.es256);
        self.signed(group, name, (json!({}), change), signer, expect);
    }

    /// Adds a case signed by `signer`, with `changes` to the header and to the claims of a valid token.
    #[expect(
        clippy::too_many_arguments,
        reason = "a case is a flat list of what is special about it"
    )]
    pub(crate) fn signed(
        &mut self,
        group: &'static str,
        name: &str,
        changes: (Value, Value),
        signer: Signer<'_>,
        expect: Expect,
    ) {
        let (mut header, mut claims) = (self.header(), self.claims());
        patch(&mut header, changes.0);
        patch(&mut claims, changes.1);
        let token = self.seal_with(header.to_string().as_bytes(), claims.to_string().as_bytes(), signer);
        self.add(group, name, token, expect);
    }

    /// Adds a well-signed case whose claims are the text of `claims` with `more` before the final brace.
    #[expect(
        clippy::too_many_arguments,
        reason = "a case is a flat list of what is special about it"
    )]
    pub(crate) fn seal_claims_text(
        &mut self,
        group: &'static str,
        name: &str,
        claims: &Value,
        more: &str,
        expect: Expect,
    ) {
        let claims = claims.to_string();
        let claims = format!("{},{more}}}", &claims[..claims.len() - 1]);
        let token = self.seal_text(self.header().to_string().as_bytes(), claims.as_bytes());
        self.add(group, name, token, expect);
    }

    /// A valid token.
    pub(crate) fn valid_token(&mut self) -> String {
        let header = self.header();
        self.valid_claims_under(&header)
    }

    /// A well-signed token of valid claims under `header`.
    pub(crate) fn valid_claims_under(&mut self, header: &Value) -> String {
        let claims = self.claims();
        self.seal(header, &claims)
    }
}

/// Sets every member of `change` in `base`, or takes it out where the value is [`ABSENT`].
pub(crate) fn patch(base: &mut Value, change: Value) {
    let (Value::Object(base), Value::Object(change)) = (base, change) else {
        return;
    };
    for (name, value) in change {
        if value == ABSENT {
            base.remove(&name);
        } else {
            base.insert(name, value);
        }
    }
}
