//! Reactions, one by one in the log and added up in pages.

use salon_core::EntryBody;
use salon_core::ports::{PageQuery, Position, Reaction, Written};

use crate::kit::{Room, World, stored, user};

async fn shown(room: &Room<'_>, asker: u128) -> Vec<(String, u64, bool)> {
    let page = room.page(PageQuery { asker: user(asker), ..room.query(Position::Newest, 10) }).await;
    let last = page.messages.into_iter().next_back().unwrap();
    last.reactions.into_iter().map(|Reaction { emoji, count, mine }| (emoji, count, mine)).collect()
}

fn row(emoji: &str, count: u64, mine: bool) -> (String, u64, bool) {
    (emoji.to_owned(), count, mine)
}

pub(crate) async fn reactions_are_counted_in_the_order_of_their_first_use(world: &World) {
    let (ann, bob, cid) = (user(1), user(2), user(3));
    let room = world.room("general", &[&ann, &bob, &cid]).await;
    let other = room.said(&ann, "something else").await;
    let id = room.said(&ann, "hello").await;
    room.reacts(&cid, &other, "z").await;
    let entry = stored(room.reacts(&bob, &id, "z").await);
    assert_eq!(entry.body, EntryBody::React { id: id.clone(), emoji: "z".into(), remove: false });
    room.reacts(&ann, &id, "a").await;
    room.reacts(&ann, &id, "z").await;
    room.reacts(&cid, &id, "z").await;
    assert_eq!(shown(&room, 1).await, [row("z", 3, true), row("a", 1, true)]);
    assert_eq!(shown(&room, 2).await, [row("z", 3, true), row("a", 1, false)]);
    assert_eq!(shown(&room, 9).await, [row("z", 3, false), row("a", 1, false)]);
    // Who took the first one back leaves the next in line: "a" is older than Ann's "z".
    let back = stored(room.takes_back(&bob, &id, "z").await);
    assert_eq!(back.body, EntryBody::React { id, emoji: "z".into(), remove: true });
    assert_eq!(shown(&room, 1).await, [row("a", 1, true), row("z", 2, true)]);
}

pub(crate) async fn a_reaction_that_changes_nothing_makes_no_entry(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let id = room.said(&ann, "hello").await;
    stored(room.reacts(&bob, &id, "+").await);
    let head = room.head().await;
    assert_eq!(room.reacts(&bob, &id, "+").await, Written::Unchanged);
    assert_eq!(room.takes_back(&bob, &id, "-").await, Written::Unchanged);
    assert_eq!(room.takes_back(&ann, &id, "+").await, Written::Unchanged);
    assert_eq!(room.head().await, head);
    stored(room.takes_back(&bob, &id, "+").await);
    assert_eq!(room.takes_back(&bob, &id, "+").await, Written::Unchanged);
    assert_eq!(shown(&room, 2).await, []);
}

pub(crate) async fn reactions_go_with_their_message(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let id = room.said(&ann, "hello").await;
    stored(room.reacts(&bob, &id, "+").await);
    stored(room.deletes(&ann, &id).await);
    assert_eq!(shown(&room, 2).await, []);
}
