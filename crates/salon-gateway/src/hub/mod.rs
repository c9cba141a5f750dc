//! The hub: a window and a cursor for every member, per log. It is told what the service says and what the sockets do,
//! in order, by one task; it writes to sockets directly, never waits, and queues nothing per connection.

mod budget;
mod catch_up;
mod events;
mod fence;
mod flush;
#[cfg(test)]
mod kit;
mod piece;
mod reading;
mod room;
#[cfg(test)]
mod tests;
mod unclaimed;
mod window;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use salon_core::MessageId;
use salon_proto::link::frames::{Attach, LogEntry, ReadBlock, RoomEvent};
use salon_proto::v1::{Entry, entry::Body};
use smallvec::SmallVec;

use crate::config::GatewayConfig;
use crate::connection::Connection;
use crate::metrics::{Metrics, gauge};
use crate::moment::Moment;
use crate::registry::ConnectionId;
use crate::session::{Close, code};
use budget::{Budget, Kept};
use catch_up::Reads;
use room::{Flushing, Member, Outcome, Room, Tools};
use unclaimed::Unclaimed;

/// How often it is counted who is behind.
const LAG_EVERY: Duration = Duration::from_secs(5);

/// Where a room lies. A room that is gone leaves its key to another; whoever comes with an old one finds nothing to do.
type RoomKey = usize;

#[derive(Debug)]
pub(crate) struct Hub {
    flush_tick: Duration,
    read_timeout: Duration,
    metrics: Arc<Metrics>,
    rooms: Vec<Option<Room>>,
    free: Vec<RoomKey>,
    /// For look-ups only: its order must not influence anything.
    by_log: HashMap<Arc<str>, RoomKey>,
    /// By the connection's place in the registry.
    listeners: Vec<Option<Listener>>,
    /// Rooms to be flushed, in turn.
    ready: VecDeque<RoomKey>,
    /// Connections that may have something to catch up with, in turn.
    serving: VecDeque<ConnectionId>,
    timers: BTreeMap<(Moment, u64), Timer>,
    timers_set: u64,
    budget: Budget,
    reads: Reads,
    unclaimed: Unclaimed,
    closes: Vec<(Arc<Connection>, Close)>,
    /// Since when the entries of finished flushes had been on their way.
    delivered: SmallVec<[Moment; 4]>,
}

/// Where a connection listens.
#[derive(Debug)]
struct Listener {
    id: ConnectionId,
    seats: SmallVec<[Seat; 2]>,
    /// The seat that is served first next time.
    turn: usize,
    /// It is in the queue of those to be served.
    queued: bool,
}

/// A room, and the place among its members.
#[derive(Debug, Clone, Copy)]
struct Seat {
    room: u32,
    place: u32,
}

#[derive(Debug, Clone, Copy)]
enum Timer {
    Flush(RoomKey),
    /// A block is to be asked for again.
    Read(RoomKey, u64),
    /// An answer did not come.
    ReadTimeout(u64),
    Lag,
}

/// Who is behind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lag {
    pub(crate) members_behind: usize,
    pub(crate) entries_max: u64,
}

impl Seat {
    fn new(room: RoomKey, place: usize) -> Self {
        let small = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        Self { room: small(room), place: small(place) }
    }

    fn room(self) -> RoomKey {
        self.room as usize
    }

    fn place(self) -> usize {
        self.place as usize
    }
}

impl Hub {
    pub(crate) fn new(config: &GatewayConfig, metrics: Arc<Metrics>) -> Self {
        let mut hub = Self {
            flush_tick: config.flush_tick,
            read_timeout: config.reply_timeout,
            metrics,
            rooms: Vec::new(),
            free: Vec::new(),
            by_log: HashMap::new(),
            listeners: Vec::new(),
            ready: VecDeque::new(),
            serving: VecDeque::new(),
            timers: BTreeMap::new(),
            timers_set: 0,
            budget: Budget::new(config.window_bytes_total_max),
            reads: Reads::default(),
            unclaimed: Unclaimed::default(),
            closes: Vec::new(),
            delivered: SmallVec::new(),
        };
        hub.set(Moment::default().after(LAG_EVERY), Timer::Lag);
        hub
    }

    /// A connection listens to a log from now on. What it is sent of it comes behind the answer that it was just given.
    /// Without effect if it listens already.
    pub(crate) fn attach(&mut self, connection: &Arc<Connection>, attach: &Attach, now: Moment) {
        let key = self.room_for(attach, now);
        let Some(room) = self.rooms[key].as_mut() else { return };
        let place = connection.id.place();
        if self.listeners.len() <= place {
            self.listeners.resize_with(place + 1, || None);
        }
        let listener = self.listeners[place].get_or_insert_with(|| Listener {
            id: connection.id,
            seats: SmallVec::new(),
            turn: 0,
            queued: false,
        });
        if Room::seat(key, &listener.seats).is_some() {
            return;
        }
        let caught_up_at = attach.caught_up_at;
        let cursor = attach.cursor.min(caught_up_at);
        let member = Member { connection: Arc::clone(connection), cursor, caught_up_at, told: false, waiting: false };
        listener.seats.push(Seat::new(key, room.add(member)));
        self.metrics.members.inc();
        self.serve_later(connection.id);
    }

    /// The log's room, made if there is none, or none of this epoch.
    fn room_for(&mut self, attach: &Attach, now: Moment) -> RoomKey {
        if let Some(key) = self.by_log.get(&*attach.log).copied() {
            match &self.rooms[key] {
                Some(room) if *room.epoch == *attach.epoch => return key,
                Some(_) | None => self.discontinue(key, now),
            }
        }
        let claimed = self.unclaimed.claim(&attach.log, &attach.epoch);
        let head = claimed.unwrap_or_default().max(attach.caught_up_at);
        let log: Arc<str> = attach.log.as_str().into();
        let mut room = Room::new(Arc::clone(&log), &attach.room, &attach.epoch, head);
        let key = self.free.pop().unwrap_or_else(|| {
            self.rooms.push(None);
            self.rooms.len() - 1
        });
        if self.unclaimed.has_forgotten(now) {
            room.catch_up.get_or_insert_default().want(key, head, None, &mut self.reads);
        }
        self.rooms[key] = Some(room);
        self.by_log.insert(log, key);
        self.metrics.rooms.inc();
        key
    }

    /// A connection listens to a log no more.
    pub(crate) fn detach(&mut self, id: ConnectionId, log: &str, now: Moment) {
        if let Some(key) = self.by_log.get(log).copied() {
            self.unseat(id, key, now);
        }
    }

    /// A connection is gone.
    pub(crate) fn remove(&mut self, id: ConnectionId, now: Moment) {
        while let Some(seat) = self.listener(id).and_then(|listener| listener.seats.last().copied()) {
            self.unseat(id, seat.room(), now);
        }
        if self.listener(id).is_some() {
            self.listeners[id.place()] = None;
        }
    }

    /// A durable entry. What is no successor of the head is a repetition, or shows that something was lost: members
    /// who are behind then read that from the store.
    pub(crate) fn entry(&mut self, entry: LogEntry, now: Moment) {
        let LogEntry { log, entry: Some(entry) } = entry else { return };
        let Some((key, room)) = self.room_mut(&log) else {
            return self.unclaimed.note(&log, &entry.epoch, entry.seq, now);
        };
        if *room.epoch != *entry.epoch {
            return self.question(key, &entry, now);
        }
        if entry.seq <= room.head {
            return;
        }
        if let Some(message) = superseded(&entry) {
            let Some(room) = &mut self.rooms[key] else { return };
            room.erase(key, message, &mut self.budget);
        }
        let Some(room) = &mut self.rooms[key] else { return };
        room.append(entry, &self.metrics);
        room.arrived = room.arrived.min(now);
        self.flush_later(key, now);
    }

    /// An entry of another epoch than the room's. Only the store knows which of the two is over; its answer tells.
    fn question(&mut self, key: RoomKey, entry: &Entry, now: Moment) {
        let Some(room) = &mut self.rooms[key] else { return };
        self.unclaimed.note(&room.log, &entry.epoch, entry.seq, now);
        let head = room.head;
        room.catch_up.get_or_insert_default().want(key, head, None, &mut self.reads);
        self.read(now);
    }

    /// An ephemeral event for everybody in a room.
    pub(crate) fn event(&mut self, event: RoomEvent, now: Moment) {
        let RoomEvent { log, key: kind, frame: Some(frame), except } = event else { return };
        let metrics = Arc::clone(&self.metrics);
        let Some((key, room)) = self.room_mut(&log) else { return };
        let encodings = room.encodings();
        room.events.get_or_insert_default().push(kind, except.map(ConnectionId), &frame, encodings, &metrics);
        self.flush_later(key, now);
    }

    /// A connection's socket takes something again.
    pub(crate) fn writable(&mut self, id: ConnectionId) {
        self.serve_later(id);
    }

    /// Whether [`Hub::step`] has something to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.ready.is_empty() || !self.serving.is_empty() || !self.delivered.is_empty()
    }

    /// When [`Hub::step`] has something to do next, if nothing happens before.
    pub(crate) fn due(&self) -> Moment {
        self.timers.first_key_value().map_or(Moment::NEVER, |((due, _), _)| *due)
    }

    /// Blocks to be asked for.
    pub(crate) fn take_reads(&mut self) -> Vec<ReadBlock> {
        std::mem::take(&mut self.reads.outgoing)
    }

    /// Connections that cannot go on.
    pub(crate) fn take_closes(&mut self) -> Vec<(Arc<Connection>, Close)> {
        std::mem::take(&mut self.closes)
    }

    fn room_mut(&mut self, log: &str) -> Option<(RoomKey, &mut Room)> {
        let key = *self.by_log.get(log)?;
        self.rooms[key].as_mut().map(|room| (key, room))
    }

    fn listener(&mut self, id: ConnectionId) -> Option<&mut Listener> {
        self.listeners.get_mut(id.place())?.as_mut().filter(|listener| listener.id == id)
    }

    /// Takes a connection's seat in a room away. A room without members goes.
    fn unseat(&mut self, id: ConnectionId, key: RoomKey, now: Moment) {
        let Some(listener) = self.listener(id) else { return };
        let Some(index) = Room::seat(key, &listener.seats) else { return };
        let seat = listener.seats.swap_remove(index);
        self.metrics.members.dec();
        let Some(room) = &mut self.rooms[key] else { return };
        let moved = room.remove(seat.place()).map(|member| member.connection.id);
        let empty = room.members.is_empty();
        if let Some(moved) = moved.and_then(|moved| self.listener(moved))
            && let Some(index) = Room::seat(key, &moved.seats)
        {
            moved.seats[index] = seat;
        }
        if empty {
            self.drop_room(key, now);
        }
    }

    fn drop_room(&mut self, key: RoomKey, now: Moment) {
        let Some(mut room) = self.rooms[key].take() else { return };
        room.release(&mut self.budget);
        // Somebody may be about to join whose answer does not know of the newest entries.
        self.unclaimed.keep(&room.log, &room.epoch, room.head, now);
        self.by_log.remove(&*room.log);
        self.free.push(key);
        self.metrics.rooms.dec();
    }

    /// The log does not go on: its epoch is over. Everybody has to come back and is told of the gap then.
    fn discontinue(&mut self, key: RoomKey, now: Moment) {
        let Some(room) = &self.rooms[key] else { return };
        let members: Vec<_> = room.members.iter().map(|member| Arc::clone(&member.connection)).collect();
        for connection in members {
            self.unseat(connection.id, key, now);
            self.closes.push((connection, Close::orderly(code::DRAINING, "the room was replaced; join it again")));
        }
    }

    fn set(&mut self, due: Moment, timer: Timer) {
        self.timers_set += 1;
        self.timers.insert((due, self.timers_set), timer);
    }

    /// Gives memory up until what is kept fits its budget.
    fn make_room(&mut self) {
        while let Some(kept) = self.budget.excess() {
            match kept {
                Kept::Window(key, index) => {
                    let Some(room) = &mut self.rooms[key] else { break };
                    room.drop_window(key, index, &mut self.budget);
                }
                Kept::Block(key, block) => {
                    let Some(catch_up) = self.rooms[key].as_mut().and_then(|room| room.catch_up.as_mut()) else { break };
                    catch_up.drop_block(block, &mut self.budget);
                }
            }
        }
        self.metrics.window_bytes.set(gauge(self.budget.bytes()));
    }

    fn measure_lag(&mut self) {
        let mut lag = Lag::default();
        for room in self.rooms.iter().flatten() {
            let (members, entries_max) = room.lag();
            lag.members_behind += members;
            lag.entries_max = lag.entries_max.max(entries_max);
        }
        self.metrics.lag(lag);
    }
}

/// The message whose earlier content nobody is to see any more.
fn superseded(entry: &Entry) -> Option<u64> {
    let id = match &entry.body {
        Some(Body::Delete(deleted)) => &deleted.id,
        Some(Body::Edit(edited)) => &edited.id,
        Some(
            Body::Message(_)
            | Body::React(_)
            | Body::Member(_)
            | Body::RoomChanged(_)
            | Body::Call(_)
            | Body::RoomAdded(_)
            | Body::RoomRemoved(_)
            | Body::Mention(_)
            | Body::Read(_)
            | Body::Notice(_),
        )
        | None => return None,
    };
    Some(MessageId::from_stored(id).seq_hint().0).filter(|seq| *seq > 0)
}
