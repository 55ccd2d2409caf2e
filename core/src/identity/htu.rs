//! Whether the URI in a proof (`htu`) is the one that was asked for.
//!
//! Compared with the configured public URL, never with what a request says its host is. RFC 9449 4.2: the target URI
//! without query and fragment; 4.3: after the syntax-based and scheme-based normalisation of RFC 3986 6.2.2 and 6.2.3.
//! Dot segments are left as they are: no path of the gate has any, so that such a URI never matches.

use crate::limits::PROOF_URI_BYTES_MAX;

/// Whether `claim` is the URI of `path` at `origin` (scheme and authority).
pub(super) fn is_target(claim: &str, origin: &str, path: &str) -> bool {
    normal(claim).is_some_and(|claimed| normal(&format!("{origin}{path}")) == Some(claimed))
}

/// The normal form of an http or https URI; `None` for anything else, also for one with user, query or fragment.
fn normal(uri: &str) -> Option<String> {
    if uri.len() > PROOF_URI_BYTES_MAX || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    if uri.contains(['?', '#', '@']) {
        return None;
    }
    let (scheme, rest) = uri.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let mut normal = format!("{scheme}://{}", normal_authority(authority, default_port)?);
    push_path(&mut normal, path)?;
    Some(normal)
}

/// SPEC: RFC 3986 3.2.2, 3.2.3 and 6.2.3: colons in a host only within brackets; an empty or default port is left out.
fn normal_authority(authority: &str, default_port: &str) -> Option<String> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at(end);
    let digits = if port.is_empty() { "" } else { port.strip_prefix(':')? };
    if host.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    Some(match digits {
        "" => host,
        digits if digits == default_port => host,
        digits => format!("{host}:{digits}"),
    })
}

/// SPEC: RFC 3986 6.2.2.1 and 6.2.2.2: upper-case hexadecimal digits; unreserved characters are not encoded.
fn push_path(out: &mut String, path: &str) -> Option<()> {
    let mut rest = path;
    while let Some((plain, encoded)) = rest.split_once('%') {
        out.push_str(plain);
        let digits = encoded
            .get(..2)
            .filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&digits.to_ascii_uppercase());
        }
        rest = &encoded[2..];
    }
    out.push_str(rest);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_ours(claim: &str) -> bool {
        is_target(claim, "https://gate.example", "/ledger-1/mcp")
    }

    #[test]
    fn every_spelling_of_the_same_uri_is_the_same() {
        for same in [
            "https://gate.example/ledger-1/mcp",
            "HTTPS://Gate.Example/ledger-1/mcp",
            "https://gate.example:443/ledger-1/mcp",
            "https://gate.example:/ledger-1/mcp",
            "https://gate.example/ledger%2D1/m%63p",
            "https://gate.example/ledger%2d1/mcp",
        ] {
            assert!(is_ours(same), "{same}");
        }
        assert!(is_target("http://[::1]:8080", "http://[::1]:8080", "/"));
        assert!(is_target("http://127.0.0.1:80/a", "http://127.0.0.1", "/a"));
        assert!(is_target("https://g/a%2fb", "https://g", "/a%2Fb"));
    }

    #[test]
    fn every_other_uri_is_another() {
        for other in [
            "",
            "/ledger-1/mcp",
            "gate.example/ledger-1/mcp",
            "http://gate.example/ledger-1/mcp",
            "https://gate.example:80/ledger-1/mcp",
            "https://gate.example:8443/ledger-1/mcp",
            "https://gate.example.evil.example/ledger-1/mcp",
            "https://gate.example/ledger-1",
            "https://gate.example/ledger-1/mcp/",
            "https://gate.example/Ledger-1/mcp",
            "https://gate.example/ledger-1%2Fmcp",
            "https://gate.example//ledger-1/mcp",
            "https://gate.example/x/../ledger-1/mcp",
            "https://gate.example/./ledger-1/mcp",
            "https://gate.example/ledger-1/mcp?a=1",
            "https://gate.example/ledger-1/mcp?",
            "https://gate.example/ledger-1/mcp#a",
            "https://ada@gate.example/ledger-1/mcp",
            "https://gate.example/ledger%2/mcp",
            "https://gate.example/ledger%/mcp",
            "https://gate.example/ledger%+1/mcp",
            " https://gate.example/ledger-1/mcp",
            "https://gate.example/ledger-1/mcp\n",
            "https://gate.\u{ff45}xample/ledger-1/mcp",
            "https:///ledger-1/mcp",
            "https://:443/ledger-1/mcp",
            "https://gate.example::/ledger-1/mcp",
            "https://gate.example:443:443/ledger-1/mcp",
            "https://gate.example:443a/ledger-1/mcp",
            "https://[gate.example/ledger-1/mcp",
            &format!("https://gate.example/{}", "a".repeat(PROOF_URI_BYTES_MAX)),
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn an_authority_with_more_than_one_port_has_no_normal_form() {
        for broken in ["HTTP://::", "http://a:80:80/", "http://[::1]80/", "http://[::1]:80:80/"] {
            assert_eq!(normal(broken), None, "{broken}");
        }
        assert_eq!(normal("http://[::1]:80").as_deref(), Some("http://[::1]/"));
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own(uri in "(HTTP|https)://[A-Za-z.:0-9\\[\\]]{0,12}(/|%[0-9a-fA-F]{2}|[a-zA-Z%]){0,12}") {
            if let Some(once) = normal(&uri) {
                prop_assert_eq!(normal(&once), Some(once.clone()), "{}", uri);
            }
        }

        #[test]
        fn no_text_makes_it_fail(uri in any::<String>()) {
            let _ = is_ours(&uri);
        }
    }
}
