//! Changing who belongs to a room: invitations, removals, bans, roles.

use salon_core::entry::MemberChange;
use salon_core::ports::{Change, News, Written};
use salon_core::rules::{Action, Actor, authorise};
use salon_core::{CommandError, Role, RoomId, Standing, UserId};
use salon_proto::v1;

use super::edit::changed;
use crate::access::Access;
use crate::append::{DECISIONS_MAX, Draft, keeps_changing};
use crate::{Identity, Service, unavailable};

impl Service {
    /// Invites, removes, bans, or gives a role; `Joined` and `Left` are for oneself only.
    ///
    /// Removing somebody who is banned lifts the ban; removing somebody who is invited withdraws the invitation.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `invalid`.
    pub async fn change_member(
        &self,
        by: &Identity,
        room: &RoomId,
        target: &UserId,
        change: MemberChange,
        role: Option<Role>,
    ) -> Result<v1::ChangeAck, CommandError> {
        let actor = by.actor();
        match change {
            MemberChange::Joined if target == actor.user => return self.join_room(actor, room).await,
            MemberChange::Left if target == actor.user => {
                let seq = self.end_membership(actor, room).await?;
                return Ok(v1::ChangeAck { room: room.public().to_owned(), seq: Some(seq.0), duplicate: false });
            }
            MemberChange::Invited | MemberChange::Banned => self.must_exist(target).await?,
            MemberChange::Joined | MemberChange::Left | MemberChange::Removed | MemberChange::Role => {}
        }
        for _ in 0..DECISIONS_MAX {
            let written = self.try_change_member(actor, room, target, change, role).await?;
            if written != Written::StaleAccess {
                return changed(room, &written);
            }
        }
        Err(keeps_changing())
    }

    async fn try_change_member(
        &self,
        actor: Actor<'_>,
        room: &RoomId,
        target: &UserId,
        change: MemberChange,
        role: Option<Role>,
    ) -> Result<Written, CommandError> {
        // The target's standing first: it is not newer than the version that the decision is bound to.
        let theirs = self.parts.store.room(room, target).await.map_err(|error| unavailable(&error))?;
        let theirs = theirs.ok_or_else(CommandError::no_such_room)?;
        let mine = self.parts.store.room(room, actor.user).await.map_err(|error| unavailable(&error))?;
        let mine = mine.ok_or_else(CommandError::no_such_room)?;
        if mine.room.access != theirs.room.access {
            return Ok(Written::StaleAccess);
        }
        if change == MemberChange::Invited && theirs.standing == Standing::Banned {
            authorise(actor, &mine.room, &mine.standing, Action::See)?;
            return Err(CommandError::forbidden("this person is banned: lift the ban first, by removing them"));
        }
        let target_role = theirs.standing.member().map(|member| member.role);
        let action = Action::Member { target, change, target_role, role };
        authorise(actor, &mine.room, &mine.standing, action)?;
        let access = Access { room: mine.room.into(), standing: mine.standing };
        let draft = Draft {
            change: Change::Member { target: target.clone(), change, role },
            idempotency: None,
            news: news(target, change, &theirs.standing),
        };
        self.append_decided(&access, actor, draft).await
    }

    async fn join_room(&self, actor: Actor<'_>, room: &RoomId) -> Result<v1::ChangeAck, CommandError> {
        let before = self.parts.store.room(room, actor.user).await.map_err(|error| unavailable(&error))?;
        let duplicate = before.is_some_and(|row| row.standing.member().is_some());
        let access = self.enter(actor, room).await?;
        let seq = Some(access.room.head.0).filter(|_| !duplicate);
        Ok(v1::ChangeAck { room: room.public().to_owned(), seq, duplicate })
    }
}

/// What the target is told in their own log.
fn news(target: &UserId, change: MemberChange, standing: &Standing) -> Vec<News> {
    let to = target.clone();
    match (change, standing) {
        (MemberChange::Invited, Standing::Stranger) => vec![News::RoomAdded { to }],
        (MemberChange::Removed | MemberChange::Banned, Standing::Member(_) | Standing::Invited) => {
            vec![News::RoomRemoved { to }]
        }
        (MemberChange::Invited, Standing::Member(_) | Standing::Invited | Standing::Banned)
        | (MemberChange::Removed | MemberChange::Banned, Standing::Stranger | Standing::Banned)
        | (MemberChange::Joined | MemberChange::Left | MemberChange::Role, _) => Vec::new(),
    }
}
