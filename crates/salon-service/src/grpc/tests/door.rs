//! Behind the sockets, in virtual time: what a stream does when time goes by, stores are silent or clients do not read.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use salon_proto::v1::{self, ServerFrame, server_frame::Event};
use salon_store::{Faults, MemoryStore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::kit::{account, describe, passes, service};
use crate::grpc::connection::Connection;
use crate::grpc::door::{Delivery, Door, Follower, Interest};
use crate::{Identity, Service};

struct Hall {
    service: Arc<Service>,
    store: Arc<MemoryStore>,
    door: Arc<Door>,
    connection: Arc<Connection>,
}

impl Hall {
    async fn open() -> Self {
        let (service, store) = service().await;
        let door = Door::new(Arc::clone(&service), 100);
        service.tasks.spawn({
            let door = Arc::clone(&door);
            async move { door.run(CancellationToken::new()).await }
        });
        passes(1).await;
        let connection = Connection::new(Ipv4Addr::LOCALHOST.into(), CancellationToken::new());
        Self { service, store, door, connection }
    }

    async fn person(&self, name: &str, number: u64) -> (Identity, String) {
        account(&self.service, &*self.store, name, number).await
    }

    async fn follows(&self, token: &str, room: &str) -> Follower {
        let interest = Interest { entries: true, events: false };
        let mut follower = self.door.open(token.to_owned(), &self.connection, interest).await.unwrap();
        follower.opened().await.unwrap();
        follower.join(v1::Join { room: room.to_owned(), ..v1::Join::default() }).await.unwrap();
        follower
    }

    async fn says(&self, who: &Identity, content: &str) -> v1::MessageAck {
        let command = v1::SendMessage { room: "general".into(), content: content.into(), ..v1::SendMessage::default() };
        self.service.send_message(who, command).await.unwrap()
    }
}

/// The next entry.
async fn hears(follower: &mut Follower) -> Result<String, Status> {
    loop {
        match follower.next().await {
            Delivery::Entry(entry) => return Ok(describe(&entry)),
            Delivery::End(status) => return Err(status),
            Delivery::Frame(ServerFrame { event: Some(Event::CaughtUp(_)), .. }) | Delivery::Answered => {}
            other @ (Delivery::Frame(_) | Delivery::Lost { .. }) => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_renewed_ends_its_stream_after_some_grace() {
    let hall = Hall::open().await;
    let (ada, _) = hall.person("Ada", 1).await;
    let token = hall.service.auth.create_token(&ada.user.email, 60).await.unwrap();
    let begun = Instant::now();
    let mut follower = hall.follows(token.expose(), "general").await;
    let ended = hears(&mut follower).await.unwrap_err();
    assert_eq!(ended.code(), Code::Unauthenticated);
    assert!((84..=86).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_renewed_token_keeps_its_stream() {
    let hall = Hall::open().await;
    let (ada, longer) = hall.person("Ada", 1).await;
    let token = hall.service.auth.create_token(&ada.user.email, 60).await.unwrap();
    let mut follower = hall.follows(token.expose(), "general").await;
    let hello = v1::client_frame::Command::Hello(v1::Hello { token: longer });
    follower.command(v1::ClientFrame { id: Some(2), command: Some(hello) }).await.unwrap();
    while !matches!(follower.next().await, Delivery::Frame(ServerFrame { event: Some(Event::Welcome(_)), .. })) {}
    passes(120_000).await;
    hall.says(&ada, "still here").await;
    assert!(hears(&mut follower).await.unwrap().ends_with("still here"));
}

#[tokio::test(start_paused = true)]
async fn who_is_further_behind_than_the_tail_is_fed_from_the_store() {
    let hall = Hall::open().await;
    let ((ada, _), (_, bobs_token)) = (hall.person("Ada", 1).await, hall.person("Bob", 2).await);
    let mut slow = hall.follows(&bobs_token, "general").await;
    // Ada belongs to the room, and talks more than the tails hold.
    let mut quick = hall.follows(&hall.person("Cem", 3).await.1, "general").await;
    let enter = salon_core::MemberChange::Joined;
    let general = salon_core::RoomId::parse("general").unwrap();
    hall.service.change_member(&ada, &general, &ada.user.id, enter, None).await.unwrap();
    let text = "x".repeat(16_000);
    let count = 2_600;
    for _ in 0..count {
        hall.says(&ada, &text).await;
        let _ = timeout(Duration::ZERO, hears(&mut quick)).await;
    }
    passes(1_000).await;
    // Behind Bob's own membership.
    for expected in 2..=count + 3 {
        let entry = timeout(Duration::from_secs(30), hears(&mut slow)).await.expect("it did not come").unwrap();
        let seq = entry.split(':').next().unwrap().to_owned();
        assert_eq!(seq, expected.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_silent_nothing_is_delivered() {
    let hall = Hall::open().await;
    let ((ada, token), (_, bobs_token)) = (hall.person("Ada", 1).await, hall.person("Bob", 2).await);
    let _adas = hall.follows(&token, "general").await;
    let mut bobs = hall.follows(&bobs_token, "general").await;
    hall.says(&ada, "on its way").await;
    passes(100).await;
    hall.store.set_faults(Faults::fail_reads(usize::MAX));
    passes(3_000).await;
    assert!(timeout(Duration::from_secs(5), hears(&mut bobs)).await.is_err());
    hall.store.set_faults(Faults::default());
    assert_eq!(timeout(Duration::from_secs(5), hears(&mut bobs)).await.unwrap().unwrap(), "3: on its way");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_to_end_and_is_not_read_loses_its_connection() {
    let hall = Hall::open().await;
    let ((ada, token), (bob, bobs_token)) = (hall.person("Ada", 1).await, hall.person("Bob", 2).await);
    let _adas = hall.follows(&token, "general").await;
    let unread = hall.follows(&bobs_token, "general").await;
    passes(10_000).await;
    assert!(!hall.connection.kill.is_cancelled());
    let general = salon_core::RoomId::parse("general").unwrap();
    let left = salon_core::MemberChange::Left;
    hall.service.change_member(&bob, &general, &bob.user.id, left, None).await.unwrap();
    passes(1_000).await;
    assert!(!hall.connection.kill.is_cancelled());
    passes(1_000).await;
    assert!(hall.connection.kill.is_cancelled());
    drop((unread, ada));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_read_ends_without_force() {
    let hall = Hall::open().await;
    let (bob, bobs_token) = hall.person("Bob", 2).await;
    let mut bobs = hall.follows(&bobs_token, "general").await;
    let general = salon_core::RoomId::parse("general").unwrap();
    let left = salon_core::MemberChange::Left;
    let leaving = async {
        passes(100).await;
        hall.service.change_member(&bob, &general, &bob.user.id, left, None).await.unwrap();
        passes(5_000).await;
    };
    let reading = async {
        assert_eq!(hears(&mut bobs).await.unwrap(), "2: Bob left");
        assert!(matches!(bobs.next().await, Delivery::Lost { room_deleted: false }));
    };
    tokio::join!(leaving, reading);
    assert!(!hall.connection.kill.is_cancelled());
}
