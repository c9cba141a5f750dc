//! The streaming calls. Each is a session on the door's link, and ends with it.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _, stream};
use salon_core::limits::PRESENCE_MEMBERS_MAX;
use salon_core::{CommandError, ErrorCode};
use salon_proto::v1::{self, ServerFrame, chat_event, chat_stream, server_frame::Event};
use tonic::{Status, Streaming};

use super::connection::Connection;
use super::door::{Delivery, Door, Follower, Interest};
use super::status;
use crate::Identity;

/// What a streaming call answers with.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// `JoinChat`: the room is joined when this returns.
pub(super) async fn join(
    door: &Arc<Door>,
    connection: &Arc<Connection>,
    token: String,
    request: v1::JoinRequest,
) -> Result<Answers<v1::ChatEvent>, Status> {
    let interest = Interest { entries: true, events: request.ephemeral };
    let mut follower = door.open(token, connection, interest).await?;
    follower.opened().await?;
    let ack = follower.join(v1::Join { room: request.room, since: request.since, last: request.last }).await?;
    let joined = Ok(v1::ChatEvent { event: Some(chat_event::Event::Joined(ack)) });
    let events = follow(follower, |delivery| match delivery {
        Delivery::Entry(entry) => Some(chat_event::Event::Entry(Arc::unwrap_or_clone(entry))),
        Delivery::Frame(frame) => frame.event.and_then(chat_event),
        Delivery::Answered | Delivery::Lost { .. } | Delivery::End(_) => None,
    });
    let events = events.map(|event| event.map(|event| v1::ChatEvent { event: Some(event) }));
    Ok(Box::pin(stream::iter([joined]).chain(events)))
}

/// `WatchPresence`: those who are there now, then changes.
pub(super) async fn watch_presence(
    door: &Arc<Door>,
    connection: &Arc<Connection>,
    (identity, token): (Identity, String),
    room: String,
) -> Result<Answers<v1::WatchPresenceResponse>, Status> {
    let mut follower = door.open(token, connection, Interest { entries: false, events: true }).await?;
    follower.opened().await?;
    let ack = follower.join(v1::Join { room, since: None, last: Some(0) }).await?;
    let present = present(door, &identity, &ack).await.map_err(|error| status::status(&error))?;
    let changes = follow(follower, |delivery| match delivery {
        Delivery::Frame(ServerFrame { event: Some(Event::Presence(presence)), .. }) => Some(presence),
        Delivery::Frame(_) | Delivery::Entry(_) | Delivery::Answered | Delivery::Lost { .. } | Delivery::End(_) => None,
    });
    let presences = stream::iter(present.into_iter().map(Ok)).chain(changes);
    Ok(Box::pin(presences.map(|presence| presence.map(|presence| v1::WatchPresenceResponse { presence: Some(presence) }))))
}

/// Who is in a room; in a large one only how many.
async fn present(door: &Door, identity: &Identity, ack: &v1::JoinAck) -> Result<Vec<v1::Presence>, CommandError> {
    if ack.members > PRESENCE_MEMBERS_MAX {
        let (online, members) = (Some(ack.online), Some(ack.members));
        return Ok(vec![v1::Presence { room: Some(ack.room.clone()), online, members, ..v1::Presence::default() }]);
    }
    let query = v1::ListMembers { room: ack.room.clone(), cursor: None, limit: None };
    let page = door.service().list_members(identity, query).await?;
    let here = page.members.into_iter().filter(|member| member.status != "offline");
    let presence = here.map(|member| v1::Presence {
        user: Some(member.user),
        name: Some(member.name),
        status: Some(member.status),
        room: Some(ack.room.clone()),
        ..v1::Presence::default()
    });
    Ok(presence.collect())
}

/// What a session in one room delivers, until it ends or the room is lost.
fn follow<T: Send>(
    follower: Follower,
    wanted: impl Fn(Delivery) -> Option<T> + Copy + Send,
) -> impl Stream<Item = Result<T, Status>> + Send {
    stream::unfold(Some(follower), move |follower| async move {
        let mut follower = follower?;
        loop {
            match follower.next().await {
                Delivery::End(status) => return Some((Err(status), None)),
                Delivery::Lost { room_deleted } => return Some((Err(lost(room_deleted)), None)),
                delivery @ (Delivery::Frame(_) | Delivery::Entry(_) | Delivery::Answered) => {
                    if let Some(event) = wanted(delivery) {
                        return Some((Ok(event), Some(follower)));
                    }
                }
            }
        }
    })
}

fn lost(room_deleted: bool) -> Status {
    let error = if room_deleted {
        CommandError::new(ErrorCode::NotFound, "the room was deleted")
    } else {
        CommandError::forbidden("your membership of this room has ended")
    };
    status::status(&error)
}

fn chat_event(event: Event) -> Option<chat_event::Event> {
    match event {
        Event::CaughtUp(caught_up) => Some(chat_event::Event::CaughtUp(caught_up)),
        Event::Presence(presence) => Some(chat_event::Event::Presence(presence)),
        Event::Typing(typing) => Some(chat_event::Event::Typing(typing)),
        Event::Read(read) => Some(chat_event::Event::Read(read)),
        Event::Entry(entry) => Some(chat_event::Event::Entry(entry)),
        Event::Welcome(_)
        | Event::Ack(_)
        | Event::Error(_)
        | Event::Signal(_)
        | Event::Location(_)
        | Event::Activity(_)
        | Event::Ping(_)
        | Event::Closing(_) => None,
    }
}

/// `Chat`: the session is open when this returns; its first answer is the welcome.
pub(super) async fn chat(
    door: &Arc<Door>,
    connection: &Arc<Connection>,
    token: String,
    commands: Streaming<v1::ChatStream>,
) -> Result<Answers<v1::ChatStream>, Status> {
    let mut follower = door.open(token, connection, Interest { entries: true, events: true }).await?;
    let welcome = follower.opened().await?;
    let welcome = Ok(answer(ServerFrame { id: None, event: Some(Event::Welcome(welcome)) }));
    let conversation = Conversation { follower, commands, half_closed: false };
    let answers = stream::unfold(Some(conversation), |conversation| async move { conversation?.turn().await });
    Ok(Box::pin(stream::iter([welcome]).chain(answers)))
}

struct Conversation {
    follower: Follower,
    commands: Streaming<v1::ChatStream>,
    /// The client has said its last word.
    half_closed: bool,
}

/// An answer and, unless it was the last one, where the conversation goes on.
type Turn = (Result<v1::ChatStream, Status>, Option<Conversation>);

impl Conversation {
    /// Takes commands until there is something to tell. `None`: everything was said.
    async fn turn(mut self) -> Option<Turn> {
        loop {
            if self.half_closed && self.follower.is_done() {
                return None;
            }
            let listening = !self.half_closed && self.follower.takes_commands();
            tokio::select! {
                biased;
                command = self.commands.message(), if listening => {
                    if let Err(status) = self.take(command).await {
                        return Some((Err(status), None));
                    }
                }
                delivery = self.follower.next() => match delivery {
                    Delivery::Frame(frame) => return Some((Ok(answer(frame)), Some(self))),
                    Delivery::Entry(entry) => {
                        let event = Some(Event::Entry(Arc::unwrap_or_clone(entry)));
                        return Some((Ok(answer(ServerFrame { id: None, event })), Some(self)));
                    }
                    // The entry that says so was the last one of that room; the others go on.
                    Delivery::Lost { .. } | Delivery::Answered => {}
                    Delivery::End(status) => return Some((Err(status), None)),
                }
            }
        }
    }

    async fn take(&mut self, command: Result<Option<v1::ChatStream>, Status>) -> Result<(), Status> {
        match command.map_err(status::unreadable)? {
            Some(v1::ChatStream { frame: Some(chat_stream::Frame::Client(frame)) }) => self.follower.command(frame).await,
            Some(v1::ChatStream { frame: Some(chat_stream::Frame::Server(_)) | None }) => {
                let error = CommandError::new(ErrorCode::Invalid, "a client sends client frames");
                Err(status::status(&error))
            }
            None => {
                self.half_closed = true;
                Ok(())
            }
        }
    }
}

fn answer(frame: ServerFrame) -> v1::ChatStream {
    v1::ChatStream { frame: Some(chat_stream::Frame::Server(frame)) }
}
