//! What is checked before anybody is known: host, origin, path, HTTP method, media type.
//!
//! Reads the head only. Unauthenticated bytes meet nothing behind this but the strict parse of two small tokens.
//!
//! SPEC: MCP 2026-07-28 basic/transports/streamable-http "Security Warning"; RFC 9728 3.1; RFC 8414 3.

use super::{Refusal, Reply, Request};
use crate::credential::documents;
use crate::framing::http1::{Known, Method};
use crate::snapshot::{Server, SignalDoor, Snapshot};

const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";
const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
const JWKS: &str = "/.well-known/jwks.json";
const ALLOW_SERVER: &str = "POST, GET, DELETE";
const ALLOW_DOCUMENT: &str = "GET";
const ALLOW_POST: &str = "POST";

/// Where a request leads.
pub(super) enum Route<'a> {
    /// To a server behind the gate.
    Server(&'a Server),
    /// To one of the gate's public documents.
    Document(Reply),
    /// To where minted tokens are revoked.
    Revocation,
    /// To where a transmitter pushes its signals.
    Signal(&'a SignalDoor),
}

/// Checks `Host` and `Origin`, then finds the server or the document.
pub(super) fn enter<'a>(request: &Request<'_>, snapshot: &'a Snapshot) -> Result<Route<'a>, Refusal> {
    let front = &snapshot.front;
    let host = request.view.known(Known::Host).unwrap_or_default();
    if !front
        .allowed_hosts
        .iter()
        .any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(host))
    {
        return Err(Refusal::Host);
    }
    if let Some(origin) = request.view.known(Known::Origin)
        && !front.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin)
    {
        return Err(Refusal::Origin);
    }
    let path = request.view.path();
    if let Some(server) = snapshot.server_at(path) {
        return match request.method {
            Method::Post | Method::Get | Method::Delete => Ok(Route::Server(server)),
            _ => Err(Refusal::Method { allow: ALLOW_SERVER }),
        };
    }
    if let Some(door) = front.signals.iter().find(|door| door.path == path) {
        return match request.method {
            Method::Post => Ok(Route::Signal(door)),
            _ => Err(Refusal::Method { allow: ALLOW_POST }),
        };
    }
    if path == documents::REVOCATION {
        return match request.method {
            Method::Post => Ok(Route::Revocation),
            _ => Err(Refusal::Method { allow: ALLOW_POST }),
        };
    }
    let document = document(path, snapshot).ok_or(Refusal::Path)?;
    match request.method {
        Method::Get => Ok(Route::Document(document)),
        _ => Err(Refusal::Method { allow: ALLOW_DOCUMENT }),
    }
}

/// The URL of a server's protected resource metadata, for challenges.
pub(super) fn metadata_url(server: &Server, snapshot: &Snapshot) -> String {
    format!("{}{RESOURCE_METADATA}{}", snapshot.front.public_url, server.path)
}

/// Checks that a POST declares what is then parsed: JSON in UTF-8, not encoded, with both reply forms accepted.
pub(super) fn check_post(request: &Request<'_>) -> Result<(), Refusal> {
    if !request.view.known(Known::ContentType).is_some_and(is_json_in_utf8) {
        return Err(Refusal::MediaType);
    }
    if request
        .view
        .known(Known::ContentEncoding)
        .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"))
    {
        return Err(Refusal::ContentEncoding);
    }
    Ok(())
}

/// `application/json` in any case, with no parameter but `charset=utf-8`.
///
/// Anything else is refused rather than guessed: a server that honours `charset=utf-7` reads other members than we do.
fn is_json_in_utf8(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let is_json = parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case(b"application/json"));
    let charset = parts.next().is_none_or(|parameter| {
        parameter.eq_ignore_ascii_case(b"charset=utf-8") || parameter.eq_ignore_ascii_case(b"charset=\"utf-8\"")
    });
    is_json && charset && parts.next().is_none()
}

fn document(path: &str, snapshot: &Snapshot) -> Option<Reply> {
    let front = &snapshot.front;
    let body = match path {
        JWKS => snapshot.credentials.jwks_document(),
        SERVER_METADATA => snapshot.credentials.authorization_server_document(),
        _ if path.starts_with(JWKS) => {
            let server = path[JWKS.len()..].strip_prefix('/')?;
            snapshot.credentials.jwks_document_of(server)?
        }
        _ => {
            let resource = path.strip_prefix(RESOURCE_METADATA)?;
            if !resource.is_empty() {
                snapshot.server_at(resource)?;
            }
            let resource = format!("{}{resource}", front.public_url);
            documents::protected_resource(&resource, &front.authorization_servers, front.certificates)
        }
    };
    Some(Reply::json(200, body))
}

#[cfg(test)]
mod tests {
    use super::is_json_in_utf8;

    #[test]
    fn only_json_in_utf8_is_read() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(is_json_in_utf8(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/jsonp",
            "application/json; charset=utf-7",
            "application/json; charset=utf-16",
            "application/json; charset=utf-8; charset=utf-7",
            "application/json; boundary=x",
            "application/json;",
            "application/json, text/plain",
        ] {
            assert!(!is_json_in_utf8(bad.as_bytes()), "{bad}");
        }
    }
}
