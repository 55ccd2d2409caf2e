//! Arguments of a message as Cedar values. Built from the checked tape, value by value: no member name has a special
//! meaning, so `__entity`, `__extn` and `__expr` are plain attributes.
//!
//! | JSON | Cedar |
//! |---|---|
//! | string | String, the decoded text as it is |
//! | number, integral and within 64 bits | Long, however it is written |
//! | number, at most four decimal places | decimal |
//! | any other number | an entity that policies cannot name: present, equal to no value, an error to compare |
//! | boolean | Bool |
//! | null | absent |
//! | object | record |
//! | array | Set |

use cedar_policy::EntityTypeName;
use cedar_policy::RestrictedExpression;

use super::names::uid;
use super::number::Exact;
use super::number::exact;
use crate::json::Value;
use crate::limits;

/// The arguments as a record; `None` if they are no object, nested deeper than [`limits::POLICY_ARGUMENT_DEPTH_MAX`],
/// or more values than [`limits::POLICY_ARGUMENT_VALUES_MAX`].
pub(super) fn record(arguments: Value<'_>, unrepresentable: &EntityTypeName) -> Option<RestrictedExpression> {
    arguments.as_object()?;
    let mut builder = Builder {
        left: limits::POLICY_ARGUMENT_VALUES_MAX,
        unrepresentable,
    };
    builder.value(arguments, limits::POLICY_ARGUMENT_DEPTH_MAX)?
}

struct Builder<'n> {
    /// How many more values may come.
    left: usize,
    unrepresentable: &'n EntityTypeName,
}

impl Builder<'_> {
    /// The Cedar value, `Some(None)` for null, `None` over a limit.
    fn value(&mut self, value: Value<'_>, depth: usize) -> Option<Option<RestrictedExpression>> {
        self.left = self.left.checked_sub(1)?;
        if value.is_null() {
            return Some(None);
        }
        let built = if let Some(text) = value.as_str() {
            RestrictedExpression::new_string(text.to_owned())
        } else if let Some(truth) = value.as_bool() {
            RestrictedExpression::new_bool(truth)
        } else if let Some(number) = value.as_number() {
            self.number(number.text())
        } else if let Some(object) = value.as_object() {
            let depth = depth.checked_sub(1)?;
            let mut fields = Vec::with_capacity(object.len().min(self.left));
            for (name, member) in object.iter() {
                if let Some(field) = self.value(member, depth)? {
                    fields.push((name.to_owned(), field));
                }
            }
            RestrictedExpression::new_record(fields).ok()?
        } else {
            let depth = depth.checked_sub(1)?;
            let array = value.as_array()?;
            let mut items = Vec::with_capacity(array.len().min(self.left));
            for item in array.iter() {
                items.extend(self.value(item, depth)?);
            }
            RestrictedExpression::new_set(items)
        };
        Some(Some(built))
    }

    fn number(&self, text: &str) -> RestrictedExpression {
        match exact(text) {
            Some(Exact::Long(value)) => RestrictedExpression::new_long(value),
            Some(Exact::Decimal(text)) => RestrictedExpression::new_decimal(text),
            None => RestrictedExpression::new_entity_uid(uid(self.unrepresentable, text)),
        }
    }
}
