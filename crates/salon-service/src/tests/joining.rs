//! `join`: where a connection begins, and when that leaves a gap.

use salon_core::{HistoryPolicy, MemberChange, RoomKind};
use salon_proto::v1::{self, ack::Data, client_frame::Command};

use super::kit::*;

#[tokio::test(start_paused = true)]
async fn a_first_join_creates_membership_and_begins_before_the_last_messages() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    for n in 0..60 {
        ann.says("general", &format!("{n}")).await;
    }
    let bob = salon.person("Bob").await;
    let bob = Device::open(&gateway, &bob).await;
    let (ack, attach) = bob.tries_to_join(join("general")).await;
    // Ann's membership, 60 messages, Bob's membership.
    assert_eq!((ack.seq, ack.gap, &*ack.role, ack.members, ack.online, ack.unread), (62, false, "member", 2, 2, 0));
    let attach = attach.unwrap();
    assert_eq!((&*attach.log, &*attach.room, attach.cursor, attach.caught_up_at), ("general", "general", 11, 62));
    assert_eq!(attach.epoch, ack.epoch);

    let carl = salon.person("Carl").await;
    let carl = Device::open(&gateway, &carl).await;
    let (ack, attach) = carl.tries_to_join(v1::Join { last: Some(0), ..join("general") }).await;
    assert_eq!((ack.seq, attach.unwrap().cursor), (63, 63));
}

#[tokio::test(start_paused = true)]
async fn who_resumes_gets_the_exact_continuation_or_is_told_of_the_gap() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, first) = salon.guest_of(&gateway, "Ann", "general").await;
    for n in 0..100 {
        first.says("general", &format!("{n}")).await;
    }
    let epoch = first.joins("general").await.epoch;
    let resume = async |epoch: &str, seq| {
        let device = Device::open(&gateway, &ann).await;
        let (ack, attach) = device.tries_to_join(since("general", epoch, seq)).await;
        (ack.gap, attach.unwrap().cursor)
    };
    assert_eq!(resume(&epoch, 40).await, (false, 40));
    assert_eq!(resume(&epoch, 101).await, (false, 101));
    assert_eq!(resume(&epoch, 0).await, (false, 0));
    assert_eq!(resume(&epoch, 102).await, (true, 51), "beyond the head");
    assert_eq!(resume("another", 40).await, (true, 51), "another epoch");
    salon.store.as_store().trim(&general(), salon_core::Seq(60)).await.unwrap();
    assert_eq!(resume(&epoch, 58).await, (true, 59), "older than retention");
    assert_eq!(resume(&epoch, 59).await, (false, 59));
}

#[tokio::test(start_paused = true)]
async fn who_is_more_than_ten_thousand_entries_behind_begins_anew() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, device) = salon.guest_of(&gateway, "Ann", "general").await;
    let store = salon.store.as_store();
    for n in 0..10_001_u64 {
        let row = store.room(&general(), ann.id()).await.unwrap().unwrap();
        let change = salon_core::ports::Change::Notice { text: String::new() };
        let write = salon_core::ports::Write {
            room: general(),
            actor: ann.id().clone(),
            access: row.room.access,
            at: row.room.last_at,
            change,
            idempotency: None,
            salt: n,
            news: Vec::new(),
        };
        store.append(write).await.unwrap();
    }
    let epoch = device.joins("general").await.epoch;
    let (ack, attach) = Device::open(&gateway, &ann).await.tries_to_join(since("general", &epoch, 1)).await;
    assert_eq!((ack.gap, ack.seq, attach.unwrap().cursor), (true, 10_002, 10_002));
    let (ack, attach) = Device::open(&gateway, &ann).await.tries_to_join(since("general", &epoch, 2)).await;
    assert_eq!((ack.gap, attach.unwrap().cursor), (false, 2));
}

#[tokio::test(start_paused = true)]
async fn a_second_join_acks_the_position_and_replays_nothing() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    ann.says("general", "hi").await;
    let epoch = ann.joins("general").await.epoch;
    let (ack, attach) = ann.tries_to_join(since("general", &epoch, 0)).await;
    assert_eq!((ack.seq, ack.gap, attach), (2, false, None));
}

#[tokio::test(start_paused = true)]
async fn newcomers_begin_at_their_membership_where_the_room_says_so() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, bob) = (salon.person("Ann").await, salon.person("Bob").await);
    let room = salon.room_with(&ann, "club", RoomKind::Public, HistoryPolicy::SinceJoin).await;
    let device = Device::open(&gateway, &ann).await;
    device.joins("club").await;
    let secret = device.says("club", "secret").await;
    let newcomer = Device::open(&gateway, &bob).await;
    // Before one comes there is nothing to see at all.
    let query = v1::GetHistory { room: "club".into(), ..v1::GetHistory::default() };
    assert_eq!(newcomer.history(query).await.messages.len(), 0);
    let (ack, attach) = newcomer.tries_to_join(since("club", &secret.epoch, 1)).await;
    assert_eq!((ack.gap, ack.seq, attach.unwrap().cursor), (true, 3, 3));
    // Nor in pages, nor as what is replied to.
    let query = v1::GetHistory { room: "club".into(), ..v1::GetHistory::default() };
    assert_eq!(newcomer.history(query).await.messages.len(), 0);
    let reply = v1::SendMessage { reply_to: Some(secret.id.clone()), ..message("club", "re") };
    assert_eq!(newcomer.says_in_full(reply.clone()).await.unwrap_err().field.as_deref(), Some("reply_to"));
    device.says_in_full(reply).await.unwrap();
    gateway.settles().await;
    let quote = {
        let seen = gateway.seen.lock();
        let entry = seen.entries.iter().rev().find(|entry| entry.log == room.as_str()).unwrap();
        let Some(v1::entry::Body::Message(message)) = entry.entry.clone().unwrap().body else { panic!() };
        message.reply_to.unwrap()
    };
    assert_eq!((quote.id, quote.excerpt), (secret.id, String::new()), "the entry is printed once for all members");
}

#[tokio::test(start_paused = true)]
async fn rooms_that_one_may_not_enter_are_refused() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, bob, carl) = (salon.person("Ann").await, salon.person("Bob").await, salon.person("Carl").await);
    let den = salon.room(&ann, "den", RoomKind::Private).await;
    let direct = salon.direct(&ann, &bob).await;
    let device = Device::open(&gateway, &carl).await;
    for room in ["den", "nowhere", direct.as_str()] {
        assert_eq!(device.is_refused(Command::Join(join(room))).await, "not_found room", "{room}");
    }
    for room in ["", "No Room", "@u_0000000000000001", "d_x"] {
        assert_eq!(device.is_refused(Command::Join(join(room))).await, "invalid room", "{room}");
    }
    salon.change(&ann, &den, &carl, MemberChange::Invited).await;
    assert_eq!(device.joins("den").await.role, "member");
    salon.change(&ann, &den, &carl, MemberChange::Banned).await;
    assert_eq!(device.is_refused(Command::Join(join("den"))).await, "not_found room");
    let lobby = salon.room(&ann, "lobby", RoomKind::Public).await;
    salon.change(&ann, &lobby, &carl, MemberChange::Banned).await;
    assert_eq!(device.is_refused(Command::Join(join("lobby"))).await, "forbidden");
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_joined_only_so_many_rooms() {
    let mut config = crate::ServiceConfig::default();
    config.limits.rooms_per_connection_max = 2;
    let salon = Salon::with(config, salon_bus::InProcessBus::new()).await;
    let ann = salon.person("Ann").await;
    for name in ["one", "two", "three"] {
        salon.room(&ann, name, RoomKind::Public).await;
    }
    let device = salon.device(&ann).await;
    device.joins("one").await;
    device.joins("two").await;
    assert_eq!(device.is_refused(Command::Join(join("three"))).await, "invalid room");
    let left = device.asks(Command::Leave(v1::Leave { room: "one".into() })).await.unwrap();
    assert_eq!(left, Data::Leave(v1::RoomAck { room: "one".into() }));
    device.joins("three").await;
}

#[tokio::test(start_paused = true)]
async fn ones_own_log_is_joined_like_a_room() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, bob) = (salon.person("Ann").await, salon.person("Bob").await);
    let device = Device::open(&gateway, &bob).await;
    let me = device.welcome.me.clone().unwrap();
    let (ack, attach) = device.tries_to_join(since("@me", &me.epoch, me.seq)).await;
    assert_eq!((&*ack.room, ack.gap, attach.unwrap().log), ("@me", false, bob.me().as_str().to_owned()));
    salon.direct(&ann, &bob).await;
    let den = salon.room(&ann, "den", RoomKind::Private).await;
    salon.change(&ann, &den, &bob, MemberChange::Invited).await;
    salon.change(&ann, &den, &bob, MemberChange::Removed).await;
    gateway.settles().await;
    assert_eq!(gateway.heard(&bob.me()), ["1: added to Ann", "2: added to den", "3: removed from den"]);
}
