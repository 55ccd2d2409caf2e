//! Promises of the JSON reader and writer: what is refused, and that what is accepted has one reading.

mod differential;

use super::write::ArrayWriter;
use super::write::ObjectWriter;
use super::*;

fn refusal(text: &[u8]) -> Option<JsonError> {
    refusal_within(text, &Limits::MESSAGE)
}

fn refusal_within(text: &[u8], limits: &Limits) -> Option<JsonError> {
    parse(text, &mut Scratch::new(), limits).err()
}

/// Parses `text` and hands its root to `look`.
fn with<R>(text: &str, look: impl FnOnce(Value<'_>) -> R) -> R {
    let mut scratch = Scratch::new();
    let document = parse(text.as_bytes(), &mut scratch, &Limits::MESSAGE).expect(text);
    look(document.root())
}

#[test]
fn refuses_duplicate_names_at_any_depth_after_unescaping() {
    for text in [
        r#"{"name":1,"name":2}"#,
        r#"{"name":1,"na\u006de":2}"#,
        r#"{"params":{"name":"A","name":"B"}}"#,
        r#"{"a":[{"b":{"c":1,"c":1}}]}"#,
        r#"{"method":"a","params":{},"method":"b"}"#,
        r#"{"id":1,"id":2}"#,
        r#"{"\ud83d\ude00":1,"😀":2}"#,
    ] {
        assert_eq!(refusal(text.as_bytes()), Some(JsonError::DuplicateName), "{text}");
    }
}

#[test]
fn refuses_a_duplicate_in_an_object_too_large_to_compare_pairwise() {
    let members = |twin: &str| {
        let many: Vec<String> = (0..200).map(|n| format!("\"k{n}\":{{\"x\":[{n}]}}")).collect();
        format!("{{{},\"{twin}\":0}}", many.join(","))
    };
    assert_eq!(refusal(members("k7").as_bytes()), Some(JsonError::DuplicateName));
    assert_eq!(refusal(members("k200").as_bytes()), None);
}

#[test]
fn accepts_names_that_differ_in_case_normalisation_or_object() {
    for text in [
        r#"{"a":1,"A":2}"#,
        r#"{"\u00e9":1,"e\u0301":2}"#,
        r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#,
    ] {
        assert_eq!(refusal(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn refuses_nul_in_a_name_but_not_in_a_value() {
    assert_eq!(refusal(br#"{"name\u0000":1}"#), Some(JsonError::NulInName));
    assert_eq!(refusal(br#"[{"a":{"\u0000":1}}]"#), Some(JsonError::NulInName));
    assert_eq!(refusal(br#"{"name":"a\u0000"}"#), None);
}

#[test]
fn refuses_case_twins_of_known_names() {
    let known = ["name", "arguments", "task"];
    for (text, refused) in [
        (r#"{"name":1,"Name":2}"#, true),
        (r#"{"NAME":2}"#, true),
        (r#"{"ta\u017fk":1}"#, true),
        (r#"{"tas\u212a":1}"#, true),
        (r#"{"name":1,"arguments":{"Name":1}}"#, false),
        (r#"{"names":1,"nam":2,"n\u00e4me":3}"#, false),
    ] {
        let twins = with(text, |root| root.as_object().unwrap().refuse_case_twins(&known));
        assert_eq!(twins.is_err(), refused, "{text}");
    }
}

#[test]
fn refuses_unpaired_surrogates() {
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800x""#,
        r#""\ud800\u0041""#,
        r#""\ud800\ud800""#,
        r#""\udc00\ud800""#,
        r#"{"\ud800":1}"#,
    ] {
        assert_eq!(refusal(text.as_bytes()), Some(JsonError::Escape), "{text}");
    }
    assert_eq!(
        with(r#""\ud83d\ude00""#, |root| root.as_str().map(str::to_owned)),
        Some("😀".to_owned())
    );
}

#[test]
fn refuses_bytes_that_are_not_utf8_or_another_encoding() {
    assert_eq!(refusal(b"\xef\xbb\xbf{}"), Some(JsonError::ByteOrderMark));
    for text in [
        &b"\"\xff\""[..],
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xe2\x82\"",
        b"{\"\x80\":1}",
    ] {
        assert_eq!(refusal(text), Some(JsonError::Utf8), "{text:?}");
    }
    for endian in [u16::to_le_bytes, u16::to_be_bytes] {
        let wide: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(endian).collect();
        assert!(refusal(&wide).is_some());
    }
}

#[test]
fn refuses_everything_that_is_not_exactly_one_value() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[1",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "[1 2]",
        "{} {}",
        "{}x",
        "1 1",
        "null null",
        "// c\n{}",
        "{/* c */}",
        "[1] // c",
        "\"a",
        "\"\t\"",
        "\"a\nb\"",
        "tru",
        "nul",
        "True",
        "NaN",
        "[NaN]",
        "[Infinity]",
        "[-Infinity]",
        "[undefined]",
        "\u{a0}{}",
        "{}\0",
        "\\\"a\"",
        "[\"\\x41\"]",
    ] {
        assert!(refusal(text.as_bytes()).is_some(), "{text:?}");
    }
    for text in ["0", "null", "\"\"", " {} ", "\r\n\t[ ] ", "false", "{\"\":0}"] {
        assert_eq!(refusal(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn refuses_numbers_outside_the_grammar_or_the_range() {
    for text in [
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "-01",
        "0x10",
        "1_000",
        "--1",
        "1e400",
        "-1e400",
        "18446744073709551616",
        "-9223372036854775809",
        "1a",
        "00",
    ] {
        assert!(refusal(text.as_bytes()).is_some(), "{text}");
        assert!(refusal(format!("[{text}]").as_bytes()).is_some(), "[{text}]");
    }
    assert_eq!(refusal(b"[1e400]"), Some(JsonError::Number));
    assert_eq!(refusal(b"[18446744073709551616]"), Some(JsonError::Number));
}

#[test]
fn numbers_keep_the_text_that_the_sender_wrote() {
    for text in [
        "0",
        "-0",
        "1",
        "1.0",
        "1e2",
        "1E+2",
        "10.10",
        "0.1",
        "9007199254740993",
        "-9223372036854775808",
        "18446744073709551615",
        "1e-400",
        "123456789012345678901234567890.5",
        "3.1415926535897932384626433832795",
    ] {
        let exact = text.parse::<i128>().ok();
        with(&format!("{{ \"a\" : [ {text} , 1 ] , \"b\":{text}}}"), |root| {
            let items = root.get("a").and_then(Value::as_array).unwrap();
            for value in [items.iter().next().unwrap(), root.get("b").unwrap()] {
                let number = value.as_number().unwrap();
                assert_eq!(number.text(), text);
                assert_eq!(number.is_integer_literal(), exact.is_some(), "{text}");
                assert_eq!(
                    number.as_u64(),
                    exact.and_then(|exact| u64::try_from(exact).ok()),
                    "{text}"
                );
                assert_eq!(
                    number.as_i64(),
                    exact.and_then(|exact| i64::try_from(exact).ok()),
                    "{text}"
                );
            }
        });
    }
}

#[test]
fn refuses_what_exceeds_each_limit_and_takes_what_meets_it() {
    let limits = Limits {
        bytes: 64,
        depth: 3,
        values: 9,
        members: 2,
        name_bytes: 4,
    };
    for (text, expected) in [
        (" ".repeat(62) + "{}", None),
        (" ".repeat(63) + "{}", Some(JsonError::Bytes)),
        ("[[[]]]".to_owned(), None),
        ("[[{\"a\":[]}]]".to_owned(), Some(JsonError::Depth)),
        ("[[],[],[[]]]".to_owned(), None),
        ("[1,2,3,4,5,6,7,8]".to_owned(), None),
        ("[1,2,3,4,5,6,7,8,9]".to_owned(), Some(JsonError::Values)),
        ("{\"a\":1,\"b\":2}".to_owned(), None),
        ("{\"a\":1,\"b\":2,\"c\":3}".to_owned(), Some(JsonError::Members)),
        ("{\"abcd\":1}".to_owned(), None),
        ("{\"abcde\":1}".to_owned(), Some(JsonError::NameBytes)),
        ("[\"a,b,c,d,[,{,:,\\\",\\\\\",\",,,,,,,,,,,,\"]".to_owned(), None),
    ] {
        assert_eq!(refusal_within(text.as_bytes(), &limits), expected, "{text}");
    }
}

#[test]
fn refuses_deep_nesting_and_token_floods_before_they_cost_memory() {
    assert_eq!(refusal("[".repeat(2000).as_bytes()), Some(JsonError::Depth));
    assert_eq!(
        refusal(("[".repeat(65) + &"]".repeat(65)).as_bytes()),
        Some(JsonError::Depth)
    );
    assert_eq!(refusal(("[".repeat(64) + &"]".repeat(64)).as_bytes()), None);
    for flood in ["1 ", "[", ",", "\"\"", "]", "{}"] {
        let text = flood.repeat(300_000);
        assert_eq!(refusal(text.as_bytes()), Some(JsonError::Values), "{flood}");
    }
    // A quote that one reading takes as escaped, so that the flood behind it would hide in a string: the parser would
    // refuse it too, but only after it has kept memory for every comma.
    let hidden = format!("\\\"{}\"", ",".repeat(300_000));
    assert_eq!(
        check::before_parse(hidden.as_bytes(), &Limits::MESSAGE),
        Err(JsonError::Syntax)
    );
}

#[test]
fn raw_returns_the_exact_source_of_every_value() {
    let text = " { \"a\" : [ 1.50 , \"x\\\"]\\\\\" , { \"b\" : [ ] } , true ] ,\"c\": {\"d\":null} } ";
    with(text, |root| {
        assert_eq!(root.raw(), text.trim().as_bytes());
        let items: Vec<&[u8]> = root
            .get("a")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(Value::raw)
            .collect();
        assert_eq!(items, [&b"1.50"[..], b"\"x\\\"]\\\\\"", b"{ \"b\" : [ ] }", b"true"]);
        assert_eq!(root.path(&["c", "d"]).unwrap().raw(), b"null");
        assert_eq!(&text[root.get("c").unwrap().span()], "{\"d\":null}");
    });
}

#[test]
fn every_string_and_every_name_is_given_as_it_reads() {
    let text = r#"{"\u0061":["b\u002db",1,{"c":"\/"}],"d":null}"#;
    let mut scratch = Scratch::new();
    let document = parse(text.as_bytes(), &mut scratch, &Limits::MESSAGE).expect(text);
    let strings: Vec<&str> = document.strings().collect();
    assert_eq!(strings, ["a", "b-b", "c", "/", "d"]);
}

#[test]
fn a_scratch_serves_one_document_after_another_and_forgets_the_last() {
    let mut scratch = Scratch::new();
    for round in 0..3 {
        let text = format!("{{\"round\":[{round}.5,\"\\u0041{round}\"]}}");
        let document = parse(text.as_bytes(), &mut scratch, &Limits::MESSAGE).unwrap();
        let mut items = document.root().get("round").unwrap().as_array().unwrap().iter();
        assert_eq!(items.next().unwrap().raw(), format!("{round}.5").as_bytes());
        assert_eq!(items.next().unwrap().as_str().unwrap(), format!("A{round}"));
        assert_eq!(document.bytes(), text.as_bytes());
        drop(document);
        assert!(parse(b"{\"a\":1,\"a\":1}", &mut scratch, &Limits::MESSAGE).is_err());
        assert!(parse(b"[1,", &mut scratch, &Limits::MESSAGE).is_err());
    }
    assert!(scratch.kept.tape.0.capacity() > 0 && scratch.kept.spans.capacity() > 0);
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    drop(parse(large.as_bytes(), &mut scratch, &Limits::MESSAGE).unwrap());
    drop(parse(b"1", &mut scratch, &Limits::MESSAGE).unwrap());
    assert!(scratch.text.capacity() <= JSON_SCRATCH_KEPT_BYTES);
}

#[test]
fn writes_objects_that_read_back_equal() {
    let mut out = Vec::new();
    let mut object = ObjectWriter::new(&mut out);
    object
        .string("text", "a\"\\\n\r\t\u{1}\u{1f}é😀")
        .optional_string("absent", None)
        .number_u64("u", u64::MAX)
        .number_i64("i", i64::MIN)
        .boolean("b", true)
        .null("n")
        .raw("r", b"[1.0]")
        .object("o", |inner| {
            inner.string("k", "v");
        })
        .array("a", |items| {
            items.string("x").number_u64(1).raw(b"{}").object(|_| {});
        });
    object.finish();
    let expected = r#"{"text":"a\"\\\n\r\t\u0001\u001fé😀","u":18446744073709551615,"i":-9223372036854775808,"b":true,"n":null,"r":[1.0],"o":{"k":"v"},"a":["x",1,{},{}]}"#;
    assert_eq!(core::str::from_utf8(&out).unwrap(), expected);
    assert_eq!(refusal(&out), None);
    let mut empty = Vec::new();
    ArrayWriter::new(&mut empty).finish();
    assert_eq!(empty, b"[]");
}
