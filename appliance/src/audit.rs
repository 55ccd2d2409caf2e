//! The audit of one shard: records chained in order, durable before a call may leave.
//!
//! While one group of records is being synced the next one gathers ([`crate::io::file`]), so a busy shard pays one sync
//! for many calls. A record that cannot be kept is never lost silently: the file's buffer is bounded, and when it is
//! full or the disk fails, the calls that would need it are refused (design invariant 6).

use std::cell::RefCell;
use std::io;
use std::path::Path;

use portreeve_core::audit::{Chain, Record};
use portreeve_core::time::UnixTime;

use crate::io::IoError;
use crate::io::file::{AppendFile, Position};

/// The audit of one shard.
pub struct Audit {
    file: AppendFile,
    state: RefCell<State>,
}

struct State {
    chain: Chain,
    line: Vec<u8>,
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

    /// Appends a record that nothing waits for; it reaches the disk with the next group.
    ///
    /// # Errors
    /// The record is not kept. The next call that needs the audit is refused for the same reason.
    pub fn note(&self, record: &Record) -> Result<(), IoError> {
        self.append(record).map(|_position| ())
    }

    /// Waits until everything appended so far is on the disk.
    ///
    /// # Errors
    /// What made a write fail.
    pub async fn settle(&self) -> Result<(), IoError> {
        self.file.sync(self.file.end()).await
    }

    fn append(&self, record: &Record) -> Result<Position, IoError> {
        let mut state = self.state.borrow_mut();
        let State { chain, line } = &mut *state;
        line.clear();
        let mut after = *chain;
        after.append(record, line);
        let position = self.file.append(line)?;
        *chain = after;
        Ok(position)
    }
}
