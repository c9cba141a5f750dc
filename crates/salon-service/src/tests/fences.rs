//! Memberships that end while the bus is late or silent: who is shut out, and who is not.

use salon_core::ports::{Change, Write};
use salon_core::{MemberChange, RoomId, RoomKind};
use salon_proto::v1::{self, client_frame::Command};

use super::delivery::{Fate, FaultyBus};
use super::kit::*;
use crate::ServiceConfig;

/// Another node does it, and the bus says nothing.
async fn removed_elsewhere(salon: &Salon, room: &RoomId, by: &Person, whom: &Person) {
    let store = salon.store.as_store();
    let row = store.room(room, by.id()).await.unwrap().unwrap();
    let change = Change::Member { target: whom.id().clone(), change: MemberChange::Removed, role: None };
    let (access, at) = (row.room.access, row.room.last_at);
    let (room, actor) = (room.clone(), by.id().clone());
    let write = Write { room, actor, access, at, change, idempotency: None, salt: 1, news: Vec::new() };
    store.append(write).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_parts_and_comes_back_is_not_shut_out_by_the_late_entry() {
    let salon = Salon::with(ServiceConfig::default(), FaultyBus::new(|_| Fate::Lost)).await;
    let gateway = salon.gateway();
    let (ann, device) = salon.guest_of(&gateway, "Ann", "general").await;
    let laptop = Device::open(&gateway, &ann).await;
    laptop.joins("general").await;
    device.asks(Command::Part(v1::Part { room: "general".into() })).await.unwrap();
    let serial = device.sends(Command::Join(join("general")), Some(1));
    device.reply(serial).await;
    device.says("general", "here again").await;
    passes(3_000).await;
    gateway.take();
    {
        let seen = gateway.seen.lock();
        let at = |line: &str| seen.order.iter().position(|other| other == line).unwrap();
        // The laptop is shut out; the device was attached behind the fence.
        let detach = format!("detach {}", ann.id());
        assert!(at("entry 2") < at(&detach) && at(&detach) < at(&format!("reply {serial}")), "{:?}", seen.order);
        assert_eq!(seen.detached.len(), 1);
    }
    assert_eq!(gateway.heard(&general()).last().map(String::as_str), Some("4: here again"));
}

#[tokio::test(start_paused = true)]
async fn a_second_join_behind_an_unheard_removal_is_a_first_one() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let owner = salon.person("Olga").await;
    let room = salon.room(&owner, "club", RoomKind::Public).await;
    let (bob, device) = salon.guest_of(&gateway, "Bob", "club").await;
    let (_, second) = device.tries_to_join(join("club")).await;
    assert_eq!(second, None, "it listens already");
    removed_elsewhere(&salon, &room, &owner, &bob).await;
    let (ack, attach) = device.tries_to_join(join("club")).await;
    assert_eq!((ack.seq, attach.map(|attach| attach.caught_up_at)), (4, Some(4)));
    device.says("club", "was I away?").await;
    passes(3_000).await;
    assert_eq!(gateway.heard(&room).last().map(String::as_str), Some("5: was I away?"));
    assert!(salon.service.logs.get(&room).unwrap().is_heard_by(bob.id()));
}

#[tokio::test(start_paused = true)]
async fn a_join_that_waits_for_the_log_does_not_keep_a_service_from_stopping() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let owner = salon.person("Olga").await;
    let room = salon.room(&owner, "club", RoomKind::Public).await;
    let (bob, device) = salon.guest_of(&gateway, "Bob", "club").await;
    removed_elsewhere(&salon, &room, &owner, &bob).await;
    let live = salon.service.logs.get(&room).unwrap();
    live.hold();
    device.sends(Command::Join(join("club")), Some(1));
    passes(100).await;
    let begun = tokio::time::Instant::now();
    salon.service.stop().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
}
