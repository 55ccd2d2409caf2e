//! What the grammar allows and a gate must not: size, duplicate names, U+0000 in names.
//!
//! Must never allocate in proportion to the input before the input's size is known to be within limits.

use memchr::memchr;
use memchr::memchr2;
use simd_json::Node;

use super::JsonError;
use super::Limits;
use super::value::width;
use crate::limits::JSON_DEPTH_MAX;

/// Objects up to this many members are compared pair by pair; larger ones are sorted.
const PAIRWISE_MEMBERS: usize = 16;

/// Bounds what the parser will allocate for `bytes`.
pub(super) fn before_parse(bytes: &[u8], limits: &Limits) -> Result<(), JsonError> {
    if bytes.len() > limits.bytes {
        return Err(JsonError::Bytes);
    }
    // SPEC: RFC 8259 8.1: no byte order mark is added; a parser may ignore one, so two parsers may differ.
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonError::ByteOrderMark);
    }
    // No value is shorter than a byte, so only a text longer than the limit can have too many.
    if bytes.len() > limits.values {
        count_tokens(bytes, limits.values)?;
    }
    Ok(())
}

/// Refuses text with more values than `values`, or with more tokens than that many values can need.
///
/// The parser keeps memory per token, before it knows whether the text is valid, so tokens of any kind count.
fn count_tokens(bytes: &[u8], values: usize) -> Result<(), JsonError> {
    let tokens_max = values.saturating_mul(3);
    let (mut found, mut tokens, mut at, mut in_scalar) = (0_usize, 0_usize, 0_usize, false);
    while let Some(&byte) = bytes.get(at) {
        let starts_value = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                in_scalar = false;
                at += 1;
                continue;
            }
            b',' | b':' | b'}' | b']' => Some(false),
            b'{' | b'[' => Some(true),
            b'"' => {
                at = string_end(bytes, at).ok_or(JsonError::Syntax)? - 1;
                Some(true)
            }
            // Outside of a string it is no JSON, and parsers disagree where the next string begins.
            b'\\' => return Err(JsonError::Syntax),
            _ if in_scalar => None,
            _ => Some(true),
        };
        if let Some(starts_value) = starts_value {
            found += usize::from(starts_value);
            tokens += 1;
        }
        in_scalar = !matches!(byte, b',' | b':' | b'}' | b']' | b'{' | b'[' | b'"');
        if found > values || tokens > tokens_max {
            return Err(JsonError::Values);
        }
        at += 1;
    }
    Ok(())
}

/// The offset after the closing quote of the string whose opening quote is at `start`.
pub(super) fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Checks every container of a parsed text. `order` is scratch memory for large objects.
pub(super) fn after_parse(nodes: &[Node<'_>], limits: &Limits, order: &mut Vec<usize>) -> Result<(), JsonError> {
    if nodes.len() > limits.values {
        return Err(JsonError::Values);
    }
    let depth_max = limits.depth.min(JSON_DEPTH_MAX);
    let mut ends = [0_usize; JSON_DEPTH_MAX];
    let mut depth = 0;
    for (index, node) in nodes.iter().enumerate() {
        while depth > 0 && index >= ends[depth - 1] {
            depth -= 1;
        }
        if let Node::Object { len, .. } = node {
            check_members(nodes, index + 1, *len, limits, order)?;
        }
        if let Node::Object { count, .. } | Node::Array { count, .. } = node {
            if depth >= depth_max {
                return Err(JsonError::Depth);
            }
            ends[depth] = index + 1 + count;
            depth += 1;
        }
    }
    Ok(())
}

fn check_members(
    nodes: &[Node<'_>],
    first: usize,
    len: usize,
    limits: &Limits,
    order: &mut Vec<usize>,
) -> Result<(), JsonError> {
    if len > limits.members {
        return Err(JsonError::Members);
    }
    if len > PAIRWISE_MEMBERS {
        return check_many_members(nodes, first, len, limits, order);
    }
    let mut names = [""; PAIRWISE_MEMBERS];
    let mut at = first;
    for seen in 0..len {
        let name = name_at(nodes, at);
        check_name(name, limits)?;
        if names[..seen].contains(&name) {
            return Err(JsonError::DuplicateName);
        }
        names[seen] = name;
        at += 1 + width(nodes, at + 1);
    }
    Ok(())
}

fn check_many_members(
    nodes: &[Node<'_>],
    first: usize,
    len: usize,
    limits: &Limits,
    order: &mut Vec<usize>,
) -> Result<(), JsonError> {
    order.clear();
    let mut at = first;
    for _ in 0..len {
        check_name(name_at(nodes, at), limits)?;
        order.push(at);
        at += 1 + width(nodes, at + 1);
    }
    order.sort_unstable_by(|&left, &right| name_at(nodes, left).cmp(name_at(nodes, right)));
    if order
        .windows(2)
        .any(|pair| name_at(nodes, pair[0]) == name_at(nodes, pair[1]))
    {
        return Err(JsonError::DuplicateName);
    }
    Ok(())
}

fn check_name(name: &str, limits: &Limits) -> Result<(), JsonError> {
    if name.len() > limits.name_bytes {
        return Err(JsonError::NameBytes);
    }
    if memchr(0, name.as_bytes()).is_some() {
        return Err(JsonError::NulInName);
    }
    Ok(())
}

fn name_at<'t>(nodes: &[Node<'t>], at: usize) -> &'t str {
    match nodes.get(at) {
        Some(Node::String(name)) => name,
        // The parser writes a string before each member's value.
        _ => "",
    }
}
