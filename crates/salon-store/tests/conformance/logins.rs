//! Logins, refresh tokens, tickets, revocations.

use salon_core::ports::{NewLogin, Revocation, Rotation, Ticket};
use salon_core::{LoginId, Timestamp, UserId};

use crate::kit::{World, user};

const EXPIRES: Timestamp = Timestamp(5_000_000);

/// A login whose refresh token and cookie are recognised by the number.
async fn login(world: &World, user: &UserId, n: u8) -> LoginId {
    let id = LoginId::mint(u128::from(n));
    let (refresh, cookie) = ([n; 32], [n + 100; 32]);
    let new = NewLogin { id: id.clone(), user: user.clone(), refresh, cookie, at: world.now(), expires_at: EXPIRES };
    world.store.create_login(new).await.unwrap();
    id
}

pub(crate) async fn a_login_lives_until_it_ends(world: &World) {
    let (ann, store) = (world.person("Ann").await, &world.store);
    let id = login(world, &ann, 1).await;
    let found = store.login(&id, world.now()).await.unwrap().unwrap();
    assert_eq!((&found.id, &found.user.id, found.expires_at), (&id, &ann, EXPIRES));
    assert_eq!(store.login_by_cookie(&[101; 32], world.now()).await.unwrap(), Some(found));
    assert_eq!(store.login_by_cookie(&[1; 32], world.now()).await.unwrap(), None);
    assert_eq!(store.login(&id, EXPIRES).await.unwrap(), None);
    assert!(store.login(&id, Timestamp(EXPIRES.0 - 1)).await.unwrap().is_some());
    assert!(!store.revoke(&user(77), Some(&id), world.now()).await.unwrap());
    assert!(store.revoke(&ann, Some(&id), world.now()).await.unwrap());
    assert!(!store.revoke(&ann, Some(&id), world.now()).await.unwrap());
    assert_eq!(store.login(&id, world.now()).await.unwrap(), None);
    assert_eq!(store.login_by_cookie(&[101; 32], world.now()).await.unwrap(), None);
    assert_eq!(store.rotate_refresh(&[1; 32], &[9; 32], world.now()).await.unwrap(), Rotation::Unknown);
}

pub(crate) async fn a_refresh_token_is_rotated_once(world: &World) {
    let (ann, store) = (world.person("Ann").await, &world.store);
    let id = login(world, &ann, 1).await;
    let other = login(world, &ann, 2).await;
    for n in 10..13_u8 {
        let old = if n == 10 { 1 } else { n - 1 };
        let rotated = store.rotate_refresh(&[old; 32], &[n; 32], world.now()).await.unwrap();
        assert!(matches!(rotated, Rotation::Rotated(login) if login.id == id && login.expires_at == EXPIRES));
    }
    assert_eq!(store.rotate_refresh(&[77; 32], &[78; 32], world.now()).await.unwrap(), Rotation::Unknown);
    // Whoever presents an old one has stolen it, or was robbed.
    let reused = store.rotate_refresh(&[10; 32], &[13; 32], world.now()).await.unwrap();
    assert_eq!(reused, Rotation::Reused(id.clone(), ann.clone()));
    assert_eq!(store.login(&id, world.now()).await.unwrap(), None);
    assert_eq!(store.rotate_refresh(&[12; 32], &[14; 32], world.now()).await.unwrap(), Rotation::Unknown);
    assert!(store.login(&other, world.now()).await.unwrap().is_some());
    let last = store.revocations(None).await.unwrap();
    assert_eq!((&last[0].user, &last[0].login), (&ann, &Some(id)));
    assert_eq!(store.rotate_refresh(&[2; 32], &[15; 32], EXPIRES).await.unwrap(), Rotation::Unknown);
}

pub(crate) async fn a_new_password_ends_every_login(world: &World) {
    let (ann, bob, store) = (world.person("Ann").await, world.person("Bob").await, &world.store);
    let (one, two) = (login(world, &ann, 1).await, login(world, &ann, 2).await);
    let bobs = login(world, &bob, 3).await;
    store.update_user(&ann, Some("Anna"), None, world.now()).await.unwrap();
    assert!(store.login(&one, world.now()).await.unwrap().is_some());
    store.update_user(&ann, None, Some("$new"), world.now()).await.unwrap().unwrap();
    for id in [&one, &two] {
        assert_eq!(store.login(id, world.now()).await.unwrap(), None);
    }
    assert!(store.login(&bobs, world.now()).await.unwrap().is_some());
    assert_eq!(store.user_by_email("ann@example.org").await.unwrap().unwrap().password, "$new");
    let last = store.revocations(None).await.unwrap();
    assert_eq!((&last[0].user, &last[0].login), (&ann, &None));
}

pub(crate) async fn revocations_are_numbered(world: &World) {
    let (ann, bob, store) = (world.person("Ann").await, world.person("Bob").await, &world.store);
    assert_eq!(store.revocations(None).await.unwrap(), []);
    assert_eq!(store.revocations(Some(0)).await.unwrap(), []);
    let id = login(world, &ann, 1).await;
    assert!(store.revoke(&ann, Some(&id), world.now()).await.unwrap());
    let [first] = store.revocations(None).await.unwrap().try_into().unwrap();
    assert_eq!(store.revocations(Some(first.number)).await.unwrap(), []);
    // All of somebody's are ended even where there is no login: a token may have let them in.
    assert!(!store.revoke(&bob, None, world.now()).await.unwrap());
    login(world, &bob, 2).await;
    login(world, &bob, 3).await;
    assert!(store.revoke(&bob, None, world.now()).await.unwrap());
    let later = store.revocations(Some(first.number)).await.unwrap();
    assert_eq!(later.len(), 2);
    assert!(later.iter().all(|revocation| revocation.user == bob && revocation.login.is_none()));
    assert!(first.number < later[0].number && later[0].number < later[1].number);
    assert_eq!(first, Revocation { number: first.number, user: ann, login: Some(id) });
    assert_eq!(store.revocations(None).await.unwrap(), later[1..]);
    assert_eq!(store.revocations(Some(0)).await.unwrap().len(), 3);
}

pub(crate) async fn a_ticket_is_taken_once(world: &World) {
    let store = &world.store;
    let ticket = Ticket {
        user: user(1),
        login: Some(LoginId::mint(3)),
        session_expires_at: Some(Timestamp(99)),
        expires_at: Timestamp(9_000),
    };
    store.put_ticket(&[1; 32], ticket.clone()).await.unwrap();
    store.put_ticket(&[2; 32], Ticket { login: None, session_expires_at: None, ..ticket.clone() }).await.unwrap();
    store.put_ticket(&[3; 32], ticket.clone()).await.unwrap();
    assert_eq!(store.take_ticket(&[1; 32], Timestamp(8_999)).await.unwrap(), Some(ticket));
    assert_eq!(store.take_ticket(&[1; 32], Timestamp(8_999)).await.unwrap(), None);
    assert_eq!(store.take_ticket(&[2; 32], Timestamp(8_999)).await.unwrap().unwrap().login, None);
    assert_eq!(store.take_ticket(&[3; 32], Timestamp(9_000)).await.unwrap(), None);
    assert_eq!(store.take_ticket(&[4; 32], Timestamp(0)).await.unwrap(), None);
}
