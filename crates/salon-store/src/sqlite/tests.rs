//! What only this store can do: survive, fail, forget for good, and share its file.

mod failing;
mod files;
mod plans;

use std::path::Path;

use salon_core::ports::{Change, Idempotency, Logs, NewRoom, Write, Written};
use salon_core::{AccessVersion, ClientId, Entry, Epoch, HistoryPolicy, MessageId, Role, RoomId, RoomKind, Timestamp, UserId};

use super::*;

fn open(path: &Path) -> Arc<SqliteStore> {
    SqliteStore::open(path, SqliteOptions::default()).unwrap()
}

fn ann() -> UserId {
    UserId::mint(1)
}

fn general() -> RoomId {
    RoomId::parse("general").unwrap()
}

async fn create_room(store: &SqliteStore) {
    let new = NewRoom {
        id: general(),
        kind: RoomKind::Public,
        title: String::new(),
        topic: String::new(),
        history: HistoryPolicy::All,
        epoch: Epoch::mint(1),
        creator: ann(),
        members: vec![(ann(), Role::Owner)],
        at: Timestamp(1),
    };
    store.create_room(new).await.unwrap().unwrap();
}

fn change(salt: u64, change: Change) -> Write {
    Write {
        room: general(),
        actor: ann(),
        access: AccessVersion(1),
        at: Timestamp(2),
        change,
        idempotency: None,
        salt,
        news: vec![],
    }
}

/// A message under a key of its own.
fn hello(n: u64, content: &str) -> Write {
    let message = Change::Message { content: content.into(), reply_to: None, mentions: vec![], extra: None };
    let idempotency = Some(Idempotency { client_id: ClientId::parse(&n.to_string()).unwrap(), body_hash: [0; 16] });
    Write { idempotency, ..change(n, message) }
}

async fn says(store: &SqliteStore, n: u64, content: &str) -> Entry {
    let written = store.append(hello(n, content)).await.unwrap();
    let Written::Stored { entry, .. } = written else { panic!("{written:?}") };
    entry
}

async fn head(store: &SqliteStore) -> u64 {
    store.heads(&[general()]).await.unwrap()[0].seq.0
}

fn id(entry: &Entry) -> MessageId {
    entry.body.message_id().unwrap().clone()
}
