//! Who is there: people with their sessions and the rooms they belong to. All of it in memory, one lock, no waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use salon_core::presence::{Presence, Shown, Status};
use salon_core::{RoomId, Timestamp, UserId};

use crate::session::{Session, push_compactly};

/// People here are those with a session, and those whose last session ended less than
/// [`salon_core::limits::OFFLINE_AFTER_MS`] ago. All of them are shown as something else than offline.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Boxed: the nodes of the map are not full.
    people: BTreeMap<UserId, Box<Person>>,
    /// For each room the members who are here.
    rooms: BTreeMap<RoomId, BTreeSet<UserId>>,
    /// Who goes offline when, unless they return.
    departing: BTreeSet<(Timestamp, UserId)>,
}

/// About 250 bytes, and 40 for each room.
#[derive(Debug, Default)]
struct Person {
    presence: Presence,
    sessions: Vec<Arc<Session>>,
    rooms: Vec<RoomId>,
    /// The rooms were asked for.
    rooms_known: bool,
}

impl Inner {
    fn forget(&mut self, user: &UserId) -> Vec<RoomId> {
        let Some(person) = self.people.remove(user) else { return Vec::new() };
        for room in &person.rooms {
            self.take_out(user, room);
        }
        person.rooms
    }

    fn take_out(&mut self, user: &UserId, room: &RoomId) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(user);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }
}

impl Roster {
    /// A session begins.
    pub(crate) fn connect(&self, session: &Arc<Session>) {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let person = inner.people.entry(session.user.clone()).or_default();
        if let Some(due) = person.presence.due() {
            inner.departing.remove(&(due, session.user.clone()));
        }
        // Whoever was offline is announced once the rooms are known.
        person.presence.connect(session.key);
        push_compactly(&mut person.sessions, Arc::clone(session));
    }

    /// A session is over. Returns what others see now, if that changed; so do the other methods.
    pub(crate) fn disconnect(&self, session: &Session, now: Timestamp) -> Option<Shown> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let person = inner.people.get_mut(&session.user)?;
        person.sessions.retain(|other| other.key != session.key);
        let shown = person.presence.disconnect(session.key, now);
        if let Some(due) = person.presence.due() {
            inner.departing.insert((due, session.user.clone()));
        }
        shown
    }

    /// A person said how they are.
    pub(crate) fn set(&self, session: &Session, status: Status, text: Option<String>) -> Option<Shown> {
        self.inner.lock().people.get_mut(&session.user)?.presence.set(session.key, status, text)
    }

    /// Time went by: who has gone offline, and the rooms that have to know.
    pub(crate) fn tick(&self, now: Timestamp) -> Vec<(UserId, Shown, Vec<RoomId>)> {
        let mut inner = self.inner.lock();
        let mut gone = Vec::new();
        while let Some((due, user)) = inner.departing.pop_first() {
            if due > now {
                inner.departing.insert((due, user));
                break;
            }
            if let Some(shown) = inner.people.get_mut(&user).and_then(|person| person.presence.tick(now)) {
                let rooms = inner.forget(&user);
                gone.push((user, shown, rooms));
            }
        }
        gone
    }

    /// True the first time that a person's rooms have to be looked up.
    pub(crate) fn needs_rooms(&self, user: &UserId) -> bool {
        let mut inner = self.inner.lock();
        inner.people.get_mut(user).is_some_and(|person| !std::mem::replace(&mut person.rooms_known, true))
    }

    /// They could not be looked up: the next session tries again.
    pub(crate) fn rooms_unknown(&self, user: &UserId) {
        if let Some(person) = self.inner.lock().people.get_mut(user) {
            person.rooms_known = false;
        }
    }

    /// The person belongs to this room. Nothing happens where the person is not here.
    pub(crate) fn add(&self, user: &UserId, room: &RoomId) {
        let mut inner = self.inner.lock();
        let Some(person) = inner.people.get_mut(user) else { return };
        if !person.rooms.contains(room) {
            push_compactly(&mut person.rooms, room.clone());
            inner.rooms.entry(room.clone()).or_default().insert(user.clone());
        }
    }

    /// The person belongs to this room no longer.
    pub(crate) fn remove(&self, user: &UserId, room: &RoomId) {
        let mut inner = self.inner.lock();
        if let Some(person) = inner.people.get_mut(user) {
            person.rooms.retain(|other| other != room);
            inner.take_out(user, room);
        }
    }

    /// The room is gone.
    pub(crate) fn remove_room(&self, room: &RoomId) {
        let mut inner = self.inner.lock();
        for user in inner.rooms.remove(room).unwrap_or_default() {
            if let Some(person) = inner.people.get_mut(&user) {
                person.rooms.retain(|other| other != room);
            }
        }
    }

    pub(crate) fn is_here(&self, user: &UserId) -> bool {
        self.inner.lock().people.contains_key(user)
    }

    /// Is any member of this room here?
    pub(crate) fn tracks(&self, room: &RoomId) -> bool {
        self.inner.lock().rooms.contains_key(room)
    }

    /// How many members of this room are not offline.
    pub(crate) fn online(&self, room: &RoomId) -> u64 {
        self.inner.lock().rooms.get(room).map_or(0, |members| members.len() as u64)
    }

    /// The same, where this member may be new.
    pub(crate) fn online_with(&self, room: &RoomId, member: Option<&UserId>) -> u64 {
        let inner = self.inner.lock();
        let Some(here) = inner.rooms.get(room) else { return u64::from(member.is_some()) };
        here.len() as u64 + u64::from(member.is_some_and(|user| !here.contains(user)))
    }

    /// What others see of a person.
    pub(crate) fn shown(&self, user: &UserId) -> Shown {
        self.inner.lock().people.get(user).map(|person| person.presence.shown().clone()).unwrap_or_default()
    }

    /// The rooms in which a person's status matters.
    pub(crate) fn rooms_of(&self, user: &UserId) -> Vec<RoomId> {
        self.inner.lock().people.get(user).map(|person| person.rooms.clone()).unwrap_or_default()
    }

    pub(crate) fn sessions_of(&self, user: &UserId) -> Vec<Arc<Session>> {
        self.inner.lock().people.get(user).map(|person| person.sessions.clone()).unwrap_or_default()
    }

    /// Any member of the room who is here.
    pub(crate) fn someone_in(&self, room: &RoomId) -> Option<UserId> {
        self.inner.lock().rooms.get(room)?.first().cloned()
    }

    /// The members of a room who are here, with their sessions; of these people only, where they are given.
    pub(crate) fn sessions_in(&self, room: &RoomId, only: Option<&BTreeSet<UserId>>) -> Vec<(UserId, Vec<Arc<Session>>)> {
        let inner = self.inner.lock();
        let Some(here) = inner.rooms.get(room) else { return Vec::new() };
        let with_sessions = |user: &UserId| Some((user.clone(), inner.people.get(user)?.sessions.clone()));
        match only {
            Some(only) => only.intersection(here).filter_map(with_sessions).collect(),
            None => here.iter().filter_map(with_sessions).collect(),
        }
    }
}
