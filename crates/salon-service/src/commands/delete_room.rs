//! Deleting a room with everything in it.

use salon_core::rules::{Action, authorise};
use salon_core::{CommandError, RoomId};

use crate::{Identity, Service, unavailable};

impl Service {
    /// Erases a room and everything in it.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn delete_room(&self, by: &Identity, room: &RoomId) -> Result<(), CommandError> {
        let row = self.parts.store.room(room, &by.user.id).await.map_err(|error| unavailable(&error))?;
        let row = row.ok_or_else(CommandError::no_such_room)?;
        authorise(by.actor(), &row.room, &row.standing, Action::Manage)?;
        let news = self.parts.store.delete_room(room, self.now()).await.map_err(|error| unavailable(&error))?;
        let news = news.ok_or_else(CommandError::no_such_room)?;
        // Other nodes miss the room when they compare heads.
        if let Some(live) = self.logs.get(room) {
            self.room_gone(&live);
        }
        news.into_iter().for_each(|entry| self.publish(entry));
        Ok(())
    }
}
