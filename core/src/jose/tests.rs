//! What keys, key sets and headers have to refuse, and the published examples of their specifications.

use super::Algorithm;
use super::jwk::KeyFault;
use super::jwk::PublicKey;
use super::jwks::Dropped;
use super::jwks::JwksError;
use super::jwks::KeySet;
use super::jws::Compact;
use super::jws::Header;
use super::jws::JwsError;
use crate::jose::base64url;
use crate::json::Scratch;
use crate::limits::JWKS_BYTES_MAX;

/// RFC 7638 3.1.
const RSA_MODULUS: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKR\
    XjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zg\
    dAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8aw\
    apJzKnqDKgw";

/// RFC 8037 A.2.
const ED25519: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

/// RFC 7517 A.1.
const P256: &str = r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;

fn set(keys: &[String]) -> KeySet {
    KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap()
}

fn rsa(members: &str) -> String {
    format!(r#"{{"kid":"1","kty":"RSA","n":"{RSA_MODULUS}","e":"AQAB"{members}}}"#)
}

#[test]
fn thumbprints_are_those_of_the_specifications() {
    let thumbprint = |jwk: String| base64url::encode(&set(&[jwk]).keys()[0].public().thumbprint());
    assert_eq!(
        thumbprint(rsa(r#","alg":"RS256""#)),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    assert_eq!(
        thumbprint(format!(r#"{{"kid":"1",{ED25519}}}"#)),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}

#[test]
fn drops_each_doubtful_key_and_says_why() {
    let short = format!(r#""kty":"RSA","n":"{}","e":"AQAB""#, base64url::encode(&[0xff; 128]));
    let even = format!(r#""kty":"RSA","n":"{}","e":"AQAB""#, base64url::encode(&[0xfe; 256]));
    let padded = format!(
        r#""kty":"RSA","n":"{}","e":"AQAB""#,
        base64url::encode(&[&[0], &[0xff; 256][..]].concat())
    );
    let huge = format!(r#""kty":"RSA","n":"{}","e":"AQAB""#, base64url::encode(&[0xff; 1025]));
    let cases = [
        (r#""kty":"oct","k":"AAAA""#.to_owned(), KeyFault::Symmetric),
        (format!(r#"{ED25519},"d":"AAAA""#), KeyFault::Private),
        (format!(r#"{P256},"k":"AAAA""#), KeyFault::Private),
        (format!(r#"{P256},"use":"enc""#), KeyFault::Use),
        (format!(r#"{P256},"use":1"#), KeyFault::Use),
        (format!(r#"{P256},"key_ops":["deriveKey"]"#), KeyFault::Use),
        (format!(r#"{P256},"key_ops":"verify""#), KeyFault::Use),
        (format!(r#"{P256},"alg":"ES384""#), KeyFault::Algorithm),
        (format!(r#"{P256},"alg":"HS256""#), KeyFault::Algorithm),
        (format!(r#"{P256},"alg":null"#), KeyFault::Algorithm),
        (P256.replace("P-256", "P-384"), KeyFault::Encoding),
        (P256.replace("P-256", "secp256k1"), KeyFault::Type),
        (ED25519.replace("Ed25519", "Ed448"), KeyFault::Type),
        (ED25519.replace("OKP", "XYZ"), KeyFault::Type),
        (ED25519.replace("Ro\"", "Rp\""), KeyFault::Encoding),
        (ED25519.replace("\"x\"", "\"y\""), KeyFault::Shape),
        (short, KeyFault::Strength),
        (huge, KeyFault::Strength),
        (even, KeyFault::Encoding),
        (padded, KeyFault::Encoding),
        (
            format!(r#""kty":"RSA","n":"{RSA_MODULUS}","e":"Aw""#),
            KeyFault::Strength,
        ),
        (
            format!(r#""kty":"RSA","n":"{RSA_MODULUS}","e":"AQAAAAAAAAAB""#),
            KeyFault::Strength,
        ),
    ];
    for (members, fault) in cases {
        let keys = set(&[format!(r#"{{"kid":"1",{members}}}"#)]);
        assert_eq!(keys.dropped(), [Dropped { index: 0, fault }], "{members}");
        assert!(keys.get("1").is_none(), "{members}");
    }
    for kid in [
        "",
        r#""kid":"","#,
        r#""kid":7,"#,
        &format!(r#""kid":"{}","#, "k".repeat(257)),
    ] {
        let keys = set(&[format!("{{{kid}{P256}}}")]);
        assert_eq!(
            keys.dropped(),
            [Dropped {
                index: 0,
                fault: KeyFault::Kid
            }],
            "{kid}"
        );
    }
}

#[test]
fn keys_of_one_kid_are_all_dropped() {
    let keys = set(&[
        format!(r#"{{"kid":"a",{P256}}}"#),
        format!(r#"{{"kid":"b",{P256}}}"#),
        format!(r#"{{"kid":"a",{ED25519}}}"#),
    ]);
    let fault = KeyFault::DuplicateKid;
    assert_eq!(
        keys.dropped(),
        [Dropped { index: 0, fault }, Dropped { index: 2, fault }]
    );
    assert!(keys.get("a").is_none());
    assert!(keys.get("b").is_some());
}

#[test]
fn a_document_that_is_no_key_set_is_refused_as_a_whole() {
    for document in ["{}", "[]", r#"{"keys":{}}"#, r#"{"keys":null}"#] {
        assert_eq!(
            KeySet::parse(document.as_bytes()).unwrap_err(),
            JwksError::Shape,
            "{document}"
        );
    }
    let many = vec!["{}"; 101].join(",");
    assert_eq!(
        KeySet::parse(format!(r#"{{"keys":[{many}]}}"#).as_bytes()).unwrap_err(),
        JwksError::Keys
    );
    let long = format!("{{\"keys\":[]}}{}", " ".repeat(JWKS_BYTES_MAX));
    for document in ["", "{\"keys\":[]", "{\"keys\":[],\"keys\":[]}", &long] {
        assert!(matches!(KeySet::parse(document.as_bytes()), Err(JwksError::Json(_))));
    }
    assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().keys().is_empty());
}

#[test]
fn a_key_has_one_algorithm_whatever_a_token_says() {
    let both = [Algorithm::Es256, Algorithm::Ps256, Algorithm::Rs256];
    let declared = set(&[rsa(r#","alg":"RS256""#)]);
    assert_eq!(declared.keys()[0].algorithm(&both), Some(Algorithm::Rs256));
    let undeclared = set(&[rsa("")]);
    assert_eq!(undeclared.keys()[0].algorithm(&both), Some(Algorithm::Ps256));
    assert_eq!(undeclared.keys()[0].algorithm(&[Algorithm::EdDsa]), None);
    let edwards = PublicKey::ed25519([0; 32]);
    assert!(edwards.fits(Algorithm::EdDsa) && !edwards.fits(Algorithm::Es256));
    assert!(edwards.verify(Algorithm::Es256, b"", &[0; 64]).is_err());
}

#[test]
fn points_have_one_encoding() {
    assert!(PublicKey::from_point(&[&[4], &[1; 64][..]].concat()).is_ok());
    assert!(PublicKey::from_point(&[&[4], &[1; 96][..]].concat()).is_ok());
    for point in [&[][..], &[4], &[2; 33], &[3; 65], &[4; 66]] {
        assert_eq!(PublicKey::from_point(point).unwrap_err(), KeyFault::Encoding);
    }
}

#[test]
fn a_compact_token_has_three_segments_of_base64url() {
    let token = Compact::split(b"aa.bb.cc").unwrap();
    assert_eq!((token.header(), token.payload()), (&b"aa"[..], &b"bb"[..]));
    for token in ["", "..", "aa.bb", "aa.bb.", ".bb.cc", "aa.bb.cc.", "aa.bb.cc.dd.ee"] {
        assert_eq!(
            Compact::split(token.as_bytes()).err(),
            Some(JwsError::Segments),
            "{token}"
        );
    }
    for token in ["aa.b b.cc", "aa.bb.cc\n", "aa.bb=.cc", "{\"a\":1}", "aa.bb.c\u{e9}"] {
        assert_eq!(
            Compact::split(token.as_bytes()).err(),
            Some(JwsError::Charset),
            "{token}"
        );
    }
    assert_eq!(Compact::split(&[b'a'; 8193]).err(), Some(JwsError::TooLong));
}

#[test]
fn a_header_is_read_strictly() {
    let read = |header: &str| {
        let token = format!("{}.aa.aa", base64url::encode(header.as_bytes()));
        Header::read(
            &Compact::split(token.as_bytes()).unwrap(),
            &mut Vec::new(),
            &mut Scratch::new(),
        )
    };
    let good = read(r#"{"alg":"ES256","kid":"k","typ":"at+jwt","x5t":"AA"}"#).unwrap();
    assert_eq!(good.algorithm, Some(Algorithm::Es256));
    assert_eq!((good.kid.as_deref(), good.typ.as_deref()), (Some("k"), Some("at+jwt")));
    assert_eq!(read(r#"{"alg":"none"}"#).unwrap().algorithm, None);
    for member in ["crit", "b64", "zip", "jku", "x5u", "x5c", "jwk", "cty"] {
        let header = format!(r#"{{"alg":"ES256","{member}":null}}"#);
        assert_eq!(read(&header), Err(JwsError::HeaderForbidden), "{member}");
    }
    for header in [
        r#"{}"#,
        r#"{"alg":1}"#,
        r#"{"alg":"ES256","kid":1}"#,
        r#"{"alg":"ES256","typ":null}"#,
    ] {
        assert_eq!(read(header), Err(JwsError::HeaderShape), "{header}");
    }
    let long = format!(r#"{{"alg":"ES256","note":"{}"}}"#, "n".repeat(1024));
    for header in ["[]", "\"alg\"", r#"{"alg":"ES256","alg":"ES256"}"#, &long] {
        assert_eq!(read(header), Err(JwsError::HeaderEncoding), "{header}");
    }
}
