//! Rooms, members, and invitations that lead into rooms.

use super::*;

impl House {
    async fn room(&self, by: &Device, body: Value) -> Reply {
        self.by(by, Method::POST, "rooms", body).await
    }

    /// `user: role` of everybody in the room.
    async fn members(&self, by: &Device, room: &str) -> Vec<(String, String)> {
        let page = self.by(by, Method::GET, &format!("rooms/{room}/members"), Value::Null).await.body;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        page["members"].as_array().unwrap().iter().map(|one| (text(&one["name"]), text(&one["role"]))).collect()
    }

    async fn code_into(&self, by: &Device, room: &str, uses: u32) -> String {
        let made = self.by(by, Method::POST, &format!("rooms/{room}/invites"), json!({ "uses": uses })).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.body["code"].as_str().unwrap().to_owned()
    }
}

fn sorted(mut members: Vec<(String, String)>) -> Vec<(String, String)> {
    members.sort();
    members
}

fn of(members: &[(&str, &str)]) -> Vec<(String, String)> {
    members.iter().map(|(name, role)| ((*name).to_owned(), (*role).to_owned())).collect()
}

#[tokio::test]
async fn a_room_from_its_creation_to_its_end() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    let made = house.room(&ann, json!({ "name": "garden", "title": "The garden" })).await;
    assert_eq!((made.status.as_u16(), &made.headers[header::LOCATION]), (201, &"/api/v1/rooms/garden".parse().unwrap()));
    assert_eq!(made.body["role"], "owner");
    assert_eq!(house.room(&ann, json!({ "name": "garden" })).await.problem().0, 409);
    assert_eq!(house.room(&ann, json!({ "name": "No Slug" })).await.problem(), (400, "invalid", Some("name")));
    let change = json!({ "topic": "Roses", "history": "since_join" });
    assert_eq!(house.by(&ann, Method::PATCH, "rooms/garden", change).await.status, 200);
    let seen = house.by(&ann, Method::GET, "rooms/garden", Value::Null).await.body;
    assert_eq!((&seen["title"], &seen["topic"], &seen["kind"]), (&json!("The garden"), &json!("Roses"), &json!("public")));
    let listed = house.by(&ann, Method::GET, "rooms", Value::Null).await.body;
    let names: Vec<_> = listed["rooms"].as_array().unwrap().iter().map(|room| room["room"].clone()).collect();
    assert_eq!(names, ["garden", "general"]);
    assert_eq!(house.by(&ann, Method::DELETE, "rooms/garden", Value::Null).await.status, 204);
    let gone = house.by(&ann, Method::GET, "rooms/garden", Value::Null).await;
    assert_eq!(gone.problem(), (404, "not_found", Some("room")));
}

#[tokio::test]
async fn two_people_have_one_direct_room() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    let bob = house.signed_up("bob@example.org", None).await;
    let made = house.room(&ann, json!({ "kind": "direct", "user": bob.id })).await;
    let again = house.room(&bob, json!({ "kind": "direct", "user": ann.id })).await;
    assert_eq!((made.status.as_u16(), again.status.as_u16()), (201, 200));
    assert_eq!((&made.body["title"], &again.body["title"]), (&json!("bob"), &json!("ann")));
    assert_eq!(made.body["room"], again.body["room"]);
}

#[tokio::test]
async fn members_come_go_rise_and_are_shown_out() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    let bob = house.signed_up("bob@example.org", None).await;
    house.room(&ann, json!({ "name": "garden" })).await;
    let members = "rooms/garden/members";
    let bob_there = format!("{members}/{}", bob.id);
    assert_eq!(house.by(&bob, Method::POST, members, Value::Null).await.status, 200);
    assert_eq!(house.by(&bob, Method::POST, members, json!({})).await.body["duplicate"], true);
    assert_eq!(house.by(&ann, Method::PUT, &bob_there, json!({ "role": "moderator" })).await.status, 200);
    assert_eq!(sorted(house.members(&ann, "garden").await), of(&[("ann", "owner"), ("bob", "moderator")]));
    assert_eq!(house.by(&bob, Method::DELETE, &bob_there, Value::Null).await.status, 200);
    assert_eq!(house.members(&ann, "garden").await, of(&[("ann", "owner")]));
    house.by(&bob, Method::POST, members, Value::Null).await;
    let of_ann = format!("{members}/{}", ann.id);
    assert_eq!(house.by(&bob, Method::DELETE, &of_ann, Value::Null).await.problem().1, "forbidden");
    assert_eq!(house.by(&ann, Method::DELETE, &format!("{bob_there}?ban=true"), Value::Null).await.status, 200);
    assert_eq!(house.by(&bob, Method::POST, members, Value::Null).await.problem().1, "forbidden");
    assert_eq!(house.by(&ann, Method::DELETE, &bob_there, Value::Null).await.status, 200);
    assert_eq!(house.by(&bob, Method::POST, members, Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_new_name_is_seen_at_once() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    house.room(&ann, json!({ "name": "garden" })).await;
    assert_eq!(house.members(&ann, "garden").await, of(&[("ann", "owner")]));
    house.by(&ann, Method::PATCH, "me", json!({ "name": "Anne" })).await;
    assert_eq!(house.members(&ann, "garden").await, of(&[("Anne", "owner")]));
}

#[tokio::test]
async fn a_code_leads_a_newcomer_into_a_private_room() {
    let house = House::with(ServiceConfig::default()).await;
    let root = house.founder().await;
    house.room(&root, json!({ "name": "attic", "kind": "private", "title": "The attic" })).await;
    let code = house.code_into(&root, "attic", 1).await;
    let seen = house.get(&format!("invites/{code}")).await.body;
    let expected = json!({ "admin": false, "room": "attic", "room_title": "The attic", "invited_by": "root" });
    assert_eq!(seen, expected);
    let body = json!({ "email": "bob@example.org", "password": PASSWORD, "invite": code });
    let reply = house.post("auth/signup", body).await;
    assert_eq!((reply.status.as_u16(), &reply.body["room"]), (201, &json!("attic")));
    assert_eq!(sorted(house.members(&reply.device(), "attic").await), of(&[("bob", "member"), ("root", "owner")]));
}

#[tokio::test]
async fn a_code_leads_somebody_with_an_account_in_and_costs_members_nothing() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    let bob = house.signed_up("bob@example.org", None).await;
    let eve = house.signed_up("eve@example.org", None).await;
    house.room(&ann, json!({ "name": "attic", "kind": "private" })).await;
    let code = format!("invites/{}", house.code_into(&ann, "attic", 2).await);
    for _ in 0..3 {
        let followed = house.by(&bob, Method::POST, &code, Value::Null).await;
        assert_eq!((followed.status.as_u16(), &followed.body), (200, &json!({ "room": "attic" })));
    }
    assert_eq!(house.by(&eve, Method::POST, &code, Value::Null).await.status, 200);
    let late = house.signed_up("late@example.org", None).await;
    assert_eq!(house.by(&late, Method::POST, &code, Value::Null).await.problem(), (400, "invalid", Some("invite")));
    assert_eq!(house.members(&ann, "attic").await.len(), 3);
}

#[tokio::test]
async fn a_code_does_not_outlive_its_makers_rights_nor_lift_a_ban() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    let bob = house.signed_up("bob@example.org", None).await;
    let eve = house.signed_up("eve@example.org", None).await;
    house.room(&ann, json!({ "name": "attic", "kind": "private" })).await;
    let from_ann = format!("invites/{}", house.code_into(&ann, "attic", 5).await);
    house.by(&bob, Method::POST, &from_ann, Value::Null).await;
    let bob_there = format!("rooms/attic/members/{}", bob.id);
    house.by(&ann, Method::PUT, &bob_there, json!({ "role": "moderator" })).await;
    let from_bob = format!("invites/{}", house.code_into(&bob, "attic", 5).await);
    house.by(&ann, Method::PUT, &bob_there, json!({ "role": "member" })).await;
    assert_eq!(house.by(&eve, Method::POST, &from_bob, Value::Null).await.problem().1, "not_found");
    house.by(&ann, Method::DELETE, &format!("{bob_there}?ban=true"), Value::Null).await;
    assert_eq!(house.by(&bob, Method::POST, &from_ann, Value::Null).await.problem().1, "forbidden");
    assert_eq!(house.members(&ann, "attic").await, of(&[("ann", "owner")]));
}

#[tokio::test]
async fn an_invited_person_may_enter_and_others_see_nothing() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    let bob = house.signed_up("bob@example.org", None).await;
    house.room(&ann, json!({ "name": "attic", "kind": "private" })).await;
    let (attic, members) = ("rooms/attic", "rooms/attic/members");
    for (method, path) in [(Method::GET, attic), (Method::GET, members), (Method::POST, members), (Method::DELETE, attic)] {
        let hidden = house.by(&bob, method, path, Value::Null).await;
        assert_eq!(hidden.problem(), (404, "not_found", Some("room")));
    }
    let invite = json!({ "user": bob.id });
    assert_eq!(house.by(&ann, Method::POST, "rooms/attic/invites", invite).await.status, 200);
    assert_eq!(house.by(&bob, Method::GET, attic, Value::Null).await.body["role"], "invited");
    assert_eq!(house.by(&bob, Method::POST, members, Value::Null).await.status, 200);
}
