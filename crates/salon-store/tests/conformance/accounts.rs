//! People, invitations, settings.

use salon_core::ports::{Invite, InviteUse, NewAccount, NewInvite, SignUp};
use salon_core::{RoomId, Seq, Timestamp, UserId};

use crate::kit::{World, user};

fn invite(hash: u8, uses_max: u32) -> NewInvite {
    NewInvite { hash: [hash; 32], created_by: None, room: None, admin: false, uses_max, at: Timestamp(0), expires_at: None }
}

pub(crate) async fn people_are_found(world: &World) {
    let account = world.account("Ann Lee");
    let ann = world.signs_up(account.clone()).await;
    let bob = world.signs_up(NewAccount { admin: true, ..world.account("Bob") }).await;
    assert_eq!((ann.admin, ann.disabled, ann.created_at, &*ann.name), (false, false, account.at, "Ann Lee"));
    let store = &world.store;
    assert_eq!(store.user(&ann.id).await.unwrap(), Some(ann.clone()));
    assert_eq!(store.user(&user(77)).await.unwrap(), None);
    let found = store.user_by_email(" ANN.lee@Example.ORG").await.unwrap().unwrap();
    assert_eq!((found.user, found.password), (ann.clone(), account.password));
    assert!(store.user_by_email("nobody@example.org").await.unwrap().is_none());
    let names = store.names(&[bob.id.clone(), user(77), ann.id.clone()]).await.unwrap();
    assert_eq!(names, [(bob.id.clone(), "Bob".to_owned()), (ann.id.clone(), "Ann Lee".to_owned())]);

    let search = async |prefix: &str, after: Option<&UserId>, limit| {
        store.users(prefix, after, limit).await.unwrap().into_iter().map(|user| user.id).collect::<Vec<_>>()
    };
    let all = [ann.id.clone(), bob.id.clone()];
    assert_eq!(search("", None, 10).await, all);
    assert_eq!(search("", Some(&ann.id), 10).await, all[1..]);
    assert_eq!(search("", None, 1).await, all[..1]);
    assert_eq!(search("ANN L", None, 10).await, all[..1]);
    assert_eq!(search("bob@ex", None, 10).await, all[1..]);
    assert_eq!(search("lee", None, 10).await, []);
    assert_eq!(search("a%", None, 10).await, []);

    let me = store.room(&RoomId::me(&ann.id), &ann.id).await.unwrap().unwrap().room;
    assert_eq!((me.epoch, me.head), (account.epoch, Seq::START));
}

pub(crate) async fn addresses_are_unique_whatever_their_case(world: &World) {
    assert!(!world.store.has_admin().await.unwrap());
    world.signs_up(NewAccount { email: "Ann@Example.org".into(), ..world.account("Ann") }).await;
    assert!(!world.store.has_admin().await.unwrap());
    let again = NewAccount { email: "ann@EXAMPLE.ORG ".into(), ..world.account("Other") };
    assert_eq!(world.store.sign_up(again.clone()).await.unwrap(), SignUp::EmailTaken);
    assert_eq!(world.store.user(&again.id).await.unwrap(), None);
    assert_eq!(world.store.room(&RoomId::me(&again.id), &again.id).await.unwrap(), None);
    let found = world.store.user_by_email("ann@example.org").await.unwrap().unwrap();
    assert_eq!((&*found.user.email, &*found.user.name), ("Ann@Example.org", "Ann"));
}

pub(crate) async fn an_invitation_is_used_as_often_as_it_says(world: &World) {
    let (store, ann) = (&world.store, user(1));
    let room = world.room("general", &[&ann]).await;
    let expires_at = Some(Timestamp(2_000_000));
    let new = NewInvite { room: Some(room.id.clone()), created_by: Some(ann.clone()), expires_at, ..invite(1, 2) };
    store.put_invite(new).await.unwrap();
    let seen = Invite { room: Some(room.id.clone()), admin: false, created_by: Some(ann) };
    assert_eq!(store.invite(&[1; 32], world.now()).await.unwrap(), Some(seen.clone()));
    assert_eq!(store.invite(&[1; 32], Timestamp(2_000_000)).await.unwrap(), None);
    assert_eq!(store.invite(&[2; 32], world.now()).await.unwrap(), None);

    let account = NewAccount { invite: Some([1; 32]), ..world.account("Bob") };
    let signed_up = store.sign_up(account).await.unwrap();
    assert!(matches!(signed_up, SignUp::Created { room: Some(to), user } if to == room.id && !user.admin));
    assert_eq!(store.use_invite(&[1; 32], world.now()).await.unwrap(), InviteUse::Used(seen));
    assert_eq!(store.use_invite(&[1; 32], world.now()).await.unwrap(), InviteUse::Invalid);
    assert_eq!(store.invite(&[1; 32], world.now()).await.unwrap(), None);
    let late = NewAccount { invite: Some([1; 32]), ..world.account("Cid") };
    assert_eq!(store.sign_up(late.clone()).await.unwrap(), SignUp::InviteInvalid);
    assert_eq!(store.user(&late.id).await.unwrap(), None);
}

pub(crate) async fn an_invitation_survives_a_refused_sign_up(world: &World) {
    let store = &world.store;
    world.person("Ann").await;
    store.put_invite(NewInvite { admin: true, ..invite(1, 1) }).await.unwrap();
    let taken = NewAccount { invite: Some([1; 32]), ..world.account("Ann") };
    assert_eq!(store.sign_up(taken).await.unwrap(), SignUp::EmailTaken);
    let admin = world.signs_up(NewAccount { invite: Some([1; 32]), ..world.account("Bob") }).await;
    assert!(admin.admin && store.has_admin().await.unwrap());
}

pub(crate) async fn setup_invitations_can_be_withdrawn(world: &World) {
    let store = &world.store;
    store.put_invite(NewInvite { admin: true, ..invite(1, 1) }).await.unwrap();
    store.put_invite(NewInvite { admin: true, created_by: Some(user(1)), ..invite(2, 1) }).await.unwrap();
    store.put_invite(invite(3, 1)).await.unwrap();
    store.withdraw_setup_invites().await.unwrap();
    assert_eq!(store.invite(&[1; 32], world.now()).await.unwrap(), None);
    assert!(store.invite(&[2; 32], world.now()).await.unwrap().is_some());
    assert!(store.invite(&[3; 32], world.now()).await.unwrap().is_some());
}

pub(crate) async fn names_change(world: &World) {
    let (ann, store) = (world.person("Ann").await, &world.store);
    let changed = store.update_user(&ann, Some("Anna"), None, world.now()).await.unwrap().unwrap();
    assert_eq!((&changed.id, &*changed.name), (&ann, "Anna"));
    assert_eq!(store.user(&ann).await.unwrap(), Some(changed));
    assert_eq!(store.users("anna", None, 5).await.unwrap().len(), 1);
    assert_eq!(store.update_user(&user(77), Some("X"), Some("y"), world.now()).await.unwrap(), None);
    assert_eq!(store.revocations(None).await.unwrap(), []);
}

pub(crate) async fn settings_and_keys_are_kept(world: &World) {
    let store = &world.store;
    assert_eq!(store.setting_or_insert("key", b"one").await.unwrap(), b"one");
    assert_eq!(store.setting_or_insert("key", b"two").await.unwrap(), b"one");
    assert_eq!(store.setting_or_insert("other", b"two").await.unwrap(), b"two");
    assert_eq!(store.public_key("k1").await.unwrap(), None);
    store.publish_key("k1", &[0, 255, 7], world.now()).await.unwrap();
    store.publish_key("k1", &[0, 255, 7], world.now()).await.unwrap();
    assert_eq!(store.public_key("k1").await.unwrap(), Some(vec![0, 255, 7]));
    store.ready().await.unwrap();
}
