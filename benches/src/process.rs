//! Processes under measurement: pinned to a core, their CPU time and memory read from `/proc`.

use std::fs;
use std::net::SocketAddr;
use std::process::Child;
use std::time::Duration;

use crate::Outcome;

/// A proxy under test. Ended with the value.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) child: Child,
}

impl Proxy {
    /// User and system time of the process and its children so far.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let mut total = cpu_of(self.child.id())?;
        for child in children(self.child.id()) {
            total += cpu_of(child)?;
        }
        Ok(total)
    }

    /// Resident memory of the process.
    pub(crate) fn resident_mib(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("no VmRSS")?;
        Ok(kib.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for child in children(self.child.id()) {
            end(child);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nanoseconds on a core, from the scheduler: finer than the clock ticks of `stat`. All threads count.
fn cpu_of(pid: u32) -> Outcome<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += text.split(' ').next().ok_or("an empty schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

fn end(pid: u32) {
    let Ok(pid) = i32::try_from(pid) else { return };
    // SAFETY: a plain system call on a process that this one started.
    #[expect(unsafe_code, reason = "std ends only direct children")]
    unsafe {
        libc::kill(pid, libc::SIGTERM);
    }
}

/// Keeps this process and what it starts, unless told otherwise, on one core.
pub(crate) fn pin_self(core: usize) -> Outcome<()> {
    // SAFETY: the set is zeroed and sized as the call expects; zero names the calling thread.
    #[expect(unsafe_code, reason = "std cannot pin threads")]
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error().into())
    }
}
