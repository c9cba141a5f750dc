//! Which messages make a page: the same choice for every store.

use salon_core::ports::{PageQuery, Position};
use salon_core::{Entry, EntryBody, Seq, Timestamp};

/// Bytes of content that an entry brings into a page or a run of entries.
pub(crate) fn content_bytes(body: &EntryBody) -> usize {
    match body {
        EntryBody::Message(message) => message.content.len() + message.extra.as_ref().map_or(0, String::len),
        EntryBody::Edit { content, .. } => content.len(),
        EntryBody::Notice { text } => text.len(),
        EntryBody::Room(change) => change.title.as_ref().map_or(0, String::len) + change.topic.as_ref().map_or(0, String::len),
        EntryBody::Delete { .. }
        | EntryBody::React { .. }
        | EntryBody::Member { .. }
        | EntryBody::Call { .. }
        | EntryBody::RoomAdded { .. }
        | EntryBody::RoomRemoved { .. }
        | EntryBody::Mention { .. }
        | EntryBody::Read { .. } => 0,
    }
}

/// Counts entries and bytes until one of them is too much; the first entry always fits.
#[derive(Debug)]
pub(crate) struct Budget {
    entries: usize,
    bytes: usize,
    used: bool,
}

impl Budget {
    pub(crate) fn new(entries_max: u32, bytes_max: usize) -> Self {
        Self { entries: usize::try_from(entries_max).unwrap_or(usize::MAX), bytes: bytes_max, used: false }
    }

    /// Does this entry fit? If so, it is counted.
    pub(crate) fn take(&mut self, body: &EntryBody) -> bool {
        let bytes = content_bytes(body);
        if self.entries == 0 || (self.used && bytes > self.bytes) {
            return false;
        }
        self.entries -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.used = true;
        true
    }
}

/// The position that splits the log for a page: what is older lies before it, what is newer begins with it.
pub(crate) fn pivot<E>(position: Position, head: Seq, first_from: impl FnOnce(Timestamp) -> Result<Seq, E>) -> Result<Seq, E> {
    Ok(match position {
        Position::Newest => head.next(),
        Position::Before(seq) | Position::AtSeq(seq) => seq.min(head.next()),
        Position::After(seq) => seq.min(head).next(),
        Position::AtTime(at) => first_from(at)?,
    })
}

/// How many messages to fetch on each side of the pivot. One more than wanted says whether there are more.
pub(crate) fn fetch(query: &PageQuery) -> (u32, u32) {
    let all = query.limit.saturating_add(1);
    match query.position {
        Position::Newest | Position::Before(_) => (all, 1),
        Position::After(_) => (1, all),
        Position::AtTime(_) | Position::AtSeq(_) => (all, all),
    }
}

/// The chosen messages, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) entries: Vec<Entry>,
    pub(crate) more_before: bool,
    pub(crate) more_after: bool,
}

/// Chooses from what was fetched on both sides of the pivot, each side from the pivot outwards.
pub(crate) fn choose(query: &PageQuery, older: Vec<Entry>, newer: Vec<Entry>) -> Chosen {
    let (older_max, newer_max) = quotas(query, older.len(), newer.len());
    let mut budget = Budget::new(query.limit, query.bytes_max);
    let (older_taken, newer_taken) = outwards(&older, older_max, &newer, newer_max, &mut budget);
    let (more_before, more_after) = (older_taken < older.len(), newer_taken < newer.len());
    let mut entries: Vec<Entry> = older.into_iter().take(older_taken).collect();
    entries.reverse();
    entries.extend(newer.into_iter().take(newer_taken));
    Chosen { entries, more_before, more_after }
}

/// How many of each side may be shown. Around a place each side has its half and what the other leaves over.
fn quotas(query: &PageQuery, older: usize, newer: usize) -> (usize, usize) {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    match query.position {
        Position::Newest | Position::Before(_) => (limit, 0),
        Position::After(_) => (0, limit),
        Position::AtTime(_) | Position::AtSeq(_) => {
            let half = limit / 2;
            let newer_max = newer.min((limit - half).max(limit.saturating_sub(older)));
            (older.min(limit - newer_max), newer_max)
        }
    }
}

/// Takes alternately from both sides, so that a page which is full early still surrounds its place.
fn outwards(older: &[Entry], older_max: usize, newer: &[Entry], newer_max: usize, budget: &mut Budget) -> (usize, usize) {
    let (mut taken_older, mut taken_newer) = (0, 0);
    let (mut older_open, mut newer_open) = (true, true);
    while older_open || newer_open {
        newer_open = newer_open && taken_newer < newer_max && newer.get(taken_newer).is_some_and(|e| budget.take(&e.body));
        taken_newer += usize::from(newer_open);
        older_open = older_open && taken_older < older_max && older.get(taken_older).is_some_and(|e| budget.take(&e.body));
        taken_older += usize::from(older_open);
    }
    (taken_older, taken_newer)
}

/// The words of a search: what stands between white space, where there is a letter or a digit in it. Control characters
/// separate, so that no store has to think about a NUL in a query.
pub(crate) fn search_words(text: &str) -> Vec<&str> {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(SEARCH_WORDS_MAX)
        .collect()
}

/// Words of one search; what lies behind is not looked at.
const SEARCH_WORDS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use salon_core::{Epoch, Message, MessageId, RoomId, UserId};

    fn message(seq: u64, content: &str) -> Entry {
        Entry {
            room: RoomId::from_stored("general"),
            epoch: Epoch::mint(1),
            seq: Seq(seq),
            at: Timestamp(0),
            actor: UserId::mint(1),
            body: EntryBody::Message(Message {
                id: MessageId::mint(Seq(seq), 0),
                content: content.into(),
                client_id: None,
                reply_to: None,
                mentions: vec![],
                extra: None,
                edited_at: None,
                deleted: false,
            }),
        }
    }

    fn query(position: Position, limit: u32, bytes_max: usize) -> PageQuery {
        let room = RoomId::from_stored("general");
        let asker = UserId::mint(1);
        PageQuery { room, visible_from: Seq(1), position, limit, bytes_max, user: None, text: None, asker }
    }

    /// What a store would fetch from a log of `head` messages of ten bytes each.
    fn page(query: &PageQuery, head: u64) -> (Vec<u64>, bool, bool) {
        let pivot = pivot(query.position, Seq(head), |_| Ok::<_, ()>(Seq(1))).unwrap();
        let (older_max, newer_max) = fetch(query);
        let older = (1..pivot.0).rev().take(older_max as usize).map(|seq| message(seq, "0123456789")).collect();
        let newer = (pivot.0..=head).take(newer_max as usize).map(|seq| message(seq, "0123456789")).collect();
        let chosen = choose(query, older, newer);
        (chosen.entries.iter().map(|entry| entry.seq.0).collect(), chosen.more_before, chosen.more_after)
    }

    #[test]
    fn pages_lie_where_they_were_asked_for() {
        let ask = |position, limit| page(&query(position, limit, 1000), 10);
        assert_eq!(ask(Position::Newest, 3), (vec![8, 9, 10], true, false));
        assert_eq!(ask(Position::Before(Seq(4)), 5), (vec![1, 2, 3], false, true));
        assert_eq!(ask(Position::After(Seq(7)), 2), (vec![8, 9], true, true));
        assert_eq!(ask(Position::AtSeq(Seq(5)), 4), (vec![3, 4, 5, 6], true, true));
        assert_eq!(ask(Position::AtSeq(Seq(10)), 4), (vec![7, 8, 9, 10], true, false));
        assert_eq!(ask(Position::AtSeq(Seq(2)), 4), (vec![1, 2, 3, 4], false, true));
    }

    #[test]
    fn a_full_page_ends_early_and_says_so() {
        assert_eq!(page(&query(Position::Newest, 5, 25), 10), (vec![9, 10], true, false));
        assert_eq!(page(&query(Position::AtSeq(Seq(5)), 6, 35), 10), (vec![4, 5, 6], true, true));
        assert_eq!(page(&query(Position::Newest, 5, 0), 10), (vec![10], true, false));
    }

    #[test]
    fn punctuation_is_no_word() {
        assert_eq!(search_words("  l'été \0 \"!?\" x* "), ["l'été", "x*"]);
    }

    proptest! {
        #[test]
        fn pages_are_contiguous_bounded_and_honest(head in 0_u64..40, at in 0_u64..45, limit in 0_u32..12, bytes in 0_usize..150, kind in 0..4) {
            let position = match kind {
                0 => Position::Newest,
                1 => Position::Before(Seq(at)),
                2 => Position::After(Seq(at)),
                _ => Position::AtSeq(Seq(at)),
            };
            let (seqs, before, after) = page(&query(position, limit, bytes), head);
            prop_assert!(seqs.len() <= limit as usize);
            prop_assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
            if let (Some(first), Some(last)) = (seqs.first(), seqs.last()) {
                prop_assert_eq!(before, *first > 1);
                prop_assert_eq!(after, *last < head);
                prop_assert!(seqs.len() == 1 || seqs.len() * 10 <= bytes);
            }
        }
    }
}
