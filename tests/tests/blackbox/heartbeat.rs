//! Signs of life, and what happens without them.

use std::time::Duration;

use salon_tests::support::{Credential, Heard, Options, RawSocket, World};
use serde_json::json;
use tokio::time::Instant;

const HEARTBEAT: Duration = Duration::from_millis(500);

/// RFC 6455 §5.5.3.
const PONG: u8 = 0xA;

async fn brisk_world() -> World {
    World::with(Options::default().key("SALON_HEARTBEAT_MS", "500")).await
}

#[tokio::test]
async fn the_server_pings_and_says_so() {
    let world = brisk_world().await;
    let alice = world.person("alice").await;
    assert_eq!(alice.device.welcome.heartbeat_ms, 500);
    let mut socket = RawSocket::open(&world, Credential::Bearer(&alice.token)).await;
    socket.hears_event("welcome").await;
    let (mut ping, mut event) = (false, false);
    while !(ping && event) {
        match socket.hears().await {
            Heard::Ping => {
                ping = true;
                socket.frame(true, PONG, &[]).await;
            }
            Heard::Text(text) => event |= text.contains(r#""event":"ping""#),
            other @ (Heard::Pong(_) | Heard::Close { .. } | Heard::End) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn no_life_for_two_heartbeats_is_4002() {
    let world = brisk_world().await;
    let alice = world.person("alice").await;
    let mut socket = RawSocket::open(&world, Credential::Bearer(&alice.token)).await;
    socket.hears_event("welcome").await;
    let silent = Instant::now();
    socket.is_closed_with(4002).await;
    let waited = silent.elapsed();
    assert!(waited >= HEARTBEAT * 2 - Duration::from_millis(100) && waited < HEARTBEAT * 5, "{waited:?}");
    // A client that answers pings stays.
    alice.device.client.ping().await.unwrap();
}

#[tokio::test]
async fn a_token_is_renewed_on_the_open_socket_or_ends_it() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let short = world.salon(&["token", "create", &alice.email, "--ttl", "2s"], "").await;
    assert_eq!(short.code, Some(0), "{short:?}");
    let mut socket = RawSocket::open(&world, Credential::Bearer(short.stdout.trim())).await;
    let welcome = socket.hears_event("welcome").await;
    assert!(welcome["data"]["expires_at"].is_string(), "{welcome}");
    let hello = |token: &str| json!({ "event": "hello", "id": 3, "data": { "token": token } }).to_string();
    let bob = world.person("bob").await;
    socket.text(&hello(&bob.token)).await;
    let error = socket.hears_event("error").await;
    assert_eq!(error["id"], 3, "another person's token renews nothing: {error}");
    socket.text(&hello(&alice.token)).await;
    let renewed = socket.hears_event("welcome").await;
    assert!(renewed["data"]["expires_at"].as_str() > welcome["data"]["expires_at"].as_str(), "{renewed}");
    assert_eq!(renewed["data"]["session"], welcome["data"]["session"]);
}

/// The grace of 25 s is not configurable, so this one takes its time.
#[tokio::test]
async fn a_token_that_is_not_renewed_ends_with_4003() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let short = world.salon(&["token", "create", &alice.email, "--ttl", "1s"], "").await;
    let mut socket = RawSocket::open(&world, Credential::Bearer(short.stdout.trim())).await;
    socket.hears_event("welcome").await;
    let opened = Instant::now();
    let closed = loop {
        match socket.hears_within(Duration::from_secs(40)).await {
            Some(Heard::Close { code, .. }) => break code,
            Some(Heard::Ping) => socket.frame(true, 10, b"").await,
            Some(Heard::Text(_) | Heard::Pong(_)) => {}
            end @ (Some(Heard::End) | None) => panic!("{end:?}"),
        }
    };
    assert_eq!(closed, 4003);
    assert!(opened.elapsed() >= Duration::from_secs(25), "{:?}", opened.elapsed());
}
