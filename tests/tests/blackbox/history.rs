//! Pages of history: by cursor, by time, by person, by words; and who may see what.

use salon_client::JoinFrom;
use salon_proto::v1::{self, entry::Body};
use salon_tests::support::{Person, World};

fn query() -> v1::GetHistory {
    v1::GetHistory { room: "general".into(), ..Default::default() }
}

fn contents(page: &v1::HistoryPage) -> Vec<String> {
    let content = |entry: &v1::Entry| match &entry.body {
        Some(Body::Message(message)) => message.content.clone(),
        other => panic!("no message in a page: {other:?}"),
    };
    page.messages.iter().map(content).collect()
}

fn numbers(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|n| format!("number {n}")).collect()
}

async fn count_to(person: &Person, last: u32) {
    person.joins("general").await;
    for n in 1..=last {
        person.says(&format!("number {n}")).await;
    }
}

#[tokio::test]
async fn pages_go_back_and_forth() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    count_to(&alice, 25).await;
    let newest = alice.asks(v1::GetHistory { limit: Some(10), ..query() }).await;
    assert_eq!(contents(&newest), numbers(16..=25));
    assert_eq!(newest.next, None);
    let older = alice.asks(v1::GetHistory { limit: Some(10), before: newest.prev, ..query() }).await;
    assert_eq!(contents(&older), numbers(6..=15));
    let oldest = alice.asks(v1::GetHistory { limit: Some(10), before: older.prev.clone(), ..query() }).await;
    assert_eq!((contents(&oldest), oldest.prev), (numbers(1..=5), None));
    let forth = alice.asks(v1::GetHistory { limit: Some(10), after: oldest.next, ..query() }).await;
    assert_eq!(contents(&forth), numbers(6..=15));
}

#[tokio::test]
async fn a_page_can_begin_at_a_time() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    count_to(&alice, 5).await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let middle = alice.says("the middle").await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    alice.says("the end").await;
    let at = Some(middle.timestamp.clone());
    let page = alice.asks(v1::GetHistory { at: at.clone(), limit: Some(4), ..query() }).await;
    assert!(contents(&page).contains(&"the middle".to_owned()), "{page:?}");
    let before = alice.asks(v1::GetHistory { before: at.clone(), ..query() }).await;
    assert_eq!(contents(&before), numbers(1..=5));
    alice.cannot_ask(v1::GetHistory { at: at.clone(), before: at, ..query() }, "invalid").await;
    alice.cannot_ask(v1::GetHistory { before: Some("no cursor of ours".into()), ..query() }, "invalid").await;
}

#[tokio::test]
async fn pages_can_be_of_one_person_or_of_some_words() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    alice.says("Crème brûlée for everyone").await;
    bob.says("I like creme").await;
    bob.says("and coffee").await;
    let page = alice.asks(v1::GetHistory { user: Some(bob.id.clone()), ..query() }).await;
    assert_eq!(contents(&page), ["I like creme", "and coffee"]);
    let words = |words: &str| v1::GetHistory { query: Some(words.into()), ..query() };
    let page = alice.asks(words("CREME")).await;
    assert_eq!(contents(&page), ["Crème brûlée for everyone", "I like creme"], "case and accents do not matter");
    assert_eq!(contents(&alice.asks(words("cof")).await), ["and coffee"], "words are prefixes");
    for strange in ["\"", "(", "AND", "creme NEAR", "*", "content:x", "';--"] {
        alice.asks(words(strange)).await;
    }
}

#[tokio::test]
async fn limits_are_kept() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    count_to(&alice, 3).await;
    for limit in [0, 201, u32::MAX] {
        let asked = alice.device.client.history(v1::GetHistory { limit: Some(limit), ..query() }).await;
        match asked {
            Ok(page) => assert!(page.messages.len() <= 200),
            Err(error) => assert_eq!(error.code(), Some("invalid")),
        }
    }
}

#[tokio::test]
async fn strangers_see_no_history_and_newcomers_what_the_room_allows() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let room = serde_json::json!({ "name": "diary", "kind": "private", "history": "since_join" });
    alice.rest().post("rooms", &room).await.expects(201);
    alice.joins("diary").await;
    let secret = alice.says("before you came").await;
    let query = v1::GetHistory { room: "diary".into(), ..Default::default() };
    bob.cannot_ask(query.clone(), "not_found").await;
    alice.invites(&bob, "diary").await;
    let ack = bob.joins_from("diary", JoinFrom::Last(50)).await;
    bob.catches_up("diary").await;
    alice.says("now you may listen").await;
    bob.hears("now you may listen").await;
    assert_eq!(contents(&bob.asks(query.clone()).await), ["now you may listen"]);
    let search = v1::GetHistory { query: Some("before".into()), ..query };
    assert_eq!(bob.asks(search).await.messages, []);
    let quote = v1::SendMessage { room: "diary".into(), content: "hm".into(), reply_to: Some(secret.id), ..Default::default() };
    bob.cannot_send(quote, "not_found").await;
    bob.leaves("diary").await;
    let from_the_start = v1::Position { epoch: ack.epoch, seq: 0 };
    let ack = bob.joins_from("diary", JoinFrom::Since(from_the_start)).await;
    assert!(ack.gap, "what one may not see cannot be continued");
    bob.catches_up("diary").await;
    let heard = format!("{:?}", bob.device.journal.all());
    assert!(!heard.contains("before you came"), "{heard}");
}

#[tokio::test]
async fn rest_shows_the_same_rooms() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    alice.joins("general").await;
    let reply = alice.rest().get("rooms").await.expects(200);
    assert_eq!(reply.body["rooms"][0]["room"], "general");
    assert_eq!(reply.body["rooms"][0]["role"], "member");
}
