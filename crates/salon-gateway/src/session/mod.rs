//! One connection's side of the protocol, without a socket and without a clock: what the client says, what the service
//! says and the time go in, frames for both come out.

mod pending;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::Bytes;
use salon_core::{CommandError, ErrorCode, Timestamp};
use salon_proto::json::{self, Malformed};
use salon_proto::link::frames::{Command, OpenSession, Renewed, SessionOpened};
use salon_proto::link::{gateway_frame, open_session};
use salon_proto::v1::{self, ClientFrame, ServerFrame, client_frame, server_frame};
use smallvec::SmallVec;

use crate::config::GatewayConfig;
use crate::dialect::Dialect;
use crate::metrics::Metrics;
use crate::moment::Moment;
use crate::ws;
use pending::Pending;

/// Commands that wait for a `hello`; who says more without an introduction is refused.
pub(crate) const COMMANDS_BEFORE_HELLO_MAX: usize = 64;

/// Close codes of PROTOCOL §3: 4000 to 4499 tell the client to come back, 4500 to 4999 not to.
pub(crate) mod code {
    pub(crate) const DRAINING: u16 = 4001;
    pub(crate) const NO_LIFE: u16 = 4002;
    pub(crate) const EXPIRED: u16 = 4003;
    pub(crate) const TOO_SLOW: u16 = 4004;
    pub(crate) const BAD_CREDENTIALS: u16 = 4500;
    pub(crate) const BAD_FRAME: u16 = 4501;
    pub(crate) const BAD_ORIGIN: u16 = 4503;
}

/// How a connection is ended by this side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) manner: Manner,
}

/// What becomes of what still waits for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It goes out before the close frame.
    Orderly,
    /// It is dropped, except for the rest of a frame that was begun: the close frame has to follow that.
    Shedding,
    /// It is dropped: nothing more is written than a close frame, and that only if it can be written now.
    AtOnce,
}

impl Close {
    pub(crate) fn orderly(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into(), manner: Manner::Orderly }
    }

    pub(crate) fn shedding(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into(), manner: Manner::Shedding }
    }

    pub(crate) fn at_once(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into(), manner: Manner::AtOnce }
    }
}

/// What the session knows of the world while it handles one input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) config: &'a GatewayConfig,
    pub(crate) metrics: &'a Metrics,
    pub(crate) now: Moment,
    /// The time of day, which credentials expire by.
    pub(crate) wall: Timestamp,
}

/// What the session wants done, in order of the fields: frames to the client go out before it is closed.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) to_service: Vec<gateway_frame::Frame>,
    pub(crate) to_client: SmallVec<[Bytes; 2]>,
    pub(crate) close: Option<Close>,
    /// A heartbeat is over: what is sent from now on counts for the next one.
    pub(crate) beat: bool,
}

/// How the socket does, for the heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Since when the socket takes nothing.
    pub(crate) blocked_since: Option<Moment>,
    /// Something but pings was sent since the last heartbeat.
    pub(crate) spoke: bool,
}

#[derive(Debug)]
pub(crate) struct Session {
    /// The gateway's number for it on the link.
    number: u64,
    dialect: Dialect,
    phase: Phase,
    serials: u64,
    pending: Pending,
    /// When the client last gave a sign of life.
    life: Moment,
    beat: Moment,
    /// When the connection ends unless a hello renews its credential.
    expiry: Moment,
}

#[derive(Debug)]
enum Phase {
    AwaitHello(Box<Introduction>),
    Opening(Box<Introduction>),
    Open,
    /// No more commands: what was begun is answered until then, and the connection is closed.
    Finishing {
        until: Moment,
    },
    /// A close frame is on its way, or received.
    Closing {
        until: Moment,
    },
}

/// What is needed only until the session is open.
#[derive(Debug)]
struct Introduction {
    peer: String,
    deadline: Moment,
    /// The id of the hello.
    id: Option<i64>,
    /// Texts that wait for the welcome.
    held: VecDeque<Box<str>>,
}

/// The states of a session as an operator sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionState {
    AwaitHello,
    Opening,
    Open,
    Closing,
}

impl Session {
    /// A session that still has to introduce itself.
    pub(crate) fn await_hello(number: u64, dialect: Dialect, peer: String, cx: Context<'_>) -> Self {
        let deadline = cx.now.after(cx.config.hello_timeout);
        let introduction = Introduction { peer, deadline, id: None, held: VecDeque::new() };
        Self::new(number, dialect, Phase::AwaitHello(Box::new(introduction)), cx)
    }

    /// A session that the service has opened already.
    pub(crate) fn open(dialect: Dialect, opened: SessionOpened, cx: Context<'_>, out: &mut Outputs) -> Self {
        let mut session = Self::new(opened.session, dialect, Phase::Open, cx);
        session.welcome(opened, None, cx, out);
        session
    }

    fn new(number: u64, dialect: Dialect, phase: Phase, cx: Context<'_>) -> Self {
        let beat = cx.now.after(cx.config.heartbeat);
        let (life, expiry) = (cx.now, Moment::NEVER);
        Self { number, dialect, phase, serials: 0, pending: Pending::default(), life, beat, expiry }
    }

    pub(crate) fn state(&self) -> SessionState {
        match self.phase {
            Phase::AwaitHello(_) => SessionState::AwaitHello,
            Phase::Opening(_) => SessionState::Opening,
            Phase::Open => SessionState::Open,
            Phase::Finishing { .. } | Phase::Closing { .. } => SessionState::Closing,
        }
    }

    /// Whether the client may go on talking. Otherwise its input stays where it is (back-pressure), and so does it
    /// while commands wait for their answers.
    pub(crate) fn listens(&self, config: &GatewayConfig) -> bool {
        match self.phase {
            Phase::AwaitHello(_) => true,
            Phase::Open => self.pending.has_room(config.limits.commands_in_flight_max),
            Phase::Opening(_) | Phase::Finishing { .. } => false,
            // Whatever comes is thrown away, until the peer's close frame.
            Phase::Closing { .. } => true,
        }
    }

    /// The client is there.
    pub(crate) fn alive(&mut self, now: Moment) {
        self.life = now;
    }

    /// The client sent a text message.
    pub(crate) fn text(&mut self, text: &str, cx: Context<'_>, out: &mut Outputs) {
        match &mut self.phase {
            Phase::Open => self.command(text, cx, out),
            Phase::AwaitHello(_) => self.introduction(text, cx, out),
            // Unreachable while `listens` is honoured, but never a panic.
            Phase::Opening(introduction) => introduction.held.push_back(text.into()),
            Phase::Finishing { .. } | Phase::Closing { .. } => {}
        }
    }

    /// The client sent a binary message, which this dialect has no meaning for.
    pub(crate) fn binary(&mut self, out: &mut Outputs) {
        out.close = Some(Close::orderly(code::BAD_FRAME, "salon.v1.json is spoken in text frames"));
    }

    fn introduction(&mut self, text: &str, cx: Context<'_>, out: &mut Outputs) {
        let Phase::AwaitHello(introduction) = &mut self.phase else { return };
        match self.dialect.parse_text(text) {
            Err(Malformed::NotAFrame(why)) => out.close = Some(Close::orderly(code::BAD_FRAME, why)),
            Ok(ClientFrame { id, command: Some(client_frame::Command::Hello(hello)) }) => {
                let credential = Some(open_session::Credential::Token(hello.token));
                let open = OpenSession { session: self.number, credential, peer: std::mem::take(&mut introduction.peer) };
                out.to_service.push(gateway_frame::Frame::Open(open));
                let deadline = cx.now.after(cx.config.reply_timeout);
                let held = std::mem::take(&mut introduction.held);
                self.phase = Phase::Opening(Box::new(Introduction { peer: String::new(), deadline, id, held }));
            }
            Ok(_) | Err(Malformed::UnknownEvent { .. } | Malformed::Invalid { .. }) => {
                if introduction.held.len() < COMMANDS_BEFORE_HELLO_MAX {
                    introduction.held.push_back(text.into());
                } else {
                    out.close = Some(Close::orderly(code::BAD_CREDENTIALS, "say hello first"));
                }
            }
        }
    }

    fn command(&mut self, text: &str, cx: Context<'_>, out: &mut Outputs) {
        match self.dialect.parse_text(text) {
            Ok(frame) => {
                self.serials += 1;
                let large = matches!(
                    frame.command,
                    Some(client_frame::Command::History(_) | client_frame::Command::Rooms(_) | client_frame::Command::Members(_))
                );
                self.pending.push(self.serials, frame.id, cx.now.after(cx.config.reply_timeout), large);
                let command = Command { session: self.number, serial: self.serials, frame: Some(frame) };
                out.to_service.push(gateway_frame::Frame::Command(command));
            }
            Err(Malformed::NotAFrame(why)) => out.close = Some(Close::orderly(code::BAD_FRAME, why)),
            Err(Malformed::UnknownEvent { id, event }) => {
                let event = event.get(..event.floor_char_boundary(64)).unwrap_or_default();
                let error = CommandError::new(ErrorCode::UnknownEvent, format!("there is no command {event:?}"));
                self.refuse(id, &error, cx, out);
            }
            Err(Malformed::Invalid { id, message }) => {
                self.refuse(id, &CommandError::new(ErrorCode::Invalid, message), cx, out);
            }
        }
    }

    fn refuse(&self, id: Option<i64>, error: &CommandError, cx: Context<'_>, out: &mut Outputs) {
        self.print(&json::error(id, error), cx, out);
    }

    fn print(&self, frame: &ServerFrame, cx: Context<'_>, out: &mut Outputs) {
        if let Some(server_frame::Event::Error(error)) = &frame.event {
            cx.metrics.refused(&error.code);
        }
        out.to_client.push(self.dialect.encoding().print(frame));
    }

    /// The service opened the session. What waited for that takes effect now.
    pub(crate) fn opened(&mut self, opened: SessionOpened, cx: Context<'_>, out: &mut Outputs) {
        let Phase::Opening(introduction) = &mut self.phase else { return };
        let (id, held) = (introduction.id, std::mem::take(&mut introduction.held));
        self.phase = Phase::Open;
        self.welcome(opened, id, cx, out);
        for text in held {
            self.command(&text, cx, out);
        }
    }

    fn welcome(&mut self, opened: SessionOpened, id: Option<i64>, cx: Context<'_>, out: &mut Outputs) {
        self.set_expiry(opened.expires_at_ms, cx);
        let event = opened.welcome.map(server_frame::Event::Welcome);
        self.print(&ServerFrame { id, event }, cx, out);
    }

    /// The service does not open the session.
    pub(crate) fn refused(&mut self, error: Option<v1::Error>, out: &mut Outputs) {
        if !matches!(self.phase, Phase::Opening(_)) {
            return;
        }
        let error = error.unwrap_or_default();
        let code = if error.retryable { code::DRAINING } else { code::BAD_CREDENTIALS };
        out.close = Some(Close::orderly(code, error.message));
    }

    /// The service answered a command. False when the client has been told that the outcome is unknown: then it must
    /// not hear of it any more.
    #[must_use]
    pub(crate) fn reply(&mut self, serial: u64, frame: Option<&ServerFrame>, cx: Context<'_>, out: &mut Outputs) -> bool {
        if !self.pending.answered(serial) {
            return false;
        }
        if let Some(frame) = frame {
            self.print(frame, cx, out);
        }
        self.finish_if_done(out);
        true
    }

    /// The service took another credential.
    pub(crate) fn renewed(&mut self, renewed: Renewed, cx: Context<'_>) {
        self.set_expiry(renewed.expires_at_ms, cx);
    }

    fn set_expiry(&mut self, expires_at_ms: Option<i64>, cx: Context<'_>) {
        self.expiry = expires_at_ms.map_or(Moment::NEVER, |at_ms| {
            let left_ms = u64::try_from(Timestamp(at_ms).ms_since(cx.wall)).unwrap_or(0);
            cx.now.after(std::time::Duration::from_millis(left_ms)).after(cx.config.expiry_grace)
        });
    }

    /// The gateway is about to stop: tells the client when to come back, answers what was begun, and closes.
    pub(crate) fn drain(&mut self, reconnect_after_ms: u64, until: Moment, out: &mut Outputs) {
        match self.phase {
            Phase::Finishing { .. } | Phase::Closing { .. } => {}
            Phase::AwaitHello(_) | Phase::Opening(_) => out.close = Some(draining()),
            Phase::Open => {
                out.to_client.push(self.closing(code::DRAINING, Some(reconnect_after_ms)));
                self.phase = Phase::Finishing { until };
                self.finish_if_done(out);
            }
        }
    }

    /// The event that announces a close.
    pub(crate) fn closing(&self, code: u16, reconnect_after_ms: Option<u64>) -> Bytes {
        let event = server_frame::Event::Closing(v1::Closing { code: code.into(), reconnect_after_ms });
        self.dialect.encoding().print(&json::event(event))
    }

    fn finish_if_done(&mut self, out: &mut Outputs) {
        if matches!(self.phase, Phase::Finishing { .. }) && self.pending.is_empty() {
            out.close = Some(draining());
        }
    }

    /// A close frame goes out, or came in: from now on only the end is awaited.
    pub(crate) fn close(&mut self, cx: Context<'_>) {
        self.pending = Pending::default();
        self.phase = Phase::Closing { until: cx.now.after(cx.config.close_wait) };
    }

    /// Time went by. False when the connection has to end now, whatever the peer does.
    #[must_use]
    pub(crate) fn tick(&mut self, flow: Flow, cx: Context<'_>, out: &mut Outputs) -> bool {
        let now = cx.now;
        match &self.phase {
            Phase::Closing { until } => return now < *until,
            Phase::Finishing { until } if now >= *until => out.close = Some(draining()),
            Phase::AwaitHello(introduction) if now >= introduction.deadline => {
                out.close = Some(Close::orderly(code::BAD_CREDENTIALS, "no hello in time"));
            }
            Phase::Opening(introduction) if now >= introduction.deadline => {
                out.close = Some(Close::orderly(code::DRAINING, "the service does not answer"));
            }
            Phase::AwaitHello(_) | Phase::Opening(_) | Phase::Open | Phase::Finishing { .. } => {}
        }
        while let Some(id) = self.pending.expired(now) {
            self.refuse(id, &CommandError::unavailable("no answer in time; the outcome is unknown"), cx, out);
        }
        self.finish_if_done(out);
        if now >= self.expiry {
            out.close = Some(Close::orderly(code::EXPIRED, "the token has expired"));
        }
        if flow.blocked_since.is_some_and(|since| now.since(since) >= cx.config.write_stall) {
            out.close = Some(Close::shedding(code::TOO_SLOW, "nothing was taken for too long"));
        }
        if now >= self.beat {
            self.beat = now.after(cx.config.heartbeat);
            out.beat = true;
            self.heartbeat(flow, cx, out);
        }
        true
    }

    /// While the socket is blocked a ping could not reach the client, so that silence says nothing about it: then the
    /// rule for stalled writes watches over the connection.
    fn heartbeat(&mut self, flow: Flow, cx: Context<'_>, out: &mut Outputs) {
        if flow.blocked_since.is_some() {
            return;
        }
        if cx.now.since(self.life) >= 2 * cx.config.heartbeat {
            out.close = Some(Close::orderly(code::NO_LIFE, "no sign of life"));
            return;
        }
        out.to_client.push(ws::encode_ping(b""));
        if !flow.spoke && matches!(self.phase, Phase::Open) {
            let ping = json::event(server_frame::Event::Ping(v1::Ping {}));
            out.to_client.push(self.dialect.encoding().print(&ping));
        }
    }

    /// When [`Session::tick`] has something to do next.
    pub(crate) fn due(&self, flow: Flow, config: &GatewayConfig) -> Moment {
        let phase = match &self.phase {
            Phase::Closing { until } => return *until,
            Phase::Finishing { until } => *until,
            Phase::AwaitHello(introduction) | Phase::Opening(introduction) => introduction.deadline,
            Phase::Open => Moment::NEVER,
        };
        let stall = flow.blocked_since.map_or(Moment::NEVER, |since| since.after(config.write_stall));
        let reply = self.pending.next_deadline();
        [self.beat, self.expiry, phase, stall, reply].into_iter().min().unwrap_or(Moment::NEVER)
    }
}

fn draining() -> Close {
    Close::orderly(code::DRAINING, "the gateway is stopping; come back")
}
