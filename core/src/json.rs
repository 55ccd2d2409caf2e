//! strict JSON on the simd-json tape.
