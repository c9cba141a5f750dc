//! Positions, times, and what stands in the way of a write.

use salon_core::ports::{Change, Page, PageQuery, Position, Write, Written};
use salon_core::{AccessVersion, EntryBody, MemberChange, MessageId, RoomId, Seq, Timestamp};

use crate::kit::{AsMessage, World, says, stored, user};

pub(crate) async fn positions_have_no_gaps(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let other = world.room("other", &[&ann]).await;
    for n in 0..20 {
        room.says(&ann, &n.to_string()).await;
        other.says(&ann, &n.to_string()).await;
        if n % 5 == 0 {
            room.does(&bob, Change::Notice { text: "careful".into() }).await;
        }
    }
    let log = room.log().await;
    assert!(log.iter().map(|entry| entry.seq.0).eq(1..=26));
    assert!(log.iter().all(|entry| entry.room == room.id && entry.epoch == log[0].epoch));
    let now = room.now().await;
    assert_eq!((now.head, now.first, now.messages), (Seq(26), Seq(1), 20));
    assert_ne!(now.epoch, other.now().await.epoch);
}

pub(crate) async fn times_never_decrease(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let late = stored(room.append(Write { at: Timestamp(9_000), ..room.write(&ann, says("late")).await }).await);
    let early = stored(room.append(Write { at: Timestamp(5_000), ..room.write(&ann, says("early")).await }).await);
    assert_eq!((late.at, early.at), (Timestamp(9_000), Timestamp(9_000)));
    assert_eq!(room.now().await.last_at, Timestamp(9_000));
}

pub(crate) async fn an_unknown_room_is_said_to_be_unknown(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let nowhere = RoomId::parse("nowhere").unwrap();
    let write = Write { room: nowhere.clone(), ..room.write(&ann, says("hello")).await };
    assert_eq!(room.append(write).await, Written::NoSuchRoom);
    let store = &world.store;
    assert_eq!(store.room(&nowhere, &ann).await.unwrap(), None);
    assert_eq!(store.entries(&nowhere, Seq::START, 10, 1000).await.unwrap(), None);
    assert_eq!(store.mark_read(&nowhere, &ann, Seq(1), world.now()).await.unwrap(), None);
    assert_eq!(store.delete_room(&nowhere, world.now()).await.unwrap(), None);
    let page = PageQuery { room: nowhere.clone(), ..room.query(Position::Newest, 5) };
    assert_eq!(store.page(page).await.unwrap(), Page::default());
    assert_eq!(store.members(&nowhere, None, 10).await.unwrap(), []);
    store.trim(&nowhere, Seq(5)).await.unwrap();
}

pub(crate) async fn what_was_decided_before_a_change_of_access_is_refused(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let decided = room.write(&bob, says("let me speak")).await;
    room.member_changes(&ann, &bob, MemberChange::Banned).await;
    let head = room.head().await;
    assert_eq!(room.append(decided.clone()).await, Written::StaleAccess);
    let future = AccessVersion(decided.access.0 + 5);
    assert_eq!(room.append(room.write_at(future, &ann, says("from the future"))).await, Written::StaleAccess);
    assert_eq!(room.head().await, head);
}

pub(crate) async fn a_message_comes_back_as_it_was_written(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let first = room.said(&bob, "question").await;
    let change = Change::Message {
        content: "réponse \u{0}\u{1F600} \"';--".into(),
        reply_to: Some(first.clone()),
        mentions: vec![bob.clone(), ann.clone()],
        extra: Some(r#"{"a": [1,  2]}"#.into()),
    };
    let write = Write { idempotency: crate::kit::key("k-1", 7), ..room.write(&ann, change).await };
    let entry = stored(room.append(write.clone()).await);
    let message = entry.message();
    assert_eq!((&entry.actor, entry.at, entry.seq), (&ann, write.at, Seq(4)));
    assert_eq!(message.id, MessageId::mint(Seq(4), write.salt));
    assert_eq!(message.content, "réponse \u{0}\u{1F600} \"';--");
    assert_eq!(message.client_id, write.idempotency.map(|key| key.client_id));
    assert_eq!((&message.reply_to, &message.extra), (&Some(first), &Some(r#"{"a": [1,  2]}"#.into())));
    assert_eq!(message.mentions, [bob.clone(), ann]);
    assert_eq!((message.edited_at, message.deleted), (None, false));
    assert_eq!(room.log().await.last(), Some(&entry));
    assert_eq!(room.newest().await.last().map(|found| &found.entry), Some(&entry));
    assert!(matches!(room.log().await[0].body, EntryBody::Member { change: MemberChange::Joined, .. }));
}
