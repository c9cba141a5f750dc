//! `members`: who belongs to a room, and how they are.

use salon_core::limits::LIST_MAX;
use salon_core::rules::{Action, Actor, authorise};
use salon_core::{CommandError, UserId};
use salon_proto::v1;

use super::room_id;
use crate::{Identity, Service, unavailable};

impl Service {
    /// A page of members: the same as over WebSocket.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `invalid`.
    pub async fn list_members(&self, by: &Identity, query: v1::ListMembers) -> Result<v1::MembersPage, CommandError> {
        self.members(by.actor(), &query).await
    }

    pub(super) async fn members(&self, by: Actor<'_>, query: &v1::ListMembers) -> Result<v1::MembersPage, CommandError> {
        let room = room_id(&query.room, by.user)?;
        let after = query.cursor.as_deref().map(UserId::parse).transpose();
        let after = after.map_err(|_| CommandError::invalid("cursor", "not a cursor from an earlier page"))?;
        let limit = query.limit.unwrap_or(LIST_MAX).clamp(1, LIST_MAX);
        let row = self.parts.store.room(&room, by.user).await.map_err(|error| unavailable(&error))?;
        let row = row.ok_or_else(CommandError::no_such_room)?;
        authorise(by, &row.room, &row.standing, Action::See)?;
        let members = self.parts.store.members(&room, after.as_ref(), limit).await;
        let members = members.map_err(|error| unavailable(&error))?;
        let names = self.names(members.iter().map(|member| &member.user)).await.map_err(|error| unavailable(&error))?;
        let next = members.last().filter(|_| members.len() >= limit as usize).map(|last| last.user.as_str().to_owned());
        let members = members.into_iter().map(|member| v1::MemberSummary {
            name: names.of(&member.user),
            role: member.role.as_str().to_owned(),
            status: self.roster.shown(&member.user).status.as_str().to_owned(),
            user: member.user.as_str().to_owned(),
        });
        Ok(v1::MembersPage { members: members.collect(), next })
    }
}
