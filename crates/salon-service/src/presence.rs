//! Telling rooms who is there. In rooms of up to [`PRESENCE_MEMBERS_MAX`] members person by person, in larger ones as
//! counts, at most once a second.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use salon_core::limits::PRESENCE_MEMBERS_MAX;
use salon_core::presence::Shown;
use salon_core::{RoomId, UserId};
use salon_proto::json;
use salon_proto::link::frames::RoomEvent;
use salon_proto::link::service_frame::Frame;
use salon_proto::v1::{self, server_frame::Event};

use crate::Service;
use crate::session::Session;

/// How often the counts of large rooms are told, in milliseconds.
pub(crate) const CROWDS_EVERY_MS: u64 = 1_000;

/// Large rooms whose counts have changed, each with somebody who changed them. Bounded by the rooms of the people who
/// are here.
#[derive(Debug, Default)]
pub(crate) struct Crowds {
    changed: Mutex<BTreeMap<RoomId, UserId>>,
}

impl Service {
    /// A person's status as it is now, told in all of their rooms.
    pub(crate) async fn tell_presence(&self, user: &UserId) {
        let shown = self.roster.shown(user);
        self.tell_shown(user, &shown, self.roster.rooms_of(user)).await;
    }

    /// What others see of a person has changed.
    pub(crate) async fn tell_shown(&self, user: &UserId, shown: &Shown, rooms: Vec<RoomId>) {
        for room in rooms {
            let presence = v1::Presence {
                status: Some(shown.status.as_str().to_owned()),
                text: shown.text.clone(),
                last_seen: shown.last_seen.map(|at| at.to_string()),
                ..v1::Presence::default()
            };
            self.tell_room(user, &room, "presence", presence, None).await;
        }
    }

    /// The person listens in this room, on the first connection that does.
    pub(crate) async fn tell_came(&self, session: &Session, room: &RoomId) {
        self.tell_change(&session.user, room, "came", Some(session)).await;
    }

    /// The person's last connection that listened in this room does no more.
    pub(crate) async fn tell_went(&self, user: &UserId, room: &RoomId) {
        self.tell_change(user, room, "went", None).await;
    }

    async fn tell_change(&self, user: &UserId, room: &RoomId, change: &str, except: Option<&Session>) {
        let shown = self.roster.shown(user);
        let presence = v1::Presence {
            status: Some(shown.status.as_str().to_owned()),
            text: shown.text,
            change: Some(change.to_owned()),
            ..v1::Presence::default()
        };
        self.tell_room(user, room, "came", presence, except).await;
    }

    async fn tell_room(&self, user: &UserId, room: &RoomId, kind: &str, presence: v1::Presence, except: Option<&Session>) {
        let Some(live) = self.logs.get(room).filter(|live| live.has_listeners()) else { return };
        if room.owner().is_some() {
            return;
        }
        // Best effort: where the store does not answer, nobody is told.
        let Ok(Some(row)) = self.room(room, user).await else { return };
        if row.members > PRESENCE_MEMBERS_MAX {
            self.crowds.changed.lock().insert(room.clone(), user.clone());
            return;
        }
        let Ok(name) = self.name(user).await else { return };
        let presence = v1::Presence {
            user: Some(user.as_str().to_owned()),
            name: Some(name.as_ref().to_owned()),
            room: Some(room.as_str().to_owned()),
            ..presence
        };
        let event = Event::Presence(presence);
        self.offer(&live, &format!("{kind} {user}"), &event, except);
    }

    /// An ephemeral event for everybody who listens to a log. While deliveries are held back, nobody gets it.
    pub(crate) fn offer(&self, live: &crate::logs::LiveLog, key: &str, event: &Event, except: Option<&Session>) {
        if self.revoked.holding() {
            return;
        }
        live.offer(except, |except| {
            Frame::RoomEvent(RoomEvent {
                log: live.log.as_str().to_owned(),
                key: key.to_owned(),
                frame: Some(json::event(event.clone())),
                except,
            })
        });
    }

    /// Tells the large rooms that have changed how many are there.
    pub(crate) async fn tell_crowds(&self) {
        let changed = std::mem::take(&mut *self.crowds.changed.lock());
        for (room, user) in changed {
            let Some(live) = self.logs.get(&room).filter(|live| live.has_listeners()) else { continue };
            let Ok(Some(row)) = self.room(&room, &user).await else { continue };
            let presence = v1::Presence {
                room: Some(room.as_str().to_owned()),
                online: Some(self.roster.online(&room)),
                members: Some(row.members),
                ..v1::Presence::default()
            };
            self.offer(&live, "crowd", &Event::Presence(presence), None);
        }
    }
}
