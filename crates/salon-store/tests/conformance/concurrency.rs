//! What happens at the same time.

use std::collections::BTreeSet;
use std::sync::Arc;

use salon_core::ports::{Change, InviteUse, NewInvite, PageQuery, Position, Store, Write, Written};
use salon_core::{MemberChange, MessageId, Seq, Standing, Timestamp};
use tokio::task::JoinSet;

use crate::kit::{AsMessage, World, key, says, user};

/// Writes all of this at once, each on a task of its own.
async fn at_once(store: &Arc<dyn Store>, writes: Vec<Write>) -> Vec<Written> {
    let mut tasks = JoinSet::new();
    for write in writes {
        let store = Arc::clone(store);
        tasks.spawn(async move { store.append(write).await.unwrap() });
    }
    tasks.join_all().await
}

pub(crate) async fn many_writers_share_one_room(world: &World) {
    const WRITERS: u64 = 16;
    const MESSAGES: u64 = 40;
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, write) = (Arc::clone(&world.store), room.write(&user(u128::from(writer) + 10), says("")).await);
        tasks.spawn(async move {
            let mut last = Seq::START;
            for n in 0..MESSAGES {
                let write = Write { change: says(&format!("{writer} {n}")), salt: writer * 1_000 + n, ..write.clone() };
                let Written::Stored { entry, .. } = store.append(write).await.unwrap() else { panic!("refused") };
                // What was stored is seen at once, at its place, by whoever reads.
                assert!(entry.seq > last);
                let run = store.entries(&entry.room, Seq(entry.seq.0 - 1), 1, usize::MAX).await.unwrap().unwrap();
                assert_eq!(run.entries[0], entry);
                assert!(run.head >= entry.seq);
                last = entry.seq;
            }
        });
    }
    tasks.join_all().await;
    let log = room.log().await;
    assert!(log.iter().map(|entry| entry.seq.0).eq(1..=WRITERS * MESSAGES + 1));
    let mut expected: Vec<u64> = vec![0; usize::try_from(WRITERS).unwrap()];
    for entry in &log[1..] {
        let (writer, n) = entry.message().content.split_once(' ').unwrap();
        let next = &mut expected[writer.parse::<usize>().unwrap()];
        assert_eq!(n.parse::<u64>().unwrap(), *next);
        *next += 1;
    }
    assert_eq!(room.now().await.messages, WRITERS * MESSAGES);
    assert!(log.is_sorted_by_key(|entry| entry.at));
}

pub(crate) async fn the_same_key_at_once_makes_one_entry(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    for round in 0..5_u64 {
        let write = room.write(&ann, says("once")).await;
        let client_id = format!("c{round}");
        // Every fifth brings another body under the same key.
        let body = |n: u64| if n % 5 == 4 { 2 } else { 1 };
        let copies = (0..40).map(|n| Write { idempotency: key(&client_id, body(n)), salt: n, ..write.clone() }).collect();
        let written = at_once(&world.store, copies).await;
        let stored: Vec<_> = written
            .iter()
            .filter_map(|written| if let Written::Stored { entry, .. } = written { Some(entry) } else { None })
            .collect();
        assert_eq!((stored.len(), room.head().await), (1, Seq(2 + round)));
        let originals: BTreeSet<&MessageId> = written
            .iter()
            .filter_map(|written| if let Written::Duplicate(original) = written { Some(&original.id) } else { None })
            .collect();
        assert_eq!(originals, BTreeSet::from([&stored[0].message().id]));
        let conflicts = written.iter().filter(|written| **written == Written::BodyConflict).count();
        let duplicates = written.iter().filter(|written| matches!(written, Written::Duplicate(_))).count();
        assert!((conflicts, duplicates) == (8, 31) || (conflicts, duplicates) == (32, 7), "{conflicts} {duplicates}");
    }
}

pub(crate) async fn a_ban_stops_who_races_it(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let mut writes: Vec<Write> = Vec::new();
    for n in 0..60 {
        writes.push(room.write(&bob, says(&n.to_string())).await);
    }
    let ban = Change::Member { target: bob.clone(), change: MemberChange::Banned, role: None };
    writes.insert(30, room.write(&ann, ban).await);
    let written = at_once(&world.store, writes).await;
    let stored = written.iter().filter(|written| matches!(written, Written::Stored { .. })).count();
    let stale = written.iter().filter(|written| **written == Written::StaleAccess).count();
    assert_eq!(stored + stale, 61);
    // The ban is the last entry: nothing that was decided before it came behind it.
    let log = room.log().await;
    assert_eq!((log.len(), room.standing(&bob).await), (stored + 2, Standing::Banned));
    assert_eq!(log.last().unwrap().actor, ann);
}

pub(crate) async fn a_refused_neighbour_does_no_harm(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let first = room.said(&ann, "first").await;
    let ghost = MessageId::mint(Seq(99), 5);
    let mut writes = Vec::new();
    for n in 0..30 {
        writes.push(room.write(&ann, says(&n.to_string())).await);
        writes.push(room.write(&ann, Change::Edit { id: ghost.clone(), content: "x".into() }).await);
        writes.push(room.write(&ann, Change::Edit { id: first.clone(), content: "first".into() }).await);
        writes.push(room.write_at(salon_core::AccessVersion(77), &ann, says("stale")));
        let write = room.write(&ann, says("nowhere")).await;
        writes.push(Write { room: salon_core::RoomId::parse("nowhere").unwrap(), ..write });
    }
    let written = at_once(&world.store, writes).await;
    assert_eq!(written.iter().filter(|written| matches!(written, Written::Stored { .. })).count(), 30);
    assert_eq!((room.head().await, room.now().await.messages), (Seq(32), 31));
    assert!(room.log().await.iter().map(|entry| entry.seq.0).eq(1..=32));
}

pub(crate) async fn one_invitation_at_once_is_used_once(world: &World) {
    let new =
        NewInvite { hash: [1; 32], created_by: None, room: None, admin: false, uses_max: 1, at: Timestamp(0), expires_at: None };
    world.store.put_invite(new).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&world.store);
        tasks.spawn(async move { store.use_invite(&[1; 32], Timestamp(1)).await.unwrap() });
    }
    let used = tasks.join_all().await;
    assert_eq!(used.iter().filter(|used| matches!(used, InviteUse::Used(_))).count(), 1);
}

pub(crate) async fn searching_while_writing_finds_everything(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let write = room.write(&ann, says("")).await;
    let store = Arc::clone(&world.store);
    let mut writing = JoinSet::new();
    writing.spawn(async move {
        for n in 0..600 {
            let write = Write { change: says(&format!("tea {n}")), salt: n, ..write.clone() };
            store.append(write).await.unwrap();
        }
    });
    let query = PageQuery { text: Some("tea".into()), ..room.query(Position::Newest, 1_000) };
    for _ in 0..10 {
        let before = room.now().await.messages;
        assert!(room.page(query.clone()).await.messages.len() as u64 >= before);
    }
    writing.join_all().await;
    assert_eq!(room.page(query).await.messages.len(), 600);
}
