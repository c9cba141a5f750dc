//! The rows of SQLite within one transaction of the writer.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, named_params, params};
use salon_core::ports::Original;
use salon_core::{ClientId, EntryBody, Message, Room, RoomId, Seq, UserId};

use super::columns::{self, RoomKey, StoredRoom, signed};
use super::{page, search};
use crate::body;
use crate::rows::{Membership, NewEntry, Rows, StoredEntry};

/// What a group of writes has changed, for those who follow the log.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Rooms with something new to index.
    pub(super) rooms: BTreeSet<RoomKey>,
    pub(super) statements: usize,
    /// Something was erased: what the log of writes still holds of it has to go soon.
    pub(super) erased: bool,
}

/// See the module. A room that many writes of one group touch is read and written once.
pub(super) struct SqliteRows<'c> {
    connection: &'c Connection,
    rooms: BTreeMap<RoomId, Cached>,
    touched: Touched,
}

struct Cached {
    stored: StoredRoom,
    changed: bool,
}

impl<'c> SqliteRows<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, rooms: BTreeMap::new(), touched: Touched::default() }
    }

    /// For what is plain SQL.
    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// Writes back what was kept; the transaction can be committed then.
    pub(super) fn finish(self) -> rusqlite::Result<Touched> {
        for cached in self.rooms.values().filter(|cached| cached.changed) {
            write_room(self.connection, &cached.stored)?;
        }
        Ok(self.touched)
    }

    fn cached(&mut self, id: &RoomId) -> rusqlite::Result<Option<&mut Cached>> {
        if !self.rooms.contains_key(id) {
            let sql = format!("SELECT {} FROM rooms WHERE id = ?1", columns::ROOM);
            let found = self.connection.prepare_cached(&sql)?.query_row([id.as_str()], columns::room).optional()?;
            let Some(stored) = found else { return Ok(None) };
            self.rooms.insert(id.clone(), Cached { stored, changed: false });
        }
        Ok(self.rooms.get_mut(id))
    }

    /// The key of a room that the transaction has looked at before.
    fn key(&mut self, id: &RoomId) -> rusqlite::Result<RoomKey> {
        self.cached(id)?.map(|cached| cached.stored.key).ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    fn execute(&mut self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.touched.statements += 1;
        self.connection.prepare_cached(sql)?.execute(params).map(drop)
    }

    /// Messages of the room before `first` that are in the index.
    fn unindex_before(&mut self, room: RoomKey, first: Seq) -> rusqlite::Result<()> {
        let end = first.min(search::indexed(self.connection, room)?.next());
        let mut select = self
            .connection
            .prepare_cached("SELECT key, body FROM entries WHERE room = ?1 AND seq < ?2 AND message = 1 ORDER BY seq")?;
        let mut rows = select.query(params![room, signed(end.0)])?;
        while let Some(row) = rows.next()? {
            search::unindex(self.connection, room, row.get("key")?, &columns::message_text(row)?)?;
        }
        Ok(())
    }

    /// Erases a part of the rooms that were deleted; true if there is more to erase.
    pub(super) fn erase_some(&mut self, entries_max: u32) -> rusqlite::Result<bool> {
        let mut select = self.connection.prepare_cached("SELECT key FROM rooms WHERE id IS NULL LIMIT 1")?;
        let Some(room) = select.query_row([], |row| row.get::<_, RoomKey>("key")).optional()? else { return Ok(false) };
        let mut select =
            self.connection.prepare_cached("SELECT seq FROM entries WHERE room = ?1 ORDER BY seq LIMIT 1 OFFSET ?2")?;
        let end = select.query_row(params![room, entries_max], |row| columns::seq(row, "seq")).optional()?;
        self.drop_before(room, end.unwrap_or(Seq(i64::MAX.unsigned_abs())))?;
        if end.is_none() {
            self.execute("DELETE FROM search_cursors WHERE room = ?1", [room])?;
            self.execute("DELETE FROM rooms WHERE key = ?1", [room])?;
        }
        Ok(true)
    }

    fn drop_before(&mut self, room: RoomKey, first: Seq) -> rusqlite::Result<()> {
        self.touched.erased = true;
        self.unindex_before(room, first)?;
        self.execute("DELETE FROM reactions WHERE room = ?1 AND target < ?2", params![room, signed(first.0)])?;
        self.execute("DELETE FROM mentions WHERE room = ?1 AND seq < ?2", params![room, signed(first.0)])?;
        self.execute("DELETE FROM entries WHERE room = ?1 AND seq < ?2", params![room, signed(first.0)])
    }
}

fn write_room(connection: &Connection, stored: &StoredRoom) -> rusqlite::Result<()> {
    let StoredRoom { key, room, last_message } = stored;
    let mut update = connection.prepare_cached(
        "UPDATE rooms SET title = :title, topic = :topic, head = :head, first = :first, messages = :messages,
                access = :access, history = :history, archived = :archived, members = :members, last_at = :last_at,
                last_message = :last_message
         WHERE key = :key",
    )?;
    update
        .execute(named_params! {
            ":key": key,
            ":title": room.title,
            ":topic": room.topic,
            ":head": signed(room.head.0),
            ":first": signed(room.first.0),
            ":messages": signed(room.messages),
            ":access": signed(room.access.0),
            ":history": room.history.as_str(),
            ":archived": room.archived,
            ":members": signed(room.members),
            ":last_at": room.last_at.0,
            ":last_message": signed(last_message.0),
        })
        .map(drop)
}

impl Rows for SqliteRows<'_> {
    type Error = rusqlite::Error;

    fn room(&mut self, id: &RoomId) -> rusqlite::Result<Option<Room>> {
        Ok(self.cached(id)?.map(|cached| cached.stored.room.clone()))
    }

    fn insert_room(&mut self, room: &Room, creator: &UserId) -> rusqlite::Result<()> {
        let sql = "INSERT INTO rooms (id, kind, title, topic, epoch, head, first, messages, access, history, archived, members,
                                      created_at, created_by, last_at, last_message)
                   VALUES (:id, :kind, :title, :topic, :epoch, 0, 1, 0, 0, :history, 0, 0, :created_at, :created_by, :last_at, 0)";
        self.execute(
            sql,
            named_params! {
                ":id": room.id.as_str(),
                ":kind": room.kind.as_str(),
                ":title": room.title,
                ":topic": room.topic,
                ":epoch": room.epoch.as_str(),
                ":history": room.history.as_str(),
                ":created_at": room.created_at.0,
                ":created_by": creator.as_str(),
                ":last_at": room.last_at.0,
            },
        )?;
        let stored = StoredRoom { key: self.connection.last_insert_rowid(), room: room.clone(), last_message: Seq::START };
        self.rooms.insert(room.id.clone(), Cached { stored, changed: true });
        Ok(())
    }

    fn update_room(&mut self, room: &Room) -> rusqlite::Result<()> {
        let cached = self.cached(&room.id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        cached.stored.room.clone_from(room);
        cached.changed = true;
        Ok(())
    }

    fn remove_room(&mut self, id: &RoomId) -> rusqlite::Result<()> {
        let key = self.key(id)?;
        self.rooms.remove(id);
        self.execute("DELETE FROM members WHERE room = ?1", [key])?;
        self.execute("DELETE FROM mentions WHERE room = ?1", [key])?;
        self.execute("DELETE FROM invites WHERE room = ?1", [id.as_str()])?;
        // The entries are many; they are erased in steps. Nobody finds them any more.
        self.execute("UPDATE rooms SET id = NULL WHERE key = ?1", [key])
    }

    fn entry(&mut self, room: &RoomId, seq: Seq) -> rusqlite::Result<Option<StoredEntry>> {
        let connection = self.connection;
        let Some(cached) = self.cached(room)? else { return Ok(None) };
        let sql = format!("SELECT {} FROM entries WHERE room = ?1 AND seq = ?2", columns::ENTRY);
        let mut select = connection.prepare_cached(&sql)?;
        let StoredRoom { key, room, .. } = &cached.stored;
        select.query_row(params![key, signed(seq.0)], |row| columns::entry(row, room)).optional()
    }

    fn insert_entry(&mut self, new: &NewEntry<'_>) -> rusqlite::Result<()> {
        let NewEntry { entry, messages_before, edit_of, idempotency } = *new;
        let cached = self.cached(&entry.room)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let key = cached.stored.key;
        let is_message = matches!(entry.body, EntryBody::Message(_));
        if is_message {
            cached.stored.last_message = entry.seq;
            self.touched.rooms.insert(key);
        }
        let sql = "INSERT INTO entries (room, seq, message, at, actor, messages_before, edit_of, client_id, body_hash, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        self.execute(
            sql,
            params![
                key,
                signed(entry.seq.0),
                is_message,
                entry.at.0,
                entry.actor.as_str(),
                signed(messages_before),
                edit_of.map(|seq| signed(seq.0)),
                idempotency.map(|key| key.client_id.as_str()),
                idempotency.map(|key| key.body_hash),
                body::encode(&entry.body),
            ],
        )
    }

    fn original(&mut self, room: &Room, actor: &UserId, client_id: &ClientId) -> rusqlite::Result<Option<(Original, [u8; 16])>> {
        let key = self.key(&room.id)?;
        page::original(self.connection, key, room, actor, client_id)
    }

    fn rewrite_message(&mut self, room: &RoomId, seq: Seq, old: &Message, new: &Message) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        let mut update =
            self.connection.prepare_cached("UPDATE entries SET body = ?3 WHERE room = ?1 AND seq = ?2 RETURNING key")?;
        let body = body::encode(&EntryBody::Message(new.clone()));
        let entry: i64 = update.query_row(params![room, signed(seq.0), body], |row| row.get("key"))?;
        self.touched.statements += 1;
        self.touched.erased = true;
        // What the indexer has not come to yet, it will find in its new state.
        if seq <= search::indexed(self.connection, room)? {
            search::unindex(self.connection, room, entry, &old.content)?;
            search::index(self.connection, room, entry, &new.content)?;
        }
        Ok(())
    }

    fn scrub_edits(&mut self, room: &RoomId, target: Seq) -> rusqlite::Result<()> {
        let connection = self.connection;
        let Some(cached) = self.cached(room)? else { return Ok(()) };
        let StoredRoom { key, room, .. } = cached.stored.clone();
        let sql = format!("SELECT {}, key FROM entries WHERE room = ?1 AND edit_of = ?2 AND edit_of IS NOT NULL", columns::ENTRY);
        let mut select = connection.prepare_cached(&sql)?;
        let edits = select.query_map(params![key, signed(target.0)], |row| {
            Ok((row.get::<_, i64>("key")?, columns::entry(row, &room)?.entry.body))
        })?;
        // Collected first: rows must not change under a query that reads them.
        let edits = edits.collect::<rusqlite::Result<Vec<_>>>()?;
        for (entry, body) in edits {
            if let EntryBody::Edit { id, .. } = body {
                let empty = body::encode(&EntryBody::Edit { id, content: String::new() });
                self.execute("UPDATE entries SET body = ?2 WHERE key = ?1", params![entry, empty])?;
            }
        }
        Ok(())
    }

    fn has_reaction(&mut self, room: &RoomId, target: Seq, user: &UserId, emoji: &str) -> rusqlite::Result<bool> {
        let room = self.key(room)?;
        let mut select = self
            .connection
            .prepare_cached("SELECT 1 FROM reactions WHERE room = ?1 AND target = ?2 AND emoji = ?3 AND user = ?4")?;
        select.exists(params![room, signed(target.0), emoji, user.as_str()])
    }

    fn add_reaction(&mut self, room: &RoomId, target: Seq, user: &UserId, emoji: &str, seq: Seq) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        self.execute(
            "INSERT INTO reactions (room, target, emoji, user, seq) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![room, signed(target.0), emoji, user.as_str(), signed(seq.0)],
        )
    }

    fn remove_reaction(&mut self, room: &RoomId, target: Seq, user: &UserId, emoji: &str) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        self.execute(
            "DELETE FROM reactions WHERE room = ?1 AND target = ?2 AND emoji = ?3 AND user = ?4",
            params![room, signed(target.0), emoji, user.as_str()],
        )
    }

    fn clear_reactions(&mut self, room: &RoomId, target: Seq) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        self.execute("DELETE FROM reactions WHERE room = ?1 AND target = ?2", params![room, signed(target.0)])
    }

    fn membership(&mut self, room: &RoomId, user: &UserId) -> rusqlite::Result<Option<Membership>> {
        let room = self.key(room)?;
        let sql = format!("SELECT {} FROM members WHERE room = ?1 AND user = ?2", columns::MEMBERSHIP);
        self.connection.prepare_cached(&sql)?.query_row(params![room, user.as_str()], columns::membership).optional()
    }

    fn set_membership(&mut self, room: &RoomId, user: &UserId, to: Option<&Membership>) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        let Some(to) = to else {
            return self.execute("DELETE FROM members WHERE room = ?1 AND user = ?2", params![room, user.as_str()]);
        };
        let (place, seat) = columns::place(to);
        self.execute(
            "INSERT OR REPLACE INTO members (room, user, place, role, visible_from, read, read_messages)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                room,
                user.as_str(),
                place,
                seat.role.as_str(),
                signed(seat.visible_from.0),
                signed(seat.read.0),
                signed(seat.read_messages)
            ],
        )
    }

    fn member_ids(&mut self, room: &RoomId) -> rusqlite::Result<Vec<UserId>> {
        let room = self.key(room)?;
        let mut select =
            self.connection.prepare_cached("SELECT user FROM members WHERE room = ?1 AND place = 'member' ORDER BY user")?;
        select.query_map([room], |row| columns::user(row, "user"))?.collect()
    }

    fn set_read(&mut self, room: &RoomId, user: &UserId, read: Seq, read_messages: u64) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        self.execute(
            "UPDATE members SET read = ?3, read_messages = ?4 WHERE room = ?1 AND user = ?2 AND place = 'member'",
            params![room, user.as_str(), signed(read.0), signed(read_messages)],
        )
    }

    fn add_mention(&mut self, room: &RoomId, user: &UserId, seq: Seq) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        self.execute(
            "INSERT OR IGNORE INTO mentions (room, user, seq) VALUES (?1, ?2, ?3)",
            params![room, user.as_str(), signed(seq.0)],
        )
    }

    fn remove_mention(&mut self, room: &RoomId, user: &UserId, seq: Seq) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        self.execute(
            "DELETE FROM mentions WHERE room = ?1 AND user = ?2 AND seq = ?3",
            params![room, user.as_str(), signed(seq.0)],
        )
    }

    fn clear_mentions(&mut self, room: &RoomId, user: &UserId, through: Seq) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        self.execute(
            "DELETE FROM mentions WHERE room = ?1 AND user = ?2 AND seq <= ?3",
            params![room, user.as_str(), signed(through.0)],
        )
    }

    fn drop_entries(&mut self, room: &RoomId, first: Seq) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        self.drop_before(room, first)
    }

    fn raise_reads(&mut self, room: &RoomId, read: Seq, read_messages: u64) -> rusqlite::Result<()> {
        let room = self.key(room)?;
        self.execute(
            "UPDATE members SET read = ?2, read_messages = ?3 WHERE room = ?1 AND read < ?2 AND place = 'member'",
            params![room, signed(read.0), signed(read_messages)],
        )
    }
}
