//! How streams end: memberships, logins, rooms, the server.

use std::time::Duration;

use salon_core::{MemberChange, RoomKind};
use tokio::time::Instant;
use tonic::Code;

use super::kit::{House, PATIENCE, Person, join, passes, told, within};
use crate::auth::SignUpRequest;
use crate::grpc::GrpcConfig;

/// Somebody with a login, which can end.
async fn with_login(house: &House, name: &str) -> Person {
    let mut person = house.person(&format!("{name}-other")).await;
    let request = SignUpRequest {
        email: format!("{name}@example.com"),
        password: "correct horse battery".into(),
        name: Some(name.to_owned()),
        invite: None,
    };
    let granted = house.service.auth().sign_up(request, "192.0.2.9").await.unwrap();
    person.token = granted.access_token.expose().to_owned();
    person.identity = granted.identity();
    person
}

#[tokio::test]
async fn who_is_removed_hears_of_it_and_nothing_more() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let room = house.room(&ada, "tea", RoomKind::Public).await;
    let mut bobs = bob.joins("tea").await;
    house.service.change_member(&ada.identity, &room, bob.id(), MemberChange::Removed, None).await.unwrap();
    ada.says("tea", "at last").await;
    assert_eq!(bobs.hears().await, "3: Bob removed");
    assert_eq!(told(&bobs.ends().await), (Code::PermissionDenied, "forbidden".into()));
}

#[tokio::test]
async fn who_leaves_elsewhere_leaves_here_too() {
    let house = House::open().await;
    let bob = house.person("Bob").await;
    let room = house.room(&bob, "tea", RoomKind::Public).await;
    let mut bobs = bob.joins("tea").await;
    house.service.change_member(&bob.identity, &room, bob.id(), MemberChange::Left, None).await.unwrap();
    assert_eq!(bobs.hears().await, "2: Bob left");
    assert_eq!(bobs.ends().await.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_deleted_room_ends_its_streams() {
    let house = House::open().await;
    let ada = house.person("Ada").await;
    let room = house.room(&ada, "tea", RoomKind::Public).await;
    let mut adas = ada.joins("tea").await;
    house.service.delete_room(&ada.identity, &room).await.unwrap();
    assert_eq!(told(&adas.ends().await), (Code::NotFound, "not_found".into()));
}

#[tokio::test]
async fn a_logout_ends_the_streams_of_that_login_at_once() {
    let house = House::open().await;
    let (ada, bob) = (with_login(&house, "ada").await, house.person("Bob").await);
    let (mut adas, mut bobs) = (ada.joins("general").await, bob.joins("general").await);
    let begun = Instant::now();
    house.service.auth().log_out(&ada.identity).await.unwrap();
    assert_eq!(told(&adas.ends().await), (Code::Unauthenticated, "unauthenticated".into()));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(ada.listens(join("general")).await.err().unwrap().code(), Code::Unauthenticated);
    bob.says("general", "still here").await;
    assert_eq!(bobs.hears().await, "3: still here");
}

#[tokio::test]
async fn who_was_logged_out_cannot_fetch_the_rest_later() {
    let house = House::open().await;
    let (ada, bob) = (with_login(&house, "ada").await, house.person("Bob").await);
    let mut adas = ada.joins("general").await;
    let text = "x".repeat(8_000);
    for _ in 0..300 {
        bob.says("general", &text).await;
    }
    // Ada's client has stopped to read: 2.4 MB are waiting, and her window is full.
    house.service.auth().log_out(&ada.identity).await.unwrap();
    passes(2_500).await;
    let mut heard = 0;
    let status = loop {
        match adas.next().await {
            Ok(Some(_)) => heard += 1,
            Ok(None) => panic!("it ended well"),
            Err(status) => break status,
        }
    };
    // What the client's own machine had received before, and no more.
    assert!(heard < 100, "{heard} entries, then {status:?}");
    assert_ne!(status.code(), Code::Ok);
}

#[tokio::test]
async fn a_stop_ends_streams_first_and_is_quick() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let (mut adas, mut bobs) = (ada.joins("general").await, bob.talks().await);
    let begun = Instant::now();
    house.stopping.cancel();
    let ended = adas.ends().await;
    assert_eq!(told(&ended), (Code::Unavailable, "unavailable".into()));
    assert_eq!(ended.metadata().get("salon-retry-after-ms").unwrap(), "1000");
    let ended = loop {
        if let Err(status) = within(bobs.answers.message()).await {
            break status;
        }
    };
    assert_eq!(ended.code(), Code::Unavailable);
    within(house.serving.wait()).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(ada.sends(super::kit::message("general", "anybody?")).await.is_err());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_who_does_not_read() {
    let house = House::with(GrpcConfig { drain_timeout: Duration::from_millis(500), ..GrpcConfig::default() }).await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let _adas = ada.joins("general").await;
    for _ in 0..100 {
        bob.says("general", &"x".repeat(8_000)).await;
    }
    house.stopping.cancel();
    assert!(tokio::time::timeout(PATIENCE, house.serving.wait()).await.is_ok());
}

#[tokio::test]
async fn a_service_that_stops_takes_its_streams_along() {
    let house = House::open().await;
    let ada = house.person("Ada").await;
    let mut adas = ada.joins("general").await;
    let service = house.service.clone();
    let stop = async { within(service.stop()).await };
    let (status, ()) = tokio::join!(adas.ends(), stop);
    assert_eq!(status.code(), Code::Unavailable);
}
