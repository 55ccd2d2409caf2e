//! When agents were last let in, kept across restarts in one file of the state directory.
//!
//! Only shown: a file that is lost or cannot be read costs knowledge, and never keeps a gate from starting.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use portreeve_core::identity::LastSeen;
use portreeve_core::time::UnixTime;
use serde::{Deserialize, Serialize};

/// The file's name in the state directory.
const FILE: &str = "last-seen.json";

/// Seconds since 1970, by the agent's name.
#[derive(Default, Deserialize, Serialize)]
struct Kept {
    agents: BTreeMap<String, u64>,
}

/// What `state_dir` keeps; nobody where there is nothing that can be read.
#[must_use]
pub fn load(state_dir: &Path) -> LastSeen {
    let kept = fs::read(state_dir.join(FILE)).ok();
    let kept: Kept = kept
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut seen = LastSeen::default();
    for (agent, secs) in &kept.agents {
        seen.note(agent, UnixTime::from_secs(*secs));
    }
    seen
}

/// Keeps `seen` in `state_dir`.
///
/// # Errors
/// What the file system says; what was kept before is still there then.
pub fn keep(state_dir: &Path, seen: &LastSeen) -> io::Result<()> {
    let kept = Kept {
        agents: seen
            .iter()
            .map(|(agent, moment)| (agent.to_owned(), moment.secs()))
            .collect(),
    };
    let path = state_dir.join(FILE);
    let next = path.with_extension("json.next");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&next)?;
    file.write_all(&serde_json::to_vec(&kept)?)?;
    fs::rename(&next, &path)
}
