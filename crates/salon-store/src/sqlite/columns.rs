//! From rows to values and back.

use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type};
use salon_core::{AccessVersion, Entry, EntryBody, Epoch, HistoryPolicy, Role, Room, RoomId, RoomKind, Seq, Timestamp, UserId};

use crate::body;
use crate::rows::{Membership, Seat, StoredEntry};

/// What [`room`] reads.
pub(super) const ROOM: &str = "key, id, kind, title, topic, epoch, head, first, messages, access, history, archived, members, created_at, last_at, last_message";
/// What [`entry`] reads.
pub(super) const ENTRY: &str = "seq, at, actor, messages_before, body";
/// What [`membership`] reads.
pub(super) const MEMBERSHIP: &str = "place, role, visible_from, read, read_messages";

/// A row's number among rooms.
pub(super) type RoomKey = i64;

/// A room with what only this store needs to know of it.
#[derive(Debug, Clone)]
pub(super) struct StoredRoom {
    pub(super) key: RoomKey,
    pub(super) room: Room,
    /// Zero where there is none.
    pub(super) last_message: Seq,
}

/// SQLite's integers have a sign. Positions and counts stay below 2^53 (PROTOCOL §1).
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The value of a column that holds no negative numbers.
pub(super) fn unsigned(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| FromSqlError::OutOfRange(number).into())
}

pub(super) fn seq(row: &Row<'_>, column: &str) -> rusqlite::Result<Seq> {
    Ok(Seq(unsigned(row, column)?))
}

pub(super) fn user(row: &Row<'_>, column: &str) -> rusqlite::Result<UserId> {
    Ok(UserId::from_stored(row.get_ref(column)?.as_str()?))
}

pub(super) fn room(row: &Row<'_>) -> rusqlite::Result<StoredRoom> {
    let room = Room {
        id: RoomId::from_stored(row.get_ref("id")?.as_str()?),
        kind: word(row, "kind", RoomKind::parse)?,
        title: row.get("title")?,
        topic: row.get("topic")?,
        epoch: Epoch::from_stored(row.get_ref("epoch")?.as_str()?),
        head: seq(row, "head")?,
        first: seq(row, "first")?,
        messages: unsigned(row, "messages")?,
        access: AccessVersion(unsigned(row, "access")?),
        history: word(row, "history", HistoryPolicy::parse)?,
        archived: row.get("archived")?,
        members: unsigned(row, "members")?,
        created_at: Timestamp(row.get("created_at")?),
        last_at: Timestamp(row.get("last_at")?),
    };
    Ok(StoredRoom { key: row.get("key")?, room, last_message: seq(row, "last_message")? })
}

/// An entry of this room. Its epoch is the room's: a restored log has another one throughout.
pub(super) fn entry(row: &Row<'_>, room: &Room) -> rusqlite::Result<StoredEntry> {
    let bytes = row.get_ref("body")?.as_blob()?;
    let body = body::decode(bytes).map_err(|error| conversion(Type::Blob, error))?;
    let entry = Entry {
        room: room.id.clone(),
        epoch: room.epoch.clone(),
        seq: seq(row, "seq")?,
        at: Timestamp(row.get("at")?),
        actor: user(row, "actor")?,
        body,
    };
    Ok(StoredEntry { entry, messages_before: unsigned(row, "messages_before")? })
}

/// The content of a message's body, for the index. Empty for any other body.
pub(super) fn message_text(row: &Row<'_>) -> rusqlite::Result<String> {
    let body = body::decode(row.get_ref("body")?.as_blob()?).map_err(|error| conversion(Type::Blob, error))?;
    Ok(if let EntryBody::Message(message) = body { message.content } else { String::new() })
}

const MEMBER: &str = "member";
const INVITED: &str = "invited";
const BANNED: &str = "banned";

pub(super) fn membership(row: &Row<'_>) -> rusqlite::Result<Membership> {
    match row.get_ref("place")?.as_str()? {
        MEMBER => Ok(Membership::Member(Seat {
            role: word(row, "role", Role::parse)?,
            visible_from: seq(row, "visible_from")?,
            read: seq(row, "read")?,
            read_messages: unsigned(row, "read_messages")?,
        })),
        INVITED => Ok(Membership::Invited),
        BANNED => Ok(Membership::Banned),
        other => Err(conversion(Type::Text, UnknownWord(other.to_owned()))),
    }
}

/// How a membership is written: its place, and the seat (an empty one for those who do not belong).
pub(super) fn place(membership: &Membership) -> (&'static str, Seat) {
    let nowhere = Seat { role: Role::Member, visible_from: Seq::START, read: Seq::START, read_messages: 0 };
    match membership {
        Membership::Member(seat) => (MEMBER, seat.clone()),
        Membership::Invited => (INVITED, nowhere),
        Membership::Banned => (BANNED, nowhere),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no word of this column")]
struct UnknownWord(String);

fn word<T>(row: &Row<'_>, column: &str, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or_else(|| conversion(Type::Text, UnknownWord(text.to_owned())))
}

fn conversion(from: Type, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, from, Box::new(error))
}
