//! Reading a log: runs of entries, pages of history, single messages. Each is one scan of an index.

use rusqlite::{Connection, OptionalExtension, named_params, params};
use salon_core::ports::{Original, Page, PageQuery, Reaction, Slice, StoredMessage};
use salon_core::{ClientId, Entry, EntryBody, MessageId, Room, RoomId, Seq, Timestamp, UserId};

use super::columns::{self, RoomKey, StoredRoom, signed};
use super::search;
use crate::paging::{Budget, choose, fetch, pivot};

pub(super) fn room(connection: &Connection, id: &RoomId) -> rusqlite::Result<Option<StoredRoom>> {
    let sql = format!("SELECT {} FROM rooms WHERE id = ?1", columns::ROOM);
    connection.prepare_cached(&sql)?.query_row([id.as_str()], columns::room).optional()
}

pub(super) fn entries(
    connection: &Connection,
    id: &RoomId,
    after: Seq,
    limit: u32,
    bytes_max: usize,
) -> rusqlite::Result<Option<Slice>> {
    let Some(StoredRoom { key, room, .. }) = room(connection, id)? else { return Ok(None) };
    let sql = format!("SELECT {} FROM entries WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3", columns::ENTRY);
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(params![key, signed(after.0), limit])?;
    let mut budget = Budget::new(limit, bytes_max);
    let mut slice = Slice { entries: Vec::new(), head: room.head };
    while let Some(row) = rows.next()? {
        let entry = columns::entry(row, &room)?.entry;
        if !budget.take(&entry.body) {
            break;
        }
        slice.entries.push(entry);
    }
    Ok(Some(slice))
}

pub(super) fn before_last_messages(connection: &Connection, id: &RoomId, visible_from: Seq, count: u32) -> rusqlite::Result<Seq> {
    let Some(StoredRoom { key, room, .. }) = room(connection, id)? else { return Ok(Seq::START) };
    let mut select = connection.prepare_cached(
        "SELECT min(seq) FROM (
             SELECT seq FROM entries WHERE room = ?1 AND seq >= ?2 AND message = 1 ORDER BY seq DESC LIMIT ?3)",
    )?;
    let earliest: Option<i64> = select.query_row(params![key, signed(visible_from.0), count], |row| row.get(0))?;
    Ok(earliest.map_or(room.head, |seq| Seq(seq.unsigned_abs() - 1)))
}

pub(super) fn messages(connection: &Connection, id: &RoomId, ids: &[MessageId]) -> rusqlite::Result<Vec<Entry>> {
    let Some(stored) = room(connection, id)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for id in ids {
        let message = message_at(connection, &stored, id.seq_hint())?;
        found.extend(message.filter(|entry| entry.body.message_id() == Some(id)));
    }
    Ok(found)
}

/// The message at this position, if what is there is one.
pub(super) fn message_at(connection: &Connection, stored: &StoredRoom, seq: Seq) -> rusqlite::Result<Option<Entry>> {
    let sql = format!("SELECT {} FROM entries WHERE room = ?1 AND seq = ?2 AND message = 1", columns::ENTRY);
    let mut select = connection.prepare_cached(&sql)?;
    let found = select.query_row(params![stored.key, signed(seq.0)], |row| columns::entry(row, &stored.room));
    Ok(found.optional()?.map(|stored| stored.entry).filter(|entry| matches!(entry.body, EntryBody::Message(_))))
}

/// The first position whose entry is not older than `at`. Times never decrease within a room, so it is found by halving.
pub(super) fn first_from(connection: &Connection, stored: &StoredRoom, at: Timestamp) -> rusqlite::Result<Seq> {
    let mut select = connection.prepare_cached("SELECT at FROM entries WHERE room = ?1 AND seq = ?2")?;
    let (mut low, mut high) = (stored.room.first.0, stored.room.head.0 + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let time = select.query_row(params![stored.key, signed(middle)], |row| row.get(0).map(Timestamp))?;
        if time < at {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(Seq(low))
}

pub(super) fn page(connection: &Connection, query: &PageQuery) -> rusqlite::Result<Page> {
    let Some(stored) = room(connection, &query.room)? else { return Ok(Page::default()) };
    let expression = match &query.text {
        Some(text) => match search::match_expression(stored.key, text) {
            Some(expression) => Some(expression),
            None => return Ok(Page::default()),
        },
        None => None,
    };
    let visible_from = query.visible_from.max(stored.room.first);
    let pivot = pivot(query.position, stored.room.head, |at| first_from(connection, &stored, at))?.max(visible_from);
    let (older_max, newer_max) = fetch(query);
    let side = Side { connection, stored: &stored, user: query.user.as_ref(), expression };
    let older = side.messages(visible_from, pivot, Order::NewestFirst, older_max)?;
    let newer = side.messages(pivot, stored.room.head.next(), Order::OldestFirst, newer_max)?;
    let chosen = choose(query, older, newer);
    let messages = chosen.entries.into_iter().map(|entry| {
        let reactions = reactions(connection, stored.key, entry.seq, &query.asker)?;
        Ok(StoredMessage { entry, reactions })
    });
    Ok(Page {
        messages: messages.collect::<rusqlite::Result<_>>()?,
        more_before: chosen.more_before,
        more_after: chosen.more_after,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    OldestFirst,
    NewestFirst,
}

/// What both sides of a page have in common.
struct Side<'a> {
    connection: &'a Connection,
    stored: &'a StoredRoom,
    user: Option<&'a UserId>,
    /// For the full-text index.
    expression: Option<String>,
}

impl Side<'_> {
    /// At most `limit` messages between two positions, the latter not included.
    fn messages(&self, from: Seq, to: Seq, order: Order, limit: u32) -> rusqlite::Result<Vec<Entry>> {
        let direction = if order == Order::NewestFirst { "DESC" } else { "ASC" };
        let author = if self.user.is_some() { "AND actor = :user" } else { "AND :user IS NULL" };
        let StoredRoom { key, room, .. } = self.stored;
        let user = self.user.map(UserId::as_str);
        let limits = (signed(from.0), signed(to.0));
        let read = |row: &rusqlite::Row<'_>| columns::entry(row, room).map(|stored| stored.entry);
        let columns = columns::ENTRY;
        match &self.expression {
            None => {
                let sql = format!(
                    "SELECT {columns} FROM entries
                     WHERE room = :room AND seq >= :from AND seq < :to AND message = 1 {author}
                     ORDER BY seq {direction} LIMIT :limit"
                );
                let params = named_params! { ":room": key, ":from": limits.0, ":to": limits.1, ":user": user, ":limit": limit };
                self.connection.prepare_cached(&sql)?.query_map(params, read)?.collect()
            }
            Some(expression) => {
                // The keys of a room ascend with its positions, and the index is in the order of keys.
                let sql = format!(
                    "SELECT {columns} FROM search JOIN entries ON entries.key = search.rowid
                     WHERE search MATCH :expression AND search.rowid >= :key_from AND search.rowid < :key_to
                       AND entries.room = :room AND seq >= :from AND seq < :to AND message = 1 {author}
                     ORDER BY search.rowid {direction} LIMIT :limit"
                );
                let params = named_params! {
                    ":expression": expression, ":key_from": self.first_key(from)?, ":key_to": self.first_key(to)?,
                    ":room": key, ":from": limits.0, ":to": limits.1, ":user": user, ":limit": limit
                };
                self.connection.prepare_cached(&sql)?.query_map(params, read)?.collect()
            }
        }
    }

    /// The key of the first entry from this position on; beyond all keys where there is none.
    fn first_key(&self, from: Seq) -> rusqlite::Result<i64> {
        let sql = "SELECT key FROM entries WHERE room = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1";
        let mut select = self.connection.prepare_cached(sql)?;
        let found = select.query_row(params![self.stored.key, signed(from.0)], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(i64::MAX))
    }
}

fn reactions(connection: &Connection, room: RoomKey, target: Seq, asker: &UserId) -> rusqlite::Result<Vec<Reaction>> {
    let mut select = connection.prepare_cached(
        "SELECT emoji, count(*) AS people, max(user = ?3) AS mine FROM reactions WHERE room = ?1 AND target = ?2
         GROUP BY emoji ORDER BY min(seq)",
    )?;
    let rows = select.query_map(params![room, signed(target.0), asker.as_str()], |row| {
        Ok(Reaction { emoji: row.get("emoji")?, count: columns::unsigned(row, "people")?, mine: row.get("mine")? })
    })?;
    rows.collect()
}

/// The message that this person stored under this name, and the hash of its body.
pub(super) fn original(
    connection: &Connection,
    key: RoomKey,
    room: &Room,
    actor: &UserId,
    client_id: &ClientId,
) -> rusqlite::Result<Option<(Original, [u8; 16])>> {
    let sql = format!(
        "SELECT {}, body_hash FROM entries WHERE room = ?1 AND actor = ?2 AND client_id = ?3 AND client_id IS NOT NULL",
        columns::ENTRY
    );
    let mut select = connection.prepare_cached(&sql)?;
    let found = select.query_row(params![key, actor.as_str(), client_id.as_str()], |row| {
        Ok((columns::entry(row, room)?.entry, row.get("body_hash")?))
    });
    let Some((Entry { epoch, seq, at, body, .. }, hash)) = found.optional()? else { return Ok(None) };
    Ok(body.message_id().map(|id| (Original { epoch, seq, id: id.clone(), at }, hash)))
}
