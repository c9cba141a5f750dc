//! Rooms as the REST interface changes them.

use salon_core::{CommandError, HistoryPolicy, MemberChange, Role, RoomChange, RoomId, RoomKind, UserId};
use salon_proto::v1;

use crate::{Identity, Service};

/// A room to be created. A direct room needs `peer` and no name.
#[derive(Debug, Clone)]
pub struct CreateRoom {
    pub name: String,
    pub title: String,
    pub kind: RoomKind,
    pub peer: Option<UserId>,
    pub history: HistoryPolicy,
}

fn later<T>() -> Result<T, CommandError> {
    Err(CommandError::unavailable("not built yet"))
}

impl Service {
    /// Creates a room; its creator owns it. A direct room that exists already is simply returned (`false`).
    ///
    /// # Errors
    /// `conflict` where the name is taken, `forbidden` where this person may not create rooms, `invalid`.
    pub async fn create_room(&self, _by: &Identity, _new: CreateRoom) -> Result<(v1::RoomSummary, bool), CommandError> {
        later()
    }

    /// One room as the asker sees it.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn room_summary(&self, _by: &Identity, _room: &RoomId) -> Result<v1::RoomSummary, CommandError> {
        later()
    }

    /// Changes title, topic, settings, or archives the room.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `invalid`.
    pub async fn update_room(&self, _by: &Identity, _room: &RoomId, _change: RoomChange) -> Result<v1::ChangeAck, CommandError> {
        later()
    }

    /// Erases a room and everything in it.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn delete_room(&self, _by: &Identity, _room: &RoomId) -> Result<(), CommandError> {
        later()
    }

    /// Invites, removes, bans, or gives a role; `Joined` and `Left` are for oneself only.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `invalid`.
    pub async fn change_member(
        &self,
        _by: &Identity,
        _room: &RoomId,
        _target: &UserId,
        _change: MemberChange,
        _role: Option<Role>,
    ) -> Result<v1::ChangeAck, CommandError> {
        later()
    }

    /// A page of rooms, members or history: the same as over WebSocket.
    ///
    /// # Errors
    /// `not_found`, `invalid`.
    pub async fn list_rooms(&self, _by: &Identity, _query: v1::ListRooms) -> Result<v1::RoomsPage, CommandError> {
        later()
    }

    /// See [`Service::list_rooms`].
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `invalid`.
    pub async fn list_members(&self, _by: &Identity, _query: v1::ListMembers) -> Result<v1::MembersPage, CommandError> {
        later()
    }
}
