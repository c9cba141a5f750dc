//! What happened, in the order in which it was seen.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use salon_proto::v1::{self, entry};

/// One client. Several may belong to one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device(pub u32);

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {}", self.0)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Trace {
    pub steps: Vec<Step>,
}

impl Trace {
    /// Equal for equal traces: what "equal seeds give equal traces" compares.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.steps.hash(&mut hasher);
        hasher.finish()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    pub at_ms: u64,
    pub device: Device,
    pub connection: u64,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    Opened,
    Closed,
    Welcomed {
        user: String,
    },
    /// A command went out; after a reconnection the same one may go out again.
    Sends {
        command: i64,
        intent: Intent,
    },
    Acked {
        command: i64,
        answer: Answer,
    },
    Refused {
        command: i64,
        code: String,
    },
    /// An entry came in.
    Hears(Entry),
    CaughtUp {
        room: String,
        seq: u64,
    },
    /// What the client made of it for its application.
    Told(Told),
}

/// What a command wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Intent {
    Message { room: String, client_id: String, content: String },
    Edit { room: String, id: String, content: String },
    Delete { room: String, id: String },
    React { room: String, id: String, emoji: String, remove: bool },
    Join { room: String, since: Option<(String, u64)> },
    Leave { room: String },
    Part { room: String },
    History { room: String },
    Other,
}

/// What an acknowledgement says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    Message {
        seq: u64,
        id: String,
        duplicate: bool,
    },
    /// `None`: nothing changed, or nothing any more.
    Change {
        seq: Option<u64>,
    },
    Joined {
        epoch: String,
        head: u64,
        gap: bool,
    },
    Left,
    Parted {
        seq: u64,
    },
    Page(Vec<PageMessage>),
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    pub room: String,
    pub epoch: String,
    pub seq: u64,
    pub at: String,
    pub actor: String,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Body {
    /// `content: None`: deleted.
    Message {
        id: String,
        client_id: Option<String>,
        content: Option<String>,
    },
    Edit {
        id: String,
        content: String,
    },
    Delete {
        id: String,
    },
    React {
        id: String,
        emoji: String,
        remove: bool,
    },
    Member {
        target: String,
        change: String,
    },
    /// What the checker does not look into, by its name.
    Other(String),
}

/// A message as a page of history shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageMessage {
    pub id: String,
    pub seq: u64,
    /// `None`: deleted.
    pub content: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Told {
    Joined { room: String, resumed: bool },
    Entry { room: String, seq: u64 },
    Gap { room: String },
    CaughtUp { room: String, seq: u64 },
}

impl From<&v1::Entry> for Entry {
    fn from(entry: &v1::Entry) -> Self {
        let body = match &entry.body {
            Some(entry::Body::Message(message)) => Body::Message {
                id: message.id.clone(),
                client_id: message.client_id.clone(),
                content: (!message.deleted).then(|| message.content.clone()),
            },
            Some(entry::Body::Edit(edit)) => Body::Edit { id: edit.id.clone(), content: edit.content.clone() },
            Some(entry::Body::Delete(delete)) => Body::Delete { id: delete.id.clone() },
            Some(entry::Body::React(react)) => {
                Body::React { id: react.id.clone(), emoji: react.emoji.clone(), remove: react.remove }
            }
            Some(entry::Body::Member(member)) => Body::Member { target: member.target.clone(), change: member.change.clone() },
            Some(
                entry::Body::RoomChanged(_)
                | entry::Body::Call(_)
                | entry::Body::RoomAdded(_)
                | entry::Body::RoomRemoved(_)
                | entry::Body::Mention(_)
                | entry::Body::Read(_)
                | entry::Body::Notice(_),
            )
            | None => Body::Other(salon_proto::json::entry_name(entry).to_owned()),
        };
        Self {
            room: entry.room.clone(),
            epoch: entry.epoch.clone(),
            seq: entry.seq,
            at: entry.timestamp.clone(),
            actor: entry.user.clone(),
            body,
        }
    }
}

impl From<&v1::Entry> for PageMessage {
    fn from(entry: &v1::Entry) -> Self {
        match Entry::from(entry).body {
            Body::Message { id, content, .. } => Self { id, seq: entry.seq, content },
            Body::Edit { .. } | Body::Delete { .. } | Body::React { .. } | Body::Member { .. } | Body::Other(_) => {
                Self { id: String::new(), seq: entry.seq, content: None }
            }
        }
    }
}

impl Answer {
    /// Where a change was stored.
    #[must_use]
    pub fn change_seq(&self) -> Option<u64> {
        match self {
            Self::Change { seq } => *seq,
            Self::Message { .. } | Self::Joined { .. } | Self::Left | Self::Parted { .. } | Self::Page(_) | Self::Other => None,
        }
    }
}
