//! From bytes of a client to commands for the service.

use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;

use bytes::Bytes;
use salon_proto::link::gateway_frame;

use super::{Connection, Life, State};
use crate::session::{Close, Context, Outputs};
use crate::shared::Shared;
use crate::ws::{self, Decoder, Incoming, ProtocolError, close_code};

/// Read at once, in bytes. The buffer belongs to the thread: between two reads a connection needs none.
const READ_BYTES_MAX: usize = 32 * 1024;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES_MAX]);
}

/// The unfinished input of one connection; without heap while there is none.
#[derive(Debug)]
pub(super) struct Input {
    decoder: Decoder,
    /// What was read but has to wait, at most one read long.
    unread: Option<Unread>,
}

#[derive(Debug)]
struct Unread {
    bytes: Box<[u8]>,
    taken: usize,
}

impl Input {
    pub(super) fn new(message_bytes_max: usize, leftover: &Bytes) -> Self {
        let unread = (!leftover.is_empty()).then(|| Unread { bytes: leftover[..].into(), taken: 0 });
        Self { decoder: Decoder::new(message_bytes_max), unread }
    }

    pub(super) fn has_unread(&self) -> bool {
        self.unread.is_some()
    }
}

impl Connection {
    /// Reads once, or goes on with what was read before. Returns what is to be sent to the service.
    pub(super) fn read(&self, input: &mut Input, shared: &Shared) -> Vec<gateway_frame::Frame> {
        let cx = shared.context(shared.timeline.now());
        let state = &mut *self.state.lock();
        let mut to_service = std::mem::take(&mut state.to_service);
        if state.life == Life::Over || !state.wants_input(cx) {
            return to_service;
        }
        if let Some(mut unread) = input.unread.take() {
            unread.taken += self.feed(state, &mut input.decoder, &mut unread.bytes[unread.taken..], &mut to_service, cx);
            input.unread = (unread.taken < unread.bytes.len()).then_some(unread);
        } else {
            READ.with_borrow_mut(|buffer| match self.socket.try_read(buffer) {
                Ok(0) => state.end(),
                Ok(read) => {
                    cx.metrics.bytes_in.inc_by(read as u64);
                    state.session.alive(cx.now);
                    let bytes = &mut buffer[..read];
                    let taken = self.feed(state, &mut input.decoder, bytes, &mut to_service, cx);
                    input.unread = (taken < read).then(|| Unread { bytes: bytes[taken..].into(), taken: 0 });
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => state.end(),
            });
        }
        self.arm(state, shared);
        to_service
    }

    /// Decodes, and acts on every message. Stops where the client has to wait; returns how many bytes are done with.
    fn feed(
        &self,
        state: &mut State,
        decoder: &mut Decoder,
        bytes: &mut [u8],
        to_service: &mut Vec<gateway_frame::Frame>,
        cx: Context<'_>,
    ) -> usize {
        let length = bytes.len();
        let fed = decoder.feed(bytes, |incoming| {
            to_service.append(&mut self.incoming(state, incoming, cx));
            if state.wants_input(cx) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        fed.unwrap_or_else(|error: ProtocolError| {
            self.begin_close(state, &Close::orderly(error.close_code(), error.to_string()), cx);
            length
        })
    }

    fn incoming(&self, state: &mut State, incoming: Incoming<'_>, cx: Context<'_>) -> Vec<gateway_frame::Frame> {
        let mut out = Outputs::default();
        match incoming {
            Incoming::Close { code, .. } => self.peer_closes(state, code, cx),
            Incoming::Text(_) | Incoming::Binary(_) | Incoming::Ping(_) | Incoming::Pong(_) if state.life != Life::Running => {}
            Incoming::Text(text) => {
                cx.metrics.messages_in.inc();
                state.session.text(text, cx, &mut out);
            }
            Incoming::Binary(_) => state.session.binary(&mut out),
            Incoming::Ping(payload) => out.to_client.push(ws::encode_pong(payload)),
            Incoming::Pong(_) => {}
        }
        self.perform(state, out, cx)
    }

    /// RFC 6455 §5.5.1: a close frame is answered by a close frame, with the same code.
    fn peer_closes(&self, state: &mut State, code: Option<u16>, cx: Context<'_>) {
        if state.life == Life::Running {
            // The code is the client's choice: as a label it would be an attack on the operator's memory.
            state.count(cx.metrics, "client");
            self.send(state, ws::encode_close(code.unwrap_or(close_code::NORMAL), ""), cx);
            state.session.close(cx);
        }
        if state.life != Life::Over {
            state.life = Life::Closing { answered: true };
        }
    }
}
