//! The legacy MCP sessions that one shard owns.
//!
//! A session belongs to one (issuer, subject, agent) and one server; its id is the gate's own and says which shard owns
//! it, so that any shard can ask the owner. Possession of an id proves nothing: every look-up compares the binding, and a
//! foreign session answers exactly as an unknown one. The table is bounded by count, per principal and by idle time.
//!
//! SPEC: MCP 2025-11-25 basic/transports "Session Management"; security best practices "Session Hijacking".

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::limits;
use crate::mcp::{OwnedId, Version};
use crate::time::UnixTime;

/// A gate-made session id: two hex digits for the owner shard, then 128 random bits in hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; SessionId::BYTES]);

impl SessionId {
    const BYTES: usize = 17;
    /// Characters of the text form.
    pub const TEXT_BYTES: usize = Self::BYTES * 2;

    /// An id owned by `shard`, made unguessable by 128 bits of `entropy`.
    #[must_use]
    pub fn new(shard: u8, entropy: [u8; 16]) -> Self {
        let mut id = [shard; Self::BYTES];
        id[1..].copy_from_slice(&entropy);
        Self(id)
    }

    /// Reads the text form; `None` for anything this gate did not write.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::TEXT_BYTES {
            return None;
        }
        let mut id = [0; Self::BYTES];
        for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(id))
    }

    /// The shard that owns this session.
    #[must_use]
    pub const fn shard(&self) -> u8 {
        self.0[0]
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId(shard {})", self.shard())
    }
}

fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// What a request may learn about its session; cheap to clone and free to cross shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// Digest of (user issuer, user, agent issuer, agent) that opened the session.
    pub binding: [u8; 32],
    /// Name of the server the session was opened on.
    pub server: Arc<str>,
    /// The upstream's own session id; `None` where the upstream keeps no sessions.
    pub upstream: Option<Arc<str>>,
    /// The protocol version the upstream chose; `None` until its InitializeResult has passed.
    pub version: Option<Version>,
}

#[derive(Debug)]
struct Session {
    facts: SessionFacts,
    used: UnixTime,
    /// Ids of server requests the client has been shown and has not answered, oldest first.
    unanswered: Vec<OwnedId>,
}

/// Why a session could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// This shard holds as many live sessions as it may.
    TableFull,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TableFull => f.write_str("the session table is full"),
        }
    }
}

/// How many sessions a shard keeps and how long.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Live sessions, at most [`limits::SESSIONS_PER_SHARD`].
    pub count: usize,
    /// How long a session may stay unused.
    pub idle: Duration,
}

/// The sessions owned by one shard.
#[derive(Debug)]
pub struct SessionTable {
    limits: SessionLimits,
    sessions: BTreeMap<SessionId, Session>,
}

impl SessionTable {
    /// An empty table.
    #[must_use]
    pub fn new(limits: SessionLimits) -> Self {
        let count = limits.count.min(limits::SESSIONS_PER_SHARD);
        Self {
            limits: SessionLimits { count, ..limits },
            sessions: BTreeMap::new(),
        }
    }

    /// Opens a session under `id`.
    ///
    /// A principal that already holds [`limits::SESSIONS_PER_PRINCIPAL`] loses its least recently used one: clients
    /// that never send DELETE must not lock themselves out.
    ///
    /// # Errors
    /// [`SessionError::TableFull`] when even dropping idle sessions leaves no room.
    pub fn open(&mut self, id: SessionId, facts: SessionFacts, now: UnixTime) -> Result<(), SessionError> {
        let mut held = 0;
        let mut oldest: Option<(UnixTime, SessionId)> = None;
        for (other, session) in self
            .sessions
            .iter()
            .filter(|(_, session)| session.facts.binding == facts.binding)
        {
            held += 1;
            if oldest.is_none_or(|(used, _)| session.used < used) {
                oldest = Some((session.used, *other));
            }
        }
        if let (true, Some((_, oldest))) = (held >= limits::SESSIONS_PER_PRINCIPAL, oldest) {
            self.sessions.remove(&oldest);
        }
        if self.sessions.len() >= self.limits.count {
            self.expire(now);
        }
        if self.sessions.len() >= self.limits.count {
            return Err(SessionError::TableFull);
        }
        self.sessions.insert(
            id,
            Session {
                facts,
                used: now,
                unanswered: Vec::new(),
            },
        );
        Ok(())
    }

    /// The session `id`, marked as used `now`; `None` when unknown or idle for too long.
    pub fn find(&mut self, id: &SessionId, now: UnixTime) -> Option<SessionFacts> {
        self.live(id, now).map(|session| session.facts.clone())
    }

    /// Records the version the upstream chose at initialize. A version once pinned does not change.
    pub fn pin_version(&mut self, id: &SessionId, version: Version, now: UnixTime) {
        if let Some(session) = self.live(id, now) {
            session.facts.version.get_or_insert(version);
        }
    }

    /// Remembers that the client was shown the server request `request`.
    ///
    /// At [`limits::UNANSWERED_PER_SESSION`] the oldest is forgotten, and an answer to it is then not forwarded.
    pub fn expect_answer(&mut self, id: &SessionId, request: OwnedId, now: UnixTime) {
        if let Some(session) = self.live(id, now) {
            if session.unanswered.len() >= limits::UNANSWERED_PER_SESSION {
                session.unanswered.remove(0);
            }
            session.unanswered.push(request);
        }
    }

    /// Whether `request` was waiting for the client's answer; it no longer is. One answer per request.
    pub fn take_answer(&mut self, id: &SessionId, request: &OwnedId, now: UnixTime) -> bool {
        let Some(session) = self.live(id, now) else {
            return false;
        };
        let position = session.unanswered.iter().position(|waiting| waiting == request);
        position.map(|position| session.unanswered.remove(position)).is_some()
    }

    /// Ends the session; unknown ids are no error.
    pub fn close(&mut self, id: &SessionId) {
        self.sessions.remove(id);
    }

    /// Drops every session that is idle for too long and says how many are left.
    pub fn expire(&mut self, now: UnixTime) -> usize {
        self.sessions
            .retain(|_, session| now.since(session.used) < self.limits.idle);
        self.sessions.len()
    }

    fn live(&mut self, id: &SessionId, now: UnixTime) -> Option<&mut Session> {
        let idle = self.limits.idle;
        if self
            .sessions
            .get(id)
            .is_some_and(|session| now.since(session.used) >= idle)
        {
            self.sessions.remove(id);
        }
        let session = self.sessions.get_mut(id)?;
        session.used = now;
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    fn table() -> SessionTable {
        SessionTable::new(SessionLimits {
            count: 1_000,
            idle: IDLE,
        })
    }

    const START: UnixTime = UnixTime::from_secs(1_000);

    fn facts(principal: u8) -> SessionFacts {
        SessionFacts {
            binding: [principal; 32],
            server: "ledger".into(),
            upstream: None,
            version: None,
        }
    }

    fn id(number: u16) -> SessionId {
        let mut entropy = [0; 16];
        entropy[..2].copy_from_slice(&number.to_be_bytes());
        SessionId::new(1, entropy)
    }

    #[test]
    fn an_id_reads_back_from_its_text_and_names_its_shard() {
        let id = SessionId::new(7, [0xa5; 16]);
        assert_eq!(SessionId::parse(id.to_string().as_bytes()), Some(id));
        assert_eq!(id.shard(), 7);
        for foreign in ["", "07", &"A5".repeat(17), &"zz".repeat(17), &"a5".repeat(18)] {
            assert_eq!(SessionId::parse(foreign.as_bytes()), None, "{foreign}");
        }
    }

    #[test]
    fn an_idle_session_is_gone_exactly_at_its_ttl() {
        let mut table = table();
        table.open(id(1), facts(1), START).unwrap();
        let last = START.saturating_add(IDLE);
        assert!(table.find(&id(1), UnixTime::from_millis(last.millis() - 1)).is_some());
        assert!(table.find(&id(1), last).is_some(), "use renews it");
        assert!(table.find(&id(1), last.saturating_add(IDLE)).is_none());
        assert_eq!(table.expire(last), 0);
    }

    #[test]
    fn one_principal_keeps_its_newest_sessions_and_pushes_out_nobody_else() {
        let mut table = table();
        table.open(id(0), facts(2), START).unwrap();
        let many = u16::try_from(limits::SESSIONS_PER_PRINCIPAL).unwrap();
        for number in 1..=many + 1 {
            table
                .open(
                    id(number),
                    facts(1),
                    START.saturating_add(Duration::from_millis(number.into())),
                )
                .unwrap();
        }
        assert!(
            table.find(&id(1), START).is_none(),
            "the oldest of the same principal went"
        );
        assert!(table.find(&id(2), START).is_some());
        assert!(table.find(&id(0), START).is_some(), "the other principal's stayed");
    }

    #[test]
    fn an_answer_is_taken_once_and_only_if_it_was_asked_for() {
        let mut table = table();
        table.open(id(1), facts(1), START).unwrap();
        table.expect_answer(&id(1), OwnedId::Integer(4), START);
        assert!(
            !table.take_answer(&id(1), &OwnedId::Text("4".into()), START),
            "the type of an id counts"
        );
        assert!(table.take_answer(&id(1), &OwnedId::Integer(4), START));
        assert!(!table.take_answer(&id(1), &OwnedId::Integer(4), START));
    }

    #[test]
    fn a_pinned_version_does_not_change() {
        let mut table = table();
        table.open(id(1), facts(1), START).unwrap();
        table.pin_version(&id(1), Version::V2025_06_18, START);
        table.pin_version(&id(1), Version::V2024_11_05, START);
        assert_eq!(table.find(&id(1), START).unwrap().version, Some(Version::V2025_06_18));
    }
}
