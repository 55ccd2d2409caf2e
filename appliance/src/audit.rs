//! The audit of one shard: records chained in order, durable before a call may leave.
//!
//! While one group of records is being synced the next one gathers ([`crate::io::file`]), so a busy shard pays one sync
//! for many calls. A record that cannot be kept is never lost silently (design invariant 6): the file's buffer is bounded,
//! and when it is full or the disk fails, the calls that would need it are refused. What had happened already is counted,
//! and the count stands in the chain as a gap as soon as the file takes records again.

use std::cell::RefCell;
use std::io;
use std::path::Path;

use portreeve_core::audit::{Chain, Gap, Record};
use portreeve_core::time::UnixTime;

use crate::clock;
use crate::io::IoError;
use crate::io::file::{AppendFile, Position};
use crate::say;

/// The audit of one shard.
pub struct Audit {
    file: AppendFile,
    state: RefCell<State>,
}

struct State {
    chain: Chain,
    line: Vec<u8>,
    /// Records that were due and are nowhere: how many, and when the first was due.
    lost: Option<(u64, UnixTime)>,
}

impl Audit {
    /// Starts a new file and a new chain in `folder`: every start of the gate has its own, so that a line torn by a
    /// crash stays where it is and hides nothing. The file is 0600.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn create(folder: &Path, shard: u8, now: UnixTime) -> io::Result<Self> {
        let path = folder.join(format!("{:013}-shard-{shard:02}.jsonl", now.millis()));
        let file = AppendFile::open(&path)?;
        Ok(Self {
            file,
            state: RefCell::new(State {
                chain: Chain::new(),
                line: Vec::new(),
                lost: None,
            }),
        })
    }

    /// Appends a record and returns once it is on the disk.
    ///
    /// # Errors
    /// The record is not known to be kept; what depends on it must not happen.
    pub async fn record_durably(&self, record: &Record) -> Result<(), IoError> {
        let position = self.append(record)?;
        self.file.sync(position).await
    }

    /// Appends a record that nothing waits for; it reaches the disk with the next group. One that is not taken is
    /// counted, and the next call that needs the audit is refused for the same reason.
    pub fn note(&self, record: &Record) {
        let _kept_or_counted = self.append(record);
    }

    /// Writes the gap that is owed, if the file takes it.
    pub fn mend(&self) {
        let mut state = self.state.borrow_mut();
        if state.lost.is_some() {
            let _still_full = self.write(&mut state, None);
        }
    }

    /// Records that are nowhere and that no gap tells of yet.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.state.borrow().lost.map_or(0, |(records, _)| records)
    }

    /// Waits until everything appended so far is on the disk, and the gap that was owed.
    ///
    /// # Errors
    /// What made a write fail.
    pub async fn settle(&self) -> Result<(), IoError> {
        self.file.sync(self.file.end()).await?;
        self.mend();
        self.file.sync(self.file.end()).await
    }

    fn append(&self, record: &Record) -> Result<Position, IoError> {
        let mut state = self.state.borrow_mut();
        let kept = self.write(&mut state, Some(record));
        if let Err(error) = kept {
            if state.lost.is_none() {
                say::notice(&format!("audit records are being lost: {error}"));
            }
            let (records, since) = state.lost.unwrap_or((0, clock::now()));
            state.lost = Some((records.saturating_add(1), since));
        }
        kept
    }

    /// The gap that is owed and the record behind it go together or not at all.
    fn write(&self, state: &mut State, record: Option<&Record>) -> Result<Position, IoError> {
        let State { chain, line, lost } = state;
        line.clear();
        let mut after = *chain;
        if let Some((records, since)) = *lost {
            after.append(Gap::new(clock::now(), records, since).record(), line);
        }
        if let Some(record) = record {
            after.append(record, line);
        }
        let position = self.file.append(line)?;
        *chain = after;
        *lost = None;
        Ok(position)
    }
}
