//! Certificates of clients at the door of the running gate: a token that is bound to one is worth nothing on any other
//! connection, an X.509-SVID says who its agent is, and no header speaks for a connection.

use std::fs;

use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose};
use serde_json::{Value, json};

use crate::kit::{
    Authority, Certified, Gate, Issuer, PERMIT_CLERKS, Response, TlsClient, Tunnel, Upstream, answered, modern_call,
    modern_headers,
};

mod replaced;

const DOMAIN: &str = "spiffe://town.test";
const BOT: &str = "spiffe://town.test/bot";
const OPTIONAL: &str = "client_certificates = \"optional\"\nclient_ca_file = \"clients.pem\"";
const REQUIRED: &str = "client_certificates = \"required\"\nclient_ca_file = \"clients.pem\"";

/// A gate that speaks TLS, and those who made the certificates.
struct Site {
    gate: Gate,
    upstream: Upstream,
    /// Of the gate itself.
    own: Authority,
    /// Of its clients.
    clients: Authority,
}

impl Site {
    fn new(tls: &str) -> Self {
        Self::with(Authority::new(), tls, "", None)
    }

    /// With certificates that `clients` made, and more configuration.
    fn with(clients: Authority, tls: &str, more: &str, revoked: Option<&str>) -> Self {
        let (upstream, own) = (Upstream::obliging(), Authority::new());
        let server = own.server();
        let more = format!("{more}\n[gate.tls]\ncertificate = \"gate.pem\"\nkey = \"gate.key\"\n{tls}\n");
        let folder = Gate::prepare(&upstream, PERMIT_CLERKS, &Issuer::new().jwks(), &more);
        for (name, text) in [
            ("gate.pem", &*server.pem()),
            ("gate.key", &*server.key_pem()),
            ("clients.pem", &*clients.pem()),
            ("revoked.pem", revoked.unwrap_or_default()),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self {
            gate: Gate::launch(folder, &[&upstream]),
            upstream,
            own,
            clients,
        }
    }

    /// One that takes the agent `svid-bot` by its certificate alone.
    fn of_domain() -> Self {
        let more = format!(
            "[issuers.domain]\nissuer = \"{DOMAIN}\"\nprofile = \"spiffe\"\njwks_file = \"jwks.json\"\n\
             tokens = [\"agent\"]\n[agents.svid-bot]\nissuer = \"domain\"\nsubject = \"{BOT}\"\nx509 = true\n\
             [agents.jwt-bot]\nissuer = \"domain\"\nsubject = \"{BOT}2\"\n"
        );
        Self::with(Authority::new(), OPTIONAL, &more, None)
    }

    fn client(&self) -> TlsClient {
        TlsClient::new(&self.own)
    }

    /// A connection that shows `certified`.
    fn showing(&self, certified: Option<&Certified>) -> Tunnel {
        self.gate.tunnel(self.client().shows(certified))
    }

    /// What the audit says of requests of that kind, one value of each.
    fn audited(&self, kind: &str, name: &str) -> Vec<Value> {
        let records = self.gate.audit().into_iter().filter(|record| record["kind"] == kind);
        records.map(|record| record[name].clone()).collect()
    }
}

/// A call of the tool `read` with these header lines.
fn call(headers: &str) -> Vec<u8> {
    let body = modern_call(1, "read", &json!({}));
    let head = format!(
        "POST /town/mcp HTTP/1.1\r\nhost: gate.test\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// As [`call`], by `clerk-bot` for `ada`; the agent's token is bound to `certified`.
fn bound(certified: &Certified) -> Vec<u8> {
    call(&bound_headers(certified))
}

fn bound_headers(certified: &Certified) -> String {
    let issuer = Issuer::new();
    let cnf = json!({"client_id": "clerk-bot", "cnf": {"x5t#S256": certified.thumbprint()}});
    let agent = issuer.sign(&issuer.claims("clerk-bot", &cnf));
    modern_headers(
        &agent,
        &issuer.user("ada", "clerk-bot", &["clerks"]),
        "tools/call",
        "read",
    )
}

/// A call without a token of the agent's, for `ada`, whose assertion is as `claims` say.
fn without_token(claims: &Value) -> Vec<u8> {
    let (issuer, mut claims) = (Issuer::new(), claims.clone());
    claims["groups"] = json!(["clerks"]);
    let user = issuer.sign(&issuer.claims("ada", &claims));
    let headers = modern_headers("", &user, "tools/call", "read");
    call(headers.split_once("\r\n").unwrap().1)
}

/// For the agent of that SPIFFE id.
fn for_agent(id: &str) -> Vec<u8> {
    // The middle member keeps this apart from the `act` of the minted token, which is no part of the assertion.
    without_token(&json!({"may_act": {"iss": DOMAIN, "kind": "agent", "sub": id}}))
}

fn status(answer: Option<&Response>) -> u16 {
    answer.expect("an answer").status
}

#[test]
fn a_bound_token_passes_on_its_connection_and_is_refused_on_every_other() {
    let mut site = Site::new(OPTIONAL);
    let (mine, other) = (site.clients.client(&[], 1), site.clients.client(&[], 2));
    let request = bound(&mine);
    let mut tunnel = site.showing(Some(&mine));
    for _again in 0..2 {
        assert_eq!(status(tunnel.ask(&request).as_ref()), 200);
    }
    for shown in [Some(&other), None] {
        let mut tunnel = site.showing(shown);
        for _again in 0..2 {
            let refused = tunnel.ask(&request).unwrap();
            assert_eq!(refused.status, 401, "{refused:?}");
            let challenge = refused.header("www-authenticate").unwrap();
            assert!(challenge.ends_with("error=\"invalid_token\""), "{challenge}");
        }
    }
    assert_eq!(site.upstream.count(), 2);
    let seen = String::from_utf8_lossy(&site.upstream.seen().concat()).into_owned();
    assert!(!seen.contains(&mine.thumbprint()), "{seen}");
    assert!(site.gate.stop().success());
    assert_eq!(site.audited("intent", "binding"), ["mtls", "mtls"]);
    assert_eq!(site.audited("refusal", "reason"), ["pop"; 4]);
}

#[test]
fn a_bound_token_is_no_bearer_token_on_a_gate_that_asks_for_no_certificate() {
    let upstream = Upstream::obliging();
    let gate = Gate::start(&upstream, PERMIT_CLERKS);
    let mine = Certified::own();
    assert_eq!(gate.raw(&bound(&mine)).status, 401);

    let site = Site::new("");
    let mine = site.clients.client(&[], 1);
    let metadata = b"GET /.well-known/oauth-protected-resource/town/mcp HTTP/1.1\r\nhost: gate.test\r\n\r\n";
    for (site, said) in [(&site, Value::Null), (&Site::new(OPTIONAL), json!(true))] {
        let document = site.showing(None).ask(metadata).unwrap().json();
        assert_eq!(
            document["tls_client_certificate_bound_access_tokens"], said,
            "{document}"
        );
    }
    assert_eq!(status(site.showing(Some(&mine)).ask(&bound(&mine)).as_ref()), 401);
    assert_eq!((upstream.count(), site.upstream.count()), (0, 0));
}

#[test]
fn an_assertion_that_is_bound_to_the_same_certificate_is_linked_by_it() {
    let mut site = Site::new(OPTIONAL);
    let (mine, other) = (site.clients.client(&[], 1), site.clients.client(&[], 2));
    let issuer = Issuer::new();
    let agent = json!({"cnf": {"x5t#S256": mine.thumbprint()}});
    let agent = issuer.sign(&issuer.claims("clerk-bot", &agent));
    let mut tunnel = site.showing(Some(&mine));
    for (user, expected) in [(&mine, 200), (&other, 401)] {
        let user = json!({"cnf": {"x5t#S256": user.thumbprint()}, "groups": ["clerks"]});
        let user = issuer.sign(&issuer.claims("ada", &user));
        let request = call(&modern_headers(&agent, &user, "tools/call", "read"));
        assert_eq!(status(tunnel.ask(&request).as_ref()), expected);
    }
    assert!(site.gate.stop().success());
    assert_eq!(site.audited("intent", "link"), ["key"]);
}

#[test]
fn every_connection_shows_its_certificate_anew() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let site = Site::new(OPTIONAL);
        let (mine, other) = (site.clients.client(&[], 1), site.clients.client(&[], 2));
        let client = TlsClient::speaking(&site.own, &[version]);
        let request = bound(&mine);
        for (shown, expected) in [(Some(&mine), 200), (Some(&mine), 200), (Some(&other), 401), (None, 401)] {
            let mut tunnel = site.gate.tunnel(client.shows(shown));
            assert_eq!(status(tunnel.ask(&request).as_ref()), expected, "{version:?}");
            assert!(!tunnel.is_resumed(), "{version:?}");
        }
        // The client would resume if it could.
        let site = Site::new("");
        let client = TlsClient::speaking(&site.own, &[version]);
        let resumed = [(); 2].map(|()| {
            let mut tunnel = site.gate.tunnel(&client);
            assert_eq!(status(tunnel.ask(&request).as_ref()), 401);
            tunnel.is_resumed()
        });
        assert_eq!(resumed, [false, true], "{version:?}");
    }
}

#[test]
fn no_header_speaks_for_the_connection_and_none_travels_on() {
    let site = Site::new(OPTIONAL);
    let (mine, other) = (site.clients.client(&[], 1), site.clients.client(&[BOT], 2));
    let pem = mine.pem();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let spoof = format!(
        "client-cert: :{der}:\r\nclient-cert-chain: :{der}:\r\nx-forwarded-client-cert: Hash={};URI={BOT}\r\n\
         x-ssl-client-cert: {der}\r\nx-ssl-cert: {der}\r\nx-client-cert: {der}\r\nx-ssl-client-verify: SUCCESS\r\n\
         ssl-client-cert: {der}\r\nx-forwarded-tls-client-cert: {der}\r\n",
        mine.thumbprint()
    );
    let request = call(&format!("{spoof}{}", bound_headers(&mine)));
    for shown in [None, Some(&other)] {
        assert_eq!(status(site.showing(shown).ask(&request).as_ref()), 401);
    }
    assert_eq!(site.upstream.count(), 0);
    assert_eq!(status(site.showing(Some(&mine)).ask(&request).as_ref()), 200);
    let seen = String::from_utf8_lossy(&site.upstream.seen().concat()).to_ascii_lowercase();
    for header in ["cert", "x-ssl", "success"] {
        assert!(!seen.contains(header), "{header}: {seen}");
    }
}

#[test]
fn without_a_certificate_there_is_no_connection_where_one_is_required() {
    let site = Site::new(REQUIRED);
    let mine = site.clients.client(&[], 1);
    let unbound = {
        let issuer = Issuer::new();
        let user = issuer.user("ada", "clerk-bot", &["clerks"]);
        call(&modern_headers(&issuer.agent("clerk-bot"), &user, "tools/call", "read"))
    };
    assert_eq!(status(site.showing(Some(&mine)).ask(&unbound).as_ref()), 200);
    for shown in [None, Some(&Certified::own()), Some(&Authority::new().client(&[], 1))] {
        assert!(site.showing(shown).ask(&unbound).is_none());
        assert!(site.showing(shown).is_refused());
    }
    // A certificate of no use is no connection either where one is optional.
    let site = Site::new(OPTIONAL);
    assert!(site.showing(Some(&Certified::own())).ask(&unbound).is_none());
    assert_eq!(status(site.showing(None).ask(&unbound).as_ref()), 200);
}

#[test]
fn a_revoked_certificate_makes_no_connection_and_neither_does_any_by_a_list_that_has_ended() {
    let tls = format!("{OPTIONAL}\nclient_crl_file = \"revoked.pem\"");
    for (until, expected) in [(2090, Some(200)), (2025, None)] {
        let clients = Authority::new();
        let (mine, gone) = (clients.client(&[], 1), clients.client(&[], 2));
        let revoked = clients.revocations(&[&gone], until);
        let site = Site::with(clients, &tls, "", Some(&revoked));
        let answer = site.showing(Some(&mine)).ask(&bound(&mine));
        assert_eq!(answer.map(|answer| answer.status), expected, "{until}");
        assert!(site.showing(Some(&gone)).ask(&bound(&gone)).is_none());
    }
}

#[test]
fn a_certificate_that_signs_itself_is_worth_what_is_bound_to_it() {
    let site = Site::new("client_certificates = \"optional\"\nclient_self_signed = true");
    let (mine, other) = (Certified::own(), Certified::own());
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = TlsClient::speaking(&site.own, &[version]);
        for (shown, expected) in [(Some(&mine), 200), (Some(&other), 401), (None, 401)] {
            let answer = site.gate.tunnel(client.shows(shown)).ask(&bound(&mine));
            assert_eq!(status(answer.as_ref()), expected, "{version:?}");
        }
    }
    // It says nothing of who the agent is.
    let svid = site.clients.client(&[BOT], 1);
    assert_eq!(status(site.showing(Some(&svid)).ask(&for_agent(BOT)).as_ref()), 401);
}

#[test]
fn an_svid_is_its_agent_and_its_user_must_still_say_so() {
    let mut site = Site::of_domain();
    let svid = site.clients.client(&[BOT], 1);
    let mut tunnel = site.showing(Some(&svid));
    for _again in 0..2 {
        assert_eq!(status(tunnel.ask(&for_agent(BOT)).as_ref()), 200);
    }
    let keyed = without_token(&json!({"cnf": {"x5t#S256": svid.thumbprint()}}));
    assert_eq!(status(tunnel.ask(&keyed).as_ref()), 200);
    for refused in [
        for_agent(&format!("{BOT}2")),
        without_token(&json!({})),
        without_token(&json!({"azp": BOT})),
        without_token(&json!({"may_act": {"sub": BOT}})),
    ] {
        assert_eq!(status(tunnel.ask(&refused).as_ref()), 401);
    }
    let nobody = call("content-type: application/json\r\n");
    assert_eq!(status(tunnel.ask(&nobody).as_ref()), 401);
    assert_eq!(status(site.showing(None).ask(&for_agent(BOT)).as_ref()), 401);
    assert_eq!(site.upstream.count(), 3);
    assert!(site.gate.stop().success());
    let intents: Vec<Value> = site
        .gate
        .audit()
        .into_iter()
        .filter(|record| record["kind"] == "intent")
        .collect();
    assert_eq!(intents[0]["agent"]["name"], "svid-bot", "{}", intents[0]);
    assert_eq!(site.audited("intent", "binding"), ["mtls"; 3]);
    assert_eq!(site.audited("intent", "link"), ["may_act", "may_act", "key"]);
}

#[test]
fn a_certificate_that_is_no_svid_is_no_agent() {
    let site = Site::of_domain();
    let authority = |params: &mut rcgen::CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let clients = &site.clients;
    for (what, certified) in [
        ("two URIs", clients.client(&[BOT, "spiffe://town.test/other"], 1)),
        (
            "two URIs of which one is of no domain",
            clients.client(&[BOT, "https://town.test/"], 2),
        ),
        ("no URI", clients.client(&[], 3)),
        ("another domain", clients.client(&["spiffe://other.test/bot"], 4)),
        ("no agent of ours", clients.client(&["spiffe://town.test/none"], 5)),
        ("an agent that needs a token", clients.client(&[&format!("{BOT}2")], 6)),
        (
            "signs certificates",
            clients.client_with(&[BOT], 7, |params| params.key_usages.push(KeyUsagePurpose::KeyCertSign)),
        ),
        (
            "does not say what for",
            clients.client_with(&[BOT], 8, |params| params.key_usages.clear()),
        ),
    ] {
        let mut tunnel = site.showing(Some(&certified));
        assert_eq!(status(tunnel.ask(&for_agent(BOT)).as_ref()), 401, "{what}");
        // For tokens that are bound to it, it is as good as any.
        assert_eq!(status(tunnel.ask(&bound(&certified)).as_ref()), 200, "{what}");
    }
    let certified = clients.client_with(&[BOT], 9, authority);
    assert!(
        site.showing(Some(&certified)).ask(&for_agent(BOT)).is_none(),
        "an authority"
    );
}

#[test]
fn a_token_comes_before_the_certificate() {
    let site = Site::of_domain();
    let svid = site.clients.client(&[BOT], 1);
    let user = Issuer::new().sign(&Issuer::new().claims("ada", &json!({"may_act": {"iss": DOMAIN, "sub": BOT}})));
    let mut tunnel = site.showing(Some(&svid));
    for agent in ["e30.e30.e30", &Issuer::new().agent("clerk-bot")] {
        let request = call(&modern_headers(agent, &user, "tools/call", "read"));
        assert_eq!(status(tunnel.ask(&request).as_ref()), 401);
    }
    assert_eq!(site.upstream.count(), 0);
}
