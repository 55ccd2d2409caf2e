//! Explains how one token is judged, step by step, to the operator who asks.
//!
//! The judgement is that of the pipeline and nobody else's: this only says how far it came, what stood there and what was
//! wanted. Must never repeat a token or a signature; claims are shown cut, escaped and one at a time.

use super::Binding;
use super::Fault;
use super::Issuer;
use super::Side;
use super::Trust;
use super::issuer::find;
use super::token;
use super::token::Verified;
use super::token::Workspace;
use crate::jose::base64url;
use crate::jose::jws::Compact;
use crate::jose::jws::Header;
use crate::json;
use crate::json::Object;
use crate::json::Scratch;
use crate::json::Value;
use crate::time::UnixTime;

/// Characters of one claim that are shown.
const SHOWN_CHARS: usize = 100;
/// Entries of one array that are shown.
const SHOWN_ITEMS: usize = 8;

/// How a token was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// The judgement: what the token proves, in words, or what is wrong with it.
    pub verdict: Result<Vec<(&'static str, String)>, Fault>,
}

/// One step of a judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is looked at.
    pub name: &'static str,
    /// Whether the token passed; `None` if an earlier step has refused it.
    pub passed: Option<bool>,
    /// What stands in the token, if it can be read.
    pub found: String,
    /// What the issuer profile wants, if that can be said in a few words.
    pub wanted: String,
}

/// The steps, in the order in which they refuse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Form,
    Header,
    Payload,
    Issuer,
    Type,
    Algorithm,
    Key,
    Times,
    Audience,
    Signature,
    Claims,
    Registration,
    Possession,
}

const STAGES: [(Stage, &str); 13] = [
    (Stage::Form, "form"),
    (Stage::Header, "header"),
    (Stage::Payload, "payload"),
    (Stage::Issuer, "issuer"),
    (Stage::Type, "type"),
    (Stage::Algorithm, "algorithm"),
    (Stage::Key, "key"),
    (Stage::Times, "times"),
    (Stage::Audience, "audience"),
    (Stage::Signature, "signature"),
    (Stage::Claims, "claims"),
    (Stage::Registration, "registration"),
    (Stage::Possession, "possession"),
];

/// Judges `token` as if it were presented on `side`, by the issuer profile of that name, and says how.
///
/// A token of another issuer is refused at the step `issuer`.
#[must_use]
pub fn examine(token: &[u8], side: Side, profile: &str, trust: &Trust, now: UnixTime) -> Examination {
    let (mut decoded, mut scratch, mut lacking) = (Vec::new(), Scratch::new(), None);
    let mut workspace = Workspace {
        decoded: &mut decoded,
        scratch: &mut scratch,
        lacking: &mut lacking,
    };
    let verdict = match token::verify(token, side, trust, &mut workspace, now) {
        Ok(verified) if verified.profile != profile => Err(Fault::Issuer),
        verdict => verdict,
    };
    let failed = verdict.as_ref().err().map(|&fault| stage_of(fault));
    let issuer = trust.issuers().iter().find(|issuer| issuer.name == profile);
    let contents = Contents::of(token);
    let steps = STAGES
        .iter()
        .map(|&(stage, name)| Step {
            name,
            passed: match failed {
                Some(failed) if stage > failed => None,
                Some(failed) => Some(stage < failed),
                None => Some(true),
            },
            found: contents.found(stage, token.len()),
            wanted: issuer.map(|issuer| wanted(stage, issuer)).unwrap_or_default(),
        })
        .collect();
    Examination {
        steps,
        verdict: verdict.map(|verified| proved(&verified, side, trust)),
    }
}

const fn stage_of(fault: Fault) -> Stage {
    match fault {
        Fault::Header(_) => Stage::Header,
        Fault::ClaimsEncoding => Stage::Payload,
        Fault::Issuer => Stage::Issuer,
        Fault::Type => Stage::Type,
        Fault::Algorithm => Stage::Algorithm,
        Fault::Key | Fault::KeyAlgorithm => Stage::Key,
        Fault::Clock
        | Fault::TimeShape
        | Fault::Expired
        | Fault::ApiKeyExpired
        | Fault::NotYetValid
        | Fault::Lifetime => Stage::Times,
        Fault::Audience => Stage::Audience,
        Fault::Signature => Stage::Signature,
        Fault::Subject
        | Fault::Client
        | Fault::Scope
        | Fault::Groups
        | Fault::GroupsElsewhere
        | Fault::Actor
        | Fault::MayAct
        | Fault::AuthFacts
        | Fault::Confirmation => Stage::Claims,
        Fault::SubjectIsAgent
        | Fault::AgentUnknown
        | Fault::AgentSuspended
        | Fault::AgentExpired
        | Fault::AgentRevoked
        | Fault::UserRevoked
        | Fault::DelegationRevoked
        | Fault::TokenRevoked
        | Fault::SessionRevoked
        | Fault::KeyRevoked
        | Fault::Outdated => Stage::Registration,
        Fault::BoundToken
        | Fault::UnboundToken
        | Fault::AssertionBound
        | Fault::BindingRequired
        | Fault::Proof(_)
        | Fault::Unlinked
        | Fault::MayActOther
        | Fault::AlreadyDelegated => Stage::Possession,
        Fault::Absent
        | Fault::Repeated
        | Fault::Scheme
        | Fault::Form(_)
        | Fault::ApiKeyForm
        | Fault::ApiKeyUnknown
        | Fault::RefusedBefore
        | Fault::Unchecked
        | Fault::Answer
        | Fault::Inactive => Stage::Form,
    }
}

/// What a token says, as far as it can be read; nothing here is believed.
struct Contents {
    header: Option<Header>,
    claims: Vec<(&'static str, String)>,
}

/// The claims that are shown, and at which step.
const SHOWN: [(Stage, &str); 14] = [
    (Stage::Issuer, "iss"),
    (Stage::Times, "iat"),
    (Stage::Times, "nbf"),
    (Stage::Times, "exp"),
    (Stage::Audience, "aud"),
    (Stage::Claims, "sub"),
    (Stage::Claims, "client_id"),
    (Stage::Claims, "azp"),
    (Stage::Claims, "cid"),
    (Stage::Claims, "oid"),
    (Stage::Claims, "uid"),
    (Stage::Claims, "groups"),
    (Stage::Claims, "act"),
    (Stage::Claims, "may_act"),
];

impl Contents {
    fn of(token: &[u8]) -> Self {
        let mut contents = Self {
            header: None,
            claims: Vec::new(),
        };
        let (mut decoded, mut scratch) = (Vec::new(), Scratch::new());
        let Ok(compact) = Compact::split(token) else {
            return contents;
        };
        contents.header = Header::read(&compact, &mut decoded, &mut scratch).ok();
        if base64url::decode_into(compact.payload(), &mut decoded).is_ok()
            && let Ok(document) = json::parse(&decoded, &mut scratch, &json::Limits::TOKEN)
            && let Some(claims) = document.root().as_object()
        {
            contents.read(claims);
        }
        contents
    }

    fn read(&mut self, claims: Object<'_>) {
        for (_, name) in SHOWN {
            if let Some(value) = find(claims, name) {
                self.claims.push((name, shown(value, name)));
            }
        }
    }

    fn found(&self, stage: Stage, length: usize) -> String {
        let header = self.header.as_ref();
        match stage {
            Stage::Form => format!("{length} bytes"),
            Stage::Type => header
                .map(|header| header.typ.as_deref().map_or_else(|| "none".to_owned(), quoted))
                .unwrap_or_default(),
            Stage::Algorithm => header
                .map(|header| {
                    header
                        .algorithm
                        .map_or("not one of ours", |algorithm| algorithm.name())
                        .to_owned()
                })
                .unwrap_or_default(),
            Stage::Key => header
                .map(|header| header.kid.as_deref().map_or_else(|| "no kid".to_owned(), quoted))
                .unwrap_or_default(),
            _ => {
                let claims = SHOWN.iter().filter(|(at, _)| *at == stage);
                let said = claims.filter_map(|(_, name)| self.claims.iter().find(|(claim, _)| claim == name));
                let texts: Vec<String> = said.map(|(name, text)| format!("{name} {text}")).collect();
                texts.join(", ")
            }
        }
    }
}

fn wanted(stage: Stage, issuer: &Issuer) -> String {
    let list = |texts: &[String]| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(" or ");
    match stage {
        Stage::Issuer => quoted(&issuer.issuer),
        Stage::Type => {
            let marked = issuer.dialect.marked.iter().map(|marked| {
                let typ = marked.typ.as_deref().map_or_else(|| "none".to_owned(), quoted);
                format!("{typ} with a claim {}", marked.claims.join(" or "))
            });
            let types = issuer.types.iter().map(|typ| quoted(typ));
            types.chain(marked).collect::<Vec<_>>().join(" or ")
        }
        Stage::Algorithm => {
            let names: Vec<&str> = issuer.algorithms.iter().map(|algorithm| algorithm.name()).collect();
            names.join(" or ")
        }
        Stage::Key => {
            let kids: Vec<String> = issuer.keys.keys().iter().map(|key| quoted(key.kid())).collect();
            if kids.is_empty() {
                "the issuer has no keys here".to_owned()
            } else {
                kids.join(" or ")
            }
        }
        Stage::Audience => list(&issuer.audiences),
        _ => String::new(),
    }
}

fn proved(verified: &Verified, side: Side, trust: &Trust) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if side == Side::Agent {
        let (iss, subject) = verified.agent();
        let name = trust.agent(iss, subject).map(|agent| agent.name.clone());
        facts.push(("agent", name.unwrap_or_default()));
    }
    if side == Side::User || verified.is_delegated() {
        facts.push(("user", quoted(&verified.subject)));
        facts.push(("groups", join(&verified.groups)));
    }
    if let Some(client) = &verified.client {
        facts.push(("client", quoted(client)));
    }
    match verified.bound {
        Some(Binding::Key(_)) => facts.push(("bound", "to a key: each request needs a DPoP proof".to_owned())),
        Some(Binding::Certificate(_)) => {
            facts.push(("bound", "to a certificate: its connection must show it".to_owned()))
        }
        None => {}
    }
    facts.push(("scopes", join(&verified.scopes)));
    facts.push(("until", verified.expires.to_string()));
    facts
}

fn join(texts: &[String]) -> String {
    match texts {
        [] => "none".to_owned(),
        texts => texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "),
    }
}

fn shown(value: Value<'_>, name: &str) -> String {
    if let Some(text) = value.as_str() {
        return quoted(text);
    }
    if let Some(secs) = value.as_u64() {
        return match name {
            "iat" | "nbf" | "exp" => UnixTime::from_secs(secs).to_string(),
            _ => secs.to_string(),
        };
    }
    if let Some(items) = value.as_array() {
        let mut texts: Vec<String> = items.iter().take(SHOWN_ITEMS).map(|item| shown(item, name)).collect();
        if items.len() > SHOWN_ITEMS {
            texts.push(format!("and {} more", items.len() - SHOWN_ITEMS));
        }
        return format!("[{}]", texts.join(", "));
    }
    if let Some(actor) = value.as_object() {
        return actor
            .get("sub")
            .map_or_else(|| "an object without sub".to_owned(), |sub| shown(sub, name));
    }
    "of another type".to_owned()
}

fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
