//! Event streams against a naive reading of the specification.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portreeve_core::fuzzing::sse(bytes));
