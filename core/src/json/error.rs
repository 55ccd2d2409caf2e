//! Why a JSON text was refused. One variant per deviation; carries no text of the sender.

use core::fmt;

use simd_json::ErrorType;

/// The first deviation found in a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// The text is longer than [`Limits::bytes`](super::Limits::bytes).
    Bytes,
    /// More containers are open at once than [`Limits::depth`](super::Limits::depth).
    Depth,
    /// There are more values than [`Limits::values`](super::Limits::values).
    Values,
    /// An object has more members than [`Limits::members`](super::Limits::members).
    Members,
    /// A member name is longer than [`Limits::name_bytes`](super::Limits::name_bytes).
    NameBytes,
    /// The text begins with a byte order mark (RFC 8259 8.1).
    ByteOrderMark,
    /// The text is not UTF-8 (RFC 8259 8.1).
    Utf8,
    /// The text does not follow the grammar, or is not exactly one value (RFC 8259 2).
    Syntax,
    /// A number does not follow the grammar, is an integer beyond 64 bits, or is no finite double (RFC 8259 6).
    Number,
    /// A string escape is malformed or names an unpaired surrogate (RFC 8259 7 and 8.2).
    Escape,
    /// Two members of an object have the same name after unescaping (RFC 8259 4).
    DuplicateName,
    /// A member name contains U+0000.
    NulInName,
    /// A member name equals a known one but for letter case.
    CaseTwin,
}

impl JsonError {
    /// Whether the text was refused for its size alone, and not for its content.
    #[must_use]
    pub const fn is_size(self) -> bool {
        matches!(
            self,
            Self::Bytes | Self::Depth | Self::Values | Self::Members | Self::NameBytes
        )
    }

    pub(super) fn from_parser(fault: &simd_json::Error, bytes: &[u8]) -> Self {
        match fault.error() {
            ErrorType::DepthLimitExceeded => Self::Depth,
            ErrorType::InvalidNumber | ErrorType::InvalidExponent => Self::Number,
            // The parser also reports an unpaired low surrogate as invalid UTF-8.
            ErrorType::InvalidUtf8 if core::str::from_utf8(bytes).is_err() => Self::Utf8,
            ErrorType::InvalidUtf8
            | ErrorType::InvalidEscape
            | ErrorType::InvalidUnicodeEscape
            | ErrorType::InvalidUnicodeCodepoint => Self::Escape,
            _ => Self::Syntax,
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "the JSON text is too long",
            Self::Depth => "the JSON text is nested too deeply",
            Self::Values => "the JSON text has too many values",
            Self::Members => "a JSON object has too many members",
            Self::NameBytes => "a JSON member name is too long",
            Self::ByteOrderMark => "the JSON text begins with a byte order mark",
            Self::Utf8 => "the JSON text is not UTF-8",
            Self::Syntax => "the text is not exactly one JSON value",
            Self::Number => "a JSON number is malformed or out of range",
            Self::Escape => "a JSON string has a malformed escape or an unpaired surrogate",
            Self::DuplicateName => "a JSON object has two members of the same name",
            Self::NulInName => "a JSON member name contains U+0000",
            Self::CaseTwin => "a JSON member name differs from a known one only by letter case",
        })
    }
}

impl core::error::Error for JsonError {}
