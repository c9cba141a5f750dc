//! `join`: listen to a room on this connection. On a public room, membership comes first where that is allowed.

use salon_core::entry::MemberChange;
use salon_core::limits::{PAGE_MESSAGES_DEFAULT, PAGE_MESSAGES_MAX, RESUME_ENTRIES_MAX};
use salon_core::ports::{Change, Written};
use salon_core::rules::{Action, Actor, authorise};
use salon_core::{CommandError, Epoch, RoomId, RoomKind, Seq, Standing};
use salon_proto::link::frames::Attach;
use salon_proto::link::reply;
use salon_proto::v1::{self, ack::Data, server_frame::Event};

use super::{Answer, room_id};
use crate::access::Access;
use crate::append::{DECISIONS_MAX, Draft, keeps_changing, unexpected};
use crate::link::Request;
use crate::logs::Stale;
use crate::{Service, unavailable};

impl Service {
    pub(super) async fn join(&self, request: Request<'_>, command: v1::Join) -> Result<Answer, CommandError> {
        let session = request.session;
        let room = room_id(&command.room, &session.user)?;
        if !session.has_joined(&room) && session.joined_count() >= self.parts.config.limits.rooms_per_connection_max {
            return Err(CommandError::invalid("room", "too many rooms on this connection: leave one first"));
        }
        for _ in 0..DECISIONS_MAX {
            if self.try_join(request, &room, &command).await?.is_ok() {
                return Ok(Answer::Attached);
            }
        }
        Err(keeps_changing())
    }

    /// Joins, unless somebody's membership ends between reading the room and attaching to it.
    ///
    /// The log is delivered up to the head that was read first. A session that listens still does so then, unless an
    /// entry on its way has ended its membership: whoever was removed and comes back joins anew.
    async fn try_join(&self, request: Request<'_>, room: &RoomId, command: &v1::Join) -> Result<Result<(), Stale>, CommandError> {
        let session = request.session;
        // Nobody but a member is followed for: first the right to enter, then the log, then its head.
        if self.logs.get(room).is_none() {
            self.enter(session.actor(), room).await?;
        }
        let live = self.live(room).await.map_err(|error| unavailable(&error))?.ok_or_else(CommandError::no_such_room)?;
        let access = self.enter(session.actor(), room).await?;
        self.catch_up_with(&live, &access.room).await?;
        let again = session.has_joined(room);
        let (cursor, gap) = if again { (access.room.head, false) } else { self.beginning(&access, command).await? };
        let ack = self.position(&access, access.room.head, gap);
        // What was delivered while the room was being read is caught up too: no entry behind the head has been sent.
        let attached = live.attach(session, &access.room, again, |head| {
            let attach = Attach {
                log: room.as_str().to_owned(),
                room: room.public().to_owned(),
                epoch: access.room.epoch.as_str().to_owned(),
                cursor: cursor.0,
                caught_up_at: head.0,
            };
            let ack = v1::Ack { data: Some(Data::Join(v1::JoinAck { seq: head.0, ..ack })) };
            // A second join changes nothing.
            request.reply(Some(Event::Ack(ack)), (!again).then_some(reply::Effect::Attach(attach)))
        });
        let Ok(attached) = attached else { return Ok(Err(Stale)) };
        if access.standing.member().is_some() {
            self.roster.add(&session.user, &live.log);
        }
        if attached.came && room.owner().is_none() {
            let (session, room) = (std::sync::Arc::clone(session), room.clone());
            self.spawn(|service| async move { service.tell_came(&session, &room).await });
        }
        Ok(Ok(()))
    }

    /// Makes the actor a member where that is missing and allowed. Returns the room as it is then.
    pub(crate) async fn enter(&self, actor: Actor<'_>, room: &RoomId) -> Result<Access, CommandError> {
        for _ in 0..DECISIONS_MAX {
            let row = self.parts.store.room(room, actor.user).await.map_err(|error| unavailable(&error))?;
            let row = row.ok_or_else(CommandError::no_such_room)?;
            authorise(actor, &row.room, &row.standing, Action::Enter)?;
            let access = Access { room: row.room.into(), standing: row.standing };
            let fixed = matches!(access.room.kind, RoomKind::Me | RoomKind::Direct);
            if fixed || matches!(access.standing, Standing::Member(_)) {
                return Ok(access);
            }
            let change = Change::Member { target: actor.user.clone(), change: MemberChange::Joined, role: None };
            match self.append_decided(&access, actor, Draft::new(change)).await? {
                // Read it again: the head is behind one's own membership then.
                Written::Stored { .. } | Written::Unchanged | Written::StaleAccess => {}
                written @ (Written::Duplicate(_) | Written::BodyConflict | Written::NoSuchMessage | Written::NoSuchRoom) => {
                    return Err(unexpected(&written));
                }
            }
        }
        Err(keeps_changing())
    }

    /// Where the connection begins to read, and whether that leaves a gap behind what the client knows.
    async fn beginning(&self, access: &Access, command: &v1::Join) -> Result<(Seq, bool), CommandError> {
        let room = &access.room;
        let visible_from = access.visible_from();
        let mut gap = false;
        if let Some(since) = &command.since {
            let at = Seq(since.seq);
            gap = Epoch::from_stored(&since.epoch) != room.epoch
                || at > room.head
                || at.next() < visible_from
                || room.head.since(at) > RESUME_ENTRIES_MAX;
            if !gap {
                return Ok((at, false));
            }
        }
        let last = command.last.unwrap_or(PAGE_MESSAGES_DEFAULT).min(PAGE_MESSAGES_MAX);
        let before = self.parts.store.before_last_messages(&room.id, visible_from, last).await;
        let before = before.map_err(|error| unavailable(&error))?;
        // Between two messages there may be any number of other entries.
        let earliest = Seq(room.head.0.saturating_sub(RESUME_ENTRIES_MAX).max(visible_from.0.saturating_sub(1)));
        Ok((before.max(earliest).min(room.head), gap))
    }

    fn position(&self, access: &Access, head: Seq, gap: bool) -> v1::JoinAck {
        let member = access.standing.member();
        let own = access.room.kind == RoomKind::Me;
        v1::JoinAck {
            room: access.room.id.public().to_owned(),
            epoch: access.room.epoch.as_str().to_owned(),
            seq: head.0,
            role: member.map_or(if own { "owner" } else { "none" }, |member| member.role.as_str()).to_owned(),
            gap,
            members: if own { 1 } else { access.room.members },
            online: if own { 1 } else { self.roster.online_with(&access.room.id, member.map(|member| &member.user)) },
            unread: member.map_or(0, |member| member.unread),
        }
    }
}
