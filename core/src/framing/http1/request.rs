//! Request heads: the rules that a request must keep beyond the grammar, and the view that reads it.

use core::mem::MaybeUninit;

use super::BodyLength;
use super::HeadLimits;
use super::HeaderIter;
use super::Known;
use super::Method;
use super::Progress;
use super::Target;
use super::headers::Headers;
use super::headers::offset;
use super::headers::text;
use super::length;
use super::length::Options;
use crate::framing::FrameError;
use crate::limits::HEADERS_MAX;

/// A request head that keeps every rule of this module. Holds offsets; read it through [`RequestHead::view`].
#[derive(Clone, Copy, Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// Where the body ends; never [`BodyLength::UntilClose`].
    pub body: BodyLength,
    /// Whether the client will send another request on this connection.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    target: Target,
    headers: Headers,
}

/// A request head together with its bytes.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'b> {
    head: &'b RequestHead,
    bytes: &'b [u8],
}

/// Parses one request head from the front of `buf`, which may end anywhere.
///
/// Give it the same bytes and more after [`Progress::Partial`]: however the bytes arrive, the outcome is the same.
///
/// # Errors
/// The first deviation found. The connection must then be closed after the answer.
pub fn parse_request(buf: &[u8], limits: &HeadLimits) -> Result<Progress<RequestHead>, FrameError> {
    // SPEC: RFC 9112 2.2 lets a server skip empty lines here; not every server does, so nobody may rely on it.
    if matches!(buf.first(), Some(b'\r' | b'\n')) {
        return Err(FrameError::LeadingLineBreak);
    }
    let window = limits.window(buf);
    let mut slots = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let consumed = match parsed.parse_with_uninit_headers(window, &mut slots[..limits.header_slots()]) {
        Ok(httparse::Status::Complete(consumed)) => consumed,
        Ok(httparse::Status::Partial) if !limits.exhausted_by(window) => return Ok(Progress::Partial),
        Ok(httparse::Status::Partial) if memchr::memchr(b'\n', window).is_none() => {
            return Err(FrameError::TargetTooLong);
        }
        Ok(httparse::Status::Partial) => return Err(FrameError::HeadTooLarge),
        Err(httparse::Error::Token) if parsed.method.is_none() => return Err(FrameError::Method),
        Err(httparse::Error::Token) => return Err(FrameError::TargetCharacter),
        Err(error) => return Err(explain(error, window)),
    };
    let head = &window[..consumed];
    // INVARIANT: `Complete` means that httparse found all of these, and only version 0 or 1.
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(FrameError::StartLine);
    };
    // HTTP/1.0 has neither `Host` nor chunks, and no MCP client speaks it.
    if version != 1 {
        return Err(FrameError::Version);
    }
    if target.len() > limits.target_bytes {
        return Err(FrameError::TargetTooLong);
    }
    // SPEC: RFC 9112 3.2.3. CONNECT names a host and port, never a path.
    if method == "CONNECT" {
        return Err(FrameError::TargetForm);
    }
    let target = Target::check(target.as_bytes(), offset(head, target.as_bytes())?)?;
    let headers = Headers::collect(head, parsed.headers)?;
    let head = RequestHead::check(head, Method::of(method), target, headers, limits)?;
    Ok(Progress::Complete { head, consumed })
}

impl RequestHead {
    /// The head with the bytes it was parsed from: the same buffer, which may have grown since.
    ///
    /// With other bytes the view holds nothing useful, but reading it stays safe.
    #[must_use]
    pub const fn view<'b>(&'b self, buf: &'b [u8]) -> RequestView<'b> {
        RequestView { head: self, bytes: buf }
    }

    fn check(
        head: &[u8],
        method: Method,
        target: Target,
        headers: Headers,
        limits: &HeadLimits,
    ) -> Result<Self, FrameError> {
        // SPEC: RFC 9112 3.2. A server MUST answer 400 to a request without `Host` or with an invalid one.
        check_host(headers.known(head, Known::Host).ok_or(FrameError::MissingHost)?)?;
        let options = Options::read(head, &headers);
        if options.upgrade || headers.known(head, Known::Upgrade).is_some() {
            return Err(FrameError::Upgrade);
        }
        // `Connection: authorization` would tell the next hop to drop a credential.
        if options.other {
            return Err(FrameError::ConnectionOption);
        }
        let body = match length::declared(head, &headers)? {
            None | Some(BodyLength::Fixed(0)) => BodyLength::None,
            Some(BodyLength::Fixed(bytes)) if bytes > limits.body_bytes => return Err(FrameError::BodyTooLarge),
            Some(body) => body,
        };
        // SPEC: RFC 9110 9.3.1, 9.3.2, 9.3.5. Content has no meaning here, so some readers frame it and some do not.
        let bodiless = matches!(method, Method::Get | Method::Head | Method::Delete | Method::Options);
        if bodiless && body != BodyLength::None {
            return Err(FrameError::UnexpectedBody);
        }
        let expect_continue = match headers.known(head, Known::Expect) {
            None => false,
            Some(value) if value.eq_ignore_ascii_case(b"100-continue") => body != BodyLength::None,
            Some(_) => return Err(FrameError::Expectation),
        };
        Ok(Self {
            method,
            body,
            keep_alive: !options.close,
            expect_continue,
            target,
            headers,
        })
    }
}

impl<'b> RequestView<'b> {
    /// The path exactly as sent, beginning with `/`: not decoded, not normalised.
    #[must_use]
    pub fn path(&self) -> &'b str {
        self.head.target.path(self.bytes)
    }

    /// The query exactly as sent, without its `?`.
    #[must_use]
    pub fn query(&self) -> Option<&'b str> {
        self.head.target.query(self.bytes)
    }

    /// Path and query exactly as sent.
    #[must_use]
    pub fn target(&self) -> &'b str {
        self.head.target.whole(self.bytes)
    }

    /// The value of `Host`: a host name or address, with a port if one was given; case as sent.
    #[must_use]
    pub fn host(&self) -> &'b str {
        text(self.known(Known::Host).unwrap_or_default())
    }

    /// The value of a known header; the first one for those that may be repeated.
    #[must_use]
    pub fn known(&self, known: Known) -> Option<&'b [u8]> {
        self.head.headers.known(self.bytes, known)
    }

    /// Every value of a known header, in order.
    pub fn known_all(&self, known: Known) -> impl Iterator<Item = &'b [u8]> {
        self.head.headers.all(self.bytes, known)
    }

    /// The first value of the header named `name`, in any case. Walks all fields: for headers that are not
    /// [`Known`] only.
    #[must_use]
    pub fn header_str(&self, name: &str) -> Option<&'b [u8]> {
        self.headers()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Every field in order, names in the case in which they were sent.
    #[must_use]
    pub fn headers(&self) -> HeaderIter<'b> {
        self.head.headers.iter(self.bytes)
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.head.method
    }
}

/// Names the deviation behind an `httparse` error in a head.
pub(super) fn explain(error: httparse::Error, head: &[u8]) -> FrameError {
    match error {
        httparse::Error::HeaderName => explain_name(head),
        httparse::Error::HeaderValue => FrameError::HeaderValue,
        httparse::Error::TooManyHeaders => FrameError::TooManyHeaders,
        httparse::Error::Version => FrameError::Version,
        httparse::Error::Status => FrameError::Status,
        httparse::Error::Token | httparse::Error::NewLine => FrameError::StartLine,
    }
}

/// Finds the first line whose name is broken and says how.
fn explain_name(head: &[u8]) -> FrameError {
    for line in head.split(|b| *b == b'\n').skip(1) {
        let end = line.iter().position(|b| !is_token_byte(*b)).unwrap_or(line.len());
        match line.get(end) {
            Some(b':') if end > 0 => {}
            Some(b' ' | b'\t') if end == 0 => return FrameError::ObsoleteFold,
            Some(b' ' | b'\t') => return FrameError::SpaceBeforeColon,
            _ => return FrameError::HeaderName,
        }
    }
    FrameError::HeaderName
}

/// A byte of a token (RFC 9110 5.6.2).
pub(in crate::framing) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// Accepts a host name, an IPv4 address or a bracketed IPv6 address, with an optional port (RFC 9110 7.2).
///
/// Narrower than the grammar: no percent triplets, sub-delimiters or user information, which no host here has.
fn check_host(value: &[u8]) -> Result<(), FrameError> {
    let host_len = match value {
        [b'[', ..] => memchr::memchr(b']', value).map_or(0, |end| end + 1),
        _ => memchr::memchr(b':', value).unwrap_or(value.len()),
    };
    let (host, port) = value.split_at(host_len);
    let host_good = match host {
        [] => false,
        [b'[', address @ .., b']'] => {
            !address.is_empty()
                && address
                    .iter()
                    .all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
        }
        name => name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')),
    };
    let port_good = match port {
        [] => true,
        [b':', digits @ ..] => matches!(digits.len(), 1..=5) && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if host_good && port_good {
        Ok(())
    } else {
        Err(FrameError::Host)
    }
}
