//! The last entries of a log that somebody here follows, shared by all of its followers.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use salon_proto::v1::Entry;
use salon_proto::v1::entry::Body;

/// Entries that a stream takes at once, and their content in bytes; a single larger one still fits.
const RUN_ENTRIES_MAX: usize = 32;
const RUN_BYTES_MAX: usize = 64 * 1024;
/// What an entry costs besides its content, in bytes, roughly.
const ENTRY_BYTES: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The last entry that is known to exist.
    pub(super) head: u64,
    /// Without gaps, but possibly ending before the head.
    entries: VecDeque<Arc<Entry>>,
    pub(super) listeners: BTreeSet<u64>,
}

impl Tail {
    /// An entry arrives. Returns how many bytes the tail grew by, negative where it begins anew behind a hole.
    pub(super) fn push(&mut self, entry: Arc<Entry>) -> Growth {
        self.head = self.head.max(entry.seq);
        let mut growth = Growth::default();
        if let Some(last) = self.entries.back() {
            if entry.seq <= last.seq {
                return growth;
            }
            if entry.seq != last.seq + 1 {
                growth.dropped_bytes = self.clear();
            }
        }
        growth.added_bytes = weight(&entry);
        self.entries.push_back(entry);
        growth
    }

    /// Forgets the oldest entry. Returns its bytes.
    pub(super) fn pop(&mut self) -> usize {
        self.entries.pop_front().map_or(0, |entry| weight(&entry))
    }

    pub(super) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.entries).iter().map(|entry| weight(entry)).sum()
    }

    /// The entries behind `after`, up to `until`, as far as one run goes. Empty where the tail does not reach back.
    pub(super) fn run(&self, after: u64, until: u64) -> Vec<Arc<Entry>> {
        let Some(first) = self.entries.front().map(|entry| entry.seq) else { return Vec::new() };
        let Some(skip) = (after + 1).checked_sub(first).and_then(|skip| usize::try_from(skip).ok()) else { return Vec::new() };
        let mut bytes = 0;
        let fits = |entry: &&Arc<Entry>| {
            bytes += weight(entry);
            entry.seq <= until && (bytes <= RUN_BYTES_MAX || bytes == weight(entry))
        };
        self.entries.iter().skip(skip).take(RUN_ENTRIES_MAX).take_while(fits).cloned().collect()
    }
}

/// How the bytes of a tail have changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Growth {
    pub(super) added_bytes: usize,
    pub(super) dropped_bytes: usize,
}

/// Bytes of memory that an entry holds, roughly: what can be large is counted.
fn weight(entry: &Entry) -> usize {
    let content = match &entry.body {
        Some(Body::Message(message)) => {
            message.content.len()
                + message.extra.as_ref().map_or(0, String::len)
                + message.reply_to.as_ref().map_or(0, |quote| quote.excerpt.len())
        }
        Some(Body::Edit(edit)) => edit.content.len(),
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
        | None => 0,
    };
    ENTRY_BYTES + content
}

#[cfg(test)]
mod tests {
    use super::*;
    use salon_proto::v1::Message;

    fn entry(seq: u64, bytes: usize) -> Arc<Entry> {
        let body = Body::Message(Message { content: "x".repeat(bytes), ..Message::default() });
        Arc::new(Entry { seq, body: Some(body), ..Entry::default() })
    }

    fn seqs(run: &[Arc<Entry>]) -> Vec<u64> {
        run.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn a_run_begins_right_behind_the_cursor_or_not_at_all() {
        let mut tail = Tail::default();
        for seq in 5..=9 {
            assert!(tail.push(entry(seq, 10)).added_bytes > 0);
        }
        assert_eq!(seqs(&tail.run(6, 99)), [7, 8, 9]);
        assert_eq!(seqs(&tail.run(4, 6)), [5, 6]);
        assert!(tail.run(3, 99).is_empty());
        assert!(tail.run(9, 99).is_empty());
        assert_eq!(tail.push(entry(7, 10)), Growth::default());
    }

    #[test]
    fn a_hole_begins_a_new_tail() {
        let mut tail = Tail::default();
        tail.push(entry(1, 0));
        tail.push(entry(2, 0));
        assert_eq!(tail.push(entry(4, 0)), Growth { added_bytes: ENTRY_BYTES, dropped_bytes: 2 * ENTRY_BYTES });
        assert_eq!((tail.head, seqs(&tail.run(3, 9))), (4, vec![4]));
        assert!(tail.run(1, 9).is_empty());
    }

    #[test]
    fn a_run_is_bounded_in_entries_and_bytes() {
        let mut tail = Tail::default();
        for seq in 1..=100 {
            tail.push(entry(seq, 0));
        }
        assert_eq!(tail.run(0, 100).len(), RUN_ENTRIES_MAX);
        let mut large = Tail::default();
        for seq in 1..=3 {
            large.push(entry(seq, RUN_BYTES_MAX));
        }
        assert_eq!(seqs(&large.run(0, 3)), [1]);
    }
}
