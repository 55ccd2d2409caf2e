//! core decides and touches nothing: no file of it may name the parts of `std` that reach the world.
//!
//! Building for `wasm32-unknown-unknown` would prove less (its `std` compiles file and network calls into stubs) and
//! needs a target that a bare toolchain lacks, so the sources are read instead. What is built for tests and fuzzing only
//! (`tests`, `fuzzing`) drives oracles and is left out.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads the sources and fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of `std` that reach the world. `core::time` and `core::net` hold plain values and are free to use.
const FORBIDDEN: [&str; 9] = ["env", "fs", "io", "net", "os", "path", "process", "thread", "time"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every forbidden module that a line of code names, in a path or in an import list.
fn offences(code: &str) -> Vec<&'static str> {
    let compact: String = code.chars().filter(|character| !character.is_whitespace()).collect();
    let mut found = Vec::new();
    for (at, _) in compact.match_indices("std::") {
        let rest = &compact[at + "std::".len()..];
        let named: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for name in named {
            let name = name
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default();
            found.extend(FORBIDDEN.iter().find(|forbidden| **forbidden == name));
        }
    }
    found
}

/// The code of a file: no comments, and nothing behind `#[cfg(test)]` modules kept beside it.
fn code(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    shipped
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn no_source_of_core_reaches_the_world() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 10, "the sources were not found");
    let shipped = files.iter().filter(|file| {
        !["tests", "fuzzing"]
            .iter()
            .any(|apart| file.to_string_lossy().contains(apart))
    });
    let guilty: Vec<String> = shipped
        .flat_map(|file| {
            let found = offences(&code(&fs::read_to_string(file).unwrap()));
            found
                .into_iter()
                .map(move |name| format!("{}: std::{name}", file.display()))
        })
        .collect();
    assert!(guilty.is_empty(), "{guilty:#?}");
}

#[test]
fn the_check_itself_finds_what_it_looks_for() {
    assert_eq!(offences("let t = std::time::Instant::now();"), ["time"]);
    assert_eq!(offences("use std::{collections::BTreeMap, fs,\n net};"), ["fs", "net"]);
    assert_eq!(
        offences("use std::collections::BTreeMap; use core::time::Duration;"),
        [""; 0]
    );
    assert_eq!(code("// std::fs\nlet a = 1; // std::net"), "\nlet a = 1; ");
}
