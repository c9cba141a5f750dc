//! Editing, deleting, reacting.

use salon_proto::v1::{self, entry::Body};
use salon_tests::support::{Person, World};

async fn shown(person: &Person, room: &str, id: &str) -> v1::Message {
    let page = person.reads(room).await;
    let found = page.messages.into_iter().find_map(|entry| match entry.body {
        Some(Body::Message(message)) if message.id == id => Some(message),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{id} is not in the newest page of {room}"))
}

#[tokio::test]
async fn an_edit_is_an_entry_and_the_page_shows_the_present() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    let said = alice.says("teh").await;
    let edited = alice.edits(&said, "the").await;
    assert!(!edited.duplicate && edited.seq > Some(said.seq));
    bob.sees("the edit", |entry| matches!(&entry.body, Some(Body::Edit(edit)) if edit.content == "the" && edit.id == said.id))
        .await;
    let message = shown(&bob, "general", &said.id).await;
    assert_eq!(message.content, "the");
    assert!(message.edited_at.is_some());
    let again = alice.edits(&said, "the").await;
    assert_eq!((again.seq, again.duplicate), (None, true), "nothing changed, so there is no entry");
    world.kept_every_promise(&["general"]).await;
}

#[tokio::test]
async fn the_last_acknowledged_edit_wins() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let phone = world.another_device(&alice).await;
    alice.joins("general").await;
    phone.joins("general").await;
    let said = alice.says("0").await;
    for n in 1..=10 {
        let device = if n % 2 == 0 { &alice } else { &phone };
        device.edits(&said, &n.to_string()).await;
        assert_eq!(shown(&phone, "general", &said.id).await.content, n.to_string());
    }
    world.kept_every_promise(&["general"]).await;
}

#[tokio::test]
async fn a_deletion_takes_the_content_everywhere() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    let said = alice.says("a secret with unusual words").await;
    let quote = v1::SendMessage {
        room: "general".into(),
        content: "what?".into(),
        reply_to: Some(said.id.clone()),
        ..Default::default()
    };
    let reply = bob.sends(quote).await;
    alice.edits(&said, "another secret with unusual words").await;
    alice.deletes(&said).await;
    bob.sees("the deletion", |entry| matches!(&entry.body, Some(Body::Delete(gone)) if gone.id == said.id)).await;
    let message = shown(&bob, "general", &said.id).await;
    assert_eq!((message.deleted, &*message.content), (true, ""));
    let quoted = shown(&bob, "general", &reply.id).await.reply_to.unwrap();
    assert_eq!(quoted.excerpt, "");
    let search = v1::GetHistory { room: "general".into(), query: Some("unusual".into()), ..Default::default() };
    assert_eq!(bob.asks(search).await.messages, []);
    // A newcomer's catch-up has the places, not the words.
    let carol = world.person("carol").await;
    carol.joins("general").await;
    carol.catches_up("general").await;
    let heard = format!("{:?}", carol.device.journal.all());
    assert!(!heard.contains("secret"), "{heard}");
    let again = alice.deletes(&said).await;
    assert!(again.duplicate);
    assert_eq!(alice.cannot_edit(&said, "back", "not_found").await.code, "not_found");
    world.kept_every_promise(&["general"]).await;
}

#[tokio::test]
async fn only_its_author_edits_and_only_author_or_moderator_deletes() {
    let world = World::start().await;
    let (alice, bob, carol) = (world.person("alice").await, world.person("bob").await, world.person("carol").await);
    alice.creates_room("attic", "public").await;
    for person in [&alice, &bob, &carol] {
        person.joins("attic").await;
    }
    let said = bob.says("mine").await;
    carol.cannot_edit(&said, "hers", "forbidden").await;
    carol.cannot_delete(&said, "forbidden").await;
    alice.cannot_edit(&said, "the owner's", "forbidden").await;
    alice.deletes(&said).await;
    assert!(shown(&bob, "attic", &said.id).await.deleted);
}

#[tokio::test]
async fn reactions_are_counted_once_per_person() {
    let world = World::start().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    let said = alice.says("cake?").await;
    assert!(!bob.reacts(&said, "🎂").await.duplicate);
    assert!(bob.reacts(&said, "🎂").await.duplicate);
    alice.reacts(&said, "🎂").await;
    alice.reacts(&said, "👍").await;
    alice.sees("the reaction", |entry| matches!(&entry.body, Some(Body::React(it)) if it.emoji == "👍" && !it.remove)).await;
    let counts = |message: &v1::Message| -> Vec<(String, u64, bool)> {
        message.reactions.iter().map(|reaction| (reaction.emoji.clone(), reaction.count, reaction.mine)).collect()
    };
    let message = shown(&bob, "general", &said.id).await;
    assert_eq!(counts(&message), [("🎂".to_owned(), 2, true), ("👍".to_owned(), 1, false)]);
    assert!(!bob.takes_back(&said, "🎂").await.duplicate);
    assert!(bob.takes_back(&said, "🎂").await.duplicate);
    let message = shown(&bob, "general", &said.id).await;
    assert_eq!(counts(&message), [("🎂".to_owned(), 1, false), ("👍".to_owned(), 1, false)]);
    world.kept_every_promise(&["general"]).await;
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_changed() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    alice.joins("general").await;
    let said = alice.says("here").await;
    let elsewhere = v1::MessageAck { room: "nowhere".into(), ..said.clone() };
    let unknown = v1::MessageAck { id: "m_1zzzzzzzzzz".into(), ..said.clone() };
    let nonsense = v1::MessageAck { id: "nonsense".into(), ..said };
    alice.cannot_edit(&elsewhere, "x", "not_found").await;
    alice.cannot_edit(&unknown, "x", "not_found").await;
    alice.cannot_edit(&nonsense, "x", "invalid").await;
}
