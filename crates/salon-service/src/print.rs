//! Printing: a domain entry becomes what clients read. Names, quotes and titles are looked up once for all entries
//! that are printed together.

use std::collections::BTreeMap;
use std::sync::Arc;

use salon_core::entry::CallState;
use salon_core::limits::EXCERPT_CHARS_MAX;
use salon_core::ports::StoreError;
use salon_core::{Entry, EntryBody, HistoryPolicy, MemberChange, Message, MessageId, Room, RoomId, Seq, UserId};
use salon_proto::v1::{self, entry::Body};

use crate::Service;
use crate::names::NameList;

/// Whether a reply shows what it replies to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Quotes {
    /// Printed once for everybody in the room: an excerpt only where newcomers may read the time before, because some
    /// member might not be allowed to see the message that is quoted.
    ForEverybody,
    /// Printed for somebody who sees messages from here on.
    VisibleFrom(Seq),
}

/// What is looked up before entries can be printed.
struct Lookups {
    names: NameList,
    quoted: BTreeMap<MessageId, Entry>,
    /// The rooms that entries of somebody's own log are about.
    rooms: BTreeMap<RoomId, Arc<Room>>,
    excerpts_from: Option<Seq>,
}

impl Service {
    /// Prints entries of one log.
    pub(crate) async fn print(&self, log: &RoomId, entries: &[Arc<Entry>], quotes: Quotes) -> Result<Vec<v1::Entry>, StoreError> {
        let quoted = self.quoted(log, entries).await?;
        let excerpts_from = match quotes {
            Quotes::VisibleFrom(seq) => Some(seq),
            Quotes::ForEverybody if quoted.is_empty() => None,
            Quotes::ForEverybody => self.excerpts_for_everybody(log, entries).await?,
        };
        let rooms = self.rooms_about(log, entries).await?;
        let mut people: Vec<&UserId> = entries.iter().map(|entry| &entry.actor).collect();
        people.extend(entries.iter().filter_map(|entry| target(entry)));
        people.extend(quoted.values().map(|entry| &entry.actor));
        let pairs: Vec<(UserId, UserId)> = rooms.keys().filter_map(RoomId::direct_pair).collect();
        people.extend(pairs.iter().flat_map(|(one, other)| [one, other]));
        let names = self.names(people.into_iter()).await?;
        let lookups = Lookups { names, quoted, rooms, excerpts_from };
        Ok(entries.iter().map(|entry| lookups.entry(entry)).collect())
    }

    async fn quoted(&self, log: &RoomId, entries: &[Arc<Entry>]) -> Result<BTreeMap<MessageId, Entry>, StoreError> {
        let mut ids: Vec<MessageId> = entries.iter().filter_map(|entry| message(entry)?.reply_to.clone()).collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        ids.sort_unstable();
        ids.dedup();
        let found = self.parts.store.messages(log, &ids).await?;
        Ok(found.into_iter().filter_map(|entry| Some((message(&entry)?.id.clone(), entry))).collect())
    }

    async fn excerpts_for_everybody(&self, log: &RoomId, entries: &[Arc<Entry>]) -> Result<Option<Seq>, StoreError> {
        let Some(first) = entries.first() else { return Ok(None) };
        let room = self.room(log, &first.actor).await?;
        Ok(room.filter(|room| room.history == HistoryPolicy::All).map(|_| Seq::START))
    }

    async fn rooms_about(&self, log: &RoomId, entries: &[Arc<Entry>]) -> Result<BTreeMap<RoomId, Arc<Room>>, StoreError> {
        let mut rooms = BTreeMap::new();
        let Some(owner) = log.owner() else { return Ok(rooms) };
        for about in entries.iter().filter_map(|entry| about(entry)) {
            if !rooms.contains_key(about)
                && let Some(room) = self.room(about, &owner).await?
            {
                rooms.insert(about.clone(), room);
            }
        }
        Ok(rooms)
    }
}

impl Lookups {
    fn entry(&self, entry: &Entry) -> v1::Entry {
        v1::Entry {
            room: entry.room.public().to_owned(),
            epoch: entry.epoch.as_str().to_owned(),
            seq: entry.seq.0,
            timestamp: entry.at.to_string(),
            user: entry.actor.as_str().to_owned(),
            name: self.names.of(&entry.actor),
            body: Some(self.body(entry)),
        }
    }

    fn body(&self, entry: &Entry) -> Body {
        match &entry.body {
            EntryBody::Message(message) => Body::Message(self.message(message)),
            EntryBody::Edit { id, content } => {
                Body::Edit(v1::MessageEdited { id: id.as_str().to_owned(), content: content.clone() })
            }
            EntryBody::Delete { id } => Body::Delete(v1::MessageDeleted { id: id.as_str().to_owned() }),
            EntryBody::React { id, emoji, remove } => {
                Body::React(v1::Reacted { id: id.as_str().to_owned(), emoji: emoji.clone(), remove: *remove })
            }
            EntryBody::Member { target, change, role } => Body::Member(v1::MemberChanged {
                target: target.as_str().to_owned(),
                target_name: self.names.of(target),
                change: change_name(*change).to_owned(),
                role: role.map(|role| role.as_str().to_owned()),
            }),
            EntryBody::Room(change) => Body::RoomChanged(v1::RoomChanged {
                title: change.title.clone(),
                topic: change.topic.clone(),
                archived: change.archived,
                settings: change.history.map(|policy| v1::RoomSettings { history: Some(policy.as_str().to_owned()) }),
            }),
            EntryBody::Call { call, state, duration_ms } => Body::Call(v1::CallChanged {
                call: call.clone(),
                state: call_state_name(*state).to_owned(),
                duration_ms: *duration_ms,
            }),
            EntryBody::RoomAdded { room } => Body::RoomAdded(v1::RoomAdded { about: Some(self.about(entry, room)) }),
            EntryBody::RoomRemoved { room } => Body::RoomRemoved(v1::RoomRemoved { about: Some(self.about(entry, room)) }),
            EntryBody::Mention { room, seq, id } => {
                let (seq, id) = (Some(seq.0), Some(id.as_str().to_owned()));
                Body::Mention(v1::Mentioned { about: Some(v1::About { seq, id, ..self.about(entry, room) }) })
            }
            EntryBody::Read { room, seq, unread } => {
                let about = v1::About { room: Some(room.public().to_owned()), ..v1::About::default() };
                let about = v1::About { seq: Some(seq.0), unread: Some(*unread), ..about };
                Body::Read(v1::ReadElsewhere { about: Some(about) })
            }
            EntryBody::Notice { text } => {
                Body::Notice(v1::Notice { about: Some(v1::About { text: Some(text.clone()), ..v1::About::default() }) })
            }
        }
    }

    fn message(&self, message: &Message) -> v1::Message {
        v1::Message {
            id: message.id.as_str().to_owned(),
            content: message.content.clone(),
            client_id: message.client_id.as_ref().map(|id| id.as_str().to_owned()),
            reply_to: message.reply_to.as_ref().filter(|_| !message.deleted).map(|id| self.quote(id)),
            attachments: Vec::new(),
            mentions: message.mentions.iter().map(|user| user.as_str().to_owned()).collect(),
            extra: message.extra.clone(),
            edited_at: message.edited_at.map(|at| at.to_string()),
            deleted: message.deleted,
            reactions: Vec::new(),
        }
    }

    /// The message that is replied to, in its present state: nothing of it where it was deleted, and not even by whom
    /// where it may not be seen.
    fn quote(&self, id: &MessageId) -> v1::Quote {
        let quoted = self.quoted.get(id).filter(|entry| self.excerpts_from.is_some_and(|from| entry.seq >= from));
        let Some(entry) = quoted else { return v1::Quote { id: id.as_str().to_owned(), ..v1::Quote::default() } };
        let content = message(entry).map(|message| message.content.as_str()).unwrap_or_default();
        v1::Quote {
            id: id.as_str().to_owned(),
            user: entry.actor.as_str().to_owned(),
            name: self.names.of(&entry.actor),
            excerpt: content.chars().take(EXCERPT_CHARS_MAX).collect(),
        }
    }

    fn about(&self, entry: &Entry, room: &RoomId) -> v1::About {
        let row = self.rooms.get(room);
        let owner = entry.room.owner();
        v1::About {
            room: Some(room.public().to_owned()),
            title: row.zip(owner.as_ref()).map(|(row, owner)| title(row, owner, &self.names)),
            kind: row.map(|row| row.kind.as_str().to_owned()),
            ..v1::About::default()
        }
    }
}

/// What a room is called where somebody reads of it: a direct room by the name of the other.
pub(crate) fn title(room: &Room, reader: &UserId, names: &NameList) -> String {
    match other_of(&room.id, reader) {
        Some(other) => names.of(&other),
        None if room.title.is_empty() => room.id.public().to_owned(),
        None => room.title.clone(),
    }
}

/// The other one of a direct room.
pub(crate) fn other_of(room: &RoomId, reader: &UserId) -> Option<UserId> {
    room.direct_pair().map(|(one, other)| if one == *reader { other } else { one })
}

fn change_name(change: MemberChange) -> &'static str {
    match change {
        MemberChange::Joined => "joined",
        MemberChange::Left => "left",
        MemberChange::Invited => "invited",
        MemberChange::Removed => "removed",
        MemberChange::Banned => "banned",
        MemberChange::Role => "role",
    }
}

fn call_state_name(state: CallState) -> &'static str {
    match state {
        CallState::Started => "started",
        CallState::Ended => "ended",
        CallState::Missed => "missed",
    }
}

pub(crate) fn message(entry: &Entry) -> Option<&Message> {
    if let EntryBody::Message(message) = &entry.body { Some(message) } else { None }
}

fn target(entry: &Entry) -> Option<&UserId> {
    if let EntryBody::Member { target, .. } = &entry.body { Some(target) } else { None }
}

/// The room that an entry of somebody's own log says something about, where its title is told.
fn about(entry: &Entry) -> Option<&RoomId> {
    if let EntryBody::RoomAdded { room } | EntryBody::RoomRemoved { room } | EntryBody::Mention { room, .. } = &entry.body {
        Some(room)
    } else {
        None
    }
}
