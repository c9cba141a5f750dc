//! Entries: the durable things in a room's log.

use crate::ids::{ClientId, Epoch, MessageId, RoomId, Seq, UserId};
use crate::room::{HistoryPolicy, Role};
use crate::time::Timestamp;

/// One durable thing in a room's log.
///
/// Position, time, actor and kind never change. The content of a message and of its edits is erasable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub room: RoomId,
    pub epoch: Epoch,
    pub seq: Seq,
    pub at: Timestamp,
    pub actor: UserId,
    pub body: EntryBody,
}

/// What an entry says. The last five occur in people's own logs (`@me`) only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryBody {
    /// A message in its *present* state: edited content, or none once it was deleted.
    Message(Message),
    /// Another content for an earlier message; empty once that message was deleted.
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
    Member {
        target: UserId,
        change: MemberChange,
        role: Option<Role>,
    },
    Room(RoomChange),
    Call {
        call: String,
        state: CallState,
        duration_ms: Option<u64>,
    },
    RoomAdded {
        room: RoomId,
    },
    RoomRemoved {
        room: RoomId,
    },
    Mention {
        room: RoomId,
        seq: Seq,
        id: MessageId,
    },
    /// The owner's read mark, set on some device.
    Read {
        room: RoomId,
        seq: Seq,
        unread: u64,
    },
    Notice {
        text: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    /// Empty once it was deleted.
    pub content: String,
    pub client_id: Option<ClientId>,
    pub reply_to: Option<MessageId>,
    pub mentions: Vec<UserId>,
    /// The client's own data: a JSON object as text, passed through unread.
    pub extra: Option<String>,
    pub edited_at: Option<Timestamp>,
    pub deleted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberChange {
    Joined,
    Left,
    Invited,
    Removed,
    Banned,
    /// The role changed; the membership did not.
    Role,
}

impl MemberChange {
    /// True where the target belongs to the room no longer: a fence for what is still sent to it.
    #[must_use]
    pub fn ends_membership(self) -> bool {
        match self {
            Self::Left | Self::Removed | Self::Banned => true,
            Self::Joined | Self::Invited | Self::Role => false,
        }
    }

    /// True where somebody may do less than before, so that what was allowed has to be decided again. Who only gains
    /// access makes no earlier permission wrong: a thousand people who join at once do not hold each other up.
    #[must_use]
    pub fn may_take_access_away(self) -> bool {
        self.ends_membership() || self == Self::Role
    }
}

/// What changed about a room; `None` is "as it was".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomChange {
    pub title: Option<String>,
    pub topic: Option<String>,
    pub archived: Option<bool>,
    pub history: Option<HistoryPolicy>,
}

impl RoomChange {
    /// True where nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallState {
    Started,
    Ended,
    Missed,
}

impl EntryBody {
    /// The message that this entry is about, if it is about one: what a deletion has to scrub.
    #[must_use]
    pub fn message_id(&self) -> Option<&MessageId> {
        match self {
            Self::Message(message) => Some(&message.id),
            Self::Edit { id, .. } | Self::Delete { id } | Self::React { id, .. } => Some(id),
            Self::Member { .. }
            | Self::Room(_)
            | Self::Call { .. }
            | Self::RoomAdded { .. }
            | Self::RoomRemoved { .. }
            | Self::Mention { .. }
            | Self::Read { .. }
            | Self::Notice { .. } => None,
        }
    }
}
