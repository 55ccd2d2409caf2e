//! The header names that the gate itself reads, resolved once per head.
//!
//! Everything not listed here is reachable by name only and decides nothing.

/// A header that the gate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// `Accept`; may be repeated.
    Accept,
    /// `Authorization`: the agent's token.
    Authorization,
    /// `Connection`; may be repeated.
    Connection,
    /// `Content-Encoding`
    ContentEncoding,
    /// `Content-Length`
    ContentLength,
    /// `Content-Type`
    ContentType,
    /// `DPoP`: the proof of possession of RFC 9449.
    Dpop,
    /// `Expect`
    Expect,
    /// `Host`
    Host,
    /// `Last-Event-ID`
    LastEventId,
    /// `Location`
    Location,
    /// `Mcp-Method`
    McpMethod,
    /// `Mcp-Name`
    McpName,
    /// `Origin`
    Origin,
    /// `MCP-Protocol-Version`
    ProtocolVersion,
    /// `Mcp-Session-Id`
    SessionId,
    /// `traceparent` (W3C Trace Context)
    Traceparent,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Upgrade`; may be repeated.
    Upgrade,
    /// `X-AI-User-Assertion`: the user's token.
    UserAssertion,
}

impl Known {
    /// How many there are.
    pub(super) const COUNT: usize = Self::UserAssertion.index() + 1;

    /// The known header named `name`, in any case.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let candidates: &[Self] = match name.len() {
            4 => &[Self::Host, Self::Dpop],
            6 => &[Self::Accept, Self::Origin, Self::Expect],
            7 => &[Self::Upgrade],
            8 => &[Self::McpName, Self::Location],
            10 => &[Self::Connection, Self::McpMethod],
            11 => &[Self::Traceparent],
            12 => &[Self::ContentType],
            13 => &[Self::Authorization, Self::LastEventId],
            14 => &[Self::ContentLength, Self::SessionId],
            16 => &[Self::ContentEncoding],
            17 => &[Self::TransferEncoding],
            19 => &[Self::UserAssertion],
            20 => &[Self::ProtocolVersion],
            _ => &[],
        };
        candidates
            .iter()
            .copied()
            .find(|known| name.eq_ignore_ascii_case(known.name().as_bytes()))
    }

    /// The name in lower case, as it is written and reported.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Authorization => "authorization",
            Self::Connection => "connection",
            Self::ContentEncoding => "content-encoding",
            Self::ContentLength => "content-length",
            Self::ContentType => "content-type",
            Self::Dpop => "dpop",
            Self::Expect => "expect",
            Self::Host => "host",
            Self::LastEventId => "last-event-id",
            Self::Location => "location",
            Self::McpMethod => "mcp-method",
            Self::McpName => "mcp-name",
            Self::Origin => "origin",
            Self::ProtocolVersion => "mcp-protocol-version",
            Self::SessionId => "mcp-session-id",
            Self::Traceparent => "traceparent",
            Self::TransferEncoding => "transfer-encoding",
            Self::Upgrade => "upgrade",
            Self::UserAssertion => "x-ai-user-assertion",
        }
    }

    /// Whether a message may carry this header at most once.
    pub(super) const fn is_singleton(self) -> bool {
        !matches!(self, Self::Accept | Self::Connection | Self::Upgrade)
    }

    /// A dense number below [`Known::COUNT`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}
