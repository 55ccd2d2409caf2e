//! One more API key of an agent in the text, or one less. Never sees a key, only digests.
//!
//! The list of keys is written anew as a whole; one with comments in it is left to a person.

use portreeve_core::identity::ApiKey;
use portreeve_core::limits::API_KEYS_PER_AGENT_MAX;
use portreeve_core::time::UnixTime;
use toml::value::Datetime;
use toml::{Table, Value};

use super::{Applied, EditError, by_hand, coming_end, set};
use crate::admin::contract::Edit;
use crate::config::api_key::digest;
use crate::config::date::{Day, Expiry};
use crate::registry::splice::Written;

/// The key of the list in `[agents.NAME]`.
const KEYS: &str = "api_keys";
/// Days that a key is good for, unless it is said.
const KEY_DAYS: u32 = 90;

/// Adds the key with this digest; keys that have expired go.
pub(super) fn add(
    text: &str,
    written: &Written<'_>,
    edit: &Edit,
    (sha256, expires): (&str, Option<&str>),
    now: UnixTime,
) -> Result<Applied, EditError> {
    let present = present(text, written, edit)?;
    let mut keys: Vec<Value> = present.iter().filter(|key| !has_expired(key, now)).cloned().collect();
    let (_, name) = edit.subject();
    if keys.len() >= API_KEYS_PER_AGENT_MAX {
        return Err(EditError::Value(
            format!(
                "agent `{name}` has {API_KEYS_PER_AGENT_MAX} keys already: {}",
                ids(&keys)
            ),
            format!("`portreeve agent key drop {name} ID` drops the one that nobody uses any more"),
        ));
    }
    let day = Day::of(now);
    let expires = expires.map_or_else(|| day.plus(KEY_DAYS).to_string(), str::to_owned);
    let key = [
        ("sha256", Value::String(sha256.to_owned())),
        ("created", super::date_value(&day.to_string())?),
        ("expires", coming_end(&expires, now)?),
    ];
    let key: Table = key.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    keys.push(Value::Table(key));
    put(text, written, edit, &present, keys)
}

/// Drops the key of that name.
pub(super) fn drop_one(text: &str, written: &Written<'_>, edit: &Edit, id: &str) -> Result<Applied, EditError> {
    let present = present(text, written, edit)?;
    let keys: Vec<Value> = present
        .iter()
        .filter(|key| id_of(key).as_deref() != Some(id))
        .cloned()
        .collect();
    if keys.len() == present.len() {
        let (_, name) = edit.subject();
        return Err(EditError::Value(
            format!("agent `{name}` has no key `{}`", id.escape_debug()),
            format!("its keys: {}", ids(&present)),
        ));
    }
    put(text, written, edit, &present, keys)
}

fn put(
    text: &str,
    written: &Written<'_>,
    edit: &Edit,
    present: &[Value],
    keys: Vec<Value>,
) -> Result<Applied, EditError> {
    let (before, after) = (ids(present), ids(&keys));
    let applied = set(text, written, edit, Some(before), (KEYS, Value::Array(keys)))?;
    Ok(Applied { after, ..applied })
}

/// The keys that the agent has.
fn present(text: &str, written: &Written<'_>, edit: &Edit) -> Result<Vec<Value>, EditError> {
    let (noun, name) = edit.subject();
    // No value of a key has this sign in it.
    if written
        .raw(super::group(noun), name, KEYS)
        .is_some_and(|list| list.contains('#'))
    {
        return Err(by_hand(edit));
    }
    let document: Table = text.parse().map_err(|_| by_hand(edit))?;
    let keys = document
        .get(super::group(noun))
        .and_then(|agents| agents.get(name)?.get(KEYS)?.as_array());
    Ok(keys.cloned().unwrap_or_default())
}

fn has_expired(key: &Value, now: UnixTime) -> bool {
    let written = key.get("expires").and_then(Value::as_datetime);
    let expires = written.and_then(|written: &Datetime| Expiry::try_from(*written).ok());
    expires.is_some_and(|expires| expires.at() <= now)
}

fn id_of(key: &Value) -> Option<String> {
    let sha256 = digest(key.get("sha256")?.as_str()?)?;
    Some(ApiKey::id(&sha256))
}

fn ids(keys: &[Value]) -> String {
    let ids: Vec<String> = keys.iter().filter_map(id_of).collect();
    if ids.is_empty() {
        "none".to_owned()
    } else {
        ids.join(", ")
    }
}
