//! The limits an operator may lower, each with its default and the ceiling that no configuration lifts. Pure.

use std::time::Duration;

use toml::Spanned;

use super::diagnostic::{Diagnostic, Source};
use super::raw;
use super::value::{ByteSize, TimeSpan};

/// Limits in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one MCP message from a client.
    pub message_bytes: u64,
    /// Bytes of one MCP message from a server.
    pub reply_bytes: u64,
    /// Connections of clients, over all shards.
    pub connections: usize,
    /// Legacy sessions, over all shards.
    pub sessions: usize,
    /// How long a legacy session may stay unused.
    pub session_idle: Duration,
    /// How long a client may take to send a request head.
    pub head_timeout: Duration,
    /// How long a client may take to send a request body.
    pub body_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// How long a connection to a server may take to open, TLS included.
    pub connect_timeout: Duration,
    /// How long a server may take to begin its answer.
    pub first_byte_timeout: Duration,
    /// How long open requests may take to end once the gate is told to stop.
    pub drain_timeout: Duration,
}

const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl Limits {
    /// What holds when the file says nothing.
    pub const DEFAULT: Self = Self {
        message_bytes: 4 * MIB,
        reply_bytes: 8 * MIB,
        connections: 10_000,
        sessions: 8_192,
        session_idle: Duration::from_secs(30 * 60),
        head_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(75),
        connect_timeout: Duration::from_secs(5),
        first_byte_timeout: MINUTE,
        drain_timeout: Duration::from_secs(30),
    };

    /// What no configuration lifts. Sizes and counts bound memory, so their ceiling is the default; times only bound
    /// patience, so a site with slow tools may wait longer.
    pub const CEILING: Self = Self {
        session_idle: Duration::from_secs(24 * 3600),
        head_timeout: MINUTE,
        body_timeout: Duration::from_secs(300),
        idle_timeout: HOUR,
        connect_timeout: MINUTE,
        first_byte_timeout: Duration::from_secs(600),
        drain_timeout: Duration::from_secs(600),
        ..Self::DEFAULT
    };

    pub(super) fn resolve(raw: &raw::Limits, source: &Source, faults: &mut Vec<Diagnostic>) -> Self {
        let mut check = Check { source, faults };
        let (default, ceiling) = (Self::DEFAULT, Self::CEILING);
        Self {
            message_bytes: check.bytes(raw.message.as_ref(), default.message_bytes, ceiling.message_bytes),
            reply_bytes: check.bytes(raw.reply.as_ref(), default.reply_bytes, ceiling.reply_bytes),
            connections: check.count(raw.connections.as_ref(), default.connections, ceiling.connections),
            sessions: check.count(raw.sessions.as_ref(), default.sessions, ceiling.sessions),
            session_idle: check.time(raw.session_idle.as_ref(), default.session_idle, ceiling.session_idle),
            head_timeout: check.time(raw.head_timeout.as_ref(), default.head_timeout, ceiling.head_timeout),
            body_timeout: check.time(raw.body_timeout.as_ref(), default.body_timeout, ceiling.body_timeout),
            idle_timeout: check.time(raw.idle_timeout.as_ref(), default.idle_timeout, ceiling.idle_timeout),
            connect_timeout: check.time(
                raw.connect_timeout.as_ref(),
                default.connect_timeout,
                ceiling.connect_timeout,
            ),
            first_byte_timeout: check.time(
                raw.first_byte_timeout.as_ref(),
                default.first_byte_timeout,
                ceiling.first_byte_timeout,
            ),
            drain_timeout: check.time(raw.drain_timeout.as_ref(), default.drain_timeout, ceiling.drain_timeout),
        }
    }
}

struct Check<'a> {
    source: &'a Source,
    faults: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn bytes(&mut self, value: Option<&Spanned<ByteSize>>, default: u64, ceiling: u64) -> u64 {
        let Some(value) = value else { return default };
        if value.get_ref().0 > ceiling {
            self.too_high(value, &ByteSize(ceiling).to_string());
        }
        value.get_ref().0
    }

    fn time(&mut self, value: Option<&Spanned<TimeSpan>>, default: Duration, ceiling: Duration) -> Duration {
        value.map_or(default, |value| at_most(value, ceiling, self.source, self.faults))
    }

    fn count(&mut self, value: Option<&Spanned<usize>>, default: usize, ceiling: usize) -> usize {
        let Some(value) = value else { return default };
        if *value.get_ref() == 0 || *value.get_ref() > ceiling {
            self.too_high(value, &ceiling.to_string());
        }
        *value.get_ref()
    }

    fn too_high<T>(&mut self, value: &Spanned<T>, ceiling: &str) {
        let fault = self.source.fault(value.span(), "this limit is out of range");
        self.faults
            .push(fault.hint(format!("above zero and at most {ceiling}")));
    }
}

/// The time span `value`, with a fault if it is above `ceiling` or below a second.
pub(super) fn at_most(
    value: &Spanned<TimeSpan>,
    ceiling: Duration,
    source: &Source,
    faults: &mut Vec<Diagnostic>,
) -> Duration {
    let span = value.get_ref().0;
    if span > ceiling || span < SECOND {
        let fault = source.fault(value.span(), "this time span is out of range");
        faults.push(fault.hint(format!("from 1s to {}", TimeSpan(ceiling))));
    }
    span
}
