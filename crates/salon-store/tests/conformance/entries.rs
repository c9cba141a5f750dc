//! Runs of entries: how a cursor catches up.

use salon_core::ports::Slice;
use salon_core::{EntryBody, Seq};

use crate::kit::{AsMessage, Room, World, stored, user};

async fn run(room: &Room<'_>, after: u64, limit: u32, bytes_max: usize) -> (Vec<u64>, Seq) {
    let Slice { entries, head } = room.world.store.entries(&room.id, Seq(after), limit, bytes_max).await.unwrap().unwrap();
    (entries.iter().map(|entry| entry.seq.0).collect(), head)
}

pub(crate) async fn a_run_continues_where_it_was_left(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    for n in 0..9 {
        room.says(&ann, &n.to_string()).await;
    }
    assert_eq!(run(&room, 0, 4, usize::MAX).await, (vec![1, 2, 3, 4], Seq(10)));
    assert_eq!(run(&room, 4, 4, usize::MAX).await, (vec![5, 6, 7, 8], Seq(10)));
    assert_eq!(run(&room, 8, 4, usize::MAX).await, (vec![9, 10], Seq(10)));
    assert_eq!(run(&room, 10, 4, usize::MAX).await, (vec![], Seq(10)));
    assert_eq!(run(&room, 1_000, 4, usize::MAX).await, (vec![], Seq(10)));
}

pub(crate) async fn a_run_is_bounded_in_entries_and_bytes(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    for _ in 0..5 {
        room.says(&ann, &"x".repeat(100)).await;
    }
    assert_eq!(run(&room, 1, 100, 250).await.0, [2, 3]);
    assert_eq!(run(&room, 1, 100, 300).await.0, [2, 3, 4]);
    assert_eq!(run(&room, 1, 100, 1).await.0, [2]);
    assert_eq!(run(&room, 1, 0, 1_000).await.0, []);
}

pub(crate) async fn catch_up_shows_the_present_state(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let edited = room.said(&ann, "first").await;
    let deleted = room.said(&ann, "oops").await;
    stored(room.edits(&ann, &edited, "second").await);
    stored(room.deletes(&ann, &deleted).await);
    let log = room.log().await;
    assert_eq!(log[1].message().content, "second");
    assert!(log[2].message().deleted && log[2].message().content.is_empty());
    assert!(matches!(&log[3].body, EntryBody::Edit { content, .. } if content == "second"));
    assert_eq!(log[4].body, EntryBody::Delete { id: deleted });
}

pub(crate) async fn the_last_messages_begin_somewhere(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let before = async |from, count| world.store.before_last_messages(&room.id, Seq(from), count).await.unwrap();
    assert_eq!(before(1, 5).await, Seq(1));
    // 2: message, 3: reaction, 4: message, 5: reaction.
    for _ in 0..2 {
        let id = room.said(&ann, "hello").await;
        room.reacts(&ann, &id, "+").await;
    }
    assert_eq!(before(1, 0).await, Seq(5));
    assert_eq!(before(1, 1).await, Seq(3));
    assert_eq!(before(1, 2).await, Seq(1));
    assert_eq!(before(1, 50).await, Seq(1));
    assert_eq!(before(3, 50).await, Seq(3));
    assert_eq!(before(5, 50).await, Seq(5));
    let nowhere = salon_core::RoomId::parse("nowhere").unwrap();
    assert_eq!(world.store.before_last_messages(&nowhere, Seq(1), 5).await.unwrap(), Seq::START);
}
