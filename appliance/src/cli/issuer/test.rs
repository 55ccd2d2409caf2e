//! `portreeve issuer test`: why a token is accepted or not.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use portreeve_core::identity::{Examination, Issuer, Side, Step, Trust, examine};

use super::Who;
use crate::cli::{Failure, unknown};
use crate::clock;
use crate::config::{self, Config, IssuerKeys, Signer, publish};
use crate::issuers;

/// Bytes of a file with a token: the longest token, a scheme and a line end.
const FILE_BYTES: u64 = 16 * 1024;

pub(super) fn run(name: &str, file: &Path, of: Option<Who>, config: &Path) -> Result<String, Failure> {
    let config = config::load(config)?;
    let mut trust = publish::trust(&config)?;
    let profile = trust.issuers().iter().find(|issuer| issuer.name == name);
    let Some(profile) = profile else {
        let known: Vec<&str> = trust.issuers().iter().map(|issuer| issuer.name.as_str()).collect();
        return Err(unknown("issuer", name, &known));
    };
    let (side, iss) = (side(profile, of)?, profile.issuer.clone());
    let token = read(file)?;
    let keys = fetch(&config, name, &mut trust)?;
    let place = match side {
        Side::User => "a user's assertion",
        Side::Agent | Side::Pair => "an agent's token",
    };
    let mut out = format!("issuer {name} ({}), as {place}\n", iss.escape_debug());
    if let Some(place) = keys {
        // A string takes everything.
        let _ = writeln!(out, "keys from {place}");
    }
    out.push('\n');
    let examination = examine(&token, side, name, &trust, clock::now());
    let accepted = describe(&mut out, &examination);
    if accepted { Ok(out) } else { Err(Failure::Told(out)) }
}

fn side(profile: &Issuer, of: Option<Who>) -> Result<Side, Failure> {
    let (roles, name) = (profile.roles, &profile.name);
    let wrong = |reason: &str| Err(Failure::Other(format!("issuer {name} {reason}")));
    match of {
        Some(Who::Agent) if roles.agent => Ok(Side::Agent),
        Some(Who::User) if roles.user => Ok(Side::User),
        Some(Who::Agent) => wrong("issues no agent tokens"),
        Some(Who::User) => wrong("issues no user assertions"),
        None if roles.agent && roles.user => {
            wrong("issues both agent tokens and user assertions\n  hint: say which with --of agent or --of user")
        }
        None if roles.agent => Ok(Side::Agent),
        None => Ok(Side::User),
    }
}

/// The token in the file, without white space around it and without a scheme.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let fault = |error: io::Error| Failure::Other(format!("{}: {error}", file.display()));
    let mut text = Vec::new();
    let source: &mut dyn Read = if file == Path::new("-") {
        &mut io::stdin().lock()
    } else {
        &mut fs::File::open(file).map_err(fault)?
    };
    source.take(FILE_BYTES).read_to_end(&mut text).map_err(fault)?;
    let mut token = text.trim_ascii();
    if let Some((scheme, rest)) = token.split_at_checked(7)
        && scheme.eq_ignore_ascii_case(b"bearer ")
    {
        token = rest.trim_ascii();
    }
    Ok(token.to_owned())
}

/// Fetches the keys of that issuer into `trust`, unless they are there. Gives back where they are from.
fn fetch(config: &Config, name: &str, trust: &mut Trust) -> Result<Option<String>, Failure> {
    let fetched = |signer: &Signer| signer.name == name && !matches!(signer.keys, IssuerKeys::File(_));
    let Some(issuer) = config.signers().find(fetched) else {
        return Ok(None);
    };
    let (keys, place) = issuers::fetch_once(&issuer)
        .map_err(|error| Failure::Other(format!("the keys of issuer {name} cannot be fetched: {error}")))?;
    trust.set_keys(name, keys);
    Ok(Some(place))
}

/// Writes every step, and says whether the token is accepted.
fn describe(out: &mut String, examination: &Examination) -> bool {
    for step in &examination.steps {
        let _ = writeln!(out, "  {}", line(step));
    }
    match &examination.verdict {
        Ok(facts) => {
            let _ = writeln!(out, "\naccepted");
            for (name, text) in facts {
                let _ = writeln!(out, "  {name:<8} {text}");
            }
            true
        }
        Err(fault) => {
            let _ = writeln!(out, "\nrefused: {fault} (audit reason {})", fault.reason());
            false
        }
    }
}

fn line(step: &Step) -> String {
    let mark = match step.passed {
        Some(true) => "ok  ",
        Some(false) => "FAIL",
        None => "-   ",
    };
    let mut line = format!("{mark}  {:<13}{}", step.name, step.found);
    if step.passed == Some(false) && !step.wanted.is_empty() {
        let _ = write!(line, "; wanted {}", step.wanted);
    }
    line.trim_end().to_owned()
}
