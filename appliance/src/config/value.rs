//! Values that are written as text in the configuration: time spans, sizes, addresses, URLs. Pure.
//!
//! Each reads itself strictly while the file is parsed, so that a bad value is reported at its own place.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A value with one strict textual form.
pub(super) trait FromText: Sized {
    /// What a reader should have written, for "invalid type" faults.
    const EXPECTED: &'static str;
    /// Reads `text`; the error is `message\nhint`.
    fn from_text(text: &str) -> Result<Self, String>;
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: FromText> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }
}

macro_rules! read_as_text {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor(PhantomData))
            }
        }
    )*};
}

read_as_text!(TimeSpan, ByteSize, ListenAddress, HttpUrl);

/// A span of time: `"250ms"`, `"60s"`, `"30m"`, `"24h"`, `"7d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan(pub Duration);

impl FromText for TimeSpan {
    const EXPECTED: &'static str = "a time span in quotes such as \"60s\"";

    fn from_text(text: &str) -> Result<Self, String> {
        let units = [
            ("ms", 1),
            ("s", 1000),
            ("m", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
        ];
        scaled(text, &units)
            .filter(|millis| *millis > 0)
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| {
                "this is not a time span\nwrite a whole number above zero and ms, s, m, h or d, such as \"60s\""
                    .to_owned()
            })
    }
}

impl std::str::FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::from_text(text).map_err(|fault| fault.replace('\n', "; "))
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match (millis % 1000, millis / 1000) {
            (0, secs) if secs % 3600 == 0 => write!(f, "{}h", secs / 3600),
            (0, secs) if secs % 60 == 0 => write!(f, "{}m", secs / 60),
            (0, secs) => write!(f, "{secs}s"),
            _ => write!(f, "{millis}ms"),
        }
    }
}

/// A number of bytes: `"64KiB"`, `"4MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub u64);

impl FromText for ByteSize {
    const EXPECTED: &'static str = "a size in quotes such as \"4MiB\"";

    fn from_text(text: &str) -> Result<Self, String> {
        scaled(text, &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)])
            .filter(|bytes| *bytes > 0)
            .map(Self)
            .ok_or_else(|| {
                "this is not a size\nwrite a whole number above zero and B, KiB, MiB or GiB, such as \"4MiB\""
                    .to_owned()
            })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes % (1 << 20) == 0 => write!(f, "{}MiB", bytes >> 20),
            bytes if bytes % (1 << 10) == 0 => write!(f, "{}KiB", bytes >> 10),
            bytes => write!(f, "{bytes}B"),
        }
    }
}

/// A number and its unit, as the product; `None` when it is anything else or too large.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// An address to listen on, `"127.0.0.1:8477"` or `"[::1]:8477"`; never a name, which could come to mean another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

impl FromText for ListenAddress {
    const EXPECTED: &'static str = "an address in quotes such as \"127.0.0.1:8477\"";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            "this is not an address to listen on\nwrite an IP address and a port, such as \"127.0.0.1:8477\"".to_owned()
        })
    }
}

/// An absolute `http` or `https` URL without user, query or fragment; scheme and host in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl HttpUrl {
    /// The URL of an address, without a path.
    #[must_use]
    pub fn of_address(tls: bool, address: SocketAddr) -> Self {
        Self {
            tls,
            host: address.ip().to_string(),
            port: address.port(),
            path: String::new(),
        }
    }

    /// Whether the scheme is `https`.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.tls
    }

    /// A name, an IPv4 address, or an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also when it is the scheme's own.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path, empty or starting with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Scheme and authority: this URL without its path.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// `host[:port]`, the port only when it is not the scheme's own, IPv6 in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == self.default_port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Whether the host can only be this machine: `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    const fn default_port(&self) -> u16 {
        if self.tls { 443 } else { 80 }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

impl FromText for HttpUrl {
    const EXPECTED: &'static str = "a URL in quotes such as \"https://tools.example/mcp\"";

    fn from_text(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or_else(not_a_url)?;
        let tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err("the scheme of this URL is neither http nor https\nwrite https://…".to_owned()),
        };
        if rest.contains(['?', '#', '@']) {
            return Err("a URL here has no user, query or fragment\n\
                 credentials belong into the state directory, never into a URL"
                .to_owned());
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(not_a_url());
        }
        let (host, port) = split_authority(authority).ok_or_else(not_a_url)?;
        let mut url = Self {
            tls,
            host: host.to_ascii_lowercase(),
            port: 0,
            path: path.to_owned(),
        };
        url.port = match port {
            None => url.default_port(),
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(not_a_url)?,
        };
        Ok(url)
    }
}

fn not_a_url() -> String {
    "this is not a URL\nwrite scheme, host and path, such as \"https://tools.example/mcp\"".to_owned()
}

fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        return match after {
            "" => Some((host, None)),
            _ => Some((host, Some(after.strip_prefix(':')?))),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let named =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    host.split('.').all(named).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_and_sizes_need_their_unit() {
        assert_eq!(TimeSpan::from_text("60s"), Ok(TimeSpan(Duration::from_secs(60))));
        assert_eq!(TimeSpan::from_text("250ms"), Ok(TimeSpan(Duration::from_millis(250))));
        assert_eq!(TimeSpan::from_text("7d").unwrap().to_string(), "168h");
        assert_eq!(ByteSize::from_text("4MiB"), Ok(ByteSize(4 << 20)));
        assert_eq!(ByteSize::from_text("4096B").unwrap().to_string(), "4KiB");
        for bad in [
            "60",
            "",
            "s",
            "0s",
            "-1s",
            "1.5s",
            "1 s",
            "60S",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(TimeSpan::from_text(bad).is_err(), "{bad}");
        }
        for bad in ["4MB", "4", "MiB", "0B", "4mib"] {
            assert!(ByteSize::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_are_read_apart_and_written_back_the_same() {
        for text in [
            "https://tools.example/mcp",
            "http://127.0.0.1:3001/mcp",
            "https://[::1]:8443",
            "http://localhost/",
        ] {
            assert_eq!(HttpUrl::from_text(text).unwrap().to_string(), text);
        }
        let url = HttpUrl::from_text("https://Tools.Example:443/Mcp").unwrap();
        assert_eq!(
            (url.authority().as_str(), url.port, url.path.as_str()),
            ("tools.example", 443, "/Mcp")
        );
        assert!(HttpUrl::from_text("http://localhost:1").unwrap().is_loopback());
        assert!(!HttpUrl::from_text("http://localhost.example:1").unwrap().is_loopback());
    }

    #[test]
    fn urls_that_hide_something_are_refused() {
        for bad in [
            "tools.example/mcp",
            "ftp://tools.example/",
            "https://user:secret@tools.example/",
            "https://tools.example/?key=secret",
            "https://tools.example/#part",
            "https://tools.example:0/",
            "https://tools.example:65536/",
            "https://:443/",
            "https:///mcp",
            "https://tools..example/",
            "https://[::1/",
            "https://tools.example/a b",
            "HTTPS://tools.example/",
        ] {
            assert!(HttpUrl::from_text(bad).is_err(), "{bad}");
        }
    }
}
