//! `part`: end one's membership. The entry that says so is a fence: behind it none of the person's connections gets
//! anything more of the room.

use salon_core::entry::MemberChange;
use salon_core::ports::{Change, Written};
use salon_core::rules::{Action, Actor, authorise};
use salon_core::{CommandError, RoomId, Seq};
use salon_proto::v1::{self, ack::Data};

use super::{Answer, room_id};
use crate::Service;
use crate::append::{Draft, unexpected};
use crate::session::Session;

impl Service {
    pub(super) async fn part(&self, session: &Session, command: &v1::Part) -> Result<Answer, CommandError> {
        let log = room_id(&command.room, &session.user)?;
        let Seq(seq) = self.end_membership(session.actor(), &log).await?;
        // The session listens until that entry is delivered. Taken out now, and the last one of its gateway, it would
        // leave a hole in what the gateway is told, and the next entries might reach it in front of this answer.
        let data = Data::Part(v1::PartAck { room: log.public().to_owned(), seq });
        Ok(Answer::Detached { data, log })
    }

    /// Returns where the membership ends.
    pub(crate) async fn end_membership(&self, actor: Actor<'_>, room: &RoomId) -> Result<Seq, CommandError> {
        let change = Change::Member { target: actor.user.clone(), change: MemberChange::Left, role: None };
        let written = self
            .append(room, actor, Draft::new(change), |access| authorise(actor, &access.room, &access.standing, Action::Part))
            .await?;
        match written {
            Written::Stored { entry, .. } => Ok(entry.seq),
            Written::Unchanged => Err(CommandError::forbidden("you are not a member of this room")),
            written @ (Written::Duplicate(_)
            | Written::BodyConflict
            | Written::StaleAccess
            | Written::NoSuchMessage
            | Written::NoSuchRoom) => Err(unexpected(&written)),
        }
    }
}
