//! People's own logs, and their read marks.

use salon_core::ports::{News, ReadMark};
use salon_core::{Entry, EntryBody, Room, RoomId, Seq, Timestamp, UserId};

use super::{Draft, push};
use crate::rows::{Membership, Rows, Seat};

/// Puts the news of an entry into the logs of those whom it concerns. Who has no log (a guest) is not told.
pub(super) fn deliver<R: Rows>(rows: &mut R, about: &Entry, news: &[News]) -> Result<Vec<Entry>, R::Error> {
    let mut told = Vec::new();
    for item in news {
        let room = about.room.clone();
        let (to, body) = match item {
            News::RoomAdded { to } => (to, EntryBody::RoomAdded { room }),
            News::RoomRemoved { to } => (to, EntryBody::RoomRemoved { room }),
            News::Mention { to } => {
                let EntryBody::Message(message) = &about.body else { continue };
                // Looked at here, in the transaction: nobody hears of a room that they have just left, nor of what they
                // have just said themselves.
                let Some(Membership::Member(seat)) = rows.membership(&room, to)? else { continue };
                if seat.read >= about.seq {
                    continue;
                }
                rows.add_mention(&room, to, about.seq)?;
                (to, EntryBody::Mention { room, seq: about.seq, id: message.id.clone() })
            }
        };
        told.extend(tell(rows, to, &Draft::plain(about.at, &about.actor), body)?);
    }
    Ok(told)
}

/// Appends to somebody's own log. `None`: there is no such log.
pub(super) fn tell<R: Rows>(rows: &mut R, to: &UserId, draft: &Draft<'_>, body: EntryBody) -> Result<Option<Entry>, R::Error> {
    let Some(mut log) = rows.room(&RoomId::me(to))? else { return Ok(None) };
    let entry = push(rows, &mut log, draft, body)?;
    rows.update_room(&log)?;
    Ok(Some(entry))
}

pub(crate) fn notify<R: Rows>(rows: &mut R, user: &UserId, text: &str, at: Timestamp) -> Result<Option<Entry>, R::Error> {
    tell(rows, user, &Draft::plain(at, user), EntryBody::Notice { text: text.to_owned() })
}

pub(crate) fn mark_read<R: Rows>(
    rows: &mut R,
    room: &RoomId,
    user: &UserId,
    seq: Seq,
    at: Timestamp,
) -> Result<Option<ReadMark>, R::Error> {
    let Some(room) = rows.room(room)? else { return Ok(None) };
    let Some(Membership::Member(seat)) = rows.membership(&room.id, user)? else { return Ok(None) };
    // What retention has dropped is read.
    let seq = seq.min(room.head).max(Seq(room.first.0.saturating_sub(1)));
    if seq <= seat.read {
        return Ok(Some(ReadMark { seq: seat.read, unread: seat.unread(&room), news: None }));
    }
    let read_messages = messages_through(rows, &room, seq)?;
    rows.set_read(&room.id, user, seq, read_messages)?;
    rows.clear_mentions(&room.id, user, seq)?;
    let unread = Seat { read_messages, ..seat }.unread(&room);
    let body = EntryBody::Read { room: room.id, seq, unread };
    let news = tell(rows, user, &Draft::plain(at, user), body)?;
    Ok(Some(ReadMark { seq, unread, news }))
}

/// How many messages the log has held up to `seq`, which is kept or right before what is kept.
pub(super) fn messages_through<R: Rows>(rows: &mut R, room: &Room, seq: Seq) -> Result<u64, R::Error> {
    let next = rows.entry(&room.id, seq.next())?;
    Ok(next.map_or(room.messages, |next| next.messages_before))
}
