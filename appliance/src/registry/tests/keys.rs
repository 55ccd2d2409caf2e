//! Keys of agents in the text: one more, one less, and nothing else.

use super::*;

const TODAY: &str = "2026-11-18";

fn holder() -> String {
    SITE.replacen("issuer = \"embedded\"\ngroups", "issuer = \"api-key\"\ngroups", 1)
}

fn sha256(first: &str) -> String {
    format!("{first}{}", "0".repeat(64 - first.len()))
}

fn add_key(first: &str, expires: Option<&str>) -> Edit {
    Edit::AddKey {
        name: "quill".to_owned(),
        sha256: sha256(first),
        expires: expires.map(str::to_owned),
    }
}

fn drop_key(id: &str) -> Edit {
    Edit::DropKey {
        name: "quill".to_owned(),
        id: id.to_owned(),
    }
}

#[test]
fn a_key_is_added_and_dropped_and_every_other_byte_stays() {
    let old = holder();
    let one = apply(&old, &add_key("aaaaaaaa", None), NOW).unwrap();
    assert_eq!((one.before.as_deref(), one.after.as_str()), (Some("none"), "aaaaaaaa"));
    assert_eq!(
        new_lines(&old, &one.text),
        [format!(
            "api_keys = [{{ created = {TODAY}, expires = 2027-02-16, sha256 = \"{}\" }}]",
            sha256("aaaaaaaa")
        )]
    );
    let two = apply(&one.text, &add_key("bbbbbbbb", Some("2027-01-31T18:00:00Z")), NOW).unwrap();
    assert_eq!(two.after, "aaaaaaaa, bbbbbbbb");
    let config = config::of_text(Path::new("portreeve.toml"), two.text.clone()).unwrap();
    let quill = config.agents.iter().find(|agent| agent.name == "quill").unwrap();
    assert_eq!(quill.api_keys[1].expires.to_string(), "2027-01-31T18:00:00Z");

    let left = apply(&two.text, &drop_key("aaaaaaaa"), NOW).unwrap();
    assert_eq!(left.after, "bbbbbbbb");
    let none = apply(&left.text, &drop_key("bbbbbbbb"), NOW).unwrap();
    assert_eq!(none.after, "none");
    assert_eq!(new_lines(&old, &none.text), ["api_keys = []"]);
}

#[test]
fn a_third_key_waits_until_one_is_dropped_or_has_expired() {
    let text = edited(&holder(), &add_key("aaaaaaaa", Some("2026-11-20")));
    let text = edited(&text, &add_key("bbbbbbbb", None));
    let refused = apply(&text, &add_key("cccccccc", None), NOW).unwrap_err().to_string();
    assert!(
        refused.contains("has 2 keys already: aaaaaaaa, bbbbbbbb") && refused.contains("key drop quill ID"),
        "{refused}"
    );
    let later = NOW.saturating_add(std::time::Duration::from_secs(3 * 86_400));
    let third = apply(&text, &add_key("cccccccc", None), later).unwrap();
    assert_eq!(third.after, "bbbbbbbb, cccccccc");
}

#[test]
fn what_cannot_be_is_not_done() {
    let text = edited(&holder(), &add_key("aaaaaaaa", None));
    let refused = |text: &str, edit: &Edit| apply(text, edit, NOW).unwrap_err();
    assert!(
        refused(&text, &drop_key("bbbbbbbb"))
            .to_string()
            .contains("its keys: aaaaaaaa")
    );
    assert!(
        refused(&text, &add_key("bbbbbbbb", Some("2020-01-31")))
            .to_string()
            .contains("has passed already")
    );
    let unknown = Edit::DropKey {
        name: "quil".to_owned(),
        id: "aaaaaaaa".to_owned(),
    };
    assert!(matches!(refused(&text, &unknown), EditError::Unknown(..)));
    let with_comment = text.replace("api_keys = [", "api_keys = [ # mine\n");
    assert!(matches!(
        refused(&with_comment, &drop_key("aaaaaaaa")),
        EditError::ByHand(..)
    ));
}
