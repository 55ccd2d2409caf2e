//! HTTP/1.1 against hyper: every request that is accepted here, hyper accepts and reads the same.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use hyper::body::Body;
use hyper::body::Incoming;
use hyper::rt::ReadBufCursor;

use crate::framing::FrameError;
use crate::framing::body;
use crate::framing::http1::BodyLength;
use crate::framing::http1::HeadLimits;
use crate::framing::http1::Progress;
use crate::framing::http1::RequestHead;
use crate::framing::http1::parse_request;
use crate::framing::http1::parse_response;

/// Content that a fuzzed body may have, in bytes.
const BODY_BYTES_MAX: u64 = 1 << 16;

/// Reads `bytes` as a request, as a response and as a chunked body: whole and cut must agree, and hyper must agree
/// with an accepted request.
pub fn http1(bytes: &[u8]) {
    let request = |bytes: &[u8]| outcome(parse_request(bytes, &HeadLimits::REQUEST));
    let response = |bytes: &[u8]| outcome(parse_response(bytes, &HeadLimits::RESPONSE, false));
    for cut in cuts(bytes) {
        for parse in [
            &request as &dyn Fn(&[u8]) -> Option<Result<usize, FrameError>>,
            &response,
        ] {
            if let Some(decided) = parse(&bytes[..cut]) {
                assert_eq!(parse(bytes), Some(decided), "cut at {cut}");
            }
        }
        let (first, second) = bytes.split_at(cut);
        assert_eq!(
            content(BodyLength::Chunked, &[bytes]),
            content(BodyLength::Chunked, &[first, second])
        );
    }
    let Ok(Progress::Complete { head, consumed }) = parse_request(bytes, &HeadLimits::REQUEST) else {
        return;
    };
    let (content, Ok((taken, true))) = content(head.body, &[&bytes[consumed..]]) else {
        return;
    };
    agrees_with_hyper(&bytes[..consumed + taken], &head, &content);
}

/// What a parse decided: nothing yet, the length of the head, or a refusal.
fn outcome<T>(parsed: Result<Progress<T>, FrameError>) -> Option<Result<usize, FrameError>> {
    match parsed {
        Ok(Progress::Partial) => None,
        Ok(Progress::Complete { consumed, .. }) => Some(Ok(consumed)),
        Err(error) => Some(Err(error)),
    }
}

/// A few places to cut `bytes`, spread over its length.
fn cuts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    (0..8)
        .map(|eighth| bytes.len() * eighth / 8)
        .chain(bytes.len().checked_sub(1))
}

/// The decoded content, and how many bytes it took and whether it was complete, or why it was refused.
fn content(length: BodyLength, pieces: &[&[u8]]) -> (Vec<u8>, Result<(usize, bool), FrameError>) {
    let mut decoder = body::Decoder::new(length, BODY_BYTES_MAX);
    let (mut out, mut consumed) = (Vec::new(), 0);
    for piece in pieces {
        match decoder.decode(piece, &mut out) {
            Ok(decoded) => consumed += decoded.consumed,
            Err(error) => return (out, Err(error)),
        }
    }
    (out, Ok((consumed, decoder.is_done())))
}

fn agrees_with_hyper(message: &[u8], head: &RequestHead, content: &[u8]) {
    let Some((theirs, their_content)) = hyper_reads(message) else {
        panic!("hyper refuses {:?}", String::from_utf8_lossy(message));
    };
    let ours = head.view(message);
    assert_eq!(
        theirs.method.as_str(),
        ours.method().name().unwrap_or(theirs.method.as_str())
    );
    assert_eq!(
        theirs.uri.path_and_query().map(|target| target.as_str()),
        Some(ours.target())
    );
    assert_eq!(their_content, content);
    assert_eq!(theirs.headers.len(), ours.headers().count());
    for name in theirs.headers.keys() {
        let values = theirs.headers.get_all(name).iter().map(|value| value.as_bytes());
        let same_name = ours
            .headers()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name.as_str()));
        assert!(values.eq(same_name.map(|(_, value)| value)), "{name}");
    }
}

/// Serves `message` with hyper and returns the request that its handler sees.
fn hyper_reads(message: &[u8]) -> Option<(hyper::http::request::Parts, Vec<u8>)> {
    let seen = RefCell::new(None);
    let handler = hyper::service::service_fn(|request: hyper::Request<Incoming>| async {
        let (parts, incoming) = request.into_parts();
        if let Some(content) = collect(incoming).await {
            *seen.borrow_mut() = Some((parts, content));
        }
        Ok::<_, Infallible>(hyper::Response::new(String::new()))
    });
    {
        let wire = Wire { unread: message };
        let mut server = hyper::server::conn::http1::Builder::new();
        // The wire ends after the message, which otherwise counts as a client that gave up.
        let mut connection = pin!(server.half_close(true).serve_connection(wire, handler));
        let mut context = Context::from_waker(Waker::noop());
        // The wire is always ready, so every poll makes progress; the bound turns a stall into a finding.
        let ended = (0..10_000).any(|_| connection.as_mut().poll(&mut context).is_ready());
        assert!(ended, "hyper stalls");
    }
    seen.into_inner()
}

async fn collect(incoming: Incoming) -> Option<Vec<u8>> {
    let mut incoming = pin!(incoming);
    let mut content = Vec::new();
    while let Some(frame) = poll_fn(|context| incoming.as_mut().poll_frame(context)).await {
        content.extend_from_slice(frame.ok()?.data_ref()?);
    }
    Some(content)
}

/// A peer that has sent everything already and takes whatever it is sent.
struct Wire<'m> {
    unread: &'m [u8],
}

impl hyper::rt::Read for Wire<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut room: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let (read, unread) = self.unread.split_at(self.unread.len().min(room.remaining()));
        room.put_slice(read);
        self.unread = unread;
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Wire<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
