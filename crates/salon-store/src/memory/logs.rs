//! Rooms and their logs in memory.

use std::convert::Infallible;

use salon_core::mention::fold_name;
use salon_core::ports::{
    Head, Logs, NewRoom, Original, Page, PageQuery, ReadMark, RoomListing, RoomRow, Slice, StoreError, StoredMessage, Write,
    Written,
};
use salon_core::{ClientId, Entry, EntryBody, Member, Message, MessageId, Room, RoomId, RoomKind, Seq, Timestamp, UserId};

use super::tables::{Log, Tables};
use super::{MemoryStore, TRIM_STEP_ENTRIES, words};
use crate::paging::{Budget, choose, fetch, pivot};
use crate::rows::{Membership, listed_from, standing};
use crate::transactions;

/// What cannot fail has not failed.
fn infallible<T>(result: Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
    }
}

#[async_trait::async_trait]
impl Logs for MemoryStore {
    async fn append(&self, write: Write) -> Result<Written, StoreError> {
        self.write(move |tables| infallible(transactions::append(tables, &write))).await
    }

    async fn original(
        &self,
        room: &RoomId,
        actor: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<(Original, [u8; 16])>, StoreError> {
        self.read(|tables| tables.rooms.get(room)?.original(actor, client_id)).await
    }

    async fn create_room(&self, new: NewRoom) -> Result<Option<(Room, Vec<Entry>)>, StoreError> {
        self.write(move |tables| infallible(transactions::create_room(tables, &new))).await
    }

    async fn delete_room(&self, room: &RoomId, at: Timestamp) -> Result<Option<Vec<Entry>>, StoreError> {
        let room = room.clone();
        self.write(move |tables| infallible(transactions::delete_room(tables, &room, at))).await
    }

    async fn mark_read(&self, room: &RoomId, user: &UserId, seq: Seq, at: Timestamp) -> Result<Option<ReadMark>, StoreError> {
        let (room, user) = (room.clone(), user.clone());
        self.write(move |tables| infallible(transactions::mark_read(tables, &room, &user, seq, at))).await
    }

    async fn room(&self, room: &RoomId, user: &UserId) -> Result<Option<RoomRow>, StoreError> {
        self.read(|tables| {
            let log = tables.rooms.get(room)?;
            Some(RoomRow { room: log.room.clone(), standing: log.standing(user) })
        })
        .await
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<Head>, StoreError> {
        self.read(|tables| {
            let logs = rooms.iter().filter_map(|room| tables.rooms.get(room));
            logs.map(|Log { room, .. }| Head { room: room.id.clone(), epoch: room.epoch.clone(), seq: room.head }).collect()
        })
        .await
    }

    async fn entries(&self, room: &RoomId, after: Seq, limit: u32, bytes_max: usize) -> Result<Option<Slice>, StoreError> {
        self.read(|tables| {
            let log = tables.rooms.get(room)?;
            let mut budget = Budget::new(limit, bytes_max);
            let entries = log.from(after.next()).take_while(|entry| budget.take(&entry.body)).cloned().collect();
            Some(Slice { entries, head: log.room.head })
        })
        .await
    }

    async fn before_last_messages(&self, room: &RoomId, visible_from: Seq, count: u32) -> Result<Seq, StoreError> {
        self.read(|tables| {
            let Some(log) = tables.rooms.get(room) else { return Seq::START };
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let earliest = log.from(visible_from).rev().filter(|entry| message(entry).is_some()).take(count).last();
            earliest.map_or(log.room.head, |entry| Seq(entry.seq.0 - 1))
        })
        .await
    }

    async fn page(&self, query: PageQuery) -> Result<Page, StoreError> {
        self.read(|tables| tables.rooms.get(&query.room).map(|log| log.page(&query)).unwrap_or_default()).await
    }

    async fn messages(&self, room: &RoomId, ids: &[MessageId]) -> Result<Vec<Entry>, StoreError> {
        self.read(|tables| {
            let Some(log) = tables.rooms.get(room) else { return Vec::new() };
            let found = ids.iter().filter_map(|id| {
                log.entry(id.seq_hint()).filter(|entry| message(entry).is_some_and(|message| message.id == *id))
            });
            found.cloned().collect()
        })
        .await
    }

    async fn rooms_of(
        &self,
        user: &UserId,
        joined_only: bool,
        after: Option<&RoomId>,
        limit: u32,
    ) -> Result<Vec<RoomListing>, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.read(|tables| {
            let behind = tables.rooms.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
            behind.filter_map(|(_, log)| log.listing(user, joined_only)).take(limit).collect()
        })
        .await
    }

    async fn members(&self, room: &RoomId, after: Option<&UserId>, limit: u32) -> Result<Vec<Member>, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.read(|tables| {
            let Some(log) = tables.rooms.get(room) else { return Vec::new() };
            let behind = log.memberships.keys().filter(|user| after.is_none_or(|after| *user > after));
            behind.filter_map(|user| log.standing(user).member().cloned()).take(limit).collect()
        })
        .await
    }

    async fn members_named(&self, room: &RoomId, names: &[String]) -> Result<Vec<(UserId, String)>, StoreError> {
        self.read(|tables| tables.members_named(room, names)).await
    }

    async fn trim(&self, room: &RoomId, first: Seq) -> Result<(), StoreError> {
        loop {
            let room = room.clone();
            let step = move |tables: &mut Tables| infallible(transactions::trim(tables, &room, first, TRIM_STEP_ENTRIES));
            if !self.write(step).await? {
                return Ok(());
            }
        }
    }

    async fn older_than(&self, before: Timestamp) -> Result<Vec<(RoomId, Seq)>, StoreError> {
        self.read(|tables| {
            let last = |log: &Log| log.from(Seq::START).take_while(|entry| entry.at < before).last().map(|entry| entry.seq);
            tables.rooms.iter().filter_map(|(id, log)| Some((id.clone(), last(log)?))).collect()
        })
        .await
    }
}

impl Tables {
    fn members_named(&self, room: &RoomId, names: &[String]) -> Vec<(UserId, String)> {
        let Some(log) = self.rooms.get(room) else { return Vec::new() };
        let members = log.memberships.iter().filter(|(_, membership)| matches!(membership, Membership::Member(_)));
        let named = members.filter_map(|(user, _)| {
            let name = fold_name(&self.accounts.get(user)?.user.name);
            names.contains(&name).then(|| (user.clone(), name))
        });
        named.collect()
    }
}

impl Log {
    fn standing(&self, user: &UserId) -> salon_core::Standing {
        standing(self.memberships.get(user), user, &self.room, self.mentions(user))
    }

    fn listing(&self, user: &UserId, joined_only: bool) -> Option<RoomListing> {
        let standing = self.standing(user);
        let listed = match &standing {
            salon_core::Standing::Member(_) => true,
            salon_core::Standing::Invited => !joined_only,
            salon_core::Standing::Stranger => !joined_only && self.room.kind == RoomKind::Public,
            salon_core::Standing::Banned => false,
        };
        let visible_from = listed_from(&standing, &self.room);
        let last = || self.from(visible_from?).rev().find(|entry| message(entry).is_some()).cloned();
        (listed && self.room.kind != RoomKind::Me).then(|| RoomListing { room: self.room.clone(), standing, last: last() })
    }

    fn page(&self, query: &PageQuery) -> Page {
        let head = self.room.head;
        let first_from = |at| {
            let found = self.from(Seq::START).find(|entry| entry.at >= at);
            Ok::<_, Infallible>(found.map_or(head.next(), |entry| entry.seq))
        };
        let pivot = infallible(pivot(query.position, head, first_from)).max(query.visible_from);
        let (older_max, newer_max) = fetch(query);
        let is_asked_for = |entry: &&Entry| {
            message(entry).is_some_and(|message| {
                query.user.as_ref().is_none_or(|user| *user == entry.actor)
                    && query.text.as_ref().is_none_or(|text| words::matches(&message.content, text))
            })
        };
        let count = |max: u32| usize::try_from(max).unwrap_or(usize::MAX);
        let older = self.between(query.visible_from, pivot).rev().filter(is_asked_for);
        let newer = self.from(pivot).filter(is_asked_for);
        let chosen =
            choose(query, older.take(count(older_max)).cloned().collect(), newer.take(count(newer_max)).cloned().collect());
        let with_reactions = |entry: Entry| StoredMessage { reactions: self.reactions(entry.seq, &query.asker), entry };
        Page {
            messages: chosen.entries.into_iter().map(with_reactions).collect(),
            more_before: chosen.more_before,
            more_after: chosen.more_after,
        }
    }
}

fn message(entry: &Entry) -> Option<&Message> {
    if let EntryBody::Message(message) = &entry.body { Some(message) } else { None }
}
