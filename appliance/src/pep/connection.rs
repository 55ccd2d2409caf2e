//! One client connection: requests in order, one at a time, until either side ends it.
//!
//! Every wait has a deadline (idle, head, body, write) and every buffer a maximum. A request that cannot be framed ends
//! the connection after its answer: what follows it cannot be trusted to be a request.

use std::rc::Rc;

use portreeve_core::framing::FrameError;
use portreeve_core::framing::body::Decoder;
use portreeve_core::framing::http1::{self, BodyLength, Method, Progress, RequestHead};
use portreeve_core::mediation::{self, Forward, Next, Refused, Reply, Request};

use super::exchange::Taken;
use super::{answer, exchange};
use crate::io::IoError;
use crate::io::stream::Stream;
use crate::shard::{Shard, Shown};

/// Bytes read ahead of the request being served: one head and what a pipelining client sends behind it.
const READ_AHEAD: usize = 64 * 1024;
/// Bytes thrown away at most while saying goodbye to a client that still sends.
const LINGER_BYTES: usize = 256 * 1024;

/// A client connection and its buffers.
pub(super) struct Connection {
    pub(super) stream: Stream,
    /// Everything read and not yet consumed; heads and fixed bodies are spans into it.
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
    body: Vec<u8>,
    /// A used buffer, kept for its capacity.
    spare: Vec<u8>,
    shown: Option<Shown>,
    pub(super) number: u64,
}

/// Why a connection is over.
#[derive(Debug)]
pub(super) enum Over {
    /// Nothing more to say, or nobody to say it to.
    Quiet,
    /// The last answer says so, and the client may still be sending.
    AfterAnswer,
}

impl From<IoError> for Over {
    fn from(_: IoError) -> Self {
        Self::Quiet
    }
}

/// Where the parts of the request at hand are.
struct Framed {
    head: RequestHead,
    /// Bytes of `input` that belong to this request.
    consumed: usize,
    /// Where its body is: in `input`, or decoded apart.
    body: Placed,
}

enum Placed {
    Input { from: usize },
    Decoded,
}

/// Serves `stream`, whose client may have `shown` a certificate, until it ends.
pub async fn serve(shard: Rc<Shard>, stream: Stream, shown: Option<Shown>, number: u64) {
    let (input, output, body, spare) = Default::default();
    let mut connection = Connection {
        stream,
        input,
        output,
        body,
        spare,
        shown,
        number,
    };
    loop {
        match connection.serve_one(&shard).await {
            Ok(()) => {}
            Err(Over::Quiet) => return,
            Err(Over::AfterAnswer) => {
                let goodbye = connection.stream.linger(LINGER_BYTES);
                let _given_up = shard.timers.deadline(shard.limits.write, goodbye).await;
                return;
            }
        }
    }
}

impl Connection {
    async fn serve_one(&mut self, shard: &Rc<Shard>) -> Result<(), Over> {
        let framed = match self.read_request(shard).await? {
            Ok(framed) => framed,
            Err(error) => {
                let (peer, tls) = (self.stream.peer_addr().ip(), self.stream.is_tls());
                let refused = shard.with_context(|context| mediation::unframed(error, peer, tls, context));
                if let Some(record) = refused.record() {
                    shard.audit.note(record);
                }
                self.send(shard, &refused.reply, false).await?;
                return Err(Over::AfterAnswer);
            }
        };
        // SPEC: RFC 9110 15.5.20: the client may ask again over another connection, which shows its certificate anew.
        if self.shown.as_ref().is_some_and(|shown| shard.is_outdated(shown)) {
            self.send(shard, &Reply::empty(421), false).await?;
            return Err(Over::AfterAnswer);
        }
        let keep_alive = framed.head.keep_alive && !shard.is_draining();
        match self.admit(shard, &framed).await {
            Ok(forward) => {
                let body = self.take_body(&framed);
                let (buffer, written) =
                    exchange::run(self, shard, forward, exchange::Received { body, keep_alive }).await;
                self.spare = buffer;
                written?;
            }
            Err(refused) => {
                if let Some(record) = refused.record() {
                    shard.audit.note(record);
                }
                self.input.drain(..framed.consumed);
                if framed.head.method == Method::Head {
                    self.output.clear();
                    answer::without_body(&mut self.output, &refused.reply, keep_alive).map_err(|_| Over::Quiet)?;
                    self.flush(shard).await?;
                } else {
                    self.send(shard, &refused.reply, keep_alive).await?;
                }
            }
        }
        if keep_alive { Ok(()) } else { Err(Over::AfterAnswer) }
    }

    /// Goes through admission, asking owner shards as often as it takes.
    async fn admit(&self, shard: &Rc<Shard>, framed: &Framed) -> Result<Forward, Box<Refused>> {
        let request = Request {
            view: framed.head.view(&self.input),
            method: framed.head.method,
            body: match framed.body {
                Placed::Input { from } => &self.input[from..framed.consumed],
                Placed::Decoded => &self.body,
            },
            peer: self.stream.peer_addr().ip(),
            tls: self.stream.is_tls(),
            certificate: self.shown.as_ref().map(|shown| &shown.certificate),
        };
        let snapshot = shard.snapshot();
        let mut next = shard.under(&snapshot, |context| mediation::admit(&request, context));
        shard.tell_lacking();
        loop {
            next = match next {
                Next::Reply(refused) => return Err(refused),
                Next::Forward(forward) => return Ok(*forward),
                Next::Introspect(needs) => {
                    let told = shard.introspect(needs.inquiry()).await;
                    let next = shard.under(&snapshot, |context| needs.resume(told, &request, context));
                    shard.tell_lacking();
                    next
                }
                Next::SpendProof(needs) => {
                    let spent = shard.owners.spend_proof(*needs.id()).await;
                    shard.under(&snapshot, |context| needs.resume(spent, &request, context))
                }
                Next::FindSession(needs) => {
                    let found = shard.owners.find_session(needs.id()).await;
                    shard.under(&snapshot, |context| needs.resume(found, &request, context))
                }
                Next::FindTask(needs) => {
                    let found = shard.owners.find_task(needs.key().clone()).await;
                    shard.under(&snapshot, |context| needs.resume(found, &request, context))
                }
                Next::Obtain(needs) => {
                    let obtained = shard.obtain(needs.order(&request)).await;
                    shard.under(&snapshot, |context| needs.resume(obtained, &request, context))
                }
                Next::Judge(needs) => {
                    let outcome = shard.judgement(needs.transmitter(), request.body).await;
                    shard.under(&snapshot, |context| needs.resume(outcome, context))
                }
                Next::Revoke(needs) => {
                    let outcome = shard.revocation(needs.token()).await;
                    shard.under(&snapshot, |context| needs.resume(&outcome, context))
                }
                Next::TakeAnswer(needs) => {
                    let awaited = shard.owners.take_answer(needs.session(), needs.id().clone()).await;
                    shard.under(&snapshot, |context| needs.resume(awaited, &request, context))
                }
            };
        }
    }

    /// Reads one request whole. The inner error is the client's: it gets an answer.
    async fn read_request(&mut self, shard: &Rc<Shard>) -> Result<Result<Framed, FrameError>, Over> {
        let (head, head_bytes) = match self.read_head(shard).await? {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        if head.expect_continue {
            let go_on = shard.timers.deadline(
                shard.limits.write,
                self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n"),
            );
            go_on.await.map_err(IoError::from)??;
        }
        let reading = self.read_body(shard, &head, head_bytes);
        match shard.timers.deadline(shard.limits.body, reading).await {
            Ok(Ok(Ok((consumed, body)))) => Ok(Ok(Framed { head, consumed, body })),
            Ok(Ok(Err(error))) => Ok(Err(error)),
            Ok(Err(over)) => Err(over),
            Err(_late) => self.late(shard).await,
        }
    }

    /// The client was too slow: it is told so.
    async fn late<T>(&mut self, shard: &Rc<Shard>) -> Result<T, Over> {
        self.send(shard, &Reply::empty(408), false).await?;
        Err(Over::AfterAnswer)
    }

    async fn read_head(&mut self, shard: &Rc<Shard>) -> Result<Result<(RequestHead, usize), FrameError>, Over> {
        if self.input.is_empty() {
            let first = self.stream.read(&mut self.input, READ_AHEAD);
            let idle = shard
                .unless_draining(self.number, shard.timers.deadline(shard.limits.idle, first))
                .await;
            if idle.ok_or(Over::Quiet)?.map_err(|_| Over::Quiet)?? == 0 {
                return Err(Over::Quiet);
            }
        }
        let limits = shard.limits.head;
        let reading = async {
            loop {
                match http1::parse_request(&self.input, &limits) {
                    Ok(Progress::Complete { head, consumed }) => return Ok(Ok((head, consumed))),
                    Ok(Progress::Partial) => {}
                    Err(error) => return Ok(Err(error)),
                }
                if self.stream.read(&mut self.input, READ_AHEAD).await? == 0 {
                    return Err(Over::Quiet);
                }
            }
        };
        match shard.timers.deadline(shard.limits.header, reading).await {
            Ok(read) => read,
            Err(_late) => self.late(shard).await,
        }
    }

    async fn read_body(
        &mut self,
        shard: &Rc<Shard>,
        head: &RequestHead,
        from: usize,
    ) -> Result<Result<(usize, Placed), FrameError>, Over> {
        match head.body {
            BodyLength::None => return Ok(Ok((from, Placed::Input { from }))),
            BodyLength::Fixed(length) => {
                // The parser refused anything above the body limit, which fits in memory.
                let Ok(length) = usize::try_from(length) else {
                    return Ok(Err(FrameError::BodyTooLarge));
                };
                let end = from + length;
                self.input.reserve(end.saturating_sub(self.input.len()));
                while self.input.len() < end {
                    if self.stream.read(&mut self.input, end).await? == 0 {
                        return Err(Over::Quiet);
                    }
                }
                return Ok(Ok((end, Placed::Input { from })));
            }
            BodyLength::Chunked | BodyLength::UntilClose => {}
        }
        self.body.clear();
        let mut decoder = Decoder::new(head.body, shard.limits.head.body_bytes);
        let mut consumed = from;
        loop {
            match decoder.decode(&self.input[consumed..], &mut self.body) {
                Ok(decoded) => {
                    consumed += decoded.consumed;
                    if decoded.done {
                        return Ok(Ok((consumed, Placed::Decoded)));
                    }
                }
                Err(error) => return Ok(Err(error)),
            }
            // The head's spans must stay; the chunks behind it have been copied out.
            self.input.truncate(from);
            consumed = from;
            if self.stream.read(&mut self.input, from + READ_AHEAD).await? == 0 {
                return Err(Over::Quiet);
            }
        }
    }

    /// Takes the request at hand out of the buffers, so that reading ahead can go on while it is carried out.
    fn take_body(&mut self, framed: &Framed) -> Taken {
        let mut fresh = std::mem::take(&mut self.spare);
        fresh.clear();
        fresh.extend_from_slice(&self.input[framed.consumed..]);
        let request = std::mem::replace(&mut self.input, fresh);
        match framed.body {
            Placed::Input { from } => Taken {
                buffer: request,
                range: from..framed.consumed,
            },
            Placed::Decoded => {
                let body = std::mem::take(&mut self.body);
                Taken {
                    range: 0..body.len(),
                    buffer: body,
                }
            }
        }
    }

    /// Writes an answer of the gate's own.
    pub(super) async fn send(&mut self, shard: &Rc<Shard>, reply: &Reply, keep_alive: bool) -> Result<(), Over> {
        self.output.clear();
        answer::whole(&mut self.output, reply, keep_alive).map_err(|_| Over::Quiet)?;
        self.flush(shard).await
    }

    /// Writes what `output` holds.
    pub(super) async fn flush(&mut self, shard: &Rc<Shard>) -> Result<(), Over> {
        let writing = self.stream.write_all(&self.output);
        shard
            .timers
            .deadline(shard.limits.write, writing)
            .await
            .map_err(IoError::from)??;
        self.output.clear();
        Ok(())
    }
}
