//! The handle that an application holds, and the stream of events.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use salon_core::ids::base32;
use salon_core::ports::Randomness;
use salon_proto::v1::{self, Ack, ack, client_frame::Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::ClientConfig;
use crate::driver::{Driver, Request};
use crate::{ConnectionState, Connector, Error, Event, StopReason, TcpConnector};

/// Requests between the handles and the task; the machine has its own, larger bound.
const REQUESTS_MAX: usize = 16;
/// Characters of a `client_id`: 100 random bits.
const CLIENT_ID_CHARS: usize = 20;

/// A connection to Salon that outlives its sockets. Clones share it; it ends with [`Client::close`] or the last clone.
#[derive(Clone)]
pub struct Client {
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<ConnectionState>,
    shared: Arc<Shared>,
}

struct Shared {
    tasks: TaskTracker,
    stopping: CancellationToken,
    rng: Arc<dyn Randomness>,
    /// Ends the task with the last handle, even where events still wait for an application that is gone.
    _guard: DropGuard,
}

/// Where a room begins when it is joined.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum JoinFrom {
    /// With the last messages, as many as the server thinks right.
    #[default]
    Default,
    /// With this many messages.
    Last(u32),
    /// Behind this position.
    Since(v1::Position),
}

impl Client {
    /// Starts a client over TCP and waits for the server's welcome.
    ///
    /// # Errors
    /// [`Error::Stopped`]: the server will not have us. A server that cannot be reached is tried again for ever;
    /// put a timeout around this call where that is not wanted.
    pub async fn connect(config: ClientConfig) -> Result<(Self, Events), Error> {
        Self::connect_over(config, TcpConnector).await
    }

    /// The same over any kind of byte stream.
    ///
    /// # Errors
    /// See [`Client::connect`].
    pub async fn connect_over<C: Connector>(config: ClientConfig, connector: C) -> Result<(Self, Events), Error> {
        let (client, events) = Self::start(config, connector);
        client.ready().await?;
        Ok((client, events))
    }

    /// Starts a client and returns at once.
    pub fn start<C: Connector>(config: ClientConfig, connector: C) -> (Self, Events) {
        let (requests, requested) = mpsc::channel(REQUESTS_MAX);
        let (events, receiver) = mpsc::channel(config.events_max.max(1));
        let (state_sender, state) = watch::channel(ConnectionState::Connecting);
        let stopping = CancellationToken::new();
        let tasks = TaskTracker::new();
        let rng = Arc::clone(&config.rng);
        let driver = Driver { config, connector, requests: requested, events, state: state_sender, stopping: stopping.clone() };
        tasks.spawn(driver.run());
        tasks.close();
        let guard = stopping.clone().drop_guard();
        let shared = Shared { tasks, stopping, rng, _guard: guard };
        (Self { requests, state, shared: Arc::new(shared) }, Events { receiver })
    }

    /// Waits until there is a connection, and returns the welcome.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn ready(&self) -> Result<v1::Welcome, Error> {
        let mut state = self.state.clone();
        let reached = state
            .wait_for(|state| matches!(state, ConnectionState::Open(_) | ConnectionState::Stopped(_)))
            .await
            .map(|state| state.clone());
        match reached {
            Ok(ConnectionState::Open(welcome)) => Ok(*welcome),
            Ok(ConnectionState::Stopped(reason)) => Err(Error::Stopped(reason)),
            Ok(ConnectionState::Connecting | ConnectionState::Waiting { .. }) | Err(_) => Err(Error::Stopped(StopReason::Closed)),
        }
    }

    /// Where the connection is now.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.state.borrow().clone()
    }

    /// Closes the connection and returns when the task has ended. Commands that wait fail.
    pub async fn close(&self) {
        self.shared.stopping.cancel();
        self.shared.tasks.wait().await;
    }

    /// Sends any command and waits for its acknowledgement.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn command(&self, command: Command) -> Result<Ack, Error> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Command(Box::new(command), reply);
        if self.requests.send(request).await.is_err() {
            return Err(self.stopped());
        }
        answer.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    fn stopped(&self) -> Error {
        match &*self.state.borrow() {
            ConnectionState::Stopped(reason) => Error::Stopped(reason.clone()),
            ConnectionState::Connecting | ConnectionState::Open(_) | ConnectionState::Waiting { .. } => {
                Error::Stopped(StopReason::Closed)
            }
        }
    }

    /// A `client_id` that no other message has.
    #[must_use]
    pub fn new_client_id(&self) -> String {
        base32(self.shared.rng.next_u128(), CLIENT_ID_CHARS)
    }
}

/// The commands of PROTOCOL §3. All fail with [`Error`].
#[expect(clippy::missing_errors_doc, reason = "said once above")]
impl Client {
    /// Listens to a room, beginning with its last messages.
    pub async fn join(&self, room: &str) -> Result<v1::JoinAck, Error> {
        self.join_from(room, JoinFrom::Default).await
    }

    /// Listens to a room.
    pub async fn join_from(&self, room: &str, from: JoinFrom) -> Result<v1::JoinAck, Error> {
        let (since, last) = match from {
            JoinFrom::Default => (None, None),
            JoinFrom::Last(count) => (None, Some(count)),
            JoinFrom::Since(position) => (Some(position), None),
        };
        match self.command(Command::Join(v1::Join { room: room.to_owned(), since, last })).await?.data {
            Some(ack::Data::Join(ack)) => Ok(ack),
            other => Err(unexpected(other)),
        }
    }

    /// Stops to listen; the membership stays.
    pub async fn leave(&self, room: &str) -> Result<(), Error> {
        self.command(Command::Leave(v1::Leave { room: room.to_owned() })).await.map(drop)
    }

    /// Ends the membership.
    pub async fn part(&self, room: &str) -> Result<v1::PartAck, Error> {
        match self.command(Command::Part(v1::Part { room: room.to_owned() })).await?.data {
            Some(ack::Data::Part(ack)) => Ok(ack),
            other => Err(unexpected(other)),
        }
    }

    /// Sends a message. It gets a `client_id` if it has none, so that it can be repeated safely.
    pub async fn message(&self, mut message: v1::SendMessage) -> Result<v1::MessageAck, Error> {
        message.client_id.get_or_insert_with(|| self.new_client_id());
        match self.command(Command::Message(message)).await?.data {
            Some(ack::Data::Message(ack)) => Ok(ack),
            other => Err(unexpected(other)),
        }
    }

    /// Sends a plain message.
    pub async fn say(&self, room: &str, content: &str) -> Result<v1::MessageAck, Error> {
        self.message(v1::SendMessage { room: room.to_owned(), content: content.to_owned(), ..Default::default() }).await
    }

    pub async fn edit(&self, room: &str, id: &str, content: &str) -> Result<v1::ChangeAck, Error> {
        let edit = v1::EditMessage { room: room.to_owned(), id: id.to_owned(), content: content.to_owned() };
        self.change(Command::Edit(edit)).await
    }

    pub async fn delete(&self, room: &str, id: &str) -> Result<v1::ChangeAck, Error> {
        self.change(Command::Delete(v1::DeleteMessage { room: room.to_owned(), id: id.to_owned() })).await
    }

    /// Adds a reaction, or takes it back.
    pub async fn react(&self, room: &str, id: &str, emoji: &str, remove: bool) -> Result<v1::ChangeAck, Error> {
        let react = v1::React { room: room.to_owned(), id: id.to_owned(), emoji: emoji.to_owned(), remove };
        self.change(Command::React(react)).await
    }

    async fn change(&self, command: Command) -> Result<v1::ChangeAck, Error> {
        match self.command(command).await?.data {
            Some(ack::Data::Change(ack)) => Ok(ack),
            other => Err(unexpected(other)),
        }
    }

    pub async fn history(&self, query: v1::GetHistory) -> Result<v1::HistoryPage, Error> {
        match self.command(Command::History(query)).await?.data {
            Some(ack::Data::History(page)) => Ok(page),
            other => Err(unexpected(other)),
        }
    }

    /// Moves the read mark.
    pub async fn read(&self, room: &str, seq: u64) -> Result<v1::ReadAck, Error> {
        match self.command(Command::Read(v1::MarkRead { room: room.to_owned(), seq })).await?.data {
            Some(ack::Data::Read(ack)) => Ok(ack),
            other => Err(unexpected(other)),
        }
    }

    pub async fn rooms(&self, query: v1::ListRooms) -> Result<v1::RoomsPage, Error> {
        match self.command(Command::Rooms(query)).await?.data {
            Some(ack::Data::Rooms(page)) => Ok(page),
            other => Err(unexpected(other)),
        }
    }

    pub async fn members(&self, query: v1::ListMembers) -> Result<v1::MembersPage, Error> {
        match self.command(Command::Members(query)).await?.data {
            Some(ack::Data::Members(page)) => Ok(page),
            other => Err(unexpected(other)),
        }
    }

    /// Says that one is typing, or no longer. Nobody answers; without a connection it is dropped.
    pub async fn typing(&self, room: &str, typing: bool) {
        let command = Command::Typing(v1::SetTyping { room: room.to_owned(), typing });
        // A stopped client has nobody to tell.
        let _ = self.requests.send(Request::Tell(Box::new(command))).await;
    }

    /// Says how one is; said again after every reconnection.
    pub async fn presence(&self, status: &str, text: Option<&str>) -> Result<(), Error> {
        let presence = v1::SetPresence { status: status.to_owned(), text: text.map(str::to_owned) };
        self.command(Command::Presence(presence)).await.map(drop)
    }

    /// Asks for a sign of life.
    pub async fn ping(&self) -> Result<(), Error> {
        self.command(Command::Ping(v1::Ping {})).await.map(drop)
    }
}

fn unexpected(data: Option<ack::Data>) -> Error {
    Error::Malformed(format!("not the acknowledgement of this command: {data:?}"))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The events of a client, in order.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Event>,
}

impl Events {
    /// The next one; `None` after the last.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }

    /// The next one, if it is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }
}

impl futures_util::Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.receiver.poll_recv(cx)
    }
}
