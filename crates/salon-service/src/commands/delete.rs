//! `delete`: erase a message, one's own or, as a moderator, somebody else's.

use salon_core::ports::Change;
use salon_core::rules::{Action, Actor, authorise};
use salon_core::{CommandError, MessageId};
use salon_proto::v1;

use super::edit::changed;
use super::room_id;
use crate::Service;
use crate::append::Draft;

impl Service {
    pub(super) async fn delete(&self, by: Actor<'_>, command: &v1::DeleteMessage) -> Result<v1::ChangeAck, CommandError> {
        let room = room_id(&command.room, by.user)?;
        let id = MessageId::parse(&command.id).map_err(CommandError::bad_id("id"))?;
        let author = self.author(by, &room, &id).await?;
        self.may_write(by.user)?;
        let action = Action::Delete { author: &author };
        let draft = Draft::new(Change::Delete { id });
        let written = self.append(&room, by, draft, |access| authorise(by, &access.room, &access.standing, action)).await?;
        changed(&room, &written)
    }
}
