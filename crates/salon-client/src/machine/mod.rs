//! The client as a state machine: text, commands and time go in; text, events and answers come out. No sockets, no
//! timers: the driver has those, and the tests have a virtual clock.

mod commands;
mod rooms;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use salon_core::Timestamp;
use salon_core::ports::Clock;
use salon_proto::json::{self, Malformed, Received};
use salon_proto::v1::{self, Ack, ClientFrame, ServerFrame, Welcome, ack, client_frame::Command, server_frame};
use tokio::time::Instant;

pub(crate) use commands::ReplyTo;
use commands::{Commands, Origin};
use rooms::{Rooms, Verdict};

use crate::{ConnectionState, Error, Event, Tap};

/// Commands that may wait here, beyond those in flight; the application waits beyond that.
const COMMANDS_WAITING_MAX: usize = 256;
/// Frames in flight until the server has told its own limit (PROTOCOL §1).
const IN_FLIGHT_MAX_DEFAULT: usize = 64;
/// Bytes of a frame until the server has told its own limit (PROTOCOL §1).
const FRAME_BYTES_MAX_DEFAULT: usize = 64 * 1024;
/// A credential is renewed this long before it expires, or after four fifths of its life where that is shorter.
const RENEW_BEFORE: Duration = Duration::from_secs(30);
/// Wait before the next attempt where a renewal did not work.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

pub(crate) struct Machine {
    commands: Commands,
    rooms: Rooms,
    out: VecDeque<String>,
    events: VecDeque<Event>,
    /// The welcome of the present connection.
    welcome: Option<Welcome>,
    /// What the server announced before it closed.
    closing: Option<v1::Closing>,
    /// Said again on every new connection.
    presence: Option<v1::SetPresence>,
    renew_at: Option<Instant>,
    connection: u64,
    clock: Arc<dyn Clock>,
    tap: Option<Arc<dyn Tap>>,
}

impl Machine {
    pub(crate) fn new(command_timeout: Duration, clock: Arc<dyn Clock>, tap: Option<Arc<dyn Tap>>) -> Self {
        Self {
            commands: Commands::new(command_timeout),
            rooms: Rooms::default(),
            out: VecDeque::new(),
            events: VecDeque::new(),
            welcome: None,
            closing: None,
            presence: None,
            renew_at: None,
            connection: 0,
            clock,
            tap,
        }
    }

    // The application's side.

    pub(crate) fn accepts_commands(&self) -> bool {
        self.commands.len() < COMMANDS_WAITING_MAX + IN_FLIGHT_MAX_DEFAULT
    }

    /// A command that wants an answer.
    pub(crate) fn request(&mut self, now: Instant, command: Command, reply: ReplyTo) {
        match &command {
            Command::Leave(v1::Leave { room }) | Command::Part(v1::Part { room }) => self.rooms.set_leaving(room, true),
            Command::Join(join) => self.rooms.set_leaving(&join.room, false),
            Command::Presence(presence) => self.presence = Some(presence.clone()),
            Command::Hello(_)
            | Command::Message(_)
            | Command::Edit(_)
            | Command::Delete(_)
            | Command::React(_)
            | Command::History(_)
            | Command::Read(_)
            | Command::Rooms(_)
            | Command::Members(_)
            | Command::Typing(_)
            | Command::Signal(_)
            | Command::Location(_)
            | Command::Ping(_) => {}
        }
        self.commands.add(now, command, Origin::Application(reply));
        self.pump();
    }

    /// A command that wants none; it is worth nothing later, so without a connection it is dropped.
    pub(crate) fn tell(&mut self, command: Command) {
        if self.welcome.is_some() {
            self.send_now(ClientFrame { id: None, command: Some(command) });
        }
    }

    pub(crate) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Something that the driver has to say in its place among the other events.
    pub(crate) fn announce(&mut self, state: ConnectionState) {
        self.events.push_back(Event::Connection(state));
    }

    /// The client stops: every command that waits fails.
    pub(crate) fn stop(&mut self, error: &Error) {
        self.commands.fail_all(error);
    }

    // The connection's side.

    /// There is a connection; `hello` is the token to begin with, where the handshake has not shown a credential.
    pub(crate) fn connected(&mut self, hello: Option<String>) {
        self.connection += 1;
        if let Some(tap) = &self.tap {
            tap.opened(self.connection);
        }
        if let Some(token) = hello {
            self.hello(token);
        }
    }

    /// A token for the first time, or a fresh one for the open connection.
    pub(crate) fn hello(&mut self, token: String) {
        self.send_now(ClientFrame { id: None, command: Some(Command::Hello(v1::Hello { token })) });
    }

    /// The connection is gone. Returns what the server had announced about it.
    pub(crate) fn disconnected(&mut self, code: Option<u16>) -> Option<v1::Closing> {
        if let Some(tap) = &self.tap {
            tap.closed(self.connection, code);
        }
        self.out.clear();
        self.welcome = None;
        self.renew_at = None;
        self.rooms.disconnected();
        self.commands.disconnected();
        self.closing.take()
    }

    pub(crate) fn has_frame(&self) -> bool {
        !self.out.is_empty()
    }

    pub(crate) fn next_frame(&mut self) -> Option<String> {
        self.out.pop_front()
    }

    pub(crate) fn welcome(&self) -> Option<&Welcome> {
        self.welcome.as_ref()
    }

    /// A text frame arrived.
    ///
    /// # Errors
    /// It is nothing that a server of this protocol says.
    pub(crate) fn received(&mut self, now: Instant, text: &str) -> Result<(), Malformed> {
        let frame = match json::parse_server(text) {
            Ok(Received::Frame(frame)) => *frame,
            Ok(Received::Ack { id, data }) => match self.parse_ack(id, &data)? {
                Some(frame) => frame,
                None => return Ok(()),
            },
            // Servers may learn to say more.
            Err(Malformed::UnknownEvent { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        if let Some(tap) = &self.tap {
            let answers = match &frame.event {
                Some(server_frame::Event::Ack(_) | server_frame::Event::Error(_)) => {
                    frame.id.and_then(|id| self.commands.get(id))
                }
                Some(_) | None => None,
            };
            tap.received(self.connection, &frame, answers.map(|pending| &pending.frame));
        }
        self.handle(now, frame);
        self.pump();
        Ok(())
    }

    fn parse_ack(&self, id: Option<i64>, data: &serde_json::value::RawValue) -> Result<Option<ServerFrame>, Malformed> {
        let Some(command) = id.and_then(|id| self.commands.get(id)).and_then(|pending| pending.frame.command.as_ref()) else {
            // The answer to a command that has timed out here.
            return Ok(None);
        };
        let ack = json::parse_ack(command, data).map_err(|error| Malformed::Invalid { id, message: error.to_string() })?;
        Ok(Some(ServerFrame { id, event: Some(server_frame::Event::Ack(ack)) }))
    }

    fn handle(&mut self, now: Instant, frame: ServerFrame) {
        use server_frame::Event as Sent;
        let Some(event) = frame.event else { return };
        match event {
            Sent::Welcome(welcome) => self.welcomed(now, welcome),
            Sent::Ack(ack) => {
                if let Some(id) = frame.id {
                    self.acknowledged(id, ack);
                }
            }
            Sent::Error(error) => self.refused(now, frame.id, error),
            Sent::Entry(entry) => self.entry(entry),
            Sent::CaughtUp(at) => {
                self.rooms.caught_up(&at);
                self.events.push_back(Event::CaughtUp(at));
            }
            Sent::Presence(presence) => self.events.push_back(Event::Presence(presence)),
            Sent::Typing(typing) => self.events.push_back(Event::Typing(typing)),
            Sent::Read(mark) => self.events.push_back(Event::Read(mark)),
            Sent::Signal(signal) => self.events.push_back(Event::Signal(signal)),
            Sent::Location(location) => self.events.push_back(Event::Location(location)),
            Sent::Activity(activity) => self.events.push_back(Event::Activity(activity)),
            Sent::Closing(closing) => self.closing = Some(closing),
            Sent::Ping(_) => {}
        }
    }

    fn welcomed(&mut self, now: Instant, welcome: Welcome) {
        self.renew_at = welcome.expires_at.as_deref().and_then(Timestamp::parse).map(|at| {
            let life_ms = u64::try_from(at.ms_since(self.clock.now())).unwrap_or(0);
            let life = Duration::from_millis(life_ms);
            now + life.saturating_sub(RENEW_BEFORE.min(life / 5))
        });
        let renewed = self.welcome.replace(welcome.clone()).is_some();
        if renewed {
            return;
        }
        self.events.push_back(Event::Connection(ConnectionState::Open(Box::new(welcome))));
        if let Some(presence) = self.presence.clone() {
            self.send_now(ClientFrame { id: None, command: Some(Command::Presence(presence)) });
        }
        // Each goes to the front of the queue, so the last of them is the first to be sent.
        for join in self.rooms.rejoins().into_iter().rev() {
            self.commands.add(now, Command::Join(join), Origin::Resume);
        }
    }

    fn acknowledged(&mut self, id: i64, ack: Ack) {
        let Some(pending) = self.commands.take(id) else { return };
        match (&pending.frame.command, &ack.data) {
            (Some(Command::Join(join)), Some(ack::Data::Join(joined))) => {
                let resumed = matches!(pending.origin, Origin::Resume);
                self.rooms.joined(join, joined, &mut self.events, resumed);
                self.commands.forget_resumption(&join.room);
            }
            (Some(Command::Leave(v1::Leave { room }) | Command::Part(v1::Part { room })), _) => self.left(room),
            (Some(_) | None, _) => {}
        }
        pending.finish(Ok(ack));
    }

    fn refused(&mut self, now: Instant, id: Option<i64>, error: v1::Error) {
        let Some(id) = id.filter(|id| self.commands.get(*id).is_some()) else {
            self.events.push_back(Event::Error(error));
            return;
        };
        if self.commands.may_repeat(id, &error) {
            self.commands.hold(now, id, &error);
            return;
        }
        let Some(pending) = self.commands.take(id) else { return };
        match (&pending.frame.command, &pending.origin) {
            (Some(Command::Join(join)), Origin::Resume) => {
                self.rooms.remove(&join.room);
                self.events.push_back(Event::Lost { room: join.room.clone(), error: error.clone() });
            }
            (Some(Command::Leave(leave)), _) if pending.was_repeated() => {
                self.left(&leave.room);
                let left = commands::left(&leave.room);
                return pending.finish(Ok(left));
            }
            (Some(Command::Leave(v1::Leave { room }) | Command::Part(v1::Part { room })), _) => {
                self.rooms.set_leaving(room, false);
            }
            (Some(_) | None, _) => {}
        }
        pending.finish(Err(Error::Refused(error)));
    }

    fn left(&mut self, room: &str) {
        self.rooms.remove(room);
        self.commands.forget_resumption(room);
    }

    fn entry(&mut self, entry: v1::Entry) {
        let me = self.welcome.as_ref().and_then(|welcome| welcome.user.as_ref()).map_or("", |user| &user.id);
        match self.rooms.entry(&entry, me) {
            Verdict::Repeated => return,
            Verdict::Deliver => {}
            Verdict::DeliverAfter(missing) => self.events.push_back(Event::Gap { room: entry.room.clone(), missing }),
        }
        self.events.push_back(Event::Entry(Box::new(entry)));
    }

    // Time.

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.commands.deadline(), self.renew_at].into_iter().flatten().min()
    }

    /// Does what is due. Returns true once when the credential should be renewed.
    pub(crate) fn tick(&mut self, now: Instant) -> bool {
        self.commands.tick(now);
        self.pump();
        self.renew_at.take_if(|at| *at <= now).is_some()
    }

    /// The renewal did not work for now.
    pub(crate) fn renew_later(&mut self, now: Instant) {
        self.renew_at = Some(now + RENEW_AGAIN);
    }

    /// Sends what may be sent.
    fn pump(&mut self) {
        let Some(welcome) = &self.welcome else { return };
        let limits = welcome.limits.as_ref();
        let in_flight_max = limits.map_or(IN_FLIGHT_MAX_DEFAULT, |limits| to_usize(limits.commands_in_flight)).max(1);
        let frame_bytes_max = limits.map_or(FRAME_BYTES_MAX_DEFAULT, |limits| to_usize(limits.frame_bytes));
        while let Some(frame) = self.commands.next_to_send(in_flight_max) {
            let failure = match json::print_client(frame) {
                Ok(text) if text.len() <= frame_bytes_max => {
                    if let Some(tap) = &self.tap {
                        tap.sent(self.connection, frame);
                    }
                    self.out.push_back(text);
                    continue;
                }
                Ok(_) => Error::TooLarge { frame_bytes_max },
                Err(error) => Error::Malformed(error.to_string()),
            };
            if let Some(pending) = frame.id.and_then(|id| self.commands.take(id)) {
                pending.finish(Err(failure));
            }
        }
    }

    fn send_now(&mut self, frame: ClientFrame) {
        // These commands hold no JSON of the application, so printing cannot fail.
        let Ok(text) = json::print_client(&frame) else { return };
        if let Some(tap) = &self.tap {
            tap.sent(self.connection, &frame);
        }
        self.out.push_back(text);
    }
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
