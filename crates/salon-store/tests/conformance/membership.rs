//! Who belongs to a room.

use salon_core::ports::{Change, NewRoom, Written};
use salon_core::{HistoryPolicy, MemberChange, Role, RoomChange, RoomKind, Seq, Standing};

use crate::kit::{World, stored, user};

pub(crate) async fn joining_and_leaving_keep_everything_in_step(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann]).await;
    assert_eq!((room.now().await.members, room.standing(&bob).await), (1, Standing::Stranger));
    let joined = room.joins(&bob).await;
    let member = room.member(&bob).await;
    assert_eq!((member.role, member.read, member.unread), (Role::Member, joined.seq, 0));
    assert_eq!(room.now().await.members, 2);
    assert_eq!(room.member_changes(&bob, &bob, MemberChange::Joined).await, Written::Unchanged);
    stored(room.member_changes(&bob, &bob, MemberChange::Left).await);
    assert_eq!((room.now().await.members, room.standing(&bob).await), (1, Standing::Stranger));
    assert_eq!(room.member_changes(&bob, &bob, MemberChange::Left).await, Written::Unchanged);
    assert_eq!(room.member_changes(&ann, &bob, MemberChange::Removed).await, Written::Unchanged);
    assert_eq!(world.store.members(&room.id, None, 10).await.unwrap().len(), 1);
}

pub(crate) async fn a_ban_stays_until_it_is_lifted_by_removing(world: &World) {
    let (ann, bob, cid) = (user(1), user(2), user(3));
    let room = world.room("general", &[&ann, &bob]).await;
    stored(room.member_changes(&ann, &bob, MemberChange::Banned).await);
    assert_eq!((room.standing(&bob).await, room.now().await.members), (Standing::Banned, 1));
    assert_eq!(room.member_changes(&ann, &bob, MemberChange::Banned).await, Written::Unchanged);
    // Neither can one lift it by oneself, nor can any member who may invite.
    assert_eq!(room.member_changes(&bob, &bob, MemberChange::Left).await, Written::Unchanged);
    assert_eq!(room.member_changes(&ann, &bob, MemberChange::Invited).await, Written::Unchanged);
    assert_eq!(room.standing(&bob).await, Standing::Banned);
    stored(room.member_changes(&ann, &bob, MemberChange::Removed).await);
    assert_eq!((room.standing(&bob).await, room.now().await.members), (Standing::Stranger, 1));
    // Who does not belong can be banned beforehand.
    stored(room.member_changes(&ann, &cid, MemberChange::Banned).await);
    assert_eq!((room.standing(&cid).await, room.now().await.members), (Standing::Banned, 1));
}

pub(crate) async fn an_invitation_is_a_standing(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room_like(world.new_room("secret", RoomKind::Private, &[&ann])).await;
    stored(room.member_changes(&ann, &bob, MemberChange::Invited).await);
    assert_eq!((room.standing(&bob).await, room.now().await.members), (Standing::Invited, 1));
    assert_eq!(room.member_changes(&ann, &bob, MemberChange::Invited).await, Written::Unchanged);
    // It can be declined, withdrawn, accepted.
    stored(room.member_changes(&bob, &bob, MemberChange::Left).await);
    assert_eq!(room.standing(&bob).await, Standing::Stranger);
    stored(room.member_changes(&ann, &bob, MemberChange::Invited).await);
    stored(room.member_changes(&ann, &bob, MemberChange::Removed).await);
    assert_eq!(room.standing(&bob).await, Standing::Stranger);
    stored(room.member_changes(&ann, &bob, MemberChange::Invited).await);
    room.joins(&bob).await;
    assert_eq!(room.now().await.members, 2);
    assert_eq!(room.member_changes(&ann, &bob, MemberChange::Invited).await, Written::Unchanged);
}

pub(crate) async fn newcomers_see_what_the_room_shows_them(world: &World) {
    let (ann, bob, cid) = (user(1), user(2), user(3));
    let new = NewRoom { history: HistoryPolicy::SinceJoin, ..world.new_room("secret", RoomKind::Private, &[&ann]) };
    let room = world.room_like(new).await;
    room.says(&ann, "before").await;
    let joined = room.joins(&bob).await;
    assert_eq!(room.member(&bob).await.visible_from, joined.seq);
    stored(room.changes(&ann, RoomChange { history: Some(HistoryPolicy::All), ..RoomChange::default() }).await);
    // What somebody may see does not change behind their back.
    assert_eq!(room.member(&bob).await.visible_from, joined.seq);
    room.joins(&cid).await;
    assert_eq!(room.member(&cid).await.visible_from, Seq(1));
    // Coming back is joining anew.
    stored(room.member_changes(&bob, &bob, MemberChange::Left).await);
    room.says(&ann, "meanwhile").await;
    let again = room.joins(&bob).await;
    let member = room.member(&bob).await;
    assert_eq!((member.visible_from, member.read, member.unread), (Seq(1), again.seq, 0));
}

pub(crate) async fn roles_change_for_members_only(world: &World) {
    let (ann, bob, cid) = (user(1), user(2), user(3));
    let room = world.room("general", &[&ann, &bob]).await;
    let promote = |target: &salon_core::UserId, role| Change::Member { target: target.clone(), change: MemberChange::Role, role };
    room.says(&ann, "hello").await;
    let before = room.member(&bob).await;
    stored(room.does(&ann, promote(&bob, Some(Role::Moderator))).await);
    let after = room.member(&bob).await;
    assert_eq!(after, salon_core::Member { role: Role::Moderator, ..before });
    assert_eq!(room.does(&ann, promote(&bob, Some(Role::Moderator))).await, Written::Unchanged);
    assert_eq!(room.does(&ann, promote(&bob, None)).await, Written::Unchanged);
    assert_eq!(room.does(&ann, promote(&cid, Some(Role::Owner))).await, Written::Unchanged);
    assert_eq!(room.now().await.members, 2);
    assert_eq!(room.member(&ann).await.role, Role::Owner);
}

pub(crate) async fn what_may_take_access_away_makes_a_new_version(world: &World) {
    let (ann, bob) = (user(1), user(2));
    let room = world.room("general", &[&ann]).await;
    let mut version = room.now().await.access;
    let changes = [
        (MemberChange::Invited, false),
        (MemberChange::Joined, false),
        (MemberChange::Left, true),
        (MemberChange::Banned, true),
        (MemberChange::Removed, true),
    ];
    for (change, takes_away) in changes {
        stored(room.member_changes(&ann, &bob, change).await);
        let now = room.now().await.access;
        assert_eq!(now > version, takes_away, "{change:?}");
        version = now;
    }
    stored(room.changes(&ann, RoomChange { topic: Some("tea".into()), ..RoomChange::default() }).await);
    assert!(room.now().await.access > version);
    let version = room.now().await.access;
    let id = room.said(&ann, "hello").await;
    room.edits(&ann, &id, "bye").await;
    room.reacts(&ann, &id, "+").await;
    room.deletes(&ann, &id).await;
    room.member_changes(&ann, &ann, MemberChange::Joined).await;
    assert_eq!(room.now().await.access, version);
}

pub(crate) async fn settings_change_where_they_differ(world: &World) {
    let ann = user(1);
    let room = world.room("general", &[&ann]).await;
    let change = RoomChange { title: Some("Tea".into()), archived: Some(true), ..RoomChange::default() };
    let entry = stored(room.changes(&ann, change.clone()).await);
    assert_eq!(entry.body, salon_core::EntryBody::Room(change.clone()));
    let now = room.now().await;
    assert_eq!((&*now.title, &*now.topic, now.archived, now.history), ("Tea", "", true, HistoryPolicy::All));
    assert_eq!(room.changes(&ann, change).await, Written::Unchanged);
    assert_eq!(room.changes(&ann, RoomChange::default()).await, Written::Unchanged);
    assert_eq!(room.head().await, entry.seq);
}
