//! `typing`: somebody writes, or has stopped.

use salon_core::limits::PRESENCE_MEMBERS_MAX;
use salon_core::rules::{Action, authorise};
use salon_core::{CommandError, RoomKind};
use salon_proto::v1::{self, ack::Data, server_frame::Event};

use super::room_id;
use crate::session::Session;
use crate::{Service, unavailable};

impl Service {
    pub(super) async fn typing(&self, session: &Session, command: &v1::SetTyping) -> Result<Data, CommandError> {
        let by = session.actor();
        let room = room_id(&command.room, by.user)?;
        let access = self.access(&room, by.user).await.map_err(|error| unavailable(&error))?;
        let access = access.ok_or_else(CommandError::no_such_room)?;
        authorise(by, &access.room, &access.standing, Action::Speak)?;
        let small = access.room.kind != RoomKind::Me && access.room.members <= PRESENCE_MEMBERS_MAX;
        if let Some(live) = self.logs.get(&room).filter(|_| small) {
            let name = self.name(by.user).await.map_err(|error| unavailable(&error))?;
            let event = Event::Typing(v1::Typing {
                room: room.as_str().to_owned(),
                user: by.user.as_str().to_owned(),
                name: name.as_ref().to_owned(),
                typing: command.typing,
            });
            self.offer(&live, &format!("typing {}", by.user), &event, Some(session));
        }
        Ok(Data::Empty(v1::Empty {}))
    }
}
