//! Pages of history.

use salon_core::ports::{PageQuery, Position, Write};
use salon_core::{MessageId, Seq, Timestamp};

use crate::kit::{AsMessage, Room, World, contents, says, stored, user};

/// Ten messages "1" to "10" at the positions 2, 4 … 20, one second apart, each followed by a reaction.
async fn ten_messages<'w>(world: &'w World) -> Room<'w> {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    for n in 1..=10_i64 {
        let write = Write { at: Timestamp(10_000 + n * 1_000), ..room.write(&ann, says(&n.to_string())).await };
        let id = stored(room.append(write).await).message().id.clone();
        stored(room.reacts(&ann, &id, "+").await);
    }
    room
}

async fn page(room: &Room<'_>, position: Position, limit: u32) -> (String, bool, bool) {
    let page = room.page(room.query(position, limit)).await;
    (contents(&page).join(" "), page.more_before, page.more_after)
}

fn expect(contents: &str, more_before: bool, more_after: bool) -> (String, bool, bool) {
    (contents.to_owned(), more_before, more_after)
}

pub(crate) async fn pages_lie_around_every_kind_of_position(world: &World) {
    let room = ten_messages(world).await;
    let page = async |position, limit| page(&room, position, limit).await;
    assert_eq!(page(Position::Newest, 3).await, expect("8 9 10", true, false));
    assert_eq!(page(Position::Newest, 10).await, expect("1 2 3 4 5 6 7 8 9 10", false, false));
    assert_eq!(page(Position::Before(Seq(8)), 2).await, expect("2 3", true, true));
    assert_eq!(page(Position::Before(Seq(9)), 2).await, expect("3 4", true, true));
    assert_eq!(page(Position::Before(Seq(6)), 2).await, expect("1 2", false, true));
    assert_eq!(page(Position::Before(Seq(2)), 2).await, expect("", false, true));
    assert_eq!(page(Position::Before(Seq(999)), 2).await, expect("9 10", true, false));
    assert_eq!(page(Position::After(Seq(8)), 2).await, expect("5 6", true, true));
    assert_eq!(page(Position::After(Seq(16)), 2).await, expect("9 10", true, false));
    assert_eq!(page(Position::After(Seq(0)), 2).await, expect("1 2", false, true));
    assert_eq!(page(Position::After(Seq(999)), 2).await, expect("", true, false));
    assert_eq!(page(Position::AtSeq(Seq(10)), 4).await, expect("3 4 5 6", true, true));
    assert_eq!(page(Position::AtSeq(Seq(11)), 4).await, expect("4 5 6 7", true, true));
    assert_eq!(page(Position::AtSeq(Seq(20)), 4).await, expect("7 8 9 10", true, false));
    assert_eq!(page(Position::AtTime(Timestamp(15_000)), 2).await, expect("4 5", true, true));
    assert_eq!(page(Position::AtTime(Timestamp(15_001)), 2).await, expect("5 6", true, true));
    assert_eq!(page(Position::AtTime(Timestamp(0)), 2).await, expect("1 2", false, true));
    assert_eq!(page(Position::AtTime(Timestamp(i64::MAX)), 2).await, expect("9 10", true, false));
}

pub(crate) async fn pages_keep_to_what_may_be_seen(world: &World) {
    let room = ten_messages(world).await;
    let page = async |position, limit| {
        let page = room.page(PageQuery { visible_from: Seq(15), ..room.query(position, limit) }).await;
        (contents(&page).join(" "), page.more_before, page.more_after)
    };
    assert_eq!(page(Position::Newest, 10).await, expect("8 9 10", false, false));
    assert_eq!(page(Position::Newest, 2).await, expect("9 10", true, false));
    assert_eq!(page(Position::Before(Seq(4)), 10).await, expect("", false, true));
    assert_eq!(page(Position::After(Seq(1)), 2).await, expect("8 9", false, true));
    assert_eq!(page(Position::AtSeq(Seq(2)), 2).await, expect("8 9", false, true));
    assert_eq!(page(Position::AtTime(Timestamp(0)), 10).await, expect("8 9 10", false, false));
}

pub(crate) async fn pages_of_one_person(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    for n in 1..=6 {
        room.says(if n % 3 == 0 { &bob } else { &ann }, &n.to_string()).await;
    }
    let page = async |position, limit| {
        let page = room.page(PageQuery { user: Some(bob.clone()), ..room.query(position, limit) }).await;
        (contents(&page).join(" "), page.more_before, page.more_after)
    };
    assert_eq!(page(Position::Newest, 5).await, expect("3 6", false, false));
    assert_eq!(page(Position::Newest, 1).await, expect("6", true, false));
    assert_eq!(page(Position::Before(Seq(8)), 5).await, expect("3", false, true));
    let nobody = room.page(PageQuery { user: Some(user(9)), ..room.query(Position::Newest, 5) }).await;
    assert_eq!(nobody, salon_core::ports::Page::default());
}

pub(crate) async fn pages_are_bounded_in_bytes(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    for n in 0..5 {
        room.says(&ann, &n.to_string().repeat(100)).await;
    }
    let page = async |position, bytes_max| {
        let page = room.page(PageQuery { bytes_max, ..room.query(position, 10) }).await;
        let firsts: String = contents(&page).iter().filter_map(|content| content.chars().next()).collect();
        (firsts, page.more_before, page.more_after)
    };
    assert_eq!(page(Position::Newest, 250).await, expect("34", true, false));
    assert_eq!(page(Position::Newest, 1).await, expect("4", true, false));
    assert_eq!(page(Position::After(Seq(1)), 250).await, expect("01", false, true));
    assert_eq!(page(Position::AtSeq(Seq(4)), 300).await, expect("123", true, true));
}

pub(crate) async fn messages_are_found_by_id(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let one = room.says(&ann, "one").await;
    let two = room.says(&ann, "two").await;
    let ids = [two.message().id.clone(), MessageId::mint(Seq(2), 1), MessageId::mint(Seq(99), 1), one.message().id.clone()];
    assert_eq!(world.store.messages(&room.id, &ids).await.unwrap(), [two, one]);
}
