//! `JoinChat` and `WatchPresence`.

use salon_core::{MemberChange, RoomKind};
use salon_proto::v1::{self, chat_event};
use tonic::Code;

use super::kit::{House, describe, join, message, passes, since, told, within};

#[tokio::test]
async fn a_newcomer_gets_the_last_messages_and_then_what_is_said() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    for text in ["one", "two", "three"] {
        ada.says("general", text).await;
    }
    let mut bobs = bob.listens(v1::JoinRequest { last: Some(2), ..join("general") }).await.unwrap();
    bobs.hears_in_order(["joined at 5", "3: two", "4: three", "5: Bob joined", "caught up at 5"]).await;
    ada.says("general", "four").await;
    assert_eq!(bobs.hears().await, "6: four");
}

#[tokio::test]
async fn a_stream_goes_on_exactly_where_it_was() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let mut bobs = bob.joins("general").await;
    let mut acks = vec![ada.says("general", "1").await];
    bobs.hears_in_order(["2: Ada joined", "3: 1"]).await;
    drop(bobs);
    for n in 2..=300 {
        acks.push(ada.says("general", &n.to_string()).await);
    }
    for from in [0, 150, 299] {
        let mut bobs = bob.listens(since(&acks[from])).await.unwrap();
        let missed = acks[from + 1..].iter().map(|ack| format!("{}: {}", ack.seq, ack.seq - 2));
        let mut expected = vec![format!("joined at {}", acks[299].seq)];
        expected.extend(missed);
        expected.push(format!("caught up at {}", acks[299].seq));
        assert_eq!(bobs.catches_up().await, expected);
    }
}

#[tokio::test]
async fn a_gap_is_told() {
    let house = House::open().await;
    let ada = house.person("Ada").await;
    let ack = ada.says("general", "one").await;
    for odd in [v1::MessageAck { epoch: "other".into(), ..ack.clone() }, v1::MessageAck { seq: 99, ..ack.clone() }] {
        let mut adas = ada.listens(since(&odd)).await.unwrap();
        adas.hears_in_order(["joined at 2 with a gap", "2: one", "caught up at 2"]).await;
    }
    let mut adas = ada.listens(since(&ack)).await.unwrap();
    adas.hears_in_order(["joined at 2", "caught up at 2"]).await;
}

#[tokio::test]
async fn everybody_hears_the_same_in_the_same_order() {
    let house = House::open().await;
    let mut people = Vec::new();
    for name in ["Ada", "Bob", "Cem", "Dee"] {
        people.push(house.person(name).await);
    }
    let mut listeners = Vec::new();
    for person in &people {
        listeners.push(person.joins("general").await);
    }
    let talking = people.iter().map(|person| async move {
        for n in 0..50 {
            person.says("general", &format!("{} {n}", person.identity.user.name)).await;
        }
    });
    futures_util::future::join_all(talking).await;
    let mut logs = Vec::new();
    for listener in &mut listeners {
        let mut log = Vec::new();
        while log.len() < 200 {
            let event = listener.hears().await;
            if !event.ends_with("joined") {
                log.push(event);
            }
        }
        logs.push(log);
    }
    assert!(logs.iter().all(|log| *log == logs[0]));
    for name in ["Ada", "Bob", "Cem", "Dee"] {
        let own: Vec<_> = logs[0].iter().filter_map(|event| event.split_once(&format!(": {name} "))).collect();
        assert!(own.iter().map(|(_, n)| n.parse::<usize>().unwrap()).eq(0..50), "{own:?}");
    }
}

#[tokio::test]
async fn who_reads_nothing_gets_everything_later_and_hinders_nobody() {
    let house = House::open().await;
    let (ada, bob, cem) = (house.person("Ada").await, house.person("Bob").await, house.person("Cem").await);
    let (mut bobs, mut cems) = (bob.joins("general").await, cem.joins("general").await);
    // 6 MB: far more than windows and socket buffers hold.
    let text = "x".repeat(6_000);
    for _ in 0..1_000 {
        ada.says("general", &text).await;
    }
    let mut last = 0;
    while last < 1_003 {
        let Some(chat_event::Event::Entry(entry)) = cems.next().await.unwrap() else { panic!("no entry") };
        last = entry.seq;
    }
    let mut seqs = Vec::new();
    while seqs.last() != Some(&1_003) {
        let Some(chat_event::Event::Entry(entry)) = bobs.next().await.unwrap() else { panic!("no entry") };
        seqs.push(entry.seq);
    }
    assert!(seqs.iter().copied().eq(2..=1_003), "{seqs:?}");
}

#[tokio::test]
async fn a_room_that_may_not_be_seen_is_not_found() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    house.room(&ada, "secret", RoomKind::Private).await;
    for room in ["secret", "nowhere"] {
        let refused = bob.listens(join(room)).await.err().unwrap();
        assert_eq!(told(&refused), (Code::NotFound, "not_found room".into()));
    }
    let refused = bob.listens(join("No Room")).await.err().unwrap();
    assert_eq!(told(&refused), (Code::InvalidArgument, "invalid room".into()));
}

#[tokio::test]
async fn ones_own_log_can_be_followed() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let mut news = bob.joins("@me").await;
    let room = house.room(&ada, "tea", RoomKind::Private).await;
    house.service.change_member(&ada.identity, &room, bob.id(), MemberChange::Invited, None).await.unwrap();
    let Some(chat_event::Event::Entry(entry)) = news.next().await.unwrap() else { panic!("no entry") };
    assert!(matches!(entry.body, Some(v1::entry::Body::RoomAdded(_))), "{}", describe(&entry));
    assert_eq!(entry.room, "@me");
}

#[tokio::test]
async fn ephemeral_events_come_where_they_are_asked_for() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let mut quiet = bob.joins("general").await;
    let mut lively = bob.listens(v1::JoinRequest { ephemeral: true, ..join("general") }).await.unwrap();
    lively.catches_up().await;
    let adas = ada.joins("general").await;
    let mut heard = Vec::new();
    while !heard.iter().any(|event| event == "Ada online") {
        heard.push(lively.hears().await);
    }
    drop(adas);
    ada.says("general", "hi").await;
    quiet.hears_in_order(["2: Ada joined", "3: hi"]).await;
}

#[tokio::test]
async fn presence_is_watched_from_who_is_there_on() {
    let house = House::open().await;
    let (ada, bob, cem) = (house.person("Ada").await, house.person("Bob").await, house.person("Cem").await);
    cem.says("general", "I shall not be there").await;
    let _adas = ada.joins("general").await;
    let request = bob.call(v1::WatchPresenceRequest { room: "general".into() });
    let mut watched = within(bob.client.clone().watch_presence(request)).await.unwrap().into_inner();
    let mut next = async || {
        let presence = within(watched.message()).await.unwrap().unwrap().presence.unwrap();
        (presence.name().to_owned(), presence.status().to_owned())
    };
    let mut there = [next().await.0, next().await.0];
    there.sort();
    assert_eq!(there, ["Ada", "Bob"]);
    passes(50).await;
    let _cems = cem.joins("general").await;
    while next().await != ("Cem".to_owned(), "online".to_owned()) {}
    let refused = bob.client.clone().watch_presence(bob.call(v1::WatchPresenceRequest { room: "nowhere".into() })).await;
    assert_eq!(refused.err().unwrap().code(), Code::NotFound);
    assert_eq!(ada.sends(message("general", "still alive")).await.unwrap().room, "general");
}
