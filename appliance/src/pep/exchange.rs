//! One permitted request: intent recorded, sent, its answer passed back message by message, outcome recorded.
//!
//! While it waits for the upstream it watches the client: whether a disconnect cancels the call is the era's rule, told
//! by the conversation. Back-pressure is the write itself: nothing more is read from the upstream until the client took
//! what came before.

use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use portreeve_core::framing::http1::{BodyLength, Known};
use portreeve_core::framing::sse::{self, Frame};
use portreeve_core::framing::write;
use portreeve_core::mediation::{
    Body, Conversation, Destination, Ending, Forward, HeadPlan, Reply, UpstreamFault, UpstreamHead, Verdict,
};

use super::answer;
use super::connection::{Connection, Over};
use crate::shard::Shard;
use crate::upstream::{Exchange, UpstreamError};

/// How often an exchange looks whether it may go on, besides when it is told to.
const WATCH: Duration = Duration::from_millis(500);
/// How long an open stream may be silent before the client gets a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// Bytes a client may send ahead while its call runs.
const SENT_AHEAD: usize = 64 * 1024;

/// A request's bytes, taken out of the connection's buffers, which meanwhile read ahead.
pub(super) struct Received {
    /// The body as it was checked.
    pub(super) body: Taken,
    /// Whether the connection serves another request afterwards.
    pub(super) keep_alive: bool,
}

/// A range of a buffer that was taken over whole.
pub(super) struct Taken {
    pub(super) buffer: Vec<u8>,
    pub(super) range: Range<usize>,
}

impl Taken {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.range.clone()).unwrap_or_default()
    }
}

/// What is cut when the gate stops: nobody is told, but the audit is.
const CUT: Carried = (Ending::Failed(UpstreamFault::Stopped), Err(Over::Quiet));

/// Performs `forward` and answers the client. Gives the request's buffer back for the next one.
pub(super) async fn run(
    connection: &mut Connection,
    shard: &Rc<Shard>,
    forward: Forward,
    received: Received,
) -> (Vec<u8>, Result<(), Over>) {
    let Forward {
        to,
        intent,
        mut head,
        body,
        mut conversation,
    } = forward;
    let Received {
        body: taken,
        keep_alive,
    } = received;
    if shard.is_cut() {
        return (taken.buffer, Err(Over::Quiet));
    }
    let number = connection.number;
    let mut passage = Passage {
        connection,
        shard,
        keep_alive,
        lost: false,
    };
    let recording = shard.audit.record_durably(intent.record());
    let recording = shard.timers.deadline(shard.limits.write, recording);
    let (ending, written) = match shard.unless_cut(number, recording).await {
        Some(Ok(Ok(()))) => {
            let bytes = match &body {
                Body::Rewritten(body) => body,
                Body::AsReceived => taken.bytes(),
            };
            let carrying = passage.carry(&to, &mut head, bytes, &mut conversation);
            shard.unless_cut(number, carrying).await.unwrap_or(CUT)
        }
        None => CUT,
        Some(_) => {
            let written = passage.reply(&conversation.unrecorded()).await;
            return (taken.buffer, written);
        }
    };
    let outcome = shard.with_context(|context| conversation.conclude(ending, context));
    shard.audit.note(outcome.record());
    (taken.buffer, written)
}

fn fault(error: &UpstreamError) -> UpstreamFault {
    match error {
        UpstreamError::Framing(_) | UpstreamError::InterimFlood => UpstreamFault::Unusable,
        error if error.may_have_acted() => UpstreamFault::Ambiguous,
        _ => UpstreamFault::Unreachable,
    }
}

/// The client's half of an exchange.
struct Passage<'c> {
    connection: &'c mut Connection,
    shard: &'c Rc<Shard>,
    keep_alive: bool,
    /// Nobody reads any more.
    lost: bool,
}

/// What came of waiting for the upstream.
enum Came<T> {
    Answer(T),
    ClientGone,
    Revoked,
    Late,
    /// The gate is stopping, and this stream would not end by itself.
    Stopping,
}

/// How an exchange ended, and whether the connection can serve another request.
type Carried = (Ending, Result<(), Over>);

impl Passage<'_> {
    async fn carry(
        &mut self,
        to: &Destination,
        head: &mut Vec<u8>,
        body: &[u8],
        conversation: &mut Conversation,
    ) -> Carried {
        let sending = self.shard.send_upstream(to, head, body, conversation.is_listening());
        let exchange = match self.attend(sending, conversation, Duration::MAX).await {
            Came::Answer(Ok(exchange)) => exchange,
            Came::Answer(Err(error)) => return self.fail(conversation, fault(&error)).await,
            Came::Late | Came::Stopping => return self.fail(conversation, UpstreamFault::Ambiguous).await,
            Came::Revoked => return self.fail(conversation, UpstreamFault::Revoked).await,
            Came::ClientGone => return (Ending::ClientGone, Err(Over::Quiet)),
        };
        let plan = self
            .shard
            .with_context(|context| conversation.head(&upstream_head(&exchange), context));
        if let Err(fault) = self.shard.perform(conversation).await {
            return self.fail(conversation, fault).await;
        }
        match plan {
            HeadPlan::Answer(reply) => (Ending::Complete, self.reply(&reply).await),
            HeadPlan::Whole(reply) => self.whole(exchange, conversation, reply).await,
            HeadPlan::Events(reply) => self.events(exchange, conversation, reply).await,
        }
    }

    /// A JSON body that is read as one message.
    async fn whole(&mut self, mut exchange: Exchange, conversation: &mut Conversation, mut reply: Reply) -> Carried {
        let mut body = Vec::new();
        loop {
            let next = exchange.next_chunk(&mut body);
            match self.attend(next, conversation, self.shard.limits.first_byte).await {
                Came::Answer(Ok(false)) => break,
                Came::Answer(Ok(true)) => {}
                Came::Answer(Err(error)) => return self.fail(conversation, fault(&error)).await,
                Came::Late | Came::Stopping => return self.fail(conversation, UpstreamFault::Ambiguous).await,
                Came::Revoked => return self.fail(conversation, UpstreamFault::Revoked).await,
                Came::ClientGone => return (Ending::ClientGone, Err(Over::Quiet)),
            }
        }
        let mut rewritten = Vec::new();
        let verdict = self
            .shard
            .with_context(|context| conversation.message(&body, &mut rewritten, context));
        if let Err(fault) = self.shard.perform(conversation).await {
            return self.fail(conversation, fault).await;
        }
        reply.body = match verdict {
            Verdict::Pass => body,
            Verdict::Rewritten | Verdict::Last => rewritten,
            Verdict::Drop => return self.fail(conversation, UpstreamFault::Unusable).await,
        };
        (Ending::Complete, self.reply(&reply).await)
    }

    /// An event stream, passed on event by event.
    async fn events(&mut self, mut exchange: Exchange, conversation: &mut Conversation, reply: Reply) -> Carried {
        self.start(&reply, BodyLength::Chunked);
        self.flush().await;
        let mut decoder = sse::Decoder::default();
        let mut chunk = Vec::new();
        let mut events = Vec::new();
        let mut silent = Duration::ZERO;
        let ending = loop {
            chunk.clear();
            events.clear();
            let next = exchange.next_chunk(&mut chunk);
            match self.attend(next, conversation, SIGN_OF_LIFE).await {
                Came::Answer(Ok(false)) => break Ending::Complete,
                Came::Answer(Ok(true)) => silent = Duration::ZERO,
                Came::Answer(Err(error)) => break Ending::Failed(fault(&error)),
                Came::Revoked => break Ending::Failed(UpstreamFault::Revoked),
                Came::ClientGone => break Ending::ClientGone,
                Came::Stopping => break Ending::Complete,
                // Nobody reads, and nothing comes: the call is given up as any other that does not answer.
                Came::Late if self.lost && silent >= self.shard.limits.first_byte => break Ending::ClientGone,
                Came::Late => {
                    silent += SIGN_OF_LIFE;
                    sse::write_comment(&mut events);
                    self.pass(&events, BodyLength::Chunked).await;
                    continue;
                }
            }
            if decoder.push(&chunk).is_err() {
                break Ending::Failed(UpstreamFault::Unusable);
            }
            let more = self.translate(&mut decoder, conversation, &mut events).await;
            if !events.is_empty() {
                self.pass(&events, BodyLength::Chunked).await;
            }
            match more {
                Ok(true) => {}
                Ok(false) => break Ending::Complete,
                Err(fault) => break Ending::Failed(fault),
            }
        };
        let answered = self.last_words(ending, conversation).await;
        match ending {
            // A stream that is cut short must not look finished.
            _ if answered => (ending, self.finish(BodyLength::Chunked).await),
            Ending::Failed(UpstreamFault::Ambiguous | UpstreamFault::Unusable) | Ending::ClientGone => {
                (ending, Err(Over::Quiet))
            }
            Ending::Complete | Ending::Failed(_) => (ending, self.finish(BodyLength::Chunked).await),
        }
    }

    /// Passes on the error that stands for a response that does not come any more. Says whether there was one.
    async fn last_words(&mut self, ending: Ending, conversation: &mut Conversation) -> bool {
        let fault = match ending {
            Ending::Complete => None,
            Ending::Failed(fault) => Some(fault),
            Ending::ClientGone => return false,
        };
        let (mut error, mut event) = (Vec::new(), Vec::new());
        if !conversation.closing(fault, &mut error) || self.shard.perform(conversation).await.is_err() {
            return false;
        }
        let data = sse::Event {
            data: Some(&error),
            ..Default::default()
        };
        if sse::write_event(&mut event, &data).is_err() {
            return false;
        }
        self.pass(&event, BodyLength::Chunked).await;
        true
    }

    /// Puts every complete event through the conversation. Says whether the stream goes on.
    async fn translate(
        &self,
        decoder: &mut sse::Decoder,
        conversation: &mut Conversation,
        events: &mut Vec<u8>,
    ) -> Result<bool, UpstreamFault> {
        let mut replacement = Vec::new();
        while let Some(frame) = decoder.next_event() {
            let Frame::Event(mut event) = frame else {
                sse::write_comment(events);
                continue;
            };
            if event.id.is_some_and(|id| !id.is_empty()) {
                conversation.has_position();
            }
            if [event.id, event.event]
                .iter()
                .flatten()
                .any(|text| conversation.is_secret(text))
            {
                return Err(UpstreamFault::Exposed);
            }
            let mut last = false;
            if let Some(data) = event.data.filter(|data| !data.is_empty()) {
                replacement.clear();
                let verdict = self
                    .shard
                    .with_context(|context| conversation.message(data, &mut replacement, context));
                self.shard.perform(conversation).await?;
                match verdict {
                    Verdict::Pass => {}
                    Verdict::Rewritten => event.data = Some(&replacement),
                    Verdict::Last => {
                        event.data = Some(&replacement);
                        last = true;
                    }
                    // What remains of a dropped event is its place in the stream, for a client that resumes.
                    Verdict::Drop if event.id.is_none() => continue,
                    Verdict::Drop => {
                        event = sse::Event {
                            id: event.id,
                            retry_ms: event.retry_ms,
                            ..Default::default()
                        }
                    }
                }
            }
            sse::write_event(events, &event).map_err(|_| UpstreamFault::Unusable)?;
            if last {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for the upstream while watching the client, the clock and the configuration in force.
    async fn attend<T>(
        &mut self,
        future: impl Future<Output = T>,
        conversation: &Conversation,
        patience: Duration,
    ) -> Came<T> {
        let mut future = pin!(future);
        let shard = Rc::clone(self.shard);
        let began = Instant::now();
        loop {
            let seen = shard.occasion();
            let turn = poll_fn(|cx| {
                // Before anything moves: what was shut off must neither be sent nor answered any more.
                if shard.occasion() != seen {
                    return Poll::Ready(None);
                }
                match future.as_mut().poll(cx) {
                    Poll::Ready(output) => Poll::Ready(Some(Came::Answer(output))),
                    Poll::Pending if self.client_left(cx) && conversation.cancelled_by_disconnect() => {
                        Poll::Ready(Some(Came::ClientGone))
                    }
                    Poll::Pending => Poll::Pending,
                }
            });
            if !shard.with_context(|context| conversation.may_continue(context)) {
                return Came::Revoked;
            }
            if conversation.is_listening() && shard.is_draining() {
                return Came::Stopping;
            }
            let wait = WATCH.min(patience.saturating_sub(began.elapsed()));
            if let Ok(Some(came)) = shard.timers.deadline(wait, turn).await {
                return came;
            }
            if began.elapsed() >= patience {
                return Came::Late;
            }
        }
    }

    /// Reads ahead what the client sends, and notices when it has left.
    fn client_left(&mut self, cx: &mut Context<'_>) -> bool {
        let Connection { stream, input, .. } = &mut *self.connection;
        while !self.lost && input.len() < SENT_AHEAD {
            match stream.poll_read(cx, input, SENT_AHEAD) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => self.lost = true,
                Poll::Pending => break,
            }
        }
        self.lost
    }

    async fn fail(&mut self, conversation: &Conversation, fault: UpstreamFault) -> Carried {
        (Ending::Failed(fault), self.reply(&conversation.failure(fault)).await)
    }

    async fn reply(&mut self, reply: &Reply) -> Result<(), Over> {
        self.connection.send(self.shard, reply, self.keep_alive).await
    }

    /// Begins the answer in the output buffer.
    fn start(&mut self, reply: &Reply, framing: BodyLength) {
        self.connection.output.clear();
        if answer::head(&mut self.connection.output, reply, framing, self.keep_alive).is_err() {
            self.lost = true;
        }
    }

    /// Passes a piece of the body on. A client that cannot be written to is lost, the call is not.
    async fn pass(&mut self, piece: &[u8], framing: BodyLength) {
        match framing {
            BodyLength::Chunked => write::chunk(&mut self.connection.output, piece),
            BodyLength::None | BodyLength::Fixed(_) | BodyLength::UntilClose => {
                self.connection.output.extend_from_slice(piece);
            }
        }
        self.flush().await;
    }

    async fn flush(&mut self) {
        if self.lost {
            self.connection.output.clear();
        } else if self.connection.flush(self.shard).await.is_err() {
            self.lost = true;
        }
    }

    async fn finish(&mut self, framing: BodyLength) -> Result<(), Over> {
        if framing == BodyLength::Chunked {
            write::last_chunk(&mut self.connection.output);
        }
        self.flush().await;
        if self.lost { Err(Over::Quiet) } else { Ok(()) }
    }
}

fn upstream_head(exchange: &Exchange) -> UpstreamHead<'_> {
    let head = exchange.head();
    UpstreamHead {
        status: exchange.status(),
        content_type: head.known(Known::ContentType),
        content_encoding: head.known(Known::ContentEncoding),
        session_id: head.known(Known::SessionId),
    }
}
