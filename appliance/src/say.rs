//! Words for the operator's terminal. Nothing that traffic can write reaches it.

use crate::config::Diagnostic;

/// Says on standard output that the gate is ready; scripts wait for this line.
#[expect(
    clippy::print_stdout,
    reason = "this line is the interface to whoever started the gate"
)]
pub fn ready(line: &str) {
    println!("{line}");
}

/// Says something on standard error.
#[expect(clippy::print_stderr, reason = "the operator's terminal")]
pub fn notice(line: &str) {
    eprintln!("portreeve: {line}");
}

/// Says everything that is wrong with the files.
#[expect(clippy::print_stderr, reason = "the operator's terminal")]
pub fn faults(faults: &[Diagnostic]) {
    for fault in faults {
        eprintln!("{fault}");
    }
}
