//! Read marks, unread counts and mentions.

use salon_core::ports::{Change, ReadMark};
use salon_core::{Seq, UserId};

use crate::kit::{AsMessage, Room, World, stored, user};

async fn counts(room: &Room<'_>, user: &UserId) -> (u64, u64) {
    let member = room.member(user).await;
    (member.unread, member.mentions)
}

async fn reads(room: &Room<'_>, user: &UserId, seq: Seq) -> ReadMark {
    room.world.store.mark_read(&room.id, user, seq, room.world.now()).await.unwrap().expect("a member")
}

pub(crate) async fn unread_counts_messages_and_not_entries(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let id = room.said(&ann, "one").await;
    room.reacts(&ann, &id, "+").await;
    room.edits(&ann, &id, "uno").await;
    let two = room.says(&ann, "two").await;
    room.says(&ann, "three").await;
    assert_eq!(counts(&room, &bob).await, (3, 0));
    let mark = reads(&room, &bob, two.seq).await;
    assert_eq!((mark.seq, mark.unread), (two.seq, 1));
    assert_eq!(counts(&room, &bob).await, (1, 0));
    // Between two messages.
    let mark = reads(&room, &bob, room.head().await).await;
    assert_eq!((mark.seq, mark.unread), (room.head().await, 0));
}

pub(crate) async fn own_messages_are_read(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    room.says(&ann, "one").await;
    room.mentions(&ann, "two", &bob).await;
    assert_eq!((counts(&room, &ann).await, counts(&room, &bob).await), ((0, 0), (2, 1)));
    let answer = room.says(&bob, "three").await;
    assert_eq!((counts(&room, &ann).await, counts(&room, &bob).await), ((1, 0), (0, 0)));
    assert_eq!(room.member(&bob).await.read, answer.seq);
    // Other changes of one's own are no sign of reading.
    room.says(&ann, "four").await;
    room.reacts(&bob, &answer.message().id, "+").await;
    assert_eq!(counts(&room, &bob).await, (1, 0));
}

pub(crate) async fn marks_never_go_back(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    for n in 0..5 {
        room.says(&ann, &n.to_string()).await;
    }
    let head = room.head().await;
    let mark = reads(&room, &bob, Seq(5)).await;
    assert_eq!(mark.unread, 2);
    assert_eq!(reads(&room, &bob, Seq(3)).await, ReadMark { seq: Seq(5), unread: 2, news: None });
    assert_eq!(reads(&room, &bob, Seq(5)).await, ReadMark { seq: Seq(5), unread: 2, news: None });
    assert_eq!(reads(&room, &bob, Seq(head.0 + 1_000)).await.seq, head);
    let stranger = user(7);
    assert_eq!(world.store.mark_read(&room.id, &stranger, head, world.now()).await.unwrap(), None);
}

pub(crate) async fn mentions_are_counted_until_read(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    let room = world.room("general", &[&ann, &bob]).await;
    let (first, news) = room.mentions(&ann, "@Bob", &bob).await;
    assert_eq!(news.len(), 1);
    room.says(&ann, "and").await;
    let (second, _) = room.mentions(&ann, "@Bob!", &bob).await;
    assert_eq!(counts(&room, &bob).await, (3, 2));
    reads(&room, &bob, first.seq).await;
    assert_eq!(counts(&room, &bob).await, (2, 1));
    let members = world.store.members(&room.id, None, 10).await.unwrap();
    assert_eq!(members.iter().map(|member| member.mentions).sum::<u64>(), 1);
    reads(&room, &bob, second.seq).await;
    assert_eq!(counts(&room, &bob).await, (0, 0));
    // Who calls themselves has heard it.
    let (_, news) = room.mentions(&bob, "@Bob?", &bob).await;
    assert_eq!((news.len(), counts(&room, &bob).await), (0, (0, 0)));
    // Who does not belong cannot be called.
    let cid = world.person("Cid").await;
    let (entry, news) = room.mentions(&ann, "@Cid", &cid).await;
    assert_eq!((entry.message().mentions.len(), news.len()), (1, 0));
    room.joins(&cid).await;
    assert_eq!(counts(&room, &cid).await, (0, 0));
}

pub(crate) async fn deleted_messages_still_count_and_their_mentions_do_not(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann, &bob]).await;
    let (entry, _) = room.mentions(&ann, "@Bob", &bob).await;
    assert_eq!(counts(&room, &bob).await, (1, 1));
    stored(room.does(&ann, Change::Delete { id: entry.message().id.clone() }).await);
    assert_eq!(counts(&room, &bob).await, (1, 0));
    assert_eq!(room.now().await.messages, 1);
}
