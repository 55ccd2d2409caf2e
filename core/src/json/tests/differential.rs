//! The reader against serde_json: what is accepted means the same there, and what serde_json writes is accepted.

use proptest::prelude::*;
use serde_json::Value as Peer;

use super::super::*;

/// The content of `value` as the peer holds it. Numbers go through their source text.
fn content(value: Value<'_>) -> Peer {
    match value.kind() {
        Kind::Null => Peer::Null,
        Kind::Bool => Peer::Bool(value.as_bool().unwrap()),
        Kind::Number => serde_json::from_str(value.as_number().unwrap().text()).unwrap(),
        Kind::String => Peer::String(value.as_str().unwrap().to_owned()),
        Kind::Array => Peer::Array(value.as_array().unwrap().iter().map(content).collect()),
        Kind::Object => {
            let object = value.as_object().unwrap();
            let members = object.iter().map(|(name, value)| (name.to_owned(), content(value)));
            let map: serde_json::Map<String, Peer> = members.collect();
            assert_eq!(map.len(), object.len());
            Peer::Object(map)
        }
    }
}

/// Asserts that an accepted text has one reading, and that every value's source text has the same one.
fn agrees_with_peer(text: &[u8]) -> bool {
    let mut scratch = Scratch::new();
    let Ok(document) = parse(text, &mut scratch, &Limits::MESSAGE) else {
        return false;
    };
    let peer: Peer = serde_json::from_slice(text).expect("the peer accepts what is accepted here");
    assert_eq!(content(document.root()), peer);
    let reread: Peer = serde_json::from_slice(document.root().raw()).expect("the source of a value is a JSON text");
    assert_eq!(reread, peer);
    true
}

fn any_json() -> impl Strategy<Value = Peer> {
    let leaf = prop_oneof![
        Just(Peer::Null),
        any::<bool>().prop_map(Peer::from),
        any::<i64>().prop_map(Peer::from),
        any::<u64>().prop_map(Peer::from),
        any::<f64>().prop_map(Peer::from),
        any::<String>().prop_map(Peer::from),
    ];
    leaf.prop_recursive(6, 64, 24, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..24).prop_map(Peer::from),
            proptest::collection::hash_map("[^\0]{0,6}", inner, 0..24)
                .prop_map(|members| Peer::Object(members.into_iter().collect())),
        ]
    })
}

/// Text that is nearly JSON: the tokens of the grammar and their usual corruptions, in any order.
fn token_soup() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"\\u0061\""),
        Just("\"b\""),
        Just("1"),
        Just("-0"),
        Just("1.0"),
        Just("1e5"),
        Just("1e400"),
        Just("01"),
        Just("true"),
        Just("nul"),
        Just("null"),
        Just(" "),
        Just("\n"),
        Just("\\"),
        Just("\""),
        Just("\"\\ud800\""),
        Just("/**/"),
        Just("\u{feff}"),
        Just("18446744073709551616"),
    ];
    proptest::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat())
}

/// Writes `value`, with the first member of its `countdown`th non-empty object written a second time at the end of it,
/// the name spelt in escapes. Returns nothing when there are fewer such objects, by leaving `countdown` in place.
fn write_with_duplicate(value: &Peer, countdown: &mut Option<usize>, out: &mut String) {
    match value {
        Peer::Object(members) => {
            let here = !members.is_empty() && *countdown == Some(0);
            if !members.is_empty() {
                *countdown = countdown.and_then(|left| left.checked_sub(1));
            }
            let mut written = Vec::new();
            for (name, inner) in members {
                let mut text = Peer::from(name.as_str()).to_string() + ":";
                write_with_duplicate(inner, countdown, &mut text);
                written.push(text);
            }
            if let Some(name) = members.keys().next().filter(|_| here) {
                let escaped: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
                written.push(format!("\"{escaped}\":null"));
            }
            *out += &format!("{{{}}}", written.join(","));
        }
        Peer::Array(items) => {
            let mut written = Vec::new();
            for inner in items {
                let mut text = String::new();
                write_with_duplicate(inner, countdown, &mut text);
                written.push(text);
            }
            *out += &format!("[{}]", written.join(","));
        }
        leaf => *out += &leaf.to_string(),
    }
}

proptest! {
    #[test]
    fn what_the_peer_writes_is_accepted_with_equal_content(value in any_json()) {
        prop_assert!(agrees_with_peer(value.to_string().as_bytes()));
        prop_assert!(agrees_with_peer(serde_json::to_string_pretty(&value).unwrap().as_bytes()));
    }

    #[test]
    fn a_duplicate_name_is_refused_in_whichever_object_it_is(value in any_json(), nth in 0_usize..6) {
        let (mut text, mut countdown) = (String::new(), Some(nth));
        write_with_duplicate(&value, &mut countdown, &mut text);
        let refused = parse(text.as_bytes(), &mut Scratch::new(), &Limits::MESSAGE).err();
        prop_assert_eq!(refused, countdown.is_none().then_some(JsonError::DuplicateName), "{}", text);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_are_never_read_otherwise_than_by_the_peer(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        agrees_with_peer(&bytes);
    }

    #[test]
    fn token_soup_is_never_read_otherwise_than_by_the_peer(text in token_soup()) {
        agrees_with_peer(text.as_bytes());
    }

    #[test]
    fn a_flipped_byte_is_never_read_otherwise_than_by_the_peer(
        value in any_json(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut text = value.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        agrees_with_peer(&text);
    }
}
