//! Encoded frames of consecutive entries, kept so that what several members need is printed once.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use salon_core::MessageId;
use salon_proto::v1::{Entry, entry::Body};
use smallvec::SmallVec;

use super::budget::{Budget, Kept};
use super::piece::Piece;
use crate::dialect::Encoding;

/// Frames that a room's window holds, in bytes.
pub(super) const WINDOW_BYTES_MAX: usize = 256 * 1024;
/// Frames that a room's window holds.
pub(super) const WINDOW_FRAMES_MAX: usize = 1024;
/// Frames that a run holds, in bytes, unless a single one is larger: what a stalled write pins is bounded by this.
const RUN_BYTES_MAX: usize = 64 * 1024;

/// Positions of the messages whose content an entry shows: its own and the one it quotes. 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shows([u64; 2]);

impl Shows {
    pub(super) fn of(entry: &Entry) -> Self {
        let position = |id: &str| MessageId::from_stored(id).seq_hint().0;
        match &entry.body {
            Some(Body::Message(message)) => Self([entry.seq, message.reply_to.as_ref().map_or(0, |quote| position(&quote.id))]),
            Some(Body::Edit(edit)) => Self([position(&edit.id), 0]),
            Some(
                Body::Delete(_)
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
            | None => Self::default(),
        }
    }

    fn message(self, position: u64) -> bool {
        self.0.contains(&position)
    }
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Where it ends in the run's bytes.
    end: usize,
    shows: Shows,
}

/// Frames in one piece of memory: several of them go out in one write, without a copy.
#[derive(Debug, Clone)]
pub(super) struct Run {
    first: u64,
    bytes: Bytes,
    frames: SmallVec<[Frame; 1]>,
}

impl Run {
    pub(super) fn last(&self) -> u64 {
        self.first + self.frames.len() as u64 - 1
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// What it takes of the memory budget.
    pub(super) fn cost_bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + self.frames.len() * size_of::<Frame>()
    }

    /// Adds the frames behind `piece.to` and up to `through` to the piece, as far as it has room.
    pub(super) fn collect(&self, piece: &mut Piece, through: u64) {
        let skipped = (piece.to + 1).checked_sub(self.first).and_then(|skipped| usize::try_from(skipped).ok());
        let Some((skipped, frames)) = skipped.and_then(|skipped| Some((skipped, self.frames.get(skipped..)?))) else { return };
        let start = skipped.checked_sub(1).map_or(0, |before| self.frames[before].end);
        let mut end = start;
        for frame in frames {
            if piece.to == through || !piece.has_room(frame.end - start) {
                break;
            }
            end = frame.end;
            piece.to += 1;
        }
        if end > start {
            piece.push(self.bytes.slice(start..end));
        }
    }

    fn newest_showing(&self, message: u64) -> Option<u64> {
        let place = self.frames.iter().rposition(|frame| frame.shows.message(message))?;
        Some(self.first + place as u64)
    }

    /// Without the frames before `start`; their bytes are gone, not only out of reach.
    fn cut_before(self, start: u64) -> Option<Self> {
        let dropped = usize::try_from(start.saturating_sub(self.first)).unwrap_or(usize::MAX);
        if dropped == 0 || dropped >= self.frames.len() {
            return (dropped == 0).then_some(self);
        }
        let offset = self.frames[dropped - 1].end;
        let bytes = Bytes::copy_from_slice(&self.bytes[offset..]);
        let frames = self.frames[dropped..].iter().map(|frame| Frame { end: frame.end - offset, ..*frame }).collect();
        Some(Self { first: start, bytes, frames })
    }

    /// With what follows it; given back where it does not follow.
    pub(super) fn join(&mut self, next: Self) -> Result<(), Self> {
        if next.first != self.last() + 1 {
            return Err(next);
        }
        let offset = self.bytes.len();
        let mut bytes = BytesMut::with_capacity(offset + next.bytes.len());
        bytes.extend_from_slice(&self.bytes);
        bytes.extend_from_slice(&next.bytes);
        self.bytes = bytes.freeze();
        self.frames.extend(next.frames.iter().map(|frame| Frame { end: frame.end + offset, ..*frame }));
        Ok(())
    }

    /// Whether it holds the entry at this position.
    pub(super) fn holds(&self, seq: u64) -> bool {
        self.first <= seq && seq <= self.last()
    }

    pub(super) fn shows(&self, message: u64) -> bool {
        self.newest_showing(message).is_some()
    }
}

/// A run that still grows.
#[derive(Debug)]
pub(super) struct RunBuilder {
    first: u64,
    bytes: BytesMut,
    frames: SmallVec<[Frame; 1]>,
}

impl RunBuilder {
    pub(super) fn new(first: u64) -> Self {
        Self { first, bytes: BytesMut::new(), frames: SmallVec::new() }
    }

    /// Prints the next entry.
    pub(super) fn push(&mut self, encoding: Encoding, entry: Entry) {
        let shows = Shows::of(&entry);
        encoding.print_entry(entry, &mut self.bytes);
        self.frames.push(Frame { end: self.bytes.len(), shows });
    }

    /// `None` where nothing was pushed.
    pub(super) fn finish(self) -> Option<Run> {
        let Self { first, bytes, frames } = self;
        (!frames.is_empty()).then(|| Run { first, bytes: bytes.freeze(), frames })
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= RUN_BYTES_MAX
    }
}

/// The newest entries of a log, without gaps up to its head.
#[derive(Debug)]
pub(super) struct Window {
    /// The first position that it holds; behind the head where it holds nothing.
    start: u64,
    runs: VecDeque<Run>,
    /// What came since the last flush.
    open: Option<Box<RunBuilder>>,
    frames: usize,
    cost_bytes: usize,
    /// What the memory budget knows of this window: its cost, and its place in the order in which memory is given up.
    reported_bytes: usize,
    touched: u64,
}

impl Window {
    /// An empty window of a log with this head.
    pub(super) fn new(head: u64) -> Self {
        let start = head + 1;
        Self { start, runs: VecDeque::new(), open: None, frames: 0, cost_bytes: 0, reported_bytes: 0, touched: 0 }
    }

    /// Tells the budget what has changed.
    pub(super) fn report(&mut self, kept: Kept, budget: &mut Budget) {
        if self.cost_bytes != self.reported_bytes {
            budget.update(kept, &mut self.touched, self.reported_bytes, self.cost_bytes);
            self.reported_bytes = self.cost_bytes;
        }
    }

    /// Gives everything back to the budget.
    pub(super) fn release(&self, budget: &mut Budget) {
        budget.release(self.touched, self.reported_bytes);
    }

    /// Whether the entries from this position on are here.
    pub(super) fn reaches(&self, seq: u64) -> bool {
        self.start <= seq
    }

    /// Prints the entry behind the head.
    pub(super) fn append(&mut self, encoding: Encoding, entry: Entry) {
        if self.open.as_ref().is_some_and(|open| open.is_full()) {
            self.seal();
        }
        let seq = entry.seq;
        self.open.get_or_insert_with(|| Box::new(RunBuilder::new(seq))).push(encoding, entry);
    }

    /// Makes what was appended ready to be written. The oldest frames beyond the room's own bounds go.
    pub(super) fn seal(&mut self) {
        let Some(run) = self.open.take().and_then(|open| open.finish()) else { return };
        self.frames += run.len();
        self.cost_bytes += run.cost_bytes();
        self.runs.push_back(run);
        while (self.frames > WINDOW_FRAMES_MAX || self.cost_bytes > WINDOW_BYTES_MAX) && self.runs.len() > 1 {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let Some(run) = self.runs.pop_front() else { return };
        self.frames -= run.len();
        self.cost_bytes -= run.cost_bytes();
        self.start = run.last() + 1;
    }

    /// Forgets everything; it goes on behind this head.
    pub(super) fn clear(&mut self, head: u64) {
        *self = Self { reported_bytes: self.reported_bytes, touched: self.touched, ..Self::new(head) };
    }

    /// Adds the entries behind `piece.to` and up to `through` to the piece, as far as it has room.
    pub(super) fn collect(&self, piece: &mut Piece, through: u64) {
        let from = self.runs.partition_point(|run| run.last() <= piece.to);
        for run in self.runs.range(from..) {
            let before = piece.to;
            run.collect(piece, through);
            if piece.to == before || piece.to == through {
                break;
            }
        }
    }

    /// Forgets the frames that show this message, with everything before them.
    pub(super) fn forget(&mut self, message: u64) {
        self.seal();
        let Some(newest) = self.runs.iter().rev().find_map(|run| run.newest_showing(message)) else { return };
        while self.runs.front().is_some_and(|run| run.last() <= newest) {
            self.pop();
        }
        self.start = newest + 1;
        if let Some(run) = self.runs.pop_front() {
            self.frames -= run.len();
            self.cost_bytes -= run.cost_bytes();
            if let Some(run) = run.cut_before(self.start) {
                self.frames += run.len();
                self.cost_bytes += run.cost_bytes();
                self.runs.push_front(run);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::kit::{delete, edit, message, quote, seqs_of};

    fn window(entries: impl IntoIterator<Item = Entry>) -> Window {
        let mut window = Window::new(0);
        for entry in entries {
            window.append(Encoding::Json, entry);
            window.seal();
        }
        window
    }

    fn held(window: &Window, after: u64, through: u64) -> Vec<u64> {
        let mut piece = Piece::new(after);
        window.collect(&mut piece, through);
        assert_eq!(piece.to - after, piece.slices().iter().map(|slice| seqs_of(slice).len() as u64).sum::<u64>());
        piece.slices().iter().flat_map(|slice| seqs_of(slice)).collect()
    }

    #[test]
    fn it_gives_any_part_of_what_it_holds() {
        let window = window((1..=9).map(message));
        for after in 0..9 {
            for through in after + 1..=9 {
                assert_eq!(held(&window, after, through), (after + 1..=through).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn an_edit_or_a_deletion_drops_the_message_its_edits_and_its_quotes_but_not_what_is_newer() {
        let mut edited = window([message(1), message(2), edit(3, 1), message(4)]);
        edited.forget(1);
        assert!(!edited.reaches(3));
        assert_eq!(held(&edited, 3, 4), [4]);
        let mut quoted = window([message(1), quote(2, 1), delete(3, 2), message(4)]);
        quoted.forget(1);
        assert_eq!(held(&quoted, 2, 4), [3, 4]);
        let mut untouched = window([message(1), message(2)]);
        untouched.forget(7);
        assert_eq!(held(&untouched, 0, 2), [1, 2]);
    }

    #[test]
    fn the_bytes_of_a_forgotten_frame_are_gone_from_its_run() {
        let mut window = Window::new(0);
        for entry in [message(1), message(2), message(3)] {
            window.append(Encoding::Json, entry);
        }
        window.forget(2);
        assert_eq!(window.runs.len(), 1);
        assert!(!String::from_utf8_lossy(&window.runs[0].bytes).contains("message 2"));
        assert_eq!(held(&window, 2, 3), [3]);
        assert_eq!(window.cost_bytes, window.runs[0].cost_bytes());
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let mut window = Window::new(0);
        for seq in 1..=3 * WINDOW_FRAMES_MAX as u64 {
            window.append(Encoding::Json, message(seq));
            window.seal();
            assert!(window.cost_bytes <= WINDOW_BYTES_MAX && window.frames <= WINDOW_FRAMES_MAX);
        }
        assert!(!window.reaches(1) && window.reaches(3 * WINDOW_FRAMES_MAX as u64));
    }
}
