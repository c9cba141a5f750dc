//! A person, as a test speaks of one.

use std::time::Duration;

use parking_lot::Mutex;
use salon_client::{Error, Event, JoinFrom};
use salon_proto::v1::{self, entry::Body};

use super::{Device, Rest, soon};

/// Long enough that what was on its way has arrived.
const A_MOMENT: Duration = Duration::from_millis(400);

/// An account, and one device of it.
#[derive(Debug)]
pub struct Person {
    pub name: String,
    pub email: String,
    pub password: String,
    /// A JWT.
    pub token: String,
    /// `u_…`
    pub id: String,
    pub device: Device,
    /// Where `says` speaks: the room that was joined last.
    room: Mutex<String>,
    pub(super) rest: Rest,
}

impl Person {
    pub(super) fn new(account: Account, device: Device, rest: Rest) -> Self {
        let id = device.welcome.user.as_ref().map(|user| user.id.clone()).unwrap_or_default();
        let Account { name, email, password, token } = account;
        Self { name, email, password, token, id, device, room: Mutex::default(), rest }
    }

    /// The REST interface, as this person.
    #[must_use]
    pub fn rest(&self) -> &Rest {
        &self.rest
    }

    fn here(&self) -> String {
        let room = self.room.lock().clone();
        assert!(!room.is_empty(), "{} has not joined a room", self.name);
        room
    }

    fn ok<T>(&self, what: &str, result: Result<T, Error>) -> T {
        match result {
            Ok(value) => value,
            Err(error) => panic!("{} {what}: {error}", self.name),
        }
    }

    fn refused<T: std::fmt::Debug>(&self, what: &str, code: &str, result: Result<T, Error>) -> v1::Error {
        match result {
            Err(Error::Refused(error)) if error.code == code => error,
            other => panic!("{} {what}: {code} was expected, not {other:?}", self.name),
        }
    }

    // Rooms.

    pub async fn joins(&self, room: &str) -> v1::JoinAck {
        self.joins_from(room, JoinFrom::Default).await
    }

    pub async fn joins_from(&self, room: &str, from: JoinFrom) -> v1::JoinAck {
        let ack = soon("join", self.device.client.join_from(room, from)).await;
        let ack = self.ok("joins", ack);
        room.clone_into(&mut self.room.lock());
        ack
    }

    pub async fn cannot_join(&self, room: &str, code: &str) -> v1::Error {
        self.refused("joins", code, soon("join", self.device.client.join(room)).await)
    }

    /// Waits until the catch-up of a room is over.
    pub async fn catches_up(&self, room: &str) -> u64 {
        let caught_up = |event: &Event| {
            let Event::CaughtUp(at) = event else { return None };
            (at.room == room).then_some(at.seq)
        };
        self.device.journal.find(format!("{} catches up with {room}", self.name), caught_up).await
    }

    pub async fn leaves(&self, room: &str) {
        self.ok("leaves", soon("leave", self.device.client.leave(room)).await);
    }

    pub async fn parts(&self, room: &str) -> v1::PartAck {
        self.ok("parts", soon("part", self.device.client.part(room)).await)
    }

    // Talk.

    pub async fn says(&self, content: &str) -> v1::MessageAck {
        self.says_in(&self.here(), content).await
    }

    pub async fn says_in(&self, room: &str, content: &str) -> v1::MessageAck {
        self.ok("says", soon("message", self.device.client.say(room, content)).await)
    }

    pub async fn sends(&self, message: v1::SendMessage) -> v1::MessageAck {
        self.ok("sends", soon("message", self.device.client.message(message)).await)
    }

    pub async fn cannot_send(&self, message: v1::SendMessage, code: &str) -> v1::Error {
        self.refused("sends", code, soon("message", self.device.client.message(message)).await)
    }

    pub async fn edits(&self, message: &v1::MessageAck, content: &str) -> v1::ChangeAck {
        self.ok("edits", soon("edit", self.device.client.edit(&message.room, &message.id, content)).await)
    }

    pub async fn cannot_edit(&self, message: &v1::MessageAck, content: &str, code: &str) -> v1::Error {
        self.refused("edits", code, soon("edit", self.device.client.edit(&message.room, &message.id, content)).await)
    }

    pub async fn deletes(&self, message: &v1::MessageAck) -> v1::ChangeAck {
        self.ok("deletes", soon("delete", self.device.client.delete(&message.room, &message.id)).await)
    }

    pub async fn cannot_delete(&self, message: &v1::MessageAck, code: &str) -> v1::Error {
        self.refused("deletes", code, soon("delete", self.device.client.delete(&message.room, &message.id)).await)
    }

    pub async fn reacts(&self, message: &v1::MessageAck, emoji: &str) -> v1::ChangeAck {
        self.ok("reacts", soon("react", self.device.client.react(&message.room, &message.id, emoji, false)).await)
    }

    pub async fn takes_back(&self, message: &v1::MessageAck, emoji: &str) -> v1::ChangeAck {
        self.ok("takes back", soon("react", self.device.client.react(&message.room, &message.id, emoji, true)).await)
    }

    /// The next message with this content, in whatever room.
    pub async fn hears(&self, content: &str) -> v1::Entry {
        self.sees(&format!("the message {content:?}"), |entry| match &entry.body {
            Some(Body::Message(message)) => message.content == content,
            Some(_) | None => false,
        })
        .await
    }

    /// The next entry that is as wanted.
    pub async fn sees(&self, what: &str, mut wanted: impl FnMut(&v1::Entry) -> bool) -> v1::Entry {
        let found = |event: &Event| {
            let Event::Entry(entry) = event else { return None };
            wanted(entry).then(|| (**entry).clone())
        };
        self.device.journal.find(format!("{} sees {what}", self.name), found).await
    }

    /// The next event that is as wanted.
    pub async fn notices<T>(&self, what: &str, wanted: impl FnMut(&Event) -> Option<T>) -> T {
        self.device.journal.find(format!("{} notices {what}", self.name), wanted).await
    }

    /// No entry comes for a moment.
    pub async fn hears_nothing(&self) {
        let what = format!("{} hears something", self.name);
        self.device.journal.lacks(A_MOMENT, what, |event| matches!(event, Event::Entry(_))).await;
    }

    /// Nothing of this kind comes for a moment.
    pub async fn notices_no(&self, what: &str, unwanted: impl FnMut(&Event) -> bool) {
        self.device.journal.lacks(A_MOMENT, format!("{} notices {what}", self.name), unwanted).await;
    }

    // Lists.

    /// The newest page of a room.
    pub async fn reads(&self, room: &str) -> v1::HistoryPage {
        self.asks(v1::GetHistory { room: room.to_owned(), ..Default::default() }).await
    }

    pub async fn asks(&self, query: v1::GetHistory) -> v1::HistoryPage {
        self.ok("asks for history", soon("history", self.device.client.history(query)).await)
    }

    pub async fn cannot_ask(&self, query: v1::GetHistory, code: &str) -> v1::Error {
        self.refused("asks for history", code, soon("history", self.device.client.history(query)).await)
    }

    pub async fn marks_read(&self, room: &str, seq: u64) -> v1::ReadAck {
        self.ok("marks read", soon("read", self.device.client.read(room, seq)).await)
    }

    /// This room in the list of rooms.
    pub async fn room(&self, room: &str) -> Option<v1::RoomSummary> {
        let page = soon("rooms", self.device.client.rooms(v1::ListRooms::default())).await;
        self.ok("lists rooms", page).rooms.into_iter().find(|summary| summary.room == room)
    }

    pub async fn members(&self, room: &str) -> Vec<v1::MemberSummary> {
        let query = v1::ListMembers { room: room.to_owned(), ..Default::default() };
        self.ok("lists members", soon("members", self.device.client.members(query)).await).members
    }

    // Rooms that others may not enter by themselves.

    /// Creates a room of a kind by REST.
    pub async fn creates_room(&self, name: &str, kind: &str) {
        let body = serde_json::json!({ "name": name, "kind": kind });
        self.rest.post("rooms", &body).await.expects(201);
    }

    /// The direct room with somebody.
    pub async fn opens_direct_room_with(&self, other: &Self) -> String {
        let body = serde_json::json!({ "kind": "direct", "user": other.id });
        let reply = self.rest.post("rooms", &body).await;
        reply.text("room")
    }

    pub async fn invites(&self, other: &Self, room: &str) {
        let reply = self.rest.post(&format!("rooms/{room}/invites"), &serde_json::json!({ "user": other.id })).await;
        assert!(reply.status < 300, "{} invites {}: {reply:?}", self.name, other.name);
    }

    pub async fn removes(&self, other: &Self, room: &str) {
        let reply = self.rest.delete(&format!("rooms/{room}/members/{}", other.id)).await;
        assert!(reply.status < 300, "{} removes {}: {reply:?}", self.name, other.name);
    }

    pub async fn bans(&self, other: &Self, room: &str) {
        let reply = self.rest.delete(&format!("rooms/{room}/members/{}?ban=true", other.id)).await;
        assert!(reply.status < 300, "{} bans {}: {reply:?}", self.name, other.name);
    }

    pub async fn promotes(&self, other: &Self, room: &str, role: &str) {
        let reply = self.rest.put(&format!("rooms/{room}/members/{}", other.id), &serde_json::json!({ "role": role })).await;
        assert!(reply.status < 300, "{} promotes {}: {reply:?}", self.name, other.name);
    }

    // The network.

    /// The cable is out, until [`Person::comes_back`].
    pub async fn loses_connection(&self) {
        self.device.line.cut();
        let lost =
            |event: &Event| matches!(event, Event::Connection(salon_client::ConnectionState::Waiting { .. })).then_some(());
        self.device.journal.find(format!("{} loses the connection", self.name), lost).await;
    }

    pub async fn comes_back(&self) {
        self.device.line.mend();
        let back = |event: &Event| matches!(event, Event::Connection(salon_client::ConnectionState::Open(_))).then_some(());
        self.device.journal.find(format!("{} comes back", self.name), back).await;
    }

    /// Closes the connection for good.
    pub async fn hangs_up(&self) {
        soon("goodbye", self.device.client.close()).await;
    }
}

/// What a person is made of.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) password: String,
    pub(super) token: String,
}
