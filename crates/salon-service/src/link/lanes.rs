//! Lanes: the commands of one session take effect in order per room, those of different rooms do not wait for each
//! other. A lane is a task that exists while its session has commands for its room; an idle session has none.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use salon_core::error::{CommandError, ErrorCode};
use salon_core::ports::StoreError;
use salon_core::{RoomId, UserId};
use salon_proto::json::{self, command_name};
use salon_proto::link::frames::{Command, Detach, Renewed, Reply};
use salon_proto::link::{reply, service_frame::Frame};
use salon_proto::v1::{self, ServerFrame, client_frame, server_frame::Event};

use super::Link;
use crate::commands::Answer;
use crate::session::{Queued, Session};
use crate::{Service, unavailable};

/// What a command may take, in milliseconds: less than the 10 s after which the gateway answers for the service, so
/// that what the service did is what the gateway says.
const COMMAND_MS_MAX: u64 = 9_500;
const COMMAND_TIME_MAX: Duration = Duration::from_millis(COMMAND_MS_MAX);

/// Commands that a session may have pending here, in relation to what its client may have in flight: the gateway sends
/// the next one as soon as it has a reply, a moment before the lane is done with the command.
const PENDING_FACTOR: usize = 2;

/// A command to be answered.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) session: &'a Arc<Session>,
    pub(crate) serial: u64,
    /// The client's id; without one it wants no acknowledgement.
    pub(crate) id: Option<i64>,
}

impl Request<'_> {
    pub(crate) fn reply(&self, event: Option<Event>, effect: Option<reply::Effect>) -> Frame {
        let frame = event.filter(|_| self.id.is_some()).map(|event| ServerFrame { id: self.id, event: Some(event) });
        Frame::Reply(Reply { session: self.session.number, serial: self.serial, frame, effect })
    }

    fn answer(&self, answer: Answer) {
        let acknowledge = |data| Some(Event::Ack(v1::Ack { data: Some(data) }));
        let frame = match answer {
            Answer::Ack(data) => self.reply(acknowledge(data), None),
            Answer::Detached { data, log } => {
                let effect = reply::Effect::Detach(Detach { log: log.as_str().to_owned() });
                self.reply(acknowledge(data), Some(effect))
            }
            Answer::Renewed { welcome, expires_at_ms } => {
                let effect = reply::Effect::Renewed(Renewed { expires_at_ms });
                self.reply(Some(Event::Welcome(*welcome)), Some(effect))
            }
            // Sent together with the attachment, under the lock of the log.
            Answer::Attached => return,
        };
        self.session.link.outbox.send(frame);
    }
}

impl Service {
    /// Puts a command into its lane. Every command is answered once, the impossible ones at once.
    pub(super) fn take_command(&self, link: &Arc<Link>, command: Command) {
        let (number, serial) = (command.session, command.serial);
        let id = command.frame.as_ref().and_then(|frame| frame.id);
        let refuse = |error: &CommandError| {
            let reply = Reply { session: number, serial, frame: Some(json::error(id, error)), effect: None };
            link.outbox.send(Frame::Reply(reply));
        };
        let Some(session) = link.session(number) else {
            return refuse(&CommandError::new(ErrorCode::Unauthenticated, "this session has ended"));
        };
        let room = command.frame.as_ref().and_then(|frame| frame.command.as_ref()).and_then(|c| lane_of(c, &session.user));
        let pending_max = self.parts.config.limits.commands_in_flight_max * PENDING_FACTOR;
        match session.queue(room.clone(), command, pending_max) {
            Queued::Run(command) => self.spawn(|service| async move { service.run_lane(session, room, *command).await }),
            Queued::Waits => {}
            Queued::TooMany => refuse(&CommandError::new(ErrorCode::RateLimited, "too many commands in flight")),
        }
    }

    async fn run_lane(self: Arc<Self>, session: Arc<Session>, room: Option<RoomId>, first: Command) {
        let mut next = Some(first);
        while let Some(command) = next {
            self.run(&session, command).await;
            next = session.next_in_lane(room.as_ref());
        }
    }

    async fn run(&self, session: &Arc<Session>, command: Command) {
        let frame = command.frame.unwrap_or_default();
        let request = Request { session, serial: command.serial, id: frame.id };
        let Some(command) = frame.command else {
            let error = CommandError::new(ErrorCode::UnknownEvent, "there is no such command");
            return self.refuse(request, "unknown", &error);
        };
        let name = command_name(&command);
        match tokio::time::timeout(COMMAND_TIME_MAX, self.perform(request, command)).await {
            Ok(Ok(answer)) => {
                self.metrics.command(name, "ok");
                request.answer(answer);
            }
            Ok(Err(error)) => self.refuse(request, name, &error),
            Err(_elapsed) => self.refuse(request, name, &too_slow()),
        }
    }

    fn refuse(&self, request: Request<'_>, name: &'static str, error: &CommandError) {
        self.metrics.command(name, error.code.as_str());
        let frame = Some(json::error(request.id, error));
        let reply = Reply { session: request.session.number, serial: request.serial, frame, effect: None };
        request.session.link.outbox.send(Frame::Reply(reply));
    }

    /// Bounds what asks the store outside of a command.
    pub(crate) async fn within_time<T>(&self, asking: impl Future<Output = Result<T, StoreError>>) -> Result<T, CommandError> {
        match tokio::time::timeout(COMMAND_TIME_MAX, asking).await {
            Ok(result) => result.map_err(|error| unavailable(&error)),
            Err(_elapsed) => Err(too_slow()),
        }
    }
}

fn too_slow() -> CommandError {
    CommandError::unavailable("no answer in time: the outcome is unknown, ask again with the same client_id")
}

/// The room whose order a command has to keep. Commands with a malformed name are refused in the lane without a room.
fn lane_of(command: &client_frame::Command, user: &UserId) -> Option<RoomId> {
    use client_frame::Command as C;
    let room = match command {
        C::Join(command) => &command.room,
        C::Leave(command) => &command.room,
        C::Part(command) => &command.room,
        C::Message(command) => &command.room,
        C::Edit(command) => &command.room,
        C::Delete(command) => &command.room,
        C::React(command) => &command.room,
        C::History(command) => &command.room,
        C::Read(command) => &command.room,
        C::Members(command) => &command.room,
        C::Typing(command) => &command.room,
        C::Signal(command) => &command.room,
        C::Location(command) => &command.room,
        C::Hello(_) | C::Rooms(_) | C::Presence(_) | C::Ping(_) => return None,
    };
    crate::commands::room_id(room, user).ok()
}
