//! Who listens to a live log: sessions, and the gateways that hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use salon_core::{CommandError, Room, RoomId, Seq, UserId};
use salon_proto::link::service_frame::Frame;
use smallvec::SmallVec;

use super::{LiveLog, State};
use crate::Service;
use crate::link::Link;
use crate::session::{Session, SessionKey};

/// Something has changed since the decision to attach: decide again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stale;

/// What came of attaching.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attached {
    /// None of this person's connections listened before.
    pub(crate) came: bool,
}

/// About 48 bytes for each session.
#[derive(Default)]
pub(super) struct Listeners {
    sessions: BTreeMap<(UserId, SessionKey), Arc<Session>>,
    links: SmallVec<[(Arc<Link>, u32); 1]>,
}

impl Listeners {
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.links.iter().map(|(link, _)| link)
    }

    fn add(&mut self, session: &Arc<Session>) {
        let key = (session.user.clone(), session.key);
        if self.sessions.insert(key, Arc::clone(session)).is_some() {
            return;
        }
        match self.links.iter_mut().find(|(link, _)| link.number == session.link.number) {
            Some((_, sessions)) => *sessions += 1,
            None => self.links.push((Arc::clone(&session.link), 1)),
        }
    }

    /// True if the session listened.
    fn remove(&mut self, session: &Session) -> bool {
        if self.sessions.remove(&(session.user.clone(), session.key)).is_none() {
            return false;
        }
        if let Some(at) = self.links.iter().position(|(link, _)| link.number == session.link.number) {
            self.links[at].1 -= 1;
            if self.links[at].1 == 0 {
                self.links.remove(at);
            }
        }
        true
    }

    pub(super) fn of(&self, user: &UserId) -> Vec<Arc<Session>> {
        let range = (user.clone(), 0)..=(user.clone(), SessionKey::MAX);
        self.sessions.range(range).map(|(_, session)| Arc::clone(session)).collect()
    }

    fn has_session(&self, session: &Session) -> bool {
        self.sessions.contains_key(&(session.user.clone(), session.key))
    }

    fn has(&self, user: &UserId) -> bool {
        self.sessions.range((user.clone(), 0)..=(user.clone(), SessionKey::MAX)).next().is_some()
    }

    /// Ends the listening of one person, or of everybody.
    pub(super) fn expel(&mut self, log: &RoomId, user: Option<&UserId>) {
        let expelled = match user {
            Some(user) => self.of(user),
            None => self.sessions.values().cloned().collect(),
        };
        for session in expelled {
            self.remove(&session);
            session.quit(log);
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        self.sessions.values().cloned().collect()
    }
}

impl State {
    /// Whether the gateways still have to be given entries that were there when the room was read.
    fn is_behind(&self, room: &Room) -> bool {
        !self.gone && self.epoch.as_ref() == Some(&room.epoch) && self.head < room.head
    }

    /// Whether what was decided on this reading of the room still holds: nobody's membership has ended since.
    fn bears_out(&self, room: &Room) -> bool {
        !self.gone && self.epoch.as_ref() == Some(&room.epoch) && self.fence <= room.head && room.head <= self.head
    }
}

impl LiveLog {
    /// Lets a session listen behind the head, if the decision made on `room` still holds. `again`: it is expected to
    /// listen already, and only asks where it stands. `reply` gets the head and makes the frame that says so; it is
    /// sent before any entry behind that head.
    ///
    /// To every gateway a log is one stream, and this is a place in it: what is in front of the reply was delivered
    /// before, every entry behind the head follows, and a fence behind the reply is a fence for this session.
    pub(crate) fn attach(
        &self,
        session: &Arc<Session>,
        room: &Room,
        again: bool,
        reply: impl FnOnce(Seq) -> Frame,
    ) -> Result<Attached, Stale> {
        let mut state = self.state.lock();
        if !state.bears_out(room) || state.listeners.has_session(session) != again {
            return Err(Stale);
        }
        if !session.enter(&self.log) {
            // The socket is gone: nobody waits for the reply.
            return Ok(Attached { came: false });
        }
        let came = !state.listeners.has(&session.user);
        state.listeners.add(session);
        session.link.outbox.send(reply(state.head));
        Ok(Attached { came })
    }

    /// Returns when the gateways were given everything that was there when the room was read, or never will be.
    async fn has_caught_up_with(&self, room: &Room) {
        loop {
            let progress = self.progress.notified();
            if !self.state.lock().is_behind(room) {
                return;
            }
            progress.await;
        }
    }

    /// What is ephemeral, for everybody who listens. `make` gets the session that is left out, on its own link.
    pub(crate) fn offer(&self, except: Option<&Session>, make: impl Fn(Option<u64>) -> Frame) {
        let state = self.state.lock();
        for link in state.listeners.links() {
            let left_out = except.filter(|session| session.link.number == link.number).map(|session| session.number);
            link.outbox.offer(make(left_out));
        }
    }
}

impl Service {
    /// Sees to it that the gateways are given everything that was there when the room was read: entries that ended
    /// memberships before that are behind them then, whatever the bus has lost.
    pub(crate) async fn catch_up_with(&self, live: &Arc<LiveLog>, room: &Room) -> Result<(), CommandError> {
        let (known, start) = {
            let mut state = live.state.lock();
            let known = state.epoch.as_ref() == Some(&room.epoch);
            if known {
                state.target = state.target.max(room.head);
            }
            (known, state.start_pump())
        };
        if start {
            self.start_pump(live);
        }
        if !known {
            // The log may go on under another epoch.
            self.compare_heads(std::slice::from_ref(&live.log)).await;
        }
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(CommandError::unavailable("the server is about to stop")),
            () = live.has_caught_up_with(room) => Ok(()),
        }
    }

    /// Ends the listening of a session. True if it was the person's last one that listened to this log.
    pub(crate) fn detach(&self, session: &Session, log: &RoomId) -> bool {
        let Some(live) = self.logs.get(log) else { return false };
        let mut state = live.state.lock();
        session.quit(log);
        state.listeners.remove(session) && !state.listeners.has(&session.user)
    }
}
