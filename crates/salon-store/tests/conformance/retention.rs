//! How a log forgets its beginning.

use salon_core::ports::{Change, Position, Write, Written};
use salon_core::{EntryBody, MessageId, Seq, Timestamp};

use crate::kit::{AsMessage, World, contents, duplicate, key, says, stored, user};

pub(crate) async fn a_trimmed_log_keeps_its_positions(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    for n in 3..=12 {
        room.says(&ann, &n.to_string()).await;
    }
    world.store.trim(&room.id, Seq(8)).await.unwrap();
    let now = room.now().await;
    assert_eq!((now.first, now.head, now.messages), (Seq(8), Seq(12), 10));
    assert!(room.log().await.iter().map(|entry| entry.seq.0).eq(8..=12));
    let page = room.page(room.query(Position::Newest, 100)).await;
    assert_eq!((contents(&page).join(" "), page.more_before), ("8 9 10 11 12".to_owned(), false));
    assert_eq!(contents(&room.page(room.query(Position::AtTime(Timestamp(0)), 2)).await), ["8", "9"]);
    // What is gone is not unread any more, and the rest is.
    let member = room.member(&bob).await;
    assert_eq!((member.read, member.unread), (Seq(7), 5));
    assert_eq!(world.store.mark_read(&room.id, &bob, Seq(9), world.now()).await.unwrap().unwrap().unread, 3);
    // Neither does it go back, nor beyond the head.
    world.store.trim(&room.id, Seq(3)).await.unwrap();
    assert_eq!(room.now().await.first, Seq(8));
    world.store.trim(&room.id, Seq(1_000)).await.unwrap();
    let now = room.now().await;
    assert_eq!((now.first, now.head, room.log().await.len()), (Seq(13), Seq(12), 0));
    assert_eq!(room.member(&bob).await.unread, 0);
    assert_eq!(room.page(room.query(Position::AtTime(Timestamp(0)), 2)).await, salon_core::ports::Page::default());
    assert_eq!(room.says(&ann, "and on").await.seq, Seq(13));
    assert_eq!((room.member(&bob).await.unread, room.now().await.messages), (1, 11));
    assert_eq!(contents(&room.page(room.query(Position::Newest, 5)).await), ["and on"]);
}

pub(crate) async fn what_hung_on_trimmed_entries_is_gone(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let (old, _) = room.mentions(&ann, "@Bob", &bob).await;
    let id = old.message().id.clone();
    room.reacts(&bob, &id, "+").await;
    let edit = stored(room.edits(&ann, &id, "@Bob!").await);
    room.mentions(&ann, "@Bob?", &bob).await;
    world.store.trim(&room.id, edit.seq).await.unwrap();
    assert_eq!(room.member(&bob).await.mentions, 1);
    // The edit is kept, and is about something that is not.
    assert!(matches!(&room.log().await[0].body, EntryBody::Edit { .. }));
    assert_eq!(room.deletes(&ann, &id).await, Written::NoSuchMessage);
    assert_eq!(room.does(&bob, Change::React { id, emoji: "+".into(), remove: true }).await, Written::NoSuchMessage);
    assert_eq!(world.store.messages(&room.id, &[MessageId::mint(Seq(3), 1)]).await.unwrap(), []);
    let listing = world.store.rooms_of(&ann, true, None, 5).await.unwrap().remove(0);
    assert_eq!(listing.last.unwrap().message().content, "@Bob?");
    world.store.trim(&room.id, Seq(99)).await.unwrap();
    assert_eq!(world.store.rooms_of(&ann, true, None, 5).await.unwrap().remove(0).last, None);
}

pub(crate) async fn trimmed_keys_are_free_again(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let write = Write { idempotency: key("c1", 1), ..room.write(&ann, says("once")).await };
    stored(room.append(write.clone()).await);
    assert_eq!(duplicate(room.append(write.clone()).await).seq, Seq(2));
    world.store.trim(&room.id, Seq(3)).await.unwrap();
    assert_eq!(stored(room.append(write).await).seq, Seq(3));
}

pub(crate) async fn ages_are_found_room_by_room(world: &World) {
    let ann = world.person("Ann").await;
    let (old, new) = (world.room("old", &[&ann]).await, world.room("new", &[&ann]).await);
    for (room, times) in [(&old, [10_000, 20_000, 30_000]), (&new, [40_000, 50_000, 60_000])] {
        for at in times {
            stored(room.append(Write { at: Timestamp(at), ..room.write(&ann, says("x")).await }).await);
        }
    }
    let older = async |before| {
        let found = world.store.older_than(Timestamp(before)).await.unwrap();
        found.into_iter().map(|(room, seq)| (room.to_string(), seq.0)).collect::<Vec<_>>()
    };
    assert_eq!(older(0).await, []);
    assert_eq!(older(20_000).await, [("new".to_owned(), 1), ("old".to_owned(), 2)]);
    assert_eq!(older(20_001).await, [("new".to_owned(), 1), ("old".to_owned(), 3)]);
    assert_eq!(older(i64::MAX).await, [("new".to_owned(), 4), ("old".to_owned(), 4)]);
    world.store.trim(&old.id, Seq(5)).await.unwrap();
    world.store.trim(&new.id, Seq(2)).await.unwrap();
    assert_eq!(older(40_001).await, [("new".to_owned(), 2)]);
}
