//! Creating rooms, direct ones included.

use salon_core::limits::TITLE_CHARS_MAX;
use salon_core::ports::NewRoom;
use salon_core::{CommandError, Epoch, ErrorCode, HistoryPolicy, Role, RoomId, RoomKind, UserId};
use salon_proto::v1;

use super::one_line;
use crate::{Identity, RoomCreation, Service, unavailable};

/// A room to be created. A direct room needs `peer` and no name.
#[derive(Debug, Clone)]
pub struct CreateRoom {
    pub name: String,
    pub title: String,
    pub kind: RoomKind,
    pub peer: Option<UserId>,
    pub history: HistoryPolicy,
}

impl Service {
    /// Creates a room; its creator owns it. A direct room that exists already is simply returned (`false`).
    ///
    /// # Errors
    /// `conflict` where the name is taken, `forbidden` where this person may not create rooms, `invalid`.
    pub async fn create_room(&self, by: &Identity, new: CreateRoom) -> Result<(v1::RoomSummary, bool), CommandError> {
        let direct = match new.kind {
            RoomKind::Public | RoomKind::Private => false,
            RoomKind::Direct => true,
            RoomKind::Me => return Err(CommandError::invalid("kind", "a room is public, private or direct")),
        };
        let new = if direct { self.direct_room(by, new.peer).await? } else { self.named_room(by, new)? };
        let room = new.id.clone();
        let created = self.parts.store.create_room(new).await.map_err(|error| unavailable(&error))?;
        match created {
            Some((_, entries)) => {
                for entry in entries {
                    self.note_membership(&entry).await;
                    self.publish(entry);
                }
                Ok((self.room_summary(by, &room).await?, true))
            }
            None if direct => Ok((self.room_summary(by, &room).await?, false)),
            None => Err(CommandError { field: Some("name"), ..CommandError::new(ErrorCode::Conflict, "this name is taken") }),
        }
    }

    fn named_room(&self, by: &Identity, new: CreateRoom) -> Result<NewRoom, CommandError> {
        if self.parts.config.room_creation == RoomCreation::Admins && !by.user.admin {
            return Err(CommandError::forbidden("only administrators create rooms here"));
        }
        let id = RoomId::parse_slug(&new.name).map_err(CommandError::bad_id("name"))?;
        let title = one_line("title", &new.title, TITLE_CHARS_MAX)?;
        Ok(self.new_room(by, id, new.kind, title, new.history, vec![(by.user.id.clone(), Role::Owner)]))
    }

    async fn direct_room(&self, by: &Identity, peer: Option<UserId>) -> Result<NewRoom, CommandError> {
        let peer = peer.ok_or_else(|| CommandError::invalid("user", "say with whom"))?;
        let id = RoomId::direct(&by.user.id, &peer).map_err(CommandError::bad_id("user"))?;
        self.must_exist(&peer).await?;
        let members = vec![(by.user.id.clone(), Role::Member), (peer, Role::Member)];
        Ok(self.new_room(by, id, RoomKind::Direct, String::new(), HistoryPolicy::All, members))
    }

    fn new_room(
        &self,
        by: &Identity,
        id: RoomId,
        kind: RoomKind,
        title: String,
        history: HistoryPolicy,
        members: Vec<(UserId, Role)>,
    ) -> NewRoom {
        NewRoom {
            id,
            kind,
            title,
            topic: String::new(),
            history,
            epoch: Epoch::mint(self.parts.rng.next_u64()),
            creator: by.user.id.clone(),
            members,
            at: self.now(),
        }
    }

    pub(super) async fn must_exist(&self, user: &UserId) -> Result<(), CommandError> {
        let found = self.parts.store.user(user).await.map_err(|error| unavailable(&error))?;
        if found.is_some() {
            return Ok(());
        }
        Err(CommandError { field: Some("user"), ..CommandError::new(ErrorCode::NotFound, "there is no such person") })
    }
}
