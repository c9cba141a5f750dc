//! A person on a device: talks, changes mind, comes and goes, for a while.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use salon_client::{Client, Error, Events, JoinFrom};
use salon_proto::v1;
use tokio::time::sleep;

use crate::checker::DeviceRecorder;

/// Own messages that an actor remembers, to change them later.
const REMEMBERED_MAX: usize = 20;
/// Longest pause between two actions.
const PAUSE_MS_MAX: u64 = 400;
/// Messages without a pause, at most.
const BURST_MAX: u32 = 6;

pub(super) struct Actor {
    pub(super) client: Client,
    pub(super) rng: StdRng,
    pub(super) rooms: Vec<&'static str>,
    pub(super) name: String,
    said: Vec<v1::MessageAck>,
    number: u32,
}

impl Actor {
    pub(super) fn new(client: Client, rng: StdRng, rooms: Vec<&'static str>, name: String) -> Self {
        Self { client, rng, rooms, name, said: Vec::new(), number: 0 }
    }

    /// Lives through so many actions, then rests with every room joined.
    pub(super) async fn live(mut self, actions: u32) {
        for room in self.rooms.clone() {
            self.join(room).await;
        }
        for _ in 0..actions {
            let pause_ms = self.rng.random_range(0..PAUSE_MS_MAX);
            sleep(Duration::from_millis(pause_ms)).await;
            self.act().await;
        }
        for room in self.rooms.clone() {
            self.join(room).await;
        }
    }

    async fn act(&mut self) {
        let room = self.rooms[self.rng.random_range(0..self.rooms.len())];
        match self.rng.random_range(0..100) {
            0..50 => self.say(room).await,
            50..55 => {
                for _ in 0..self.rng.random_range(2..BURST_MAX) {
                    self.say(room).await;
                }
            }
            55..65 => self.edit().await,
            65..69 => self.delete().await,
            69..74 => self.react().await,
            74..82 => self.page(room).await,
            82..86 => drop(self.client.read(room, u64::from(self.number)).await),
            86..90 => self.client.typing(room, true).await,
            90..94 => {
                drop(self.client.leave(room).await);
                self.join(room).await;
            }
            94..96 => {
                drop(self.client.part(room).await);
                self.join(room).await;
            }
            _ => self.join(room).await,
        }
    }

    /// Joins, however long it takes the servers to come back.
    async fn join(&mut self, room: &'static str) {
        let from = match self.rng.random_range(0..3) {
            0 => JoinFrom::Default,
            1 => JoinFrom::Last(self.rng.random_range(0..5)),
            _ => JoinFrom::Last(100),
        };
        while let Err(error) = self.client.join_from(room, from.clone()).await {
            assert!(error.outcome_unknown(), "{} joins {room}: {error}", self.name);
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn say(&mut self, room: &'static str) {
        self.number += 1;
        let content = format!("{} {}", self.name, self.number);
        let client_id = Some(format!("{}-{}", self.name, self.number));
        let message = v1::SendMessage { room: room.to_owned(), content, client_id, ..Default::default() };
        match self.client.message(message).await {
            Ok(ack) => {
                self.said.push(ack);
                if self.said.len() > REMEMBERED_MAX {
                    self.said.remove(0);
                }
            }
            // Thrown out: the room is public, so one comes back.
            Err(error) if error.code() == Some("forbidden") => self.join(room).await,
            Err(error) => self.accept(&error),
        }
    }

    fn own(&mut self) -> Option<v1::MessageAck> {
        (!self.said.is_empty()).then(|| self.said[self.rng.random_range(0..self.said.len())].clone())
    }

    async fn edit(&mut self) {
        let Some(message) = self.own() else { return };
        self.number += 1;
        let content = format!("{} {} edited", self.name, self.number);
        if let Err(error) = self.client.edit(&message.room, &message.id, &content).await {
            self.accept(&error);
        }
    }

    async fn delete(&mut self) {
        let Some(message) = self.own() else { return };
        self.said.retain(|said| said.id != message.id);
        if let Err(error) = self.client.delete(&message.room, &message.id).await {
            self.accept(&error);
        }
    }

    async fn react(&mut self) {
        let Some(message) = self.own() else { return };
        let remove = self.rng.random();
        if let Err(error) = self.client.react(&message.room, &message.id, "👍", remove).await {
            self.accept(&error);
        }
    }

    async fn page(&mut self, room: &'static str) {
        let limit = Some(self.rng.random_range(1..100));
        let query = v1::GetHistory { room: room.to_owned(), limit, ..Default::default() };
        if let Err(error) = self.client.history(query).await {
            self.accept(&error);
        }
    }

    /// What may happen to anybody in this world.
    fn accept(&self, error: &Error) {
        let expected = error.outcome_unknown() || matches!(error.code(), Some("forbidden" | "not_found" | "rate_limited"));
        assert!(expected, "{}: {error}", self.name);
    }
}

/// Takes every event, and writes it down.
pub(super) async fn listen(mut events: Events, recorder: Arc<DeviceRecorder>) {
    while let Some(event) = events.next().await {
        recorder.told(&event);
    }
}
