//! What lies before the window is read from the store, in aligned blocks: once for all who need it, printed once, and
//! kept while the memory budget allows it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use salon_proto::link::frames::ReadBlock;

use super::RoomKey;
use super::budget::{BlockKey, Budget, Kept};
use super::piece::Piece;
use super::room::Tools;
use super::window::Run;
use crate::dialect::Encoding;
use crate::registry::ConnectionId;

/// Entries in a block.
pub(super) const BLOCK_ENTRIES: u64 = 64;
/// Blocks that are read at the same time, over all rooms.
pub(super) const READS_IN_FLIGHT_MAX: usize = 64;

/// The number of the block that holds the entry behind this position.
fn block_behind(cursor: u64) -> u64 {
    cursor / BLOCK_ENTRIES
}

/// What one room has read, and is reading.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    blocks: BTreeMap<BlockKey, Block>,
    pub(super) reading: BTreeMap<u64, Reading>,
}

/// The beginning of a block at least: a block of large entries takes several reads.
#[derive(Debug)]
struct Block {
    run: Run,
    touched: u64,
}

#[derive(Debug)]
pub(super) struct Reading {
    /// Its number on the link; 0 until it was sent.
    pub(super) request: u64,
    /// The entries behind this position are asked for.
    pub(super) after: u64,
    /// The smallest cursor of those who wait.
    cursor: u64,
    /// A message in it was edited or deleted meanwhile: the answer may show what must not be shown.
    pub(super) stale: bool,
    /// Nobody knows whether the head is right: the answer tells.
    pub(super) probe: bool,
    pub(super) waiters: Vec<ConnectionId>,
}

impl Reading {
    fn new(cursor: u64) -> Self {
        Self { request: 0, after: 0, cursor, stale: false, probe: false, waiters: Vec::new() }
    }
}

/// The reads of all rooms.
#[derive(Debug, Default)]
pub(super) struct Reads {
    requests: u64,
    wanted: VecDeque<(RoomKey, u64)>,
    in_flight: BTreeMap<u64, (RoomKey, u64)>,
    pub(super) outgoing: Vec<ReadBlock>,
}

impl CatchUp {
    /// Adds entries from a kept block to the piece. False if the entry behind the piece is not here.
    pub(super) fn collect(
        &mut self,
        room: RoomKey,
        encoding: Encoding,
        piece: &mut Piece,
        through: u64,
        tools: &mut Tools<'_>,
    ) -> bool {
        let key = (block_behind(piece.to), encoding.index());
        let Some(block) = self.blocks.get_mut(&key).filter(|block| block.run.holds(piece.to + 1)) else { return false };
        block.run.collect(piece, through);
        tools.metrics.block_hits.inc();
        let bytes = block.run.cost_bytes();
        tools.budget.update(Kept::Block(room, key), &mut block.touched, bytes, bytes);
        true
    }

    /// Asks for the block behind `cursor`, unless that is asked for already.
    pub(super) fn want(&mut self, room: RoomKey, cursor: u64, waiter: Option<ConnectionId>, reads: &mut Reads) {
        let number = block_behind(cursor);
        let reading = self.reading.entry(number).or_insert_with(|| {
            reads.wanted.push_back((room, number));
            Reading::new(cursor)
        });
        reading.cursor = reading.cursor.min(cursor);
        match waiter {
            Some(waiter) => reading.waiters.push(waiter),
            None => reading.probe = true,
        }
    }

    /// Lets somebody wait for a read that is not sent yet. True if this is the first, and a timer has to send it.
    pub(super) fn postpone(&mut self, cursor: u64, waiter: ConnectionId) -> bool {
        let number = block_behind(cursor);
        let first = !self.reading.contains_key(&number);
        let reading = self.reading.entry(number).or_insert_with(|| Reading::new(cursor));
        reading.cursor = reading.cursor.min(cursor);
        reading.waiters.push(waiter);
        first
    }

    /// Where to read from: behind what is kept of the block already, if everybody who waits is that far.
    fn resume(&self, number: u64, cursor: u64) -> u64 {
        let runs = self.blocks.range((number, 0)..(number + 1, 0)).map(|(_, block)| block.run.last());
        let start = number * BLOCK_ENTRIES;
        runs.min().filter(|last| *last <= cursor).unwrap_or(start)
    }

    /// Keeps what was read.
    pub(super) fn keep(&mut self, room: RoomKey, number: u64, encoding: Encoding, run: Run, budget: &mut Budget) {
        let key = (number, encoding.index());
        let (mut touched, mut before) = (0, 0);
        let mut run = Some(run);
        if let Some(block) = self.blocks.get_mut(&key) {
            (touched, before) = (block.touched, block.run.cost_bytes());
            run = run.and_then(|run| block.run.join(run).err());
        }
        if let Some(run) = run {
            self.blocks.insert(key, Block { run, touched });
        }
        if let Some(block) = self.blocks.get_mut(&key) {
            block.touched = touched;
            budget.update(Kept::Block(room, key), &mut block.touched, before, block.run.cost_bytes());
        }
    }

    pub(super) fn drop_block(&mut self, key: BlockKey, budget: &mut Budget) {
        if let Some(block) = self.blocks.remove(&key) {
            budget.release(block.touched, block.run.cost_bytes());
        }
    }

    /// Forgets what shows a message, or may do so when it arrives.
    pub(super) fn erase(&mut self, message: u64, budget: &mut Budget) {
        let showing: Vec<_> = self.blocks.iter().filter(|(_, block)| block.run.shows(message)).map(|(key, _)| *key).collect();
        for key in showing {
            self.drop_block(key, budget);
        }
        // Edits and quotes of a message lie behind it.
        for (_, reading) in self.reading.range_mut(block_behind(message.saturating_sub(1))..) {
            reading.stale = reading.request != 0;
        }
    }

    pub(super) fn release(self, budget: &mut Budget) {
        for block in self.blocks.into_values() {
            budget.release(block.touched, block.run.cost_bytes());
        }
    }
}

impl Reads {
    /// A read that was tried before, or was put off, is due.
    pub(super) fn again(&mut self, room: RoomKey, number: u64) {
        self.wanted.push_back((room, number));
    }

    /// The answer to a request, or its time is up. `None` for what nobody waits for any more.
    pub(super) fn end(&mut self, request: u64) -> Option<(RoomKey, u64)> {
        self.in_flight.remove(&request)
    }

    /// Whether another read may be sent, and which: it is the caller's to find the room.
    pub(super) fn next(&mut self) -> Option<(RoomKey, u64)> {
        if self.in_flight.len() >= READS_IN_FLIGHT_MAX {
            return None;
        }
        self.wanted.pop_front()
    }

    /// Sends a read. Gives its number, unless it is under way already.
    pub(super) fn send(&mut self, room: RoomKey, log: &Arc<str>, catch_up: &mut CatchUp, number: u64) -> Option<u64> {
        let cursor = catch_up.reading.get(&number).filter(|reading| reading.request == 0)?.cursor;
        let after = catch_up.resume(number, cursor);
        let reading = catch_up.reading.get_mut(&number)?;
        self.requests += 1;
        (reading.request, reading.after, reading.stale) = (self.requests, after, false);
        self.in_flight.insert(self.requests, (room, number));
        let through = (number + 1) * BLOCK_ENTRIES;
        self.outgoing.push(ReadBlock { request: self.requests, log: log.to_string(), after, through });
        Some(self.requests)
    }
}
