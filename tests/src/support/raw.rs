//! A socket without manners: its own handshake, frames of any shape, any bytes.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{PATIENCE, World, within};

/// The key of RFC 6455 §1.3; the server has to answer whatever it is.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer to that key.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Any mask will do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Longest head of a response.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What is shown at the handshake.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    None,
    Bearer(&'a str),
    /// Any query string.
    Query(&'a str),
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Text(String),
    Ping,
    Pong(Vec<u8>),
    Close {
        code: u16,
        reason: String,
    },
    /// The connection ended, with or without a reset.
    End,
}

/// A client that does only what it is told.
#[derive(Debug)]
pub struct RawSocket {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl RawSocket {
    /// A handshake that has to succeed.
    ///
    /// # Panics
    /// It does not.
    pub async fn open(world: &World, credential: Credential<'_>) -> Self {
        match Self::handshake(world, credential, "").await {
            (101, socket, _) => socket,
            (status, _, head) => panic!("the handshake was answered with {status}: {head}"),
        }
    }

    /// A handshake with further headers (`Name: value\r\n…`): the status, the socket, the head of the response.
    pub async fn handshake(world: &World, credential: Credential<'_>, headers: &str) -> (u16, Self, String) {
        let (query, authorization) = match credential {
            Credential::None => (String::new(), String::new()),
            Credential::Bearer(token) => (String::new(), format!("Authorization: Bearer {token}\r\n")),
            Credential::Query(query) => (format!("?{query}"), String::new()),
        };
        let address = world.address();
        let request = format!(
            "GET /ws{query} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{authorization}{headers}\r\n"
        );
        let stream = TcpStream::connect(address).await.expect("the server accepts");
        let mut socket = Self { stream, buffer: Vec::new() };
        socket.bytes(request.as_bytes()).await;
        let head = within(PATIENCE, "the head of the response", socket.head()).await;
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        if status == 101 {
            assert!(
                head.to_ascii_lowercase().contains(&format!("sec-websocket-accept: {ACCEPT}").to_ascii_lowercase()),
                "{head}"
            );
        }
        (status, socket, head)
    }

    async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 4);
                return head;
            }
            assert!(self.buffer.len() < HEAD_BYTES_MAX, "an endless head");
            if !self.fill().await {
                return String::from_utf8_lossy(&self.buffer).into_owned();
            }
        }
    }

    /// Sends bytes as they are. A server that has hung up is no fault here.
    pub async fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Sends a text frame.
    pub async fn text(&mut self, text: &str) {
        self.frame(true, 1, text.as_bytes()).await;
    }

    /// Sends one masked frame.
    pub async fn frame(&mut self, last: bool, opcode: u8, payload: &[u8]) {
        let bytes = Self::encode(last, opcode, payload);
        self.bytes(&bytes).await;
    }

    /// One masked frame, as bytes.
    #[must_use]
    pub fn encode(last: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Self::header(last, opcode, payload.len() as u64);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// The header of a masked frame that announces so many bytes.
    #[must_use]
    pub fn header(last: bool, opcode: u8, length: u64) -> Vec<u8> {
        let mut bytes = vec![u8::from(last) << 7 | opcode];
        match length {
            0..=125 => bytes.push(0x80 | length.to_be_bytes()[7]),
            126..=0xffff => {
                bytes.push(0x80 | 126);
                bytes.extend(&length.to_be_bytes()[6..]);
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes
    }

    /// The next thing that the server says.
    ///
    /// # Panics
    /// It says nothing.
    pub async fn hears(&mut self) -> Heard {
        within(PATIENCE, "a frame", self.next()).await
    }

    /// The next thing, if it comes within this time.
    pub async fn hears_within(&mut self, time: Duration) -> Option<Heard> {
        tokio::time::timeout(time, self.next()).await.ok()
    }

    /// Waits for a frame of this event, and returns it as JSON. Other frames are skipped.
    ///
    /// # Panics
    /// The server closes first.
    pub async fn hears_event(&mut self, event: &str) -> serde_json::Value {
        loop {
            match self.hears().await {
                Heard::Text(text) => {
                    let value: serde_json::Value = serde_json::from_str(&text).expect("the server sends JSON");
                    if value["event"] == event {
                        return value;
                    }
                }
                Heard::Ping | Heard::Pong(_) => {}
                end @ (Heard::Close { .. } | Heard::End) => panic!("{end:?} instead of {event}"),
            }
        }
    }

    /// Waits for the close frame. Everything before it is skipped.
    ///
    /// # Panics
    /// The connection ends without one.
    pub async fn is_closed_with(&mut self, code: u16) -> String {
        loop {
            match self.hears().await {
                Heard::Close { code: with, reason } => {
                    assert_eq!(with, code, "{reason}");
                    return reason;
                }
                Heard::End => panic!("the connection ended without close code {code}"),
                Heard::Text(_) | Heard::Ping | Heard::Pong(_) => {}
            }
        }
    }

    async fn next(&mut self) -> Heard {
        loop {
            if let Some((heard, length)) = decode(&self.buffer) {
                self.buffer.drain(..length);
                return heard;
            }
            if !self.fill().await {
                return Heard::End;
            }
        }
    }

    async fn fill(&mut self) -> bool {
        self.stream.read_buf(&mut self.buffer).await.is_ok_and(|count| count > 0)
    }
}

/// A whole server frame at the front of the buffer, and its length. Servers neither mask nor, here, fragment.
fn decode(buffer: &[u8]) -> Option<(Heard, usize)> {
    let (opcode, short) = (buffer.first()? & 0x0f, buffer.get(1)? & 0x7f);
    let (length, header) = match short {
        126 => (u64::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let end = header + usize::try_from(length).ok()?;
    let payload = buffer.get(header..end)?;
    assert_eq!(buffer[0] & 0x80, 0x80, "the server fragments");
    let heard = match opcode {
        1 => Heard::Text(String::from_utf8(payload.to_vec()).expect("the server sends UTF-8")),
        8 => {
            let code = payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
            Heard::Close { code, reason: String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned() }
        }
        9 => Heard::Ping,
        10 => Heard::Pong(payload.to_vec()),
        other => panic!("the server sent opcode {other}"),
    };
    Some((heard, end))
}
