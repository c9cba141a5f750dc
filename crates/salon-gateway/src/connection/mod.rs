//! A connection: a socket, a session, and what is owed to the client. Three parties work on it, each for an instant and
//! under its lock: its own small task (input, and output once the socket was blocked), the hub's task (entries and
//! replies), and the wheel's (deadlines).

mod input;
mod outbox;
mod task;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use bytes::Bytes;
use parking_lot::Mutex;
use salon_proto::link::frames::{EndSession, Renewed, SessionOpened};
use salon_proto::link::gateway_frame;
use salon_proto::v1::ServerFrame;

use crate::dialect::{Dialect, Encoding};
use crate::metrics::{Metrics, gauge};
use crate::moment::Moment;
use crate::registry::{Answer, ConnectionId};
use crate::session::{Close, Context, Flow, Manner, Outputs, Session, SessionState, code};
use crate::shared::Shared;
use crate::socket::Socket;
use crate::ws;
use outbox::{Offer, Outbox, REPLY_BYTES_PAUSE};

pub(crate) use task::run;

pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    dialect: Dialect,
    socket: Box<dyn Socket>,
    /// Whose it is, once that is known.
    user: OnceLock<Box<str>>,
    state: Mutex<State>,
}

struct State {
    session: Session,
    outbox: Outbox,
    life: Life,
    /// Commands that waited for the welcome. The connection's task sends them, before it reads more.
    to_service: Vec<gateway_frame::Frame>,
    /// Its close code was counted.
    counted: bool,
    /// The hub had something to write while the socket was blocked: it is told when that is over.
    hub_waits: bool,
    /// The earliest deadline that the wheel knows.
    armed: Moment,
    waker: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    /// A close frame went out, or is about to. Whatever else is said is of no interest.
    Closing {
        /// The peer has sent its own: once ours is out everything is over.
        answered: bool,
    },
    /// The task has to end, and the socket with it.
    Over,
}

/// What became of frames that the hub offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    All,
    /// The socket takes no more. The frames that these many bytes reach into count as sent.
    Partly(usize),
    /// The socket takes nothing now; the connection tells the hub when it does.
    Nothing,
    /// The connection is ending: it takes nothing any more.
    Ending,
}

impl Connection {
    /// A connection that still has to say who it is.
    pub(crate) fn await_hello(
        id: ConnectionId,
        dialect: Dialect,
        socket: Box<dyn Socket>,
        peer: String,
        cx: Context<'_>,
    ) -> Self {
        Self::new(id, dialect, socket, Session::await_hello(id.0, dialect, peer, cx))
    }

    /// A connection of an open session; it is welcomed.
    pub(crate) fn open(dialect: Dialect, socket: Box<dyn Socket>, opened: SessionOpened, cx: Context<'_>) -> Self {
        let (id, user) = (ConnectionId(opened.session), opened.user.clone().into_boxed_str());
        let mut out = Outputs::default();
        let connection = Self::new(id, dialect, socket, Session::open(dialect, opened, cx, &mut out));
        // Nobody else knows the connection yet, so that the cell is empty.
        let _ = connection.user.set(user);
        connection.perform(&mut connection.state.lock(), out, cx);
        connection
    }

    fn new(id: ConnectionId, dialect: Dialect, socket: Box<dyn Socket>, session: Session) -> Self {
        let outbox = Outbox::new();
        let (to_service, life, armed) = (Vec::new(), Life::Running, Moment::NEVER);
        let state = State { session, outbox, life, to_service, counted: false, hub_waits: false, armed, waker: None };
        Self { id, dialect, socket, user: OnceLock::new(), state: Mutex::new(state) }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.dialect.encoding()
    }

    pub(crate) fn belongs_to(&self, user: &str) -> bool {
        self.user.get().is_some_and(|own| &**own == user)
    }

    /// The service answered the hello.
    pub(crate) fn answered(&self, answer: Answer, shared: &Shared) {
        if let Ok(opened) = &answer {
            // A session is opened once.
            let _ = self.user.set(opened.user.clone().into_boxed_str());
        }
        self.act(shared, |state, cx, out| match answer {
            Ok(opened) => state.session.opened(opened, cx, out),
            Err(error) => state.session.refused(Some(error), out),
        });
    }

    /// The service answered a command. True if the client was told, false if it had been told that nobody knows.
    pub(crate) fn reply(&self, serial: u64, frame: Option<&ServerFrame>, shared: &Shared) -> bool {
        let mut in_time = false;
        self.act(shared, |state, cx, out| in_time = state.session.reply(serial, frame, cx, out));
        in_time
    }

    pub(crate) fn renewed(&self, renewed: Renewed, shared: &Shared) {
        self.act(shared, |state, cx, _| state.session.renewed(renewed, cx));
    }

    /// An ephemeral event for this client. Dropped, and false, where the socket is blocked.
    pub(crate) fn event(&self, frame: &Bytes, now: Moment) -> bool {
        let rest = |written: usize| Bytes::copy_from_slice(&frame[written..]);
        match self.offer(&[IoSlice::new(frame)], frame.len(), rest, now) {
            Taken::All | Taken::Partly(_) => true,
            Taken::Nothing | Taken::Ending => false,
        }
    }

    /// Offers whole frames that others get too; see [`Outbox::offer`].
    pub(crate) fn offer(&self, slices: &[IoSlice<'_>], bytes: usize, rest: impl FnOnce(usize) -> Bytes, now: Moment) -> Taken {
        let state = &mut *self.state.lock();
        if state.life != Life::Running {
            return Taken::Ending;
        }
        match state.outbox.offer(&*self.socket, slices, bytes, rest, now) {
            Ok(Offer::Taken) => Taken::All,
            Ok(Offer::Cut(written)) => {
                state.hub_waits = true;
                state.wake();
                Taken::Partly(written)
            }
            Ok(Offer::Blocked) => {
                if !state.hub_waits {
                    state.hub_waits = true;
                    state.wake();
                }
                Taken::Nothing
            }
            Err(_) => {
                state.end();
                Taken::Ending
            }
        }
    }

    /// Ends the connection from this side.
    pub(crate) fn close(&self, close: Close, shared: &Shared) {
        self.act(shared, |_, _, out| out.close = Some(close));
    }

    /// The service ended the session: nothing that still waits is written.
    pub(crate) fn end_session(&self, end: EndSession, shared: &Shared) {
        let code = u16::try_from(end.code).unwrap_or(code::DRAINING);
        self.act(shared, |state, _, out| {
            if let Some(after_ms) = end.reconnect_after_ms
                && !state.outbox.is_blocked()
            {
                out.to_client.push(state.session.closing(code, Some(after_ms)));
            }
            out.close = Some(Close::at_once(code, end.reason));
        });
    }

    /// The gateway is about to stop.
    pub(crate) fn drain(&self, until: Moment, shared: &Shared) {
        let after_ms = shared.reconnect_after_ms();
        self.act(shared, |state, _, out| state.session.drain(after_ms, until, out));
    }

    /// Ends the connection through no fault of the client, and tells it when to come back.
    pub(crate) fn come_back(&self, close: Close, shared: &Shared) {
        let after_ms = shared.reconnect_after_ms();
        self.act(shared, |state, _, out| {
            if state.session.state() == SessionState::Open {
                out.to_client.push(state.session.closing(close.code, Some(after_ms)));
            }
            out.close = Some(close);
        });
    }

    /// The time for a close handshake is over.
    pub(crate) fn abort(&self) {
        self.state.lock().end();
    }

    /// A deadline of this connection may have come.
    pub(crate) fn tick(&self, shared: &Shared) {
        self.act(shared, |state, cx, out| {
            if state.armed > cx.now {
                return;
            }
            state.armed = Moment::NEVER;
            if !state.session.tick(state.flow(), cx, out) {
                state.end();
            }
        });
    }

    /// Does something with the session under the lock, and what it asks for.
    fn act(&self, shared: &Shared, action: impl FnOnce(&mut State, Context<'_>, &mut Outputs)) {
        let cx = shared.context(shared.timeline.now());
        let state = &mut *self.state.lock();
        if state.life == Life::Over {
            return;
        }
        let paused = !state.wants_input(cx);
        let mut out = Outputs::default();
        action(state, cx, &mut out);
        let mut to_service = self.perform(state, out, cx);
        state.to_service.append(&mut to_service);
        self.arm(state, shared);
        let resumed = paused && state.wants_input(cx);
        if state.outbox.is_blocked() || state.life != Life::Running || resumed || !state.to_service.is_empty() {
            state.wake();
        }
    }

    fn perform(&self, state: &mut State, out: Outputs, cx: Context<'_>) -> Vec<gateway_frame::Frame> {
        for frame in out.to_client {
            cx.metrics.replies_out.inc();
            self.send(state, frame, cx);
        }
        if out.beat {
            state.outbox.spoke = false;
        }
        if let Some(close) = out.close {
            self.begin_close(state, &close, cx);
        }
        out.to_service
    }

    fn send(&self, state: &mut State, frame: Bytes, cx: Context<'_>) {
        if state.life != Life::Running {
            return;
        }
        cx.metrics.bytes_out.inc_by(frame.len() as u64);
        state.outbox.spoke = true;
        match state.outbox.send(&*self.socket, frame, cx.now) {
            Ok(Ok(())) => {}
            Ok(Err(outbox::Full)) => {
                self.begin_close(state, &Close::shedding(code::TOO_SLOW, "too many answers wait to be read"), cx);
            }
            Err(_) => state.end(),
        }
    }

    fn begin_close(&self, state: &mut State, close: &Close, cx: Context<'_>) {
        if state.life != Life::Running {
            return;
        }
        state.count(cx.metrics, &close.code.to_string());
        state.session.close(cx);
        state.life = Life::Closing { answered: false };
        let frame = ws::encode_close(close.code, &close.reason);
        let sent = match close.manner {
            Manner::AtOnce if state.outbox.is_blocked() => return state.end(),
            Manner::Orderly => state.outbox.send(&*self.socket, frame.clone(), cx.now),
            Manner::Shedding | Manner::AtOnce => {
                state.outbox.drop_replies();
                state.outbox.send(&*self.socket, frame.clone(), cx.now)
            }
        };
        let sent = match sent {
            Ok(Err(outbox::Full)) => {
                state.outbox.drop_replies();
                state.outbox.send(&*self.socket, frame, cx.now)
            }
            Ok(Ok(())) | Err(_) => sent,
        };
        let unsent = state.outbox.is_blocked() && close.manner == Manner::AtOnce;
        if unsent || !matches!(sent, Ok(Ok(()))) {
            state.end();
        }
    }

    /// Tells the wheel when this connection has to be looked at next, if it does not know.
    fn arm(&self, state: &mut State, shared: &Shared) {
        let due = state.session.due(state.flow(), &shared.config);
        if due < state.armed {
            state.armed = due;
            shared.wheel.arm(due, self.id);
        }
    }

    fn drain_outbox(&self, state: &mut State, now: Moment) -> io::Result<()> {
        if state.outbox.drain(&*self.socket, now)? {
            // A dead peer's kernel takes nothing: progress after a stall is a sign of life.
            state.session.alive(now);
        }
        Ok(())
    }
}

impl State {
    fn flow(&self) -> Flow {
        Flow { blocked_since: self.outbox.blocked_since(), spoke: self.outbox.spoke }
    }

    /// Back-pressure: whoever does not read its answers, or has too many commands under way, is not read.
    fn wants_input(&self, cx: Context<'_>) -> bool {
        match self.life {
            Life::Running => self.session.listens(cx.config) && self.outbox.waiting_bytes() <= REPLY_BYTES_PAUSE,
            Life::Closing { .. } => true,
            Life::Over => false,
        }
    }

    /// Counts how the connection ended, once.
    fn count(&mut self, metrics: &Metrics, code: &str) {
        if !std::mem::replace(&mut self.counted, true) {
            metrics.closed(code);
        }
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    fn end(&mut self) {
        self.life = Life::Over;
        self.wake();
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How many sessions are in which state.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Census {
    await_hello: usize,
    opening: usize,
    open: usize,
    closing: usize,
}

impl Census {
    pub(crate) fn count(&mut self, connection: &Arc<Connection>) {
        let count = match connection.state.lock().session.state() {
            SessionState::AwaitHello => &mut self.await_hello,
            SessionState::Opening => &mut self.opening,
            SessionState::Open => &mut self.open,
            SessionState::Closing => &mut self.closing,
        };
        *count += 1;
    }

    pub(crate) fn by_state(self) -> [(&'static str, i64); 4] {
        let Self { await_hello, opening, open, closing } = self;
        [("await_hello", await_hello), ("opening", opening), ("open", open), ("closing", closing)]
            .map(|(state, sessions)| (state, gauge(sessions)))
    }
}
