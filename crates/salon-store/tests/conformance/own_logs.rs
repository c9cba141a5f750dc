//! People's own logs.

use salon_core::ports::{Change, News, Write, Written};
use salon_core::{Entry, EntryBody, MemberChange, RoomId, RoomKind, Seq, UserId};

use crate::kit::{AsMessage, World, says, stored};

async fn log(world: &World, owner: &UserId) -> Vec<Entry> {
    world.store.entries(&RoomId::me(owner), Seq::START, 1000, usize::MAX).await.unwrap().expect("everybody has a log").entries
}

pub(crate) async fn news_arrive_with_their_cause(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    let room = world.room("general", &[&ann, &bob]).await;
    let added = log(world, &bob).await;
    assert_eq!(added.len(), 1);
    assert_eq!(added[0].body, EntryBody::RoomAdded { room: room.id.clone() });
    assert_eq!((&added[0].actor, added[0].seq, &added[0].room), (&ann, Seq(1), &RoomId::me(&bob)));
    assert_eq!(log(world, &ann).await, []);

    let (entry, news) = room.mentions(&ann, "@Bob", &bob).await;
    let id = entry.message().id.clone();
    assert_eq!(news[0].body, EntryBody::Mention { room: room.id.clone(), seq: entry.seq, id });
    assert_eq!((news[0].seq, news[0].at, &news[0].actor), (Seq(2), entry.at, &ann));
    assert_eq!(log(world, &bob).await.last(), news.last());

    let change = Change::Member { target: bob.clone(), change: MemberChange::Removed, role: None };
    let write = Write { news: vec![News::RoomRemoved { to: bob.clone() }], ..room.write(&ann, change).await };
    assert!(matches!(room.append(write).await, Written::Stored { news, .. } if news.len() == 1));
    assert_eq!(log(world, &bob).await[2].body, EntryBody::RoomRemoved { room: room.id.clone() });

    let me = world.store.room(&RoomId::me(&bob), &bob).await.unwrap().unwrap().room;
    assert_eq!((me.kind, me.head, me.messages), (RoomKind::Me, Seq(3), 0));
}

pub(crate) async fn a_refused_write_brings_no_news(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    let room = world.room("general", &[&ann]).await;
    let change = Change::Member { target: ann.clone(), change: MemberChange::Joined, role: None };
    let write = Write { news: vec![News::RoomAdded { to: bob.clone() }], ..room.write(&ann, change).await };
    assert_eq!(room.append(write.clone()).await, Written::Unchanged);
    room.joins(&bob).await;
    room.member_changes(&bob, &bob, MemberChange::Left).await;
    assert_eq!(room.append(write).await, Written::StaleAccess);
    assert_eq!(log(world, &bob).await, []);
}

pub(crate) async fn who_has_no_log_is_not_told(world: &World) {
    let ann = world.person("Ann").await;
    let guest = UserId::mint_guest(5);
    let room = world.room("general", &[&ann, &guest]).await;
    let (_, news) = room.mentions(&ann, "@guest", &guest).await;
    assert_eq!((news, room.member(&guest).await.mentions), (vec![], 1));
    assert_eq!(world.store.notify(&guest, "hello", world.now()).await.unwrap(), None);
    let mark = world.store.mark_read(&room.id, &guest, Seq(99), world.now()).await.unwrap().unwrap();
    assert_eq!((mark.unread, mark.news), (0, None));
}

pub(crate) async fn marks_and_notices_arrive_in_the_own_log(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    let room = world.room("general", &[&ann, &bob]).await;
    room.says(&ann, "one").await;
    stored(room.does(&ann, says("two")).await);
    let mark = world.store.mark_read(&room.id, &bob, Seq(3), world.now()).await.unwrap().unwrap();
    let news = mark.news.unwrap();
    assert_eq!(news.body, EntryBody::Read { room: room.id.clone(), seq: Seq(3), unread: 1 });
    assert_eq!((&news.actor, news.seq), (&bob, Seq(2)));
    let notice = world.store.notify(&bob, "the server moves", world.now()).await.unwrap().unwrap();
    assert_eq!(notice.body, EntryBody::Notice { text: "the server moves".into() });
    assert_eq!(log(world, &bob).await[1..], [news, notice]);
    let heads = world.store.heads(&[RoomId::me(&bob)]).await.unwrap();
    assert_eq!(heads[0].seq, Seq(3));
}
