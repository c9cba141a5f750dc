//! What has not been read yet.

use salon_client::Event;
use salon_proto::v1::entry::Body;
use salon_tests::support::World;

#[tokio::test]
async fn messages_are_counted_and_entries_are_not() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    let first = alice.says("one").await;
    alice.says("two").await;
    alice.edits(&first, "One").await;
    alice.reacts(&first, "👍").await;
    let third = alice.says("three, @bob").await;
    let room = bob.room("general").await.unwrap();
    assert_eq!((room.unread, room.mentions, room.seq), (3, 1, third.seq));
    let read = bob.marks_read("general", first.seq).await;
    assert_eq!((read.seq, read.unread), (first.seq, 2));
    let back = bob.marks_read("general", 0).await;
    assert_eq!(back.seq, first.seq, "marks never go back");
    let beyond = bob.marks_read("general", third.seq + 1000).await;
    assert_eq!((beyond.seq, beyond.unread), (third.seq, 0), "and never beyond the head");
    let room = bob.room("general").await.unwrap();
    assert_eq!((room.unread, room.mentions), (0, 0));
}

#[tokio::test]
async fn ones_own_message_moves_ones_mark() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    alice.says("a question").await;
    assert_eq!(bob.room("general").await.unwrap().unread, 1);
    bob.says("an answer").await;
    assert_eq!(bob.room("general").await.unwrap().unread, 0);
    assert_eq!(alice.room("general").await.unwrap().unread, 1);
}

#[tokio::test]
async fn a_mark_reaches_the_other_devices_and_the_others() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let phone = world.another_device(&bob).await;
    alice.joins("general").await;
    bob.joins("general").await;
    phone.joins("@me").await;
    let said = alice.says("read me").await;
    bob.marks_read("general", said.seq).await;
    let mark = phone.sees("the mark in one's own log", |entry| matches!(entry.body, Some(Body::Read(_)))).await;
    let Some(Body::Read(read)) = mark.body else { panic!("{mark:?}") };
    let about = read.about.unwrap();
    assert_eq!((about.room.as_deref(), about.seq, about.unread), (Some("general"), Some(said.seq), Some(0)));
    let theirs = |event: &Event| match event {
        Event::Read(mark) if mark.user == bob.id => Some(mark.seq),
        _ => None,
    };
    assert_eq!(alice.notices("the mark", theirs).await, said.seq);
}
