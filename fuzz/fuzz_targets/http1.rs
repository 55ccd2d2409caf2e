//! HTTP/1.1 heads and bodies against hyper.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portreeve_core::fuzzing::http1(bytes));
