//! Who is there, in small rooms and in large ones.

use salon_core::RoomKind;
use salon_proto::v1::{self, ack::Data, client_frame::Command, server_frame::Event};

use super::kit::*;

/// Presence events in few words: `Bob came online`, `Bob offline`, `3 of 250`.
fn told(gateway: &Gateway, log: &salon_core::RoomId) -> Vec<String> {
    let presence = gateway
        .events(log)
        .into_iter()
        .filter_map(|(event, _)| if let Event::Presence(presence) = event { Some(presence) } else { None });
    let line = |p: v1::Presence| match (p.online, p.members) {
        (Some(online), Some(members)) => format!("{online} of {members}"),
        _ => [p.name, p.change, p.status, p.text].into_iter().flatten().collect::<Vec<_>>().join(" "),
    };
    presence.map(line).collect()
}

fn status(status: &str, text: Option<&str>) -> Command {
    Command::Presence(v1::SetPresence { status: status.to_owned(), text: text.map(str::to_owned) })
}

#[tokio::test(start_paused = true)]
async fn people_come_and_go_once_however_many_devices_they_have() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, _ann) = salon.guest_of(&gateway, "Ann", "general").await;
    gateway.settles().await;
    told(&gateway, &general());
    let bob = salon.person("Bob").await;
    let phone = Device::open(&gateway, &bob).await;
    phone.joins("general").await;
    gateway.settles().await;
    assert_eq!(told(&gateway, &general()), ["Bob came online"]);
    let laptop = Device::open(&gateway, &bob).await;
    laptop.joins("general").await;
    phone.asks(Command::Leave(v1::Leave { room: "general".into() })).await.unwrap();
    gateway.settles().await;
    assert_eq!(told(&gateway, &general()), Vec::<String>::new());
    laptop.closes();
    gateway.settles().await;
    assert_eq!(told(&gateway, &general()), ["Bob went online"]);
    phone.closes();
    passes(9_000).await;
    assert_eq!(told(&gateway, &general()), Vec::<String>::new());
    passes(2_000).await;
    assert_eq!(told(&gateway, &general()), ["Bob offline"]);
}

#[tokio::test(start_paused = true)]
async fn who_returns_within_ten_seconds_was_never_offline() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    let (bob, device) = salon.guest_of(&gateway, "Bob", "general").await;
    device.closes();
    passes(8_000).await;
    assert_eq!(ann.members("general").await[1].status, "online");
    let again = Device::open(&gateway, &bob).await;
    passes(20_000).await;
    assert!(!told(&gateway, &general()).contains(&"Bob offline".to_owned()));
    again.closes();
    passes(11_000).await;
    assert!(told(&gateway, &general()).contains(&"Bob offline".to_owned()));
    assert_eq!(ann.members("general").await[1].status, "offline");
    assert_eq!(ann.joins("general").await.online, 1);
}

#[tokio::test(start_paused = true)]
async fn a_status_is_told_in_every_room_of_the_person() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let owner = salon.person("Olga").await;
    let club = salon.room(&owner, "club", RoomKind::Public).await;
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    ann.joins("club").await;
    let (_, bob) = salon.guest_of(&gateway, "Bob", "general").await;
    gateway.settles().await;
    told(&gateway, &general());
    assert_eq!(ann.asks(status("busy", Some("in a call"))).await, Ok(Data::Empty(v1::Empty {})));
    gateway.settles().await;
    assert_eq!(told(&gateway, &general()), ["Ann busy in a call"]);
    assert_eq!(told(&gateway, &club).last().map(String::as_str), Some("Ann busy in a call"));
    assert_eq!(bob.members("general").await[0].status, "busy");
    ann.asks(status("busy", Some("in a call"))).await.unwrap();
    gateway.settles().await;
    assert_eq!(told(&gateway, &general()), Vec::<String>::new(), "nothing changed");
    assert_eq!(ann.is_refused(status("offline", None)).await, "invalid status");
    assert_eq!(ann.is_refused(status("away", Some(&"x".repeat(141)))).await, "too_large text");
}

#[tokio::test(start_paused = true)]
async fn large_rooms_get_counts_and_neither_typing_nor_persons() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let mut people = Vec::new();
    for n in 0..201 {
        people.push(salon.guest_of(&gateway, &format!("P{n}"), "general").await);
    }
    passes(2_000).await;
    told(&gateway, &general());
    let (_, last) = &people[200];
    last.closes();
    people[0].1.asks(typing(true)).await.unwrap();
    people[1].1.asks(status("away", None)).await.unwrap();
    passes(1_500).await;
    assert_eq!(told(&gateway, &general()), ["201 of 201"], "offline comes ten seconds later");
    passes(10_000).await;
    assert_eq!(told(&gateway, &general()), ["200 of 201"]);
    assert_eq!(people[0].1.joins("general").await.online, 200);
}

fn typing(typing: bool) -> Command {
    Command::Typing(v1::SetTyping { room: "general".into(), typing })
}

#[tokio::test(start_paused = true)]
async fn typing_is_told_to_the_others() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, device) = salon.guest_of(&gateway, "Ann", "general").await;
    let (_, _bob) = salon.guest_of(&gateway, "Bob", "general").await;
    gateway.settles().await;
    gateway.events(&general());
    device.asks(typing(true)).await.unwrap();
    gateway.settles().await;
    let expected = v1::Typing { room: "general".into(), user: ann.id().to_string(), name: "Ann".into(), typing: true };
    assert_eq!(gateway.events(&general()), [(Event::Typing(expected), Some(device.session))]);
    let outsider = salon.person("Otto").await;
    assert_eq!(Device::open(&gateway, &outsider).await.is_refused(typing(true)).await, "forbidden");
}
