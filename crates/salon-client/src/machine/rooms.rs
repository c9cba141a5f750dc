//! The rooms that this client listens to, with a position each: the cursor of DESIGN §1, seen from the other side.

use std::collections::BTreeMap;

use salon_core::limits::PAGE_MESSAGES_DEFAULT;
use salon_proto::v1::{self, Entry, JoinAck, Position, entry::Body};

use crate::{Event, Missing};

/// The name of everybody's own log.
pub(crate) const ME: &str = "@me";

#[derive(Debug)]
struct Room {
    epoch: String,
    /// The last entry that the application was given. `None` until there was one: the room begins with its last messages.
    seq: Option<u64>,
    /// The head when this connection joined: entries up to there are catch-up.
    head: u64,
    /// How many messages the application wanted to begin with.
    last: Option<u32>,
    /// Joined on the present connection.
    live: bool,
    /// The application is about to leave it: not to be joined again.
    leaving: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: BTreeMap<String, Room>,
}

/// What to do with an entry.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Deliver,
    DeliverAfter(Missing),
    /// It was delivered before.
    Repeated,
}

impl Rooms {
    /// The joins that continue every room on a new connection; one's own log first, because it tells about the others.
    pub(crate) fn rejoins(&self) -> Vec<v1::Join> {
        let mut joins: Vec<v1::Join> =
            self.rooms.iter().filter(|(_, room)| !room.leaving).map(|(name, room)| room.rejoin(name)).collect();
        joins.sort_by_key(|join| join.room != ME);
        joins
    }

    /// The server acknowledged a join.
    pub(crate) fn joined(&mut self, join: &v1::Join, ack: &JoinAck, events: &mut impl Extend<Event>, resumed: bool) {
        let known = self.rooms.get(&join.room);
        if known.is_some_and(|room| room.live) {
            // A second join tells the position and replays nothing.
            events.extend([Event::Joined { ack: ack.clone(), resumed }]);
            return;
        }
        let since = join.since.clone().filter(|since| since.epoch == ack.epoch && !ack.gap);
        if let Some(since) = join.since.clone().filter(|_| ack.gap) {
            let missing = if since.epoch == ack.epoch { Missing::Behind { since } } else { Missing::Epoch { had: since } };
            events.extend([Event::Gap { room: join.room.clone(), missing }]);
        }
        let room = Room {
            epoch: ack.epoch.clone(),
            seq: since.map(|since| since.seq),
            head: ack.seq,
            last: if resumed { known.and_then(|room| room.last) } else { join.last },
            live: true,
            leaving: known.is_some_and(|room| room.leaving),
        };
        self.rooms.insert(join.room.clone(), room);
        events.extend([Event::Joined { ack: ack.clone(), resumed }]);
    }

    /// An entry arrived.
    pub(crate) fn entry(&mut self, entry: &Entry, me: &str) -> Verdict {
        let Some(room) = self.rooms.get_mut(&entry.room) else { return Verdict::Deliver };
        let verdict = room.advance(entry);
        let ends_membership = match &entry.body {
            Some(Body::Member(member)) => {
                member.target == me && matches!(&*member.change, "left" | "removed" | "banned") && entry.seq > room.head
            }
            Some(_) | None => false,
        };
        if ends_membership && verdict != Verdict::Repeated {
            self.rooms.remove(&entry.room);
        }
        verdict
    }

    /// Everything up to `seq` was sent, whatever of it the application may see.
    pub(crate) fn caught_up(&mut self, at: &v1::CaughtUp) {
        if let Some(room) = self.rooms.get_mut(&at.room) {
            room.seq = Some(room.seq.unwrap_or(0).max(at.seq));
        }
    }

    pub(crate) fn set_leaving(&mut self, name: &str, leaving: bool) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.leaving = leaving;
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.rooms.remove(name);
    }

    pub(crate) fn disconnected(&mut self) {
        for room in self.rooms.values_mut() {
            room.live = false;
        }
    }
}

impl Room {
    /// Where nothing has arrived yet, the application knows the head at which it joined, so everything behind that has
    /// to come; the messages to begin with lie within as many entries before it.
    fn rejoin(&self, name: &str) -> v1::Join {
        let before = u64::from(self.last.unwrap_or(PAGE_MESSAGES_DEFAULT));
        let seq = self.seq.unwrap_or_else(|| self.head.saturating_sub(before));
        v1::Join { room: name.to_owned(), since: Some(Position { epoch: self.epoch.clone(), seq }), last: self.last }
    }

    fn advance(&mut self, entry: &Entry) -> Verdict {
        if entry.epoch != self.epoch {
            let had = Position { epoch: std::mem::replace(&mut self.epoch, entry.epoch.clone()), seq: self.seq.unwrap_or(0) };
            self.seq = Some(entry.seq);
            return Verdict::DeliverAfter(Missing::Epoch { had });
        }
        match self.seq.replace(entry.seq) {
            None => Verdict::Deliver,
            Some(had) if entry.seq <= had => {
                self.seq = Some(had);
                Verdict::Repeated
            }
            Some(had) if entry.seq == had + 1 => Verdict::Deliver,
            Some(had) => Verdict::DeliverAfter(Missing::Hole { first: had + 1, last: entry.seq - 1 }),
        }
    }
}
