//! Black-box promises of the running gate: a real process, a recording server behind it, raw bytes in front.

mod hazards;
mod kit;
mod lifecycle;
mod secrets;
mod sessions;
mod tokens;
