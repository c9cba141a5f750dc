//! Sessions: what the service remembers of a connection that some gateway holds.
//!
//! There are many of them and most are idle, so this is small: 160 bytes, with no task, timer or buffer each. With its
//! places in the maps (link, live log, roster) and its person, one idle session more that has joined a room costs
//! 0.7 KB of resident memory (707 bytes measured between 2,000 and 7,000 sessions of as many people).

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use salon_core::rules::Actor;
use salon_core::{LoginId, RoomId, UserId};
use salon_proto::link::frames::Command;

use crate::Identity;
use crate::link::Link;

/// Tells the sessions of this process apart, over all links.
pub(crate) type SessionKey = u64;

pub(crate) struct Session {
    pub(crate) key: SessionKey,
    /// What its public id `s_…` is made of.
    pub(crate) id: u128,
    pub(crate) link: Arc<Link>,
    /// The gateway's number for it.
    pub(crate) number: u64,
    pub(crate) user: UserId,
    pub(crate) admin: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    login: Option<LoginId>,
    joined: Vec<RoomId>,
    lanes: Vec<Lane>,
    /// Commands in all lanes, the running ones included.
    pending: usize,
}

/// The commands of a session for one room, while there are any. `None` is the lane of the commands without a room.
struct Lane {
    room: Option<RoomId>,
    waiting: VecDeque<Command>,
}

/// What to do with a command that was put into its lane.
#[derive(Debug, PartialEq)]
pub(crate) enum Queued {
    /// The lane is new: run it, this command first.
    Run(Box<Command>),
    /// Somebody runs the lane.
    Waits,
    /// More than the client was told it may have in flight.
    TooMany,
}

impl Session {
    pub(crate) fn new(key: SessionKey, id: u128, link: Arc<Link>, number: u64, identity: &Identity) -> Self {
        let state = State { login: identity.login.clone(), ..State::default() };
        Self { key, id, link, number, user: identity.user.id.clone(), admin: identity.user.admin, state: Mutex::new(state) }
    }

    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor { user: &self.user, admin: self.admin }
    }

    /// Takes a room into what the session listens to. False where the session is gone.
    pub(crate) fn enter(&self, log: &RoomId) -> bool {
        let mut state = self.state.lock();
        if !state.closed && !state.joined.contains(log) {
            push_compactly(&mut state.joined, log.clone());
        }
        !state.closed
    }

    /// The session listens to the room no more.
    pub(crate) fn quit(&self, log: &RoomId) {
        self.state.lock().joined.retain(|joined| joined != log);
    }

    pub(crate) fn has_joined(&self, log: &RoomId) -> bool {
        self.state.lock().joined.contains(log)
    }

    pub(crate) fn joined_count(&self) -> usize {
        self.state.lock().joined.len()
    }

    /// Ends the session: nothing can be joined any more. Returns what it listened to, the first time.
    pub(crate) fn close(&self) -> Option<Vec<RoomId>> {
        let mut state = self.state.lock();
        if state.closed {
            return None;
        }
        state.closed = true;
        Some(std::mem::take(&mut state.joined))
    }

    /// Does ending this login (`None`: all of the person's) end the session?
    pub(crate) fn depends_on(&self, login: Option<&LoginId>) -> bool {
        login.is_none_or(|ended| self.state.lock().login.as_ref() == Some(ended))
    }

    /// From now on the session lives as long as this login.
    pub(crate) fn renew(&self, login: Option<LoginId>) {
        self.state.lock().login = login;
    }

    /// Puts a command behind those for the same room.
    pub(crate) fn queue(&self, room: Option<RoomId>, command: Command, pending_max: usize) -> Queued {
        let mut state = self.state.lock();
        if state.pending >= pending_max {
            return Queued::TooMany;
        }
        state.pending += 1;
        if let Some(lane) = state.lanes.iter_mut().find(|lane| lane.room == room) {
            lane.waiting.push_back(command);
            return Queued::Waits;
        }
        state.lanes.push(Lane { room, waiting: VecDeque::new() });
        Queued::Run(Box::new(command))
    }

    /// The command of a lane is done. Returns the next one; where there is none, the lane is gone.
    pub(crate) fn next_in_lane(&self, room: Option<&RoomId>) -> Option<Command> {
        let mut state = self.state.lock();
        state.pending -= 1;
        let at = state.lanes.iter().position(|lane| lane.room.as_ref() == room)?;
        let next = state.lanes[at].waiting.pop_front();
        if next.is_none() {
            state.lanes.swap_remove(at);
            if state.lanes.is_empty() {
                // An idle session keeps nothing.
                state.lanes = Vec::new();
            }
        }
        next
    }
}

/// Pushes without room for more in a list that mostly stays at one.
pub(crate) fn push_compactly<T>(list: &mut Vec<T>, value: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(value);
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("key", &self.key).field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Session>() <= 160, "{}", size_of::<Session>());
    }

    #[test]
    fn a_list_of_one_has_room_for_one() {
        let mut list = Vec::new();
        push_compactly(&mut list, 1_u64);
        assert_eq!(list.capacity(), 1);
    }
}
