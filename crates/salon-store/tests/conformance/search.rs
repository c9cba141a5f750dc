//! Searching for words.

use salon_core::Seq;
use salon_core::ports::{PageQuery, Position};

use crate::kit::{World, contents, stored, user};

pub(crate) async fn words_are_prefixes_and_all_must_occur(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    for content in ["green tea", "black tea and milk", "teapot", "steam"] {
        room.says(&ann, content).await;
    }
    assert_eq!(room.search("tea").await, ["green tea", "black tea and milk", "teapot"]);
    assert_eq!(room.search("te").await.len(), 3);
    assert_eq!(room.search("milk tea").await, ["black tea and milk"]);
    assert_eq!(room.search("tea coffee").await, Vec::<String>::new());
    assert_eq!(room.search("t").await.len(), 3);
}

pub(crate) async fn case_and_accents_do_not_matter(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    for content in ["L'Été à Évreux", "ete", "Straße", "ÇA VA"] {
        room.says(&ann, content).await;
    }
    assert_eq!(room.search("été").await, ["L'Été à Évreux", "ete"]);
    assert_eq!(room.search("EVREUX").await, ["L'Été à Évreux"]);
    assert_eq!(room.search("l'ete").await, ["L'Été à Évreux"]);
    assert_eq!(room.search("e\u{301}te\u{301}").await, ["L'Été à Évreux", "ete"]);
    assert_eq!(room.search("ça").await, ["ÇA VA"]);
}

pub(crate) async fn nothing_in_a_query_is_syntax(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    room.says(&ann, "AND or not near(5) text: room: \"quoted\" x*y a-b r1").await;
    for query in ["AND", "or", "NOT", "near(5)", "text:", "\"quoted", "\"quoted\"", "x*y", "a-b", "^text", "(near", "{room}", "a\u{0}b"] {
        assert_eq!(room.search(query).await.len(), 1, "{query:?}");
    }
    for query in ["", "  ", "\"", "*", "()", "'; DROP TABLE entries; --", ":-)", "\u{1F600}", "\u{0}", "^", "zzz OR near", "NEAR/2", "zzz*"] {
        assert_eq!(room.search(query).await.len(), 0, "{query:?}");
    }
    // Many words are no trouble either.
    assert_eq!(room.search(&"text ".repeat(5_000)).await.len(), 1);
}

pub(crate) async fn a_search_keeps_to_its_room_and_to_what_may_be_seen(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let other = world.room("other", &[&ann]).await;
    room.says(&ann, "tea early").await;
    other.says(&ann, "tea elsewhere").await;
    let middle = room.says(&bob, "tea in the middle").await;
    room.says(&ann, "tea late").await;
    assert_eq!(room.search("tea").await.len(), 3);
    assert_eq!(other.search("tea").await, ["tea elsewhere"]);
    let query = PageQuery { text: Some("tea".into()), ..room.query(Position::Newest, 10) };
    let seen = room.page(PageQuery { visible_from: middle.seq, ..query.clone() }).await;
    assert_eq!(contents(&seen), ["tea in the middle", "tea late"]);
    let bobs = room.page(PageQuery { user: Some(bob), ..query }).await;
    assert_eq!(contents(&bobs), ["tea in the middle"]);
}

pub(crate) async fn edits_and_deletions_are_searched_at_once(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let id = room.said(&ann, "coffee").await;
    assert_eq!(room.search("coffee").await, ["coffee"]);
    stored(room.edits(&ann, &id, "tea").await);
    assert_eq!((room.search("coffee").await.len(), room.search("tea").await.len()), (0, 1));
    stored(room.edits(&ann, &id, "tea again").await);
    assert_eq!(room.search("again").await, ["tea again"]);
    stored(room.deletes(&ann, &id).await);
    assert_eq!((room.search("tea").await.len(), room.search("again").await.len()), (0, 0));
    // Edited and deleted before anybody has searched.
    let (edited, deleted) = (room.said(&ann, "water").await, room.said(&ann, "wine").await);
    stored(room.edits(&ann, &edited, "milk").await);
    stored(room.deletes(&ann, &deleted).await);
    assert_eq!(room.search("w").await, Vec::<String>::new());
    assert_eq!(room.search("milk").await, ["milk"]);
}

pub(crate) async fn a_search_has_pages(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    for n in 0..40 {
        room.says(&ann, &format!("{} {n}", if n % 2 == 0 { "even" } else { "odd" })).await;
    }
    let page = async |position, limit| {
        let query = PageQuery { text: Some("even".into()), ..room.query(position, limit) };
        let page = room.page(query).await;
        (contents(&page), page.more_before, page.more_after)
    };
    assert_eq!(page(Position::Newest, 2).await, (vec!["even 36".into(), "even 38".into()], true, false));
    // "even 36" is at 38.
    assert_eq!(page(Position::Before(Seq(38)), 1).await, (vec!["even 34".into()], true, true));
    assert_eq!(page(Position::After(Seq(38)), 5).await, (vec!["even 38".into()], true, false));
    assert_eq!(page(Position::AtSeq(Seq(10)), 2).await, (vec!["even 6".into(), "even 8".into()], true, true));
    assert_eq!(page(Position::Before(Seq(3)), 5).await, (vec!["even 0".into()], false, true));
}

pub(crate) async fn a_trimmed_room_can_be_searched(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    for n in 0..10 {
        room.says(&ann, &format!("tea {n}")).await;
    }
    assert_eq!(room.search("tea").await.len(), 10);
    world.store.trim(&room.id, Seq(9)).await.unwrap();
    assert_eq!(room.search("tea").await, ["tea 7", "tea 8", "tea 9"]);
    room.says(&ann, "tea last").await;
    world.store.trim(&room.id, Seq(99)).await.unwrap();
    assert_eq!(room.search("tea").await, Vec::<String>::new());
    room.says(&ann, "tea again").await;
    assert_eq!(room.search("tea").await, ["tea again"]);
}
