//! Limits, as `welcome.limits` tells them.

use salon_proto::v1;
use salon_tests::support::{Credential, RawSocket, World};
use serde_json::json;

fn message(content: String) -> v1::SendMessage {
    v1::SendMessage { room: "general".into(), content, ..Default::default() }
}

#[tokio::test]
async fn the_welcome_tells_the_limits() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let limits = alice.device.welcome.limits.unwrap();
    assert_eq!((limits.frame_bytes, limits.content_bytes, limits.extra_bytes), (64 * 1024, 16 * 1024, 4 * 1024));
    assert_eq!((limits.client_id_bytes, limits.emoji_bytes, limits.commands_in_flight), (64, 64, 64));
    assert_eq!((limits.message_burst, limits.messages_per_s), (200, 50));
    assert_eq!(alice.device.welcome.heartbeat_ms, 25_000);
}

#[tokio::test]
async fn everything_fits_up_to_its_limit_and_not_beyond() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    alice.joins("general").await;
    alice.sends(message("x".repeat(16 * 1024))).await;
    let error = alice.cannot_send(message("x".repeat(16 * 1024 + 1)), "too_large").await;
    assert_eq!(error.field.as_deref(), Some("content"));
    let extra = |bytes: usize| {
        // {"a":"…"} has eight bytes around the text.
        let extra = json!({ "a": "x".repeat(bytes - 8) }).to_string();
        v1::SendMessage { extra: Some(extra), ..message("with extra".into()) }
    };
    alice.sends(extra(4096)).await;
    let refused = alice.device.client.message(extra(4097)).await.unwrap_err();
    assert!(matches!(refused.code(), Some("too_large" | "invalid")), "{refused}");
    let named = |bytes: usize| v1::SendMessage { client_id: Some("c".repeat(bytes)), ..message("named".into()) };
    alice.sends(named(64)).await;
    let refused = alice.device.client.message(named(65)).await.unwrap_err();
    assert!(matches!(refused.code(), Some("too_large" | "invalid")), "{refused}");
    let said = alice.says("react").await;
    alice.reacts(&said, &"e".repeat(64)).await;
    let refused = alice.device.client.react("general", &said.id, &"e".repeat(65), false).await.unwrap_err();
    assert!(matches!(refused.code(), Some("too_large" | "invalid")), "{refused}");
}

#[tokio::test]
async fn a_flood_is_held_back_and_told_when_to_go_on() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    let flood = (0..400).map(|n| {
        let (client, content) = (alice.device.client.clone(), format!("flood {n}"));
        async move { client.say("general", &content).await }
    });
    let results = futures_util::future::join_all(flood).await;
    let refused: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(!refused.is_empty(), "400 messages at once are beyond a burst of 200");
    for error in &refused {
        let salon_client::Error::Refused(error) = error else { panic!("{error}") };
        assert_eq!((&*error.code, error.retryable), ("rate_limited", true));
        let wait_ms = error.retry_after_ms.unwrap();
        assert!((1..10_000).contains(&wait_ms), "{wait_ms} ms");
    }
    assert!(results.len() - refused.len() >= 200, "the burst is allowed");
    bob.says("nobody else is held back").await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    alice.says("later it goes on").await;
    world.kept_every_promise(&["general"]).await;
}

#[tokio::test]
async fn more_commands_than_may_be_in_flight_only_wait() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let mut socket = RawSocket::open(&world, Credential::Bearer(&alice.token)).await;
    socket.hears_event("welcome").await;
    for id in 1..=500 {
        socket.text(&json!({ "event": "rooms", "id": id, "data": {} }).to_string()).await;
    }
    let mut answered = std::collections::BTreeSet::new();
    while answered.len() < 500 {
        answered.insert(socket.hears_event("ack").await["id"].as_i64().unwrap());
    }
    assert_eq!(answered.into_iter().collect::<Vec<_>>(), (1..=500).collect::<Vec<_>>());
}
