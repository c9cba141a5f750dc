//! Writing: rooms are flushed to everybody whose cursor is behind, connections that were held up catch up; both in small
//! steps and in turn, so that no room and no connection keeps the others waiting.

use super::room::{Next, Room};
use super::{Flushing, Hub, LAG_EVERY, Outcome, RoomKey, Timer, Tools};
use crate::dialect::Encoding;
use crate::hub::piece::Piece;
use crate::moment::Moment;
use crate::registry::ConnectionId;

/// Members who are written to in one step.
const MEMBERS_PER_STEP: usize = 256;
/// Connections that are served in one step.
const CONNECTIONS_PER_STEP: usize = 64;

/// Borrows what rooms share, beside the rooms.
macro_rules! tools {
    ($hub:expr, $now:expr) => {
        Tools { budget: &mut $hub.budget, reads: &mut $hub.reads, metrics: &$hub.metrics, now: $now }
    };
}
pub(super) use tools;

impl Hub {
    /// Does some of what there is to do.
    pub(crate) fn step(&mut self, now: Moment) {
        for arrived in self.delivered.drain(..) {
            self.metrics.delivered(now.since(arrived));
        }
        self.fire(now);
        let mut members = MEMBERS_PER_STEP;
        while let Some(key) = if members > 0 { self.ready.pop_front() } else { None } {
            members = members.saturating_sub(self.flush(key, members, now));
        }
        for _ in 0..CONNECTIONS_PER_STEP {
            let Some(id) = self.serving.pop_front() else { break };
            self.serve(id, now);
        }
        self.read(now);
        self.make_room();
    }

    fn fire(&mut self, now: Moment) {
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Timer::Flush(key) => self.make_ready(key),
                Timer::Read(key, number) => self.reads.again(key, number),
                Timer::ReadTimeout(request) => self.read_timed_out(request, now),
                Timer::Lag => {
                    self.measure_lag();
                    self.set(now.after(LAG_EVERY), Timer::Lag);
                }
            }
        }
    }

    /// A room has something new: a quiet one is flushed at once, a busy one at its pace.
    pub(super) fn flush_later(&mut self, key: RoomKey, now: Moment) {
        let Some(room) = &mut self.rooms[key] else { return };
        if room.flushing != Flushing::Idle {
            return;
        }
        let due = room.flushed.after(self.flush_tick);
        room.flushing = Flushing::Timed;
        if room.flushed == Moment::default() || due <= now {
            self.make_ready(key);
        } else {
            self.set(due, Timer::Flush(key));
        }
    }

    fn make_ready(&mut self, key: RoomKey) {
        if let Some(room) = self.rooms[key].as_mut().filter(|room| room.flushing == Flushing::Timed) {
            room.flushing = Flushing::Ready;
            self.ready.push_back(key);
        }
    }

    /// A connection may have something to catch up with.
    pub(super) fn serve_later(&mut self, id: ConnectionId) {
        if let Some(listener) = self.listener(id).filter(|listener| !listener.queued) {
            listener.queued = true;
            self.serving.push_back(id);
        }
    }

    /// Writes the news of a room to the next of its members. Gives how many that were.
    fn flush(&mut self, key: RoomKey, members_max: usize, now: Moment) -> usize {
        let Some(room) = self.rooms[key].as_mut().filter(|room| room.flushing == Flushing::Ready) else { return 0 };
        if room.pass == 0 {
            room.begin_pass(now);
        }
        let begin = room.pass;
        let more = room.pass_some(key, members_max, &mut tools!(self, now));
        let members = room.pass - begin;
        let finished = room.pass >= room.members.len();
        if finished {
            let another = room.end_pass();
            let arrived = std::mem::replace(&mut room.arrived, if another { now } else { Moment::NEVER });
            if arrived != Moment::NEVER {
                self.delivered.push(arrived);
            }
            if another {
                self.flush_later(key, now);
            }
        } else {
            self.ready.push_back(key);
        }
        for id in more {
            self.serve_later(id);
        }
        members
    }

    /// Writes one piece from each room that a connection is behind in, beginning where it stopped last time.
    fn serve(&mut self, id: ConnectionId, now: Moment) {
        let Some(listener) = self.listeners.get_mut(id.place()).and_then(Option::as_mut).filter(|listener| listener.id == id)
        else {
            return;
        };
        listener.queued = false;
        let seats = listener.seats.len();
        let mut more = false;
        for step in 0..seats {
            let turn = (listener.turn + step) % seats;
            let seat = listener.seats[turn];
            let Some(room) = &mut self.rooms[seat.room()] else { continue };
            match room.advance(seat.room(), seat.place(), u64::MAX, &mut tools!(self, now)) {
                Outcome::Current | Outcome::Waiting => {}
                Outcome::More => more = true,
                Outcome::Blocked => {
                    listener.turn = turn;
                    return;
                }
                Outcome::Ending => return,
            }
        }
        if more {
            self.serve_later(id);
        }
    }
}

impl Room {
    fn begin_pass(&mut self, now: Moment) {
        (self.flushed, self.pass_head, self.again) = (now, self.head, false);
        if let Some(events) = &mut self.events {
            events.pass();
        }
    }

    /// Ends a flush. True if another one has to follow.
    fn end_pass(&mut self) -> bool {
        self.pass = 0;
        self.flushing = Flushing::Idle;
        let events = self.events.as_ref().is_some_and(|events| events.are_waiting());
        if !events {
            self.events = None;
        }
        events || self.again || self.head > self.pass_head
    }

    /// Writes to some members. Gives those who could take more.
    fn pass_some(&mut self, key: RoomKey, members_max: usize, tools: &mut Tools<'_>) -> Vec<ConnectionId> {
        let mut more = Vec::new();
        let mut shared: Option<(Encoding, Piece)> = None;
        let end = self.members.len().min(self.pass + members_max);
        for place in self.pass..end {
            let member = &self.members[place];
            let (id, encoding) = (member.connection.id, member.connection.encoding());
            let spared = self.events.as_ref().is_some_and(|events| events.spare(id));
            let alike = |(shared, piece): &&(Encoding, Piece)| *shared == encoding && piece.from == member.cursor;
            // Who still catches up may be fed further than the others.
            let usual = !spared && member.told;
            let ready = shared.as_ref().filter(|_| usual && !member.waiting);
            let outcome = if let Some((_, piece)) = ready.filter(alike) {
                self.offer(place, piece, tools)
            } else {
                match self.next_with_events(key, place, tools) {
                    None => continue,
                    Some(Next::Block) => self.wait(key, place, tools.reads),
                    Some(Next::Nothing) => Outcome::Current,
                    Some(Next::Piece(piece)) => {
                        let outcome = self.offer(place, &piece, tools);
                        if usual {
                            shared = Some((encoding, piece));
                        }
                        outcome
                    }
                }
            };
            match outcome {
                Outcome::More => more.push(id),
                Outcome::Blocked => self.count_dropped(tools),
                Outcome::Current | Outcome::Waiting | Outcome::Ending => {}
            }
        }
        self.pass = end;
        more
    }

    /// What to offer to a member in a flush: entries, and behind them the events, if nothing else has to come first.
    /// `None` for somebody who waits for a block.
    fn next_with_events(&mut self, key: RoomKey, place: usize, tools: &mut Tools<'_>) -> Option<Next> {
        let member = &self.members[place];
        if member.waiting {
            self.count_dropped(tools);
            return None;
        }
        let (id, encoding, cursor) = (member.connection.id, member.connection.encoding(), member.cursor);
        let mut piece = match self.next(key, place, u64::MAX, tools) {
            Next::Block => return Some(Next::Block),
            Next::Nothing => Piece::new(cursor),
            Next::Piece(piece) => piece,
        };
        if let Some(events) = self.events.as_ref().filter(|_| piece.to >= self.head) {
            events.collect(id, encoding, &mut piece);
        }
        Some(if piece.is_empty() { Next::Nothing } else { Next::Piece(piece) })
    }

    fn count_dropped(&self, tools: &Tools<'_>) {
        let dropped = self.events.as_ref().map_or(0, |events| events.passing());
        tools.metrics.ephemeral_dropped.inc_by(dropped as u64);
    }
}
