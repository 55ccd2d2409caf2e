//! Certificates of clients: asked for only where it is said which ones are good, and enough for an agent only where an
//! authority vouches for them.

use super::*;
use crate::config::certificates::Vouching;

fn tls(keys: &str) -> String {
    with(&format!("[gate.tls]\ncertificate = \"c\"\nkey = \"k\"\n{keys}\n"))
}

fn asked(keys: &str) -> Option<(bool, Vouching)> {
    let asked = parsed(&tls(keys)).unwrap().gate.client_certificates?;
    Some((asked.required, asked.vouching))
}

#[test]
fn no_client_is_asked_for_a_certificate_unless_it_says_so() {
    assert_eq!(asked(""), None);
    assert_eq!(asked("client_certificates = \"off\"\nclient_self_signed = false"), None);
    let authorities = |revoked: Option<&str>| Vouching::Authorities {
        roots: "/etc/portreeve/ca.pem".into(),
        revoked: revoked.map(PathBuf::from),
    };
    assert_eq!(
        asked("client_certificates = \"optional\"\nclient_ca_file = \"ca.pem\""),
        Some((false, authorities(None)))
    );
    assert_eq!(
        asked("client_certificates = \"required\"\nclient_ca_file = \"ca.pem\"\nclient_crl_file = \"/crl.pem\""),
        Some((true, authorities(Some("/crl.pem"))))
    );
    assert_eq!(
        asked("client_certificates = \"required\"\nclient_self_signed = true"),
        Some((true, Vouching::Nobody))
    );
}

#[test]
fn each_server_is_shown_a_certificate_of_its_own_or_none() {
    let server = |name: &str, keys: &str| format!("[servers.{name}]\nurl = \"https://{name}.example/mcp\"\n{keys}\n");
    let shown = "certificate = \"a.pem\"\nkey = \"a.key\"";
    let config = parsed(&with(&[server("a", shown), server("b", "")].concat())).unwrap();
    let identity = |name: &str| {
        config
            .servers
            .iter()
            .find(|server| server.name == name)
            .unwrap()
            .identity
            .clone()
    };
    let files = identity("a").map(|tls| (tls.certificate, tls.key));
    assert_eq!(
        files,
        Some(("/etc/portreeve/a.pem".into(), "/etc/portreeve/a.key".into()))
    );
    assert!(identity("b").is_none());

    let plain = server("a", shown).replace("https://a.example", "http://127.0.0.1:1");
    for (servers, message) in [
        (server("a", "certificate = \"a.pem\""), "a certificate needs its key"),
        (server("a", "key = \"a.key\""), "a certificate needs its key"),
        (plain, "a certificate is only shown over TLS"),
        (
            [
                server("a", shown),
                server("b", "certificate = \"b.pem\"\nkey = \"./a.key\""),
            ]
            .concat(),
            "`a` is shown a certificate with the same key",
        ),
    ] {
        let fault = fault(&with(&servers));
        assert!(fault.contains(message), "{servers}: {fault}");
    }
}

#[test]
fn what_makes_a_certificate_good_is_said_and_said_once() {
    for (keys, message) in [
        (
            "client_certificates = \"optional\"",
            "nothing says which certificates of clients are good",
        ),
        ("client_ca_file = \"ca.pem\"", "no client is asked for a certificate"),
        ("client_crl_file = \"crl.pem\"", "no client is asked for a certificate"),
        ("client_self_signed = true", "no client is asked for a certificate"),
        (
            "client_certificates = \"optional\"\nclient_ca_file = \"ca.pem\"\nclient_self_signed = true",
            "with client_ca_file an authority must vouch for each certificate",
        ),
        (
            "client_certificates = \"optional\"\nclient_crl_file = \"crl.pem\"\nclient_self_signed = true",
            "nobody lists what is revoked of these",
        ),
    ] {
        let fault = fault(&tls(keys));
        assert!(fault.contains(message), "{keys}: {fault}");
    }
    assert!(parsed(&tls("client_certificates = \"always\"")).is_err());
}

#[test]
fn a_certificate_is_enough_for_an_agent_of_a_trust_domain_that_an_authority_vouches_for() {
    let agent = |profile: &str, keys: &str| {
        format!(
            "{}[issuers.domain]\nissuer = \"spiffe://town.example\"\n{profile}jwks_file = \"f\"\ntokens = [\"agent\"]\n\
             [agents.bot]\nissuer = \"domain\"\nsubject = \"spiffe://town.example/bot\"\nx509 = true\n",
            tls(keys)
        )
    };
    let (spiffe, on) = ("profile = \"spiffe\"\n", "client_certificates = \"optional\"\n");
    let vouched = format!("{on}client_ca_file = \"ca.pem\"");
    assert!(parsed(&agent(spiffe, &vouched)).unwrap().agents[0].x509);
    let unvouched = "no authority vouches for certificates of clients here";
    assert!(fault(&agent(spiffe, "")).contains(unvouched));
    assert!(fault(&agent(spiffe, &format!("{on}client_self_signed = true"))).contains(unvouched));
    let other = fault(&agent("", &vouched));
    assert!(other.contains("only an X.509-SVID says who an agent is"), "{other}");
    let off = agent("", "").replace("x509 = true", "x509 = false");
    assert!(!parsed(&off).unwrap().agents[0].x509);
}
