//! `read`: move one's read mark.

use salon_core::limits::READ_EVENT_MEMBERS_MAX;
use salon_core::rules::{Action, authorise};
use salon_core::{CommandError, RoomKind, Seq};
use salon_proto::v1::{self, server_frame::Event};

use super::room_id;
use crate::session::Session;
use crate::{Service, unavailable};

impl Service {
    pub(super) async fn read(&self, session: &Session, command: &v1::MarkRead) -> Result<v1::ReadAck, CommandError> {
        let by = session.actor();
        let room = room_id(&command.room, by.user)?;
        let access = self.access(&room, by.user).await.map_err(|error| unavailable(&error))?;
        let access = access.ok_or_else(CommandError::no_such_room)?;
        authorise(by, &access.room, &access.standing, Action::Read)?;
        if access.room.kind == RoomKind::Me {
            return Err(CommandError::invalid("room", "your own log has no read mark"));
        }
        let mark = self.parts.store.mark_read(&room, by.user, Seq(command.seq), self.now()).await;
        let mark = mark.map_err(|error| unavailable(&error))?.ok_or_else(|| CommandError::forbidden("join the room first"))?;
        let ack = v1::ReadAck { room: room.as_str().to_owned(), seq: mark.seq.0, unread: mark.unread };
        let Some(news) = mark.news else { return Ok(ack) };
        self.publish(news);
        if access.room.members <= READ_EVENT_MEMBERS_MAX
            && let Some(live) = self.logs.get(&room)
        {
            let user = by.user.as_str().to_owned();
            let event = Event::Read(v1::ReadMark { room: ack.room.clone(), user, seq: ack.seq });
            self.offer(&live, &format!("read {}", by.user), &event, Some(session));
        }
        Ok(ack)
    }
}
