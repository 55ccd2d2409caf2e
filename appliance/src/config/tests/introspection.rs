//! Which issuers may be asked about opaque tokens, and how.

use super::*;
use crate::config::credential::Client;

const IDP: &str = "https://idp.example";

fn issuer(more: &str) -> String {
    with(&format!(
        "[issuers.idp]\nissuer = \"{IDP}\"\ntokens = [\"user\"]\n{more}\n"
    ))
}

fn asked(more: &str) -> String {
    issuer(&format!("introspection = {{ {more} }}"))
}

#[test]
fn an_issuer_is_asked_as_the_operator_says() {
    let asked_of = |more: &str| parsed(&asked(more)).unwrap().issuers.remove(0).introspection.unwrap();
    let least = asked_of("client_id = \"gate\", secret = \"idp\"");
    assert_eq!((least.party.client, least.party.endpoint), (Client::SecretBasic, None));
    assert_eq!((&*least.party.issuer, &*least.prefix), (IDP, ""));
    let more = asked_of(
        "client_id = \"gate\", client_auth = \"mtls\", certificate = \"c\", key = \"k\", ca_file = \"ca\", \
         endpoint = \"https://other.example/i\", prefix = \"at_\"",
    );
    assert_eq!(more.party.endpoint.unwrap().to_string(), "https://other.example/i");
    assert_eq!((more.party.client, &*more.prefix), (Client::Mtls, "at_"));
    assert_eq!(more.party.ca_file.unwrap(), Path::new("/etc/portreeve/ca"));
    let config = parsed(&asked("client_id = \"gate\", secret = \"idp\"")).unwrap();
    assert_eq!(config.users_of_secret("idp"), ["idp"]);
    assert!(parsed(&issuer("")).unwrap().issuers[0].introspection.is_none());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    for (more, said) in [
        ("secret = \"idp\"", "client_id"),
        ("client_id = \"gate\"", "does not fit its keys"),
        ("client_id = \"gate\", secret = \"idp\", unknown = 1", "unknown"),
        (
            "client_id = \"gate\", secret = \"not a name\"",
            "not the name of a secret",
        ),
        (
            "client_id = \"gate\", client_auth = \"private_key_jwt\"",
            "no key of its own",
        ),
        ("client_id = \"gate\", client_auth = \"mtls\"", "needs a certificate"),
        (
            "client_id = \"gate\", secret = \"idp\", endpoint = \"http://idp.example/i\"",
            "is not https",
        ),
        (
            "client_id = \"gate\", secret = \"idp\", prefix = \"prk_\"",
            "API keys of agents begin with this",
        ),
        (
            "client_id = \"gate\", secret = \"idp\", prefix = \"\"",
            "no token begins",
        ),
        (
            "client_id = \"gate\", secret = \"idp\", prefix = \"a b\"",
            "no token begins",
        ),
    ] {
        let fault = fault(&asked(more));
        assert!(fault.contains(said), "{more}: {fault}");
    }
}

#[test]
fn issuers_whose_opaque_tokens_cannot_be_told_apart_are_refused() {
    let pair = |one: &str, other: &str, roles: &str| {
        let table = |name: &str, prefix: &str, roles: &str| {
            let prefix = match prefix {
                "" => String::new(),
                prefix => format!(", prefix = \"{prefix}\""),
            };
            format!(
                "[issuers.{name}]\nissuer = \"https://{name}.example\"\ntokens = [{roles}]\n\
                 introspection = {{ client_id = \"gate\", secret = \"idp\"{prefix} }}\n"
            )
        };
        with(&format!(
            "{}{}",
            table("one", one, "\"user\""),
            table("two", other, roles)
        ))
    };
    for (one, other) in [("", ""), ("a_", ""), ("", "a_"), ("a_", "a_"), ("a_", "a_b")] {
        let fault = fault(&pair(one, other, "\"user\", \"agent\""));
        assert!(fault.contains("cannot be told from those of `one`"), "{fault}");
        assert!(parsed(&pair(one, other, "\"agent\"")).is_ok(), "they never meet");
    }
    assert!(parsed(&pair("a_", "b_", "\"user\"")).is_ok());
}
