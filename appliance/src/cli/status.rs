//! `portreeve status`: how a running gate is, and whether its issuers answer.

use std::fmt::Write as _;

use clap::Args;
use portreeve_core::time::UnixTime;

use super::Failure;
use super::revoke::RunningGate;
use crate::admin::client;
use crate::admin::contract::{self, Failing, IssuerStatus, Status, TransmitterStatus};

/// Say how a running gate is: what is in force, and whether its issuers answer.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gate: RunningGate,
}

pub(super) fn run(options: &Options) -> Result<String, Failure> {
    let (state_dir, _) = options.gate.find()?;
    let status: Status = client::ask(&state_dir, contract::STATUS, None::<&()>)?;
    if options.json {
        let text = serde_json::to_string_pretty(&status).map_err(|error| Failure::Other(error.to_string()))?;
        return Ok(text + "\n");
    }
    Ok(written(&status))
}

fn written(status: &Status) -> String {
    let mut out = format!(
        "{} on {}, generation {}\n",
        status.public_url, status.listening, status.generation
    );
    for issuer in &status.issuers {
        // A string takes everything.
        let _ = writeln!(out, "\nissuer {}  {}", issuer.name, issuer.issuer.escape_debug());
        for line in lines(issuer, status.now) {
            let _ = writeln!(out, "  {line}");
        }
    }
    for server in &status.servers {
        let _ = writeln!(out, "\nserver {}  shown: {}", server.name, server.credential);
        if let Some(failing) = &server.failing {
            let _ = writeln!(out, "  {}", failure(failing, status.now));
        }
    }
    for transmitter in &status.signals {
        let (name, issuer) = (&transmitter.name, transmitter.issuer.escape_debug());
        let _ = writeln!(out, "\nsignals {name}  {issuer}");
        for line in lines_of_transmitter(transmitter, status.now) {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

fn lines_of_transmitter(transmitter: &TransmitterStatus, now: u64) -> Vec<String> {
    let ago = |moment: u64| format!("{} ago", span(now.saturating_sub(moment)));
    let mut lines = vec![match transmitter.keys {
        0 => "NO KEYS: its SETs are refused".to_owned(),
        count => format!("{count} {}", noun(count)),
    }];
    if let Some(poll) = &transmitter.poll {
        let answered = transmitter.answered.map_or("not answered yet".to_owned(), |answered| {
            format!("answered {}", ago(answered))
        });
        lines.push(format!("from {poll}, {answered}"));
    }
    lines.extend(transmitter.push.as_ref().map(|push| format!("pushes to {push}")));
    let last = transmitter
        .last_accepted
        .map(|last| format!(", the last one {}", ago(last)));
    lines.push(format!(
        "{} carried out{}; {} came once more",
        transmitter.accepted,
        last.unwrap_or_default(),
        transmitter.repeated
    ));
    if let Some(refusal) = &transmitter.last_refusal {
        let refused = transmitter.refused;
        lines.push(format!(
            "{refused} REFUSED, the last one {}: {}",
            ago(refusal.at),
            refusal.error
        ));
    }
    lines.extend(transmitter.failing.as_ref().map(|failing| failure(failing, now)));
    lines
}

fn failure(failing: &Failing, now: u64) -> String {
    format!(
        "FAILING for {} ({} {}): {}",
        span(now.saturating_sub(failing.since)),
        failing.attempts,
        if failing.attempts == 1 { "attempt" } else { "attempts" },
        failing.error
    )
}

fn lines(issuer: &IssuerStatus, now: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let keys = match (issuer.keys, issuer.fetched) {
        (0, _) => "NO KEYS: its tokens are refused".to_owned(),
        (count, Some(fetched)) => format!(
            "{count} {}, fetched {} ago",
            noun(count),
            span(now.saturating_sub(fetched))
        ),
        (count, None) => format!("{count} {}", noun(count)),
    };
    lines.push(keys);
    if let Some(place) = &issuer.place {
        lines.push(format!("from {place}"));
    }
    if let Some(failing) = &issuer.failing {
        lines.push(failure(failing, now));
        if let Some(until) = issuer.good_until {
            lines.push(format!("its keys stay in force until {}", UnixTime::from_secs(until)));
        }
    }
    if let Some(failing) = &issuer.introspection {
        lines.push(format!("opaque tokens: {}", failure(failing, now)));
    }
    for fault in &issuer.dropped {
        lines.push(format!("one key is not used: {fault}"));
    }
    lines
}

const fn noun(count: usize) -> &'static str {
    if count == 1 { "key" } else { "keys" }
}

/// A span of time as a person says it.
fn span(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min", secs / 60),
        _ => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::contract::{RefusedSet, ServerStatus};

    fn status() -> Status {
        Status {
            now: 1_790_010_000,
            generation: 3,
            public_url: "https://gate.example".to_owned(),
            listening: "127.0.0.1:8477".to_owned(),
            issuers: vec![IssuerStatus {
                name: "idp".to_owned(),
                issuer: "https://idp.example".to_owned(),
                keys: 2,
                dropped: vec!["it is symmetric".to_owned()],
                fetches: true,
                place: Some("https://idp.example/jwks".to_owned()),
                fetched: Some(1_790_000_000),
                good_until: Some(1_790_086_400),
                failing: Some(Failing {
                    since: 1_790_009_000,
                    attempts: 7,
                    error: "https://idp.example/jwks answered 503".to_owned(),
                }),
                introspection: Some(Failing {
                    since: 1_790_009_940,
                    attempts: 2,
                    error: "https://idp.example/introspect answered 401".to_owned(),
                }),
            }],
            servers: vec![ServerStatus {
                name: "jira".to_owned(),
                credential: "exchange".to_owned(),
                failing: Some(Failing {
                    since: 1_790_009_999,
                    attempts: 1,
                    error: "https://idp.example/token did not answer".to_owned(),
                }),
            }],
            signals: vec![TransmitterStatus {
                name: "idp".to_owned(),
                issuer: "https://idp.example".to_owned(),
                keys: 1,
                poll: Some("https://idp.example/poll".to_owned()),
                push: None,
                accepted: 3,
                repeated: 0,
                refused: 1,
                last_accepted: Some(1_790_009_000),
                last_refusal: Some(RefusedSet {
                    at: 1_790_009_940,
                    error: "aud is another receiver".to_owned(),
                }),
                answered: Some(1_790_009_990),
                failing: None,
            }],
        }
    }

    #[test]
    fn says_what_is_wrong_with_whom_and_what_remains() {
        assert_eq!(
            written(&status()),
            "https://gate.example on 127.0.0.1:8477, generation 3\n\
             \n\
             issuer idp  https://idp.example\n\
             \x20 2 keys, fetched 2 h 46 min ago\n\
             \x20 from https://idp.example/jwks\n\
             \x20 FAILING for 16 min (7 attempts): https://idp.example/jwks answered 503\n\
             \x20 its keys stay in force until 2026-09-22T14:13:20.000Z\n\
             \x20 opaque tokens: FAILING for 1 min (2 attempts): https://idp.example/introspect answered 401\n\
             \x20 one key is not used: it is symmetric\n\
             \n\
             server jira  shown: exchange\n\
             \x20 FAILING for 1 s (1 attempt): https://idp.example/token did not answer\n\
             \n\
             signals idp  https://idp.example\n\
             \x20 1 key\n\
             \x20 from https://idp.example/poll, answered 10 s ago\n\
             \x20 3 carried out, the last one 16 min ago; 0 came once more\n\
             \x20 1 REFUSED, the last one 1 min ago: aud is another receiver\n"
        );
    }
}
