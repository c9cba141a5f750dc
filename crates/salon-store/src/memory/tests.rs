//! What only this store can do: take its time, and lose what was not synced.

use std::time::Duration;

use salon_core::ports::{Change, Idempotency, Logs, NewRoom, Write, Written};
use salon_core::{AccessVersion, ClientId, Epoch, HistoryPolicy, Role, RoomId, RoomKind, Seq, Timestamp, UserId};

use super::*;

async fn room(store: &MemoryStore) -> RoomId {
    let id = RoomId::parse("general").unwrap();
    let ann = UserId::mint(1);
    let new = NewRoom {
        id: id.clone(),
        kind: RoomKind::Public,
        title: String::new(),
        topic: String::new(),
        history: HistoryPolicy::All,
        epoch: Epoch::mint(1),
        creator: ann.clone(),
        members: vec![(ann, Role::Owner)],
        at: Timestamp(1),
    };
    store.create_room(new).await.unwrap().unwrap();
    id
}

fn hello(room: &RoomId, n: u64) -> Write {
    Write {
        room: room.clone(),
        actor: UserId::mint(1),
        access: AccessVersion(1),
        at: Timestamp(2),
        change: Change::Message { content: format!("hello {n}"), reply_to: None, mentions: vec![], extra: None },
        idempotency: Some(Idempotency { client_id: ClientId::parse(&n.to_string()).unwrap(), body_hash: [0; 16] }),
        salt: n,
        news: vec![],
    }
}

async fn head(store: &MemoryStore, room: &RoomId) -> u64 {
    store.heads(std::slice::from_ref(room)).await.unwrap()[0].seq.0
}

#[tokio::test(start_paused = true)]
async fn a_write_is_seen_when_it_is_durable_and_not_before() {
    let store = MemoryStore::new();
    let room = room(&store).await;
    store.set_faults(Faults::slow_writes(Duration::from_millis(10)));
    let write = store.append(hello(&room, 1));
    tokio::pin!(write);
    assert!(tokio::time::timeout(Duration::from_millis(5), &mut write).await.is_err());
    assert_eq!((head(&store, &room).await, store.pending_writes()), (1, 1));
    assert!(matches!(write.await, Ok(Written::Stored { .. })));
    assert_eq!((head(&store, &room).await, store.pending_writes()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_write_happens_even_when_nobody_waits_for_it() {
    let store = MemoryStore::new();
    let room = room(&store).await;
    store.set_faults(Faults::slow_writes(Duration::from_millis(10)));
    assert!(tokio::time::timeout(Duration::from_millis(5), store.append(hello(&room, 1))).await.is_err());
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(head(&store, &room).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loses_what_was_not_synced_and_nothing_else() {
    let store = MemoryStore::new();
    let room = room(&store).await;
    assert!(matches!(store.append(hello(&room, 1)).await, Ok(Written::Stored { .. })));
    store.set_faults(Faults::slow_writes(Duration::from_millis(10)));
    let crash = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.crash(1);
    };
    let (reached_the_disk, lost, ()) = tokio::join!(store.append(hello(&room, 2)), store.append(hello(&room, 3)), crash);
    assert!(matches!(reached_the_disk, Err(StoreError::Unavailable(_))));
    assert!(matches!(lost, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ready().await, Err(StoreError::Unavailable(_))));

    let store = store.reopen();
    assert_eq!(head(&store, &room).await, 3);
    assert!(matches!(store.append(hello(&room, 2)).await, Ok(Written::Duplicate(original)) if original.seq == Seq(3)));
    assert!(matches!(store.append(hello(&room, 3)).await, Ok(Written::Stored { entry, .. }) if entry.seq == Seq(4)));
}

#[tokio::test]
async fn faults_leave_the_outcome_open() {
    let store = MemoryStore::new();
    let room = room(&store).await;
    store.set_faults(Faults::fail_writes(1, WriteFault::Lost));
    assert!(store.append(hello(&room, 1)).await.is_err());
    assert_eq!(head(&store, &room).await, 1);
    store.set_faults(Faults::fail_writes(1, WriteFault::Unanswered));
    assert!(store.append(hello(&room, 1)).await.is_err());
    assert_eq!(head(&store, &room).await, 2);
    assert!(matches!(store.append(hello(&room, 1)).await, Ok(Written::Duplicate(_))));
    store.set_faults(Faults::fail_reads(1));
    assert!(store.ready().await.is_err());
    assert!(store.ready().await.is_ok());
}
