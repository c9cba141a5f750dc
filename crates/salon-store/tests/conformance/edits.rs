//! Edits and deletions: the entry of a message holds its present state.

use salon_core::ports::{Change, Write, Written};
use salon_core::{EntryBody, MessageId, Seq};

use crate::kit::{AsMessage, World, key, stored, user};

pub(crate) async fn an_edit_shows_everywhere(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let before = room.says(&ann, "helo").await;
    let id = &before.message().id;
    let edit = stored(room.edits(&ann, id, "hello").await);
    assert_eq!(edit.body, EntryBody::Edit { id: id.clone(), content: "hello".into() });
    let log = room.log().await;
    let now = log.iter().find(|entry| entry.seq == before.seq).unwrap();
    assert_eq!((&*now.message().content, now.message().edited_at), ("hello", Some(edit.at)));
    assert_eq!((now.at, now.seq, &now.message().id), (before.at, before.seq, id));
    assert_eq!(log.last(), Some(&edit));
    assert_eq!(room.newest().await[0].entry, *now);
    assert_eq!(world.store.messages(&room.id, std::slice::from_ref(id)).await.unwrap(), std::slice::from_ref(now));
}

pub(crate) async fn an_edit_that_changes_nothing_makes_no_entry(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let id = room.said(&ann, "hello").await;
    let head = room.head().await;
    assert_eq!(room.edits(&ann, &id, "hello").await, Written::Unchanged);
    stored(room.edits(&ann, &id, "bye").await);
    assert_eq!(room.edits(&ann, &id, "bye").await, Written::Unchanged);
    assert_eq!(room.head().await, head.next());
}

pub(crate) async fn a_deletion_scrubs_everything_that_was_said(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let question = room.said(&bob, "question").await;
    let change = Change::Message {
        content: "the secret".into(),
        reply_to: Some(question),
        mentions: vec![bob.clone()],
        extra: Some(r#"{"secret":1}"#.into()),
    };
    let entry = stored(room.append(Write { idempotency: key("c1", 1), ..room.write(&ann, change).await }).await);
    let id = entry.message().id.clone();
    stored(room.edits(&ann, &id, "another secret").await);
    stored(room.edits(&ann, &id, "a third secret").await);
    let deletion = stored(room.deletes(&ann, &id).await);
    assert_eq!(deletion.body, EntryBody::Delete { id: id.clone() });

    let log = room.log().await;
    assert!(!format!("{log:?}").contains("secret"), "{log:?}");
    let now = log.iter().find(|kept| kept.seq == entry.seq).unwrap();
    let message = now.message();
    assert!(message.deleted && message.content.is_empty() && message.mentions.is_empty() && message.reply_to.is_none());
    assert_eq!((&message.id, &message.client_id), (&id, &entry.message().client_id));
    assert_eq!((now.at, &now.actor), (entry.at, &entry.actor));
    assert_eq!(log.iter().filter(|kept| matches!(&kept.body, EntryBody::Edit { content, .. } if content.is_empty())).count(), 2);

    assert_eq!(room.deletes(&ann, &id).await, Written::Unchanged);
    assert_eq!(room.edits(&ann, &id, "back again").await, Written::NoSuchMessage);
    assert_eq!(room.reacts(&ann, &id, "+").await, Written::NoSuchMessage);
    assert_eq!(room.newest().await.len(), 2);
}

pub(crate) async fn what_does_not_exist_cannot_be_edited(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let other = world.room("other", &[&ann]).await;
    room.says(&ann, "hello").await;
    other.says(&ann, "one").await;
    let elsewhere = other.said(&ann, "two").await;
    // The second is the id of an entry that is no message.
    for id in [MessageId::mint(Seq(77), 1), MessageId::mint(Seq(1), 1), elsewhere, MessageId::from_stored("nonsense")] {
        assert_eq!(room.edits(&ann, &id, "x").await, Written::NoSuchMessage);
        assert_eq!(room.deletes(&ann, &id).await, Written::NoSuchMessage);
        assert_eq!(room.reacts(&ann, &id, "+").await, Written::NoSuchMessage);
        assert_eq!(room.takes_back(&ann, &id, "+").await, Written::NoSuchMessage);
    }
    assert_eq!(room.head().await, Seq(2));
}

pub(crate) async fn a_message_id_of_another_epoch_is_unknown(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let old = room.said(&ann, "then").await;
    world.store.delete_room(&room.id, world.now()).await.unwrap().unwrap();
    let room = world.room("general", &[&ann]).await;
    let new = room.said(&ann, "now").await;
    assert_eq!(old.seq_hint(), new.seq_hint());
    assert_eq!(room.deletes(&ann, &old).await, Written::NoSuchMessage);
    assert_eq!(world.store.messages(&room.id, &[old]).await.unwrap(), []);
}
