//! MCP headers and message against serde_json.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portreeve_core::fuzzing::mcp(bytes));
