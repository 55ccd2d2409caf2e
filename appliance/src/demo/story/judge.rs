//! Whether the story went as it must: each step against what the script expects, and the server's records against the
//! promise that no caller's credential reaches it.

use std::fmt;

use serde_json::Value;

use super::StoryError;
use super::Told;
use super::script::Ask;
use super::script::Expect;
use crate::config::embedded::Credentials;
use crate::demo::server::Record;
use crate::demo::verdicts::Verdict;

/// What went wrong in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The HTTP status is another one.
    Status {
        /// The status that came.
        status: u16,
    },
    /// There is no result where the server should have answered.
    NoResult,
    /// There is a result where the gate should have denied.
    NotDenied,
    /// The gate's audit holds no record of the call.
    Unrecorded,
    /// The gate decided otherwise, or by another policy.
    OtherReason,
    /// Other tools are listed.
    OtherTools,
    /// The server received a call that the gate turned away, or lacks one that it let through.
    OtherCalls,
    /// A delegated token does not name the user, the agent and the one tool.
    OtherClaims,
    /// A caller's credential reached the server.
    CredentialLeaked,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status } => write!(f, "answered with HTTP status {status}"),
            Self::NoResult => write!(f, "no result where the server should have answered"),
            Self::NotDenied => write!(f, "not denied"),
            Self::Unrecorded => write!(f, "the audit holds no record of it"),
            Self::OtherReason => write!(f, "not decided by the policy that should decide it"),
            Self::OtherTools => write!(f, "other tools are listed than should be"),
            Self::OtherCalls => write!(f, "the server did not receive exactly the calls that were let through"),
            Self::OtherClaims => write!(f, "the delegated token does not name the user, the agent and the tool"),
            Self::CredentialLeaked => write!(f, "a caller's credential reached the server"),
        }
    }
}

/// Judges every step, then what the server saw.
pub(super) fn everything(
    chapters: &[(&'static str, Vec<Told>)],
    records: &[Record],
    leaked: bool,
) -> Result<(), StoryError> {
    let steps = || chapters.iter().flat_map(|(_, told)| told);
    for told in steps() {
        let words = format!(
            "{} for {}: {}",
            told.step.agent.name,
            told.step.user.name,
            told.step.words()
        );
        step(told).map_err(|fault| StoryError::Misbehaved(words, fault))?;
    }
    let misbehaved = |fault| StoryError::Misbehaved("what the server saw".to_owned(), fault);
    delegation(steps(), records).map_err(misbehaved)?;
    if leaked {
        Err(misbehaved(Fault::CredentialLeaked))
    } else {
        Ok(())
    }
}

/// Judges one step by its answer and by the gate's record of it.
pub(super) fn step(told: &Told) -> Result<(), Fault> {
    let status = told.answer.status;
    let expected_status = if matches!(told.step.expect, Expect::Stranger) {
        401
    } else {
        200
    };
    if status != expected_status {
        return Err(Fault::Status { status });
    }
    let verdict = told.verdict.as_ref().ok_or(Fault::Unrecorded)?;
    let by = |policy: &str| verdict.policies.iter().any(|decided| decided == policy);
    let result = told.answer.message.get("result");
    let (denied, right) = match told.step.expect {
        Expect::Through(policy) => (false, verdict.permitted && by(policy)),
        Expect::Tools(_) => (false, verdict.permitted),
        Expect::Forbidden(policy) => (true, !verdict.permitted && by(policy)),
        Expect::NotPermitted => (true, !verdict.permitted && verdict.policies.is_empty()),
        Expect::Stranger => (
            true,
            !verdict.permitted && verdict.reason == "link" && told.answer.challenge.is_some(),
        ),
    };
    match result {
        Some(_) if denied => Err(Fault::NotDenied),
        None if !denied => Err(Fault::NoResult),
        Some(result) if result["isError"] == true => Err(Fault::NoResult),
        _ if !right => Err(Fault::OtherReason),
        Some(result) => tools(told, result),
        None => Ok(()),
    }
}

fn tools(told: &Told, result: &Value) -> Result<(), Fault> {
    let Expect::Tools(expected) = told.step.expect else {
        return Ok(());
    };
    // SPEC: MCP 2026-07-28 server/utilities/caching: what was filtered for one caller is nobody else's to reuse.
    if listed(result) == expected && result["cacheScope"] == "private" {
        Ok(())
    } else {
        Err(Fault::OtherTools)
    }
}

/// The names of the tools in a list.
pub(super) fn listed(result: &Value) -> Vec<&str> {
    result["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["name"].as_str())
        .collect()
}

/// The server received exactly the calls that were let through, in order, each with a token for that user, that agent
/// and that tool.
fn delegation<'t>(steps: impl Iterator<Item = &'t Told>, records: &[Record]) -> Result<(), Fault> {
    let mut received = records.iter().filter(|record| record.tool.is_some());
    for told in steps.filter(|told| {
        told.verdict
            .as_ref()
            .is_some_and(|Verdict { permitted, .. }| *permitted)
    }) {
        let Ask::Call { tool, .. } = told.step.ask else {
            continue;
        };
        let record = received
            .next()
            .filter(|record| record.tool.as_deref() == Some(tool))
            .ok_or(Fault::OtherCalls)?;
        let claims: Value = record
            .claims
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let named = claims["sub_id"]["sub"] == told.step.user.name
            && claims["act"]["sub"] == told.step.agent.name
            && claims["scope"] == format!("mcp:tool:{tool}");
        if !named {
            return Err(Fault::OtherClaims);
        }
    }
    received.next().map_or(Ok(()), |_| Err(Fault::OtherCalls))
}

/// Whether the claims or the signature of any caller's token are anywhere in any request. The first segment is left
/// out: it names an algorithm and a key, and is nobody's.
pub(super) fn leaked(records: &[Record], presented: &[Credentials]) -> bool {
    let tokens = presented
        .iter()
        .flat_map(|credentials| [&credentials.agent, &credentials.user]);
    let mut segments = tokens.flat_map(|token| token.split('.').skip(1));
    segments.any(|segment| records.iter().any(|record| record.contains(segment.as_bytes())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::demo::cast::MARA;
    use crate::demo::cast::QUILL;
    use crate::demo::client::Answer;
    use crate::demo::story::script::Step;

    fn told(expect: Expect, message: Value, verdict: Option<Verdict>) -> Told {
        let ask = Ask::Call {
            tool: "read_entry",
            arguments: Vec::new(),
        };
        let step = Step {
            agent: &QUILL,
            user: &MARA,
            issued_to: &QUILL,
            ask,
            expect,
        };
        let status = if matches!(expect, Expect::Stranger) { 401 } else { 200 };
        let answer = Answer {
            status,
            session: None,
            challenge: None,
            message,
        };
        Told {
            step,
            answer,
            trace: String::new(),
            verdict,
        }
    }

    fn verdict(permitted: bool, policies: &[&str]) -> Option<Verdict> {
        let policies = policies.iter().map(|policy| (*policy).to_owned()).collect();
        Some(Verdict {
            permitted,
            reason: "policy".to_owned(),
            policies,
        })
    }

    fn result() -> Value {
        json!({ "result": { "isError": false } })
    }

    #[test]
    fn a_step_that_goes_as_it_must_is_no_fault() {
        assert_eq!(
            step(&told(Expect::Through("reads"), result(), verdict(true, &["reads"]))),
            Ok(())
        );
        let denied = json!({ "error": { "code": -31403 } });
        assert_eq!(
            step(&told(
                Expect::Forbidden("cap"),
                denied.clone(),
                verdict(false, &["cap"])
            )),
            Ok(())
        );
        assert_eq!(step(&told(Expect::NotPermitted, denied, verdict(false, &[]))), Ok(()));
    }

    #[test]
    fn a_call_that_should_be_denied_and_was_answered_is_a_fault() {
        let told = told(Expect::Forbidden("cap"), result(), verdict(true, &["reads"]));
        assert_eq!(step(&told), Err(Fault::NotDenied));
    }

    #[test]
    fn the_right_outcome_for_another_reason_is_a_fault() {
        let denied = json!({ "error": { "code": -31403 } });
        for (expect, message, decided) in [
            (Expect::Through("reads"), result(), verdict(true, &["writes"])),
            (Expect::Forbidden("cap"), denied.clone(), verdict(false, &["other"])),
            (Expect::NotPermitted, denied.clone(), verdict(false, &["cap"])),
            (Expect::Stranger, denied, verdict(false, &[])),
        ] {
            assert_eq!(
                step(&told(expect, message, decided)),
                Err(Fault::OtherReason),
                "{expect:?}"
            );
        }
    }

    #[test]
    fn a_tool_error_and_a_missing_record_are_faults() {
        let failed = json!({ "result": { "isError": true } });
        assert_eq!(
            step(&told(Expect::Through("reads"), failed, verdict(true, &["reads"]))),
            Err(Fault::NoResult)
        );
        assert_eq!(
            step(&told(Expect::Through("reads"), result(), None)),
            Err(Fault::Unrecorded)
        );
    }

    #[test]
    fn a_list_must_hold_exactly_the_tools_and_be_private() {
        let list = |names: &[&str], scope: &str| {
            let tools: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
            let message = json!({ "result": { "tools": tools, "cacheScope": scope } });
            step(&told(Expect::Tools(&["a"]), message, verdict(true, &["reads"])))
        };
        assert_eq!(list(&["a"], "private"), Ok(()));
        assert_eq!(list(&["a", "b"], "private"), Err(Fault::OtherTools));
        assert_eq!(list(&["a"], "public"), Err(Fault::OtherTools));
    }

    #[test]
    fn a_token_part_in_a_record_is_a_leak() {
        let record = |text: &str| Record {
            bytes: text.as_bytes().to_vec(),
            headers: Vec::new(),
            claims: None,
            tool: None,
        };
        let presented = [Credentials {
            agent: "h.aaaa.bbbb".to_owned(),
            user: "h.cccc.dddd".to_owned(),
        }];
        assert!(!leaked(&[record("h and nothing else")], &presented));
        for part in ["aaaa", "bbbb", "cccc", "dddd"] {
            assert!(
                leaked(&[record("clean"), record(&format!("x-{part}"))], &presented),
                "{part}"
            );
        }
    }

    #[test]
    fn the_server_must_receive_exactly_the_calls_let_through_for_that_user_and_agent() {
        let call = told(Expect::Through("reads"), result(), verdict(true, &["reads"]));
        let record = |user: &str, tool: &str| Record {
            bytes: Vec::new(),
            headers: Vec::new(),
            claims: Some(
                json!({ "sub_id": { "sub": user }, "act": { "sub": "quill" }, "scope": format!("mcp:tool:{tool}") })
                    .to_string(),
            ),
            tool: Some("read_entry".to_owned()),
        };
        let right = record("mara", "read_entry");
        assert_eq!(delegation([&call].into_iter(), std::slice::from_ref(&right)), Ok(()));
        assert_eq!(delegation([&call].into_iter(), &[]), Err(Fault::OtherCalls));
        assert_eq!(
            delegation([&call].into_iter(), &[right.clone(), right]),
            Err(Fault::OtherCalls)
        );
        for wrong in [record("tobias", "read_entry"), record("mara", "update_entry")] {
            assert_eq!(delegation([&call].into_iter(), &[wrong]), Err(Fault::OtherClaims));
        }
    }
}
