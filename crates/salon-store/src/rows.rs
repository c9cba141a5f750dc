//! What a transaction reads and writes, one row at a time. The transactions are generic over it, the adapters implement it.

use salon_core::ports::{Idempotency, Original};
use salon_core::{ClientId, Entry, Member, Message, Role, Room, RoomId, Seq, Standing, UserId};

/// A row of the log as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredEntry {
    pub(crate) entry: Entry,
    /// How many messages the log held before this entry.
    pub(crate) messages_before: u64,
}

/// A row that joins the log.
#[derive(Debug)]
pub(crate) struct NewEntry<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) messages_before: u64,
    /// The message that an edit is about: a deletion has to find every edit.
    pub(crate) edit_of: Option<Seq>,
    pub(crate) idempotency: Option<&'a Idempotency>,
}

/// How somebody stands to a room, as it is stored. A stranger has no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Membership {
    Invited,
    Banned,
    Member(Seat),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) role: Role,
    pub(crate) visible_from: Seq,
    pub(crate) read: Seq,
    /// How many messages the log held up to the read mark: unread needs no second look at the log.
    pub(crate) read_messages: u64,
}

impl Seat {
    pub(crate) fn unread(&self, room: &Room) -> u64 {
        room.messages.saturating_sub(self.read_messages)
    }

    pub(crate) fn member(&self, user: UserId, room: &Room, mentions: u64) -> Member {
        let Self { role, visible_from, read, .. } = *self;
        Member { user, role, visible_from, read, unread: self.unread(room), mentions }
    }
}

/// What the domain calls it.
pub(crate) fn standing(membership: Option<&Membership>, user: &UserId, room: &Room, mentions: u64) -> Standing {
    match membership {
        None => Standing::Stranger,
        Some(Membership::Invited) => Standing::Invited,
        Some(Membership::Banned) => Standing::Banned,
        Some(Membership::Member(seat)) => Standing::Member(seat.member(user.clone(), room, mentions)),
    }
}

/// The first `seq` that this person may see of the room, if they may see any: what a listing shows as the last message.
pub(crate) fn listed_from(standing: &Standing, room: &Room) -> Option<Seq> {
    use salon_core::{HistoryPolicy, RoomKind};
    match standing {
        Standing::Member(member) => Some(member.visible_from),
        Standing::Stranger | Standing::Invited => {
            (room.kind == RoomKind::Public && room.history == HistoryPolicy::All).then_some(Seq(1))
        }
        Standing::Banned => None,
    }
}

/// The rows of a store within one transaction. What is written is read back at once.
pub(crate) trait Rows {
    type Error;

    fn room(&mut self, id: &RoomId) -> Result<Option<Room>, Self::Error>;

    fn insert_room(&mut self, room: &Room, creator: &UserId) -> Result<(), Self::Error>;

    /// Replaces everything about a room but its id, kind and epoch.
    fn update_room(&mut self, room: &Room) -> Result<(), Self::Error>;

    /// Takes a room out of sight: its row, members, mentions and invitations. Its entries follow, see the adapters.
    fn remove_room(&mut self, id: &RoomId) -> Result<(), Self::Error>;

    fn entry(&mut self, room: &RoomId, seq: Seq) -> Result<Option<StoredEntry>, Self::Error>;

    fn insert_entry(&mut self, new: &NewEntry<'_>) -> Result<(), Self::Error>;

    /// The message stored under this key, with the hash of its original body.
    fn original(
        &mut self,
        room: &Room,
        actor: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<(Original, [u8; 16])>, Self::Error>;

    /// Replaces the content of a message that is stored at `seq`; the search index stays in step.
    fn rewrite_message(&mut self, room: &RoomId, seq: Seq, old: &Message, new: &Message) -> Result<(), Self::Error>;

    /// Empties every edit of the message at `target`.
    fn scrub_edits(&mut self, room: &RoomId, target: Seq) -> Result<(), Self::Error>;

    fn has_reaction(&mut self, room: &RoomId, target: Seq, user: &UserId, emoji: &str) -> Result<bool, Self::Error>;

    /// `seq` is the position of the entry that reacts: it orders the emoji.
    fn add_reaction(&mut self, room: &RoomId, target: Seq, user: &UserId, emoji: &str, seq: Seq) -> Result<(), Self::Error>;

    fn remove_reaction(&mut self, room: &RoomId, target: Seq, user: &UserId, emoji: &str) -> Result<(), Self::Error>;

    fn clear_reactions(&mut self, room: &RoomId, target: Seq) -> Result<(), Self::Error>;

    fn membership(&mut self, room: &RoomId, user: &UserId) -> Result<Option<Membership>, Self::Error>;

    /// Sets or, with `None`, removes.
    fn set_membership(&mut self, room: &RoomId, user: &UserId, to: Option<&Membership>) -> Result<(), Self::Error>;

    /// Everybody who belongs to the room, in order of id.
    fn member_ids(&mut self, room: &RoomId) -> Result<Vec<UserId>, Self::Error>;

    /// Moves a member's read mark; nothing happens where `user` is no member.
    fn set_read(&mut self, room: &RoomId, user: &UserId, read: Seq, read_messages: u64) -> Result<(), Self::Error>;

    fn add_mention(&mut self, room: &RoomId, user: &UserId, seq: Seq) -> Result<(), Self::Error>;

    /// Forgets this one mention: its message was deleted.
    fn remove_mention(&mut self, room: &RoomId, user: &UserId, seq: Seq) -> Result<(), Self::Error>;

    /// Forgets the mentions up to `through`: they were read.
    fn clear_mentions(&mut self, room: &RoomId, user: &UserId, through: Seq) -> Result<(), Self::Error>;

    /// Drops the entries before `first`, with their reactions, mentions and index rows.
    fn drop_entries(&mut self, room: &RoomId, first: Seq) -> Result<(), Self::Error>;

    /// Moves every read mark that lies before `read` there.
    fn raise_reads(&mut self, room: &RoomId, read: Seq, read_messages: u64) -> Result<(), Self::Error>;
}
