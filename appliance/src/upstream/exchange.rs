//! One response under way: its head, its body piece by piece, and what becomes of the connection.
//!
//! Dropped when the body is complete, the connection is kept if both sides agree; dropped before that, it is closed,
//! which is how a server learns that nobody waits any more.

use portreeve_core::framing::FrameError;
use portreeve_core::framing::body::Decoder;
use portreeve_core::framing::http1::BodyLength;
use portreeve_core::framing::http1::HeadLimits;
use portreeve_core::framing::http1::Progress;
use portreeve_core::framing::http1::ResponseHead;
use portreeve_core::framing::http1::ResponseView;
use portreeve_core::framing::http1::parse_response;
use portreeve_core::limits::HEAD_BYTES_MAX;

use super::UpstreamError;
use super::pool::Connection;
use super::pool::Home;
use super::pool::Request;
use crate::io::IoError;
use crate::io::stream::Stream;

/// Interim (1xx) responses before the real one.
const INTERIM_MAX: u32 = 8;

/// Bytes of framed body held at once; the content goes to the caller's buffer at every step.
const BODY_BUFFER_BYTES: usize = 32 * 1024;

/// A response whose head has arrived.
pub struct Exchange {
    /// None once the connection has ended.
    stream: Option<Stream>,
    home: Home,
    head: ResponseHead,
    decoder: Decoder,
    /// The head, and behind it what was read of the body and not yet given out.
    buf: Vec<u8>,
    head_bytes: usize,
}

impl Exchange {
    /// Reads up to the end of the real response head.
    pub(super) async fn begin(
        connection: Connection,
        home: Home,
        request: &Request<'_>,
    ) -> Result<Self, UpstreamError> {
        let Connection { mut stream, mut buf } = connection;
        let mut interim = 0;
        loop {
            let Some((head, head_bytes)) = parse(&buf, request.is_head)? else {
                match stream.read(&mut buf, HEAD_BYTES_MAX + BODY_BUFFER_BYTES).await {
                    Ok(0) => return Err(UpstreamError::Unanswered(IoError::Closed)),
                    Ok(_) => continue,
                    Err(error) => return Err(UpstreamError::Unanswered(error)),
                }
            };
            if !head.is_interim() {
                let decoder = Decoder::new(head.body, request.reply_bytes_max);
                return Ok(Self {
                    stream: Some(stream),
                    home,
                    head,
                    decoder,
                    buf,
                    head_bytes,
                });
            }
            buf.drain(..head_bytes);
            interim += 1;
            if interim > INTERIM_MAX {
                return Err(UpstreamError::InterimFlood);
            }
        }
    }

    /// The response head.
    #[must_use]
    pub fn head(&self) -> ResponseView<'_> {
        self.head.view(&self.buf)
    }

    /// The status, 200 to 599.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// Where the body ends, as the head says.
    #[must_use]
    pub fn body_length(&self) -> BodyLength {
        self.head.body
    }

    /// Whether the whole body was given out.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.decoder.is_done()
    }

    /// Appends the next piece of the body to `out`, as soon as there is one. False: the body is complete and nothing
    /// was appended. Cancel-safe. Its deadline is the caller's.
    ///
    /// # Errors
    /// The body broke off or is malformed; `out` may have got the part before that. The connection is closed.
    pub async fn next_chunk(&mut self, out: &mut Vec<u8>) -> Result<bool, UpstreamError> {
        let before = out.len();
        loop {
            self.decode(out).map_err(UpstreamError::Framing)?;
            if out.len() > before {
                return Ok(true);
            }
            if self.decoder.is_done() {
                return Ok(false);
            }
            let Some(stream) = &mut self.stream else {
                return Err(UpstreamError::Body(IoError::Closed));
            };
            match stream.read(&mut self.buf, self.head_bytes + BODY_BUFFER_BYTES).await {
                Ok(0) => {
                    self.stream = None;
                    self.decoder.finish_on_close().map_err(UpstreamError::Framing)?;
                }
                Ok(_) => {}
                Err(error) => {
                    self.stream = None;
                    return Err(UpstreamError::Body(error));
                }
            }
        }
    }

    /// Moves the content of what was read to `out`.
    fn decode(&mut self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let read = &self.buf[self.head_bytes..];
        match self.decoder.decode(read, out) {
            Ok(decoded) => {
                // Whatever follows a complete body stays, and keeps the connection from being used again.
                if decoded.consumed == read.len() {
                    self.buf.truncate(self.head_bytes);
                }
                Ok(())
            }
            Err(error) => {
                self.stream = None;
                Err(error)
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take()
            && self.decoder.is_done()
            && self.head.keep_alive
            // Bytes after the response were not asked for: whoever comes next must not take them for an answer.
            && self.buf.len() == self.head_bytes
        {
            let mut buf = std::mem::take(&mut self.buf);
            buf.clear();
            self.home.take_back(Connection { stream, buf });
        }
    }
}

fn parse(buf: &[u8], to_head: bool) -> Result<Option<(ResponseHead, usize)>, UpstreamError> {
    if buf.is_empty() {
        return Ok(None);
    }
    match parse_response(buf, &HeadLimits::RESPONSE, to_head) {
        Ok(Progress::Partial) => Ok(None),
        Ok(Progress::Complete { head, consumed }) => Ok(Some((head, consumed))),
        Err(error) => Err(UpstreamError::Framing(error)),
    }
}
