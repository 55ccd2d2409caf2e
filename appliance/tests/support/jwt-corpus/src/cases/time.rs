//! Times: tokens that are too old, too young, too long-lived, or that say so in a way two readers could differ on.

use serde_json::json;

use crate::Expect::Either;
use crate::Expect::Reject;
use crate::forge::ABSENT;
use crate::forge::Forge;

const GROUP: &str = "time";
const YEAR: u64 = 365 * 24 * 3600;

pub(super) fn add(forge: &mut Forge<'_>) {
    let now = forge.now();
    for (name, claims) in [
        ("exp is absent", json!({"exp": ABSENT})),
        ("exp is null", json!({"exp": null})),
        ("exp is a string", json!({"exp": (now + 600).to_string()})),
        ("exp is true", json!({"exp": true})),
        ("exp is an array", json!({"exp": [now + 600]})),
        ("exp is negative", json!({"exp": -1})),
        ("exp is zero", json!({"exp": 0})),
        ("exp is 2^63", json!({"exp": 1_u64 << 63})),
        ("exp is 2^64 - 1", json!({"exp": u64::MAX})),
        ("exp is in milliseconds", json!({"exp": (now + 600) * 1000})),
        ("exp is in ten years", json!({"exp": now + 10 * YEAR})),
        ("exp was an hour ago", json!({"iat": now - 7200, "exp": now - 3600})),
        (
            "exp was just before the leeway",
            json!({"iat": now - 600, "exp": now - 31}),
        ),
        ("exp is before iat", json!({"iat": now + 20, "exp": now + 10})),
        (
            "life of a second more than a day",
            json!({"iat": now, "exp": now + 24 * 3600 + 1}),
        ),
        ("nbf is in an hour", json!({"nbf": now + 3600, "exp": now + 3700})),
        ("nbf is just after the leeway", json!({"nbf": now + 32})),
        ("nbf is a string", json!({"nbf": "0"})),
        ("nbf is null", json!({"nbf": null})),
        ("iat is absent", json!({"iat": ABSENT})),
        ("iat is a string", json!({"iat": now.to_string()})),
        ("iat is in an hour", json!({"iat": now + 3600, "exp": now + 3700})),
        ("iat was ten years ago", json!({"iat": now - 10 * YEAR})),
        ("iat is zero", json!({"iat": 0})),
    ] {
        forge.with_claims(GROUP, name, claims, Reject);
    }
    forge.with_claims(GROUP, "exp was within the leeway", json!({"exp": now - 5}), Either);
    for (name, exp) in [
        ("NaN", "NaN".to_owned()),
        ("Infinity", "Infinity".to_owned()),
        ("1e400", "1e400".to_owned()),
        ("2^64", "18446744073709551616".to_owned()),
        ("with a fraction", format!("{}.5", now + 600)),
        ("with an exponent", format!("{}e0", now + 600)),
        ("with a leading zero", format!("0{}", now + 600)),
        ("with a plus sign", format!("+{}", now + 600)),
        ("hexadecimal", "0x7fffffff".to_owned()),
    ] {
        let mut claims = forge.claims();
        crate::forge::patch(&mut claims, json!({"exp": ABSENT}));
        forge.seal_claims_text(
            GROUP,
            &format!("exp is {name}"),
            &claims,
            &format!("\"exp\":{exp}"),
            Reject,
        );
    }
}
