//! Joining, talking, losing the connection, coming back.

use salon_client::{Event, JoinFrom, Missing};
use salon_proto::v1::{self, entry::Body};
use salon_tests::support::World;

fn message(entry: &v1::Entry) -> &v1::Message {
    let Some(Body::Message(message)) = &entry.body else { panic!("no message: {entry:?}") };
    message
}

#[tokio::test]
async fn two_people_talk() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    let ack = alice.says("hi").await;
    let heard = bob.hears("hi").await;
    assert_eq!((heard.seq, &*heard.epoch, &*heard.timestamp), (ack.seq, &*ack.epoch, &*ack.timestamp));
    assert_eq!((&*heard.user, &*heard.name, &*message(&heard).id), (&*alice.id, "alice", &*ack.id));
    let own = alice.hears("hi").await;
    assert_eq!(own, heard, "entries are the same for everyone, and the sender gets its own too");
    bob.says("hello").await;
    alice.hears("hello").await;
    world.kept_every_promise(&["general"]).await;
}

#[tokio::test]
async fn nothing_of_a_room_comes_before_its_join() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    alice.says("unheard").await;
    bob.hears_nothing().await;
    assert_eq!(bob.device.client.say("general", "too early").await.unwrap_err().code(), Some("forbidden"));
}

#[tokio::test]
async fn a_join_begins_with_the_last_messages_and_says_when_it_is_done() {
    let world = World::start().await;
    let (alice, bob, carol) = (world.person("alice").await, world.person("bob").await, world.person("carol").await);
    alice.joins("general").await;
    for n in 1..=60 {
        alice.says(&format!("message {n}")).await;
    }
    let ack = bob.joins("general").await;
    assert!(!ack.gap);
    bob.hears("message 11").await;
    bob.hears("message 60").await;
    assert_eq!(bob.catches_up("general").await, ack.seq);
    let heard = |person: &salon_tests::support::Person| {
        let events = person.device.journal.all();
        events.iter().filter(|event| matches!(event, Event::Entry(e) if matches!(e.body, Some(Body::Message(_))))).count()
    };
    assert_eq!(heard(&bob), 50, "fifty unless told otherwise");

    let ack = carol.joins_from("general", JoinFrom::Last(3)).await;
    assert_eq!(carol.catches_up("general").await, ack.seq);
    assert_eq!(heard(&carol), 3);
}

#[tokio::test]
async fn whoever_comes_back_hears_exactly_what_was_missed() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    alice.says("before").await;
    bob.hears("before").await;
    bob.loses_connection().await;
    for n in 1..=20 {
        alice.says(&format!("missed {n}")).await;
    }
    bob.comes_back().await;
    let resumed = |event: &Event| matches!(event, Event::Joined { ack, resumed: true } if !ack.gap).then_some(());
    bob.notices("the resumption", resumed).await;
    for n in 1..=20 {
        bob.hears(&format!("missed {n}")).await;
    }
    alice.says("after").await;
    bob.hears("after").await;
    world.kept_every_promise(&["general"]).await;
}

#[tokio::test]
async fn a_position_that_cannot_be_continued_is_an_honest_gap() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let ack = alice.joins("general").await;
    alice.says("one").await;
    alice.leaves("general").await;
    let beyond = v1::Position { epoch: ack.epoch.clone(), seq: ack.seq + 1000 };
    for since in [v1::Position { epoch: "another".into(), seq: ack.seq }, beyond] {
        let ack = alice.joins_from("general", JoinFrom::Since(since.clone())).await;
        assert!(ack.gap, "{since:?}");
        let gap = |event: &Event| {
            let Event::Gap { missing, .. } = event else { return None };
            Some(missing.clone())
        };
        let missing = alice.notices("the gap", gap).await;
        assert!(matches!(missing, Missing::Behind { .. } | Missing::Epoch { .. }), "{missing:?}");
        alice.hears("one").await;
        alice.leaves("general").await;
    }
}

#[tokio::test]
async fn the_very_head_can_be_continued() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let ack = alice.joins("general").await;
    alice.catches_up("general").await;
    alice.leaves("general").await;
    let head = v1::Position { epoch: ack.epoch, seq: ack.seq };
    let again = alice.joins_from("general", JoinFrom::Since(head)).await;
    assert_eq!((again.gap, again.seq), (false, ack.seq));
    assert_eq!(alice.catches_up("general").await, ack.seq);
}

#[tokio::test]
async fn a_second_join_replays_nothing() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    alice.joins("general").await;
    alice.says("once").await;
    alice.hears("once").await;
    let again = alice.joins("general").await;
    assert_eq!(again.members, 1);
    alice.hears_nothing().await;
    alice.says("twice").await;
    alice.hears("twice").await;
    world.kept_every_promise(&["general"]).await;
}

#[tokio::test]
async fn whoever_leaves_hears_no_more_and_stays_a_member() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    bob.catches_up("general").await;
    bob.leaves("general").await;
    alice.says("behind your back").await;
    bob.hears_nothing().await;
    assert_eq!(bob.room("general").await.map(|room| room.role), Some("member".to_owned()));
    bob.says_in("general", "I heard of it").await;
    alice.hears("I heard of it").await;
}

#[tokio::test]
async fn ones_own_log_tells_of_rooms_and_mentions() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    bob.joins("general").await;
    bob.joins("@me").await;
    alice.joins("general").await;
    let direct = alice.opens_direct_room_with(&bob).await;
    let about = |body: &Option<Body>, room: &str| match body {
        Some(Body::RoomAdded(it)) => it.about.as_ref().and_then(|about| about.room.as_deref()) == Some(room),
        _ => false,
    };
    let added = bob.sees("the direct room", |entry| about(&entry.body, &direct)).await;
    assert_eq!(added.room, "@me");
    let ack = alice.says_in("general", "look here, @bob").await;
    let mention = bob.sees("the mention", |entry| matches!(entry.body, Some(Body::Mention(_)))).await;
    let Some(Body::Mention(v1::Mentioned { about: Some(about) })) = mention.body else { panic!("{mention:?}") };
    assert_eq!((about.room.as_deref(), about.seq, about.id.as_deref()), (Some("general"), Some(ack.seq), Some(&*ack.id)));
    let heard = bob.device.journal.all();
    let said = heard.iter().find_map(|event| match event {
        Event::Entry(entry) if entry.seq == ack.seq && entry.room == "general" => Some(message(entry).mentions.clone()),
        _ => None,
    });
    assert_eq!(said, Some(vec![bob.id.clone()]));
}

#[tokio::test]
async fn ones_own_log_is_resumed_like_any_other() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    bob.joins("@me").await;
    bob.catches_up("@me").await;
    bob.loses_connection().await;
    alice.opens_direct_room_with(&bob).await;
    bob.comes_back().await;
    bob.sees("the direct room", |entry| matches!(entry.body, Some(Body::RoomAdded(_)))).await;
}

#[tokio::test]
async fn rooms_that_are_not_joined_show_activity() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    bob.catches_up("general").await;
    bob.leaves("general").await;
    let ack = alice.says("are you there?").await;
    let activity = |event: &Event| match event {
        Event::Activity(activity) if activity.room == "general" => Some(activity.clone()),
        _ => None,
    };
    let activity = bob.notices("activity", activity).await;
    assert_eq!((activity.seq, activity.unread, activity.mentions), (ack.seq, 1, 0));
    // At most one a second: ten messages at once are one or two more.
    for n in 0..10 {
        alice.says(&format!("{n}")).await;
    }
    let last = |event: &Event| matches!(event, Event::Activity(activity) if activity.unread == 11).then_some(());
    bob.notices("the last activity", last).await;
    let count = bob.device.journal.all().iter().filter(|event| matches!(event, Event::Activity(_))).count();
    assert!(count <= 4, "{count} activities for eleven messages");
}

#[tokio::test]
async fn everybody_hears_a_crowd_in_the_same_order() {
    let world = World::start().await;
    let people = world.people("person", 10).await;
    for person in &people {
        person.joins("general").await;
    }
    let speak = people.iter().map(|person| async move {
        for n in 0..20 {
            person.says(&format!("{} {n}", person.name)).await;
        }
    });
    futures_util::future::join_all(speak).await;
    world.kept_every_promise(&["general"]).await;
}

#[tokio::test]
async fn an_entry_survives_a_restart() {
    let mut world = World::start().await;
    let alice = world.person("alice").await;
    alice.joins("general").await;
    let said = alice.says("remember me").await;
    alice.hears("remember me").await;
    assert!(world.is_told_to_stop().await.success());
    world.starts_again().await;
    alice.says("still here").await;
    alice.hears("still here").await;
    let page = alice.reads("general").await;
    assert!(page.messages.iter().any(|entry| entry.seq == said.seq && message(entry).content == "remember me"));
    world.kept_every_promise(&["general"]).await;
}
