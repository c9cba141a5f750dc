//! Rooms and their logs, as a store keeps them.

use crate::entry::{Entry, MemberChange, RoomChange};
use crate::ids::{ClientId, Epoch, MessageId, RoomId, Seq, UserId};
use crate::ports::StoreError;
use crate::room::{AccessVersion, HistoryPolicy, Member, Role, Room, RoomKind, Standing};
use crate::time::Timestamp;

/// The sender's own name for a message, with a keyed hash of the original body (a retry must bring the same body).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    pub client_id: ClientId,
    pub body_hash: [u8; 16],
}

/// One entry to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub room: RoomId,
    pub actor: UserId,
    /// The version of the room's access that the decision rests on.
    pub access: AccessVersion,
    /// Now; the entry's time is this or the room's last time, whichever is later.
    pub at: Timestamp,
    pub change: Change,
    pub idempotency: Option<Idempotency>,
    /// Makes the new message's id unguessable.
    pub salt: u64,
    /// Entries for people's own logs, stored in the same transaction if and only if the entry itself is.
    pub news: Vec<News>,
}

/// What the entry is to say, before it has a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Message {
        content: String,
        reply_to: Option<MessageId>,
        mentions: Vec<UserId>,
        extra: Option<String>,
    },
    Edit {
        id: MessageId,
        content: String,
    },
    Delete {
        id: MessageId,
    },
    React {
        id: MessageId,
        emoji: String,
        remove: bool,
    },
    /// The store keeps the membership itself in step: rows, counts, `visible_from`, `access_version`.
    Member {
        target: UserId,
        change: MemberChange,
        role: Option<Role>,
    },
    Room(RoomChange),
    Notice {
        text: String,
    },
}

/// An entry for somebody's own log that goes with a room's entry; the store completes it with the entry's position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    RoomAdded {
        to: UserId,
    },
    RoomRemoved {
        to: UserId,
    },
    /// Also counts as an unread mention of the room.
    Mention {
        to: UserId,
    },
}

/// What became of a [`Write`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Durable: synced before this is returned.
    Stored {
        entry: Entry,
        news: Vec<Entry>,
    },
    /// The same `client_id` with the same body had been stored.
    Duplicate(Original),
    /// The same `client_id` had been stored with another body.
    BodyConflict,
    /// Nothing would change: the content is that already, the message deleted already, the reaction there already,
    /// the membership as wanted already.
    Unchanged,
    /// Who may do what has changed since the decision: read again, decide again.
    StaleAccess,
    /// The message to edit, delete or react to does not exist, or (edit, react) was deleted.
    NoSuchMessage,
    NoSuchRoom,
}

/// Where the original of a retried message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    pub epoch: Epoch,
    pub seq: Seq,
    pub id: MessageId,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    pub id: RoomId,
    pub kind: RoomKind,
    pub title: String,
    pub topic: String,
    pub history: HistoryPolicy,
    pub epoch: Epoch,
    pub creator: UserId,
    /// Members from the start, each with a `joined` entry (and `room_added` in their own log, except the creator).
    pub members: Vec<(UserId, Role)>,
    pub at: Timestamp,
}

/// A log's position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub room: RoomId,
    pub epoch: Epoch,
    pub seq: Seq,
}

/// A run of entries, ascending and without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slice {
    pub entries: Vec<Entry>,
    /// The head at the same moment.
    pub head: Seq,
}

/// Where a page of history begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    Newest,
    /// The messages right before this position.
    Before(Seq),
    /// The messages right behind this position.
    After(Seq),
    /// Half of them before this time, the rest from it on.
    AtTime(Timestamp),
    /// Half of them before this position, the rest from it on.
    AtSeq(Seq),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    pub room: RoomId,
    /// Earlier messages are not to be seen, nor counted, nor found.
    pub visible_from: Seq,
    pub position: Position,
    pub limit: u32,
    /// The page ends early when its content is larger than this; one message always fits.
    pub bytes_max: usize,
    /// Only this person's messages.
    pub user: Option<UserId>,
    /// Only messages with these words (each is a prefix; all must occur). Case and accents do not matter.
    pub text: Option<String>,
    /// Whose reactions are `mine`.
    pub asker: UserId,
}

/// A message as it is now. `entry.body` is always a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    pub entry: Entry,
    /// In the order in which the emoji were first used.
    pub reactions: Vec<Reaction>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    pub emoji: String,
    pub count: u64,
    pub mine: bool,
}

/// Oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    pub messages: Vec<StoredMessage>,
    /// There are older ones that match.
    pub more_before: bool,
    /// There are newer ones that match.
    pub more_after: bool,
}

/// A room together with the asker's place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRow {
    pub room: Room,
    pub standing: Standing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomListing {
    pub room: Room,
    pub standing: Standing,
    /// The last message that the asker may see, as it is now.
    pub last: Option<Entry>,
}

/// A read mark after it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadMark {
    /// Where the mark is now: it never goes back.
    pub seq: Seq,
    pub unread: u64,
    /// The entry in the reader's own log; `None` if the mark did not move.
    pub news: Option<Entry>,
}

/// Rooms and their logs. Every write is durable when it returns, and writes to one room take effect in the order in
/// which they were called.
#[async_trait::async_trait]
pub trait Logs: Send + Sync + 'static {
    /// Appends one entry, together with everything that follows from it.
    async fn append(&self, write: Write) -> Result<Written, StoreError>;

    /// The original that a retry of `client_id` would be answered with, and the hash of its body: for a retry that has
    /// to be answered although it may not be appended, because it comes too fast for instance.
    async fn original(
        &self,
        room: &RoomId,
        actor: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<(Original, [u8; 16])>, StoreError>;

    /// Creates a room with its first members. `Ok(None)`: the id is taken. Returns the entries that it made, in the
    /// room and in people's own logs.
    async fn create_room(&self, new: NewRoom) -> Result<Option<(Room, Vec<Entry>)>, StoreError>;

    /// Erases a room, its log, its index and its members; returns the `room_removed` entries of its members.
    /// `Ok(None)`: there is no such room.
    async fn delete_room(&self, room: &RoomId, at: Timestamp) -> Result<Option<Vec<Entry>>, StoreError>;

    /// Moves a read mark forward, to the head at most. `Ok(None)`: not a member.
    async fn mark_read(&self, room: &RoomId, user: &UserId, seq: Seq, at: Timestamp) -> Result<Option<ReadMark>, StoreError>;

    /// The room, and how `user` stands to it.
    async fn room(&self, room: &RoomId, user: &UserId) -> Result<Option<RoomRow>, StoreError>;

    /// The heads of these logs; rooms that do not exist are left out.
    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<Head>, StoreError>;

    /// Entries behind `after`: at most `limit`, and no more than `bytes_max` of content except that one always fits.
    /// `Ok(None)`: there is no such room.
    async fn entries(&self, room: &RoomId, after: Seq, limit: u32, bytes_max: usize) -> Result<Option<Slice>, StoreError>;

    /// The position right before the last `count` messages from `visible_from` on; the head where there are none or
    /// `count` is 0.
    async fn before_last_messages(&self, room: &RoomId, visible_from: Seq, count: u32) -> Result<Seq, StoreError>;

    /// A page of history. Searches see every message that was stored before the call.
    async fn page(&self, query: PageQuery) -> Result<Page, StoreError>;

    /// Single messages as they are now; unknown ids are left out.
    async fn messages(&self, room: &RoomId, ids: &[MessageId]) -> Result<Vec<Entry>, StoreError>;

    /// The rooms somebody belongs to or is invited to, and the public rooms they might join; in order of id, behind
    /// `after`. People's own logs are not listed. With `joined_only`, only those they belong to.
    async fn rooms_of(
        &self,
        user: &UserId,
        joined_only: bool,
        after: Option<&RoomId>,
        limit: u32,
    ) -> Result<Vec<RoomListing>, StoreError>;

    /// A room's members in order of id, behind `after`.
    async fn members(&self, room: &RoomId, after: Option<&UserId>, limit: u32) -> Result<Vec<Member>, StoreError>;

    /// Those members of the room whose folded name ([`crate::mention::fold_name`]) is one of `names`; with
    /// that folded name, in order of id.
    async fn members_named(&self, room: &RoomId, names: &[String]) -> Result<Vec<(UserId, String)>, StoreError>;

    /// Retention: drops the entries before `first` with everything that hangs on them. Positions stay taken.
    async fn trim(&self, room: &RoomId, first: Seq) -> Result<(), StoreError>;

    /// The last position whose entry is older than `before`, for every room that has such entries: what retention by
    /// age trims.
    async fn older_than(&self, before: Timestamp) -> Result<Vec<(RoomId, Seq)>, StoreError>;
}
