//! A file that only grows, durable when asked: the ground under the audit.
//!
//! Group commit: bytes appended while a write is under way wait in memory and leave together in the next one, with
//! one `fdatasync` for all of them. The writing is a task of its own, so nobody who stops waiting can tear a batch.
//!
//! INVARIANT: after a failed write or sync nothing is known about the end of the file, so every later append and
//! every wait fails with the same error until the file is opened anew.

use std::cell::RefCell;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::fs::TryLockError;
use std::future::poll_fn;
use std::io;
use std::os::fd::FromRawFd;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;
use std::task::Poll;
use std::task::Waker;

use glommio::io::BufferedFile;

use super::IoError;

/// Bytes that are appended and not yet durable at most; an append beyond is refused.
pub const PENDING_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A position in the file, in bytes from its start: everything before it was appended before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

impl Position {
    /// Bytes from the start of the file.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// A file open for appending by this process alone. Clones are the same file.
#[derive(Clone)]
pub struct AppendFile {
    shared: Rc<Shared>,
}

struct Shared {
    file: BufferedFile,
    state: RefCell<State>,
}

struct State {
    pending: Vec<u8>,
    /// The end of what was appended, and of what the disk has.
    appended: u64,
    durable: u64,
    writing: bool,
    failed: Option<IoError>,
    waiters: Vec<Waker>,
}

impl AppendFile {
    /// Opens `path`, creating it if need be, readable and writable by its owner only. Blocks the thread: for the
    /// start of a shard, not for its life.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] if another process has the file open for appending; else what the kernel says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        lock(&file)?;
        let metadata = file.metadata()?;
        // An existing file may have been created with more; a device is not ours to change.
        if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        let length = metadata.len();
        let raw = file.into_raw_fd();
        // SAFETY: the descriptor is a regular file that we own and give up here; `from_raw_fd` takes it over.
        #[expect(unsafe_code, reason = "the runtime opens files only without a lock and from a task")]
        let file = unsafe { BufferedFile::from_raw_fd(raw) };
        let state = State {
            pending: Vec::new(),
            appended: length,
            durable: length,
            writing: false,
            failed: None,
            waiters: Vec::new(),
        };
        Ok(Self {
            shared: Rc::new(Shared {
                file,
                state: RefCell::new(state),
            }),
        })
    }

    /// Takes `bytes` for the end of the file and starts writing. They are durable when [`sync`](Self::sync) of the
    /// position returned says so.
    ///
    /// # Errors
    /// [`IoError::BufferFull`] if the disk is too far behind; what made an earlier write fail. Nothing of `bytes` is
    /// taken then.
    pub fn append(&self, bytes: &[u8]) -> Result<Position, IoError> {
        let mut state = self.shared.state.borrow_mut();
        if let Some(error) = state.failed {
            return Err(error);
        }
        if state.appended - state.durable + bytes.len() as u64 > PENDING_BYTES_MAX {
            return Err(IoError::BufferFull);
        }
        state.pending.extend_from_slice(bytes);
        state.appended += bytes.len() as u64;
        let end = Position(state.appended);
        let idle = !std::mem::replace(&mut state.writing, true);
        // The runtime runs a new task at once, up to where it first waits.
        drop(state);
        if idle {
            glommio::spawn_local(write_out(Rc::clone(&self.shared))).detach();
        }
        Ok(end)
    }

    /// Waits until everything before `position` is on the disk.
    ///
    /// # Errors
    /// What made a write fail: whether the bytes are on the disk is unknown then.
    pub async fn sync(&self, position: Position) -> Result<(), IoError> {
        poll_fn(|cx| {
            let mut state = self.shared.state.borrow_mut();
            if state.durable >= position.0 {
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = state.failed {
                return Poll::Ready(Err(error));
            }
            state.waiters.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// The end of what was appended so far.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.shared.state.borrow().appended)
    }
}

fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::ResourceBusy.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Writes batches until nothing is pending.
async fn write_out(shared: Rc<Shared>) {
    loop {
        let (batch, from) = {
            let mut state = shared.state.borrow_mut();
            if state.pending.is_empty() {
                state.writing = false;
                return;
            }
            (std::mem::take(&mut state.pending), state.durable)
        };
        let end = from + batch.len() as u64;
        let result = write_batch(&shared.file, batch, from).await;
        let waiters = {
            let mut state = shared.state.borrow_mut();
            match result {
                Ok(()) => state.durable = end,
                Err(error) => state.failed = Some(error),
            }
            std::mem::take(&mut state.waiters)
        };
        waiters.into_iter().for_each(Waker::wake);
        if result.is_err() {
            return;
        }
    }
}

async fn write_batch(file: &BufferedFile, batch: Vec<u8>, at: u64) -> Result<(), IoError> {
    let length = batch.len();
    // The kernel goes on by itself after a short write to a file, unless the disk is full.
    if file.write_at(batch, at).await? < length {
        return Err(IoError::Os(libc::ENOSPC));
    }
    file.fdatasync().await.map_err(IoError::from)
}
