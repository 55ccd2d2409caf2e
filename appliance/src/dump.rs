//! Keeps the memory of this process, with its keys and secrets, out of core dumps and out of other processes' sight.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids dumps of this process for good: no file, no program that the kernel hands dumps to, no debugger of the same
/// user (prctl(2) `PR_SET_DUMPABLE`, core(5)).
///
/// # Errors
/// The kernel refuses.
pub fn forbid() -> io::Result<()> {
    // By itself this limit would not keep the kernel from handing a dump to a program.
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
