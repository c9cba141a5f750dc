//! What each write means, once for every store. Each function checks everything before it writes anything: whoever
//! shares a transaction with a refused write notices nothing of it.

mod append;
mod membership;
mod news;
mod rooms;

pub(crate) use append::append;
pub(crate) use news::{mark_read, notify};
pub(crate) use rooms::{create_room, delete_room, trim};

use salon_core::ports::Idempotency;
use salon_core::{Entry, EntryBody, Room, Seq, Timestamp, UserId};

use crate::rows::{NewEntry, Rows};

/// An entry that is about to get its position.
struct Draft<'a> {
    at: Timestamp,
    actor: &'a UserId,
    edit_of: Option<Seq>,
    idempotency: Option<&'a Idempotency>,
}

impl<'a> Draft<'a> {
    fn plain(at: Timestamp, actor: &'a UserId) -> Self {
        Self { at, actor, edit_of: None, idempotency: None }
    }
}

/// Gives an entry the next position of the log and stores it. The caller stores the room.
fn push<R: Rows>(rows: &mut R, room: &mut Room, draft: &Draft<'_>, body: EntryBody) -> Result<Entry, R::Error> {
    let entry = Entry {
        room: room.id.clone(),
        epoch: room.epoch.clone(),
        seq: room.head.next(),
        // Times never decrease within a room, whatever the clocks of the nodes say.
        at: draft.at.max(room.last_at),
        actor: draft.actor.clone(),
        body,
    };
    let Draft { edit_of, idempotency, .. } = *draft;
    rows.insert_entry(&NewEntry { entry: &entry, messages_before: room.messages, edit_of, idempotency })?;
    room.head = entry.seq;
    room.last_at = entry.at;
    if matches!(entry.body, EntryBody::Message(_)) {
        room.messages += 1;
    }
    Ok(entry)
}
