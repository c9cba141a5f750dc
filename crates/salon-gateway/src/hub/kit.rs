//! A hub with people in it and a store behind it, on a clock that the test turns.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use salon_core::{MessageId, Seq};
use salon_proto::link::frames::{Attach, Block, DetachMember, LogEntry, ReadBlock, RoomEvent, SessionOpened};
use salon_proto::v1::{self, Entry, Welcome, entry::Body};

use super::Hub;
use crate::config::GatewayConfig;
use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::moment::Moment;
use crate::registry::ConnectionId;
use crate::shared::Shared;
use crate::testing::{self, Heard, Wire, briefly, decode};

pub(super) const ROOM: &str = "general";
pub(super) const EPOCH: &str = "e1";

pub(super) fn message_id(seq: u64) -> String {
    MessageId::mint(Seq(seq), seq).to_string()
}

pub(super) fn entry(seq: u64, body: Body) -> Entry {
    Entry { room: ROOM.into(), epoch: EPOCH.into(), seq, user: "u_ann".into(), body: Some(body), ..Entry::default() }
}

pub(super) fn message(seq: u64) -> Entry {
    sized_message(seq, 0)
}

pub(super) fn sized_message(seq: u64, bytes: usize) -> Entry {
    let content = format!("message {seq}{}", "x".repeat(bytes));
    entry(seq, Body::Message(v1::Message { id: message_id(seq), content, ..v1::Message::default() }))
}

pub(super) fn quote(seq: u64, of: u64) -> Entry {
    let reply_to = Some(v1::Quote { id: message_id(of), excerpt: format!("message {of}"), ..v1::Quote::default() });
    entry(seq, Body::Message(v1::Message { id: message_id(seq), reply_to, ..v1::Message::default() }))
}

pub(super) fn edit(seq: u64, of: u64) -> Entry {
    entry(seq, Body::Edit(v1::MessageEdited { id: message_id(of), content: format!("edit of {of}") }))
}

pub(super) fn delete(seq: u64, of: u64) -> Entry {
    entry(seq, Body::Delete(v1::MessageDeleted { id: message_id(of) }))
}

/// The positions of the entries in whole frames.
pub(super) fn seqs_of(frames: &[u8]) -> Vec<u64> {
    let heard = decode(frames);
    heard.iter().filter_map(entry_seq).collect()
}

fn entry_seq(heard: &Heard) -> Option<u64> {
    match heard {
        Heard::Event { event, data, .. } if event != "caught_up" && data["epoch"].is_string() => data["seq"].as_u64(),
        Heard::Event { .. } | Heard::Ping | Heard::Pong | Heard::Close(_) => None,
    }
}

pub(super) struct World {
    pub(super) hub: Hub,
    pub(super) shared: Arc<Shared>,
    pub(super) now: Moment,
    /// The log as the store has it.
    pub(super) store: Vec<Entry>,
    /// The store holds nothing before this position.
    pub(super) first: u64,
    /// Entries in one answer of the store.
    pub(super) block_entries_max: usize,
    /// Reads that wait for an answer.
    pub(super) unanswered: Vec<ReadBlock>,
    pub(super) reads: usize,
    pub(super) people: Vec<Person>,
}

pub(super) struct Person {
    pub(super) connection: Arc<Connection>,
    pub(super) wire: Wire,
    pub(super) since: u64,
}

impl Person {
    /// Everything of rooms, in short.
    pub(super) fn hears(&self) -> Vec<String> {
        briefly(&self.wire.heard()).into_iter().filter(|heard| heard != "welcome").collect()
    }

    pub(super) fn seqs(&self) -> Vec<u64> {
        self.wire.heard().iter().filter_map(entry_seq).collect()
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(GatewayConfig::default())
    }

    pub(super) fn with(config: GatewayConfig) -> Self {
        let (shared, _) = testing::shared(config);
        let hub = Hub::new(&shared.config, Arc::clone(&shared.metrics));
        let now = Moment::default().after(Duration::from_secs(1));
        let (store, unanswered, people) = (Vec::new(), Vec::new(), Vec::new());
        Self { hub, shared, now, store, first: 1, block_entries_max: 64, unanswered, reads: 0, people }
    }

    pub(super) fn head(&self) -> u64 {
        self.store.last().map_or(0, |entry| entry.seq)
    }

    /// Somebody connects; the welcome is written.
    pub(super) fn connects(&mut self, user: &str) -> usize {
        let who = self.people.len();
        let opened =
            SessionOpened { session: who as u64, welcome: Some(Welcome::default()), expires_at_ms: None, user: user.to_owned() };
        let wire = Wire::open();
        let cx = self.shared.context(self.now);
        let connection = Arc::new(Connection::open(Dialect::NativeJson, Box::new(wire.clone()), opened, cx));
        self.people.push(Person { connection, wire, since: 0 });
        who
    }

    /// Somebody connects and listens from behind `since` on.
    pub(super) fn joins(&mut self, user: &str, since: u64) -> usize {
        let who = self.connects(user);
        self.listens(who, since);
        who
    }

    pub(super) fn listens(&mut self, who: usize, since: u64) {
        let caught_up_at = self.head();
        self.people[who].since = since;
        let attach = Attach { log: ROOM.into(), room: ROOM.into(), epoch: EPOCH.into(), cursor: since, caught_up_at };
        self.hub.attach(&self.people[who].connection, &attach, self.now);
    }

    /// Something is stored, and the link does not tell.
    pub(super) fn stores(&mut self, entry: Entry) {
        assert_eq!(entry.seq, self.head() + 1);
        if let Some(Body::Delete(deleted)) = &entry.body {
            for stored in &mut self.store {
                match &mut stored.body {
                    Some(Body::Message(message)) if message.id == deleted.id => message.content.clear(),
                    Some(Body::Message(message)) if message.reply_to.as_ref().is_some_and(|quote| quote.id == deleted.id) => {
                        message.reply_to = None;
                    }
                    Some(Body::Edit(edit)) if edit.id == deleted.id => edit.content.clear(),
                    Some(_) | None => {}
                }
            }
        }
        self.store.push(entry);
    }

    pub(super) fn link_tells(&mut self, entry: Entry) {
        self.hub.entry(LogEntry { log: ROOM.into(), entry: Some(entry) }, self.now);
    }

    pub(super) fn happens(&mut self, entry: Entry) {
        self.stores(entry.clone());
        self.link_tells(entry);
    }

    /// That many messages are written, one after the other.
    pub(super) fn says(&mut self, messages: usize) {
        for _ in 0..messages {
            self.happens(message(self.head() + 1));
        }
    }

    pub(super) fn event(&mut self, key: &str, user: &str, except: Option<usize>) {
        let typing = v1::Typing { room: ROOM.into(), user: user.into(), typing: true, ..v1::Typing::default() };
        let frame = salon_proto::json::event(v1::server_frame::Event::Typing(typing));
        let except = except.map(|who| self.people[who].connection.id.0);
        self.hub.event(RoomEvent { log: ROOM.into(), key: key.into(), frame: Some(frame), except }, self.now);
    }

    pub(super) fn removes(&mut self, user: &str, fence: u64) {
        self.hub.fence(&DetachMember { log: ROOM.into(), user: user.into(), fence }, self.now);
    }

    /// Lets the hub do what it can without the store.
    pub(super) fn writes(&mut self) {
        loop {
            for person in &self.people {
                person.connection.wake_up(&self.shared);
            }
            let news = self.shared.inbox.take();
            for id in news.writable {
                self.hub.writable(id);
            }
            self.hub.step(self.now);
            let reads = self.hub.take_reads();
            self.reads += reads.len();
            self.unanswered.extend(reads);
            for (connection, close) in self.hub.take_closes() {
                connection.close(close, &self.shared);
            }
            if !self.hub.has_work() && self.hub.due() > self.now {
                break;
            }
        }
    }

    /// The store answers what it was asked.
    pub(super) fn store_answers(&mut self) {
        for read in std::mem::take(&mut self.unanswered) {
            let block = self.answer(&read);
            self.hub.block(block, self.now);
        }
    }

    pub(super) fn answer(&self, read: &ReadBlock) -> Block {
        let wanted = |entry: &&Entry| entry.seq > read.after && entry.seq <= read.through && entry.seq >= self.first;
        let entries = self.store.iter().filter(wanted).take(self.block_entries_max).cloned().collect();
        Block { request: read.request, log: ROOM.into(), epoch: EPOCH.into(), entries, head: self.head(), unavailable: false }
    }

    /// Lets everything happen that can, and some time go by.
    pub(super) fn settles(&mut self) {
        for _ in 0..10_000 {
            self.writes();
            if self.unanswered.is_empty() && self.hub.due() > self.now.after(Duration::from_secs(1)) {
                return;
            }
            self.store_answers();
            self.now = self.now.after(Duration::from_millis(1));
        }
        panic!("the hub does not come to rest");
    }

    /// The connection's task has ended.
    pub(super) fn leaves(&mut self, who: usize) {
        self.hub.remove(self.people[who].connection.id, self.now);
    }

    pub(super) fn ids(&self) -> BTreeSet<ConnectionId> {
        self.people.iter().map(|person| person.connection.id).collect()
    }
}
