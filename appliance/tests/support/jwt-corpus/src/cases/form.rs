//! Form: what is not exactly one compact JWS of one strict JSON object, or could be read as two different ones.

use serde_json::Value;
use serde_json::json;

use crate::Expect::Either;
use crate::Expect::Reject;
use crate::Side;
use crate::forge::Forge;
use crate::keys::encode;

const GROUP: &str = "form";

pub(super) fn add(forge: &mut Forge<'_>) {
    segments(forge);
    spellings(forge);
    other_serialisations(forge);
    payloads(forge);
    headers(forge);
    duplicates(forge);
    if forge.side == Side::Agent {
        schemes(forge);
    }
}

fn segments(forge: &mut Forge<'_>) {
    let token = forge.valid_token();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        unreachable!("a token has three segments");
    };
    for (name, value) in [
        ("nothing", String::new()),
        ("two dots", "..".to_owned()),
        ("a word", "token".to_owned()),
        ("no signature and no dot", format!("{header}.{claims}")),
        ("no signature", format!("{header}.{claims}.")),
        ("no claims", format!("{header}..{signature}")),
        ("no header", format!(".{claims}.{signature}")),
        ("a dot after it", format!("{token}.")),
        ("a dot before it", format!(".{token}")),
        ("four segments", format!("{token}.{signature}")),
        (
            "five segments, as JWE",
            format!("{header}.{claims}.{signature}.{signature}.{signature}"),
        ),
        ("9 KiB", format!("{header}.{claims}{}.{signature}", "A".repeat(9 << 10))),
        ("1 MiB", format!("{header}.{claims}{}.{signature}", "A".repeat(1 << 20))),
    ] {
        forge.add(GROUP, name, value, Reject);
    }
}

fn spellings(forge: &mut Forge<'_>) {
    let token = loop {
        let token = forge.valid_token();
        if token.contains('-') && token.contains('_') {
            break token;
        }
    };
    let dot = token.find('.').expect("a token has dots");
    let last_dot = token.rfind('.').expect("a token has dots");
    let inserted = |at: usize, what: &str| format!("{}{what}{}", &token[..at], &token[at..]);
    for (name, value) in [
        ("padding after the header", inserted(dot, "=")),
        ("padding after the claims", inserted(last_dot, "==")),
        ("padding after the signature", format!("{token}==")),
        ("the standard alphabet", token.replace('-', "+").replace('_', "/")),
        ("a line end in the header", inserted(10, "\n")),
        ("a carriage return in the claims", inserted(dot + 5, "\r\n")),
        ("a tab in the claims", inserted(dot + 5, "\t")),
        ("a space in the signature", inserted(last_dot + 9, " ")),
        ("NUL at the end", format!("{token}\0")),
        ("NUL in the middle", inserted(dot, "\0")),
        ("a full-width dot", token.replacen('.', "\u{ff0e}", 1)),
        ("a percent-encoded dot", token.replacen('.', "%2e", 1)),
        ("quotes around it", format!("\"{token}\"")),
        ("twice with a comma", format!("{token},{token}")),
        ("twice with comma and space", format!("{token}, {token}")),
        ("twice with a space", format!("{token} {token}")),
        ("a parameter after it", format!("{token};a=b")),
        ("a byte that is not UTF-8", inserted(dot, "\u{e9}")),
        ("the scheme in front of it", format!("Bearer {token}")),
    ] {
        forge.add(GROUP, name, value, Reject);
    }
    // The codec takes white space off both ends of a field value (RFC 9110 5.5), the verifier does not.
    forge.add(GROUP, "a space after it", format!("{token} "), Either);
    // 64 bytes are 86 symbols: the last one has four bits that mean nothing.
    let last = token.chars().next_back().expect("a token is not empty");
    let other = match last {
        'A' => 'B',
        'Q' => 'R',
        'g' => 'h',
        _ => 'x',
    };
    forge.add(
        GROUP,
        "trailing bits in the signature",
        format!("{}{other}", &token[..token.len() - 1]),
        Reject,
    );
}

fn other_serialisations(forge: &mut Forge<'_>) {
    let token = forge.valid_token();
    let parts: Vec<&str> = token.split('.').collect();
    let flattened = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]});
    let general = json!({"payload": parts[1], "signatures": [{"protected": parts[0], "signature": parts[2]}]});
    forge.add(GROUP, "flattened JSON", flattened.to_string(), Reject);
    forge.add(GROUP, "general JSON", general.to_string(), Reject);
    forge.add(
        GROUP,
        "flattened JSON, encoded",
        encode(flattened.to_string().as_bytes()),
        Reject,
    );
    let nested = forge.seal_text(forge.header().to_string().as_bytes(), token.as_bytes());
    forge.add(GROUP, "a token in a token", nested, Reject);
}

fn payloads(forge: &mut Forge<'_>) {
    let claims = forge.claims().to_string();
    let body = &claims[1..claims.len() - 1];
    let deep = |depth: usize| format!("{{{body},\"deep\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    let wide = |members: usize| {
        let more: String = (0..members).map(|index| format!(",\"m{index}\":1")).collect();
        format!("{{{body}{more}}}")
    };
    for (name, text) in [
        ("claims are an array", format!("[{claims}]")),
        ("claims are a string", json!(claims).to_string()),
        ("claims are a number", "1".to_owned()),
        ("claims are null", "null".to_owned()),
        ("claims are empty", "{}".to_owned()),
        ("a byte order mark before the claims", format!("\u{feff}{claims}")),
        ("something after the claims", format!("{claims}x")),
        ("a second object after the claims", format!("{claims}{claims}")),
        ("NUL after the claims", format!("{claims}\0")),
        ("a comment in the claims", format!("{{/* note */{body}}}")),
        ("a trailing comma in the claims", format!("{{{body},}}")),
        ("single quotes in the claims", claims.replace('"', "'")),
        (
            "an unpaired surrogate in the claims",
            format!("{{{body},\"note\":\"\\ud800\"}}"),
        ),
        (
            "a raw control character in the claims",
            format!("{{{body},\"note\":\"\u{1}\"}}"),
        ),
        ("claims nested 20 deep", deep(20)),
        ("claims nested 500 deep", deep(500)),
        ("claims nested 20 000 deep", deep(20_000)),
        ("300 claims", wide(300)),
        ("20 000 claims", wide(20_000)),
    ] {
        let token = forge.seal_text(forge.header().to_string().as_bytes(), text.as_bytes());
        forge.add(GROUP, name, token, Reject);
    }
    let latin1 = [b"{\"note\":\"\xe9\",", body.as_bytes(), b"}"].concat();
    let token = forge.seal_text(forge.header().to_string().as_bytes(), &latin1);
    forge.add(GROUP, "claims that are not UTF-8", token, Reject);
    let utf16: Vec<u8> = claims.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let token = forge.seal_text(forge.header().to_string().as_bytes(), &utf16);
    forge.add(GROUP, "claims in UTF-16", token, Reject);
}

fn headers(forge: &mut Forge<'_>) {
    let header = forge.header().to_string();
    for (name, text) in [
        ("header is an array", format!("[{header}]")),
        ("header is a string", json!(header).to_string()),
        ("header is empty", "{}".to_owned()),
        ("a byte order mark before the header", format!("\u{feff}{header}")),
        ("something after the header", format!("{header}x")),
        ("a header of 2 KiB", format!("{}{}", " ".repeat(2048), header)),
        (
            "a header nested 100 deep",
            format!(
                "{},\"x\":{}{}}}",
                &header[..header.len() - 1],
                "[".repeat(100),
                "]".repeat(100)
            ),
        ),
    ] {
        let claims = forge.claims().to_string();
        let token = forge.seal_text(text.as_bytes(), claims.as_bytes());
        forge.add(GROUP, name, token, Reject);
    }
}

/// Two readings of one text: some parsers take the first member of a name, some the last.
fn duplicates(forge: &mut Forge<'_>) {
    for (name, more) in [
        ("sub twice", "\"sub\":\"root\""),
        ("sub twice, once escaped", "\"s\\u0075b\":\"root\""),
        ("exp twice", "\"exp\":99999999999"),
        ("iss twice", "\"iss\":\"https://attacker.example\""),
        ("aud twice, once escaped", "\"\\u0061ud\":\"https://elsewhere.example\""),
        ("a name twice in an inner object", "\"note\":{\"a\":1,\"a\":2}"),
        ("a name twice in an inner array", "\"note\":[{\"a\":1,\"\\u0061\":2}]"),
        ("NUL in a name", "\"sub\\u0000\":\"root\""),
    ] {
        let claims = forge.claims();
        forge.seal_claims_text("dup", name, &claims, more, Reject);
    }
    for (name, header) in [
        ("alg twice", r#"{"alg":"none","kid":"es","typ":"at+jwt","alg":"ES256"}"#),
        (
            "alg twice, once escaped",
            r#"{"alg":"ES256","kid":"es","typ":"at+jwt","\u0061lg":"none"}"#,
        ),
        ("kid twice", r#"{"alg":"ES256","kid":"es","typ":"at+jwt","kid":"es-2"}"#),
        ("typ twice", r#"{"alg":"ES256","kid":"es","typ":"JWT","typ":"at+jwt"}"#),
    ] {
        let claims = forge.claims().to_string();
        let token = forge.seal_text(header.as_bytes(), claims.as_bytes());
        forge.add("dup", name, token, Reject);
    }
}

fn schemes(forge: &mut Forge<'_>) {
    let token = forge.valid_token();
    for (name, value) in [
        ("no scheme", token.clone()),
        ("a scheme alone", "Bearer".to_owned()),
        ("two spaces after the scheme", format!("Bearer  {token}")),
        ("a tab after the scheme", format!("Bearer\t{token}")),
        ("a colon after the scheme", format!("Bearer: {token}")),
        ("basic authentication", "Basic YWdlbnQ6c2VjcmV0".to_owned()),
        ("the token as basic authentication", format!("Basic {token}")),
        ("the DPoP scheme without a proof", format!("DPoP {token}")),
        ("a scheme that begins alike", format!("Bearers {token}")),
        ("two schemes", format!("Bearer {token}, Basic YWdlbnQ6c2VjcmV0")),
    ] {
        forge.add_value(GROUP, name, value.into_bytes(), Reject);
    }
    let claims: Value = forge.claims();
    let token = forge.seal(&forge.header(), &claims);
    forge.add_value(
        GROUP,
        "as a parameter",
        format!("Bearer token={token}").into_bytes(),
        Reject,
    );
}
