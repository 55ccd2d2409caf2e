//! DPoP proofs against serde_json and jsonwebtoken.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portreeve_core::fuzzing::proof(bytes));
