//! What the gate recorded of each call: read back from its audit, by the trace id that the call carried.
//!
//! The story shows reasons from here and nowhere else. A caller is never told which policy denied it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

/// Largest audit file that is read back, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What became of one call at the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the call was let through.
    pub permitted: bool,
    /// One word for why not; empty for a call that was let through.
    pub reason: String,
    /// The policies that decided it.
    pub policies: Vec<String>,
}

/// The verdicts in the audit files of `folder`, by trace id.
pub fn read(folder: &Path) -> io::Result<BTreeMap<String, Verdict>> {
    let mut verdicts = BTreeMap::new();
    for file in fs::read_dir(folder)? {
        let file = file?;
        if file.metadata()?.len() > FILE_BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        for line in fs::read_to_string(file.path())?.lines() {
            verdicts.extend(verdict(line));
        }
    }
    Ok(verdicts)
}

/// The trace id and the verdict in one line; none in a line that records how a call ended, or that is still being
/// written.
fn verdict(line: &str) -> Option<(String, Verdict)> {
    let record: Value = serde_json::from_str(line).ok()?;
    let trace = record["trace"].as_str()?.to_owned();
    let permitted = match record["kind"].as_str()? {
        "intent" => true,
        "refusal" => false,
        _ => return None,
    };
    let policies = record["policies"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let reason = record["reason"].as_str().unwrap_or_default().to_owned();
    Some((
        trace,
        Verdict {
            permitted,
            reason,
            policies,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_reason_and_policies() {
        let line = r#"{"kind":"refusal","trace":"ab","reason":"policy","policies":["amount-cap"]}"#;
        let expected = Verdict {
            permitted: false,
            reason: "policy".to_owned(),
            policies: vec!["amount-cap".to_owned()],
        };
        assert_eq!(verdict(line), Some(("ab".to_owned(), expected)));
    }

    #[test]
    fn outcomes_and_torn_lines_say_nothing() {
        assert_eq!(verdict(r#"{"kind":"outcome","trace":"ab","result":"ok"}"#), None);
        assert_eq!(verdict(r#"{"kind":"intent","trace":"ab","poli"#), None);
    }
}
