//! Changing a room: title, topic, settings; archiving it.

use salon_core::limits::{TITLE_CHARS_MAX, TOPIC_CHARS_MAX};
use salon_core::ports::Change;
use salon_core::rules::{Action, authorise};
use salon_core::{CommandError, RoomChange, RoomId};
use salon_proto::v1;

use super::edit::changed;
use super::one_line;
use crate::append::Draft;
use crate::{Identity, Service};

impl Service {
    /// Changes title, topic, settings, or archives the room.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `invalid`.
    pub async fn update_room(&self, by: &Identity, room: &RoomId, change: RoomChange) -> Result<v1::ChangeAck, CommandError> {
        let title = change.title.map(|title| one_line("title", &title, TITLE_CHARS_MAX)).transpose()?;
        let topic = change.topic.map(|topic| one_line("topic", &topic, TOPIC_CHARS_MAX)).transpose()?;
        let change = RoomChange { title, topic, ..change };
        if change.is_empty() {
            return Err(CommandError::new(salon_core::ErrorCode::Invalid, "say what is to change"));
        }
        let by = by.actor();
        let written = self
            .append(room, by, Draft::new(Change::Room(change)), |access| {
                authorise(by, &access.room, &access.standing, Action::Manage)
            })
            .await?;
        changed(room, &written)
    }
}
