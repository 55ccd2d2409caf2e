//! Replays the committed corpora, so that a finding stays found without a fuzzer.
#![expect(clippy::disallowed_methods, reason = "the corpora are files")]

use std::fs;
use std::path::Path;

/// Feeds every file of `fuzz/corpus/<target>` to `entry`.
fn replay(target: &str, entry: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut replayed = 0;
    for file in fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display())) {
        entry(&fs::read(file.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", corpus.display());
}

#[test]
fn the_http1_corpus_has_no_finding() {
    replay("http1", super::http1);
}

#[test]
fn the_sse_corpus_has_no_finding() {
    replay("sse", super::sse);
}

#[test]
fn the_json_corpus_has_no_finding() {
    replay("json", super::json);
}

#[test]
fn the_jws_corpus_has_no_finding() {
    replay("jws", super::jws);
}

#[test]
fn the_mcp_corpus_has_no_finding() {
    replay("mcp", super::mcp);
}

#[test]
fn the_proof_corpus_has_no_finding() {
    replay("proof", super::proof);
}

/// A corpus of which nothing is accepted would find nothing.
#[test]
fn the_proof_corpus_has_good_proofs_and_bad_ones() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/proof");
    let is_good = |name: &str| super::proof::is_good(&fs::read(corpus.join(name)).unwrap());
    for good in [
        "ed25519",
        "es256",
        "es384",
        "rs256",
        "rs256_4096",
        "ps256",
        "nonce",
        "oth",
        "normalised_uri",
        "expires",
    ] {
        assert!(is_good(good), "{good}");
    }
    for bad in ["alg_other", "kid", "old", "oth_unknown", "private_key", "query"] {
        assert!(!is_good(bad), "{bad}");
    }
}
