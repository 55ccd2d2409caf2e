//! Reading a checked document: values, objects, arrays and numbers that keep their source text.
//!
//! Must never coerce: a string is no number, `1.0` is no integer literal, an absent member is not null.

use core::ops::Range;

use simd_json::Node;
use simd_json::StaticNode;

use super::Document;
use super::JsonError;

/// What a [`Value`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number of any form
    Number,
    /// A string
    String,
    /// An array
    Array,
    /// An object
    Object,
}

/// One value of a [`Document`].
#[derive(Clone, Copy)]
pub struct Value<'t> {
    document: &'t Document<'t>,
    index: usize,
}

/// An object: members in source order, names unique.
#[derive(Clone, Copy)]
pub struct Object<'t> {
    value: Value<'t>,
    len: usize,
}

/// An array: items in source order.
#[derive(Clone, Copy)]
pub struct Array<'t> {
    value: Value<'t>,
    len: usize,
}

/// A number, as text and as the machine reads it.
#[derive(Clone, Copy)]
pub struct Number<'t> {
    value: Value<'t>,
    node: StaticNode,
}

/// The number of tape nodes that the value at `index` takes, itself included.
pub(super) fn width(nodes: &[Node<'_>], index: usize) -> usize {
    match nodes.get(index) {
        Some(Node::Object { count, .. } | Node::Array { count, .. }) => count + 1,
        _ => 1,
    }
}

impl<'t> Value<'t> {
    pub(super) const fn root(document: &'t Document<'t>) -> Self {
        Self { document, index: 0 }
    }

    /// What this value is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.node() {
            Node::String(_) => Kind::String,
            Node::Object { .. } => Kind::Object,
            Node::Array { .. } => Kind::Array,
            Node::Static(StaticNode::Null) => Kind::Null,
            Node::Static(StaticNode::Bool(_)) => Kind::Bool,
            Node::Static(_) => Kind::Number,
        }
    }

    /// The unescaped text, if this is a string.
    #[must_use]
    pub fn as_str(self) -> Option<&'t str> {
        match self.node() {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if this is a boolean.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.node() {
            Node::Static(StaticNode::Bool(truth)) => Some(truth),
            _ => None,
        }
    }

    /// The integer, if this is an integer literal (no fraction, no exponent) in range.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// The integer, if this is an integer literal (no fraction, no exponent) in range.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        self.as_number().and_then(Number::as_u64)
    }

    /// The number, if this is one.
    #[must_use]
    pub fn as_number(self) -> Option<Number<'t>> {
        match self.node() {
            Node::Static(StaticNode::Null | StaticNode::Bool(_)) => None,
            Node::Static(node) => Some(Number { value: self, node }),
            _ => None,
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The object, if this is one.
    #[must_use]
    pub fn as_object(self) -> Option<Object<'t>> {
        match self.node() {
            Node::Object { len, .. } => Some(Object { value: self, len }),
            _ => None,
        }
    }

    /// The array, if this is one.
    #[must_use]
    pub fn as_array(self) -> Option<Array<'t>> {
        match self.node() {
            Node::Array { len, .. } => Some(Array { value: self, len }),
            _ => None,
        }
    }

    /// The member called `name`, if this is an object that has one.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'t>> {
        self.as_object()?.get(name)
    }

    /// The value reached by following member names.
    #[must_use]
    pub fn path(self, names: &[&str]) -> Option<Value<'t>> {
        names.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The exact source text of this value, without the white space around it.
    #[must_use]
    pub fn raw(self) -> &'t [u8] {
        self.document.source.get(self.span()).unwrap_or_default()
    }

    /// Where [`Value::raw`] stands in [`Document::bytes`].
    #[must_use]
    pub fn span(self) -> Range<usize> {
        self.document
            .spans
            .range(self.document.source, self.document.structurals, self.index)
    }

    fn node(self) -> Node<'t> {
        let node = self.document.tape.0.get(self.index).copied();
        node.unwrap_or(Node::Static(StaticNode::Null))
    }

    /// The value that begins where this one ends.
    fn following(self) -> Self {
        self.at(self.index + width(&self.document.tape.0, self.index))
    }

    const fn at(self, index: usize) -> Self {
        Self {
            document: self.document,
            index,
        }
    }
}

impl core::fmt::Debug for Value<'_> {
    /// Shows the kind only: values are the sender's, and may be secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Value({:?})", self.kind())
    }
}

impl core::fmt::Debug for Object<'_> {
    /// Shows the number of members only.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Object({})", self.len)
    }
}

impl core::fmt::Debug for Array<'_> {
    /// Shows the number of items only.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Array({})", self.len)
    }
}

impl<'t> Object<'t> {
    /// The value of the member called `name`.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'t>> {
        self.iter().find_map(|(at, value)| (at == name).then_some(value))
    }

    /// The members in source order.
    #[must_use]
    pub fn iter(self) -> Members<'t> {
        Members {
            next: self.value.at(self.value.index + 1),
            left: self.len,
        }
    }

    /// How many members there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.len
    }

    /// Whether there is no member.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The object as a value.
    #[must_use]
    pub const fn value(self) -> Value<'t> {
        self.value
    }

    /// Refuses a member whose name is one of `known` but for letter case, also by the two folds of Unicode that reach
    /// ASCII (U+017F to `s`, U+212A to `k`): some readers match names without regard to case.
    ///
    /// # Errors
    ///
    /// [`JsonError::CaseTwin`]
    pub fn refuse_case_twins(self, known: &[&str]) -> Result<(), JsonError> {
        let is_twin = |name: &str| known.iter().any(|known| *known != name && folds_to(name, known));
        if self.iter().any(|(name, _)| is_twin(name)) {
            return Err(JsonError::CaseTwin);
        }
        Ok(())
    }
}

fn folds_to(name: &str, known: &str) -> bool {
    let folded = name.chars().map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    });
    folded.eq(known.chars().map(|letter| letter.to_ascii_lowercase()))
}

impl<'t> Array<'t> {
    /// The items in source order.
    #[must_use]
    pub fn iter(self) -> Items<'t> {
        Items {
            next: self.value.at(self.value.index + 1),
            left: self.len,
        }
    }

    /// How many items there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.len
    }

    /// Whether there is no item.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The array as a value.
    #[must_use]
    pub const fn value(self) -> Value<'t> {
        self.value
    }
}

impl<'t> Number<'t> {
    /// The number as the sender wrote it.
    #[must_use]
    pub fn text(self) -> &'t str {
        // A number's characters are ASCII, so the fallback is never taken.
        core::str::from_utf8(self.value.raw()).unwrap_or_default()
    }

    /// Whether it was written without fraction and exponent.
    #[must_use]
    pub const fn is_integer_literal(self) -> bool {
        matches!(self.node, StaticNode::I64(_) | StaticNode::U64(_))
    }

    /// The integer, if it was written as one and is in range.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self.node {
            StaticNode::I64(number) => Some(number),
            StaticNode::U64(number) => i64::try_from(number).ok(),
            _ => None,
        }
    }

    /// The integer, if it was written as one and is in range.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        match self.node {
            StaticNode::I64(number) => u64::try_from(number).ok(),
            StaticNode::U64(number) => Some(number),
            _ => None,
        }
    }
}

/// The members of an object, from [`Object::iter`].
#[derive(Clone)]
pub struct Members<'t> {
    next: Value<'t>,
    left: usize,
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Value<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = self.next.as_str()?;
        let value = self.next.following();
        self.next = value.following();
        Some((name, value))
    }
}

/// The items of an array, from [`Array::iter`].
#[derive(Clone)]
pub struct Items<'t> {
    next: Value<'t>,
    left: usize,
}

impl<'t> Iterator for Items<'t> {
    type Item = Value<'t>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let item = self.next;
        self.next = item.following();
        Some(item)
    }
}
