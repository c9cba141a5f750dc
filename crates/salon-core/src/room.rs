//! Rooms and who belongs to them.

use crate::ids::{Epoch, RoomId, Seq, UserId};
use crate::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoomKind {
    /// Everybody with an account sees it and may join.
    Public,
    /// Members only; others do not learn that it exists.
    Private,
    /// The one room of two people.
    Direct,
    /// A person's own log.
    Me,
}

impl RoomKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Direct => "direct",
            Self::Me => "me",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Public, Self::Private, Self::Direct, Self::Me].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What a newcomer may read of the time before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HistoryPolicy {
    #[default]
    All,
    SinceJoin,
}

impl HistoryPolicy {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::SinceJoin => "since_join",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::All, Self::SinceJoin].into_iter().find(|policy| policy.as_str() == text)
    }

    /// The first `seq` that somebody may see whose membership is the entry at `joined`.
    #[must_use]
    pub fn visible_from(self, joined: Seq) -> Seq {
        match self {
            Self::All => Seq(1),
            Self::SinceJoin => joined,
        }
    }
}

/// What a member may do, in ascending order of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Member,
    Moderator,
    Owner,
}

impl Role {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Owner => "owner",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Member, Self::Moderator, Self::Owner].into_iter().find(|role| role.as_str() == text)
    }
}

/// Counts the changes that may take somebody's access to a room away. Every append names the version it was decided on;
/// the store refuses it when the room has moved on, and the service decides again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AccessVersion(pub u64);

/// A room as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    pub id: RoomId,
    pub kind: RoomKind,
    /// The display title; empty means "show the id" (for a direct room: the other's name).
    pub title: String,
    pub topic: String,
    pub epoch: Epoch,
    /// The last entry's position; [`Seq::START`] in an empty log.
    pub head: Seq,
    /// The first entry that retention has kept.
    pub first: Seq,
    /// How many messages the log holds and ever held.
    pub messages: u64,
    pub access: AccessVersion,
    pub history: HistoryPolicy,
    pub archived: bool,
    /// How many people belong to the room.
    pub members: u64,
    pub created_at: Timestamp,
    /// The last entry's time; the next one is never earlier.
    pub last_at: Timestamp,
}

/// Somebody who belongs to a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user: UserId,
    pub role: Role,
    /// The first `seq` that this member may see.
    pub visible_from: Seq,
    /// The read mark: everything up to here was read.
    pub read: Seq,
    /// Messages behind the read mark.
    pub unread: u64,
    /// Mentions behind the read mark.
    pub mentions: u64,
}

/// How somebody stands to a room.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    #[default]
    Stranger,
    Invited,
    Member(Member),
    Banned,
}

impl Standing {
    #[must_use]
    pub fn member(&self) -> Option<&Member> {
        match self {
            Self::Member(member) => Some(member),
            Self::Stranger | Self::Invited | Self::Banned => None,
        }
    }
}
