//! The kernel boundary over real executors and loopback sockets.

mod audit;
mod fetch;
mod file;
mod mailbox;
mod stream;
mod support;
mod tls;
mod upstream;
