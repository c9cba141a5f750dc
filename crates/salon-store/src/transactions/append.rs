//! One entry, with everything that follows from it.

use salon_core::ports::{Change, Write, Written};
use salon_core::{EntryBody, Message, MessageId, Room, RoomChange, Seq};

use super::membership::{Transition, enact, transition};
use super::news::deliver;
use super::{Draft, push};
use crate::rows::Rows;

/// A checked change: nothing stands in its way any more.
enum Checked {
    Message(Message),
    Edit { seq: Seq, old: Message, content: String },
    Delete { seq: Seq, old: Message },
    React { seq: Seq, id: MessageId, emoji: String, remove: bool },
    Member(Transition),
    Room(RoomChange),
    Notice(String),
}

/// Appends. The order of the checks is part of the contract: a retry is answered whatever has happened since.
pub(crate) fn append<R: Rows>(rows: &mut R, write: &Write) -> Result<Written, R::Error> {
    let Some(mut room) = rows.room(&write.room)? else { return Ok(Written::NoSuchRoom) };
    if let Some(answer) = retried(rows, &room, write)? {
        return Ok(answer);
    }
    if room.access != write.access {
        return Ok(Written::StaleAccess);
    }
    let checked = match check(rows, &room, write)? {
        Ok(checked) => checked,
        Err(refused) => return Ok(refused),
    };
    let draft = Draft {
        at: write.at,
        actor: &write.actor,
        edit_of: match &checked {
            Checked::Edit { seq, .. } => Some(*seq),
            Checked::Message(_)
            | Checked::Delete { .. }
            | Checked::React { .. }
            | Checked::Member(_)
            | Checked::Room(_)
            | Checked::Notice(_) => None,
        },
        idempotency: idempotency(write),
    };
    let entry = push(rows, &mut room, &draft, body(&checked))?;
    let takes_access_away = match &checked {
        Checked::Member(transition) => transition.may_take_access_away(),
        Checked::Room(_) => true,
        Checked::Message(_) | Checked::Edit { .. } | Checked::Delete { .. } | Checked::React { .. } | Checked::Notice(_) => false,
    };
    take_effect(rows, &mut room, write, &entry, checked)?;
    if takes_access_away {
        room.access.0 += 1;
    }
    rows.update_room(&room)?;
    let news = deliver(rows, &entry, &write.news)?;
    Ok(Written::Stored { entry, news })
}

/// Only messages are retried under a name; everything else is harmless to repeat.
fn idempotency(write: &Write) -> Option<&salon_core::ports::Idempotency> {
    write.idempotency.as_ref().filter(|_| matches!(write.change, Change::Message { .. }))
}

fn retried<R: Rows>(rows: &mut R, room: &Room, write: &Write) -> Result<Option<Written>, R::Error> {
    let Some(key) = idempotency(write) else { return Ok(None) };
    let original = rows.original(room, &write.actor, &key.client_id)?;
    Ok(original.map(
        |(original, body_hash)| {
            if body_hash == key.body_hash { Written::Duplicate(original) } else { Written::BodyConflict }
        },
    ))
}

fn check<R: Rows>(rows: &mut R, room: &Room, write: &Write) -> Result<Result<Checked, Written>, R::Error> {
    Ok(match &write.change {
        Change::Message { content, reply_to, mentions, extra } => Ok(Checked::Message(Message {
            id: MessageId::mint(room.head.next(), write.salt),
            content: content.clone(),
            client_id: write.idempotency.as_ref().map(|key| key.client_id.clone()),
            reply_to: reply_to.clone(),
            mentions: mentions.clone(),
            extra: extra.clone(),
            edited_at: None,
            deleted: false,
        })),
        Change::Edit { id, content } => match message(rows, room, id)? {
            Some(old) if old.deleted => Err(Written::NoSuchMessage),
            Some(old) if old.content == *content => Err(Written::Unchanged),
            Some(old) => Ok(Checked::Edit { seq: id.seq_hint(), old, content: content.clone() }),
            None => Err(Written::NoSuchMessage),
        },
        Change::Delete { id } => match message(rows, room, id)? {
            Some(old) if old.deleted => Err(Written::Unchanged),
            Some(old) => Ok(Checked::Delete { seq: id.seq_hint(), old }),
            None => Err(Written::NoSuchMessage),
        },
        Change::React { id, emoji, remove } => {
            if message(rows, room, id)?.is_none_or(|message| message.deleted) {
                return Ok(Err(Written::NoSuchMessage));
            }
            let there = rows.has_reaction(&room.id, id.seq_hint(), &write.actor, emoji)?;
            if there == *remove {
                Ok(Checked::React { seq: id.seq_hint(), id: id.clone(), emoji: emoji.clone(), remove: *remove })
            } else {
                Err(Written::Unchanged)
            }
        }
        Change::Member { target, change, role } => {
            let now = rows.membership(&room.id, target)?;
            transition(now, target, *change, *role).map(Checked::Member).ok_or(Written::Unchanged)
        }
        Change::Room(change) if changes(room, change) => Ok(Checked::Room(change.clone())),
        Change::Room(_) => Err(Written::Unchanged),
        Change::Notice { text } => Ok(Checked::Notice(text.clone())),
    })
}

/// The message with this very id: the same position may have held another one in another epoch.
fn message<R: Rows>(rows: &mut R, room: &Room, id: &MessageId) -> Result<Option<Message>, R::Error> {
    let found = rows.entry(&room.id, id.seq_hint())?;
    Ok(found.and_then(|stored| match stored.entry.body {
        EntryBody::Message(message) if message.id == *id => Some(message),
        EntryBody::Message(_)
        | EntryBody::Edit { .. }
        | EntryBody::Delete { .. }
        | EntryBody::React { .. }
        | EntryBody::Member { .. }
        | EntryBody::Room(_)
        | EntryBody::Call { .. }
        | EntryBody::RoomAdded { .. }
        | EntryBody::RoomRemoved { .. }
        | EntryBody::Mention { .. }
        | EntryBody::Read { .. }
        | EntryBody::Notice { .. } => None,
    }))
}

fn changes(room: &Room, change: &RoomChange) -> bool {
    change.title.as_ref().is_some_and(|title| *title != room.title)
        || change.topic.as_ref().is_some_and(|topic| *topic != room.topic)
        || change.archived.is_some_and(|archived| archived != room.archived)
        || change.history.is_some_and(|history| history != room.history)
}

fn body(checked: &Checked) -> EntryBody {
    match checked {
        Checked::Message(message) => EntryBody::Message(message.clone()),
        Checked::Edit { old, content, .. } => EntryBody::Edit { id: old.id.clone(), content: content.clone() },
        Checked::Delete { old, .. } => EntryBody::Delete { id: old.id.clone() },
        Checked::React { id, emoji, remove, .. } => EntryBody::React { id: id.clone(), emoji: emoji.clone(), remove: *remove },
        Checked::Member(transition) => transition.body(),
        Checked::Room(change) => EntryBody::Room(change.clone()),
        Checked::Notice(text) => EntryBody::Notice { text: text.clone() },
    }
}

fn take_effect<R: Rows>(
    rows: &mut R,
    room: &mut Room,
    write: &Write,
    entry: &salon_core::Entry,
    checked: Checked,
) -> Result<(), R::Error> {
    match checked {
        Checked::Message(_) => {
            // Who speaks has read what was there.
            rows.set_read(&room.id, &write.actor, entry.seq, room.messages)?;
            rows.clear_mentions(&room.id, &write.actor, entry.seq)
        }
        Checked::Edit { seq, old, content } => {
            let new = Message { content, edited_at: Some(entry.at), ..old.clone() };
            rows.rewrite_message(&room.id, seq, &old, &new)
        }
        Checked::Delete { seq, old } => erase(rows, room, seq, &old),
        Checked::React { seq, emoji, remove: true, .. } => rows.remove_reaction(&room.id, seq, &write.actor, &emoji),
        Checked::React { seq, emoji, remove: false, .. } => rows.add_reaction(&room.id, seq, &write.actor, &emoji, entry.seq),
        Checked::Member(transition) => enact(rows, room, entry.seq, &transition),
        Checked::Room(RoomChange { title, topic, archived, history }) => {
            room.title = title.unwrap_or_else(|| std::mem::take(&mut room.title));
            room.topic = topic.unwrap_or_else(|| std::mem::take(&mut room.topic));
            room.archived = archived.unwrap_or(room.archived);
            room.history = history.unwrap_or(room.history);
            Ok(())
        }
        Checked::Notice(_) => Ok(()),
    }
}

/// Scrubs everything that was said; that something was said, by whom and when, stays.
fn erase<R: Rows>(rows: &mut R, room: &Room, seq: Seq, old: &Message) -> Result<(), R::Error> {
    for user in &old.mentions {
        rows.remove_mention(&room.id, user, seq)?;
    }
    let new = Message {
        id: old.id.clone(),
        content: String::new(),
        client_id: old.client_id.clone(),
        reply_to: None,
        mentions: Vec::new(),
        extra: None,
        edited_at: old.edited_at,
        deleted: true,
    };
    rows.rewrite_message(&room.id, seq, old, &new)?;
    rows.scrub_edits(&room.id, seq)?;
    rows.clear_reactions(&room.id, seq)
}
