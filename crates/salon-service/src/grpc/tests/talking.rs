//! `Chat`: the whole protocol on one stream.

use salon_core::{MemberChange, RoomKind};
use salon_proto::v1::{self, ClientFrame, client_frame::Command, server_frame::Event};
use tonic::Code;

use super::kit::{House, Talk, told, within};

fn join(room: &str) -> Command {
    Command::Join(v1::Join { room: room.to_owned(), ..v1::Join::default() })
}

fn say(room: &str, content: &str) -> Command {
    Command::Message(v1::SendMessage { room: room.to_owned(), content: content.to_owned(), ..v1::SendMessage::default() })
}

/// Reads until every expected frame was heard, in the order given within each room.
async fn hears_all(talk: &mut Talk, mut expected: Vec<&str>) {
    while !expected.is_empty() {
        let said = talk.hears_lasting().await;
        let at = expected.iter().position(|expected| **expected == said).unwrap_or_else(|| panic!("{said}, not {expected:?}"));
        let room = |text: &str| text.split(' ').next().unwrap().to_owned();
        let earlier = expected[..at].iter().find(|earlier| room(earlier) == room(&said));
        assert_eq!(earlier, None, "before {said}");
        expected.remove(at);
    }
}

#[tokio::test]
async fn two_rooms_on_one_stream_with_answers_by_id() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    house.room(&ada, "tea", RoomKind::Public).await;
    let mut talk = bob.talks().await;
    talk.commands(join("general")).await;
    talk.commands(join("tea")).await;
    talk.commands(say("general", "one")).await;
    talk.commands(say("tea", "two")).await;
    talk.commands(say("nowhere", "three")).await;
    let mut expected = vec!["general caught up at 1", "general 2: one", "tea caught up at 2", "tea 3: two"];
    // What is heard of a room comes behind the ack of its join; other acks may come before or after.
    let mut acks = Vec::new();
    while acks.len() < 5 || !expected.is_empty() {
        let said = talk.hears_lasting().await;
        if said.starts_with("ack") || said.starts_with("not_found") {
            acks.push(said);
            continue;
        }
        let joined = if said.starts_with("general") { "ack 1" } else { "ack 2" };
        assert!(acks.iter().any(|ack| ack == joined), "{said} before {joined}");
        let room = said.split(' ').next().unwrap();
        let next = expected.iter().position(|expected| expected.starts_with(room)).unwrap();
        assert_eq!(expected.remove(next), said);
    }
    acks.sort();
    assert_eq!(acks, ["ack 1", "ack 2", "ack 3", "ack 4", "not_found 5"]);
}

#[tokio::test]
async fn it_resumes_and_retries_like_a_websocket() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let seen = bob.says("general", "seen").await;
    let missed = v1::SendMessageRequest { client_id: Some("b2".into()), ..super::kit::message("general", "missed") };
    bob.sends(missed).await.unwrap();
    ada.says("general", "missed too").await;
    let mut talk = bob.talks().await;
    let since = Some(v1::Position { epoch: seen.epoch, seq: seen.seq });
    talk.commands(Command::Join(v1::Join { room: "general".into(), since, last: None })).await;
    let caught_up = ["ack 1", "general 3: missed", "general 4: Ada joined", "general 5: missed too", "general caught up at 5"];
    hears_all(&mut talk, caught_up.to_vec()).await;
    // The retry of what another door has sent is the same message.
    let Command::Message(retry) = say("general", "missed") else { unreachable!() };
    talk.commands(Command::Message(v1::SendMessage { client_id: Some("b2".into()), ..retry })).await;
    let answer = loop {
        let frame = talk.hears().await;
        if frame.id == Some(2) {
            break frame;
        }
    };
    let Some(Event::Ack(v1::Ack { data: Some(v1::ack::Data::Message(ack)) })) = answer.event else { panic!("{answer:?}") };
    assert_eq!((ack.seq, ack.duplicate), (3, true));
}

#[tokio::test]
async fn a_room_that_was_left_or_lost_is_silent_and_the_others_go_on() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let tea = house.room(&ada, "tea", RoomKind::Public).await;
    house.room(&ada, "coffee", RoomKind::Public).await;
    let mut talk = bob.talks().await;
    for room in ["general", "tea", "coffee"] {
        talk.commands(join(room)).await;
    }
    let joined = ["ack 1", "general caught up at 1", "ack 2", "tea caught up at 2", "ack 3", "coffee caught up at 2"];
    hears_all(&mut talk, joined.to_vec()).await;
    house.service.change_member(&ada.identity, &tea, bob.id(), MemberChange::Removed, None).await.unwrap();
    talk.commands(Command::Leave(v1::Leave { room: "coffee".into() })).await;
    hears_all(&mut talk, vec!["tea 3: Bob removed", "ack 4"]).await;
    ada.says("tea", "unheard").await;
    ada.says("coffee", "unheard").await;
    ada.says("general", "heard").await;
    hears_all(&mut talk, vec!["general 2: Ada joined", "general 3: heard"]).await;
}

#[tokio::test]
async fn a_half_closed_stream_ends_when_nothing_is_left_to_say() {
    let house = House::open().await;
    let bob = house.person("Bob").await;
    bob.says("general", "so that I belong").await;
    let mut talk = bob.talks().await;
    talk.sends(ClientFrame { id: None, command: Some(say("general", "without an answer")) }).await;
    talk.commands(say("general", "with an answer")).await;
    talk.half_closes();
    assert_eq!(talk.hears_lasting().await, "ack 1");
    // What comes now is activity in rooms that were not joined, at most.
    while within(talk.answers.message()).await.unwrap().is_some() {}

    let mut listening = bob.talks().await;
    listening.commands(join("general")).await;
    listening.half_closes();
    while listening.hears_lasting().await != "general caught up at 4" {}
    bob.says("general", "still heard").await;
    assert_eq!(listening.hears_lasting().await, "general 5: still heard");
}

#[tokio::test]
async fn a_frame_that_no_client_sends_ends_the_stream() {
    let house = House::open().await;
    let bob = house.person("Bob").await;
    for odd in
        [v1::ChatStream { frame: None }, v1::ChatStream { frame: Some(v1::chat_stream::Frame::Server(Default::default())) }]
    {
        let mut talk = bob.talks().await;
        talk.sends_raw(odd).await;
        let status = within(talk.answers.message()).await.unwrap_err();
        assert_eq!(told(&status), (Code::InvalidArgument, "invalid".into()));
    }
    let mut talk = bob.talks().await;
    talk.commands(say("general", &"x".repeat(70_000))).await;
    let status = within(talk.answers.message()).await.unwrap_err();
    assert_eq!(told(&status), (Code::OutOfRange, "too_large".into()));
    let mut talk = bob.talks().await;
    talk.sends(ClientFrame { id: Some(7), command: None }).await;
    assert_eq!(talk.hears_lasting().await, "unknown_event 7");
}

#[tokio::test]
async fn a_flood_of_commands_is_answered_one_by_one() {
    let house = House::open().await;
    let bob = house.person("Bob").await;
    bob.says("general", "so that I belong").await;
    let mut talk = bob.talks().await;
    let mut answers = Vec::new();
    for n in 0..400 {
        let command = if n % 4 == 0 {
            Command::History(v1::GetHistory { room: "general".into(), ..v1::GetHistory::default() })
        } else {
            say("general", &n.to_string())
        };
        talk.commands(command).await;
        // The queue of the test holds 64: read what was answered meanwhile.
        if n % 50 == 49 {
            while answers.len() <= n - 49 {
                answers.push(talk.hears_lasting().await);
            }
        }
    }
    while answers.len() < 400 {
        answers.push(talk.hears_lasting().await);
    }
    assert!(answers.into_iter().eq((1..=400).map(|id| format!("ack {id}"))));
}
