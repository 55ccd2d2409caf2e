//! io_uring before and while it is created: can it be had, and is it created the cheap way.
//!
//! The runtime creates its rings without `IORING_SETUP_COOP_TASKRUN`, so the kernel interrupts the thread for every
//! completion, which more than doubles the cost of a proxied call. It has no setting for the flag. The build script
//! therefore points the C library call that creates a ring at [`__wrap___sys_io_uring_setup`], which adds it.
//!
//! Must never build an executor: [`probe`] says in words what is missing before anybody tries.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;

use glommio::LocalExecutorBuilder;
use glommio::Placement;

/// Run completions when the task next enters the kernel, not by interrupting it (Linux 5.19, io_uring_setup(2)).
const SETUP_COOP_TASKRUN: u32 = 1 << 8;

/// What the runtime asks of `RLIMIT_MEMLOCK`, in bytes.
const MEMLOCK_BYTES_MIN: u64 = 512 * 1024;

/// Entries per submission queue; each shard has three. Full queues are drained by the runtime, so this is a batch
/// size, not a limit on connections.
const RING_ENTRIES: usize = 256;

/// Bytes that each executor registers with the kernel. Sockets are read into our own buffers: the least is enough.
const RING_MEMORY_BYTES: usize = 64 * 1024;

/// How the rings of this process run their completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskRun {
    /// No ring was created yet.
    Unknown,
    /// With `COOP_TASKRUN`.
    Cooperative,
    /// The kernel does not know the flag (before 5.19): correct, but slower.
    Interrupting,
}

static TASK_RUN: AtomicU8 = AtomicU8::new(0);

/// How the most recently created ring of this process runs its completions.
#[must_use]
pub fn task_run() -> TaskRun {
    match TASK_RUN.load(Ordering::Relaxed) {
        1 => TaskRun::Cooperative,
        2 => TaskRun::Interrupting,
        _ => TaskRun::Unknown,
    }
}

/// An executor builder with the sizes that suit a gateway; pinned to `cpu` if given.
#[must_use]
pub fn executor(name: &str, cpu: Option<usize>) -> LocalExecutorBuilder {
    LocalExecutorBuilder::new(cpu.map_or(Placement::Unbound, Placement::Fixed))
        .name(name)
        .ring_depth(RING_ENTRIES)
        .io_memory(RING_MEMORY_BYTES)
}

/// Why no executor can be built here, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RingError {
    /// The kernel has no io_uring, or a sandbox pretends so.
    Missing,
    /// The system administrator switched io_uring off: the value of `kernel.io_uring_disabled`.
    SwitchedOff(u8),
    /// A sandbox (a container's seccomp profile, usually) forbids it.
    Forbidden,
    /// `RLIMIT_MEMLOCK` is below what the runtime needs; the hard limit in bytes.
    LockedMemory(u64),
    /// The kernel has no memory, or no locked memory, for a ring.
    Memory,
    /// No file descriptors left.
    Descriptors,
    /// Anything else, as the kernel's error number.
    Other(i32),
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "this kernel has no io_uring; run Linux 5.8 or newer (5.19 or newer for full speed), \
                 outside of sandboxes that do not implement it",
            ),
            Self::SwitchedOff(value) => write!(
                f,
                "io_uring is switched off on this machine (kernel.io_uring_disabled = {value}); \
                 run `sysctl kernel.io_uring_disabled=0`, or with 1 put the user into kernel.io_uring_group",
            ),
            Self::Forbidden => f.write_str(
                "a sandbox forbids io_uring; in a container allow io_uring_setup, io_uring_enter and \
                 io_uring_register in the seccomp profile (docker: `--security-opt seccomp=PROFILE`)",
            ),
            Self::LockedMemory(bytes) => write!(
                f,
                "the locked memory limit is {bytes} bytes, the least is {MEMLOCK_BYTES_MIN}; raise it \
                 (`LimitMEMLOCK=8M` in a systemd unit, `--ulimit memlock=8388608` for docker, `ulimit -l 8192`)",
            ),
            Self::Memory => f.write_str(
                "the kernel has no memory for io_uring; raise the locked memory limit (`ulimit -l 8192`) \
                 or the memory limit of the container",
            ),
            Self::Descriptors => {
                f.write_str("no file descriptors left; raise the limit (`LimitNOFILE=65536`, `ulimit -n 65536`)")
            }
            Self::Other(number) => write!(f, "io_uring cannot be used, os error {number}"),
        }
    }
}

impl std::error::Error for RingError {}

/// Finds out whether executors can be built, without building one. Raises the soft limits for locked memory and
/// for descriptors to the hard ones on the way.
///
/// # Errors
/// What is missing, in words and with the remedy.
pub fn probe() -> Result<(), RingError> {
    let locked = raise_limit(libc::RLIMIT_MEMLOCK);
    if locked < MEMLOCK_BYTES_MIN {
        return Err(RingError::LockedMemory(locked));
    }
    raise_limit(libc::RLIMIT_NOFILE);
    let mut params = SetupParams::default();
    match setup(8, &mut params) {
        Ok(_closed_at_once) => Ok(()),
        Err(error) => Err(explain(error.raw_os_error().unwrap_or(0), io_uring_disabled())),
    }
}

fn explain(errno: i32, disabled: Option<u8>) -> RingError {
    match (errno, disabled) {
        (libc::ENOSYS, _) => RingError::Missing,
        (libc::EPERM | libc::EACCES, Some(value)) if value > 0 => RingError::SwitchedOff(value),
        (libc::EPERM | libc::EACCES, _) => RingError::Forbidden,
        (libc::ENOMEM, _) => RingError::Memory,
        (libc::EMFILE | libc::ENFILE, _) => RingError::Descriptors,
        (other, _) => RingError::Other(other),
    }
}

fn io_uring_disabled() -> Option<u8> {
    fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Raises a soft limit to its hard limit and returns what holds afterwards.
fn raise_limit(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a live, writable rlimit; the call writes nothing else.
    #[expect(unsafe_code, reason = "the standard library has no resource limits")]
    let known = unsafe { libc::getrlimit(resource, &raw mut limit) } == 0;
    if !known || limit.rlim_cur == limit.rlim_max {
        return limit.rlim_cur;
    }
    let raised = libc::rlimit {
        rlim_cur: limit.rlim_max,
        ..limit
    };
    // SAFETY: `raised` is a live rlimit that the call only reads.
    #[expect(unsafe_code, reason = "the standard library has no resource limits")]
    let done = unsafe { libc::setrlimit(resource, &raw const raised) } == 0;
    if done { raised.rlim_cur } else { limit.rlim_cur }
}

/// `struct io_uring_params`: 120 bytes, of which only the flags matter here.
#[repr(C, align(8))]
#[derive(Default)]
struct SetupParams {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    rest: [u32; 27],
}

fn setup(entries: u32, params: &mut SetupParams) -> io::Result<OwnedFd> {
    // SAFETY: `params` is a live, writable `io_uring_params`, and the call touches nothing else of ours.
    #[expect(unsafe_code, reason = "no safe binding of io_uring_setup")]
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, entries, &raw mut *params) };
    match i32::try_from(ring) {
        // SAFETY: the kernel has just given us this descriptor and nobody else knows it.
        #[expect(unsafe_code, reason = "a descriptor from a raw system call")]
        Ok(ring) if ring >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(ring) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Stands in for liburing's `__sys_io_uring_setup` (see the build script): the same call with `COOP_TASKRUN` added,
/// and without it when the kernel does not know the flag. Returns a descriptor, or -1 with `errno` set.
///
/// # Safety
/// `params` points to a writable `struct io_uring_params`, as io_uring_setup(2) asks of every caller.
// SAFETY: the name is defined here only; liburing refers to it because the linker renames its call.
#[expect(unsafe_code, reason = "called from C")]
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap___sys_io_uring_setup(entries: u32, params: *mut SetupParams) -> i32 {
    use std::os::fd::IntoRawFd;
    // SAFETY: the caller's promise above; nothing else holds a reference while liburing waits for us.
    let params = unsafe { &mut *params };
    let asked = params.flags;
    params.flags = asked | SETUP_COOP_TASKRUN;
    let (ring, mode) = match setup(entries, params) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            params.flags = asked;
            (setup(entries, params), 2)
        }
        ring => (ring, 1),
    };
    match ring {
        Ok(ring) => {
            TASK_RUN.store(mode, Ordering::Relaxed);
            ring.into_raw_fd()
        }
        // errno is still that of the system call: nothing in between makes one.
        Err(_) => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executors_rings_are_cooperative_where_the_kernel_can() {
        probe().expect("io_uring on the machine that runs the tests");
        let mut params = SetupParams {
            flags: SETUP_COOP_TASKRUN,
            ..SetupParams::default()
        };
        let expected = if setup(8, &mut params).is_ok() {
            TaskRun::Cooperative
        } else {
            TaskRun::Interrupting
        };
        executor("test", None).make().expect("an executor").run(async {});
        assert_eq!(task_run(), expected);
    }

    #[test]
    fn every_refusal_names_a_remedy() {
        let cases = [
            (explain(libc::ENOSYS, None), "Linux 5.8"),
            (explain(libc::EPERM, Some(2)), "sysctl kernel.io_uring_disabled=0"),
            (explain(libc::EPERM, Some(0)), "seccomp"),
            (explain(libc::EPERM, None), "seccomp"),
            (explain(libc::ENOMEM, None), "ulimit -l"),
            (explain(libc::EMFILE, None), "ulimit -n"),
            (RingError::LockedMemory(65536), "LimitMEMLOCK"),
        ];
        for (error, remedy) in cases {
            assert!(error.to_string().contains(remedy), "{error} does not say {remedy}");
        }
    }
}
