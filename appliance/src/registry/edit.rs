//! What each edit of the registry means for the text of the configuration. Pure; whether the result is a valid
//! configuration is not judged here.
//!
//! After every edit both texts are read again and must differ in the intended keys only; a text that this module does
//! not understand well enough is left to a person.

mod keys;

use std::fmt;
use std::path::PathBuf;

use portreeve_core::time::UnixTime;
use toml::{Table, Value};

use super::splice::Written;
use crate::admin::contract::{Edit, NewAgent, NewServer, Noun, State};
use crate::config::date::{Day, Expiry};
use crate::config::diagnostic::unknown_name;

/// Days from one review to the next, unless it is said.
const REVIEW_DAYS: u32 = 90;

/// The text after an edit, and what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The whole text.
    pub text: String,
    /// What stood there before, in words; `None` where there was nothing.
    pub before: Option<String>,
    /// What stands there now.
    pub after: String,
}

impl Applied {
    /// Whether anything is different.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.before.as_ref() != Some(&self.after)
    }
}

/// Why an edit cannot be made. Says what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditError {
    /// There is none of that name.
    Unknown(Noun, String, Vec<String>),
    /// There is one of that name already.
    Exists(Noun, String),
    /// It was revoked, which is for good.
    Revoked(Noun, String),
    /// A value cannot be used: `message`, `hint`.
    Value(String, String),
    /// No change by command is kept.
    NothingToUndo,
    /// The last change, in words, is for good.
    Final(String),
    /// Something else changed the file after the last change; the text before it is in this file.
    ChangedSince(String, PathBuf),
    /// The file is written in a way that this cannot change: the table and the line to write.
    ByHand(String, String),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(noun, name, known) => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                f.write_str(&unknown_name(noun.word(), name, &known))
            }
            Self::Exists(noun, name) => write!(
                f,
                "there is {} `{name}` already\n  hint: choose another name; `portreeve {noun} show {name}` shows what has this one",
                with_article(*noun)
            ),
            Self::Revoked(noun, name) => write!(
                f,
                "{noun} `{name}` is revoked, which is for good\n  hint: change its state in the file by hand if it is to come back"
            ),
            Self::Value(message, hint) => write!(f, "{message}\n  hint: {hint}"),
            Self::NothingToUndo => f.write_str(
                "there is nothing to undo\n  hint: only changes by `portreeve agent` and `portreeve server` can be undone",
            ),
            Self::Final(what) => write!(
                f,
                "the last change was `{what}`, which is for good\n  hint: change the file by hand if it is to come back"
            ),
            Self::ChangedSince(what, file) => write!(
                f,
                "the file was changed by something else after `{what}`, which undoing would lose\n  hint: change it by hand; what stood there before is in {}",
                file.display()
            ),
            Self::ByHand(table, line) => write!(
                f,
                "the file is written in a way that this command cannot change\n  hint: write it by hand, into [{table}]: {line}"
            ),
        }
    }
}

impl std::error::Error for EditError {}

const fn with_article(noun: Noun) -> &'static str {
    match noun {
        Noun::Agent => "an agent",
        Noun::Server => "a server",
    }
}

const fn group(noun: Noun) -> &'static str {
    match noun {
        Noun::Agent => "agents",
        Noun::Server => "servers",
    }
}

/// Makes `edit` in `text`, a valid configuration, at the time `now`.
///
/// # Errors
/// [`EditError`].
pub fn apply(text: &str, edit: &Edit, now: UnixTime) -> Result<Applied, EditError> {
    let written = Written::read(text).map_err(|_| by_hand(edit))?;
    let (noun, name) = edit.subject();
    let known = written.names(group(noun));
    match edit {
        Edit::AddAgent(_) | Edit::AddServer(_) if known.contains(&name) => {
            return Err(EditError::Exists(noun, name.to_owned()));
        }
        Edit::SetState { .. } | Edit::Review { .. } | Edit::AddKey { .. } | Edit::DropKey { .. }
            if !known.contains(&name) =>
        {
            let known = known.into_iter().map(str::to_owned).collect();
            return Err(EditError::Unknown(noun, name.to_owned(), known));
        }
        _ => {}
    }
    match edit {
        Edit::AddAgent(agent) => add(text, &written, edit, &agent_keys(agent, now)?),
        Edit::AddServer(server) => add(text, &written, edit, &server_keys(server, now)?),
        Edit::SetState { state, .. } => {
            let before = written.get(group(noun), name, "state");
            let before = before.unwrap_or_else(|| State::default().word().to_owned());
            if before == State::Revoked.word() && *state != State::Revoked {
                return Err(EditError::Revoked(noun, name.to_owned()));
            }
            if before == state.word() {
                return Ok(unchanged(text, before));
            }
            set(text, &written, edit, Some(before), ("state", text_value(state.word())))
        }
        Edit::AddKey { sha256, expires, .. } => keys::add(text, &written, edit, (sha256, expires.as_deref()), now),
        Edit::DropKey { id, .. } => keys::drop_one(text, &written, edit, id),
        Edit::Review { next, .. } => {
            let next = match next {
                Some(next) => coming_day(next, now)?,
                None => Day::of(now).plus(REVIEW_DAYS),
            };
            let before = written.get(group(noun), name, "review");
            if before.as_ref() == Some(&next.to_string()) {
                return Ok(unchanged(text, next.to_string()));
            }
            set(text, &written, edit, before, ("review", date_value(&next.to_string())?))
        }
    }
}

fn unchanged(text: &str, is: String) -> Applied {
    Applied {
        text: text.to_owned(),
        before: Some(is.clone()),
        after: is,
    }
}

fn set(
    text: &str,
    written: &Written<'_>,
    edit: &Edit,
    before: Option<String>,
    (key, value): (&str, Value),
) -> Result<Applied, EditError> {
    let (noun, name) = edit.subject();
    let new = written.set(group(noun), name, key, &value);
    let after = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let intended = |document: &mut Table| {
        let entry = document.get_mut(group(noun))?.get_mut(name)?.as_table_mut()?;
        entry.insert(key.to_owned(), value);
        Some(())
    };
    let text = new
        .filter(|new| differs_only(text, new, intended))
        .ok_or_else(|| by_hand(edit))?;
    Ok(Applied { text, before, after })
}

fn add(text: &str, written: &Written<'_>, edit: &Edit, keys: &[(&str, Value)]) -> Result<Applied, EditError> {
    let (noun, name) = edit.subject();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(EditError::Value(
            format!("`{}` is not a name", name.escape_debug()),
            "letters, digits, - and _, at most 64, first a letter or digit".to_owned(),
        ));
    }
    let intended = |document: &mut Table| {
        let group = document
            .entry(group(noun))
            .or_insert_with(|| Value::Table(Table::new()));
        let entry = keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        group
            .as_table_mut()?
            .insert(name.to_owned(), Value::Table(entry.collect()));
        Some(())
    };
    let new = written.add(group(noun), name, keys);
    let text = new
        .filter(|new| differs_only(text, new, intended))
        .ok_or_else(|| by_hand(edit))?;
    Ok(Applied {
        text,
        before: None,
        after: in_a_line(keys),
    })
}

/// Whether `new` means what `old` means after `intended`, and nothing else.
fn differs_only(old: &str, new: &str, intended: impl FnOnce(&mut Table) -> Option<()>) -> bool {
    let (Ok(mut old), Ok(new)) = (old.parse::<Table>(), new.parse::<Table>()) else {
        return false;
    };
    intended(&mut old).is_some() && old == new
}

fn by_hand(edit: &Edit) -> EditError {
    let (noun, name) = edit.subject();
    let line = match edit {
        Edit::SetState { state, .. } => format!("state = \"{}\"", state.word()),
        Edit::Review { next, .. } => format!("review = {}", next.as_deref().unwrap_or("the next date")),
        Edit::AddKey { .. } => "api_keys = [{ sha256 = \"the SHA-256 of a key\", expires = DATE }]".to_owned(),
        Edit::DropKey { id, .. } => format!(
            "api_keys without the one whose sha256 begins with {}",
            id.escape_debug()
        ),
        Edit::AddAgent(_) => "issuer, subject and what else there is".to_owned(),
        Edit::AddServer(_) => "url and what else there is".to_owned(),
    };
    EditError::ByHand(format!("{}.{}", group(noun), name.escape_debug()), line)
}

fn agent_keys(agent: &NewAgent, now: UnixTime) -> Result<Vec<(&'static str, Value)>, EditError> {
    let mut keys = vec![("issuer", text_value(&agent.issuer))];
    let mut put = |key, value: Option<Value>| keys.extend(value.map(|value| (key, value)));
    put("subject", agent.subject.as_deref().map(text_value));
    put("owner", agent.owner.as_deref().map(text_value));
    put("purpose", agent.purpose.as_deref().map(text_value));
    put(
        "groups",
        Some(&agent.groups)
            .filter(|groups| !groups.is_empty())
            .map(|texts| texts_value(texts)),
    );
    put("servers", agent.servers.as_ref().map(|texts| texts_value(texts)));
    put(
        "expires",
        agent.expires.as_deref().map(|end| coming_end(end, now)).transpose()?,
    );
    put(
        "review",
        agent.review.as_deref().map(|day| review_value(day, now)).transpose()?,
    );
    Ok(keys)
}

fn server_keys(server: &NewServer, now: UnixTime) -> Result<Vec<(&'static str, Value)>, EditError> {
    let mut keys = vec![("url", text_value(&server.url))];
    let mut put = |key, value: Option<Value>| keys.extend(value.map(|value| (key, value)));
    put("era", server.era.as_deref().map(text_value));
    put("owner", server.owner.as_deref().map(text_value));
    put("purpose", server.purpose.as_deref().map(text_value));
    put(
        "review",
        server.review.as_deref().map(|day| review_value(day, now)).transpose()?,
    );
    Ok(keys)
}

fn text_value(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn texts_value(texts: &[String]) -> Value {
    texts.iter().map(|text| text_value(text)).collect::<Vec<_>>().into()
}

fn date_value(text: &str) -> Result<Value, EditError> {
    text.parse()
        .map(Value::Datetime)
        .map_err(|_| fault(&format!("`{text}` is not a date\nwrite 2027-01-31")))
}

fn review_value(text: &str, now: UnixTime) -> Result<Value, EditError> {
    date_value(&coming_day(text, now)?.to_string())
}

fn coming_day(text: &str, now: UnixTime) -> Result<Day, EditError> {
    let day: Day = text.parse().map_err(|reason: String| fault(&reason))?;
    if day <= Day::of(now) {
        let today = Day::of(now);
        return Err(EditError::Value(
            format!("the next review is on {day}, and today is {today} (UTC)"),
            "name a day to come".to_owned(),
        ));
    }
    Ok(day)
}

fn coming_end(text: &str, now: UnixTime) -> Result<Value, EditError> {
    let expiry: Expiry = text.parse().map_err(|reason: String| fault(&reason))?;
    if expiry.at() <= now {
        return Err(EditError::Value(
            format!("{expiry} has passed already"),
            "name a day or moment to come".to_owned(),
        ));
    }
    date_value(&expiry.to_string())
}

/// The fault of a value, from `message\nhint`.
fn fault(reason: &str) -> EditError {
    let (message, hint) = reason.split_once('\n').unwrap_or((reason, "see docs/configuration.md"));
    EditError::Value(message.to_owned(), hint.to_owned())
}

fn in_a_line(keys: &[(&str, Value)]) -> String {
    let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    keys.join(", ")
}
