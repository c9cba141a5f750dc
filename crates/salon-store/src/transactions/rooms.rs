//! Rooms as a whole: their beginning, their end, and how they forget.

use salon_core::ports::{NewRoom, News};
use salon_core::{AccessVersion, Entry, EntryBody, MemberChange, Room, RoomId, Seq, Timestamp};

use super::membership::{enact, transition};
use super::news::{deliver, messages_through, tell};
use super::{Draft, push};
use crate::rows::Rows;

pub(crate) fn create_room<R: Rows>(rows: &mut R, new: &NewRoom) -> Result<Option<(Room, Vec<Entry>)>, R::Error> {
    if rows.room(&new.id)?.is_some() {
        return Ok(None);
    }
    let mut room = Room {
        id: new.id.clone(),
        kind: new.kind,
        title: new.title.clone(),
        topic: new.topic.clone(),
        epoch: new.epoch.clone(),
        head: Seq::START,
        first: Seq(1),
        messages: 0,
        access: AccessVersion::default(),
        history: new.history,
        archived: false,
        members: 0,
        created_at: new.at,
        last_at: new.at,
    };
    rows.insert_room(&room, &new.creator)?;
    let mut entries = Vec::new();
    for (user, role) in &new.members {
        let was = rows.membership(&room.id, user)?;
        let Some(joined) = transition(was, user, MemberChange::Joined, Some(*role)) else { continue };
        let entry = push(rows, &mut room, &Draft::plain(new.at, &new.creator), joined.body())?;
        enact(rows, &mut room, entry.seq, &joined)?;
        room.access.0 += 1;
        let news = [News::RoomAdded { to: user.clone() }];
        let news = if *user == new.creator { Vec::new() } else { deliver(rows, &entry, &news)? };
        entries.push(entry);
        entries.extend(news);
    }
    rows.update_room(&room)?;
    Ok(Some((room, entries)))
}

/// Takes the room out of sight and tells its members. The adapter erases its entries.
pub(crate) fn delete_room<R: Rows>(rows: &mut R, id: &RoomId, at: Timestamp) -> Result<Option<Vec<Entry>>, R::Error> {
    if rows.room(id)?.is_none() {
        return Ok(None);
    }
    let members = rows.member_ids(id)?;
    rows.remove_room(id)?;
    let mut told = Vec::new();
    for member in &members {
        told.extend(tell(rows, member, &Draft::plain(at, member), EntryBody::RoomRemoved { room: id.clone() })?);
    }
    Ok(Some(told))
}

/// Drops the entries before `first`, but no more than `entries_max` of them; true if there are more to drop.
pub(crate) fn trim<R: Rows>(rows: &mut R, id: &RoomId, first: Seq, entries_max: u64) -> Result<bool, R::Error> {
    let Some(mut room) = rows.room(id)? else { return Ok(false) };
    let wanted = first.min(room.head.next());
    let first = wanted.min(Seq(room.first.0.saturating_add(entries_max)));
    if first <= room.first {
        return Ok(false);
    }
    let last_dropped = Seq(first.0 - 1);
    let dropped_messages = messages_through(rows, &room, last_dropped)?;
    rows.drop_entries(id, first)?;
    rows.raise_reads(id, last_dropped, dropped_messages)?;
    room.first = first;
    rows.update_room(&room)?;
    Ok(first < wanted)
}
