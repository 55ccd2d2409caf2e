//! Every way a peer can leave the grammar, one variant each, and the HTTP status that answers it.
//!
//! Carries no bytes of the message: the text is safe to log and to return.

use core::fmt;

/// Why a head, a body or an event stream was refused.
///
/// After any of these the connection has no known message boundary any more: answer if possible, then close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameError {
    /// The message starts with CR or LF instead of a start line.
    LeadingLineBreak,
    /// The method is not a token (RFC 9110 9.1).
    Method,
    /// The start line does not end in CRLF, or a stray CR stands where a line should start.
    StartLine,
    /// The request target is not in origin-form: absolute, authority and asterisk forms are not served.
    TargetForm,
    /// The target holds a byte that RFC 3986 does not allow in a path or query, or a broken percent triplet.
    TargetCharacter,
    /// The target is longer than the limit.
    TargetTooLong,
    /// The protocol version is not one that is spoken here.
    Version,
    /// The response status is not three digits from 100 to 599, or switches protocols.
    Status,
    /// A line of the head ends in LF without CR.
    BareLineFeed,
    /// A header value is continued on the next line (RFC 9112 5.2).
    ObsoleteFold,
    /// White space stands between a header name and its colon (RFC 9112 5.1).
    SpaceBeforeColon,
    /// A header name is empty or not a token.
    HeaderName,
    /// A header value holds NUL, a lone CR or another control character.
    HeaderValue,
    /// More header fields than the limit.
    TooManyHeaders,
    /// The head is longer than the limit.
    HeadTooLarge,
    /// A header that may come once came again; holds its lower-case name, or `mcp-*` for the open family.
    RepeatedHeader(&'static str),
    /// A header name that a folding reader would take for one that the gate relies on, such as `X_AI_User_Assertion`.
    ShadowHeader,
    /// No `Host` (RFC 9112 3.2).
    MissingHost,
    /// `Host` is not a plain host with an optional port.
    Host,
    /// `Content-Length` is not one plain decimal number.
    ContentLength,
    /// Both `Content-Length` and `Transfer-Encoding`.
    LengthConflict,
    /// A transfer coding other than a single plain `chunked`.
    TransferCoding,
    /// A `Connection` option other than `close`, `keep-alive` and `te`, for instance one naming a credential header.
    ConnectionOption,
    /// The peer asks to change protocols on this connection.
    Upgrade,
    /// An `Expect` other than `100-continue`.
    Expectation,
    /// Content on a method or status that has none here.
    UnexpectedBody,
    /// The body is, or says that it is, larger than the limit.
    BodyTooLarge,
    /// A chunk size is not plain hexadecimal or does not fit.
    ChunkSize,
    /// A chunk carries an extension (RFC 9112 7.1.1).
    ChunkExtension,
    /// Chunk framing does not end in CRLF where it must.
    ChunkEnd,
    /// The chunked body is followed by trailer fields.
    Trailers,
    /// The connection ended inside the message.
    Truncated,
    /// One event of a stream is larger than the limit.
    EventTooLarge,
    /// Refused to write: the method has no name here, or the target is not in origin-form.
    UnwritableStartLine,
    /// Refused to write: a header name that is not a token.
    UnwritableName,
    /// Refused to write: a header value or event field with a line break, NUL or another control character.
    UnwritableValue,
}

impl FrameError {
    /// The class of this error in the audit: which part of the message nobody may take for granted.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::LeadingLineBreak | Self::Method | Self::StartLine | Self::Version | Self::Status => {
                "frame_start_line"
            }
            Self::TargetForm | Self::TargetCharacter => "frame_target",
            Self::BareLineFeed | Self::ObsoleteFold | Self::SpaceBeforeColon => "frame_line",
            Self::HeaderName | Self::HeaderValue | Self::RepeatedHeader(_) | Self::ShadowHeader => "frame_header",
            Self::MissingHost | Self::Host => "frame_host",
            Self::ContentLength | Self::LengthConflict | Self::UnexpectedBody => "frame_length",
            Self::TransferCoding | Self::ConnectionOption | Self::Upgrade | Self::Expectation => "frame_unsupported",
            Self::TargetTooLong | Self::TooManyHeaders | Self::HeadTooLarge => "frame_too_large",
            Self::BodyTooLarge | Self::EventTooLarge => "frame_too_large",
            Self::ChunkSize | Self::ChunkExtension | Self::ChunkEnd | Self::Trailers => "frame_chunk",
            Self::Truncated => "frame_truncated",
            Self::UnwritableStartLine | Self::UnwritableName | Self::UnwritableValue => "frame_unwritable",
        }
    }

    /// The status that tells a client what was wrong with its request (RFC 9110 15.5, 15.6).
    ///
    /// For what an upstream sent, the answer is 502 whatever this says.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::UnwritableStartLine | Self::UnwritableName | Self::UnwritableValue => 500,
            Self::TransferCoding | Self::Upgrade => 501,
            Self::Version => 505,
            _ => 400,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeadingLineBreak => "line break before the start line",
            Self::Method => "method is not a token",
            Self::StartLine => "start line does not end in crlf",
            Self::TargetForm => "request target is not in origin-form",
            Self::TargetCharacter => "request target holds a character that is not allowed",
            Self::TargetTooLong => "request target is too long",
            Self::Version => "http version is not supported",
            Self::Status => "response status is not usable",
            Self::BareLineFeed => "line ends in lf without cr",
            Self::ObsoleteFold => "header value is folded over lines",
            Self::SpaceBeforeColon => "white space before the colon of a header",
            Self::HeaderName => "header name is not a token",
            Self::HeaderValue => "header value holds a control character",
            Self::TooManyHeaders => "too many header fields",
            Self::HeadTooLarge => "message head is too large",
            Self::RepeatedHeader(name) => return write!(f, "header {name} is repeated"),
            Self::ShadowHeader => "header name imitates a reserved one",
            Self::MissingHost => "host header is missing",
            Self::Host => "host header is malformed",
            Self::ContentLength => "content-length is not one plain number",
            Self::LengthConflict => "content-length together with transfer-encoding",
            Self::TransferCoding => "transfer coding is not supported",
            Self::ConnectionOption => "connection option is not supported",
            Self::Upgrade => "protocol upgrade is not supported",
            Self::Expectation => "expectation is not supported",
            Self::UnexpectedBody => "message has content where none is allowed",
            Self::BodyTooLarge => "body is too large",
            Self::ChunkSize => "chunk size is malformed",
            Self::ChunkExtension => "chunk extensions are not supported",
            Self::ChunkEnd => "chunk does not end in crlf",
            Self::Trailers => "trailer fields are not supported",
            Self::Truncated => "connection ended inside the message",
            Self::EventTooLarge => "event is too large",
            Self::UnwritableStartLine => "start line cannot be written",
            Self::UnwritableName => "header name cannot be written",
            Self::UnwritableValue => "value cannot be written",
        })
    }
}

impl core::error::Error for FrameError {}
