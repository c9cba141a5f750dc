//! What the tests of this crate share: a socket that takes as many bytes as it is told, a world that does not move.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use salon_core::Timestamp;
use salon_core::ports::{Clock, Randomness};
use salon_proto::link::gateway_frame;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::config::GatewayConfig;
use crate::moment::Timeline;
use crate::shared::Shared;
use crate::socket::Socket;

/// 2026-11-20T15:13:52.045Z, for ever.
pub(crate) struct StoppedClock;

impl StoppedClock {
    pub(crate) const NOW: Timestamp = Timestamp(1_795_187_632_045);
}

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Self::NOW
    }
}

/// Counts instead of rolling dice.
#[derive(Default)]
pub(crate) struct Counter(Mutex<u64>);

impl Randomness for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let mut count = self.0.lock();
        *count += 1;
        bytes.fill(0);
        let number = count.to_le_bytes();
        let length = bytes.len().min(number.len());
        bytes[..length].copy_from_slice(&number[..length]);
    }
}

/// What tasks share, without the tasks; what is sent to the service comes out of the other end.
pub(crate) fn shared(config: GatewayConfig) -> (Arc<Shared>, mpsc::Receiver<gateway_frame::Frame>) {
    let (to_service, from_gateway) = mpsc::channel(1024);
    let shared = Shared::new(config, to_service, Arc::new(StoppedClock), Arc::new(Counter::default()), Timeline::start());
    (Arc::new(shared), from_gateway)
}

/// The server's end of a connection whose other end is the test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What the server has written.
    sent: Vec<u8>,
    /// Bytes that the server may still write.
    room: usize,
    /// What the server has not read yet.
    input: VecDeque<u8>,
    hung_up: bool,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Wire {
    /// Takes everything.
    pub(crate) fn open() -> Self {
        let wire = Self::default();
        wire.takes(usize::MAX);
        wire
    }

    /// Takes this many bytes more, and then no more.
    pub(crate) fn takes(&self, bytes: usize) {
        let mut state = self.0.lock();
        state.room = bytes;
        if let Some(writer) = state.writer.take_if(|_| bytes > 0) {
            writer.wake();
        }
    }

    /// The client sends raw bytes.
    pub(crate) fn input(&self, bytes: &[u8]) {
        let mut state = self.0.lock();
        state.input.extend(bytes);
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    /// The client sends a text message.
    pub(crate) fn says(&self, text: &str) {
        self.input(&masked(0x81, text.as_bytes()));
    }

    /// The client is gone.
    pub(crate) fn hang_up(&self) {
        self.0.lock().hung_up = true;
        self.input(b"");
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.lock().closed
    }

    pub(crate) fn unread_bytes(&self) -> usize {
        self.0.lock().input.len()
    }

    pub(crate) fn sent_bytes(&self) -> usize {
        self.0.lock().sent.len()
    }

    /// Everything that was written so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        decode(&self.0.lock().sent)
    }
}

impl Socket for Wire {
    fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.input.is_empty() && !state.hung_up {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = into.len().min(state.input.len());
        into.iter_mut().zip(state.input.drain(..bytes)).for_each(|(to, from)| *to = from);
        Ok(bytes)
    }

    fn try_write_vectored(&self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.lock();
        let bytes = from.iter().map(|slice| slice.len()).sum::<usize>().min(state.room);
        if bytes == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let all = from.iter().flat_map(|slice| slice.iter().copied()).take(bytes).collect::<Vec<_>>();
        state.sent.extend(all);
        state.room = if state.room == usize::MAX { usize::MAX } else { state.room - bytes };
        Ok(bytes)
    }

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.input.is_empty() && !state.hung_up {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.room == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn close(&self) {
        self.0.lock().closed = true;
    }
}

/// A frame as the client sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Event { event: String, id: Option<i64>, data: Value },
    Ping,
    Pong,
    Close(u16),
}

impl Heard {
    /// `event seq`, `event` or the close code: enough to compare conversations.
    pub(crate) fn brief(&self) -> String {
        match self {
            Self::Event { event, id, data } => {
                let id = id.map_or(String::new(), |id| format!("#{id}"));
                let detail = data.get("seq").or(data.get("code")).map_or(String::new(), |value| format!(" {value}"));
                format!("{event}{id}{detail}").replace('"', "")
            }
            Self::Ping => "(ping)".into(),
            Self::Pong => "(pong)".into(),
            Self::Close(code) => format!("(close {code})"),
        }
    }
}

pub(crate) fn briefly(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(Heard::brief).collect()
}

/// A frame as clients send it, with a mask that changes nothing.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => frame.push(0x80 | short),
        Ok(_) | Err(_) => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Whole frames; what is cut at the end is left out.
pub(crate) fn decode(mut bytes: &[u8]) -> Vec<Heard> {
    let mut heard = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        let (header, length) = match (*length, rest) {
            (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
            (127, [length @ .., _]) if length.len() >= 8 => {
                (10, usize::try_from(u64::from_be_bytes(length[..8].try_into().unwrap())).unwrap())
            }
            (126 | 127, _) => break,
            (short, _) => (2, usize::from(short)),
        };
        let Some(payload) = bytes.get(header..header + length) else { break };
        heard.push(match first {
            0x81 => {
                let value: Value = serde_json::from_slice(payload).unwrap();
                let event = value["event"].as_str().unwrap().to_owned();
                Heard::Event { event, id: value["id"].as_i64(), data: value["data"].clone() }
            }
            0x88 => Heard::Close(u16::from_be_bytes([payload[0], payload[1]])),
            0x89 => Heard::Ping,
            0x8A => Heard::Pong,
            other => panic!("a server does not send {other:#x}"),
        });
        bytes = &bytes[header + length..];
    }
    heard
}
