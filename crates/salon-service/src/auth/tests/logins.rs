//! Logins from their beginning to each of their ends.

use salon_core::ErrorCode;
use salon_proto::link::open_session::Credential;

use super::*;

fn token(granted: &Granted) -> Credential {
    Credential::Token(granted.access_token.expose().to_owned())
}

fn cookie(granted: &Granted) -> Credential {
    Credential::Cookie(granted.cookie.as_ref().unwrap().expose().to_owned())
}

#[tokio::test]
async fn a_login_is_proved_by_token_cookie_and_ticket() {
    let world = World::new(SignupPolicy::Open);
    let auth = world.auth().await;
    let ann = auth.newcomer("ann@example.org").await;
    assert_eq!((&*ann.user.name, ann.user.admin), ("ann", false));
    let by_token = auth.open(&token(&ann)).await.unwrap();
    let by_cookie = auth.open(&cookie(&ann)).await.unwrap();
    let ticket = auth.ticket(&by_token).await.unwrap();
    let by_ticket = auth.open(&Credential::Ticket(ticket.expose().to_owned())).await.unwrap();
    assert_eq!(by_token, ann.identity());
    assert_eq!(by_cookie, by_token);
    assert_eq!(by_ticket, by_token);
}

#[tokio::test]
async fn secrets_are_not_taken_for_one_another() {
    let world = World::new(SignupPolicy::Open);
    let auth = world.auth().await;
    let ann = auth.newcomer("ann@example.org").await;
    let refresh = ann.refresh_token.expose().to_owned();
    for wrong in [Credential::Cookie(refresh.clone()), Credential::Ticket(refresh.clone()), Credential::Token(refresh)] {
        assert_eq!(auth.open(&wrong).await.unwrap_err().code, ErrorCode::Unauthenticated);
    }
    assert!(auth.refresh(ann.cookie.as_ref().unwrap().expose()).await.is_err());
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_told_alike() {
    let world = World::new(SignupPolicy::Open);
    let auth = world.auth().await;
    auth.newcomer("ann@example.org").await;
    let wrong = auth.log_in("ann@example.org", "wrong horse".into(), PEER).await.unwrap_err();
    let unknown = auth.log_in("nobody@example.org", "wrong horse".into(), PEER).await.unwrap_err();
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.code, ErrorCode::Unauthenticated);
    let again = auth.log_in(" Ann@Example.org ", PASSWORD.into(), PEER).await.unwrap();
    assert_eq!(again.user.email, "ann@example.org");
}

#[tokio::test]
async fn guessing_is_limited_per_account_and_the_right_password_has_to_wait_too() {
    let world = World::new(SignupPolicy::Open);
    let auth = world.auth().await;
    auth.newcomer("ann@example.org").await;
    let mut refusals = Vec::new();
    for n in 0..12 {
        let refused = auth.log_in("ann@example.org", "x".into(), &format!("192.0.2.{n}")).await.unwrap_err();
        refusals.push(refused.code);
    }
    // Signing up was the first of ten.
    assert!(refusals[..9].iter().all(|code| *code == ErrorCode::Unauthenticated), "{refusals:?}");
    assert!(refusals[9..].iter().all(|code| *code == ErrorCode::RateLimited), "{refusals:?}");
    let refused = auth.log_in("ann@example.org", PASSWORD.into(), PEER).await.unwrap_err();
    world.clock.advance_ms(i64::try_from(refused.retry_after_ms.unwrap()).unwrap());
    assert!(auth.log_in("ann@example.org", PASSWORD.into(), PEER).await.is_ok());
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_reuse_ends_the_login() {
    let world = World::new(SignupPolicy::Open);
    let auth = world.auth().await;
    let first = auth.newcomer("ann@example.org").await;
    let second = auth.refresh(first.refresh_token.expose()).await.unwrap();
    assert_eq!(second.login, first.login);
    assert!(auth.open(&token(&second)).await.is_ok());
    let stolen = auth.refresh(first.refresh_token.expose()).await.unwrap_err();
    assert_eq!(stolen.code, ErrorCode::Unauthenticated);
    assert_eq!(world.bus.revoked(), [format!("{}/{}", first.user.id, first.login)]);
    for credential in [token(&first), token(&second), cookie(&first)] {
        assert_eq!(auth.open(&credential).await.unwrap_err().code, ErrorCode::Unauthenticated);
    }
    assert!(auth.refresh(second.refresh_token.expose()).await.is_err());
}

#[tokio::test]
async fn a_logout_ends_tokens_cookie_and_tickets_of_this_login_only() {
    let world = World::new(SignupPolicy::Open);
    let auth = world.auth().await;
    let phone = auth.newcomer("ann@example.org").await;
    let laptop = auth.log_in("ann@example.org", PASSWORD.into(), PEER).await.unwrap();
    let ticket = auth.ticket(&phone.identity()).await.unwrap();
    auth.log_out(&phone.identity()).await.unwrap();
    let ticket = Credential::Ticket(ticket.expose().to_owned());
    for credential in [token(&phone), cookie(&phone), ticket] {
        assert_eq!(auth.open(&credential).await.unwrap_err().code, ErrorCode::Unauthenticated);
    }
    assert!(auth.refresh(phone.refresh_token.expose()).await.is_err());
    assert!(auth.open(&token(&laptop)).await.is_ok());
    assert_eq!(world.bus.revoked(), [format!("{}/{}", phone.user.id, phone.login)]);
}

#[tokio::test]
async fn a_ticket_is_good_once_and_for_thirty_seconds() {
    let world = World::new(SignupPolicy::Open);
    let auth = world.auth().await;
    let ann = auth.newcomer("ann@example.org").await.identity();
    let once = Credential::Ticket(auth.ticket(&ann).await.unwrap().expose().to_owned());
    let late = Credential::Ticket(auth.ticket(&ann).await.unwrap().expose().to_owned());
    world.clock.advance_ms(29_999);
    assert!(auth.open(&once).await.is_ok());
    assert_eq!(auth.open(&once).await.unwrap_err().code, ErrorCode::Unauthenticated);
    world.clock.advance_ms(1);
    assert_eq!(auth.open(&late).await.unwrap_err().code, ErrorCode::Unauthenticated);
    let odd = Credential::Ticket("x".repeat(1 << 20));
    assert_eq!(auth.open(&odd).await.unwrap_err().code, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn a_ticket_ends_no_later_than_the_token_that_bought_it() {
    let world = World::new(SignupPolicy::Closed);
    let auth = world.auth().await;
    auth.add_user("ann@example.org", None, PASSWORD.into(), false).await.unwrap();
    let token = auth.create_token("ann@example.org", 10).await.unwrap();
    let ann = auth.open(&Credential::Token(token.expose().to_owned())).await.unwrap();
    let ticket = || async { Credential::Ticket(auth.ticket(&ann).await.unwrap().expose().to_owned()) };
    let (early, late) = (ticket().await, ticket().await);
    assert_eq!(auth.open(&early).await.unwrap(), ann);
    world.clock.advance_ms(10_000);
    assert_eq!(auth.open(&late).await.unwrap_err().code, ErrorCode::Unauthenticated);
    assert_eq!(auth.log_out(&ann).await.unwrap_err().code, ErrorCode::Invalid);
}

#[tokio::test]
async fn a_new_password_ends_the_other_logins() {
    let world = World::new(SignupPolicy::Open);
    let auth = world.auth().await;
    let phone = auth.newcomer("ann@example.org").await;
    let laptop = auth.log_in("ann@example.org", PASSWORD.into(), PEER).await.unwrap();
    let ann = phone.identity();
    let change = |current: &str| auth.change_password(&ann, current.to_owned(), "a new secret".into(), PEER);
    assert_eq!(change("not this").await.unwrap_err().field, Some("current_password"));
    assert!(auth.open(&token(&laptop)).await.is_ok());
    change(PASSWORD).await.unwrap();
    assert!(auth.open(&token(&phone)).await.is_ok());
    assert_eq!(auth.open(&token(&laptop)).await.unwrap_err().code, ErrorCode::Unauthenticated);
    assert_eq!(world.bus.revoked(), [format!("{}/{}", laptop.user.id, laptop.login)]);
    assert!(auth.log_in("ann@example.org", PASSWORD.into(), PEER).await.is_err());
    assert!(auth.log_in("ann@example.org", "a new secret".into(), PEER).await.is_ok());
}

#[tokio::test]
async fn a_login_ends_by_itself() {
    let world = World::new(SignupPolicy::Open);
    let auth = world.auth().await;
    let ann = auth.newcomer("ann@example.org").await;
    world.clock.advance_ms(30 * 24 * 3_600_000);
    assert_eq!(auth.open(&cookie(&ann)).await.unwrap_err().code, ErrorCode::Unauthenticated);
    assert!(auth.refresh(ann.refresh_token.expose()).await.is_err());
}

#[tokio::test]
async fn nothing_secret_is_in_what_is_printed_for_debugging() {
    let world = World::new(SignupPolicy::Open);
    let auth = world.auth().await;
    let ann = auth.newcomer("ann@example.org").await;
    let printed = format!("{auth:?} {ann:?} {:?}", request("ann@example.org", Some("code")));
    let ticket = auth.ticket(&ann.identity()).await.unwrap();
    let printed = format!("{printed} {ticket:?}");
    let cookie = ann.cookie.as_ref().unwrap();
    for secret in [ann.access_token.expose(), ann.refresh_token.expose(), cookie.expose(), ticket.expose(), PASSWORD, "code"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
