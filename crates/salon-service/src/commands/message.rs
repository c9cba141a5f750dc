//! `message`: say something in a room, once, however often it is sent.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use salon_core::limits::MENTIONS_MAX;
use salon_core::mention::{Candidate, candidates, fold_name};
use salon_core::ports::{Change, Idempotency, News, Original, StoreError, Written};
use salon_core::rules::{Action, Actor, authorise};
use salon_core::{ClientId, CommandError, Epoch, ErrorCode, MessageId, RoomId, Seq, Timestamp, UserId};
use salon_proto::v1;
use serde_json::Value;

use super::room_id;
use crate::append::{Draft, unexpected};
use crate::{Identity, Service, unavailable};

/// Levels of arrays and objects in `extra`: every JSON library can read that many.
const EXTRA_DEPTH_MAX: usize = 32;
/// Bytes of the keyed hash that are kept of a body.
const BODY_HASH_BYTES: usize = 16;

impl Service {
    /// Sends a message: the same as over WebSocket.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `invalid`, `too_large`, `rate_limited`, `conflict`.
    pub async fn send_message(&self, by: &Identity, command: v1::SendMessage) -> Result<v1::MessageAck, CommandError> {
        self.message(by.actor(), command).await
    }

    pub(super) async fn message(&self, by: Actor<'_>, mut command: v1::SendMessage) -> Result<v1::MessageAck, CommandError> {
        let room = room_id(&command.room, by.user)?;
        self.check_body(&mut command)?;
        let reply_to = command.reply_to.as_deref().map(MessageId::parse).transpose();
        let reply_to = reply_to.map_err(CommandError::bad_id("reply_to"))?;
        let idempotency = self.idempotency(&command)?;
        let refusal = match self.say(by, &room, command, reply_to, idempotency.clone()).await {
            Ok(ack) => return Ok(ack),
            Err(refusal) => refusal,
        };
        // A retry is answered whatever has happened since: the limits, a ban, a deletion of what it replies to.
        match (refusal.code, idempotency) {
            (ErrorCode::RateLimited | ErrorCode::Forbidden | ErrorCode::NotFound | ErrorCode::Invalid, Some(retry)) => {
                self.original(by, &room, &retry, refusal).await
            }
            (
                ErrorCode::Unauthenticated
                | ErrorCode::TooLarge
                | ErrorCode::Conflict
                | ErrorCode::UnknownEvent
                | ErrorCode::Unavailable
                | ErrorCode::Internal,
                _,
            )
            | (_, None) => Err(refusal),
        }
    }

    /// Checks what does not depend on the room, and writes `extra` in one form: it goes into everybody's frames, and a
    /// retry through another JSON library has to be the same body.
    fn check_body(&self, command: &mut v1::SendMessage) -> Result<(), CommandError> {
        let limits = &self.parts.config.limits;
        check_content(&command.content, limits.content_bytes_max)?;
        if !command.attachments.is_empty() {
            return Err(CommandError::invalid("attachments", "uploads are not available yet"));
        }
        let Some(extra) = &command.extra else { return Ok(()) };
        if extra.len() > limits.extra_bytes_max {
            return Err(CommandError::too_large("extra", format!("extra has at most {} bytes", limits.extra_bytes_max)));
        }
        match serde_json::from_str::<Value>(extra) {
            Ok(value) if !value.is_object() => Err(CommandError::invalid("extra", "extra is a JSON object")),
            Ok(value) if depth(&value) > EXTRA_DEPTH_MAX => {
                Err(CommandError::invalid("extra", format!("extra nests at most {EXTRA_DEPTH_MAX} levels deep")))
            }
            Ok(value) => {
                command.extra = Some(value.to_string());
                Ok(())
            }
            Err(error) => Err(CommandError::invalid("extra", format!("extra is not JSON that everybody can read: {error}"))),
        }
    }

    /// The client's name for the message, with a keyed hash of what it says: a store that is read by somebody else
    /// does not tell what a deleted message said.
    fn idempotency(&self, command: &v1::SendMessage) -> Result<Option<Idempotency>, CommandError> {
        let Some(client_id) = &command.client_id else { return Ok(None) };
        if client_id.len() > self.parts.config.limits.client_id_bytes_max {
            return Err(CommandError::invalid("client_id", "a client_id is 1 to 64 bytes"));
        }
        let client_id = ClientId::parse(client_id).map_err(CommandError::bad_id("client_id"))?;
        let body = (&command.content, &command.reply_to, &command.attachments, &command.extra);
        let Ok(body) = serde_json::to_vec(&body) else {
            return Err(CommandError::new(ErrorCode::Internal, "the body cannot be hashed"));
        };
        let tag = hmac::sign(&self.body_key, &body);
        let mut body_hash = [0; BODY_HASH_BYTES];
        body_hash.copy_from_slice(&tag.as_ref()[..BODY_HASH_BYTES]);
        Ok(Some(Idempotency { client_id, body_hash }))
    }

    async fn say(
        &self,
        by: Actor<'_>,
        room: &RoomId,
        command: v1::SendMessage,
        reply_to: Option<MessageId>,
        idempotency: Option<Idempotency>,
    ) -> Result<v1::MessageAck, CommandError> {
        let access = self.access(room, by.user).await.map_err(|error| unavailable(&error))?;
        let access = access.ok_or_else(CommandError::no_such_room)?;
        authorise(by, &access.room, &access.standing, Action::Speak)?;
        self.may_write(by.user)?;
        if let Some(id) = &reply_to {
            self.check_reply(&access, id).await?;
        }
        let mentions = self.mentioned(room, &command.content).await.map_err(|error| unavailable(&error))?;
        let news = mentions.iter().filter(|user| *user != by.user).map(|user| News::Mention { to: user.clone() }).collect();
        let change = Change::Message { content: command.content, reply_to, mentions, extra: command.extra };
        let draft = Draft { change, idempotency, news };
        let written = self.append(room, by, draft, |access| authorise(by, &access.room, &access.standing, Action::Speak)).await?;
        match written {
            Written::Stored { entry, .. } => match crate::print::message(&entry) {
                Some(message) => Ok(acknowledge(room, &entry.epoch, entry.seq, &message.id, entry.at, false)),
                None => Err(CommandError::new(ErrorCode::Internal, "the entry is no message")),
            },
            Written::Duplicate(original) => Ok(duplicate(room, &original)),
            Written::BodyConflict => Err(conflict()),
            written @ (Written::Unchanged | Written::StaleAccess | Written::NoSuchMessage | Written::NoSuchRoom) => {
                Err(unexpected(&written))
            }
        }
    }

    async fn check_reply(&self, access: &crate::access::Access, id: &MessageId) -> Result<(), CommandError> {
        let found = self.parts.store.messages(&access.room.id, std::slice::from_ref(id)).await;
        let found = found.map_err(|error| unavailable(&error))?;
        let visible = |entry: &salon_core::Entry| {
            entry.seq >= access.visible_from() && crate::print::message(entry).is_some_and(|message| !message.deleted)
        };
        if found.iter().any(visible) { Ok(()) } else { Err(no_such_quote()) }
    }

    /// The members of the room that are meant by an `@` in the text.
    async fn mentioned(&self, room: &RoomId, content: &str) -> Result<Vec<UserId>, StoreError> {
        let candidates = candidates(content);
        let names: Vec<String> = candidates.iter().flat_map(names_of).cloned().collect();
        let mut members: BTreeMap<String, UserId> = BTreeMap::new();
        if !names.is_empty() {
            for (user, name) in self.parts.store.members_named(room, &names).await? {
                // Two people of one name: the one with the lower id, on every node.
                members.entry(fold_name(&name)).or_insert(user);
            }
        }
        let mut mentioned: Vec<UserId> = Vec::new();
        for candidate in &candidates {
            let user = match candidate {
                Candidate::Names(names) => names.iter().find_map(|name| members.get(name)).cloned(),
                Candidate::Id(user) => self.member(room, user).await?.then(|| user.clone()),
            };
            mentioned.extend(user.filter(|user| !mentioned.contains(user)));
        }
        mentioned.truncate(MENTIONS_MAX);
        Ok(mentioned)
    }

    async fn member(&self, room: &RoomId, user: &UserId) -> Result<bool, StoreError> {
        Ok(self.access(room, user).await?.is_some_and(|access| access.standing.member().is_some()))
    }

    /// The answer to a retry of something that could not be said now; `refusal` where it is no retry.
    async fn original(
        &self,
        by: Actor<'_>,
        room: &RoomId,
        retry: &Idempotency,
        refusal: CommandError,
    ) -> Result<v1::MessageAck, CommandError> {
        let original = self.parts.store.original(room, by.user, &retry.client_id).await;
        match original.map_err(|error| unavailable(&error))? {
            Some((original, hash)) if hash == retry.body_hash => Ok(duplicate(room, &original)),
            Some(_) => Err(conflict()),
            None => Err(refusal),
        }
    }
}

/// The text of a message or of an edit.
pub(super) fn check_content(content: &str, bytes_max: usize) -> Result<(), CommandError> {
    if content.len() > bytes_max {
        return Err(CommandError::too_large("content", format!("a message has at most {bytes_max} bytes of UTF-8")));
    }
    if content.trim().is_empty() {
        return Err(CommandError::invalid("content", "a message says something"));
    }
    Ok(())
}

fn names_of(candidate: &Candidate) -> &[String] {
    match candidate {
        Candidate::Names(names) => names,
        Candidate::Id(_) => &[],
    }
}

fn conflict() -> CommandError {
    CommandError {
        field: Some("client_id"),
        ..CommandError::new(ErrorCode::Conflict, "this client_id was used for another message in this room")
    }
}

fn duplicate(room: &RoomId, original: &Original) -> v1::MessageAck {
    acknowledge(room, &original.epoch, original.seq, &original.id, original.at, true)
}

fn acknowledge(room: &RoomId, epoch: &Epoch, seq: Seq, id: &MessageId, at: Timestamp, duplicate: bool) -> v1::MessageAck {
    v1::MessageAck {
        room: room.public().to_owned(),
        epoch: epoch.as_str().to_owned(),
        seq: seq.0,
        id: id.as_str().to_owned(),
        timestamp: at.to_string(),
        duplicate,
    }
}

fn no_such_quote() -> CommandError {
    CommandError { field: Some("reply_to"), ..CommandError::new(ErrorCode::NotFound, "there is no such message") }
}

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return 0,
    };
    1 + inner.unwrap_or(0)
}
