//! Rooms and their logs in SQLite.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, named_params, params};
use salon_core::mention::fold_name;
use salon_core::ports::{
    Head, Logs, NewRoom, Original, Page, PageQuery, ReadMark, RoomListing, RoomRow, Slice, StoreError, Write, Written,
};
use salon_core::{ClientId, Entry, Member, MessageId, Room, RoomId, Seq, Standing, Timestamp, UserId};

use super::columns::{self, RoomKey, StoredRoom};
use super::indexer::ERASE_STEP_ENTRIES;
use super::{SqliteStore, page, search};
use crate::paging::search_words;
use crate::rows::{Membership, listed_from, standing};
use crate::transactions;

/// Entries that one step of a trim drops: other writes come in between.
const TRIM_STEP_ENTRIES: u64 = 1_000;
/// How long a search waits for the indexer, in milliseconds.
const SEARCH_WAIT_MS: u64 = 5_000;

#[async_trait::async_trait]
impl Logs for SqliteStore {
    async fn append(&self, write: Write) -> Result<Written, StoreError> {
        self.write(move |rows| transactions::append(rows, &write)).await
    }

    async fn original(
        &self,
        room: &RoomId,
        actor: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<(Original, [u8; 16])>, StoreError> {
        let (room, actor, client_id) = (room.clone(), actor.clone(), client_id.clone());
        self.read(move |reader| {
            let Some(stored) = page::room(reader, &room)? else { return Ok(None) };
            page::original(reader, stored.key, &stored.room, &actor, &client_id)
        })
        .await
    }

    async fn create_room(&self, new: NewRoom) -> Result<Option<(Room, Vec<Entry>)>, StoreError> {
        self.write(move |rows| transactions::create_room(rows, &new)).await
    }

    async fn delete_room(&self, room: &RoomId, at: Timestamp) -> Result<Option<Vec<Entry>>, StoreError> {
        let room = room.clone();
        let told = self.write(move |rows| transactions::delete_room(rows, &room, at)).await?;
        while told.is_some() && self.write(|rows| rows.erase_some(ERASE_STEP_ENTRIES)).await? {}
        Ok(told)
    }

    async fn mark_read(&self, room: &RoomId, user: &UserId, seq: Seq, at: Timestamp) -> Result<Option<ReadMark>, StoreError> {
        let (room, user) = (room.clone(), user.clone());
        self.write(move |rows| transactions::mark_read(rows, &room, &user, seq, at)).await
    }

    async fn room(&self, room: &RoomId, user: &UserId) -> Result<Option<RoomRow>, StoreError> {
        let (room, user) = (room.clone(), user.clone());
        self.read(move |reader| {
            let Some(stored) = page::room(reader, &room)? else { return Ok(None) };
            let standing = standing_of(reader, &stored, &user)?;
            Ok(Some(RoomRow { room: stored.room, standing }))
        })
        .await
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<Head>, StoreError> {
        let rooms = rooms.to_vec();
        self.read(move |reader| {
            let mut select = reader.prepare_cached("SELECT epoch, head FROM rooms WHERE id = ?1")?;
            let mut heads = Vec::with_capacity(rooms.len());
            for room in rooms {
                let found = select.query_row([room.as_str()], |row| {
                    let epoch = salon_core::Epoch::from_stored(row.get_ref("epoch")?.as_str()?);
                    Ok((epoch, columns::seq(row, "head")?))
                });
                heads.extend(found.optional()?.map(|(epoch, seq)| Head { room, epoch, seq }));
            }
            Ok(heads)
        })
        .await
    }

    async fn entries(&self, room: &RoomId, after: Seq, limit: u32, bytes_max: usize) -> Result<Option<Slice>, StoreError> {
        let room = room.clone();
        self.read(move |reader| page::entries(reader, &room, after, limit, bytes_max)).await
    }

    async fn before_last_messages(&self, room: &RoomId, visible_from: Seq, count: u32) -> Result<Seq, StoreError> {
        let room = room.clone();
        self.read(move |reader| page::before_last_messages(reader, &room, visible_from, count)).await
    }

    async fn page(&self, query: PageQuery) -> Result<Page, StoreError> {
        if query.text.as_ref().is_some_and(|text| !search_words(text).is_empty()) {
            self.wait_for_the_index(&query.room).await?;
        }
        self.read(move |reader| page::page(reader, &query)).await
    }

    async fn messages(&self, room: &RoomId, ids: &[MessageId]) -> Result<Vec<Entry>, StoreError> {
        let (room, ids) = (room.clone(), ids.to_vec());
        self.read(move |reader| page::messages(reader, &room, &ids)).await
    }

    async fn rooms_of(
        &self,
        user: &UserId,
        joined_only: bool,
        after: Option<&RoomId>,
        limit: u32,
    ) -> Result<Vec<RoomListing>, StoreError> {
        let (user, after) = (user.clone(), after.cloned());
        self.read(move |reader| rooms_of(reader, &user, joined_only, after.as_ref(), limit)).await
    }

    async fn members(&self, room: &RoomId, after: Option<&UserId>, limit: u32) -> Result<Vec<Member>, StoreError> {
        let (room, after) = (room.clone(), after.cloned());
        self.read(move |reader| members(reader, &room, after.as_ref(), limit)).await
    }

    async fn members_named(&self, room: &RoomId, names: &[String]) -> Result<Vec<(UserId, String)>, StoreError> {
        let (room, names) = (room.clone(), names.to_vec());
        self.read(move |reader| members_named(reader, &room, &names)).await
    }

    async fn trim(&self, room: &RoomId, first: Seq) -> Result<(), StoreError> {
        loop {
            let room = room.clone();
            if !self.write(move |rows| transactions::trim(rows, &room, first, TRIM_STEP_ENTRIES)).await? {
                return Ok(());
            }
        }
    }

    async fn older_than(&self, before: Timestamp) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        self.read(move |reader| {
            let sql = format!("SELECT {} FROM rooms WHERE id IS NOT NULL AND head >= first ORDER BY id", columns::ROOM);
            let rooms = reader.prepare_cached(&sql)?.query_map([], columns::room)?.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut found = Vec::new();
            for stored in rooms {
                let first = page::first_from(reader, &stored, before)?;
                if first > stored.room.first {
                    found.push((stored.room.id, Seq(first.0 - 1)));
                }
            }
            Ok(found)
        })
        .await
    }
}

impl SqliteStore {
    /// Returns when the index has passed what is the room's head now.
    async fn wait_for_the_index(&self, room: &RoomId) -> Result<(), StoreError> {
        let room = room.clone();
        let found = self.read(move |reader| page::room(reader, &room)).await?;
        let Some(StoredRoom { key, room, .. }) = found else { return Ok(()) };
        let indexer = self.indexer.handle();
        let mut steps = indexer.steps();
        let passed = async {
            while self.read(move |reader| search::indexed(reader, key)).await? < room.head {
                indexer.hurry(key);
                if steps.changed().await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        let waited = tokio::time::timeout(Duration::from_millis(SEARCH_WAIT_MS), passed).await;
        waited.map_err(|_| StoreError::Unavailable("the search index is behind".into()))?
    }
}

fn standing_of(reader: &Connection, stored: &StoredRoom, user: &UserId) -> rusqlite::Result<Standing> {
    let sql = format!("SELECT {} FROM members WHERE room = ?1 AND user = ?2", columns::MEMBERSHIP);
    let found = reader.prepare_cached(&sql)?.query_row(params![stored.key, user.as_str()], columns::membership).optional()?;
    let mentions = if matches!(found, Some(Membership::Member(_))) { mentions(reader, stored.key, user)? } else { 0 };
    Ok(standing(found.as_ref(), user, &stored.room, mentions))
}

fn mentions(reader: &Connection, room: RoomKey, user: &UserId) -> rusqlite::Result<u64> {
    let mut select = reader.prepare_cached("SELECT count(*) AS mentions FROM mentions WHERE room = ?1 AND user = ?2")?;
    select.query_row(params![room, user.as_str()], |row| columns::unsigned(row, "mentions"))
}

fn rooms_of(
    reader: &Connection,
    user: &UserId,
    joined_only: bool,
    after: Option<&RoomId>,
    limit: u32,
) -> rusqlite::Result<Vec<RoomListing>> {
    // Both halves come from an index and stop at the limit, however many rooms there are that are neither.
    let sql = format!(
        "SELECT {columns} FROM rooms WHERE id IN (
             SELECT id FROM (
                 SELECT rooms.id AS id FROM members JOIN rooms ON rooms.key = members.room
                 WHERE members.user = :user AND rooms.id > :after AND rooms.kind <> 'me'
                   AND (members.place = 'member' OR (members.place = 'invited' AND NOT :joined_only))
                 ORDER BY rooms.id LIMIT :limit)
             UNION
             SELECT id FROM (
                 SELECT id FROM rooms WHERE kind = 'public' AND id > :after AND NOT :joined_only
                   AND NOT EXISTS (SELECT 1 FROM members WHERE room = rooms.key AND user = :user AND place = 'banned')
                 ORDER BY id LIMIT :limit))
         ORDER BY id LIMIT :limit",
        columns = columns::ROOM
    );
    let after = after.map_or("", RoomId::as_str);
    let params = named_params! { ":user": user.as_str(), ":after": after, ":joined_only": joined_only, ":limit": limit };
    let rooms = reader.prepare_cached(&sql)?.query_map(params, columns::room)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let listings = rooms.into_iter().map(|stored| {
        let standing = standing_of(reader, &stored, user)?;
        let last = match listed_from(&standing, &stored.room) {
            Some(visible_from) if stored.last_message >= visible_from => page::message_at(reader, &stored, stored.last_message)?,
            Some(_) | None => None,
        };
        Ok(RoomListing { room: stored.room, standing, last })
    });
    listings.collect()
}

fn members(reader: &Connection, id: &RoomId, after: Option<&UserId>, limit: u32) -> rusqlite::Result<Vec<Member>> {
    let Some(StoredRoom { key, room, .. }) = page::room(reader, id)? else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT user, {},
                (SELECT count(*) FROM mentions WHERE mentions.room = members.room AND mentions.user = members.user) AS mentions
         FROM members WHERE room = ?1 AND user > ?2 AND place = 'member' ORDER BY user LIMIT ?3",
        columns::MEMBERSHIP
    );
    let mut select = reader.prepare_cached(&sql)?;
    let mut rows = select.query(params![key, after.map_or("", UserId::as_str), limit])?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        if let Membership::Member(seat) = columns::membership(row)? {
            members.push(seat.member(columns::user(row, "user")?, &room, columns::unsigned(row, "mentions")?));
        }
    }
    Ok(members)
}

fn members_named(reader: &Connection, id: &RoomId, names: &[String]) -> rusqlite::Result<Vec<(UserId, String)>> {
    let Some(StoredRoom { key, .. }) = page::room(reader, id)? else { return Ok(Vec::new()) };
    let mut select = reader.prepare_cached(
        "SELECT users.id AS user FROM users JOIN members ON members.user = users.id
         WHERE users.name_key = ?2 AND members.room = ?1 AND members.place = 'member'",
    )?;
    let mut found = std::collections::BTreeMap::new();
    for name in names {
        for user in select.query_map(params![key, fold_name(name)], |row| columns::user(row, "user"))? {
            found.insert(user?, fold_name(name));
        }
    }
    Ok(found.into_iter().collect())
}
