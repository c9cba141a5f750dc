//! G3: exactly once, visibly.

use salon_core::ports::{Change, Write, Written};
use salon_core::{EntryBody, MemberChange, RoomChange};

use crate::kit::{AsMessage, World, duplicate, key, says, stored, user};

pub(crate) async fn a_retry_gets_the_original(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let write = Write { idempotency: key("c1", 1), ..room.write(&ann, says("once")).await };
    let entry = stored(room.append(write.clone()).await);
    let retry = Write { at: world.now(), salt: world.number(), ..write };
    let original = duplicate(room.append(retry).await);
    assert_eq!((original.epoch, original.seq, original.at), (entry.epoch.clone(), entry.seq, entry.at));
    assert_eq!(original.id, entry.message().id);
    assert_eq!(room.head().await, entry.seq);
}

pub(crate) async fn another_body_is_a_conflict(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let write = Write { idempotency: key("c1", 1), ..room.write(&ann, says("once")).await };
    let entry = stored(room.append(write.clone()).await);
    let other = Write { idempotency: key("c1", 2), change: says("twice"), ..write.clone() };
    assert_eq!(room.append(other).await, Written::BodyConflict);
    assert_eq!(duplicate(room.append(write).await).seq, entry.seq);
}

pub(crate) async fn keys_belong_to_a_room_and_a_sender(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let other = world.room("other", &[&ann]).await;
    for (room, actor) in [(&room, &ann), (&room, &bob), (&other, &ann)] {
        stored(room.append(Write { idempotency: key("c1", 1), ..room.write(actor, says("hello")).await }).await);
    }
    // Without a key, the same body is another message.
    let (one, two) = (room.says(&ann, "hello").await, room.says(&ann, "hello").await);
    assert_ne!(one.seq, two.seq);
}

pub(crate) async fn a_retry_is_answered_after_everything_else_has_changed(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let write = Write { idempotency: key("c1", 1), ..room.write(&bob, says("first")).await };
    let entry = stored(room.append(write.clone()).await);
    let id = entry.message().id.clone();
    room.edits(&bob, &id, "second").await;
    assert_eq!(duplicate(room.append(write.clone()).await).seq, entry.seq);
    room.deletes(&ann, &id).await;
    room.member_changes(&ann, &bob, MemberChange::Banned).await;
    room.changes(&ann, RoomChange { archived: Some(true), ..RoomChange::default() }).await;
    assert_eq!(duplicate(room.append(write.clone()).await).at, entry.at);
    // The hash of the original body is kept, not that of the present one.
    let edited = Write { idempotency: key("c1", 2), change: says("second"), ..write };
    assert_eq!(room.append(edited).await, Written::BodyConflict);
    let kept = room.log().await.into_iter().find(|kept| kept.seq == entry.seq).unwrap();
    assert_eq!(kept.message().client_id, entry.message().client_id);

    // A reaction is not retried under a key: to repeat it is harmless.
    let next = room.said(&ann, "next").await;
    let change = Change::React { id: next, emoji: "+".into(), remove: false };
    let react = Write { idempotency: key("c1", 1), ..room.write(&ann, change).await };
    assert!(matches!(stored(room.append(react.clone()).await).body, EntryBody::React { .. }));
    assert_eq!(room.append(react).await, Written::Unchanged);
}
