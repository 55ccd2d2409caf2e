//! JSON against serde_json: every text that is accepted here, serde_json accepts with the same content.

use crate::json::Document;
use crate::json::Limits;
use crate::json::Scratch;
use crate::json::Value;
use crate::json::parse;

/// Reads `bytes` under each profile; what is accepted must hold what serde_json reads.
pub fn json(bytes: &[u8]) {
    let mut scratch = Scratch::new();
    for limits in [Limits::MESSAGE, Limits::TOKEN, Limits::REPLY] {
        if let Ok(document) = parse(bytes, &mut scratch, &limits) {
            agrees_with_serde(bytes, &document);
        }
    }
}

fn agrees_with_serde(bytes: &[u8], document: &Document<'_>) {
    match serde_json::from_slice(bytes) {
        Ok(theirs) => same(document.root(), &theirs),
        // It rounds roughly, and takes some numbers next to the largest double for infinite.
        Err(error) if error.to_string().starts_with("number out of range") => finite(document.root()),
        Err(error) => panic!("serde_json refuses what is accepted: {error}"),
    }
}

/// Checks with the standard library's exact rounding that every number is one.
fn finite(value: Value<'_>) {
    if let Some(number) = value.as_number() {
        assert!(number.text().parse::<f64>().is_ok_and(f64::is_finite));
    }
    value
        .as_array()
        .into_iter()
        .flat_map(|array| array.iter())
        .for_each(finite);
    let members = value.as_object().into_iter().flat_map(|object| object.iter());
    members.for_each(|(_, value)| finite(value));
}

/// Compares a value, and the exact bytes that it claims to be made of.
fn same(ours: Value<'_>, theirs: &serde_json::Value) {
    use serde_json::Value as Theirs;
    match theirs {
        Theirs::Null => assert!(ours.is_null()),
        Theirs::Bool(value) => assert_eq!(ours.as_bool(), Some(*value)),
        Theirs::String(value) => assert_eq!(ours.as_str(), Some(value.as_str())),
        Theirs::Number(value) => {
            let Some(number) = ours.as_number() else {
                panic!("no number")
            };
            let reread = serde_json::from_str::<serde_json::Number>(number.text());
            assert_eq!(reread.ok().as_ref(), Some(value));
            // serde_json keeps the sign of minus zero, and so makes it a float.
            if number.text() != "-0" {
                assert_eq!((ours.as_i64(), ours.as_u64()), (value.as_i64(), value.as_u64()));
            }
        }
        Theirs::Array(items) => {
            let Some(array) = ours.as_array() else {
                panic!("no array")
            };
            assert_eq!(array.len(), items.len());
            array.iter().zip(items).for_each(|(ours, theirs)| same(ours, theirs));
        }
        Theirs::Object(members) => {
            let Some(object) = ours.as_object() else {
                panic!("no object")
            };
            assert_eq!(object.len(), members.len());
            for (name, value) in object.iter() {
                let Some(theirs) = members.get(name) else {
                    panic!("member of nobody else")
                };
                same(value, theirs);
            }
        }
    }
    assert_eq!(
        serde_json::from_slice::<Theirs>(ours.raw()).ok().as_ref(),
        Some(theirs),
        "raw bytes"
    );
}
