//! Nothing of the gate's memory is written down when it dies.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::kit::{Gate, Issuer, PERMIT_CLERKS, Upstream};

#[test]
fn a_gate_that_aborts_leaves_no_core_dump_whatever_the_shell_allows() {
    let upstream = Upstream::obliging();
    let folder = Gate::prepare(&upstream, PERMIT_CLERKS, &Issuer::new().jwks(), "");
    let mut gate = Command::new("sh")
        .args([
            "-c",
            r#"ulimit -S -c "$(ulimit -H -c)" && exec "$0" serve"#,
            env!("CARGO_BIN_EXE_portreeve"),
        ])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(gate.stdout.take().unwrap())
        .read_line(&mut ready)
        .unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", gate.id())).unwrap();
    let before = names(folder.path());
    kill_process(Pid::from_child(&gate), Signal::ABORT).unwrap();
    let ended = gate.wait().unwrap();

    assert!(ready.starts_with("listening on"), "{ready}");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let allowed: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(allowed, ["0", "0"], "{core}");
    assert_eq!(ended.signal(), Some(Signal::ABORT.as_raw()));
    assert!(!ended.core_dumped());
    assert_eq!(names(folder.path()), before);
}

fn names(folder: &std::path::Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    names
}
