//! Rooms as a whole, and lists of them.

use salon_core::ports::{Change, NewInvite, NewRoom, PageQuery, Position, RoomListing};
use salon_core::{EntryBody, HistoryPolicy, MemberChange, Role, RoomId, RoomKind, Seq, Standing, UserId};

use crate::kit::{AsMessage, World, says, stored, user};

pub(crate) async fn a_room_begins_with_its_members(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    let id = RoomId::direct(&ann, &bob).unwrap();
    let new = NewRoom { id: id.clone(), ..world.new_room("x", RoomKind::Direct, &[&ann, &bob]) };
    let (room, entries) = world.store.create_room(new.clone()).await.unwrap().unwrap();
    assert_eq!((room.id, room.head, room.members, room.messages), (id.clone(), Seq(2), 2, 0));
    assert_eq!((room.kind, room.epoch, room.created_at), (RoomKind::Direct, new.epoch, new.at));
    let places: Vec<_> = entries.iter().map(|entry| (entry.room.clone(), entry.seq)).collect();
    assert_eq!(places, [(id.clone(), Seq(1)), (id.clone(), Seq(2)), (RoomId::me(&bob), Seq(1))]);
    let joined = EntryBody::Member { target: bob.clone(), change: MemberChange::Joined, role: Some(Role::Member) };
    assert_eq!((&entries[1].body, &entries[1].actor), (&joined, &ann));
    assert_eq!(entries[2].body, EntryBody::RoomAdded { room: id.clone() });
    let row = world.store.room(&id, &bob).await.unwrap().unwrap();
    assert_eq!(row.room.head, Seq(2));
    assert_eq!(row.standing.member().map(|member| (member.role, member.unread)), Some((Role::Member, 0)));
    // Nobody has to be there: the first room of an installation is empty.
    let empty = world.room_like(NewRoom { creator: user(9), ..world.new_room("general", RoomKind::Public, &[]) }).await;
    assert_eq!((empty.head().await, empty.now().await.members), (Seq::START, 0));
}

pub(crate) async fn a_name_is_taken_once(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann]).await;
    let again = world.new_room("general", RoomKind::Private, &[&bob]);
    assert_eq!(world.store.create_room(again).await.unwrap(), None);
    let now = room.now().await;
    assert_eq!((now.kind, now.head, room.standing(&bob).await), (RoomKind::Public, Seq(1), Standing::Stranger));
}

pub(crate) async fn a_deleted_room_is_gone_with_everything(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    let room = world.room("general", &[&ann, &bob]).await;
    let neighbour = world.room("neighbour", &[&ann]).await;
    neighbour.says(&ann, "secret neighbour").await;
    let id = room.said(&ann, "secret").await;
    room.reacts(&bob, &id, "+").await;
    room.mentions(&ann, "secret @Bob", &bob).await;
    for n in 0..2_100 {
        room.append(room.write_at(room_access(&room).await, &ann, says(&format!("secret {n}")))).await;
        if n == 50 {
            assert_eq!(room.search("secret").await.len(), 53);
        }
    }
    let invite = NewInvite {
        hash: [7; 32],
        created_by: Some(ann.clone()),
        room: Some(room.id.clone()),
        admin: false,
        uses_max: 1,
        at: world.now(),
        expires_at: None,
    };
    world.store.put_invite(invite).await.unwrap();

    let at = world.now();
    let news = world.store.delete_room(&room.id, at).await.unwrap().unwrap();
    assert_eq!(news.len(), 2);
    for (entry, member) in news.iter().zip([&ann, &bob]) {
        assert_eq!((&entry.room, &entry.body), (&RoomId::me(member), &EntryBody::RoomRemoved { room: room.id.clone() }));
    }
    assert_eq!(world.store.room(&room.id, &ann).await.unwrap(), None);
    assert_eq!(world.store.entries(&room.id, Seq::START, 10, 1000).await.unwrap(), None);
    assert_eq!(world.store.heads(std::slice::from_ref(&room.id)).await.unwrap(), []);
    assert_eq!(world.store.messages(&room.id, &[id]).await.unwrap(), []);
    assert_eq!(world.store.invite(&[7; 32], world.now()).await.unwrap(), None);
    assert_eq!(world.store.delete_room(&room.id, world.now()).await.unwrap(), None);
    assert_eq!(neighbour.search("secret").await, ["secret neighbour"]);

    // Another one under the same name has nothing of it.
    let room = world.room("general", &[&ann]).await;
    assert_eq!((room.head().await, room.log().await.len(), room.now().await.messages), (Seq(1), 1, 0));
    assert_eq!((room.standing(&bob).await, room.search("secret").await), (Standing::Stranger, vec![]));
}

async fn room_access(room: &crate::kit::Room<'_>) -> salon_core::AccessVersion {
    room.now().await.access
}

pub(crate) async fn lists_show_what_one_may_see(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    world.room("b-mine", &[&ann]).await;
    world.room("c-others", &[&bob]).await;
    world.room_like(world.new_room("a-secret", RoomKind::Private, &[&ann])).await;
    world.room_like(world.new_room("d-hidden", RoomKind::Private, &[&bob])).await;
    let invited = world.room_like(world.new_room("e-invited", RoomKind::Private, &[&bob])).await;
    stored(invited.member_changes(&bob, &ann, MemberChange::Invited).await);
    let banned = world.room("f-banned", &[&bob]).await;
    stored(banned.member_changes(&bob, &ann, MemberChange::Banned).await);

    let list = async |joined_only, after: Option<&str>, limit| {
        let after = after.map(|after| RoomId::parse(after).unwrap());
        let rooms = world.store.rooms_of(&ann, joined_only, after.as_ref(), limit).await.unwrap();
        rooms.into_iter().map(|listing| listing.room.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(false, None, 10).await, ["a-secret", "b-mine", "c-others", "e-invited"]);
    assert_eq!(list(true, None, 10).await, ["a-secret", "b-mine"]);
    assert_eq!(list(false, None, 2).await, ["a-secret", "b-mine"]);
    assert_eq!(list(false, Some("b-mine"), 2).await, ["c-others", "e-invited"]);
    assert_eq!(list(true, Some("a-secret"), 10).await, ["b-mine"]);
    let all = world.store.rooms_of(&ann, false, None, 10).await.unwrap();
    assert_eq!(all[3].standing, Standing::Invited);
    assert_eq!(all[2].standing, Standing::Stranger);
    assert!(all[1].standing.member().is_some());
}

pub(crate) async fn the_last_message_is_shown_as_it_is_now(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let last = async |user: &UserId| -> Option<salon_core::Entry> {
        let mut rooms: Vec<RoomListing> = world.store.rooms_of(user, false, None, 10).await.unwrap();
        rooms.remove(0).last
    };
    assert_eq!(last(&ann).await, None);
    room.says(&ann, "one").await;
    let two = room.said(&bob, "two").await;
    room.reacts(&ann, &two, "+").await;
    stored(room.edits(&bob, &two, "deux").await);
    assert_eq!(last(&ann).await.unwrap().message().content, "deux");
    assert_eq!(last(&user(9)).await.unwrap().message().content, "deux");
    stored(room.deletes(&bob, &two).await);
    assert!(last(&ann).await.unwrap().message().deleted);

    let new = NewRoom { history: HistoryPolicy::SinceJoin, ..world.new_room("a-later", RoomKind::Public, &[&ann]) };
    let later = world.room_like(new).await;
    later.says(&ann, "before").await;
    later.joins(&bob).await;
    assert_eq!((last(&bob).await, last(&user(9)).await), (None, None));
    assert_eq!(last(&ann).await.unwrap().message().content, "before");
    later.says(&ann, "after").await;
    assert_eq!(last(&bob).await.unwrap().message().content, "after");
}

pub(crate) async fn members_are_listed_in_order(world: &World) {
    let people: Vec<UserId> = (1..=7).map(user).collect();
    let room = world.room("general", &people.iter().rev().collect::<Vec<_>>()).await;
    stored(room.member_changes(&people[6], &people[2], MemberChange::Banned).await);
    stored(room.member_changes(&people[6], &user(50), MemberChange::Invited).await);
    room.says(&people[0], "hello").await;
    let list = async |after: Option<&UserId>, limit| {
        let members = world.store.members(&room.id, after, limit).await.unwrap();
        members.into_iter().map(|member| member.user).collect::<Vec<_>>()
    };
    let expected: Vec<UserId> = [0, 1, 3, 4, 5, 6].map(|n| people[n].clone()).to_vec();
    assert_eq!(list(None, 100).await, expected);
    assert_eq!(list(None, 2).await, expected[..2]);
    assert_eq!(list(Some(&expected[1]), 3).await, expected[2..5]);
    assert_eq!(list(expected.last(), 3).await, []);
    let members = world.store.members(&room.id, None, 100).await.unwrap();
    assert_eq!(members[5].role, Role::Owner);
    assert_eq!((members[0].unread, members[1].unread), (0, 1));
}

pub(crate) async fn members_are_found_by_name(world: &World) {
    let ann = world.person("Ann Lee").await;
    let (bob, cid) = (world.person("Bob").await, world.person("Cid").await);
    let room = world.room("general", &[&ann, &bob]).await;
    let find = async |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        world.store.members_named(&room.id, &names).await.unwrap()
    };
    assert_eq!(find(&["ann lee", "cid", "nobody"]).await, [(ann.clone(), "ann lee".to_owned())]);
    let both = find(&["bob", "ann lee"]).await;
    assert_eq!(both.len(), 2);
    assert!(both.is_sorted());
    world.store.update_user(&bob, Some("Ann  LEE"), None, world.now()).await.unwrap();
    assert_eq!(find(&["ann lee"]).await.len(), 2);
    assert_eq!(find(&["bob"]).await, []);
    stored(room.does(&ann, Change::Member { target: cid.clone(), change: MemberChange::Invited, role: None }).await);
    assert_eq!(find(&["cid"]).await, []);
}

pub(crate) async fn heads_of_unknown_rooms_are_left_out(world: &World) {
    let ann = user(1);
    let (one, two) = (world.room("one", &[&ann]).await, world.room("two", &[&ann]).await);
    two.says(&ann, "hello").await;
    let heads = world.store.heads(&[two.id.clone(), RoomId::parse("nowhere").unwrap(), one.id.clone()]).await.unwrap();
    let found: Vec<_> = heads.iter().map(|head| (head.room.as_str(), head.seq)).collect();
    assert_eq!(found, [("two", Seq(2)), ("one", Seq(1))]);
    assert_eq!(heads[0].epoch, two.now().await.epoch);
    let page = one.page(PageQuery { limit: 0, ..two.query(Position::Newest, 0) }).await;
    assert_eq!((page.messages.len(), page.more_before), (0, true));
}
