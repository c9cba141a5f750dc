//! The stored form of what an entry says: versioned protobuf, see `proto/salon/store/v1/body.proto`.

use prost::Message as _;
use salon_core::entry::{CallState, RoomChange};
use salon_core::{ClientId, EntryBody, HistoryPolicy, MemberChange, Message, MessageId, Role, RoomId, Seq, Timestamp, UserId};

use stored::body::Kind;

#[expect(unreachable_pub, reason = "generated")]
mod stored {
    include!(concat!(env!("OUT_DIR"), "/salon.store.v1.rs"));
}

/// The version that is written.
const VERSION: u32 = 1;

/// Bytes that no version of Salon up to this one has written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("not the stored form of an entry: {0}")]
    Malformed(String),
    #[error("an entry of version {0}, which only a newer Salon can read")]
    Newer(u32),
}

fn malformed(what: &str) -> Unreadable {
    Unreadable::Malformed(what.to_owned())
}

pub(crate) fn encode(body: &EntryBody) -> Vec<u8> {
    stored::Body { version: VERSION, kind: Some(to_stored(body)) }.encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<EntryBody, Unreadable> {
    let body = stored::Body::decode(bytes).map_err(|error| Unreadable::Malformed(error.to_string()))?;
    match (body.version, body.kind) {
        (VERSION, Some(kind)) => from_stored(kind),
        (VERSION, None) => Err(malformed("it says nothing")),
        (version, _) => Err(Unreadable::Newer(version)),
    }
}

fn to_stored(body: &EntryBody) -> Kind {
    match body {
        EntryBody::Message(message) => Kind::Message(message_to_stored(message)),
        EntryBody::Edit { id, content } => Kind::Edit(stored::Edit { id: id.to_string(), content: content.clone() }),
        EntryBody::Delete { id } => Kind::Delete(stored::Delete { id: id.to_string() }),
        EntryBody::React { id, emoji, remove } => {
            Kind::React(stored::React { id: id.to_string(), emoji: emoji.clone(), remove: *remove })
        }
        EntryBody::Member { target, change, role } => Kind::Member(stored::Member {
            target: target.to_string(),
            change: change_to_stored(*change).into(),
            role: role.map(|role| role.as_str().to_owned()),
        }),
        EntryBody::Room(change) => Kind::Room(stored::Room {
            title: change.title.clone(),
            topic: change.topic.clone(),
            archived: change.archived,
            history: change.history.map(|history| history.as_str().to_owned()),
        }),
        EntryBody::Call { call, state, duration_ms } => {
            Kind::Call(stored::Call { call: call.clone(), state: call_to_stored(*state).into(), duration_ms: *duration_ms })
        }
        EntryBody::RoomAdded { room } => Kind::RoomAdded(stored::RoomAdded { room: room.to_string() }),
        EntryBody::RoomRemoved { room } => Kind::RoomRemoved(stored::RoomRemoved { room: room.to_string() }),
        EntryBody::Mention { room, seq, id } => {
            Kind::Mention(stored::Mention { room: room.to_string(), seq: seq.0, id: id.to_string() })
        }
        EntryBody::Read { room, seq, unread } => Kind::Read(stored::Read { room: room.to_string(), seq: seq.0, unread: *unread }),
        EntryBody::Notice { text } => Kind::Notice(stored::Notice { text: text.clone() }),
    }
}

fn from_stored(kind: Kind) -> Result<EntryBody, Unreadable> {
    Ok(match kind {
        Kind::Message(message) => EntryBody::Message(message_from_stored(message)),
        Kind::Edit(edit) => EntryBody::Edit { id: MessageId::from_stored(&edit.id), content: edit.content },
        Kind::Delete(delete) => EntryBody::Delete { id: MessageId::from_stored(&delete.id) },
        Kind::React(stored::React { id, emoji, remove }) => EntryBody::React { id: MessageId::from_stored(&id), emoji, remove },
        Kind::Member(member) => EntryBody::Member {
            target: UserId::from_stored(&member.target),
            change: change_from_stored(member.change())?,
            role: member.role.map(|role| Role::parse(&role).ok_or_else(|| malformed("an unknown role"))).transpose()?,
        },
        Kind::Room(stored::Room { title, topic, archived, history }) => EntryBody::Room(RoomChange {
            title,
            topic,
            archived,
            history: history
                .map(|history| HistoryPolicy::parse(&history).ok_or_else(|| malformed("an unknown history policy")))
                .transpose()?,
        }),
        Kind::Call(call) => {
            let state = call_from_stored(call.state())?;
            EntryBody::Call { call: call.call, state, duration_ms: call.duration_ms }
        }
        Kind::RoomAdded(about) => EntryBody::RoomAdded { room: RoomId::from_stored(&about.room) },
        Kind::RoomRemoved(about) => EntryBody::RoomRemoved { room: RoomId::from_stored(&about.room) },
        Kind::Mention(stored::Mention { room, seq, id }) => {
            EntryBody::Mention { room: RoomId::from_stored(&room), seq: Seq(seq), id: MessageId::from_stored(&id) }
        }
        Kind::Read(stored::Read { room, seq, unread }) => {
            EntryBody::Read { room: RoomId::from_stored(&room), seq: Seq(seq), unread }
        }
        Kind::Notice(stored::Notice { text }) => EntryBody::Notice { text },
    })
}

fn message_to_stored(message: &Message) -> stored::Message {
    stored::Message {
        id: message.id.to_string(),
        content: message.content.clone(),
        client_id: message.client_id.as_ref().map(ToString::to_string),
        reply_to: message.reply_to.as_ref().map(ToString::to_string),
        mentions: message.mentions.iter().map(ToString::to_string).collect(),
        extra: message.extra.clone(),
        edited_at: message.edited_at.map(|at| at.0),
        deleted: message.deleted,
    }
}

fn message_from_stored(message: stored::Message) -> Message {
    Message {
        id: MessageId::from_stored(&message.id),
        content: message.content,
        client_id: message.client_id.as_deref().map(ClientId::from_stored),
        reply_to: message.reply_to.as_deref().map(MessageId::from_stored),
        mentions: message.mentions.iter().map(|user| UserId::from_stored(user)).collect(),
        extra: message.extra,
        edited_at: message.edited_at.map(Timestamp),
        deleted: message.deleted,
    }
}

fn change_to_stored(change: MemberChange) -> stored::Change {
    match change {
        MemberChange::Joined => stored::Change::Joined,
        MemberChange::Left => stored::Change::Left,
        MemberChange::Invited => stored::Change::Invited,
        MemberChange::Removed => stored::Change::Removed,
        MemberChange::Banned => stored::Change::Banned,
        MemberChange::Role => stored::Change::Role,
    }
}

fn change_from_stored(change: stored::Change) -> Result<MemberChange, Unreadable> {
    Ok(match change {
        stored::Change::Unspecified => return Err(malformed("an unknown change of membership")),
        stored::Change::Joined => MemberChange::Joined,
        stored::Change::Left => MemberChange::Left,
        stored::Change::Invited => MemberChange::Invited,
        stored::Change::Removed => MemberChange::Removed,
        stored::Change::Banned => MemberChange::Banned,
        stored::Change::Role => MemberChange::Role,
    })
}

fn call_to_stored(state: CallState) -> stored::CallState {
    match state {
        CallState::Started => stored::CallState::Started,
        CallState::Ended => stored::CallState::Ended,
        CallState::Missed => stored::CallState::Missed,
    }
}

fn call_from_stored(state: stored::CallState) -> Result<CallState, Unreadable> {
    Ok(match state {
        stored::CallState::Unspecified => return Err(malformed("an unknown state of a call")),
        stored::CallState::Started => CallState::Started,
        stored::CallState::Ended => CallState::Ended,
        stored::CallState::Missed => CallState::Missed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every_kind() -> Vec<EntryBody> {
        let id = MessageId::mint(Seq(5), 7);
        let room = RoomId::parse("general").unwrap();
        let message = Message {
            id: id.clone(),
            content: "hé".into(),
            client_id: Some(ClientId::parse("c1").unwrap()),
            reply_to: Some(MessageId::mint(Seq(2), 1)),
            mentions: vec![UserId::mint(1), UserId::mint(2)],
            extra: Some("{}".into()),
            edited_at: Some(Timestamp(77)),
            deleted: false,
        };
        let bare = Message { client_id: None, reply_to: None, mentions: vec![], extra: None, edited_at: None, ..message.clone() };
        let mut all = vec![
            EntryBody::Message(message),
            EntryBody::Message(Message { deleted: true, content: String::new(), ..bare }),
            EntryBody::Edit { id: id.clone(), content: "x".into() },
            EntryBody::Delete { id: id.clone() },
            EntryBody::React { id: id.clone(), emoji: "👍".into(), remove: true },
            EntryBody::Room(RoomChange::default()),
            EntryBody::Room(RoomChange {
                title: Some(String::new()),
                topic: Some("t".into()),
                archived: Some(false),
                history: Some(HistoryPolicy::SinceJoin),
            }),
            EntryBody::RoomAdded { room: room.clone() },
            EntryBody::RoomRemoved { room: room.clone() },
            EntryBody::Mention { room: room.clone(), seq: Seq(9), id },
            EntryBody::Read { room, seq: Seq(9), unread: 3 },
            EntryBody::Notice { text: "careful".into() },
        ];
        for change in [
            MemberChange::Joined,
            MemberChange::Left,
            MemberChange::Invited,
            MemberChange::Removed,
            MemberChange::Banned,
            MemberChange::Role,
        ] {
            all.push(EntryBody::Member { target: UserId::mint(3), change, role: Some(Role::Moderator) });
        }
        for state in [CallState::Started, CallState::Ended, CallState::Missed] {
            all.push(EntryBody::Call { call: "k".into(), state, duration_ms: Some(5) });
        }
        all
    }

    #[test]
    fn every_kind_of_entry_comes_back_as_it_was() {
        for body in every_kind() {
            assert_eq!(decode(&encode(&body)), Ok(body));
        }
    }

    #[test]
    fn a_newer_form_is_refused() {
        let newer = stored::Body { version: 2, kind: None }.encode_to_vec();
        assert_eq!(decode(&newer), Err(Unreadable::Newer(2)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
