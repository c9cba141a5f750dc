//! Blocks on their way from the store.

use std::sync::Arc;
use std::time::Duration;

use salon_proto::link::frames::Block;
use salon_proto::v1::Entry;

use super::catch_up::Reading;
use super::window::RunBuilder;
use super::{Hub, Room, RoomKey, Timer};
use crate::moment::Moment;
use crate::registry::ConnectionId;
use crate::session::{Close, code};

/// A store that could not be read, or did not know the newest entries yet, is asked again this much later.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(100);

impl Hub {
    /// Sends the reads that are wanted, as many as may be under way.
    pub(super) fn read(&mut self, now: Moment) {
        while let Some((key, number)) = self.reads.next() {
            let Some(room) = &mut self.rooms[key] else { continue };
            let Some(catch_up) = &mut room.catch_up else { continue };
            if let Some(request) = self.reads.send(key, &room.log, catch_up, number) {
                self.metrics.blocks_read.inc();
                self.set(now.after(self.read_timeout), Timer::ReadTimeout(request));
            }
        }
    }

    pub(super) fn read_timed_out(&mut self, request: u64, now: Moment) {
        if let Some((key, number)) = self.reads.end(request) {
            self.read_again(key, number, request, Duration::ZERO, now);
        }
    }

    /// Asks once more for what a request was for.
    fn read_again(&mut self, key: RoomKey, number: u64, request: u64, wait: Duration, now: Moment) {
        let Some(reading) = self.reading(key, number, request) else { return };
        reading.request = 0;
        self.set(now.after(wait), Timer::Read(key, number));
    }

    fn reading(&mut self, key: RoomKey, number: u64, request: u64) -> Option<&mut Reading> {
        let reading = self.rooms.get_mut(key)?.as_mut()?.catch_up.as_mut()?.reading.get_mut(&number)?;
        (reading.request == request).then_some(reading)
    }

    /// The answer to a read.
    pub(crate) fn block(&mut self, block: Block, now: Moment) {
        let Some((key, number)) = self.reads.end(block.request) else { return };
        let Some(reading) = self.reading(key, number, block.request) else { return };
        if block.unavailable {
            return self.read_again(key, number, block.request, READ_AGAIN_AFTER, now);
        }
        if reading.stale {
            return self.read_again(key, number, block.request, Duration::ZERO, now);
        }
        let Some(room) = &mut self.rooms[key] else { return };
        if *room.epoch != *block.epoch {
            return self.discontinue(key, now);
        }
        let Some(reading) = room.catch_up.as_mut().and_then(|catch_up| catch_up.reading.remove(&number)) else { return };
        let news = reading.probe && block.head > room.head;
        if news {
            room.skip_to(block.head);
        }
        let through = (number + 1) * super::catch_up::BLOCK_ENTRIES;
        let head = block.head;
        let read = Extent::of(&block.entries, reading.after, through.min(head));
        self.keep(key, number, block.entries);
        for waiter in reading.waiters {
            self.resume(key, number, waiter, read, head, now);
        }
        if news {
            self.flush_later(key, now);
        }
    }

    /// Prints what was read.
    fn keep(&mut self, key: RoomKey, number: u64, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.seq) else { return };
        let Some(room) = &mut self.rooms[key] else { return };
        let consecutive = entries.iter().zip(first..).take_while(|(entry, seq)| entry.seq == *seq).count();
        for encoding in room.encodings() {
            let mut run = RunBuilder::new(first);
            for entry in &entries[..consecutive] {
                self.metrics.entries_printed.inc();
                run.push(encoding, entry.clone());
            }
            if let Some(run) = run.finish() {
                room.catch_up.get_or_insert_default().keep(key, number, encoding, run, &mut self.budget);
            }
        }
    }

    /// Goes on with a member who waited.
    fn resume(&mut self, key: RoomKey, number: u64, waiter: ConnectionId, read: Extent, head: u64, now: Moment) {
        let Some(listener) = self.listeners.get(waiter.place()).and_then(Option::as_ref) else { return };
        let Some(seat) = Room::seat(key, &listener.seats).filter(|_| listener.id == waiter) else { return };
        let place = listener.seats[seat].place();
        let Some(room) = &mut self.rooms[key] else { return };
        let member = &mut room.members[place];
        let needed = member.cursor + 1;
        if read.lacks(needed) {
            let close = Close::shedding(code::TOO_SLOW, "the room no longer keeps what was missed");
            return self.closes.push((Arc::clone(&member.connection), close));
        }
        if head < needed {
            // The store knows less than the link has told; it will know.
            let catch_up = room.catch_up.get_or_insert_default();
            let first = catch_up.postpone(needed - 1, waiter);
            if first {
                self.set(now.after(READ_AGAIN_AFTER), Timer::Read(key, number));
            }
            return;
        }
        member.waiting = false;
        self.serve_later(waiter);
    }
}

/// What an answer says about a part of a log.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// Behind this position …
    after: u64,
    /// … and before this one there is nothing any more.
    first: u64,
}

impl Extent {
    fn of(entries: &[Entry], after: u64, through: u64) -> Self {
        Self { after, first: entries.first().map_or(through + 1, |entry| entry.seq) }
    }

    fn lacks(self, seq: u64) -> bool {
        self.after < seq && seq < self.first
    }
}
