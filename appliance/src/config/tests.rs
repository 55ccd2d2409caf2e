//! What a configuration promises: defaults, closed choices, and faults that say where and what to do.

use super::*;

mod api_keys;
mod certificates;
mod demands;
mod introspection;

const MINIMAL: &str = "[gate]\nlisten = \"127.0.0.1:8477\"\n";

const SITE: &str = r#"
[gate]
listen = "0.0.0.0:8443"
public_url = "https://gate.example"
allowed_hosts = ["Gate.Internal:8443"]
allowed_origins = ["https://console.example"]

[gate.tls]
certificate = "tls/gate.pem"
key = "/etc/portreeve/gate.key"

[limits]
message = "1MiB"
first_byte_timeout = "5m"

[issuers.corp]
issuer = "https://idp.example/"
jwks_file = "corp.jwks.json"
tokens = ["user"]
algorithms = ["RS256"]
claims = { user = "oid" }
unlinked_with = ["fleet"]

[issuers.fleet]
issuer = "https://agents.example"
jwks_file = "fleet.jwks.json"
tokens = ["agent"]
audience = "https://gate.example/agents"

[agents.claude]
issuer = "fleet"
subject = "claude-1"
groups = ["coding"]
servers = ["jira"]

[agents.old]
issuer = "fleet"
subject = "claude-0"
state = "revoked"

[servers.jira]
url = "https://jira.example/mcp"
ca_file = "ca.pem"
era = "legacy"
tools.get_issue = { class = "read" }
tools."create issue" = { class = "update", labels = ["external_sink"] }

[mint]
algorithm = "ES256"
lifetime = "30s"
"#;

fn parsed(text: &str) -> Result<Config, Vec<Diagnostic>> {
    parse(
        Source {
            path: "/etc/portreeve/portreeve.toml".into(),
            text: text.to_owned(),
        },
        2,
    )
}

/// The only fault of `text`, as it is printed without its file.
fn fault(text: &str) -> String {
    let faults = parsed(text).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].to_string().replace("/etc/portreeve/portreeve.toml:", "")
}

fn with(extra: &str) -> String {
    format!("{MINIMAL}{extra}")
}

#[test]
fn two_lines_are_a_configuration_and_its_defaults_are_the_closed_choice() {
    let config = parsed(MINIMAL).unwrap();
    assert_eq!(config.gate.public_url, "http://127.0.0.1:8477");
    assert_eq!(config.gate.allowed_hosts, ["127.0.0.1:8477"]);
    assert!(config.gate.allowed_origins.is_empty());
    assert_eq!(config.gate.shards, 2);
    assert_eq!(config.gate.state_dir, Path::new("/etc/portreeve/state"));
    assert_eq!(config.gate.policies, Path::new("/etc/portreeve/policies"));
    assert_eq!(config.limits, Limits::DEFAULT);
    assert_eq!(config.mint.algorithm, MintAlgorithm::EdDSA);
    assert_eq!(config.mint.lifetime, Duration::from_secs(60));
    assert!(config.proofs.require_nonce);
    assert!(config.issuers.is_empty() && config.agents.is_empty() && config.embedded.is_none());
}

#[test]
fn a_site_means_what_it_says() {
    let config = parsed(SITE).unwrap();
    assert_eq!(config.gate.allowed_hosts, ["gate.example", "gate.internal:8443"]);
    assert_eq!(config.gate.allowed_origins, ["https://console.example"]);
    assert_eq!(
        config.gate.tls.as_ref().unwrap().certificate,
        Path::new("/etc/portreeve/tls/gate.pem")
    );
    assert_eq!(config.limits.message_bytes, 1 << 20);
    assert_eq!(config.limits.first_byte_timeout, Duration::from_secs(300));
    let [corp, fleet] = &config.issuers[..] else {
        panic!("two issuers")
    };
    assert!(corp.users && !corp.agents && fleet.agents && !fleet.users);
    assert_eq!(corp.issuer, "https://idp.example/", "an issuer is never normalised");
    assert_eq!(
        corp.audiences,
        ["https://gate.example", "https://gate.example/jira/mcp"]
    );
    assert_eq!(fleet.audiences, ["https://gate.example/agents"]);
    assert_eq!(
        (corp.claims.user.as_str(), corp.claims.groups.as_str()),
        ("oid", "groups")
    );
    assert_eq!(corp.max_lifetime, Duration::from_secs(24 * 3600));
    assert_eq!(fleet.max_lifetime, Duration::from_secs(3600));
    assert_eq!(corp.unlinked_with, ["fleet"]);
    assert_eq!(config.agents[0].servers.as_deref(), Some(&["jira".to_owned()][..]));
    assert_eq!(config.agents[1].state, AgentState::Revoked);
    let jira = &config.servers[0];
    assert_eq!(jira.audience, "https://jira.example/mcp");
    assert_eq!(jira.gate_path(), "/jira/mcp");
    assert_eq!(jira.era, Era::Legacy);
    assert_eq!(
        (jira.tools[0].name.as_str(), jira.tools[0].class),
        ("create issue", Class::Update)
    );
    assert_eq!(config.mint.lifetime, Duration::from_secs(30));
}

#[test]
fn an_agent_is_bound_as_its_table_says_and_as_nothing_else() {
    let bound = |value: &str| {
        let agent = format!("[embedded_issuer]\n[agents.a]\nissuer = \"embedded\"\n{value}");
        parsed(&with(&agent)).map(|config| config.agents[0].require_binding)
    };
    assert_eq!(bound("").unwrap(), RequireBinding::None);
    for (text, expected) in [
        ("none", RequireBinding::None),
        ("token", RequireBinding::Token),
        ("request", RequireBinding::Request),
    ] {
        assert_eq!(bound(&format!("require_binding = \"{text}\"\n")).unwrap(), expected);
    }
    for wrong in ["\"Token\"", "\"dpop\"", "true"] {
        assert!(bound(&format!("require_binding = {wrong}\n")).is_err(), "{wrong}");
    }
    assert!(
        !parsed(&with("[proofs]\nrequire_nonce = false\n"))
            .unwrap()
            .proofs
            .require_nonce
    );
}

#[test]
fn a_registration_says_who_answers_for_what_and_until_when() {
    let text = format!(
        "{MINIMAL}[embedded_issuer]\n[agents.a]\nissuer = \"embedded\"\nowner = \"Mara, clerks\"\npurpose = \"keeps the ledger\"\n\
         expires = 2027-01-31\nreview = 2026-12-01\n[servers.s]\nurl = \"http://localhost:1/\"\nstate = \"suspended\"\nowner = \"Tobias\"\n"
    );
    let config = parsed(&text).unwrap();
    let (agent, server) = (&config.agents[0], &config.servers[0]);
    assert_eq!(agent.registration.owner.as_deref(), Some("Mara, clerks"));
    assert_eq!(agent.registration.purpose.as_deref(), Some("keeps the ledger"));
    assert_eq!(agent.registration.line, 4);
    assert_eq!(
        agent.expires.as_ref().unwrap().at().secs(),
        1_801_440_000,
        "the end of that day in UTC"
    );
    assert_eq!(agent.registration.review.unwrap().to_string(), "2026-12-01");
    assert_eq!(server.state, ServerState::Suspended);
    assert_eq!(
        (server.registration.owner.as_deref(), server.registration.line),
        (Some("Tobias"), 10)
    );
    assert!(parsed(SITE).unwrap().agents[0].expires.is_none());
}

#[test]
fn dates_are_dates_and_people_are_texts() {
    let agent = |line: &str| {
        with(&format!(
            "[embedded_issuer]\n[agents.a]\nissuer = \"embedded\"\n{line}\n"
        ))
    };
    for line in ["expires = \"2027-01-31\"", "expires = 18:00:00", "expires = 2027"] {
        let fault = fault(&agent(line));
        assert!(
            fault.starts_with("6:11: this is not a date or moment\n  hint: write"),
            "{fault}"
        );
    }
    assert!(fault(&agent("expires = 2027-01-31T18:00:00")).contains("no offset from UTC"));
    assert!(fault(&agent("review = 2027-01-31T18:00:00Z")).starts_with("6:10: this is not a date"));
    assert!(fault(&agent("owner = \"\"")).starts_with("6:9: a text here is empty"));
    assert!(
        fault(&with("[servers.a]\nurl = \"http://localhost:1/\"\nstate = \"off\"\n")).contains("unknown value `off`")
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_likely_meaning() {
    let text = "[gate]\nlisten = \"127.0.0.1:1\"\nallowed_host = []\n";
    assert_eq!(
        fault(text),
        "3:1: unknown key `allowed_host`\n  hint: did you mean `allowed_hosts`?"
    );
    let far = fault(&with("[mint]\nwhatever = 1\n"));
    assert!(
        far.contains("4:1: unknown key `whatever`\n  hint: known here: algorithm, lifetime"),
        "{far}"
    );
    assert!(fault(&with("[server.a]\n")).contains("did you mean `servers`?"));
    let variant = fault(&with("[servers.a]\nurl = \"http://localhost:1/\"\nera = \"modem\"\n"));
    assert!(
        variant.starts_with("5:7: unknown value `modem`\n  hint: did you mean `modern`?"),
        "{variant}"
    );
}

#[test]
fn every_table_refuses_unknown_keys() {
    let tables = [
        "[x]",
        "[limits]",
        "[mint]",
        "[proofs]",
        "[gate.tls]\ncertificate = \"c\"\nkey = \"k\"",
        "[embedded_issuer]",
        "[embedded_issuer.users.alice]",
        "[issuers.a]\nissuer = \"i\"\njwks_file = \"f\"\ntokens = [\"user\"]",
        "[issuers.a]\nissuer = \"i\"\njwks_file = \"f\"\ntokens = [\"user\"]\n[issuers.a.claims]",
        "[signals.a]\nissuer = \"https://i\"\nissuers = []",
        "[agents.a]\nissuer = \"embedded\"",
        "[servers.a]\nurl = \"http://localhost:1/\"",
        "[servers.a]\nurl = \"http://localhost:1/\"\n[servers.a.tools.t]\nclass = \"read\"",
    ];
    for table in tables {
        let text = with(&format!("{table}\nsurprise = true\n"));
        let faults = parsed(&text).unwrap_err();
        assert!(faults[0].message.starts_with("unknown key"), "{table}: {}", faults[0]);
        assert!(faults[0].hint.is_some());
    }
}

#[test]
fn a_missing_key_a_wrong_type_and_a_bad_value_are_named_at_their_place() {
    assert!(fault("[gate]\n").starts_with("1:1: missing key `listen`"));
    let untyped = fault(&with("[mint]\nlifetime = 60\n"));
    assert!(
        untyped.starts_with("4:12: invalid type: integer `60`, expected a time span in quotes"),
        "{untyped}"
    );
    let bad = fault(&with("[mint]\nlifetime = \"60\"\n"));
    assert_eq!(
        bad,
        "4:12: this is not a time span\n  hint: write a whole number above zero and ms, s, m, h or d, such as \"60s\""
    );
    assert!(fault("[gate]\nlisten = \"127.0.0.1:8477\n").starts_with("2:"));
}

#[test]
fn plain_http_stays_on_this_machine_unless_said_otherwise() {
    let open = "[gate]\nlisten = \"0.0.0.0:80\"\npublic_url = \"https://gate.example\"\n";
    assert!(fault(open).starts_with("2:10: plain HTTP beyond this machine"));
    assert!(parsed(&format!("{open}allow_plaintext = true\n")).is_ok());
    let named = format!("{MINIMAL}public_url = \"http://gate.example\"\n");
    assert!(fault(&named).starts_with("3:14: a plain HTTP gate"));
    let server = "[servers.a]\nurl = \"http://tools.example/mcp\"\n";
    assert!(fault(&with(server)).starts_with("4:7: plain HTTP beyond this machine shows every minted token"));
    assert!(parsed(&with(&format!("{server}allow_plaintext = true\n"))).is_ok());
}

#[test]
fn a_gate_that_clients_cannot_name_is_refused() {
    let text = "[gate]\nlisten = \"0.0.0.0:80\"\nallow_plaintext = true\n";
    assert!(fault(text).contains("clients cannot reach the gate at this address"));
    assert!(fault(&format!("{MINIMAL}public_url = \"http://localhost/mcp\"\n")).contains("has a path"));
}

#[test]
fn references_that_lead_nowhere_are_named() {
    let text = "[agents.a]\nissuer = \"embeded\"\nservers = [\"jirra\"]\n[embedded_issuer]\n[servers.jira]\nurl = \"http://localhost:1/\"\n";
    let faults = parsed(&with(text)).unwrap_err();
    let printed: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(
        printed[0].contains(":4:10: there is no issuer `embeded`"),
        "{printed:?}"
    );
    assert!(printed[0].contains("did you mean `embedded`?"), "{printed:?}");
    assert!(printed[1].contains(":5:12: there is no server `jirra`"), "{printed:?}");
    assert!(printed[1].contains("did you mean `jira`?"), "{printed:?}");
    assert!(fault(&with("[agents.a]\nissuer = \"embedded\"\n")).contains("add [embedded_issuer]"));
}

#[test]
fn a_transmitter_speaks_only_about_users_it_can_name_and_is_asked_only_in_safe_places() {
    let issuer = |more: &str| {
        let issuer = "[issuers.idp]\nissuer = \"https://idp.example\"\njwks_file = \"f\"\ntokens = [\"user\"]\n";
        let agents = issuer.replace("idp", "fleet").replace("user", "agent");
        format!("{agents}{issuer}{more}\n")
    };
    let signals = |more: &str| format!("[signals.tx]\nissuer = \"https://tx.example\"\n{more}\n");
    let good = signals("issuers = [\"idp\"]\npoll = \"https://tx.example/poll\"");
    let config = parsed(&with(&format!("{}{good}", issuer("")))).unwrap();
    let transmitter = &config.signals[0];
    assert_eq!(transmitter.audience, config.gate.public_url);
    let signer = config.signers().find(|signer| signer.name == "signals.tx").unwrap();
    assert!(matches!(signer.keys, IssuerKeys::Discovered(_, Discovery::Signals)));
    for (table, signals, expected) in [
        (issuer(""), good.replace("[\"idp\"]", "[]"), "this list is empty"),
        (
            issuer(""),
            good.replace("\"idp\"", "\"ipd\""),
            "there is no issuer of users `ipd`",
        ),
        (
            issuer(""),
            good.replace("\"idp\"", "\"fleet\""),
            "there is no issuer of users `fleet`",
        ),
        (
            issuer("claims = { user = \"oid\" }"),
            good.clone(),
            "users of this issuer are named by `oid`",
        ),
        (
            issuer(""),
            good.replace("https://tx.example/poll", "http://tx.example/poll"),
            "this is not https",
        ),
        (
            issuer(""),
            good.replace("https://tx.example\"", "urn:tx\""),
            "this is not an absolute URL",
        ),
        (
            issuer(""),
            signals("issuers = [\"idp\"]"),
            "nothing ever comes from this transmitter",
        ),
        (
            issuer(""),
            good.clone() + "push = true",
            "anybody could push signals to the gate",
        ),
        (
            issuer(""),
            good.clone() + "push_token_file = \"f\"",
            "without push nobody shows this token",
        ),
        (
            issuer(""),
            good.replace("signals.tx", "signals.mcp") + "push = true\npush_token_file = \"f\"",
            "a server named `signals` would have the path",
        ),
        (
            issuer(""),
            good.clone() + "jwks_file = \"f\"\njwks_uri = \"https://tx.example\"",
            "with jwks_file",
        ),
    ] {
        let said = fault(&with(&format!("{table}{signals}")));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn two_agents_cannot_be_the_same_and_an_outside_agent_needs_its_subject() {
    let twice =
        "[embedded_issuer]\n[agents.a]\nissuer = \"embedded\"\n[agents.b]\nissuer = \"embedded\"\nsubject = \"a\"\n";
    assert!(fault(&with(twice)).starts_with("6:9: this agent has the issuer and subject of agent `a`"));
    let nameless = format!("{SITE}\n[agents.nameless]\nissuer = \"fleet\"\n");
    assert!(fault(&nameless).contains("this agent has no subject"));
}

#[test]
fn an_issuer_cannot_take_the_gates_own_names() {
    let issuer = |name: &str, iss: &str| {
        with(&format!(
            "[issuers.{name}]\nissuer = \"{iss}\"\njwks_file = \"f\"\ntokens = [\"agent\"]\n"
        ))
    };
    assert!(fault(&issuer("embedded", "https://idp.example")).contains("belongs to the embedded issuer"));
    assert!(fault(&issuer("a", "http://127.0.0.1:8477")).contains("is the gate's own"));
    assert!(fault(&issuer("a", "http://127.0.0.1:8477/embedded/users")).contains("is the gate's own"));
    assert!(parsed(&issuer("a", "http://127.0.0.1:84770")).is_ok());
}

#[test]
fn limits_may_be_lowered_and_not_lifted() {
    assert!(parsed(&with("[limits]\nmessage = \"4MiB\"\n")).is_ok());
    assert!(fault(&with("[limits]\nmessage = \"5MiB\"\n")).contains("at most 4MiB"));
    assert!(fault(&with("[limits]\nconnections = 0\n")).contains("above zero"));
    assert!(fault(&with("[limits]\nhead_timeout = \"2m\"\n")).contains("from 1s to 1m"));
    assert!(fault(&with("[mint]\nlifetime = \"3m\"\n")).contains("from 1s to 2m"));
    assert!(fault(&format!("{MINIMAL}shards = 0\n")).contains("from 1 to 64"));
}

#[test]
fn names_that_would_change_a_path_are_refused() {
    for name in ["a/b", "..", "a b", "", "-a", &"x".repeat(65)] {
        let text = with(&format!("[servers.\"{name}\"]\nurl = \"http://localhost:1/\"\n"));
        assert!(fault(&text).contains("is not a name"), "{name}");
    }
}

#[test]
fn one_run_reports_everything_in_the_order_of_the_file() {
    let text = with("[mint]\nlifetime = \"1h\"\n[agents.a]\nissuer = \"x\"\nsubject = \"s\"\n[limits]\nsessions = 0\n");
    let lines: Vec<usize> = parsed(&text)
        .unwrap_err()
        .iter()
        .map(|fault| fault.position.unwrap().0)
        .collect();
    assert_eq!(lines, [4, 6, 9]);
}

#[test]
fn a_profile_sets_what_the_operator_leaves_out() {
    let issuer = |more: &str| {
        let text = format!(
            "{MINIMAL}[issuers.a]\nissuer = \"https://idp.example\"\njwks_file = \"f\"\ntokens = [\"user\"]\n{more}"
        );
        parsed(&text).unwrap().issuers.remove(0)
    };
    let okta = issuer("profile = \"okta\"\nclaims.groups = \"/x/groups\"");
    assert_eq!(okta.claims.user, "uid");
    assert_eq!(
        (okta.claims.groups.as_str(), okta.claims.scope_is_array),
        ("/x/groups", true)
    );
    assert_eq!(okta.types, ["at+jwt"]);
    assert_eq!(okta.dialect.marked[0].claims, ["cid"]);
    // Types that are written down are all that is read.
    assert!(
        issuer("profile = \"okta\"\ntyp = [\"at+jwt\"]")
            .dialect
            .marked
            .is_empty()
    );
    assert!(issuer("").dialect.marked.is_empty());
}

#[test]
fn keys_come_from_one_place_and_that_one_can_be_fetched_from() {
    let issuer = |iss: &str, more: &str| {
        with(&format!(
            "[issuers.a]\nissuer = \"{iss}\"\ntokens = [\"user\"]\n{more}\n"
        ))
    };
    let keys = |iss: &str, more: &str| parsed(&issuer(iss, more)).unwrap().issuers.remove(0).keys;
    assert!(matches!(
        keys("https://idp.example", ""),
        IssuerKeys::Discovered(_, Discovery::Either)
    ));
    assert!(matches!(
        keys("https://idp.example", "discovery = \"oauth\""),
        IssuerKeys::Discovered(_, Discovery::Oauth)
    ));
    assert!(matches!(
        keys("any text", "jwks_uri = \"https://idp.example/k?p=1\""),
        IssuerKeys::At(_)
    ));
    assert!(matches!(keys("any text", "jwks_file = \"f\""), IssuerKeys::File(_)));
    for (iss, more, said) in [
        ("http://idp.example", "", "is not https"),
        ("any text", "", "nothing can be fetched"),
        ("https://idp.example/?tenant=1", "", "has a query"),
        (
            "https://idp.example",
            "jwks_uri = \"http://idp.example/k\"",
            "is not https",
        ),
        (
            "https://idp.example",
            "jwks_file = \"f\"\nmax_stale = \"1h\"",
            "nothing is fetched",
        ),
        (
            "https://idp.example",
            "jwks_file = \"f\"\njwks_uri = \"https://idp.example/k\"",
            "nothing is fetched",
        ),
        (
            "https://idp.example",
            "jwks_uri = \"https://idp.example/k\"\ndiscovery = \"oauth\"",
            "nothing is discovered",
        ),
        ("https://idp.example", "max_stale = \"2d\"", "24h"),
        (
            "https://idp.example",
            "profile = \"spiffe\"\njwks_file = \"f\"",
            "not a trust domain",
        ),
        (
            "spiffe://Town",
            "profile = \"spiffe\"\njwks_file = \"f\"",
            "not a trust domain",
        ),
        (
            "spiffe://town/path",
            "profile = \"spiffe\"\njwks_file = \"f\"",
            "not a trust domain",
        ),
        ("spiffe://town", "profile = \"spiffe\"", "has no metadata"),
    ] {
        let fault = fault(&issuer(iss, more));
        assert!(fault.contains(said), "{iss} {more}: {fault}");
    }
}
