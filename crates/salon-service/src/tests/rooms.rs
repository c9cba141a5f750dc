//! Rooms as they are created, listed, changed; who belongs to them.

use salon_core::{CommandError, HistoryPolicy, MemberChange, Role, RoomChange, RoomKind};
use salon_proto::v1::{self, client_frame::Command};

use super::kit::*;
use crate::commands::CreateRoom;
use crate::{RoomCreation, ServiceConfig};

fn code<T: std::fmt::Debug>(result: Result<T, CommandError>) -> (&'static str, Option<&'static str>) {
    let error = result.unwrap_err();
    (error.code.as_str(), error.field)
}

fn new(name: &str, kind: RoomKind) -> CreateRoom {
    CreateRoom { name: name.to_owned(), title: String::new(), kind, peer: None, history: HistoryPolicy::All }
}

#[tokio::test(start_paused = true)]
async fn rooms_are_listed_as_the_asker_sees_them() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (ann, bob) = (salon.person("Ann").await, salon.person("Bob").await);
    salon.room(&ann, "den", RoomKind::Private).await;
    salon.room(&ann, "club", RoomKind::Public).await;
    let direct = salon.direct(&ann, &bob).await;
    assert_eq!(salon.direct(&bob, &ann).await, direct, "there is one");
    let (a, b) = (Device::open(&gateway, &ann).await, Device::open(&gateway, &bob).await);
    a.joins("club").await;
    a.says("club", "hi").await;
    let seen = |rooms: Vec<v1::RoomSummary>| -> Vec<String> {
        let line = |room: v1::RoomSummary| {
            let last = room.last.as_ref().map(describe).unwrap_or_default();
            format!("{} {} {} {last}", room.title, room.kind, room.role).trim_end().to_owned()
        };
        rooms.into_iter().map(line).collect()
    };
    assert_eq!(
        seen(a.rooms().await),
        ["club public owner 2: hi", "Bob direct member", "den private owner", "general public none"]
    );
    assert_eq!(seen(b.rooms().await), ["club public none 2: hi", "Ann direct member", "general public none"]);
    let page = v1::ListRooms { limit: Some(1), cursor: Some("club".into()) };
    let page = salon.service.list_rooms(&ann.identity, page).await.unwrap();
    assert_eq!((page.rooms.len(), page.next), (1, Some(direct.as_str().to_owned())));
    assert_eq!(page.rooms[0].peer.as_deref(), Some(bob.id().as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_room_is_created_once_and_only_by_who_may() {
    let config = ServiceConfig { room_creation: RoomCreation::Admins, ..ServiceConfig::default() };
    let salon = Salon::with(config, salon_bus::InProcessBus::new()).await;
    let (ann, root) = (salon.person("Ann").await, salon.admin("Root").await);
    let create = |by, new| salon.service.create_room(by, new);
    assert_eq!(code(create(&ann.identity, new("club", RoomKind::Public)).await), ("forbidden", None));
    assert!(create(&root.identity, new("club", RoomKind::Public)).await.unwrap().1);
    assert_eq!(code(create(&root.identity, new("club", RoomKind::Public)).await), ("conflict", Some("name")));
    assert_eq!(code(create(&root.identity, new("Club", RoomKind::Public)).await), ("invalid", Some("name")));
    assert_eq!(code(create(&root.identity, new("x", RoomKind::Me)).await), ("invalid", Some("kind")));
    assert_eq!(code(create(&ann.identity, new("", RoomKind::Direct)).await), ("invalid", Some("user")));
    let nobody = CreateRoom { peer: Some(salon_core::UserId::mint(99)), ..new("", RoomKind::Direct) };
    assert_eq!(code(create(&ann.identity, nobody).await), ("not_found", Some("user")));
    let long = CreateRoom { title: "x".repeat(129), ..new("y", RoomKind::Public) };
    assert_eq!(code(create(&root.identity, long).await), ("too_large", Some("title")));
}

#[tokio::test(start_paused = true)]
async fn a_room_is_changed_by_its_moderators() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let owner = salon.person("Olga").await;
    let room = salon.room(&owner, "club", RoomKind::Public).await;
    let (bob, device) = salon.guest_of(&gateway, "Bob", "club").await;
    let title = || RoomChange { title: Some("The club".into()), ..RoomChange::default() };
    let update = |by, change| salon.service.update_room(by, &room, change);
    assert_eq!(code(update(&bob.identity, title()).await), ("forbidden", None));
    assert_eq!(code(update(&owner.identity, RoomChange::default()).await), ("invalid", None));
    assert!(!update(&owner.identity, title()).await.unwrap().duplicate);
    assert!(update(&owner.identity, title()).await.unwrap().duplicate);
    salon.role(&owner, &room, &bob, Role::Moderator).await;
    let archive = RoomChange { archived: Some(true), ..RoomChange::default() };
    update(&bob.identity, archive).await.unwrap();
    assert_eq!(device.is_refused(Command::Message(message("club", "hi"))).await, "forbidden");
    let summary = salon.service.room_summary(&bob.identity, &room).await.unwrap();
    assert_eq!((&*summary.title, summary.archived, &*summary.role), ("The club", true, "moderator"));
    gateway.settles().await;
    assert_eq!(gateway.heard(&room), ["3: room", "4: Bob role", "5: room"]);
}

#[tokio::test(start_paused = true)]
async fn members_are_invited_removed_banned_and_forgiven() {
    let salon = Salon::open().await;
    let (ann, bob, carl) = (salon.person("Ann").await, salon.person("Bob").await, salon.person("Carl").await);
    let den = salon.room(&ann, "den", RoomKind::Private).await;
    let change = |by, whom, change| salon.service.change_member(by, &den, whom, change, None);
    assert_eq!(code(change(&bob.identity, bob.id(), MemberChange::Joined).await), ("not_found", Some("room")));
    assert_eq!(code(change(&bob.identity, carl.id(), MemberChange::Invited).await), ("not_found", Some("room")));
    let nobody = salon_core::UserId::mint(99);
    assert_eq!(code(change(&ann.identity, &nobody, MemberChange::Invited).await), ("not_found", Some("user")));
    salon.change(&ann, &den, &bob, MemberChange::Invited).await;
    assert!(salon.change(&ann, &den, &bob, MemberChange::Invited).await.duplicate);
    salon.change(&bob, &den, &bob, MemberChange::Joined).await;
    assert!(salon.change(&bob, &den, &bob, MemberChange::Joined).await.duplicate);
    assert_eq!(code(change(&bob.identity, carl.id(), MemberChange::Invited).await), ("forbidden", None));
    assert_eq!(code(change(&bob.identity, ann.id(), MemberChange::Banned).await), ("forbidden", None));
    assert_eq!(code(change(&ann.identity, ann.id(), MemberChange::Removed).await), ("forbidden", None));
    assert_eq!(code(change(&ann.identity, bob.id(), MemberChange::Joined).await), ("forbidden", None));
    salon.change(&ann, &den, &bob, MemberChange::Banned).await;
    assert_eq!(code(change(&bob.identity, bob.id(), MemberChange::Joined).await), ("not_found", Some("room")));
    let banned = change(&ann.identity, bob.id(), MemberChange::Invited).await;
    assert_eq!(code(banned), ("forbidden", None), "a ban is lifted first");
    salon.change(&ann, &den, &bob, MemberChange::Removed).await;
    salon.change(&ann, &den, &bob, MemberChange::Invited).await;
    salon.change(&bob, &den, &bob, MemberChange::Joined).await;
    salon.change(&bob, &den, &bob, MemberChange::Left).await;
    let members = salon.service.list_members(&ann.identity, v1::ListMembers { room: "den".into(), ..Default::default() });
    assert_eq!(members.await.unwrap().members.len(), 1);
}
