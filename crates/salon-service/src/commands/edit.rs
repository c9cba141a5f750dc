//! `edit`: give one's message another content.

use salon_core::ports::{Change, Written};
use salon_core::rules::{Action, Actor, authorise};
use salon_core::{CommandError, MessageId, RoomId, UserId};
use salon_proto::v1;

use super::message::check_content;
use super::room_id;
use crate::append::{Draft, no_such_message, unexpected};
use crate::{Service, unavailable};

impl Service {
    pub(super) async fn edit(&self, by: Actor<'_>, command: v1::EditMessage) -> Result<v1::ChangeAck, CommandError> {
        let room = room_id(&command.room, by.user)?;
        let id = MessageId::parse(&command.id).map_err(CommandError::bad_id("id"))?;
        check_content(&command.content, self.parts.config.limits.content_bytes_max)?;
        let author = self.author(by, &room, &id).await?;
        self.may_write(by.user)?;
        let action = Action::Edit { author: &author };
        let draft = Draft::new(Change::Edit { id, content: command.content });
        let written = self.append(&room, by, draft, |access| authorise(by, &access.room, &access.standing, action)).await?;
        changed(&room, &written)
    }

    /// Who wrote a message that the actor may see.
    pub(super) async fn author(&self, by: Actor<'_>, room: &RoomId, id: &MessageId) -> Result<UserId, CommandError> {
        let access = self.access(room, by.user).await.map_err(|error| unavailable(&error))?;
        let access = access.ok_or_else(CommandError::no_such_room)?;
        authorise(by, &access.room, &access.standing, Action::Read)?;
        let found = self.parts.store.messages(room, std::slice::from_ref(id)).await;
        let found = found.map_err(|error| unavailable(&error))?.pop();
        let visible = found.filter(|entry| entry.seq >= access.visible_from());
        visible.map(|entry| entry.actor).ok_or_else(no_such_message)
    }
}

/// The acknowledgement of an edit, a deletion, a reaction or a change of the room.
pub(super) fn changed(room: &RoomId, written: &Written) -> Result<v1::ChangeAck, CommandError> {
    let room = room.public().to_owned();
    match written {
        Written::Stored { entry, .. } => Ok(v1::ChangeAck { room, seq: Some(entry.seq.0), duplicate: false }),
        Written::Unchanged => Ok(v1::ChangeAck { room, seq: None, duplicate: true }),
        Written::NoSuchMessage => Err(no_such_message()),
        Written::Duplicate(_) | Written::BodyConflict | Written::StaleAccess | Written::NoSuchRoom => Err(unexpected(written)),
    }
}
