//! Deciding and appending as one step. The one way in which an entry comes to be.

use std::sync::Arc;

use salon_core::error::{CommandError, ErrorCode};
use salon_core::ports::{BusMessage, Change, Idempotency, News, Topic, Write, Written};
use salon_core::rules::Actor;
use salon_core::{Entry, EntryBody, MemberChange, RoomId};
use tokio::time::Instant;

use crate::access::Access;
use crate::{Service, unavailable};

/// How often a decision is made again because who may do what has changed under it.
pub(crate) const DECISIONS_MAX: u32 = 8;

/// What is to be appended if it is allowed.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) change: Change,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) news: Vec<News>,
}

impl Draft {
    pub(crate) fn new(change: Change) -> Self {
        Self { change, idempotency: None, news: Vec::new() }
    }
}

impl Service {
    /// Decides, appends, and tells everybody. `decide` is asked again when somebody's access changes meanwhile.
    ///
    /// Never returns [`Written::StaleAccess`] or [`Written::NoSuchRoom`]: those are errors here.
    pub(crate) async fn append(
        &self,
        room: &RoomId,
        actor: Actor<'_>,
        draft: Draft,
        decide: impl Fn(&Access) -> Result<(), CommandError> + Send,
    ) -> Result<Written, CommandError> {
        for _ in 0..DECISIONS_MAX {
            let access = self.access(room, actor.user).await.map_err(|error| unavailable(&error))?;
            let access = access.ok_or_else(CommandError::no_such_room)?;
            decide(&access)?;
            match self.append_decided(&access, actor, draft.clone()).await? {
                Written::StaleAccess => {}
                written @ (Written::Stored { .. }
                | Written::Duplicate(_)
                | Written::BodyConflict
                | Written::Unchanged
                | Written::NoSuchMessage
                | Written::NoSuchRoom) => return Ok(written),
            }
        }
        Err(keeps_changing())
    }

    /// Appends what was decided on this very access, and tells everybody.
    pub(crate) async fn append_decided(&self, access: &Access, actor: Actor<'_>, draft: Draft) -> Result<Written, CommandError> {
        let room = &access.room.id;
        let write = Write {
            room: room.clone(),
            actor: actor.user.clone(),
            access: access.room.access,
            at: self.now(),
            change: draft.change,
            idempotency: draft.idempotency,
            salt: self.parts.rng.next_u64(),
            news: draft.news,
        };
        let begun = Instant::now();
        let written = self.parts.store.append(write).await.map_err(|error| unavailable(&error))?;
        match &written {
            Written::Stored { entry, news } => {
                self.metrics.appended(begun.elapsed());
                // Other nodes and the gateways hear of it from the bus, this command's own lane goes on at once.
                self.publish(entry.clone());
                news.iter().cloned().for_each(|entry| self.publish(entry));
                self.note_membership(entry).await;
            }
            Written::StaleAccess => self.forget_access(room),
            Written::NoSuchRoom => {
                self.forget_access(room);
                return Err(CommandError::no_such_room());
            }
            Written::Duplicate(_) | Written::BodyConflict | Written::Unchanged | Written::NoSuchMessage => {}
        }
        Ok(written)
    }

    /// Tells every node of a durable entry.
    pub(crate) fn publish(&self, entry: Entry) {
        self.parts.bus.publish(Topic::Log(entry.room.clone()), BusMessage::Entry(Arc::new(entry)));
    }

    /// Somebody who is there became a member of a room that perhaps nobody here followed: presence and activity begin.
    pub(crate) async fn note_membership(&self, entry: &Entry) {
        let EntryBody::Member { target, change: MemberChange::Joined, .. } = &entry.body else { return };
        if self.roster.is_here(target) {
            let live = self.track(&entry.room, entry.epoch.clone(), entry.seq).await;
            self.roster.add(target, &live.log);
        }
    }
}

/// The answer where a message to change is not there, or not for the asker.
pub(crate) fn no_such_message() -> CommandError {
    CommandError { field: Some("id"), ..CommandError::new(ErrorCode::NotFound, "there is no such message") }
}

pub(crate) fn keeps_changing() -> CommandError {
    CommandError::unavailable("the room's members are changing too fast: try again")
}

/// The store answered what this kind of entry never gets.
pub(crate) fn unexpected(written: &Written) -> CommandError {
    tracing::error!(?written, "the store gave an answer that does not fit the question");
    CommandError::new(ErrorCode::Internal, "the server made a mistake: it was logged")
}
