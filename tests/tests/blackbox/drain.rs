//! SIGTERM: everybody is told, nothing is lost, the exit code is 0.

use std::time::Duration;

use salon_tests::support::{Credential, Heard, RawSocket, World};
use tokio::time::Instant;

#[tokio::test]
async fn a_drained_server_says_goodbye_and_ends_with_0() {
    let mut world = World::start().await;
    let alice = world.person("alice").await;
    let mut socket = RawSocket::open(&world, Credential::Bearer(&alice.token)).await;
    socket.hears_event("welcome").await;
    let started = Instant::now();
    let goodbye = async {
        let closing = socket.hears_event("closing").await;
        assert_eq!(closing["data"]["code"], 4001);
        assert!(closing["data"]["reconnect_after_ms"].is_u64(), "{closing}");
        socket.is_closed_with(4001).await;
        assert_eq!(socket.hears().await, Heard::End);
    };
    let (status, ()) = tokio::join!(world.is_told_to_stop(), goodbye);
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(!world.log().contains("panicked"), "{}", world.log());
}

#[tokio::test]
async fn a_client_that_does_not_answer_holds_nobody_up_for_long() {
    let mut world = World::with(salon_tests::support::Options::flags(&["--drain-s", "2"])).await;
    let alice = world.person("alice").await;
    let mut silent = RawSocket::open(&world, Credential::Bearer(&alice.token)).await;
    silent.hears_event("welcome").await;
    let _half_open = tokio::net::TcpStream::connect(world.address()).await.unwrap();
    let started = Instant::now();
    let status = world.is_told_to_stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn clients_talk_through_a_rolling_restart() {
    let mut world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    for round in 0..3 {
        let client = alice.device.client.clone();
        let talk = async move {
            for n in 0..50 {
                client.say("general", &format!("{round}/{n}")).await.unwrap();
            }
        };
        let restart = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(world.is_told_to_stop().await.code(), Some(0));
            world.starts_again().await;
        };
        tokio::join!(talk, restart);
    }
    bob.hears("2/49").await;
    world.kept_every_promise(&["general"]).await;
}
