//! G7: whoever is removed, banned or logged out is sent nothing more, at once.

use std::time::Duration;

use salon_client::{ConnectionState, Credential as ClientCredential, Event, StopReason};
use salon_proto::v1::{self, entry::Body};
use salon_tests::support::{Credential, RawSocket, World};

#[tokio::test]
async fn a_removal_is_the_last_thing_one_hears() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let phone = world.another_device(&bob).await;
    alice.creates_room("attic", "public").await;
    for device in [&alice, &bob, &phone] {
        device.joins("attic").await;
    }
    alice.removes(&bob, "attic").await;
    for n in 0..20 {
        alice.says(&format!("without bob {n}")).await;
    }
    let removed = |entry: &v1::Entry| matches!(&entry.body, Some(Body::Member(it)) if it.change == "removed");
    let fence = bob.sees("the removal", removed).await.seq;
    for device in [&bob, &phone] {
        device
            .notices_no("anything behind it", |event| matches!(event, Event::Entry(e) if e.room == "attic" && e.seq > fence))
            .await;
    }
    assert_eq!(bob.device.client.say("attic", "let me in").await.unwrap_err().code(), Some("forbidden"));
    world.kept_every_promise(&["attic"]).await;
}

#[tokio::test]
async fn the_banned_do_not_come_back() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.creates_room("attic", "public").await;
    alice.joins("attic").await;
    bob.joins("attic").await;
    alice.bans(&bob, "attic").await;
    bob.cannot_join("attic", "forbidden").await;
    let query = v1::GetHistory { room: "attic".into(), ..Default::default() };
    bob.cannot_ask(query, "forbidden").await;
    alice.removes(&bob, "attic").await;
    assert_eq!(bob.joins("attic").await.role, "member", "a removal of somebody banned lifts the ban");
}

#[tokio::test]
async fn nobody_writes_behind_a_removal_that_races_with_their_messages() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.creates_room("attic", "public").await;
    alice.joins("attic").await;
    bob.joins("attic").await;
    let chatter = async {
        let mut said = 0;
        while bob.device.client.say("attic", &format!("still here {said}")).await.is_ok() {
            said += 1;
        }
        said
    };
    let remove = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        alice.removes(&bob, "attic").await;
    };
    let (said, ()) = tokio::join!(chatter, remove);
    assert!(said > 0);
    world.kept_every_promise(&["attic"]).await;
}

#[tokio::test]
async fn a_logout_closes_the_sockets_of_that_login_only() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let body = serde_json::json!({ "email": alice.email, "password": alice.password });
    let login = world.rest().post("auth/login", &body).await.expects(200);
    let (access, refresh) = (login.text("access_token"), login.text("refresh_token"));
    let device = world.device(ClientCredential::Token(access.clone())).await;
    let mut raw = RawSocket::open(&world, Credential::Bearer(&access)).await;
    raw.hears_event("welcome").await;
    let logout = serde_json::json!({ "refresh_token": refresh });
    let reply = world.rest().with_token(&access).post("auth/logout", &logout).await;
    assert!(reply.status < 300, "{reply:?}");
    raw.is_closed_with(4502).await;
    let stopped = |event: &Event| match event {
        Event::Connection(ConnectionState::Stopped(reason)) => Some(reason.clone()),
        _ => None,
    };
    let reason = device.journal.find("the end", stopped).await;
    assert!(matches!(reason, StopReason::Refused { code: 4502, .. }), "{reason:?}");
    alice.device.client.ping().await.unwrap();
    world.rest().with_token(&access).get("me").await.refuses(401, "unauthenticated");
}
