//! One site for all policy tests: two servers, one user, one agent. Holds no expectations.

use core::net::IpAddr;
use core::net::Ipv4Addr;

use crate::json;
use crate::policy::AccessRequest;
use crate::policy::Action;
use crate::policy::Catalog;
use crate::policy::Class;
use crate::policy::Decision;
use crate::policy::Denial;
use crate::policy::Facts;
use crate::policy::PolicySet;
use crate::policy::Who;
use crate::policy::decide;
use crate::policy::listable;
use crate::signals::UserStanding;
use crate::time::UnixTime;

/// Lets everything through that no forbid stops.
pub(super) const ALL: &str = "@id(\"all\") permit(principal, action, resource);";

pub(super) fn catalog() -> Catalog {
    let mut catalog = Catalog::new();
    catalog.add_server("jira").unwrap();
    catalog.add_server("ledger").unwrap();
    catalog.add_tool("jira", "create_issue", Class::Update, vec![]).unwrap();
    catalog
        .add_tool("jira", "get_issue", Class::Read, vec!["public".to_owned()])
        .unwrap();
    catalog.add_tool("ledger", "read", Class::Read, vec![]).unwrap();
    catalog
}

pub(super) fn load(text: &str) -> PolicySet {
    match PolicySet::load(&[("test.cedar".to_owned(), text.to_owned())]) {
        Ok(set) => set,
        Err(errors) => {
            panic!(
                "{}",
                errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            );
        }
    }
}

/// The caller's groups, owned so that a [`Who`] can borrow them.
pub(super) struct Site {
    pub(super) user_groups: Vec<String>,
    pub(super) agent_groups: Vec<String>,
    pub(super) amr: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) acr: Option<&'static str>,
    pub(super) auth_age_secs: Option<u64>,
    pub(super) standing: UserStanding,
}

/// Saturday, 2026-11-21T09:30:00Z.
pub(super) const NOW: UnixTime = UnixTime::from_secs(1_795_253_400);

impl Site {
    pub(super) fn new() -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            user_groups: owned(&["eng", "staff"]),
            agent_groups: owned(&["ci"]),
            amr: owned(&["pwd"]),
            scopes: owned(&["mcp"]),
            acr: None,
            auth_age_secs: Some(60),
            standing: UserStanding::default(),
        }
    }

    pub(super) fn who(&self) -> Who<'_> {
        Who {
            user: "alice",
            user_issuer: "https://idp.example",
            user_groups: &self.user_groups,
            agent: "builder",
            agent_issuer: "https://agents.example",
            agent_subject: "agent-7",
            agent_groups: &self.agent_groups,
            auth_time: self.auth_age_secs.map(|age| UnixTime::from_secs(NOW.secs() - age)),
            acr: self.acr,
            amr: &self.amr,
            scopes: &self.scopes,
            link: "may_act",
            binding: "none",
            agent_method: "token",
        }
    }

    /// Runs `ask` with the request for `action` on `server` with `arguments`.
    pub(super) fn with<T>(
        &self,
        server: &str,
        action: Action<'_>,
        arguments: Option<&str>,
        ask: impl FnOnce(&AccessRequest<'_>) -> T,
    ) -> T {
        let mut scratch = json::Scratch::new();
        let limits = json::Limits::MESSAGE;
        let document =
            arguments.map(|text| json::parse(text.as_bytes(), &mut scratch, &limits).expect("arguments are JSON"));
        let facts = Facts {
            now: NOW,
            peer_ip: IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)),
            tls: true,
            credential: "mint",
            standing: self.standing,
        };
        let arguments = document.as_ref().map(json::Document::root);
        ask(&AccessRequest {
            who: self.who(),
            action,
            server,
            arguments,
            facts,
        })
    }

    pub(super) fn decide(&self, set: &PolicySet, server: &str, action: Action<'_>, arguments: &str) -> Decision {
        self.with(server, action, Some(arguments), |request| {
            decide(set, &catalog(), request)
        })
    }
}

/// `create_issue` on `jira` with `arguments`, under the policies of `text`.
pub(super) fn call(text: &str, arguments: &str) -> Decision {
    Site::new().decide(
        &load(text),
        "jira",
        Action::CallTool { name: "create_issue" },
        arguments,
    )
}

pub(super) fn permits(decision: &Decision) -> bool {
    matches!(decision, Decision::Permit(_))
}

pub(super) fn denial(decision: Decision) -> Denial {
    match decision {
        Decision::Deny(denial) => denial,
        Decision::Permit(permit) => panic!("permitted by {:?}", permit.policies()),
    }
}

pub(super) fn lists(text: &str, server: &str, action: Action<'_>) -> bool {
    let set = load(text);
    Site::new().with(server, action, None, |request| listable(&set, &catalog(), request))
}
