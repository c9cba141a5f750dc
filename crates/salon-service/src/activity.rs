//! Activity: what people learn about rooms that they belong to but have not joined on a connection. At most once a
//! second per room and person; the last state wins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use salon_core::limits::ACTIVITY_MEMBERS_MAX;
use salon_core::{Entry, EntryBody, MemberChange, RoomId, UserId};
use salon_proto::json;
use salon_proto::link::frames::SessionEvent;
use salon_proto::link::service_frame::Frame;
use salon_proto::v1::{self, server_frame::Event};

use crate::Service;
use crate::link::Link;
use crate::logs::LiveLog;
use crate::session::Session;

/// How often activity is told, in milliseconds.
pub(crate) const ACTIVITY_EVERY_MS: u64 = 1_000;
/// Read marks that are looked up in one round; the rooms beyond it have their turn in the next.
const LOOKUPS_PER_ROUND_MAX: usize = 1_000;

/// Rooms with new messages since the last round. Bounded by the rooms of the people who are here.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    rooms: Mutex<BTreeMap<RoomId, BTreeSet<UserId>>>,
}

impl Activity {
    /// There is a message, with these people mentioned in it.
    fn note(&self, room: &RoomId, mentions: &[UserId]) {
        self.rooms.lock().entry(room.clone()).or_default().extend(mentions.iter().cloned());
    }

    /// A room has to wait for the next round.
    fn put_back(&self, room: RoomId, mentioned: BTreeSet<UserId>) {
        self.rooms.lock().entry(room).or_default().extend(mentioned);
    }
}

impl Service {
    /// What follows from entries that the gateways were given.
    pub(crate) fn after_delivery(&self, live: &LiveLog, run: &[Arc<Entry>]) {
        for entry in run {
            match &entry.body {
                EntryBody::Message(message) => self.activity.note(&live.log, &message.mentions),
                EntryBody::Member { target, change, .. } => match change {
                    MemberChange::Joined => self.roster.add(target, &live.log),
                    MemberChange::Left | MemberChange::Removed | MemberChange::Banned => {
                        self.roster.remove(target, &live.log);
                    }
                    MemberChange::Invited | MemberChange::Role => {}
                },
                EntryBody::Edit { .. }
                | EntryBody::Delete { .. }
                | EntryBody::React { .. }
                | EntryBody::Room(_)
                | EntryBody::Call { .. }
                | EntryBody::RoomAdded { .. }
                | EntryBody::RoomRemoved { .. }
                | EntryBody::Mention { .. }
                | EntryBody::Read { .. }
                | EntryBody::Notice { .. } => {}
            }
        }
    }

    /// One round: tells everybody concerned what has become of the rooms with new messages.
    pub(crate) async fn tell_activity(&self) {
        let mut rooms = std::mem::take(&mut *self.activity.rooms.lock());
        let mut lookups = 0;
        while let Some((room, mentioned)) = rooms.pop_first() {
            let concerned = self.concerned(&room, &mentioned).await;
            if lookups > 0 && lookups + concerned.len() > LOOKUPS_PER_ROUND_MAX {
                self.activity.put_back(room, mentioned);
                break;
            }
            lookups += concerned.len();
            for (user, sessions) in concerned {
                self.tell_activity_to(&room, &user, &sessions).await;
            }
        }
        for (room, mentioned) in rooms {
            self.activity.put_back(room, mentioned);
        }
    }

    /// The members of a room who are here, with those of their sessions that have not joined it. In a large room, those
    /// of them who were mentioned.
    async fn concerned(&self, room: &RoomId, mentioned: &BTreeSet<UserId>) -> Vec<(UserId, Vec<Arc<Session>>)> {
        let Some(someone) = self.roster.someone_in(room) else { return Vec::new() };
        let mut concerned = match self.room(room, &someone).await {
            Ok(Some(row)) if row.members > ACTIVITY_MEMBERS_MAX => self.roster.sessions_in(room, Some(mentioned)),
            Ok(Some(_)) => self.roster.sessions_in(room, None),
            Ok(None) | Err(_) => return Vec::new(),
        };
        for (_, sessions) in &mut concerned {
            sessions.retain(|session| !session.has_joined(room));
        }
        concerned.retain(|(_, sessions)| !sessions.is_empty());
        concerned
    }

    async fn tell_activity_to(&self, room: &RoomId, user: &UserId, sessions: &[Arc<Session>]) {
        // Best effort: where the store does not answer, the next message tells.
        let Ok(Some(row)) = self.parts.store.room(room, user).await else { return };
        let Some(member) = row.standing.member() else {
            self.roster.remove(user, room);
            return;
        };
        let event = Event::Activity(v1::Activity {
            room: room.public().to_owned(),
            seq: row.room.head.0,
            unread: member.unread,
            mentions: member.mentions,
        });
        if self.revoked.holding() {
            return;
        }
        for (link, numbers) in by_link(sessions) {
            link.outbox.offer(Frame::SessionEvent(SessionEvent { sessions: numbers, frame: Some(json::event(event.clone())) }));
        }
    }
}

fn by_link(sessions: &[Arc<Session>]) -> Vec<(&Arc<Link>, Vec<u64>)> {
    let mut links: Vec<(&Arc<Link>, Vec<u64>)> = Vec::new();
    for session in sessions {
        match links.iter_mut().find(|(link, _)| link.number == session.link.number) {
            Some((_, numbers)) => numbers.push(session.number),
            None => links.push((&session.link, vec![session.number])),
        }
    }
    links
}
