//! What the server can do: one file per command. Every transport ends up here, so that one set of rules holds.
//!
//! Each function takes who acts and the command as it came (a type of `salon_proto::v1`, or plain arguments where only
//! REST has it), checks it, asks the rule table, and appends.

use salon_core::{CommandError, RoomId, UserId};
use salon_proto::v1::{self, ack::Data, client_frame::Command};

use crate::link::Request;
use crate::{Identity, Service};

mod change_member;
mod create_room;
mod cursor;
mod delete;
mod delete_room;
mod edit;
mod hello;
mod history;
mod join;
mod leave;
mod members;
mod message;
mod part;
mod presence;
mod react;
mod read;
mod rooms;
mod typing;
mod update_room;

pub use create_room::CreateRoom;

/// How a command went well.
pub(crate) enum Answer {
    Ack(Data),
    /// The session listens to the log no more.
    Detached {
        data: Data,
        log: RoomId,
    },
    Renewed {
        welcome: Box<v1::Welcome>,
        expires_at_ms: Option<i64>,
    },
    /// The session listens to a log now; the reply was sent with that, in its place before the entries.
    Attached,
}

impl Service {
    /// Performs a command of a session.
    pub(crate) async fn perform(&self, request: Request<'_>, command: Command) -> Result<Answer, CommandError> {
        let session = request.session;
        let by = session.actor();
        let data = match command {
            Command::Hello(command) => return self.hello(session, command).await,
            Command::Join(command) => return self.join(request, command).await,
            Command::Leave(command) => return self.leave(session, &command).await,
            Command::Part(command) => return self.part(session, &command).await,
            Command::Message(command) => Data::Message(self.message(by, command).await?),
            Command::Edit(command) => Data::Change(self.edit(by, command).await?),
            Command::Delete(command) => Data::Change(self.delete(by, &command).await?),
            Command::React(command) => Data::Change(self.react(by, command).await?),
            Command::History(command) => Data::History(self.history(by, command).await?),
            Command::Read(command) => Data::Read(self.read(session, &command).await?),
            Command::Rooms(command) => Data::Rooms(self.rooms(by.user, &command).await?),
            Command::Members(command) => Data::Members(self.members(by, &command).await?),
            Command::Typing(command) => self.typing(session, &command).await?,
            Command::Presence(command) => self.presence(session, command).await?,
            Command::Signal(_) | Command::Location(_) => {
                return Err(CommandError::new(salon_core::ErrorCode::Invalid, "not available yet"));
            }
            Command::Ping(v1::Ping {}) => Data::Empty(v1::Empty {}),
        };
        Ok(Answer::Ack(data))
    }
}

impl Identity {
    pub(crate) fn actor(&self) -> salon_core::rules::Actor<'_> {
        salon_core::rules::Actor { user: &self.user.id, admin: self.user.admin }
    }
}

/// The room that a client means: `@me` is the asker's own log.
pub(crate) fn room_id(text: &str, asker: &UserId) -> Result<RoomId, CommandError> {
    if text == "@me" { Ok(RoomId::me(asker)) } else { RoomId::parse(text).map_err(CommandError::bad_id("room")) }
}

/// Text that people see as one line: titles, names, statuses.
pub(crate) fn one_line(field: &'static str, text: &str, chars_max: usize) -> Result<String, CommandError> {
    let text = text.trim();
    if text.chars().count() > chars_max {
        return Err(CommandError::too_large(field, format!("at most {chars_max} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(CommandError::invalid(field, "no control characters"));
    }
    Ok(text.to_owned())
}
