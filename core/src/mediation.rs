//! The per-request state machine: every stage consumes the one before, and nothing is sent without all of them.
//!
//! Sans-IO: the appliance performs what a stage asks for (find a session, make a record durable, send, read a message)
//! and knows no policy. Each `Needs…` value is the continuation of one request; dropping it ends the request with
//! nothing sent.
//!
//! ```text
//! admit ─┬─ Reply                         refused, or one of the gate's own documents
//!        ├─ Introspect ── resume ─ admit      the control plane answers
//!        ├─ SpendProof ──┐
//!        ├─ FindSession ─┤
//!        ├─ FindTask ────┼─ resume ─ …    the owner shard answers
//!        ├─ TakeAnswer ──┤
//!        ├─ Obtain ──────┘                the control plane answers
//!        ├─ Judge ── resume ── Reply      a pushed signal: the control plane answers
//!        ├─ Revoke ── resume ── Reply     a minted token, ended by who holds it: likewise
//!        └─ Forward ── intent durable ── Conversation: head, message…, conclude
//! ```
//!
//! INVARIANT: [`Forward`] is built in one place, from a [`crate::policy::Permit`] that it consumes.

use core::net::IpAddr;

use crate::credential::MintCache;
use crate::framing::http1::{Method, RequestView};
use crate::identity::{Authenticator, LastSeen, PeerCertificate};
use crate::json;
use crate::snapshot::Snapshot;
use crate::time::UnixTime;

mod admit;
mod call;
mod challenge;
mod decide;
mod door;
mod forward;
mod introspect;
mod listen;
mod message;
mod obtain;
mod reply;
mod revoke;
mod signal;
mod wire;

pub use admit::{NeedsAnswer, NeedsProof, NeedsSession, NeedsTask, admit};
pub use call::{Call, Refused, unframed};
pub use challenge::Challenge;
pub use forward::{Body, Destination, Forward, Head};
pub use introspect::{Inquiry, NeedsIntrospection, Unanswered};
pub use obtain::{NeedsCredential, TokenOrder};
pub use reply::{Conversation, Ending, HeadPlan, SideEffect, UpstreamHead, Verdict};
pub use revoke::NeedsRevocation;
pub use signal::{NeedsJudgement, SignalOutcome};
pub use wire::{Refusal, Reply, UpstreamFault};

/// One request, read whole.
#[derive(Debug)]
pub struct Request<'a> {
    /// The head, as spans into the connection's buffer.
    pub view: RequestView<'a>,
    /// The HTTP method.
    pub method: Method,
    /// The decoded body: the bytes that are checked are the bytes that are forwarded.
    pub body: &'a [u8],
    /// Address of the connection's other end.
    pub peer: IpAddr,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The client certificate that the connection showed. Never from a header.
    pub certificate: Option<&'a PeerCertificate>,
}

/// What a stage may use: one generation of configuration, this core's caches, the time, randomness.
pub struct Context<'a> {
    /// The generation this request is decided under.
    pub snapshot: &'a Snapshot,
    /// This core's caches and buffers.
    pub bench: &'a mut Bench,
    /// The time.
    pub now: UnixTime,
    /// A monotonic clock in nanoseconds, for the time split of the audit.
    pub ticks: &'a dyn Fn() -> u64,
    /// Fills a buffer with random bytes.
    pub entropy: &'a mut dyn FnMut(&mut [u8]),
}

impl core::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Context")
            .field("generation", &self.snapshot.generation)
            .field("now", &self.now)
            .finish()
    }
}

impl Context<'_> {
    fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.entropy)(&mut bytes);
        bytes
    }
}

/// The caches and buffers one core reuses from request to request. Nothing in it is shared.
pub struct Bench {
    /// This core's number, which its session ids carry.
    pub shard: u8,
    /// Number of cores.
    pub shards: u8,
    /// Verified tokens and pairs.
    pub authenticator: Authenticator,
    /// Minted credentials.
    pub minted: MintCache,
    /// When each agent was last let in here.
    pub seen: LastSeen,
    /// The tape.
    pub scratch: json::Scratch,
}

impl core::fmt::Debug for Bench {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Bench")
            .field("shard", &self.shard)
            .finish_non_exhaustive()
    }
}

/// What the gate asks for next.
#[derive(Debug)]
pub enum Next {
    /// Answer; nothing goes upstream.
    Reply(Box<Refused>),
    /// Ask the issuer of an opaque token what it is.
    Introspect(Box<NeedsIntrospection>),
    /// Ask the shard that owns the proof's key whether the proof was used before.
    SpendProof(NeedsProof),
    /// Ask the shard that owns the session.
    FindSession(NeedsSession),
    /// Ask the shard that owns the task.
    FindTask(NeedsTask),
    /// Ask the shard that owns the session whether this answer is awaited.
    TakeAnswer(NeedsAnswer),
    /// Obtain a token for the server from an authorization server.
    Obtain(Box<NeedsCredential>),
    /// Ask the control plane what becomes of a signal.
    Judge(NeedsJudgement),
    /// Have the control plane shut a minted token off.
    Revoke(NeedsRevocation),
    /// Make the intent durable, then send.
    Forward(Box<Forward>),
}
