//! The internet sockets that a process holds, as the kernel lists them.

use std::collections::HashSet;
use std::fs;

/// The process's own port of each of its TCP and UDP sockets.
pub(super) fn local_ports(process: u32) -> Vec<u16> {
    let held: HashSet<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        // A kernel without IPv6 has no table of it.
        let Ok(text) = fs::read_to_string(format!("/proc/{process}/net/{table}")) else {
            continue;
        };
        for line in text.lines().skip(1) {
            let mut columns = line.split_whitespace();
            let local = columns.nth(1).unwrap();
            // The eighth column after it is the inode.
            if held.contains(columns.nth(7).unwrap()) {
                let port = local.rsplit(':').next().unwrap();
                ports.push(u16::from_str_radix(port, 16).unwrap());
            }
        }
    }
    ports
}
