//! Rooms of all kinds, and who may do what in them.

use salon_client::Event;
use salon_proto::v1::{self, entry::Body};
use salon_tests::support::World;

#[tokio::test]
async fn a_public_room_is_entered_by_joining_it() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.creates_room("attic", "public").await;
    assert_eq!(bob.room("attic").await.map(|room| room.role), Some("none".to_owned()));
    alice.joins("attic").await;
    let ack = bob.joins("attic").await;
    assert_eq!((&*ack.role, ack.members), ("member", 2));
    let joined = |entry: &v1::Entry| matches!(&entry.body, Some(Body::Member(it)) if it.target == bob.id && it.change == "joined" && it.target_name == "bob");
    alice.sees("bob's membership", joined).await;
}

#[tokio::test]
async fn a_private_room_does_not_exist_for_strangers() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.creates_room("cellar", "private").await;
    let unknown = bob.cannot_join("nowhere", "not_found").await;
    let hidden = bob.cannot_join("cellar", "not_found").await;
    assert_eq!(unknown.message, hidden.message, "one cannot tell the two apart");
    assert_eq!(bob.room("cellar").await, None);
    let members = v1::ListMembers { room: "cellar".into(), ..Default::default() };
    assert_eq!(bob.device.client.members(members).await.unwrap_err().code(), Some("not_found"));
    bob.rest().get("rooms/cellar").await.refuses(404, "not_found");
    bob.joins("@me").await;
    alice.invites(&bob, "cellar").await;
    bob.sees("the invitation", |entry| matches!(entry.body, Some(Body::RoomAdded(_)))).await;
    assert_eq!(bob.joins("cellar").await.role, "member");
}

#[tokio::test]
async fn two_people_have_one_direct_room() {
    let world = World::start().await;
    let (alice, bob, carol) = (world.person("alice").await, world.person("bob").await, world.person("carol").await);
    let room = alice.opens_direct_room_with(&bob).await;
    assert!(room.starts_with("d_"));
    assert_eq!(bob.opens_direct_room_with(&alice).await, room);
    alice.joins(&room).await;
    bob.joins(&room).await;
    alice.says("between us").await;
    bob.hears("between us").await;
    carol.cannot_join(&room, "not_found").await;
    let listed = bob.room(&room).await.unwrap();
    assert_eq!((&*listed.title, listed.peer.as_deref(), &*listed.kind), ("alice", Some(&*alice.id), "direct"));
}

#[tokio::test]
async fn whoever_parts_is_a_member_no_more() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.creates_room("attic", "public").await;
    alice.joins("attic").await;
    bob.joins("attic").await;
    let phone = world.another_device(&bob).await;
    phone.joins("attic").await;
    let ack = bob.parts("attic").await;
    let left = alice.sees("bob's leaving", |entry| matches!(&entry.body, Some(Body::Member(it)) if it.change == "left")).await;
    assert_eq!(left.seq, ack.seq);
    alice.says("finally alone").await;
    alice.hears("finally alone").await;
    phone.notices_no("what is said behind one's back", |event| matches!(event, Event::Entry(e) if e.seq > ack.seq)).await;
    let refused = bob.device.client.say("attic", "wait").await.unwrap_err();
    assert_eq!(refused.code(), Some("forbidden"));
}

#[tokio::test]
async fn roles_are_given_by_owners() {
    let world = World::start().await;
    let (alice, bob, carol) = (world.person("alice").await, world.person("bob").await, world.person("carol").await);
    alice.creates_room("attic", "public").await;
    for person in [&alice, &bob, &carol] {
        person.joins("attic").await;
    }
    let refused = bob.rest().delete(&format!("rooms/attic/members/{}", carol.id)).await;
    refused.refuses(403, "forbidden");
    alice.promotes(&bob, "attic", "moderator").await;
    let promoted = |entry: &v1::Entry| matches!(&entry.body, Some(Body::Member(it)) if it.change == "role" && it.role.as_deref() == Some("moderator"));
    carol.sees("bob's promotion", promoted).await;
    bob.removes(&carol, "attic").await;
}

#[tokio::test]
async fn a_room_is_renamed_archived_and_deleted() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.creates_room("attic", "public").await;
    alice.joins("attic").await;
    bob.joins("attic").await;
    let change = serde_json::json!({ "title": "The Attic", "topic": "old things" });
    bob.rest().patch("rooms/attic", &change).await.refuses(403, "forbidden");
    alice.rest().patch("rooms/attic", &change).await.expects(200);
    let renamed =
        |entry: &v1::Entry| matches!(&entry.body, Some(Body::RoomChanged(it)) if it.title.as_deref() == Some("The Attic"));
    bob.sees("the new title", renamed).await;
    alice.rest().patch("rooms/attic", &serde_json::json!({ "archived": true })).await.expects(200);
    assert_eq!(bob.device.client.say("attic", "hello?").await.unwrap_err().code(), Some("forbidden"));
    bob.joins("@me").await;
    bob.catches_up("@me").await;
    alice.rest().delete("rooms/attic").await.expects(204);
    bob.sees("the end of the room", |entry| matches!(entry.body, Some(Body::RoomRemoved(_)))).await;
    bob.cannot_join("attic", "not_found").await;
    alice.creates_room("attic", "public").await;
    assert!(alice.reads("attic").await.messages.is_empty());
}

#[tokio::test]
async fn names_of_rooms_are_slugs_and_taken_once() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    alice.creates_room("attic", "public").await;
    let again = serde_json::json!({ "name": "attic", "kind": "public" });
    alice.rest().post("rooms", &again).await.refuses(409, "conflict");
    for name in ["", "Attic", "a b", "-a", "d_x", "@me", "é"] {
        let room = serde_json::json!({ "name": name, "kind": "public" });
        alice.rest().post("rooms", &room).await.refuses(400, "invalid");
        if name != "@me" {
            alice.cannot_join(name, "invalid").await;
        }
    }
}
