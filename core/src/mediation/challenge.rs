//! The two answers that send the client back to its authorization server: more scopes, or the user once more.
//!
//! Only for somebody whom the policies permit, or would permit then. Must never say what else would be possible.
//!
//! SPEC: RFC 6750 3 and 3.1 (`insufficient_scope`), RFC 9470 3 (`insufficient_user_authentication`, which may name scopes
//! as well), RFC 9449 7.1 (the scheme), RFC 9728 5.1 (`resource_metadata`).

use super::door;
use super::wire::Reply;
use crate::identity::{Binding, Principal, Scheme};
use crate::jose;
use crate::json::write::ObjectWriter;
use crate::mcp::{OwnedId, code};
use crate::policy::{Demands, is_list_word};
use crate::snapshot::{Server, Snapshot};

/// What a caller lacks, and how it is told.
#[derive(Clone, Debug)]
pub struct Challenge {
    id: Option<OwnedId>,
    reason: &'static str,
    asks: Demands,
    asks_user: bool,
    metadata: String,
    scheme: Scheme,
}

impl Challenge {
    /// Tells this caller of `server` what it lacks, in answer to the request of that id.
    pub(super) fn new(
        id: Option<OwnedId>,
        asks: Demands,
        (principal, server, snapshot): (&Principal, &Server, &Snapshot),
    ) -> Self {
        let asks_user = !asks.acr.is_empty() || asks.max_age.is_some();
        Self {
            id,
            reason: if asks_user { "step_up" } else { "scope" },
            asks,
            asks_user,
            metadata: door::metadata_url(server, snapshot),
            scheme: match principal.bound() {
                Some(Binding::Key(_)) => Scheme::Dpop,
                _ => Scheme::Bearer,
            },
        }
    }

    /// The authorization server asks for the user, and did not say for what.
    pub(super) fn by_authorization_server(self) -> Self {
        Self {
            reason: "credential_step_up",
            asks_user: true,
            ..self
        }
    }

    /// The word in the audit.
    pub(super) const fn reason(&self) -> &'static str {
        self.reason
    }

    pub(super) fn reply(&self) -> Reply {
        let (status, error, code, message) = if self.asks_user {
            let message = "the user must authenticate again, or more strongly";
            (401, "insufficient_user_authentication", code::STEP_UP, message)
        } else {
            (403, "insufficient_scope", code::SCOPE, "the agent's token lacks scopes")
        };
        let (scope, acr) = (list(&self.asks.scopes), list(&self.asks.acr));
        let max_age = self.asks.max_age.map(|age| age.as_secs());
        let mut header = match self.scheme {
            Scheme::Bearer | Scheme::Certificate => "Bearer ".to_owned(),
            Scheme::Dpop => format!("DPoP algs=\"{}\", ", jose::proof::ALGORITHMS.join(" ")),
        };
        header.push_str(&format!("error=\"{error}\""));
        if let Some(acr) = &acr {
            header.push_str(&format!(", acr_values=\"{acr}\""));
        }
        if let Some(max_age) = max_age {
            header.push_str(&format!(", max_age={max_age}"));
        }
        if let Some(scope) = &scope {
            header.push_str(&format!(", scope=\"{scope}\""));
        }
        header.push_str(&format!(", resource_metadata=\"{}\"", self.metadata));
        let mut data = Vec::with_capacity(96);
        let mut object = ObjectWriter::new(&mut data);
        object
            .string("reason", self.reason)
            .optional_string("acr_values", acr.as_deref());
        if let Some(max_age) = max_age {
            object.number_u64("max_age", max_age);
        }
        object.optional_string("scope", scope.as_deref());
        object.finish();
        Reply::error(status, self.id.as_ref(), code, message, Some(&data)).with("www-authenticate", header)
    }
}

/// The words in one list, if there are any. What could end the list early was refused where it was written.
fn list(words: &[String]) -> Option<String> {
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| is_list_word(word))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn challenge(scopes: &[&str], acr: &[&str], max_age: Option<u64>, scheme: Scheme) -> Challenge {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Challenge {
            id: None,
            reason: "step_up",
            asks: Demands {
                scopes: texts(scopes),
                acr: texts(acr),
                max_age: max_age.map(Duration::from_secs),
            },
            asks_user: !acr.is_empty() || max_age.is_some(),
            metadata: "https://gate.test/m".to_owned(),
            scheme,
        }
    }

    fn told(challenge: &Challenge) -> (u16, String) {
        let reply = challenge.reply();
        let headers = reply.headers.iter().filter(|(name, _)| *name == "www-authenticate");
        let [(_, value)] = &headers.collect::<Vec<_>>()[..] else {
            panic!("one challenge")
        };
        (reply.status, value.clone())
    }

    #[test]
    fn each_lack_has_its_status_and_its_exact_challenge() {
        let metadata = "resource_metadata=\"https://gate.test/m\"";
        for (challenge, status, expected) in [
            (
                challenge(&["a", "b"], &[], None, Scheme::Bearer),
                403,
                "Bearer error=\"insufficient_scope\", scope=\"a b\", ",
            ),
            (
                challenge(&[], &["x", "y"], Some(300), Scheme::Bearer),
                401,
                "Bearer error=\"insufficient_user_authentication\", acr_values=\"x y\", max_age=300, ",
            ),
            (
                challenge(&["a"], &[], Some(5), Scheme::Bearer),
                401,
                "Bearer error=\"insufficient_user_authentication\", max_age=5, scope=\"a\", ",
            ),
            (
                challenge(&[], &["x"], None, Scheme::Dpop),
                401,
                "DPoP algs=\"EdDSA ES256\", error=\"insufficient_user_authentication\", acr_values=\"x\", ",
            ),
            (
                challenge(&[], &[], None, Scheme::Bearer).by_authorization_server(),
                401,
                "Bearer error=\"insufficient_user_authentication\", ",
            ),
        ] {
            let expected = match challenge.scheme {
                Scheme::Dpop => expected.replace("EdDSA ES256", &jose::proof::ALGORITHMS.join(" ")),
                Scheme::Bearer | Scheme::Certificate => expected.to_owned(),
            };
            assert_eq!(told(&challenge), (status, format!("{expected}{metadata}")));
        }
    }

    #[test]
    fn nothing_ends_a_list_early() {
        let (_, value) = told(&challenge(&["a\", x=\"", "b\r\nc", "d"], &[], None, Scheme::Bearer));
        assert!(value.starts_with("Bearer error=\"insufficient_scope\", scope=\"d\", "));
    }
}
