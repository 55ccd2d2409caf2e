//! Writes the gate's own answers.

use portreeve_core::framing::FrameError;
use portreeve_core::framing::http1::BodyLength;
use portreeve_core::framing::write;
use portreeve_core::mediation::Reply;

/// Writes `reply` whole, with its length.
pub(super) fn whole(out: &mut Vec<u8>, reply: &Reply, keep_alive: bool) -> Result<(), FrameError> {
    let length = u64::try_from(reply.body.len()).map_err(|_| FrameError::BodyTooLarge)?;
    let framing = match reply.status {
        204 => BodyLength::None,
        _ => BodyLength::Fixed(length),
    };
    head(out, reply, framing, keep_alive)?;
    out.extend_from_slice(&reply.body);
    Ok(())
}

/// Writes the head that a GET would have got.
///
/// SPEC: RFC 9110 9.3.2: a HEAD has no content, or the client would take it for the next response.
pub(super) fn without_body(out: &mut Vec<u8>, reply: &Reply, keep_alive: bool) -> Result<(), FrameError> {
    let length = u64::try_from(reply.body.len()).map_err(|_| FrameError::BodyTooLarge)?;
    head(out, reply, BodyLength::Fixed(length), keep_alive)
}

/// Writes the head of `reply` for a body that follows under `framing`.
pub(super) fn head(out: &mut Vec<u8>, reply: &Reply, framing: BodyLength, keep_alive: bool) -> Result<(), FrameError> {
    let mut head = write::response_head(out, reply.status)?;
    for (name, value) in &reply.headers {
        head = head.header(name, value.as_bytes())?;
    }
    if !keep_alive {
        head = head.header("connection", b"close")?;
    }
    head.body(framing).finish();
    Ok(())
}
