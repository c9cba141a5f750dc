//! Frames as a server sends them: whole messages, unmasked, so that one frame serves every receiver.

use bytes::{BufMut, Bytes, BytesMut};

use super::close::CLOSE_REASON_BYTES_MAX;
use super::header::{CONTROL_BYTES_MAX, LENGTH_IN_2, LENGTH_IN_8, Opcode, SERVER_HEADER_BYTES_MAX};

/// Appends the header of an unfragmented frame; the payload has to follow.
pub fn header_into(frame: &mut BytesMut, opcode: Opcode, payload_bytes: usize) {
    frame.put_u8(opcode.first_byte());
    if let Some(short) = u8::try_from(payload_bytes).ok().filter(|short| *short < LENGTH_IN_2) {
        frame.put_u8(short);
    } else if let Ok(length) = u16::try_from(payload_bytes) {
        frame.put_u8(LENGTH_IN_2);
        frame.put_u16(length);
    } else {
        frame.put_u8(LENGTH_IN_8);
        frame.put_u64(payload_bytes as u64);
    }
}

/// A text message. The payload has to be UTF-8.
#[must_use]
pub fn encode_text(payload: &[u8]) -> Bytes {
    encode(Opcode::Text, payload)
}

/// A binary message.
#[must_use]
pub fn encode_binary(payload: &[u8]) -> Bytes {
    encode(Opcode::Binary, payload)
}

/// A ping. What does not fit into a control frame is cut off.
#[must_use]
pub fn encode_ping(payload: &[u8]) -> Bytes {
    encode(Opcode::Ping, &payload[..payload.len().min(CONTROL_BYTES_MAX)])
}

/// The answer to a ping with this payload.
#[must_use]
pub fn encode_pong(payload: &[u8]) -> Bytes {
    encode(Opcode::Pong, &payload[..payload.len().min(CONTROL_BYTES_MAX)])
}

/// A close frame. A reason that does not fit is cut off between two characters.
#[must_use]
pub fn encode_close(code: u16, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)];
    let mut payload = BytesMut::with_capacity(CONTROL_BYTES_MAX);
    payload.put_u16(code);
    payload.put_slice(reason.as_bytes());
    encode(Opcode::Close, &payload)
}

fn encode(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(SERVER_HEADER_BYTES_MAX + payload.len());
    header_into(&mut frame, opcode, payload.len());
    frame.put_slice(payload);
    frame.freeze()
}
