//! Bytes of a client in, messages out.

use std::ops::ControlFlow;

use super::header::{Allowed, CLIENT_HEADER_BYTES_MAX, CONTROL_BYTES_MAX, Header, Opcode, ProtocolError, parse};
use super::{close, mask};

/// First room for a message that does not arrive at once, in bytes. It then grows with what really arrives: announcing
/// a large message must not cost the server its memory.
const MESSAGE_BYTES_FIRST: usize = 512;

/// What a client said. Borrowed from the input where a whole frame lay in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    /// The last thing that a decoder gives. No code and an empty reason where the client gave none.
    Close {
        code: Option<u16>,
        reason: &'a str,
    },
}

/// Decodes what one client sends. It owns memory only while a frame or a message is incomplete.
#[derive(Debug)]
pub struct Decoder {
    message_bytes_max: usize,
    /// Closed or failed: whatever still comes is not looked at (RFC 6455 §5.5.1, §7.1.7).
    ended: bool,
    unfinished: Option<Box<Unfinished>>,
}

/// What the next input continues.
#[derive(Debug, Default)]
struct Unfinished {
    /// The first bytes of a header, `header_bytes` of them.
    header: [u8; CLIENT_HEADER_BYTES_MAX],
    header_bytes: usize,
    /// A frame whose payload is still coming: the key is turned to, and the length reduced to, what is missing.
    frame: Option<Header>,
    /// A message whose frames or bytes are still coming.
    message: Option<Message>,
    /// The payload of a control frame that is still coming.
    control: Vec<u8>,
}

#[derive(Debug)]
struct Message {
    is_text: bool,
    bytes: Vec<u8>,
    /// Bytes that are known to be UTF-8; behind them is at most the beginning of one character.
    valid_bytes: usize,
}

impl Decoder {
    /// `message_bytes_max` bounds a message, all its fragments together.
    #[must_use]
    pub fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, ended: false, unfinished: None }
    }

    /// Takes what was read from the socket and calls `each` for every message and control frame that it completes, in
    /// order. Payloads are unmasked within `input`.
    ///
    /// Returns how many bytes of `input` it took: all of them, unless `each` broke off. Then it stops behind that
    /// message; the bytes behind it are untouched and have to be fed again first. Behind a close frame or an error
    /// all input is taken and ignored.
    ///
    /// # Errors
    /// The client broke the protocol: close with [`ProtocolError::close_code`].
    pub fn feed(
        &mut self,
        input: &mut [u8],
        mut each: impl FnMut(Incoming<'_>) -> ControlFlow<()>,
    ) -> Result<usize, ProtocolError> {
        let mut taken = 0;
        while taken < input.len() && !self.ended {
            match self.step(&mut input[taken..], &mut each) {
                Ok((bytes, flow)) => {
                    taken += bytes;
                    if flow.is_break() {
                        return Ok(if self.ended { input.len() } else { taken });
                    }
                }
                Err(error) => {
                    self.end();
                    return Err(error);
                }
            }
        }
        Ok(input.len())
    }

    /// Bytes of heap that unfinished input occupies. 0 between messages.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.unfinished.as_ref().map_or(0, |unfinished| {
            let message_bytes = unfinished.message.as_ref().map_or(0, |message| message.bytes.capacity());
            size_of::<Unfinished>() + message_bytes + unfinished.control.capacity()
        })
    }

    /// Takes a header or the rest of one, and as much of its payload as there is.
    fn step(
        &mut self,
        input: &mut [u8],
        each: &mut impl FnMut(Incoming<'_>) -> ControlFlow<()>,
    ) -> Result<(usize, ControlFlow<()>), ProtocolError> {
        let (frame, header_bytes) = match self.unfinished.as_mut().and_then(|unfinished| unfinished.frame.take()) {
            Some(frame) => (frame, 0),
            None => match self.take_header(input)? {
                (Some(frame), bytes) => (frame, bytes),
                (None, bytes) => return Ok((bytes, ControlFlow::Continue(()))),
            },
        };
        let input = &mut input[header_bytes..];
        let here = frame.payload_bytes.min(input.len());
        let payload = &mut input[..here];
        let key = mask::unmask(payload, frame.key);
        let missing = Header { key, payload_bytes: frame.payload_bytes - here, ..frame };
        let flow = match frame.opcode {
            Opcode::Text | Opcode::Binary | Opcode::Continuation => self.take_data(missing, payload, each)?,
            Opcode::Close | Opcode::Ping | Opcode::Pong => self.take_control(missing, payload, each)?,
        };
        if missing.payload_bytes > 0 {
            self.unfinished_mut().frame = Some(missing);
        } else {
            self.forget_if_finished();
        }
        Ok((header_bytes + here, flow))
    }

    /// The next header if it is complete, and how many bytes of `input` belong to it.
    fn take_header(&mut self, input: &[u8]) -> Result<(Option<Header>, usize), ProtocolError> {
        let message = self.unfinished.as_ref().and_then(|unfinished| unfinished.message.as_ref());
        let allowed = Allowed {
            in_message: message.is_some(),
            message_bytes: self.message_bytes_max.saturating_sub(message.map_or(0, |message| message.bytes.len())),
        };
        let known_bytes = self.unfinished.as_ref().map_or(0, |unfinished| unfinished.header_bytes);
        if known_bytes == 0
            && let Some((header, bytes)) = parse(input, allowed)?
        {
            return Ok((Some(header), bytes));
        }
        let unfinished = self.unfinished_mut();
        let fitting = input.len().min(CLIENT_HEADER_BYTES_MAX - known_bytes);
        unfinished.header[known_bytes..known_bytes + fitting].copy_from_slice(&input[..fitting]);
        if let Some((header, bytes)) = parse(&unfinished.header[..known_bytes + fitting], allowed)? {
            unfinished.header_bytes = 0;
            Ok((Some(header), bytes - known_bytes))
        } else {
            unfinished.header_bytes = known_bytes + fitting;
            Ok((None, fitting))
        }
    }

    /// Takes a piece of a data frame of which `missing` is still to come.
    fn take_data(
        &mut self,
        missing: Header,
        payload: &[u8],
        each: &mut impl FnMut(Incoming<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ProtocolError> {
        let complete = missing.last && missing.payload_bytes == 0;
        let begun = self.unfinished.as_mut().and_then(|unfinished| unfinished.message.take());
        let mut message = match begun {
            Some(message) => message,
            None if complete && missing.opcode == Opcode::Text => return Ok(each(Incoming::Text(utf8(payload)?))),
            None if complete => return Ok(each(Incoming::Binary(payload))),
            None => Message { is_text: missing.opcode == Opcode::Text, bytes: Vec::new(), valid_bytes: 0 },
        };
        message.append(payload, missing.payload_bytes)?;
        if !complete {
            self.unfinished_mut().message = Some(message);
            return Ok(ControlFlow::Continue(()));
        }
        Ok(each(if message.is_text { Incoming::Text(utf8(&message.bytes)?) } else { Incoming::Binary(&message.bytes) }))
    }

    /// Takes a piece of a control frame of which `missing` is still to come.
    fn take_control(
        &mut self,
        missing: Header,
        payload: &[u8],
        each: &mut impl FnMut(Incoming<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ProtocolError> {
        let mut begun = match self.unfinished.as_mut() {
            Some(unfinished) => std::mem::take(&mut unfinished.control),
            None => Vec::new(),
        };
        if missing.payload_bytes > 0 {
            begun.reserve_exact(CONTROL_BYTES_MAX - begun.len());
            begun.extend_from_slice(payload);
            self.unfinished_mut().control = begun;
            return Ok(ControlFlow::Continue(()));
        }
        let payload = if begun.is_empty() {
            payload
        } else {
            begun.extend_from_slice(payload);
            &begun
        };
        Ok(match missing.opcode {
            Opcode::Ping => each(Incoming::Ping(payload)),
            Opcode::Pong => each(Incoming::Pong(payload)),
            Opcode::Close | Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                let (code, reason) = close::parse(payload)?;
                self.end();
                each(Incoming::Close { code, reason })
            }
        })
    }

    fn end(&mut self) {
        self.ended = true;
        self.unfinished = None;
    }

    fn unfinished_mut(&mut self) -> &mut Unfinished {
        self.unfinished.get_or_insert_default()
    }

    fn forget_if_finished(&mut self) {
        let finished = self
            .unfinished
            .as_ref()
            .is_some_and(|unfinished| unfinished.header_bytes == 0 && unfinished.frame.is_none() && unfinished.message.is_none());
        if finished {
            self.unfinished = None;
        }
    }
}

impl Message {
    /// Appends a piece of a frame of which `missing_bytes` are still to come, and refuses text as soon as it cannot
    /// become UTF-8 any more.
    fn append(&mut self, piece: &[u8], missing_bytes: usize) -> Result<(), ProtocolError> {
        let needed = self.bytes.len() + piece.len();
        if needed > self.bytes.capacity() {
            let comfortable = (2 * self.bytes.len()).max(MESSAGE_BYTES_FIRST).min(needed + missing_bytes);
            self.bytes.reserve_exact(comfortable.max(needed) - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        if !self.is_text {
            return Ok(());
        }
        match simdutf8::compat::from_utf8(&self.bytes[self.valid_bytes..]) {
            Ok(_) => self.valid_bytes = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.valid_bytes += error.valid_up_to(),
            Err(_) => return Err(ProtocolError::InvalidUtf8),
        }
        Ok(())
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, ProtocolError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| ProtocolError::InvalidUtf8)
}
