//! Frame headers: RFC 6455 §5.2.

use super::close::close_code;

/// Longest payload of a control frame (RFC 6455 §5.5).
pub const CONTROL_BYTES_MAX: usize = 125;
/// Longest header that a client sends: two bytes, eight of length, four of mask.
pub(super) const CLIENT_HEADER_BYTES_MAX: usize = 14;
/// Longest header that a server sends: it has no mask.
pub const SERVER_HEADER_BYTES_MAX: usize = 10;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;
/// In place of a length: two bytes of length follow.
pub(super) const LENGTH_IN_2: u8 = 126;
/// In place of a length: eight bytes of length follow.
pub(super) const LENGTH_IN_8: u8 = 127;

/// Why the peer is not speaking WebSocket, or says too much at once. The connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("{0}")]
    Violation(&'static str),
    #[error("text that is not UTF-8")]
    InvalidUtf8,
    #[error("a message beyond the limit")]
    TooLarge,
}

impl ProtocolError {
    /// The code to close with (RFC 6455 §7.4.1).
    #[must_use]
    pub fn close_code(self) -> u16 {
        match self {
            Self::Violation(_) => close_code::PROTOCOL_ERROR,
            Self::InvalidUtf8 => close_code::INVALID_PAYLOAD,
            Self::TooLarge => close_code::TOO_LARGE,
        }
    }
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn parse(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// The first byte of an unfragmented frame.
    pub(super) fn first_byte(self) -> u8 {
        FIN | match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    pub(super) fn is_control(self) -> bool {
        match self {
            Self::Close | Self::Ping | Self::Pong => true,
            Self::Continuation | Self::Text | Self::Binary => false,
        }
    }
}

/// A client's frame, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    pub(super) last: bool,
    pub(super) key: [u8; 4],
    pub(super) payload_bytes: usize,
}

/// What the connection allows the next frame to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    /// A fragmented message has begun: only control frames and continuations may come.
    pub(super) in_message: bool,
    /// Bytes that the message may still grow by.
    pub(super) message_bytes: usize,
}

/// Reads a header and how long it is; `None` while it is incomplete. Every byte is judged as soon as it is there, so
/// a hopeless header is refused before it is complete, and always for the same reason however it was cut.
pub(super) fn parse(bytes: &[u8], allowed: Allowed) -> Result<Option<(Header, usize)>, ProtocolError> {
    let Some((&first, bytes)) = bytes.split_first() else { return Ok(None) };
    let (opcode, last) = parse_first(first, allowed.in_message)?;
    let Some((&second, bytes)) = bytes.split_first() else { return Ok(None) };
    let Some((length, length_bytes)) = parse_length(opcode, second, bytes)? else { return Ok(None) };
    let payload_bytes = match usize::try_from(length) {
        Ok(length) if opcode.is_control() || length <= allowed.message_bytes => length,
        Ok(_) | Err(_) => return Err(ProtocolError::TooLarge),
    };
    let Some(key) = bytes[length_bytes..].first_chunk::<4>() else { return Ok(None) };
    Ok(Some((Header { opcode, last, key: *key, payload_bytes }, 2 + length_bytes + key.len())))
}

fn parse_first(first: u8, in_message: bool) -> Result<(Opcode, bool), ProtocolError> {
    if first & RESERVED != 0 {
        return Err(ProtocolError::Violation("a reserved bit is set and no extension was agreed on"));
    }
    let opcode = Opcode::parse(first & OPCODE).ok_or(ProtocolError::Violation("a reserved opcode"))?;
    let last = first & FIN != 0;
    match opcode {
        Opcode::Close | Opcode::Ping | Opcode::Pong if !last => Err(ProtocolError::Violation("a fragmented control frame")),
        Opcode::Continuation if !in_message => Err(ProtocolError::Violation("a continuation of nothing")),
        Opcode::Text | Opcode::Binary if in_message => Err(ProtocolError::Violation("a message within a message")),
        Opcode::Continuation | Opcode::Text | Opcode::Binary | Opcode::Close | Opcode::Ping | Opcode::Pong => Ok((opcode, last)),
    }
}

/// The payload's length, and how many bytes behind the second one told it.
fn parse_length(opcode: Opcode, second: u8, bytes: &[u8]) -> Result<Option<(u64, usize)>, ProtocolError> {
    if second & MASKED == 0 {
        return Err(ProtocolError::Violation("a client's frame must be masked"));
    }
    let short = second & LENGTH;
    if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
        return Err(ProtocolError::Violation("a control frame of more than 125 bytes"));
    }
    let (length, length_bytes, least) = match short {
        LENGTH_IN_2 => {
            let Some(length) = bytes.first_chunk::<2>() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*length)), 2, u64::from(LENGTH_IN_2))
        }
        LENGTH_IN_8 => {
            let Some(length) = bytes.first_chunk::<8>() else { return Ok(None) };
            (u64::from_be_bytes(*length), 8, 1 << 16)
        }
        short => (u64::from(short), 0, 0),
    };
    if length < least {
        return Err(ProtocolError::Violation("a length in more bytes than it needs"));
    }
    if length > u64::MAX >> 1 {
        return Err(ProtocolError::Violation("a length with its highest bit set"));
    }
    Ok(Some((length, length_bytes)))
}
