//! The headers that mirror a message, and their value encoding (2026-07-28 basic/transports/streamable-http).
//!
//! Must never be the source of a decision: a header is only compared with the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Fault;
use super::McpError;
use super::Operation;
use super::Version;
use super::error::HeaderFault;

const SENTINEL_START: &[u8] = b"=?base64?";
const SENTINEL_END: &[u8] = b"?=";
const PARAM_PREFIX: &str = "mcp-param-";

/// The MCP headers of one HTTP request.
#[derive(Clone, Copy, Debug, Default)]
pub struct McpHeaders<'s> {
    protocol_version: Option<&'s [u8]>,
    method: Option<&'s [u8]>,
    name: Option<&'s [u8]>,
    session_id: Option<&'s [u8]>,
    last_event_id: Option<&'s [u8]>,
    /// Whether some `Mcp-Param-*` value is malformed; matters to modern requests only.
    malformed_param: bool,
}

impl<'s> McpHeaders<'s> {
    /// Picks the MCP headers out of all `fields`: name in any case, value without the white space around it.
    ///
    /// # Errors
    ///
    /// [`Fault::Header`] for a header of the `Mcp-` family, or `Last-Event-ID`, that is there twice.
    pub fn read(fields: impl Iterator<Item = (&'s str, &'s [u8])> + Clone) -> Result<Self, McpError> {
        let mut found = Self::default();
        let mut params_seen = 0_usize;
        for (name, value) in fields.clone() {
            let slot = match name.len() {
                20 if name.eq_ignore_ascii_case("mcp-protocol-version") => &mut found.protocol_version,
                10 if name.eq_ignore_ascii_case("mcp-method") => &mut found.method,
                8 if name.eq_ignore_ascii_case("mcp-name") => &mut found.name,
                14 if name.eq_ignore_ascii_case("mcp-session-id") => &mut found.session_id,
                13 if name.eq_ignore_ascii_case("last-event-id") => &mut found.last_event_id,
                _ if is_param(name) => {
                    params_seen += 1;
                    found.malformed_param |= decode(value).is_none();
                    continue;
                }
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(repeated());
            }
        }
        if params_seen > 1 && has_repeated_param(fields) {
            return Err(repeated());
        }
        Ok(found)
    }

    /// `Mcp-Session-Id`, exactly as sent.
    #[must_use]
    pub const fn session_id(&self) -> Option<&'s [u8]> {
        self.session_id
    }

    /// `Last-Event-ID`, exactly as sent.
    #[must_use]
    pub const fn last_event_id(&self) -> Option<&'s [u8]> {
        self.last_event_id
    }

    /// Whether the version header names a revision without handshake, known or not. Revisions are dates.
    #[must_use]
    pub fn claims_modern(&self) -> bool {
        let first = Version::V2026_07_28.as_str().as_bytes();
        self.protocol_version.is_some_and(|version| version >= first)
    }

    /// The version header of a legacy request, of any method.
    ///
    /// # Errors
    ///
    /// [`Fault::LegacyVersion`] when it is there and names no legacy revision.
    pub fn legacy_version(&self) -> Result<Option<Version>, Fault> {
        let Some(version) = self.protocol_version else {
            return Ok(None);
        };
        // SPEC: 2025-11-25 basic/transports: an invalid or unsupported version MUST be answered with 400.
        let known = core::str::from_utf8(version).ok().and_then(Version::parse);
        known.map(Some).ok_or(Fault::LegacyVersion)
    }

    /// The version of a modern message whose body names `named`.
    pub(super) fn modern_version(&self, named: Option<&str>) -> Result<Version, Fault> {
        const NAME: &str = "MCP-Protocol-Version";
        let header = self.protocol_version.ok_or(Fault::Header(NAME, HeaderFault::Missing))?;
        // SPEC: 2026-07-28 basic/transports: header and body MUST be equal, before either is judged.
        if named.is_some_and(|named| named.as_bytes() != header) {
            return Err(Fault::Header(NAME, HeaderFault::Differs));
        }
        let text = core::str::from_utf8(header).map_err(|_| Fault::Header(NAME, HeaderFault::Malformed))?;
        let version = Version::parse(text).filter(|version| Version::MODERN.contains(version));
        version.ok_or_else(|| Fault::version_not_served(text))
    }

    /// `Mcp-Method` must be there on a request; what a notification must carry is not defined.
    pub(super) fn agree_on_method(&self, method: &str, is_request: bool) -> Result<(), Fault> {
        const NAME: &str = "Mcp-Method";
        match self.method {
            None if is_request => Err(Fault::Header(NAME, HeaderFault::Missing)),
            Some(value) if value != method.as_bytes() => Err(Fault::Header(NAME, HeaderFault::Differs)),
            _ => Ok(()),
        }
    }

    /// `Mcp-Name` must say what the operation is about.
    pub(super) fn agree_on_name(&self, operation: &Operation<'_>) -> Result<(), Fault> {
        const NAME: &str = "Mcp-Name";
        match (self.name, operation.name()) {
            (None, Some(_)) if operation.requires_name_header() => Err(Fault::Header(NAME, HeaderFault::Missing)),
            (Some(value), Some(name)) => {
                let text = decode(value).ok_or(Fault::Header(NAME, HeaderFault::Malformed))?;
                if text.as_ref() == name.as_bytes() {
                    Ok(())
                } else {
                    Err(Fault::Header(NAME, HeaderFault::Differs))
                }
            }
            _ => Ok(()),
        }
    }

    /// `Mcp-Param-*` values must be well formed; whether they are true only the tool's schema can tell.
    pub(super) fn check_params(&self) -> Result<(), Fault> {
        if self.malformed_param {
            return Err(Fault::Header("Mcp-Param-*", HeaderFault::Malformed));
        }
        Ok(())
    }
}

/// Writes `value` in the form that a header can carry: as it is if possible, else in base64 between markers.
pub fn encode(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    let blank_edge = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let plain = bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e))
        && !blank_edge(bytes.first())
        && !blank_edge(bytes.last())
        && sentinel(bytes).is_none();
    if plain {
        out.extend_from_slice(bytes);
    } else {
        out.extend_from_slice(SENTINEL_START);
        out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
        out.extend_from_slice(SENTINEL_END);
    }
}

/// The value that a header carries, unless it is malformed.
///
/// SPEC: 2026-07-28 basic/transports: an intermediary that inspects values MUST decode the sentinel. Base64 that is not
/// canonical is refused, as two decoders may differ on it.
pub(crate) fn decode(value: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    match sentinel(value) {
        Some(inner) => {
            let decoded = STANDARD.decode(inner).ok()?;
            core::str::from_utf8(&decoded).is_ok().then_some(decoded.into())
        }
        None => {
            let plain = value.iter().all(|byte| matches!(byte, 0x20..=0x7e));
            plain.then_some(value.into())
        }
    }
}

fn sentinel(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(SENTINEL_START)?.strip_suffix(SENTINEL_END)
}

fn is_param(name: &str) -> bool {
    name.get(..PARAM_PREFIX.len())
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(PARAM_PREFIX))
}

fn has_repeated_param<'s>(fields: impl Iterator<Item = (&'s str, &'s [u8])> + Clone) -> bool {
    let params = fields.map(|(name, _)| name).filter(|name| is_param(name));
    let mut rest = params;
    while let Some(name) = rest.next() {
        if rest.clone().any(|other| other.eq_ignore_ascii_case(name)) {
            return true;
        }
    }
    false
}

fn repeated() -> McpError {
    McpError {
        fault: Fault::Header("Mcp-*", HeaderFault::Repeated),
        id: None,
    }
}
