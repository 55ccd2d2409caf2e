//! What the operator asks of a caller beyond being permitted: scopes, and how and when the user authenticated.
//!
//! Asked after the policies, of those whom they permit. Must never make anything possible that they deny.

use core::time::Duration;

use super::Requirement;
use super::Unmet;
use crate::identity::AuthFacts;
use crate::time::UnixTime;

/// Demands on one tool, or what is demanded where a tool says nothing; also what a caller is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// Every one of these scopes, of the agent's token.
    pub scopes: Vec<String>,
    /// Any one of these authentication classes, of the user's assertion; none demands nothing.
    pub acr: Vec<String>,
    /// The greatest age of the user's authentication. Whole seconds count.
    pub max_age: Option<Duration>,
}

impl Demands {
    /// What these tokens lack, as the whole that must be there; `None` if they have it all. An issuer that does not say
    /// when or how the user authenticated does not meet a demand on it.
    #[must_use]
    pub fn lacking(&self, auth: &AuthFacts, now: UnixTime) -> Option<Self> {
        let scopes = self.scopes.iter().all(|scope| auth.scopes.contains(scope));
        let strong = self.acr.is_empty() || auth.acr.as_ref().is_some_and(|acr| self.acr.contains(acr));
        let recent = |max_age| auth.auth_time.is_some_and(|at| now.since(at) <= max_age);
        let user = strong && self.max_age.is_none_or(recent);
        if scopes && user {
            return None;
        }
        let mut lacking = self.clone();
        if scopes {
            lacking.scopes.clear();
        }
        if user {
            lacking.acr.clear();
            lacking.max_age = None;
        }
        Some(lacking)
    }

    /// What would make the forbids stop applying that alone stand against a permit.
    #[must_use]
    pub fn of_policies(unmet: &[Unmet]) -> Self {
        let mut demands = Self::default();
        for Unmet { requirement, .. } in unmet {
            let Requirement::StepUp { acr, max_age } = requirement;
            if let Some(acr) = acr
                .as_deref()
                .filter(|acr| demands.acr.iter().all(|known| known != acr))
            {
                demands.acr.push(acr.to_owned());
            }
            demands.max_age = match (demands.max_age, *max_age) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        demands
    }
}

/// Whether `text` can stand in a space-delimited list in quotes.
///
/// SPEC: RFC 6749 3.3 (`scope-token`).
#[must_use]
pub fn is_list_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn demands(scopes: &[&str], acr: &[&str], max_age: Option<u64>) -> Demands {
        Demands {
            scopes: texts(scopes),
            acr: texts(acr),
            max_age: max_age.map(Duration::from_secs),
        }
    }

    fn auth(scopes: &[&str], acr: Option<&str>, age: Option<u64>) -> AuthFacts {
        AuthFacts {
            scopes: texts(scopes),
            acr: acr.map(str::to_owned),
            auth_time: age.map(|age| NOW.saturating_sub(Duration::from_secs(age))),
            ..AuthFacts::default()
        }
    }

    #[test]
    fn nothing_demanded_is_always_met() {
        assert_eq!(Demands::default().lacking(&auth(&[], None, None), NOW), None);
    }

    #[test]
    fn each_demand_is_asked_for_as_a_whole_and_alone() {
        let all = demands(&["a", "b"], &["x", "y"], Some(300));
        let (scopes, user) = (demands(&["a", "b"], &[], None), demands(&[], &["x", "y"], Some(300)));
        for (facts, expected) in [
            (auth(&["b", "c", "a"], Some("y"), Some(300)), None),
            (auth(&["a"], Some("x"), Some(0)), Some(&scopes)),
            (auth(&["a", "B"], Some("x"), Some(0)), Some(&scopes)),
            (auth(&["a", "b"], Some("z"), Some(0)), Some(&user)),
            (auth(&["a", "b"], None, Some(0)), Some(&user)),
            (auth(&["a", "b"], Some("x"), Some(301)), Some(&user)),
            (auth(&["a", "b"], Some("x"), None), Some(&user)),
            (auth(&[], None, None), Some(&all)),
        ] {
            assert_eq!(all.lacking(&facts, NOW).as_ref(), expected, "{facts:?}");
        }
    }

    #[test]
    fn words_of_a_list_cannot_end_it() {
        for good in ["a", "mcp:tool:read", "urn:mfa#2", "!~"] {
            assert!(is_list_word(good), "{good}");
        }
        for bad in ["", "a b", "a\"b", "a\\b", "a\r\nb", "é", "\u{7f}"] {
            assert!(!is_list_word(bad), "{bad}");
        }
    }
}
