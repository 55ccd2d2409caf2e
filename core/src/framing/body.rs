//! Bodies: copies the content of one message out of its framing, as far as the bytes at hand go.
//!
//! Fixed length, chunked and until-close. Never keeps content; refuses chunk extensions and trailers, which carry
//! nothing that MCP uses and which readers disagree about. Specification: RFC 9112 6 and 7.

use super::FrameError;
use super::http1::BodyLength;

/// Hexadecimal digits of a chunk size: as many as a `u64` has.
const CHUNK_DIGITS_MAX: u8 = 16;

/// The state of one body between two reads.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    /// Bytes of content that may still come.
    allowance: u64,
}

/// What one call achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of the input that belong to this body; what follows is the next message, if the body is done.
    pub consumed: usize,
    /// Whether the body is complete.
    pub done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fixed { left: u64 },
    UntilClose,
    ChunkSize { size: u64, digits: u8 },
    ChunkSizeLf { size: u64 },
    ChunkData { left: u64 },
    ChunkDataCr,
    ChunkDataLf,
    FinalCr,
    FinalLf,
    Done,
}

impl Decoder {
    /// A decoder for a body of this framing with at most `max_bytes` of content.
    #[must_use]
    pub const fn new(length: BodyLength, max_bytes: u64) -> Self {
        let state = match length {
            BodyLength::None | BodyLength::Fixed(0) => State::Done,
            BodyLength::Fixed(left) => State::Fixed { left },
            BodyLength::Chunked => State::ChunkSize { size: 0, digits: 0 },
            BodyLength::UntilClose => State::UntilClose,
        };
        Self {
            state,
            allowance: max_bytes,
        }
    }

    /// Appends to `out` the content that `input` holds.
    ///
    /// # Errors
    /// The first deviation of chunk framing, or [`FrameError::BodyTooLarge`] as soon as it is certain; content before
    /// it is in `out`. Do not call again after an error.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Decoded, FrameError> {
        let mut consumed = 0;
        while let Some(rest) = input.get(consumed..)
            && let Some(first) = rest.first()
            && self.state != State::Done
        {
            consumed += match self.state {
                State::Fixed { left } => {
                    let taken = self.take(rest, left, out)?;
                    self.state = next_or(left - wide(taken), State::Done, |left| State::Fixed { left });
                    taken
                }
                State::ChunkData { left } => {
                    let taken = self.take(rest, left, out)?;
                    self.state = next_or(left - wide(taken), State::ChunkDataCr, |left| State::ChunkData { left });
                    taken
                }
                State::UntilClose => {
                    let taken = self.take(rest, self.allowance, out)?;
                    if taken < rest.len() {
                        return Err(FrameError::BodyTooLarge);
                    }
                    taken
                }
                _ => {
                    self.state = self.frame(*first)?;
                    1
                }
            };
        }
        Ok(Decoded {
            consumed,
            done: self.state == State::Done,
        })
    }

    /// Whether the whole body has been decoded.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The connection ended: the body is complete only if its framing says so.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] when the framing promised more.
    pub fn finish_on_close(&mut self) -> Result<(), FrameError> {
        match self.state {
            State::Done | State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            // SPEC: RFC 9112 8. A message cut short is incomplete.
            _ => Err(FrameError::Truncated),
        }
    }

    /// Copies as much of the `left` bytes of content as `rest` holds.
    fn take(&mut self, rest: &[u8], left: u64, out: &mut Vec<u8>) -> Result<usize, FrameError> {
        if left > self.allowance {
            return Err(FrameError::BodyTooLarge);
        }
        let content = &rest[..rest.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        self.allowance -= wide(content.len());
        out.extend_from_slice(content);
        Ok(content.len())
    }

    /// One byte of chunk framing.
    fn frame(&self, byte: u8) -> Result<State, FrameError> {
        match (self.state, byte) {
            (State::ChunkSize { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if digits == CHUNK_DIGITS_MAX {
                    return Err(FrameError::ChunkSize);
                }
                Ok(State::ChunkSize {
                    size: size << 4 | u64::from(hex(byte)),
                    digits: digits + 1,
                })
            }
            (State::ChunkSize { size, digits: 1.. }, b'\r') => Ok(State::ChunkSizeLf { size }),
            (State::ChunkSize { digits: 1.., .. }, b';' | b' ' | b'\t') => Err(FrameError::ChunkExtension),
            (State::ChunkSize { .. }, _) => Err(FrameError::ChunkSize),
            (State::ChunkSizeLf { size: 0 }, b'\n') => Ok(State::FinalCr),
            (State::ChunkSizeLf { size }, b'\n') if size > self.allowance => Err(FrameError::BodyTooLarge),
            (State::ChunkSizeLf { size }, b'\n') => Ok(State::ChunkData { left: size }),
            (State::ChunkDataCr, b'\r') => Ok(State::ChunkDataLf),
            (State::ChunkDataLf, b'\n') => Ok(State::ChunkSize { size: 0, digits: 0 }),
            (State::FinalCr, b'\r') => Ok(State::FinalLf),
            (State::FinalCr, _) => Err(FrameError::Trailers),
            (State::FinalLf, b'\n') => Ok(State::Done),
            _ => Err(FrameError::ChunkEnd),
        }
    }
}

fn next_or(left: u64, end: State, more: impl FnOnce(u64) -> State) -> State {
    if left == 0 { end } else { more(left) }
}

/// The value of a hexadecimal digit.
const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

const fn wide(bytes: usize) -> u64 {
    bytes as u64
}

#[cfg(test)]
mod tests;
