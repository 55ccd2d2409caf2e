//! Reading `params`: typed members with a maximum each, case twins refused.

use super::Fault;
use super::META_MEMBERS;
use crate::json::Array;
use crate::json::Object;
use crate::json::Value;

/// The members of `params` and of the objects in it that some method is decided by.
const KNOWN: &[&str] = &[
    "_meta",
    "argument",
    "arguments",
    "capabilities",
    "clientInfo",
    "context",
    "cursor",
    "inputResponses",
    "level",
    "name",
    "notifications",
    "promptsListChanged",
    "protocolVersion",
    "ref",
    "requestId",
    "requestState",
    "resourceSubscriptions",
    "resourcesListChanged",
    "task",
    "taskId",
    "taskIds",
    "toolsListChanged",
    "type",
    "uri",
    "value",
];

/// An object of parameters, or the absence of one.
#[derive(Clone, Copy)]
pub(super) struct Params<'s>(Option<Object<'s>>);

impl<'s> Params<'s> {
    /// The parameters in `value`, which must be an object.
    pub(super) fn read(value: Option<Value<'s>>) -> Result<Self, Fault> {
        let Some(value) = value else {
            return Ok(Self(None));
        };
        let members = value.as_object().ok_or(Fault::Parameter("params"))?;
        members.refuse_case_twins(KNOWN).map_err(Fault::Json)?;
        Ok(Self(Some(members)))
    }

    /// `_meta`, which must be an object.
    pub(super) fn meta(self) -> Result<Option<Value<'s>>, Fault> {
        let Some(meta) = self.optional("_meta") else {
            return Ok(None);
        };
        let members = meta.as_object().ok_or(Fault::Parameter("_meta"))?;
        members.refuse_case_twins(META_MEMBERS).map_err(Fault::Json)?;
        Ok(Some(meta))
    }

    pub(super) fn optional(self, name: &str) -> Option<Value<'s>> {
        self.0?.get(name)
    }

    /// A required string that is not empty and has at most `bytes_max` bytes.
    pub(super) fn text(self, name: &'static str, bytes_max: usize) -> Result<&'s str, Fault> {
        let text = self.optional(name).and_then(Value::as_str);
        text.filter(|text| (1..=bytes_max).contains(&text.len()))
            .ok_or(Fault::Parameter(name))
    }

    /// A string of at most `bytes_max` bytes; absent and `null` are the same.
    pub(super) fn optional_text(self, name: &'static str, bytes_max: usize) -> Result<Option<&'s str>, Fault> {
        match self.optional(name).filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(value) => {
                let text = value.as_str().filter(|text| text.len() <= bytes_max);
                text.map(Some).ok_or(Fault::Parameter(name))
            }
        }
    }

    /// An object, as a value.
    pub(super) fn optional_object(self, name: &'static str) -> Result<Option<Value<'s>>, Fault> {
        match self.optional(name) {
            Some(value) if value.as_object().is_none() => Err(Fault::Parameter(name)),
            other => Ok(other),
        }
    }

    /// The members of a required object.
    pub(super) fn object(self, name: &'static str) -> Result<Self, Fault> {
        Self::read(Some(self.optional(name).ok_or(Fault::Parameter(name))?)).map_err(|fault| match fault {
            Fault::Parameter(_) => Fault::Parameter(name),
            other => other,
        })
    }

    /// A boolean that is false when absent.
    pub(super) fn flag(self, name: &'static str) -> Result<bool, Fault> {
        self.optional(name)
            .map_or(Some(false), Value::as_bool)
            .ok_or(Fault::Parameter(name))
    }

    /// An array of at most `items_max` strings of at most `bytes_max` bytes each.
    pub(super) fn optional_texts(
        self,
        name: &'static str,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Option<Array<'s>>, Fault> {
        let Some(value) = self.optional(name) else {
            return Ok(None);
        };
        let fits = |item: Value<'_>| item.as_str().is_some_and(|text| text.len() <= bytes_max);
        let items = value.as_array().filter(|items| items.len() <= items_max);
        items
            .filter(|items| items.iter().all(fits))
            .map(Some)
            .ok_or(Fault::Parameter(name))
    }
}
