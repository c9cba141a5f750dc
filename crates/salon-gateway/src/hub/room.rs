//! One log as the gateway sees it: its head, its newest frames, and a cursor for everybody who listens.

use std::sync::Arc;

use salon_proto::json;
use salon_proto::v1::{CaughtUp, Entry, server_frame::Event};

use super::budget::{Budget, Kept};
use super::catch_up::{CatchUp, Reads};
use super::events::Events;
use super::piece::Piece;
use super::window::Window;
use super::{RoomKey, Seat};
use crate::connection::{Connection, Taken};
use crate::dialect::Encoding;
use crate::metrics::Metrics;
use crate::moment::Moment;

/// A connection that listens.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) connection: Arc<Connection>,
    /// The last entry that it was sent.
    pub(super) cursor: u64,
    /// Where the service attached it: up to there it catches up, behind that it hears what the link tells.
    pub(super) caught_up_at: u64,
    /// It was told that it has caught up.
    pub(super) told: bool,
    /// It cannot go on before a block was read.
    pub(super) waiting: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flushing {
    Idle,
    /// A timer will make it ready.
    Timed,
    /// It is in the queue of rooms to be flushed, perhaps in the middle of it.
    Ready,
}

#[derive(Debug)]
pub(super) struct Room {
    pub(super) log: Arc<str>,
    /// What clients call it.
    name: Arc<str>,
    pub(super) epoch: Arc<str>,
    /// The last entry that the link has told. Nobody hears what lies behind it only because somebody else was attached
    /// further on: the fence of a removal comes with the entries of the link.
    pub(super) head: u64,
    pub(super) members: Vec<Member>,
    windows: [Window; Encoding::COUNT],
    /// How many members there are of each encoding: what nobody needs is not printed.
    speakers: [usize; Encoding::COUNT],
    pub(super) catch_up: Option<Box<CatchUp>>,
    pub(super) events: Option<Box<Events>>,
    pub(super) flushing: Flushing,
    /// When the last flush began.
    pub(super) flushed: Moment,
    /// When the oldest entry arrived that this flush, or the next, is the first to write.
    pub(super) arrived: Moment,
    /// How far the present flush is in `members`, and the head that its first member was offered.
    pub(super) pass: usize,
    pub(super) pass_head: u64,
    /// Somebody was passed over: another flush has to follow.
    pub(super) again: bool,
}

/// What the rooms of a hub share.
#[derive(Debug)]
pub(super) struct Tools<'a> {
    pub(super) budget: &'a mut Budget,
    pub(super) reads: &'a mut Reads,
    pub(super) metrics: &'a Metrics,
    pub(super) now: Moment,
}

/// What a member needs next.
#[derive(Debug)]
pub(super) enum Next {
    Nothing,
    Piece(Piece),
    /// The entry behind its cursor is only in the store.
    Block,
}

/// How far a member has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is nothing more for it.
    Current,
    /// There is more, and its socket takes it.
    More,
    /// There may be more; its connection tells when the socket takes it.
    Blocked,
    /// A block has to be read first.
    Waiting,
    /// The connection is ending.
    Ending,
}

impl Room {
    pub(super) fn new(log: Arc<str>, room: &str, epoch: &str, head: u64) -> Self {
        let name = if *log == *room { Arc::clone(&log) } else { room.into() };
        Self {
            log,
            name,
            epoch: epoch.into(),
            head,
            members: Vec::new(),
            windows: [(); Encoding::COUNT].map(|()| Window::new(head)),
            speakers: [0; Encoding::COUNT],
            catch_up: None,
            events: None,
            flushing: Flushing::Idle,
            flushed: Moment::default(),
            arrived: Moment::NEVER,
            pass: 0,
            pass_head: 0,
            again: false,
        }
    }

    /// The encodings that somebody here needs.
    pub(super) fn encodings(&self) -> impl Iterator<Item = Encoding> + use<> {
        let speakers = self.speakers;
        Encoding::ALL.into_iter().filter(move |encoding| speakers[encoding.index()] > 0)
    }

    /// Adds a member; gives its place.
    pub(super) fn add(&mut self, member: Member) -> usize {
        let encoding = member.connection.encoding().index();
        if self.speakers[encoding] == 0 {
            // Nothing was printed for nobody.
            self.windows[encoding].clear(self.head);
        }
        self.speakers[encoding] += 1;
        self.members.push(member);
        self.members.len() - 1
    }

    /// Removes a member; the last one takes its place. Gives that one, whose seat has changed.
    pub(super) fn remove(&mut self, place: usize) -> Option<&Member> {
        let member = self.members.swap_remove(place);
        self.speakers[member.connection.encoding().index()] -= 1;
        // Whoever was moved to the part that is done with has not been visited yet.
        self.again |= place < self.pass && place < self.members.len();
        self.pass = self.pass.min(self.members.len());
        self.members.get(place)
    }

    /// Prints the entry, once per encoding. It becomes the head.
    pub(super) fn append(&mut self, entry: Entry, metrics: &Metrics) {
        if entry.seq != self.head + 1 {
            metrics.entries_lost.inc_by(entry.seq - self.head - 1);
            self.windows.iter_mut().for_each(|window| window.clear(entry.seq - 1));
        }
        self.head = entry.seq;
        let mut encodings = self.encodings().peekable();
        while let Some(encoding) = encodings.next() {
            metrics.entries_printed.inc();
            let window = &mut self.windows[encoding.index()];
            if encodings.peek().is_none() {
                return window.append(encoding, entry);
            }
            window.append(encoding, entry.clone());
        }
    }

    /// The head is known to be further than what was heard of.
    pub(super) fn skip_to(&mut self, head: u64) {
        self.windows.iter_mut().for_each(|window| window.clear(head));
        self.head = head;
    }

    /// Forgets what shows a message that was edited or deleted, and what may come to show its old content.
    pub(super) fn erase(&mut self, key: RoomKey, message: u64, budget: &mut Budget) {
        for (index, window) in self.windows.iter_mut().enumerate() {
            window.forget(message);
            window.report(Kept::Window(key, index), budget);
        }
        if let Some(catch_up) = &mut self.catch_up {
            catch_up.erase(message, budget);
        }
    }

    /// Gives up a window's memory.
    pub(super) fn drop_window(&mut self, key: RoomKey, index: usize, budget: &mut Budget) {
        let window = &mut self.windows[index];
        window.clear(self.head);
        window.report(Kept::Window(key, index), budget);
    }

    /// Gives up all memory.
    pub(super) fn release(&mut self, budget: &mut Budget) {
        for window in &self.windows {
            window.release(budget);
        }
        if let Some(catch_up) = self.catch_up.take() {
            catch_up.release(budget);
        }
    }

    fn is_current(&self, place: usize) -> bool {
        self.members[place].cursor >= self.head && self.members[place].told
    }

    /// What to offer to a member, entries up to `limit` only.
    pub(super) fn next(&mut self, key: RoomKey, place: usize, limit: u64, tools: &mut Tools<'_>) -> Next {
        let member = &self.members[place];
        let encoding = member.connection.encoding();
        let through = if member.told { self.head } else { member.caught_up_at }.min(limit);
        let mut piece = Piece::new(member.cursor);
        if member.cursor < through {
            let window = &mut self.windows[encoding.index()];
            // First of all: what is new may push out what is old.
            window.seal();
            window.report(Kept::Window(key, encoding.index()), tools.budget);
            if member.cursor < self.head && window.reaches(member.cursor + 1) {
                window.collect(&mut piece, through);
            } else if !self.catch_up.get_or_insert_default().collect(key, encoding, &mut piece, through, tools) {
                return Next::Block;
            }
        }
        if !member.told && member.caught_up_at == piece.to {
            let caught_up = CaughtUp { room: self.name.to_string(), seq: piece.to };
            piece.push_caught_up(encoding.print(&json::event(Event::CaughtUp(caught_up))));
        }
        if piece.is_empty() {
            return Next::Nothing;
        }
        tools.metrics.flushed(piece.bytes());
        Next::Piece(piece)
    }

    /// Writes a piece to a member and moves its cursor.
    pub(super) fn offer(&mut self, place: usize, piece: &Piece, tools: &Tools<'_>) -> Outcome {
        let member = &mut self.members[place];
        let rest = |written| piece.cut(written).rest;
        let (to, caught_up, bytes) = match member.connection.offer(&piece.io_slices(), piece.bytes(), rest, tools.now) {
            Taken::All => (piece.to, piece.caught_up, piece.bytes()),
            Taken::Partly(written) => {
                let cut = piece.cut(written);
                (cut.to, cut.caught_up, written + cut.rest.len())
            }
            Taken::Nothing => return Outcome::Blocked,
            Taken::Ending => return Outcome::Ending,
        };
        tools.metrics.frames_out.inc_by(to - member.cursor);
        tools.metrics.bytes_out.inc_by(bytes as u64);
        member.cursor = to;
        member.told |= caught_up;
        match () {
            () if bytes < piece.bytes() => Outcome::Blocked,
            () if self.is_current(place) => Outcome::Current,
            () => Outcome::More,
        }
    }

    /// Takes a member one piece further.
    pub(super) fn advance(&mut self, key: RoomKey, place: usize, limit: u64, tools: &mut Tools<'_>) -> Outcome {
        if self.members[place].waiting {
            return Outcome::Waiting;
        }
        match self.next(key, place, limit, tools) {
            Next::Nothing => Outcome::Current,
            Next::Piece(piece) => self.offer(place, &piece, tools),
            Next::Block => self.wait(key, place, tools.reads),
        }
    }

    /// Asks for the block that a member needs.
    pub(super) fn wait(&mut self, key: RoomKey, place: usize, reads: &mut Reads) -> Outcome {
        let member = &mut self.members[place];
        member.waiting = true;
        let catch_up = self.catch_up.get_or_insert_default();
        catch_up.want(key, member.cursor, Some(member.connection.id), reads);
        Outcome::Waiting
    }

    /// Where this connection sits, among its seats.
    pub(super) fn seat(key: RoomKey, seats: &[Seat]) -> Option<usize> {
        seats.iter().position(|seat| seat.room() == key)
    }

    /// How many members are behind, and how far the last of them.
    pub(super) fn lag(&self) -> (usize, u64) {
        let behind = self.members.iter().map(|member| self.head.saturating_sub(member.cursor)).filter(|entries| *entries > 0);
        behind.fold((0, 0), |(members, entries_max), entries| (members + 1, entries_max.max(entries)))
    }
}
