//! Unread counts, mentions, read marks, and what is told of rooms that were not joined.

use salon_proto::v1;
use salon_proto::v1::{client_frame::Command, server_frame::Event};

use super::kit::*;

#[tokio::test(start_paused = true)]
async fn unread_counts_messages_and_the_mark_never_goes_back() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    let (bob, device) = salon.guest_of(&gateway, "Bob", "general").await;
    let first = ann.says("general", "one").await;
    let react = v1::React { room: "general".into(), id: first.id, emoji: "👍".into(), remove: false };
    ann.changes(Command::React(react)).await;
    ann.says("general", "two").await;
    assert_eq!(device.joins("general").await.unread, 2);
    device.joins("@me").await;
    let ack = device.reads("general", 3).await;
    assert_eq!((ack.seq, ack.unread), (3, 1));
    assert_eq!(device.reads("general", 1).await.seq, 3);
    let ack = device.reads("general", 1_000).await;
    assert_eq!((ack.seq, ack.unread), (5, 0), "to the head at most");
    ann.says("general", "three").await;
    device.says("general", "four").await;
    assert_eq!(device.joins("general").await.unread, 0, "who speaks has read");
    gateway.settles().await;
    assert_eq!(gateway.heard(&bob.me()), ["1: read up to 3", "2: read up to 5"]);
    let marks: Vec<_> = gateway.events(&general()).into_iter().filter(|(event, _)| matches!(event, Event::Read(_))).collect();
    let mark = v1::ReadMark { room: "general".into(), user: bob.id().to_string(), seq: 5 };
    assert_eq!((marks.len(), &marks[1]), (2, &(Event::Read(mark), Some(device.session))));
    let me = Command::Read(v1::MarkRead { room: "@me".into(), seq: 1 });
    assert_eq!(device.is_refused(me).await, "invalid room");
}

#[tokio::test(start_paused = true)]
async fn members_are_mentioned_by_name_and_by_id() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, a) = salon.guest_of(&gateway, "Ann", "general").await;
    let (jean, j) = salon.guest_of(&gateway, "Jean Paul", "general").await;
    let (jeanne, _) = salon.guest_of(&gateway, "Jean", "general").await;
    let outsider = salon.person("Otto").await;
    j.joins("@me").await;
    let text = format!("@jean paul, @Jean! @{} and @otto, says @ann; mail me@otto", outsider.id());
    a.says("general", &text).await;
    gateway.settles().await;
    let entry = gateway.seen.lock().entries.iter().rev().find(|e| e.log == "general").unwrap().entry.clone().unwrap();
    let Some(v1::entry::Body::Message(message)) = entry.body else { panic!() };
    assert_eq!(message.mentions, [jean.id(), jeanne.id(), ann.id()].map(ToString::to_string));
    assert_eq!(gateway.heard(&jean.me()), ["1: mentioned in general"]);
    let row = j.rooms().await.remove(0);
    assert_eq!((row.unread, row.mentions), (1, 1));
    assert_eq!(a.rooms().await[0].mentions, 0, "nobody is told of their own");
    let heads = salon.store.as_store().heads(&[outsider.me()]).await.unwrap();
    assert_eq!(heads[0].seq.0, 0);
    j.reads("general", entry.seq).await;
    assert_eq!(j.rooms().await[0].mentions, 0);
}

#[tokio::test(start_paused = true)]
async fn rooms_that_were_not_joined_tell_of_their_activity_once_a_second() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    let (bob, phone) = salon.guest_of(&gateway, "Bob", "general").await;
    let laptop = Device::open(&gateway, &bob).await;
    gateway.settles().await;
    for n in 0..10 {
        ann.says("general", &format!("{n} @bob")).await;
    }
    passes(1_100).await;
    assert_eq!(laptop.activity(), [("general".to_owned(), 10, 10)], "the last state wins");
    assert_eq!(phone.activity(), [], "joined connections hear the messages themselves");
    passes(5_000).await;
    assert_eq!(laptop.activity(), []);
    // The same after all connections were away: memberships are looked up again.
    phone.closes();
    laptop.closes();
    passes(15_000).await;
    let later = Device::open(&gateway, &bob).await;
    gateway.settles().await;
    ann.says("general", "there?").await;
    passes(1_100).await;
    assert_eq!(later.activity(), [("general".to_owned(), 11, 10)]);
}

#[tokio::test(start_paused = true)]
async fn an_invited_member_hears_of_the_room_at_once() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, bob) = (salon.person("Ann").await, salon.person("Bob").await);
    let (a, b) = (Device::open(&gateway, &ann).await, Device::open(&gateway, &bob).await);
    gateway.settles().await;
    let direct = salon.direct(&ann, &bob).await;
    a.joins(direct.as_str()).await;
    a.says(direct.as_str(), "hello").await;
    passes(1_100).await;
    assert_eq!(b.activity(), [(direct.as_str().to_owned(), 1, 0)]);
}
