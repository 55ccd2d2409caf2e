//! What the keys of an agent mean, and where keys may not be used at all. Pure.

use std::collections::BTreeSet;

use portreeve_core::limits::API_KEYS_PER_AGENT_MAX;
use toml::Spanned;

use super::{Gate, Resolver, raw};
use crate::config::api_key::{API_KEY_ISSUER, ApiKey, Written, digest};
use crate::config::value::{FromText as _, HttpUrl};

impl Resolver<'_> {
    /// The keys of the agent `name`; `seen` are those of the agents before it.
    pub(super) fn api_keys(
        &mut self,
        issuer: &Spanned<String>,
        written: Vec<Written>,
        seen: &mut BTreeSet<[u8; 32]>,
    ) -> Vec<ApiKey> {
        let mut keys = Vec::new();
        for (count, key) in written.into_iter().enumerate() {
            if count == 0 && issuer.get_ref() != API_KEY_ISSUER {
                let hint = "with keys it is issuer = \"api-key\", and it has no tokens then";
                self.refuse(issuer, "an agent with tokens of an issuer has no API keys", hint);
            }
            if count == API_KEYS_PER_AGENT_MAX {
                let hint = format!("at most {API_KEYS_PER_AGENT_MAX}: the one in use and the one that replaces it");
                self.refuse(&key.sha256, "this is one API key too many", &hint);
            }
            let Some(sha256) = digest(key.sha256.get_ref()) else {
                let hint =
                    "64 lower-case hexadecimal digits; `portreeve agent key new NAME` makes a key and writes this";
                self.refuse(&key.sha256, "this is not the SHA-256 of a key", hint);
                continue;
            };
            if !seen.insert(sha256) {
                self.refuse(&key.sha256, "this key stands here already", "a key is for one agent");
            }
            keys.push(ApiKey {
                sha256,
                created: key.created,
                expires: key.expires,
            });
        }
        keys
    }

    /// Keys live long and are good for whoever reads them, so no network may show them, not even behind a TLS proxy.
    pub(super) fn keys_stay_private(&mut self, agents: &raw::Named<raw::Agent>, gate: &Gate) {
        let shows = gate.tls.is_none() && !gate.listen.ip().is_loopback();
        let reached = HttpUrl::from_text(&gate.public_url);
        let shown_before = reached.is_ok_and(|url| !url.is_https() && !url.is_loopback());
        if !shows && !shown_before {
            return;
        }
        for agent in agents.values().filter(|agent| agent.issuer.get_ref() == API_KEY_ISSUER) {
            self.refuse(
                &agent.issuer,
                "plain HTTP beyond this machine would show the API keys of this agent",
                "add [gate.tls], or listen on 127.0.0.1 behind a TLS proxy on this machine; allow_plaintext is not enough",
            );
        }
    }
}
